//! `policy list`, and `policy serve`: a policy as a service over standard input and output.

use std::io::{BufRead, Write};

use clap::{Args, Subcommand};
use fogbit_policy::{CATALOGUE, Policy};
use fogbit_scenario::topology::PolicySpec;
use fogbit_scenario::{Bit, Contexts};
use serde::Deserialize;
use serde_json::{Value, json};

use super::print;
use super::topology::assignments;
use crate::exit::{Exit, Failure};

/// The policies, and any of them as a service
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the policies with their parameters and defaults
    List,
    Serve(ServeArgs),
}

/// Serve a policy over standard input and output, one JSON object a line
///
/// In: {"start":{"nodes":N,"features":d}} (no answer);
/// {"decide":{"slot":t,"contexts":[[...],...]}} answered by {"node":n,"scores":[...]};
/// {"learn":{"slot":t,"node":n,"bit":1}} answered by {"estimate":[...]}.
/// Nodes count from 0, slots from 1; a bit is 1 or -1. A line that makes no sense is answered by
/// {"error":"..."}. The service ends at the end of its input. docs/policies.md has the details.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    printf '%s\\n' '{\"start\":{\"nodes\":2,\"features\":1}}' \
    '{\"decide\":{\"slot\":1,\"contexts\":[[0.1],[0.2]]}}' | fogbit policy serve toof")]
pub(crate) struct ServeArgs {
    /// The policy, as `fogbit policy list` calls it
    name: String,

    /// A parameter, e.g. --set lambda=5 --set gamma.kind=tuned --set gamma.c=0.03
    #[arg(long, value_name = "KEY=VALUE", env = "FOGBIT_POLICY_SET")]
    set: Vec<String>,

    /// Seed of the policy's own randomness
    #[arg(long, value_name = "S", default_value_t = 1, env = "FOGBIT_POLICY_SEED")]
    seed: u64,
}

pub(crate) fn run(command: PolicyCommand) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::List => {
            let mut text = String::new();
            for entry in CATALOGUE {
                text += &format!("{:<16} {}\n", entry.kind, entry.summary);
                if !entry.parameters.is_empty() {
                    text += &format!("{:<16}   {}\n", "", entry.parameters);
                }
            }
            print(&text)?;
            Ok(Exit::Well)
        }
        PolicyCommand::Serve(args) => serve(&args),
    }
}

fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    let known: Vec<&str> = CATALOGUE.iter().map(|entry| entry.kind).collect();
    if !known.contains(&args.name.as_str()) {
        return Err(Failure::usage(format!("no policy is called `{}`", args.name))
            .help(format!("policies: {}", known.join(", "))));
    }
    let set: Vec<String> = assignments(&args.set).map(str::to_owned).collect();
    let spec = PolicySpec::from_assignments(&args.name, &set)?;
    let mut service = Service { spec, name: args.name.clone(), seed: args.seed, running: None };
    if service.build(1, 1).is_none() {
        return Err(Failure::usage(format!(
            "`{}` cannot be served: it is told the truth",
            args.name
        )));
    }
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.map_err(|error| Failure::new(Exit::Failed, error))?;
        // Bytes that are no text make no sense as JSON either, and are answered so.
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            continue;
        }
        let answer = match service.answer(&line) {
            Ok(Some(answer)) => answer,
            Ok(None) => continue,
            Err(error) => json!({ "error": error }),
        };
        let written = writeln!(out, "{answer}").and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            other => other.map_err(|error| Failure::new(Exit::Failed, error))?,
        }
    }
    Ok(Exit::Well)
}

/// One line of input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    Start(Start),
    Decide(Decide),
    Learn(Learn),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    nodes: usize,
    features: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    slot: u64,
    contexts: Vec<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learn {
    slot: u64,
    node: usize,
    bit: i64,
}

struct Service {
    spec: PolicySpec,
    name: String,
    seed: u64,
    running: Option<Running>,
}

/// A policy between `start` and the end.
struct Running {
    policy: Box<dyn Policy>,
    contexts: Contexts,
    /// The slot of the last decision; 0 before any.
    slot: u64,
}

/// More than this is a mistake, and would only eat memory.
const MOST_VALUES: usize = 100_000_000;

impl Service {
    fn build(&self, nodes: usize, features: usize) -> Option<Box<dyn Policy>> {
        let key = fogbit_scenario::instance::policy_key(self.seed, &self.name);
        fogbit_policy::build(&self.spec, nodes, features, &key)
    }

    fn answer(&mut self, line: &str) -> Result<Option<Value>, String> {
        match serde_json::from_str(line).map_err(|error| error.to_string())? {
            Request::Start(start) => self.start(&start).map(|()| None),
            Request::Decide(decide) => self.running()?.decide(&decide).map(Some),
            Request::Learn(learn) => self.running()?.learn(&learn).map(Some),
        }
    }

    fn running(&mut self) -> Result<&mut Running, String> {
        self.running.as_mut().ok_or_else(|| "`start` must come first".to_owned())
    }

    fn start(&mut self, start: &Start) -> Result<(), String> {
        let Start { nodes, features } = *start;
        // Policies keep a matrix for each node.
        let values = nodes.saturating_mul(features).saturating_mul(features);
        if nodes == 0 || features == 0 || values > MOST_VALUES {
            return Err(format!("{nodes} nodes with {features} features: none, or too many"));
        }
        if let Some(prior) = self.spec.prior()
            && prior.mean.len() != features
        {
            let numbers = prior.mean.len();
            return Err(format!("the prior has {numbers} numbers for {features} features"));
        }
        let policy = self.build(nodes, features).ok_or("this policy cannot be served")?;
        let contexts = Contexts::new(nodes, features);
        self.running = Some(Running { policy, contexts, slot: 0 });
        Ok(())
    }
}

impl Running {
    fn decide(&mut self, decide: &Decide) -> Result<Value, String> {
        let (nodes, features) = (self.contexts.nodes(), self.contexts.features());
        if decide.slot == 0 {
            return Err("slots count from 1".into());
        }
        if decide.contexts.len() != nodes {
            return Err(format!("{} contexts for {nodes} nodes", decide.contexts.len()));
        }
        for (node, x) in decide.contexts.iter().enumerate() {
            if x.len() != features {
                return Err(format!("{} features of node {node}, not {features}", x.len()));
            }
            let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
            if norm > 1.0 + 1e-9 {
                return Err(format!("||x|| = {norm} of node {node} is above 1"));
            }
        }
        for (node, x) in decide.contexts.iter().enumerate() {
            self.contexts.set_state(node, x);
        }
        self.slot = decide.slot;
        let node = self.policy.decide(decide.slot, &self.contexts);
        Ok(json!({ "node": node, "scores": self.policy.scores() }))
    }

    fn learn(&mut self, learn: &Learn) -> Result<Value, String> {
        let Learn { slot, node, bit } = *learn;
        if slot != self.slot || slot == 0 {
            return Err(format!("slot {slot} is not that of the last decision"));
        }
        if node >= self.contexts.nodes() {
            return Err(format!("there is no node {node}"));
        }
        let bit = Bit::from_sign(bit).ok_or_else(|| format!("a bit is 1 or -1, not {bit}"))?;
        self.policy.learn(slot, &self.contexts, node, bit);
        let estimate = self.policy.belief().map(|belief| {
            let mut estimate = vec![0.0; self.contexts.features()];
            belief.estimate(node, &mut estimate);
            estimate
        });
        Ok(json!({ "estimate": estimate }))
    }
}
