//! One application under two placements, as a Gantt chart: what ran where, what travelled, what
//! waited.

mod chart;
mod sides;

use chart::Chart;
use fogbit_scenario::pipeline::Scheduler;
use sides::{Bench, Block, Side, sides};

use super::{Data, not_drawn};
use crate::pipeline::files::APPLICATIONS_FILE;
use crate::report::figures::frame;
use crate::report::markup::{escape, grouped};
use crate::report::panel::legend;

const TITLE: &str = "One application under two placements";
/// The chart; says why where there is none.
pub(super) fn figure(data: &Data) -> String {
    let Some(scenario) = &data.scenario else {
        return not_drawn(TITLE, "topology.toml cannot be read");
    };
    let Some((best, other)) = sides(data) else {
        return not_drawn(TITLE, "no application was placed by a policy that could be compared");
    };
    let instance = scenario.instance(data.first.seed);
    let mut bench = Bench { instance: &instance, scheduler: Scheduler::default() };
    let Some((number, apart_ns)) = bench.most_different(&best, &other) else {
        return not_drawn(TITLE, "the policies have no application in common");
    };
    let (application, conditions) = (instance.application(number), instance.conditions(number));
    let blocks: Vec<Block<'_>> =
        [&best, &other].into_iter().flat_map(|side| bench.blocks(side, number)).collect();
    let named = scenario.names_of(number);
    let names = named.map_or(&[][..], |(_, sub_tasks)| sub_tasks);
    let chart = Chart::new(data, (&application, names), &conditions, &blocks);
    let name = named.map(|(name, _)| name);
    let sides = (&best, &other, apart_ns);
    let caption = caption(data, (number, name), sides, blocks.len() > 2);
    frame("gantt", TITLE, &signs(&other.look), &chart.svg(&blocks), &caption)
}

fn caption(
    data: &Data,
    (number, name): (u64, Option<&str>),
    (best, other, apart_ns): (&Side, &Side, u64),
    is_measured: bool,
) -> String {
    let (best_name, other_name) = (escape(&best.name), escape(&other.name));
    let why = match apart_ns {
        0 => format!("{best_name} and {other_name} are equally fast in all of them"),
        _ => format!("the delays of {best_name} and {other_name} differ most in it"),
    };
    let measured = match is_measured {
        true => " Measured times are counted from the arrival of the application.",
        false => "",
    };
    format!(
        "Application {}{} of seed {}, of the first {}: {why}. Rows are sites and the ways between \
         them; a sub-task stands with its number at its site, data on its way. A thin bar is time \
         spent waiting for the site or the way, dashes are the way’s propagation delay, grey is the \
         work of others.{measured} Computed from <code>topology.toml</code> and \
         <a href='{APPLICATIONS_FILE}'><code>{APPLICATIONS_FILE}</code></a>.",
        grouped(number),
        name.map_or(String::new(), |name| format!(" ({})", escape(name))),
        data.first.seed,
        grouped(other.placed.len() as u64)
    )
}

fn signs(look: &str) -> String {
    let entries = [
        (format!("line {look}"), "runs, or is sent"),
        (format!("fly {look}"), "propagates"),
        (format!("line faint {look}"), "waits"),
    ];
    let entries: Vec<(&str, String)> =
        entries.iter().map(|(class, text)| (class.as_str(), (*text).to_owned())).collect();
    legend(&entries)
}
