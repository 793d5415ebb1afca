//! The files of a complete sweep, made from its unit files alone.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::plan::{PointPlan, SweepPlan};
use super::points::{PointResults, PolicyResults, point_summary};
use super::problem::Column;
use super::summary::{PointSummary, SweepSummary};
use super::unit::{self, UnitError};
use crate::results::{ResultsError, write_whole};
use crate::stats::{MeanSd, PairStatistics, Running};

/// Points that are read and added up side by side, before their rows are written.
const POINTS_AT_ONCE: usize = 64;

/// Why the results cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// A unit is missing or damaged.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] ResultsError),
}

/// Reads all units of the sweep in `dir`, writes everything that follows from them but the report,
/// and says what it comes to.
///
/// # Errors
/// If a unit is missing or damaged, or a file cannot be written.
pub fn finish(dir: &Path, plan: &SweepPlan) -> Result<SweepSummary, FinishError> {
    let mut files = Files::create(dir, plan)?;
    let mut points = Vec::with_capacity(plan.played.points.len());
    let mut values = Vec::with_capacity(points.capacity());
    let indices: Vec<usize> = (0..plan.played.points.len()).collect();
    for some in indices.chunks(POINTS_AT_ONCE) {
        let read: Vec<_> = some
            .par_iter()
            .map(|index| -> Result<_, UnitError> {
                let point = &plan.played.points[*index];
                let results = read_point(dir, plan, *index)?;
                Ok((point_summary(plan, point, &results), results))
            })
            .collect::<Result<_, _>>()?;
        for (index, (summary, results)) in some.iter().zip(read) {
            let point = &plan.played.points[*index];
            files.point(plan, point, &summary, &results).map_err(|error| files.failed(error))?;
            let by = plan.rank_by;
            values.push(results.policies.iter().map(|p| p.values(by)).collect::<Vec<_>>());
            points.push(summary);
        }
    }
    files.close()?;
    let summary = SweepSummary::new(plan, points, &values);
    let path = dir.join("summary.json");
    write_whole(&path, summary.to_json().as_bytes())
        .map_err(|error| ResultsError::Write { path, error })?;
    Ok(summary)
}

fn read_point(dir: &Path, plan: &SweepPlan, point: usize) -> Result<PointResults, UnitError> {
    let units: Vec<_> = plan
        .played
        .units_of(point)
        .map(|unit| Ok(unit::read(dir, &plan.played, &plan.digest, unit)?.0))
        .collect::<Result<_, UnitError>>()?;
    Ok(PointResults::of(&plan.played.points[point], units))
}

/// A table that is moved into place when it is whole.
struct Table {
    path: PathBuf,
    part: PathBuf,
    rows: csv::Writer<BufWriter<File>>,
}

impl Table {
    fn create(dir: &Path, name: &str, header: &[&str]) -> io::Result<Table> {
        let path = dir.join(name);
        let part = path.with_extension("csv.part");
        let file = BufWriter::with_capacity(1 << 16, File::create(&part)?);
        let mut rows = csv::Writer::from_writer(file);
        rows.write_record(header)?;
        Ok(Table { path, part, rows })
    }

    fn close(self) -> io::Result<()> {
        let file = self.rows.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_data()?;
        drop(file);
        fs::rename(&self.part, &self.path)
    }
}

/// The tables of a sweep.
struct Files {
    dir: PathBuf,
    points: Table,
    trials: Table,
    /// By the name of the curve.
    curves: Vec<(&'static str, Table)>,
}

impl Files {
    fn create(dir: &Path, plan: &SweepPlan) -> Result<Files, ResultsError> {
        let said = plan.played.said();
        let curve = ["point", "policy", "slot", "mean", "sd", "n"];
        let mut trials = vec!["point", "policy", "seed", "status", "slots"];
        trials.extend(said.columns().iter().map(|column| column.name));
        let header = points_header(plan);
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let make = || -> io::Result<Files> {
            let curves = said.curves().iter();
            Ok(Files {
                dir: dir.to_owned(),
                points: Table::create(dir, "points.csv", &header)?,
                trials: Table::create(dir, "trials.csv", &trials)?,
                curves: curves
                    .map(|own| Ok((own.name, Table::create(dir, own.file, &curve)?)))
                    .collect::<io::Result<_>>()?,
            })
        };
        make().map_err(|error| ResultsError::Write { path: dir.to_owned(), error })
    }

    fn failed(&self, error: io::Error) -> FinishError {
        ResultsError::Write { path: self.dir.clone(), error }.into()
    }

    /// The rows of one point.
    fn point(
        &mut self,
        plan: &SweepPlan,
        point: &PointPlan,
        summary: &PointSummary,
        results: &PointResults,
    ) -> io::Result<()> {
        let columns = plan.played.said().columns();
        let slots = if self.curves.is_empty() { Arc::default() } else { point.curve_slots() };
        for (policy, own) in point.policies.iter().zip(&results.policies) {
            let names = [point.point.as_str(), policy.name.as_str()];
            for (place, trial) in own.trials.iter().enumerate() {
                let status = if trial.failure.is_some() { "failed" } else { "complete" };
                let mut row = names.map(ToOwned::to_owned).to_vec();
                row.extend([trial.seed.to_string(), status.into(), trial.slots.to_string()]);
                row.extend(columns.iter().map(|column| cell(own, *column, place)));
                self.trials.rows.write_record(row)?;
            }
            for (name, table) in &mut self.curves {
                curve(table, names, &slots, own.curves.get(*name).map_or(&[], Vec::as_slice))?;
            }
        }
        for row in points_rows(plan, summary) {
            self.points.rows.write_record(row)?;
        }
        Ok(())
    }

    fn close(self) -> Result<(), ResultsError> {
        let curves = self.curves.into_iter().map(|(_, table)| table);
        for table in [self.points, self.trials].into_iter().chain(curves) {
            let path = table.path.clone();
            table.close().map_err(|error| ResultsError::Write { path, error })?;
        }
        Ok(())
    }
}

/// The value of a column in a trial.
fn cell(policy: &PolicyResults, column: Column, place: usize) -> String {
    match policy.values.get(column.name).and_then(|values| *values.get(place)?) {
        Some(value) if column.whole => format!("{value:.0}"),
        value => optional(value),
    }
}

fn curve(table: &mut Table, names: [&str; 2], slots: &[u64], values: &[Running]) -> io::Result<()> {
    for (slot, value) in slots.iter().zip(values).filter(|(_, value)| value.n > 0) {
        let [point, policy] = names;
        table.rows.write_record([
            point,
            policy,
            &slot.to_string(),
            &number(value.mean),
            &optional(value.sd()),
            &value.n.to_string(),
        ])?;
    }
    Ok(())
}

/// A number that reads back to the same bits.
fn number(value: f64) -> String {
    format!("{value:?}")
}

fn optional(value: Option<f64>) -> String {
    value.map_or(String::new(), number)
}

/// The columns of `points.csv`.
fn points_header(plan: &SweepPlan) -> Vec<String> {
    let said = plan.played.said();
    let mut header = vec!["point".to_owned()];
    header.extend(plan.played.keys.iter().cloned());
    header.extend(["trial_slots", "helper_nodes", "policy", "kind", "n"].map(ToOwned::to_owned));
    for metric in said.metrics() {
        header.extend(["mean", "sd", "median"].map(|part| format!("{}_{part}", metric.name)));
    }
    header.extend(said.further_means().iter().map(|name| format!("{name}_mean")));
    header.extend(said.shares().iter().map(|share| share.name.to_owned()));
    header.extend(["mean_rank", "versus"].map(ToOwned::to_owned));
    for metric in said.tabled_differences() {
        header.extend(
            ["difference", "t_low", "t_high", "bootstrap_low", "bootstrap_high", "pairs"]
                .map(|part| format!("{metric}_{part}")),
        );
    }
    header
}

/// The rows of one point in `points.csv`.
fn points_rows(plan: &SweepPlan, point: &PointSummary) -> Vec<Vec<String>> {
    let said = plan.played.said();
    let row = |policy: &super::summary::PolicyAtPoint| {
        let mut row = vec![point.point.clone()];
        let settings = |key| point.settings.get(key).cloned().unwrap_or_default();
        row.extend(plan.played.keys.iter().map(settings));
        row.extend([point.slots.to_string(), point.nodes.to_string()]);
        row.extend([policy.name.clone(), policy.kind.clone(), policy.seeds.to_string()]);
        for metric in said.metrics() {
            row.extend(mean_sd_median(policy.metric(metric)));
        }
        let means = said.further_means().iter();
        row.extend(means.map(|name| optional(policy.mean(name).map(|value| value.mean))));
        row.extend(said.shares().iter().map(|share| optional(policy.share(share.name))));
        row.push(optional(policy.rank.map(|rank| rank.mean_rank)));
        let difference = policy.difference.as_ref();
        row.push(difference.map_or(String::new(), |d| d.versus.clone()));
        for metric in said.tabled_differences() {
            row.extend(pair(difference.and_then(|d| d.pairs.get(metric))));
        }
        row
    };
    point.policies.iter().map(row).collect()
}

fn mean_sd_median(value: Option<MeanSd>) -> [String; 3] {
    [value.map(|v| v.mean), value.and_then(|v| v.sd), value.and_then(|v| v.median)].map(optional)
}

fn pair(pair: Option<&PairStatistics>) -> [String; 6] {
    let Some(pair) = pair else { return std::array::from_fn(|_| String::new()) };
    [
        number(pair.mean),
        optional(pair.t.low),
        optional(pair.t.high),
        optional(pair.bootstrap.low),
        optional(pair.bootstrap.high),
        pair.seeds.to_string(),
    ]
}
