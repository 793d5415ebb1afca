//! What networks learn from how many labels, and whether a teacher helps them.

use std::collections::{BTreeMap, BTreeSet};

use super::chart::{frame as chart_frame, upright};
use super::{Data, not_drawn};
use crate::pipeline::files::LABEL_SWEEP_FILE;
use crate::report::axis::{Axis, Scale};
use crate::report::figures::frame;
use crate::report::markup::{escape, fixed, grouped, put};
use crate::report::panel::{Panel, legend, open, range};
use crate::report::plot::WIDTH;
use crate::stats::Interval;
use crate::train::pipeline::LabelRow;

const TITLE: &str = "Accuracy against the number of labels";
/// The student that learnt from a teacher too, and the one that did not.
const DISTILLED: &str = "distilled";
const ALONE: &str = "alone";

/// A figure of a model.
type Value = fn(&LabelRow) -> f64;

/// What is drawn, one panel below the other: title of the axis, value, and whether more is better.
const PANELS: [(&str, Value, bool); 2] = [
    ("sub-tasks placed as in the label", |row| row.label_accuracy, true),
    ("mean delay over the optimum", |row| row.delay_ratio, false),
];

/// Both panels, and in words where distillation helps.
pub(super) fn figure(data: &Data) -> String {
    let rows = match &data.labels {
        None => return not_drawn(TITLE, "the topology names no label sweep"),
        Some(Err(why)) => return not_drawn(TITLE, why),
        Some(Ok(rows)) if !rows.iter().all(is_sound) || rows.is_empty() => {
            return not_drawn(TITLE, "the label sweep holds no figures, or some that are none");
        }
        Some(Ok(rows)) => rows,
    };
    let models = models(rows);
    let looks: Vec<String> = models.iter().enumerate().map(|(i, m)| look(data, i, m)).collect();
    let entries: Vec<(String, String)> = models
        .iter()
        .zip(&looks)
        .map(|(model, look)| (format!("line {look}"), escape(&shown(model))))
        .collect();
    let entries: Vec<(&str, String)> =
        entries.iter().map(|(class, name)| (class.as_str(), name.clone())).collect();
    let seeds = rows.iter().map(|row| row.seed).collect::<BTreeSet<_>>().len();
    let caption = format!(
        "Each model was trained anew under each of {} seeds, and judged on applications that none \
         of them saw. Means over the seeds with their 95 % confidence intervals. {} Drawn from \
         <a href='{LABEL_SWEEP_FILE}'><code>{LABEL_SWEEP_FILE}</code></a>.",
        grouped(seeds as u64),
        verdict(rows)
    );
    frame("labels", TITLE, &legend(&entries), &svg(rows, &models, &looks), &caption)
        + &differences(rows)
}

fn is_sound(row: &LabelRow) -> bool {
    row.labels > 0 && row.label_accuracy.is_finite() && row.delay_ratio.is_finite()
}

/// The models, in the order of the file.
fn models(rows: &[LabelRow]) -> Vec<&str> {
    let mut models: Vec<&str> = Vec::new();
    for row in rows {
        if !models.contains(&row.model.as_str()) {
            models.push(&row.model);
        }
    }
    models
}

/// A model in words.
fn shown(model: &str) -> String {
    match model {
        ALONE => "student without a teacher".into(),
        DISTILLED => "distilled student".into(),
        other => other.to_owned(),
    }
}

/// The colour of the policy of that name, or else the next one.
fn look(data: &Data, index: usize, model: &str) -> String {
    let own = data.policies.index_of(model).map(|policy| data.policies.look(policy).to_owned());
    own.unwrap_or_else(|| format!("c{} d{}", index % 6, (index / 6).min(2)))
}

/// Values of a model by number of labels, in the order of the seeds.
fn by_labels(rows: &[LabelRow], model: &str, value: Value) -> BTreeMap<u64, BTreeMap<u64, f64>> {
    let mut all: BTreeMap<u64, BTreeMap<u64, f64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.model == model) {
        all.entry(row.labels).or_default().insert(row.seed, value(row));
    }
    all
}

fn over_seeds(values: &BTreeMap<u64, f64>) -> Interval {
    Interval::of(&values.values().copied().collect::<Vec<_>>())
}

/// All means, and the ends of their intervals.
fn reach(rows: &[LabelRow], models: &[&str], value: Value) -> Vec<f64> {
    let all = models.iter().flat_map(|model| by_labels(rows, model, value).into_values());
    let ends = all.flat_map(|values| {
        let of = over_seeds(&values);
        [Some(of.mean), of.low, of.high]
    });
    ends.flatten().collect()
}

fn svg(rows: &[LabelRow], models: &[&str], looks: &[String]) -> String {
    let labels = || rows.iter().map(|row| row.labels as f64);
    let (few, many) = (labels().fold(f64::INFINITY, f64::min), labels().fold(1.0, f64::max));
    let numbers: BTreeSet<u64> = rows.iter().map(|row| row.labels).collect();
    let ticks: Vec<(f64, String)> =
        numbers.into_iter().map(|own| (own as f64, grouped(own))).collect();
    let mut svg = open(WIDTH, 584.0, "Label accuracy and delay against the number of labels");
    let out = &mut svg;
    for (index, (title, value, _)) in PANELS.into_iter().enumerate() {
        let top = 30.0 + 278.0 * index as f64;
        let (low, high) = range(reach(rows, models, value).into_iter());
        let panel = Panel {
            x: Axis {
                title: "labels".into(),
                scale: Scale::Log,
                low: few / 1.15,
                high: many * 1.15,
                percent: false,
            },
            y: Axis { title: title.into(), scale: Scale::Linear, low, high, percent: index == 0 },
            left: 60.0,
            right: WIDTH - 24.0,
            top,
            bottom: top + 232.0,
        };
        chart_frame(out, &panel, &ticks, index + 1 == PANELS.len());
        for (place, (model, look)) in models.iter().zip(looks).enumerate() {
            // Beside each other, so that intervals of equal numbers of labels can be told apart.
            let aside = 3.0 * (place as f64 - (models.len() as f64 - 1.0) / 2.0);
            line(out, &panel, &by_labels(rows, model, value), (look, model, aside));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(
    out: &mut String,
    panel: &Panel,
    values: &BTreeMap<u64, BTreeMap<u64, f64>>,
    (look, model, aside): (&str, &str, f64),
) {
    let at = |y: f64| panel.at_y(y.clamp(panel.y.low, panel.y.high));
    let mut path = String::new();
    let mut dots = String::new();
    for (labels, values) in values {
        let (of, x) = (over_seeds(values), panel.at_x(*labels as f64) + aside);
        let y = at(of.mean);
        put!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
        if let Some((low, high)) = of.low.zip(of.high) {
            upright(&mut dots, look, x, (at(high), at(low)));
        }
        put!(dots, "<circle class='dot {look}' cx='{x:.1}' cy='{y:.1}' r='3.5'><title>");
        let (name, number) = (escape(&shown(model)), grouped(*labels));
        put!(dots, "{name}, {number} labels: {}</title></circle>\n", fixed(of.mean, 4));
    }
    put!(out, "<path class='line {look}' d='{path}'/>\n{dots}");
}

/// Whether there are students with and without a teacher.
fn has_both(rows: &[LabelRow]) -> bool {
    [ALONE, DISTILLED].iter().all(|name| rows.iter().any(|row| row.model == *name))
}

/// What distillation does to a figure of the student, by number of labels: distilled minus alone over
/// the seeds of both.
fn paired(rows: &[LabelRow], value: Value) -> Vec<(u64, u64, Interval)> {
    let without = by_labels(rows, ALONE, value);
    let both = by_labels(rows, DISTILLED, value).into_iter().filter_map(|(labels, own)| {
        let other = without.get(&labels)?;
        let pairs = own.iter().filter_map(|(seed, own)| Some((*own, *other.get(seed)?)));
        let (own, other): (Vec<f64>, Vec<f64>) = pairs.unzip();
        let seeds = own.len() as u64;
        (seeds > 0).then(|| (labels, seeds, Interval::of_differences(&own, &other)))
    });
    both.collect()
}

/// At which numbers of labels distillation helps, hurts, or cannot be told.
fn verdict(rows: &[LabelRow]) -> String {
    if !has_both(rows) {
        return "Whether distillation helps is not in this sweep: it has no student with and \
                without a teacher."
            .into();
    }
    let [accuracy, delay] =
        PANELS.map(|(_, value, more_is_better)| sides(&paired(rows, value), more_is_better));
    format!(
        "By the paired 95 % intervals over seeds, learning from a teacher too changes the \
         student’s delay thus: {delay}; and its label accuracy: {accuracy}."
    )
}

/// `it helps with 500 and 1,000 labels, hurts with 40,000, and cannot be told with 5,000`.
fn sides(pairs: &[(u64, u64, Interval)], more_is_better: bool) -> String {
    let mut of: [Vec<String>; 3] = Default::default();
    for (labels, _, interval) in pairs {
        let better = (interval.mean > 0.0) == more_is_better;
        let side = match interval.decided() {
            Some(true) if better => 0,
            Some(true) => 1,
            _ => 2,
        };
        of[side].push(grouped(*labels));
    }
    let told = ["it helps with", "hurts with", "cannot be told with"].iter().zip(&of);
    let parts: Vec<String> = told
        .filter(|(_, labels)| !labels.is_empty())
        .map(|(what, labels)| format!("{what} {} labels", listed(labels)))
        .collect();
    match parts.len() {
        0 => "there is no seed of both".into(),
        _ if of[0].is_empty() => format!("it {}", listed(&parts)),
        _ => listed(&parts),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// The paired differences in a table.
fn differences(rows: &[LabelRow]) -> String {
    if !has_both(rows) {
        return String::new();
    }
    let [accuracy, delay] = PANELS.map(|(_, value, _)| paired(rows, value));
    let mut out = String::from(
        "<details><summary>Distilled student minus student without a teacher</summary>\n\
         <div class='wide'><table><thead><tr><th>labels</th><th>seeds</th>\
         <th>delay over the optimum</th><th>95 % interval</th><th>label accuracy</th>\
         <th>95 % interval</th></tr></thead><tbody>\n",
    );
    for ((labels, seeds, delay), (_, _, accuracy)) in delay.iter().zip(&accuracy) {
        put!(out, "<tr><td>{}</td><td>{}</td>", grouped(*labels), grouped(*seeds));
        for of in [delay, accuracy] {
            let ends = of.low.zip(of.high);
            let ends = ends.map_or("–".into(), |(low, high)| {
                format!("{} to {}", fixed(low, 5), fixed(high, 5))
            });
            put!(out, "<td>{}</td><td>{ends}</td>", fixed(of.mean, 5));
        }
        out.push_str("</tr>\n");
    }
    out + "</tbody></table></div>\n</details>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(labels: u64, seed: u64, model: &str, accuracy: f64, ratio: f64) -> LabelRow {
        LabelRow {
            labels,
            seed,
            model: model.into(),
            delay_ratio: ratio,
            label_accuracy: accuracy,
            exact_match: 0.5,
        }
    }

    /// With 500 labels distillation helps in every seed, with 1,000 nothing can be told, with 2,000 it
    /// makes delays longer.
    fn sweep() -> Vec<LabelRow> {
        let mut rows = Vec::new();
        for seed in 1..=4 {
            let noise = 1e-3 * seed as f64;
            let either = if seed % 2 == 0 { 0.01 } else { -0.01 };
            for (labels, better, slower) in [
                (500, 0.05 + noise, -0.1 - noise),
                (1000, either, either),
                (2000, either, 0.02 + noise),
            ] {
                rows.push(row(labels, seed, "alone", 0.8 + noise, 1.2 + noise));
                let (accuracy, ratio) = (0.8 + noise + better, 1.2 + noise + slower);
                rows.push(row(labels, seed, "distilled", accuracy, ratio));
            }
        }
        rows
    }

    #[test]
    fn the_verdict_is_that_of_the_intervals() {
        let text = verdict(&sweep());
        let delay = "delay thus: it helps with 500 labels, hurts with 2,000 labels and cannot be \
                     told with 1,000 labels";
        let accuracy = "label accuracy: it helps with 500 labels and cannot be told with 1,000 and 2,000 labels";
        assert!(text.contains(delay) && text.contains(accuracy), "{text}");
        let only: Vec<LabelRow> = sweep().into_iter().filter(|row| row.model == "alone").collect();
        assert!(verdict(&only).contains("not in this sweep"));
        let one: Vec<LabelRow> = sweep().into_iter().filter(|row| row.seed == 1).collect();
        assert!(verdict(&one).contains("it cannot be told with 500, 1,000 and 2,000 labels"));
    }

    /// Differences .051, .052, .053, .054 have a mean of .0525 and a deviation of sqrt(5/3) / 1000:
    /// `scipy.stats.t.interval(0.95, 3, 0.0525, 0.00129099445 / 2)` is 0.0504457, 0.0545543.
    #[test]
    fn differences_are_paired_by_seed() {
        let found = paired(&sweep(), |row| row.label_accuracy);
        let (labels, seeds, interval) = found[0];
        assert_eq!((labels, seeds), (500, 4));
        assert!((interval.mean - 0.0525).abs() < 1e-12);
        assert!((interval.low.unwrap() - 0.050_445_7).abs() < 1e-7, "{interval:?}");
        assert!((interval.high.unwrap() - 0.054_554_3).abs() < 1e-7, "{interval:?}");
        assert!(differences(&sweep()).contains("<td>0.05250</td>"));
    }
}
