//! What a suite came to.

use serde::{Deserialize, Serialize};

use super::break_even::BreakEvenRow;
use super::design::{Experiment, Suite};
use super::grid::{Cell, Decisions, Player, cells};
use super::links::LinkCounts;
use super::loss::{LossRow, rows};
use super::play::Played;
use super::rate::RateRow;
use crate::results::RunStatus;

/// What an experiment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Profiles, loads and payloads.
    Grid,
    /// Round-trip times around the break-even of a profile.
    BreakEven,
    /// Shares of packets lost.
    Loss,
    /// Rates.
    Rate,
}

/// The measured break-even is to be no further from the formula's than this share of it.
pub const NEAR: f64 = 0.1;

/// The content of `summary.json` of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchSummary {
    /// The suite as a whole.
    pub bench: BenchFacts,
    /// What the links were found to be.
    pub links: LinkCounts,
    /// Profiles, loads and payloads.
    pub grid: Vec<Cell>,
    /// How well each policy of the file decides, over all of the grid.
    pub decisions: Vec<Decisions>,
    /// Break-even round trips.
    pub break_even: Vec<BreakEvenRow>,
    /// Shares of packets lost.
    pub loss: Vec<LossRow>,
    /// Least rates.
    pub rate: Vec<RateRow>,
}

/// A suite as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchFacts {
    /// `network`.
    pub suite: String,
    /// Name of the topology.
    pub topology: String,
    /// Its sentence about itself.
    pub about: Option<String>,
    /// `process` or `sim`.
    pub backend: String,
    /// Whether it is the short suite.
    pub quick: bool,
    /// The seed of all experiments.
    pub seed: u64,
    /// Names of the task node and the helper node.
    pub nodes: [String; 2],
    /// Profiles of links.
    pub profiles: Vec<String>,
    /// Cycles of a task.
    pub cycles: u64,
    /// Bytes of its output.
    pub output_bytes: u64,
    /// How many experiments there are.
    pub experiments: u64,
    /// How many were played to their end.
    pub complete: u64,
    /// How far it got.
    pub status: RunStatus,
    /// Whether the host kept to the links' schedule.
    pub valid: bool,
    /// Whether a link was found wrong.
    pub links_wrong: bool,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Version of Fogbit.
    pub version: String,
}

impl BenchSummary {
    /// Adds up what was played: `played` is in the order of the suite's experiments, none where one
    /// was not begun. `players` makes the policies that decide in an experiment.
    pub fn new(
        bench: BenchFacts,
        suite: &Suite,
        played: &[Option<Played>],
        players: impl Fn(&Experiment) -> Vec<Player>,
    ) -> BenchSummary {
        let mut summary = BenchSummary {
            bench,
            links: LinkCounts::default(),
            grid: Vec::new(),
            decisions: Vec::new(),
            break_even: Vec::new(),
            loss: Vec::new(),
            rate: Vec::new(),
        };
        let none =
            |none: &super::design::NoBreakEven| BreakEvenRow::none(&none.profile, none.formula_ms);
        for (experiment, played) in suite.experiments.iter().zip(played) {
            let Some(played) = played else { continue };
            if let Some(links) = &played.links {
                summary.links.add(links);
            }
            summary.add(experiment, played, &players);
        }
        summary.break_even.extend(suite.without.iter().map(none));
        for cell in &summary.grid {
            for own in &cell.decisions {
                match summary.decisions.iter_mut().find(|all| all.policy == own.policy) {
                    Some(all) => all.merge(own),
                    None => summary.decisions.push(own.clone()),
                }
            }
        }
        let complete = |played: &&Option<Played>| {
            played.as_ref().is_some_and(|played| played.status == RunStatus::Complete)
        };
        summary.bench.complete = played.iter().filter(complete).count() as u64;
        summary.bench.links_wrong = summary.links.are_wrong();
        summary.bench.valid = summary.links.are_in_time();
        summary
    }

    fn add(
        &mut self,
        experiment: &Experiment,
        played: &Played,
        players: &impl Fn(&Experiment) -> Vec<Player>,
    ) {
        let steps = &played.steps;
        match (experiment.part, &experiment.demand) {
            (Part::Grid, _) => self.grid.extend(cells(experiment, steps, players(experiment))),
            (Part::BreakEven, _) => self.break_even.push(BreakEvenRow::of(experiment, steps)),
            (Part::Loss, _) => self.loss.extend(rows(experiment, steps)),
            (Part::Rate, Some(demand)) => {
                self.rate.push(RateRow::of(experiment, demand, steps));
            }
            (Part::Rate, None) => {}
        }
    }

    /// Break-evens that were measured, and those that are near the formula's.
    pub fn near(&self) -> (usize, usize) {
        let measured = self.break_even.iter().filter_map(|row| row.relative);
        let near = measured.clone().filter(|relative| relative.abs() <= NEAR).count();
        (measured.count(), near)
    }

    /// As it is written and printed.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a summary is plain data") + "\n"
    }
}
