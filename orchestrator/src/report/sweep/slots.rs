//! Lines of average regret over slots: all policies in an environment, and each policy over
//! environments and settings.

use super::Data;
use super::lines::{legend, spread};
use super::tables::environment_title;
use crate::report::axis::Scale;
use crate::report::beyond::Mark;
use crate::report::figures::{frame, from_zero, highest, last_slot, slots};
use crate::report::markup::escape;
use crate::report::plot::{Line, Plot, Point};
use crate::sweep::environment::Environment;
use crate::sweep::summary::PointSummary;

/// Environments in which all policies are drawn.
const MOST_ENVIRONMENTS: usize = 4;
/// Environments in which a policy's settings are drawn.
const MOST_OF_SETTINGS: usize = 2;
/// Lines in one figure of a policy: as many as there are colours.
const MOST_LINES: usize = 6;
/// Policies that are drawn by themselves.
const MOST_POLICIES: usize = 8;
/// Averages over fewer slots are left out where there are plenty.
const FIRST_SHOWN: u64 = 10;

/// The section; empty where no trial is complete.
pub(super) fn section(data: &Data) -> String {
    let environments: Vec<&Environment> = data.summary.environments.iter().collect();
    let shown = spread(environments.clone(), MOST_ENVIRONMENTS);
    let mut figures: String = shown.iter().filter_map(|of| policies_in(data, of)).collect();
    for (name, _) in data.policies.iter().take(MOST_POLICIES) {
        figures.extend(over_environments(data, name));
        let of_settings = spread(environments.clone(), MOST_OF_SETTINGS);
        figures.extend(of_settings.iter().filter_map(|of| settings_in(data, name, of)));
    }
    if figures.is_empty() { figures } else { format!("<h2>Over slots</h2>\n{figures}") }
}

fn line(data: &Data, point: &str, policy: &str, class: String, label: String) -> Option<Line> {
    let rows = data.curves.get(&(point.to_owned(), policy.to_owned()))?;
    let last = rows.last()?.slot;
    let first = if last >= 100 { FIRST_SHOWN } else { 1 };
    let points = rows.iter().filter(|row| row.slot >= first);
    let points = points.map(|row| Point { x: row.slot as f64, y: row.mean, sd: row.sd }).collect();
    Some(Line { class, guide: false, title: label.clone(), label, points })
}

fn figure(
    id: &str,
    title: &str,
    legend: &str,
    lines: Vec<Line>,
    marks: &[Mark],
    caption: &str,
) -> Option<String> {
    let first = lines.iter().flat_map(|line| line.points.first()).map(|point| point.x);
    let first = first.fold(f64::INFINITY, f64::min);
    if lines.is_empty() || !first.is_finite() {
        return None;
    }
    let plot = Plot {
        description: format!("Average regret over slots: {title}"),
        x: slots(Scale::Log, first, last_slot(&lines)),
        y: from_zero("average regret (linear units a slot)", highest(&lines)),
        lines,
    };
    Some(frame(id, title, legend, &plot.svg(marks), caption))
}

const DRAWN_FROM: &str = "Means over the seeds with bands of one standard deviation on either \
                          side. Drawn from <a href='curves.csv'><code>curves.csv</code></a>.";

/// A policy's name with what a point sets of it.
fn with_setting(policy: &str, point: &PointSummary) -> String {
    let setting = point.label_of(policy);
    if setting.is_empty() { policy.to_owned() } else { format!("{policy} ({setting})") }
}

fn policies_in(data: &Data, environment: &Environment) -> Option<String> {
    let points = data.points_of(environment);
    let mut shown = Vec::new();
    let mut entries = Vec::new();
    let mut lines = Vec::new();
    for (name, look) in &data.policies {
        let Some(best) = data.best_of(&points, name) else { continue };
        shown.push(best);
        entries.push((look.as_str(), with_setting(name, best)));
        lines.extend(line(data, &best.point, name, look.clone(), name.clone()));
    }
    let title = match data.summary.environments.len() {
        1 => "All policies".to_owned(),
        _ => format!("All policies with {}", environment_title(environment)),
    };
    let best = match points.len() {
        1 => "",
        _ => " Each policy has the setting that did best in this environment.",
    };
    let caption = format!("Regret of the slots so far divided by their number.{best} {DRAWN_FROM}");
    let id = format!("in-{}", escape(&environment.environment));
    let marks = data.marks_of(&shown);
    figure(&id, &title, &legend(entries.into_iter()), lines, &marks, &caption)
}

/// A policy in each of several environments, at its best setting there.
fn over_environments(data: &Data, policy: &str) -> Option<String> {
    let environments: Vec<&Environment> = data.summary.environments.iter().collect();
    let mut chosen: Vec<(&PointSummary, String)> = Vec::new();
    for environment in spread(environments, MOST_LINES) {
        let best = data.best_of(&data.points_of(environment), policy);
        chosen.extend(best.map(|best| {
            let setting = best.label_of(policy);
            let apart = if setting.is_empty() { "" } else { "; " };
            (best, format!("{}{apart}{setting}", environment_title(environment)))
        }));
    }
    let caption = format!(
        "Each line is another environment{}. {DRAWN_FROM}",
        match chosen.iter().all(|(point, _)| point.label_of(policy).is_empty()) {
            true => "",
            false => ", with the setting that did best in it",
        }
    );
    several(data, policy, &chosen, "over", &format!("{policy} in several environments"), &caption)
}

/// A policy with each of several settings in one environment.
fn settings_in(data: &Data, policy: &str, environment: &Environment) -> Option<String> {
    let mut chosen: Vec<(&PointSummary, String)> = Vec::new();
    for point in data.points_of(environment) {
        let setting = point.label_of(policy);
        if !setting.is_empty() && !chosen.iter().any(|(_, known)| *known == setting) {
            chosen.push((point, setting));
        }
    }
    let count = chosen.len();
    let chosen = spread(chosen, MOST_LINES);
    let title = match data.summary.environments.len() {
        1 => format!("{policy} with several settings"),
        _ => format!("{policy} with several settings, {}", environment_title(environment)),
    };
    let caption = match chosen.len() < count {
        true => format!("{} of {count} settings, in their order. {DRAWN_FROM}", chosen.len()),
        false => DRAWN_FROM.to_owned(),
    };
    several(data, policy, &chosen, &environment.environment, &title, &caption)
}

/// A policy at several points; none where there is one line, or one line many times over.
fn several(
    data: &Data,
    policy: &str,
    chosen: &[(&PointSummary, String)],
    id: &str,
    title: &str,
    caption: &str,
) -> Option<String> {
    let class = |index: usize| format!("c{index} d0");
    let lines: Vec<Line> = chosen
        .iter()
        .enumerate()
        .filter_map(|(index, (point, text))| {
            let mut line = line(data, &point.point, policy, class(index), point.point.clone())?;
            line.title.clone_from(text);
            Some(line)
        })
        .collect();
    if lines.len() < 2 || lines.windows(2).all(|two| two[0].points == two[1].points) {
        return None;
    }
    let entries = chosen.iter().enumerate();
    let legend = legend(
        entries.map(|(index, (point, text))| (class(index), format!("{}: {text}", point.point))),
    );
    let points: Vec<&PointSummary> = chosen.iter().map(|(point, _)| *point).collect();
    let marks = data.marks_of(&points);
    let id = format!("of-{}-{}", escape(policy), escape(id));
    figure(&id, title, &legend, lines, &marks, caption)
}
