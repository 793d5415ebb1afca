//! What applications come to, added up in the plainest way.

use fogbit_scenario::pipeline::ApplicationFate;
use serde_json::Value;

use super::close;
use crate::pipeline::tally::Kpis;
use crate::verify::{Compared, is_quantile};

/// What is known of an application that was placed.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) sub_tasks: u64,
    pub(super) as_label: u64,
    pub(super) delay_ns: u64,
    pub(super) optimum_ns: u64,
    pub(super) fate: ApplicationFate,
    pub(super) measured_ns: Option<u64>,
    /// By how much the host held its sub-tasks up.
    pub(super) held_up_ns: Option<u64>,
    /// Sub-tasks at each site.
    pub(super) at_site: Vec<u64>,
}

/// A delay over another one.
fn over(delay_ns: u64, other_ns: u64) -> f64 {
    if delay_ns == other_ns { 1.0 } else { delay_ns as f64 / (other_ns as f64).max(1.0) }
}

impl Fact {
    pub(super) fn ratio(&self) -> f64 {
        over(self.delay_ns, self.optimum_ns)
    }

    /// Whether it was held up for more than 5 % of its measured delay.
    pub(super) fn is_late(&self) -> bool {
        let times = self.held_up_ns.zip(self.measured_ns);
        times.is_some_and(|(held_up, measured)| u128::from(held_up) * 20 > u128::from(measured))
    }

    pub(super) fn delay_ms(&self) -> f64 {
        self.delay_ns as f64 * 1e-6
    }
}

/// The figures of some applications by name; those within others with a slash.
fn figures(facts: &[Fact]) -> Vec<(&'static str, Option<f64>)> {
    let count =
        |wanted: &dyn Fn(&Fact) -> bool| facts.iter().filter(|fact| wanted(fact)).count() as f64;
    let sum = |of: &dyn Fn(&Fact) -> f64| facts.iter().map(of).sum::<f64>();
    let share = |part: f64, all: f64| (all > 0.0).then(|| part / all);
    let all = facts.len() as f64;
    let exact = count(&|fact| fact.as_label == fact.sub_tasks);
    let optimal = count(&|fact| fact.delay_ns == fact.optimum_ns);
    let (sub_tasks, as_label) =
        (sum(&|fact| fact.sub_tasks as f64), sum(&|fact| fact.as_label as f64));
    let (delay, best) = (sum(&|fact| fact.delay_ns as f64), sum(&|fact| fact.optimum_ns as f64));
    let measured = sum(&|fact| fact.measured_ns.map_or(0.0, |ns| ns as f64));
    let modelled = sum(&|fact| fact.measured_ns.map_or(0.0, |_| fact.delay_ns as f64));
    let late = count(&|fact| fact.is_late());
    let timed = count(&|fact| fact.measured_ns.is_some());
    vec![
        ("applications", Some(all)),
        ("done", Some(count(&|fact| fact.fate == ApplicationFate::Done))),
        ("timed_out", Some(count(&|fact| fact.fate == ApplicationFate::TimedOut))),
        ("refused", Some(count(&|fact| matches!(fact.fate, ApplicationFate::Refused(_))))),
        ("sub_tasks", Some(sub_tasks)),
        ("as_label", Some(as_label)),
        ("exact", Some(exact)),
        ("optimal", Some(optimal)),
        ("mean_delay_ms", share(delay * 1e-6, all)),
        ("mean_optimum_ms", share(best * 1e-6, all)),
        ("delay_ratio", share(delay, best)),
        ("label_accuracy", share(as_label, sub_tasks)),
        ("exact_match", share(exact, all)),
        ("optimal_share", share(optimal, all)),
        ("measured/mean_delay_ms", share(measured * 1e-6, timed)),
        ("measured/mean_modelled_ms", share(modelled * 1e-6, timed)),
        ("measured/late", (timed > 0.0).then_some(late)),
    ]
}

/// Compares what is told of these applications over so many sites.
pub(super) fn check(
    place: &str,
    told: &Kpis,
    facts: &[Fact],
    sites: usize,
    compared: &mut Compared,
) {
    let json = serde_json::to_value(told).expect("figures are plain data");
    for (name, right) in figures(facts) {
        let found = json.pointer(&format!("/{name}")).and_then(Value::as_f64);
        if !same(found, right) {
            compared.find(place, format!("{name} {found:?} where {right:?} is right"));
        }
    }
    let sub_tasks: u64 = facts.iter().map(|fact| fact.sub_tasks).sum();
    let at = |site: usize| facts.iter().map(|fact| fact.at_site[site]).sum::<u64>() as f64;
    let shares: Vec<f64> = match sub_tasks {
        0 => Vec::new(),
        all => (0..sites).map(|site| at(site) / all as f64).collect(),
    };
    let alike = told.site_share.iter().zip(&shares).all(|(told, right)| close(*told, *right));
    if told.site_share.len() != shares.len() || !alike {
        let found = &told.site_share;
        compared.find(place, format!("site_share {found:?} where {shares:?} is right"));
    }
    let sorted = |of: &dyn Fn(&Fact) -> Option<f64>| {
        let mut values: Vec<f64> = facts.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let spreads = [
        ("delay_ms", sorted(&|fact| Some(fact.delay_ms()))),
        ("ratio", sorted(&|fact| Some(fact.ratio()))),
        ("measured/ratio", sorted(&|fact| Some(over(fact.measured_ns?, fact.delay_ns)))),
    ];
    for (name, values) in spreads {
        let found = json.pointer(&format!("/{name}")).unwrap_or(&Value::Null);
        check_spread(place, name, found, &values, compared);
    }
}

fn same(found: Option<f64>, right: Option<f64>) -> bool {
    match (found, right) {
        (Some(found), Some(right)) => close(found, right),
        (found, right) => found == right,
    }
}

/// Compares what is told of how ascending values are spread.
fn check_spread(place: &str, name: &str, told: &Value, values: &[f64], compared: &mut Compared) {
    if values.is_empty() || told.is_null() {
        if values.is_empty() != told.is_null() {
            compared.find(place, format!("{name} {told} of {} values", values.len()));
        }
        return;
    }
    let ends = [
        ("count", values.len() as f64),
        ("mean", values.iter().sum::<f64>() / values.len() as f64),
        ("min", values[0]),
        ("max", values[values.len() - 1]),
    ];
    for (part, right) in ends {
        if !same(told[part].as_f64(), Some(right)) {
            compared.find(place, format!("{name}.{part} {} where {right} is right", told[part]));
        }
    }
    for (part, p) in
        [("p5", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p95", 0.95), ("p99", 0.99)]
    {
        let found = told[part].as_f64().unwrap_or(f64::NAN);
        if !is_quantile(values, p, found) {
            compared.find(place, format!("{name}.{part} {found} is not the quantile"));
        }
    }
}
