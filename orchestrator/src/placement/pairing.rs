//! The break-even round trip from a task that was executed on both sides.
//!
//! A profile has one round-trip time, and the break-even lies somewhere else: what is measured has
//! to be carried there. The model says how latency grows with the round trip (by `k`, and by more
//! where loss limits the rate); what the execution took more or less than the model expects counts
//! as a time that does not depend on the round trip. Without loss this is
//! `RTT + (local latency - offloaded latency) / k`.

use fogbit_scenario::placement::cost::{break_even_rtt_s, expected_latency_s};
use fogbit_scenario::placement::{CostModel, Execution, PlacementInstance, Site, SiteSight, Step};

use super::tally::came_back;

/// The break-even round trip of one task and one helper node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskPair {
    /// Number of the helper node.
    pub node: usize,
    /// From what was measured, in milliseconds.
    pub measured_ms: f64,
    /// By the formula, with the true state of computers and link, in milliseconds.
    pub formula_ms: f64,
}

/// What a step says of break-even round trips: one for each helper node on which the task was
/// executed, if it was executed on the task node too and the outputs came back.
pub fn pairs(instance: &mut PlacementInstance, step: &Step) -> Vec<TaskPair> {
    if step.shadows.is_empty() {
        return Vec::new();
    }
    let all = std::iter::once(&step.execution).chain(&step.shadows);
    let back: Vec<&Execution> = all.filter(|execution| came_back(execution)).collect();
    let Some(local) = back.iter().find(|execution| execution.site == Site::Local) else {
        return Vec::new();
    };
    let here = instance.truth(step.slot, Site::Local);
    let cost = *instance.cost();
    let pair = |away: &&Execution| {
        let Site::Helper(node) = away.site else { return None };
        let there = instance.truth(step.slot, away.site);
        let seen = SiteSight { rtt_s: step.sights[away.site.index()].rtt_s, ..there };
        let seconds = |execution: &Execution| execution.latency_ns as f64 / 1e9;
        let later = seconds(away) - expected_latency_s(&step.task, &seen, &cost);
        let earlier = seconds(local) - expected_latency_s(&step.task, &here, &cost);
        let measured = CostModel { wait_s: cost.wait_s + later - earlier, ..cost };
        Some(TaskPair {
            node: node as usize,
            measured_ms: break_even_rtt_s(&step.task, &here, &there, &measured) * 1e3,
            formula_ms: break_even_rtt_s(&step.task, &here, &there, &cost) * 1e3,
        })
    };
    back.iter().filter_map(pair).collect()
}
