//! The tables: policies, paired differences, expectations, trials that did not end well.

use super::Data;
use super::markup::{digits_for, escape, fixed, grouped, mean_sd, parameters, percent, put};
use super::plot::{Axis, Scale};
use crate::expect::Judgement;
use crate::plan::{Curve, Status};
use crate::results::summary::Pair;
use crate::stats::MeanSd;

const NONE: &str = "–";
/// Trials that did not end well are listed up to this number.
const MOST_TRIALS: usize = 40;

/// Each policy in a row.
pub(super) fn policies(data: &Data) -> String {
    let run = &data.summary.run;
    let marks: Vec<(&str, u64)> = data
        .summary
        .policies
        .first()
        .map(|p| p.average_regret.keys().filter_map(|k| Some((k.as_str(), k.parse().ok()?))).collect())
        .unwrap_or_default();
    let (reached, beyond): (Vec<_>, Vec<_>) = marks.into_iter().partition(|(_, s)| *s <= run.slots);
    let extra = reached.iter().all(|(_, slot)| *slot != run.slots);
    let refused = data.summary.policies.iter().any(|p| p.tasks.refused > 0);
    let timed_out = data.summary.policies.iter().any(|p| p.tasks.timed_out > 0);

    let mut out = String::from("<div class=\"wide\"><table class=\"full\"><thead><tr><th>policy</th>");
    for (_, slot) in &reached {
        put!(out, "<th>average regret<br>at slot {}</th>", grouped(*slot));
    }
    if extra {
        put!(out, "<th>average regret<br>at slot {}</th>", grouped(run.slots));
    }
    out.push_str("<th>regret,<br>total</th><th>reward,<br>total</th><th>share of the<br>optimal reward</th><th>happy<br>bits</th>");
    for (shown, title) in [(refused, "refused"), (timed_out, "timed<br>out")] {
        if shown {
            put!(out, "<th>{title}</th>");
        }
    }
    out.push_str("<th>slots/s</th></tr></thead><tbody>\n");
    for (index, policy) in data.summary.policies.iter().enumerate() {
        put!(out, "<tr><td>{}</td>", name_cell(data, index));
        for (key, slot) in &reached {
            let mean = policy.average_regret.get(*key).copied().flatten();
            let value = mean.map(|mean| MeanSd { mean, sd: data.sd_at(Curve::AverageRegret, policy, *slot) });
            cell(&mut out, value.map(|v| mean_sd(v, 4)));
        }
        let regret = policy.regret_linear;
        if extra {
            let slots = run.slots as f64;
            let average = regret.map(|r| MeanSd { mean: r.mean / slots, sd: r.sd.map(|sd| sd / slots) });
            cell(&mut out, average.map(|v| mean_sd(v, 4)));
        }
        cell(&mut out, regret.map(|v| mean_sd(v, digits_for(v.mean).min(2))));
        cell(&mut out, policy.reward.map(|v| mean_sd(v, if v.sd.is_some() { digits_for(v.mean).min(2) } else { 0 })));
        cell(&mut out, policy.share_of_optimal_reward.map(percent));
        cell(&mut out, policy.happy_share.map(percent));
        for (shown, count) in [(refused, policy.tasks.refused), (timed_out, policy.tasks.timed_out)] {
            if shown {
                let share = count as f64 / (policy.tasks.offloaded as f64).max(1.0);
                cell(&mut out, Some(format!("{}<span class=\"sub\">{}</span>", grouped(count), percent(share))));
            }
        }
        cell(&mut out, policy.slots_per_second.map(|rate| fixed(rate, 0)));
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    let spread = if run.seeds > 1 { " Means over the complete trials, ± one standard deviation over seeds." } else { "" };
    let shorter = match beyond.first() {
        Some((_, slot)) => format!(" The run is shorter than {} slots.", grouped(*slot)),
        None => String::new(),
    };
    put!(out, "<p class=\"small\">Regret is x*·w* − x·w summed over slots, in linear units. Reward is +1 for a happy bit \
         and −1 for anything else; the optimal reward is its expectation for the best choices{}.{spread}{shorter}</p>\n",
        if run.own_path { " on the policy’s own path" } else { "" });
    out
}

fn cell(out: &mut String, content: Option<String>) {
    put!(out, "<td>{}</td>", content.as_deref().unwrap_or(NONE));
}

/// Colour, name, and what tells the policy from others of its kind.
fn name_cell(data: &Data, index: usize) -> String {
    let policy = &data.summary.policies[index];
    let mut below = Vec::new();
    if policy.kind != policy.name {
        below.push(policy.kind.clone());
    }
    below.push(parameters(&policy.parameters));
    if policy.seeds < data.summary.run.seeds {
        below.push(format!("{} of {} seeds", policy.seeds, data.summary.run.seeds));
    }
    below.retain(|text| !text.is_empty());
    let below = match below.is_empty() {
        true => String::new(),
        false => format!("<span class=\"sub\">{}</span>", escape(&below.join(", "))),
    };
    data.policy_name(index) + &below
}

/// The paired differences, each metric with its intervals drawn to one scale.
pub(super) fn pairs(data: &Data) -> String {
    let pairs = &data.summary.pairs;
    let Some(versus) = pairs.first().map(|p| p.versus.as_str()) else { return String::new() };
    // Average regret is total regret in other units; it would only repeat the picture.
    let metrics: [(&str, &str, f64); 3] = [
        ("reward", "Reward (policy − VERSUS): above 0, the policy earns more", 1.0),
        ("regret_linear", "Regret in linear units (policy − VERSUS): below 0, the policy loses less", -1.0),
        ("regret_happiness", "Regret in expected happy bits (policy − VERSUS): below 0, the policy loses less", -1.0),
    ];
    let order: [usize; 3] = if data.summary.run.own_path { [0, 1, 2] } else { [1, 2, 0] };
    let mut out = format!("<h2>Paired differences to {}</h2>\n", escape(&data.label_of(versus)));
    let single = pairs.iter().all(|pair| pair.low.is_none());
    out.push_str(match single {
        true => "<p>Total over the run. With one seed there is no interval, so nothing here tells skill from luck: run \
                 it with <code>--seeds 50</code>.</p>\n",
        false => "<p>Total over the run, differences taken seed by seed (all policies meet the same tasks, nodes and \
                  draws), with 95 % confidence intervals of their means (Student). A filled dot is an interval \
                  without 0, a hollow one leaves the question open.</p>\n",
    });
    out.push_str("<div class=\"wide\"><table class=\"pairs\"><thead><tr><th>policy</th><th>difference</th><th>95 % interval</th><th></th><th>seeds</th><th class=\"left\">reading</th></tr></thead>\n");
    for (metric, title, good) in order.map(|index| metrics[index]) {
        let rows: Vec<&Pair> = pairs.iter().filter(|pair| pair.metric == metric).collect();
        if !rows.is_empty() {
            forest(&mut out, data, &rows, &title.replace("VERSUS", versus), good);
        }
    }
    out.push_str("</table></div>\n<p class=\"small\">Average regret is the regret divided by the number of slots; its intervals are the same. Drawn from <a href=\"summary.json\"><code>summary.json</code></a> (<code>pairs</code>).</p>\n");
    out
}

const FOREST_WIDTH: f64 = 300.0;
const FOREST_ROW: f64 = 28.0;

fn forest(out: &mut String, data: &Data, rows: &[&Pair], title: &str, good: f64) {
    let ends = || rows.iter().flat_map(|p| [p.mean, p.low.unwrap_or(p.mean), p.high.unwrap_or(p.mean), 0.0]);
    let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
    let span = if high > low { high - low } else { 1.0 };
    let axis = Axis { title: String::new(), scale: Scale::Linear, low: low - 0.04 * span, high: high + 0.04 * span, percent: false };
    let at = |value: f64| 8.0 + (value - axis.low) / (axis.high - axis.low) * (FOREST_WIDTH - 16.0);
    let digits = digits_for(ends().fold(0.0, |most: f64, v| most.max(v.abs()))).max(usize::from(span < 1000.0));
    let zero = at(0.0);

    put!(out, "<tbody><tr><th class=\"left\" colspan=\"6\">{}</th></tr>\n", escape(title));
    for pair in rows {
        let index = data.index_of(&pair.policy);
        let look = index.map_or("best", |index| data.looks[index].as_str());
        let name = index.map_or_else(|| escape(&pair.policy), |index| data.policy_name(index));
        let decided = pair.low.zip(pair.high).map(|(low, high)| low > 0.0 || high < 0.0);
        let reading = match decided {
            None => "one seed",
            Some(false) => "open",
            Some(true) if pair.mean * good > 0.0 => "better",
            Some(true) => "worse",
        };
        let interval = pair.low.zip(pair.high).map_or(NONE.into(), |(low, high)| {
            format!("{} to {}", fixed(low, digits), fixed(high, digits))
        });
        let (middle, mean) = (FOREST_ROW / 2.0, at(pair.mean));
        put!(out, "<tr><td>{name}</td><td>{}</td><td>{interval}</td><td class=\"drawn\"><svg viewBox=\"0 0 {FOREST_WIDTH} {FOREST_ROW}\" aria-hidden=\"true\">", fixed(pair.mean, digits));
        put!(out, "<path class=\"zero\" d=\"M{zero:.1} 0V{FOREST_ROW}\"/>");
        if let Some((low, high)) = pair.low.zip(pair.high) {
            let (low, high) = (at(low), at(high));
            put!(out, "<path class=\"line {look}\" d=\"M{low:.1} {middle}H{high:.1}M{low:.1} {:.1}V{:.1}M{high:.1} {:.1}V{:.1}\"/>", middle - 4.0, middle + 4.0, middle - 4.0, middle + 4.0);
        }
        let hollow = if decided == Some(true) { "" } else { " hollow" };
        put!(out, "<circle class=\"dot{hollow} {look}\" cx=\"{mean:.1}\" cy=\"{middle}\" r=\"4\"/></svg></td><td>{}</td><td class=\"left\">{reading}</td></tr>\n", pair.seeds);
    }
    put!(out, "<tr><td></td><td></td><td></td><td class=\"drawn\"><svg viewBox=\"0 0 {FOREST_WIDTH} 24\" aria-hidden=\"true\"><path class=\"axis\" d=\"M8 1H{:.1}\"/>", FOREST_WIDTH - 8.0);
    let mut free_from = f64::NEG_INFINITY;
    for (value, text) in axis.ticks() {
        let (x, half) = (at(value), 3.4 * text.chars().count() as f64);
        put!(out, "<path class=\"axis\" d=\"M{x:.1} 1V5\"/>");
        if x - half >= free_from.max(0.0) && x + half <= FOREST_WIDTH {
            put!(out, "<text class=\"tick\" x=\"{x:.1}\" y=\"18\" text-anchor=\"middle\">{text}</text>");
            free_from = x + half + 6.0;
        }
    }
    out.push_str("</svg></td><td></td><td></td></tr></tbody>\n");
}

/// The expectations of the topology file.
pub(super) fn expectations(data: &Data) -> String {
    let verdicts = &data.summary.expectations;
    if verdicts.is_empty() {
        return String::new();
    }
    let mut out = String::from("<h2>Expectations of the topology file</h2>\n<div class=\"wide\"><table><thead><tr><th>verdict</th><th class=\"left\">expectation</th><th class=\"left\">found</th></tr></thead><tbody>\n");
    for verdict in verdicts {
        let (class, text) = match verdict.judgement {
            Judgement::Met => ("met", "✓ met"),
            Judgement::Failed => ("failed", "✗ failed"),
            Judgement::NotEvaluated => ("open", "not evaluated"),
        };
        let (expectation, finding) = (escape(&verdict.expectation), escape(&verdict.finding));
        put!(out, "<tr><td class=\"{class}\">{text}</td><td class=\"left\">{expectation}</td><td class=\"left\">{finding}</td></tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// Trials that did not end well; empty if all did.
pub(super) fn unfinished(data: &Data) -> String {
    let trials: Vec<_> =
        data.summary.trials.iter().filter(|trial| trial.status != Status::Complete).collect();
    if trials.is_empty() {
        return String::new();
    }
    let mut out = String::from("<h2>Trials that are not complete</h2>\n<div class=\"wide\"><table><thead><tr><th>policy</th><th>seed</th><th>slots played</th><th class=\"left\">status</th></tr></thead><tbody>\n");
    for trial in trials.iter().take(MOST_TRIALS) {
        let status = match trial.status {
            Status::Failed => "failed",
            Status::Partial | Status::Complete => "partial",
        };
        let reason = trial.failure.as_deref().map_or(String::new(), |f| format!(": {}", escape(f)));
        put!(out, "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"left\">{status}{reason}</td></tr>\n", escape(&trial.policy), trial.seed, grouped(trial.slots));
    }
    out.push_str("</tbody></table></div>\n");
    if trials.len() > MOST_TRIALS {
        put!(out, "<p class=\"small\">And {} more, see <code>summary.json</code>.</p>\n", trials.len() - MOST_TRIALS);
    }
    out
}
