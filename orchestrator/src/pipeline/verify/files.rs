//! `distributions.csv` and `applications.json`, against the rows of decision files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fogbit_scenario::pipeline::{CostTable, PipelineInstance, PipelineScenario};

use super::schedule;
use super::sums::Fact;
use super::unreadable;
use crate::exit::Failure;
use crate::pipeline::files::{
    APPLICATIONS_FILE, DISTRIBUTIONS_FILE, FirstApplications, PlacedApplication, Spread, quantiles,
};
use crate::pipeline::read::{self, Decision};
use crate::pipeline::record::placement_of;
use crate::pipeline::tally::MOST_KEPT;
use crate::train::pipeline::{MODELS, read_rows};
use crate::verify::{Compared, is_quantile};

/// The first applications as the file tells them; what a decision file says too is taken away.
pub(super) struct FirstChecked {
    seed: u64,
    sites: usize,
    left: BTreeMap<(String, u64), PlacedApplication>,
}

impl FirstChecked {
    /// Reads them.
    pub(super) fn read(
        dir: &Path,
        scenario: &PipelineScenario,
        compared: &mut Compared,
    ) -> Result<FirstChecked, Failure> {
        let told = read::first_applications(dir).map_err(|error| unreadable(&error))?;
        let FirstApplications { seed, policies } = told;
        if scenario.seeds().first() != Some(&seed) {
            compared.find(APPLICATIONS_FILE, format!("{seed} is not the first seed"));
        }
        let all = policies.into_iter().flat_map(|(policy, own)| {
            own.into_iter().map(move |own| ((policy.clone(), own.application), own))
        });
        Ok(FirstChecked { seed, sites: scenario.sites().len(), left: all.collect() })
    }

    /// Holds a row of a decision file against them.
    pub(super) fn check(
        &mut self,
        (policy, instance): (&str, &PipelineInstance),
        row: &Decision,
        compared: &mut Compared,
    ) {
        if instance.seed != self.seed || row.application > MOST_KEPT {
            return;
        }
        let place = format!("{APPLICATIONS_FILE}: application {} of {policy}", row.application);
        let Some(told) = self.left.remove(&(policy.to_owned(), row.application)) else {
            return compared.find(place, "it is not there");
        };
        let placed = |text: &str| placement_of(text, self.sites);
        let measured_ns = told.measured.as_ref().map(|measured| measured.delay_ns);
        let right = [
            ("placement", placed(&told.placement).as_ref() == Some(&row.placement)),
            ("label", placed(&told.label).as_ref() == Some(&row.label)),
            ("measured", measured_ns == row.measured_ns),
        ];
        let mut wrong = right.iter().filter(|(_, right)| !right).peekable();
        if wrong.peek().is_some() {
            for (key, _) in wrong {
                compared.find(&place, format!("{key} is not that of the trial"));
            }
            return;
        }
        let Some(measured) = &told.measured else { return };
        let application = instance.application(row.application);
        let table = CostTable::new(&application, &instance.conditions(row.application));
        let told = schedule::Told {
            application: &application,
            table: &table,
            placement: &row.placement,
            measured,
            held_up_ns: row.held_up_ns.unwrap_or_default(),
        };
        if let Err(why) = told.check() {
            compared.find(place, format!("schedule: {why}"));
        }
    }

    /// Looks for applications of no trial.
    pub(super) fn end(&self, compared: &mut Compared) {
        if let Some((policy, application)) = self.left.keys().next() {
            let place = format!("{APPLICATIONS_FILE}: application {application} of {policy}");
            compared.find(place, "no trial has it");
        }
    }
}

/// Compares every quantile.
pub(super) fn check_distributions(
    dir: &Path,
    pooled: &BTreeMap<&str, Vec<Fact>>,
    compared: &mut Compared,
) -> Result<(), Failure> {
    let told = read::distributions(dir).map_err(|error| unreadable(&error))?;
    let mut seen: BTreeSet<(String, String, u64)> = BTreeSet::new();
    for (policy, facts) in pooled {
        for spread in Spread::ALL {
            let mut values: Vec<f64> = facts
                .iter()
                .map(|fact| match spread {
                    Spread::Delay => fact.delay_ms(),
                    Spread::Ratio => fact.ratio(),
                })
                .collect();
            values.sort_by(f64::total_cmp);
            let own = told.iter().filter(|row| row.policy == *policy && row.kind == spread.name());
            for row in own {
                seen.insert((row.policy.clone(), row.kind.clone(), row.quantile.to_bits()));
                if !is_quantile(&values, row.quantile, row.value) {
                    let place = format!("{DISTRIBUTIONS_FILE}: {policy}, {}", row.kind);
                    let (p, value) = (row.quantile, row.value);
                    compared.find(place, format!("{value} is not the quantile {p}"));
                }
            }
            for quantile in quantiles() {
                let key = ((*policy).to_owned(), spread.name().to_owned(), quantile.to_bits());
                if !values.is_empty() && !seen.contains(&key) {
                    let place = format!("{DISTRIBUTIONS_FILE}: {policy}, {}", spread.name());
                    compared.find(place, format!("there is no quantile {quantile}"));
                }
            }
        }
    }
    if told.len() != seen.len() {
        let difference = format!("{} rows, where {} are of this run", told.len(), seen.len());
        compared.find(DISTRIBUTIONS_FILE, difference);
    }
    Ok(())
}

/// Looks at the label sweep that a run keeps if its topology names one: figures that can be, one row for
/// each model, number of labels and seed, and none of them missing.
pub(super) fn check_label_sweep(dir: &Path, scenario: &PipelineScenario, compared: &mut Compared) {
    let place = PipelineScenario::KEPT_LABEL_SWEEP;
    let path = dir.join(place);
    let named = scenario.topology().label_sweep.as_deref();
    match named {
        None if path.exists() => return compared.find(place, "topology.toml names none"),
        None => return,
        Some(named) if named != place => {
            let told = format!("topology.toml names {named}, where the run keeps {place}");
            return compared.find("topology.toml", told);
        }
        Some(_) => {}
    }
    let rows = match read_rows(&path) {
        Ok(rows) => rows,
        Err(error) => return compared.find(place, error.to_string()),
    };
    let seen: BTreeSet<(u64, u64, &str)> =
        rows.iter().map(|row| (row.labels, row.seed, row.model.as_str())).collect();
    let points: BTreeSet<(u64, u64)> = rows.iter().map(|row| (row.labels, row.seed)).collect();
    for (labels, seed) in points {
        for model in MODELS.iter().filter(|model| !seen.contains(&(labels, seed, **model))) {
            let missing = format!("{model} with {labels} labels and seed {seed}: no row");
            compared.find(place, missing);
        }
    }
}
