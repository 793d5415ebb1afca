//! `policy serve`: a policy as a service over standard input and output. The protocol is that of
//! external policies, seen from the other side: `docs/external-policies.md`.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use clap::Args;
use fogbit_policy::{CATALOGUE, Entry, Policy};
use fogbit_scenario::topology::PolicySpec;
use fogbit_scenario::{Bit, Contexts};
use serde::{Deserialize, Serialize};

use crate::cli::topology::assignments;
use crate::exit::{Exit, Failure};

/// Serve a policy over standard input and output, one JSON object a line
///
/// In: {"start":{"nodes":N,"features":d}} (no answer);
/// {"decide":{"slot":t,"contexts":[[...],...]}} answered by {"node":n,"scores":[...]};
/// {"learn":{"slot":t,"node":n,"bit":1}} answered by {"estimate":[...]}.
/// Nodes count from 0, slots from 1; a bit is 1 or -1. A line that makes no sense is answered by
/// {"error":"..."}. The service ends at the end of its input. docs/external-policies.md has the
/// details.
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

    /// Seed of the policy's own randomness, where `start` gives none
    #[arg(long, value_name = "S", default_value_t = 1, env = "FOGBIT_POLICY_SEED")]
    seed: u64,
}

/// As much as is read at once; a pipe holds no more.
const CHUNK: usize = 1 << 16;
/// More than this is a mistake, and would only eat memory.
const MOST_VALUES: usize = 100_000_000;

pub(super) fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    let known: Vec<&str> = CATALOGUE.iter().map(|entry| entry.kind).collect();
    if !known.contains(&args.name.as_str()) {
        let others = [
            ("placement", fogbit_policy::placement::CATALOGUE),
            ("cascade", fogbit_policy::cascade::CATALOGUE),
        ];
        let is_there = |entries: &[Entry]| entries.iter().any(|entry| entry.kind == args.name);
        if let Some((problem, _)) = others.iter().find(|(_, entries)| is_there(entries)) {
            let message = format!("`{}` is a policy of the problem `{problem}`", args.name);
            return Err(Failure::usage(message).help("policies of `one-bit` alone are served"));
        }
        return Err(Failure::usage(format!("no policy is called `{}`", args.name))
            .help(format!("policies: {}", known.join(", "))));
    }
    let set: Vec<String> = assignments(&args.set).map(str::to_owned).collect();
    let spec = PolicySpec::from_assignments(&args.name, &set)?;
    let mut service = Service { spec, name: args.name.clone(), seed: args.seed, running: None };
    if service.build(1, 1, args.seed).is_none() {
        let why = match service.spec {
            PolicySpec::External(_) => "it is a program that serves itself",
            _ => "it is told the truth",
        };
        return Err(Failure::usage(format!("`{}` cannot be served: {why}", args.name)));
    }
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    match answer_all(&mut service, input, output, look_for_input) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Well),
        answered => answered.map(|()| Exit::Well).map_err(|e| Failure::new(Exit::Failed, e)),
    }
}

/// A question that comes this quickly after the last costs no sleep.
const QUICK: Duration = Duration::from_micros(30);

/// Looks for input without sleeping, for a moment: being woken takes longer than most answers.
fn look_for_input() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = std::io::stdin();
    let deadline = Instant::now() + QUICK;
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    while Instant::now() < deadline {
        if poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&at_once)) != Ok(0) {
            return;
        }
        rustix::thread::sched_yield();
    }
}

/// Answers line after line. Where several lines came together their answers go together.
fn answer_all(
    service: &mut Service,
    input: impl Read,
    mut output: impl Write,
    wait: impl Fn(),
) -> std::io::Result<()> {
    let mut input = BufReader::with_capacity(CHUNK, input);
    let (mut line, mut answers) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if input.buffer().is_empty() {
            wait();
        }
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.trim_ascii().is_empty() {
            service.answer(&line, &mut answers);
        }
        if !input.buffer().contains(&b'\n') && !answers.is_empty() {
            output.write_all(&answers)?;
            output.flush()?;
            answers.clear();
        }
    }
}

/// One line of input. Keys that are not listed are for others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Start(Start),
    Decide(Decide),
    Learn(Learn),
}

#[derive(Debug, Deserialize)]
struct Start {
    nodes: usize,
    features: usize,
    seed: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Decide {
    slot: u64,
    contexts: Vec<Vec<f64>>,
    /// The nodes that can be chosen; all if it is left out.
    present: Option<Vec<usize>>,
}

#[derive(Debug, Deserialize)]
struct Learn {
    slot: u64,
    node: usize,
    bit: i64,
    /// The context of the node in that slot; needed where it is not that of the last decision.
    context: Option<Vec<f64>>,
}

/// One line of output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Decided { node: usize, scores: &'a [f64] },
    Learnt { estimate: Option<&'a [f64]> },
    Error { error: String },
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
    /// Where the context of a `learn` is put, so that those of the last decision stay.
    earlier: Contexts,
    /// The slot of the last decision; 0 before any.
    slot: u64,
    /// Room for an estimate.
    estimate: Vec<f64>,
}

impl Service {
    fn build(&self, nodes: usize, features: usize, seed: u64) -> Option<Box<dyn Policy>> {
        let key = fogbit_scenario::instance::policy_key(seed, &self.name);
        fogbit_policy::build(&self.spec, nodes, features, &key)
    }

    /// Appends the answer to `line`, if there is one.
    fn answer(&mut self, line: &[u8], answers: &mut Vec<u8>) {
        // Bytes that are no text make no sense as JSON either, and are answered so.
        let request = serde_json::from_slice(line).map_err(|error| error.to_string());
        let answer = match request {
            Ok(Request::Start(start)) => match self.start(&start) {
                Ok(()) => return,
                Err(error) => Err(error),
            },
            Ok(Request::Decide(decide)) => self.running().and_then(|r| r.decide(&decide)),
            Ok(Request::Learn(learn)) => self.running().and_then(|r| r.learn(&learn)),
            Err(error) => Err(error),
        };
        let answer = answer.unwrap_or_else(|error| Answer::Error { error });
        serde_json::to_writer(&mut *answers, &answer).expect("an answer can be written as JSON");
        answers.push(b'\n');
    }

    fn running(&mut self) -> Result<&mut Running, String> {
        self.running.as_mut().ok_or_else(|| "`start` must come first".to_owned())
    }

    fn start(&mut self, start: &Start) -> Result<(), String> {
        let Start { nodes, features, seed } = *start;
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
        let policy = self.build(nodes, features, seed.unwrap_or(self.seed));
        let policy = policy.ok_or("this policy cannot be served")?;
        let contexts = Contexts::new(nodes, features);
        let (earlier, estimate) = (contexts.clone(), vec![0.0; features]);
        self.running = Some(Running { policy, contexts, earlier, slot: 0, estimate });
        Ok(())
    }
}

impl Running {
    fn decide(&mut self, decide: &Decide) -> Result<Answer<'_>, String> {
        let nodes = self.contexts.nodes();
        if decide.slot == 0 {
            return Err("slots count from 1".into());
        }
        if decide.contexts.len() != nodes {
            return Err(format!("{} contexts for {nodes} nodes", decide.contexts.len()));
        }
        for (node, x) in decide.contexts.iter().enumerate() {
            self.look_at(node, x)?;
        }
        if let Some(present) = &decide.present {
            if present.is_empty() {
                return Err("no node is present".into());
            }
            if let Some(node) = present.iter().find(|node| **node >= nodes) {
                return Err(format!("there is no node {node}"));
            }
        }
        for (node, x) in decide.contexts.iter().enumerate() {
            self.contexts.set_state(node, x);
            self.contexts.set_present(node, decide.present.is_none());
        }
        for node in decide.present.iter().flatten() {
            self.contexts.set_present(*node, true);
        }
        self.slot = decide.slot;
        let node = self.policy.decide(decide.slot, &self.contexts);
        Ok(Answer::Decided { node, scores: self.policy.scores() })
    }

    fn learn(&mut self, learn: &Learn) -> Result<Answer<'_>, String> {
        let Learn { slot, node, bit, ref context } = *learn;
        if slot == 0 || slot > self.slot {
            return Err(format!("slot {slot} is not that of a decision"));
        }
        if slot != self.slot && context.is_none() {
            return Err(format!(
                "slot {slot} is not that of the last decision: its context is missing"
            ));
        }
        if node >= self.contexts.nodes() {
            return Err(format!("there is no node {node}"));
        }
        let bit = Bit::from_sign(bit).ok_or_else(|| format!("a bit is 1 or -1, not {bit}"))?;
        let contexts = match context {
            Some(x) => {
                self.look_at(node, x)?;
                self.earlier.set_state(node, x);
                &self.earlier
            }
            None => &self.contexts,
        };
        self.policy.learn(slot, contexts, node, bit);
        let estimate = self.policy.belief().map(|belief| {
            belief.estimate(node, &mut self.estimate);
            self.estimate.as_slice()
        });
        Ok(Answer::Learnt { estimate })
    }

    /// Fails unless `x` can be the context of `node`.
    fn look_at(&self, node: usize, x: &[f64]) -> Result<(), String> {
        let features = self.contexts.features();
        if x.len() != features {
            return Err(format!("{} features of node {node}, not {features}", x.len()));
        }
        let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 1.0 + 1e-9 {
            return Err(format!("||x|| = {norm} of node {node} is above 1"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers of `policy` to `lines`, which come in parts of `size` bytes.
    fn answers(policy: &str, lines: &[&str], size: usize) -> Vec<String> {
        struct Parts<'a>(std::slice::Chunks<'a, u8>);
        impl Read for Parts<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let part = self.0.next().unwrap_or_default();
                buffer[..part.len()].copy_from_slice(part);
                Ok(part.len())
            }
        }
        let spec = PolicySpec::from_assignments(policy, &[]).unwrap();
        let mut service = Service { spec, name: policy.into(), seed: 1, running: None };
        let text = lines.join("\n");
        let mut output = Vec::new();
        answer_all(&mut service, Parts(text.as_bytes().chunks(size)), &mut output, || ()).unwrap();
        String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn answers_are_the_same_however_lines_come_in() {
        let lines = [
            "{\"start\":{\"nodes\":3,\"features\":1,\"slots\":9,\"unknown\":null}}",
            "{\"decide\":{\"slot\":1,\"contexts\":[[0.1],[0.2],[0.3]],\"unknown\":[1]}}",
            "{\"learn\":{\"slot\":1,\"node\":2,\"bit\":-1}}",
            "",
            "{\"decide\":{\"slot\":2,\"contexts\":[[0.1],[0.2],[0.3]]}}",
        ];
        let whole = answers("toof", &lines, 10_000);
        assert_eq!(whole.len(), 3);
        assert!(whole[0].starts_with("{\"node\":2,\"scores\":["), "{whole:?}");
        for size in [1, 7, 64] {
            assert_eq!(answers("toof", &lines, size), whole, "parts of {size}");
        }
    }

    #[test]
    fn absent_nodes_are_not_chosen() {
        let decide = |slot, present| {
            format!("{{\"decide\":{{\"slot\":{slot},\"contexts\":[[0.1],[0.2],[0.3]]{present}}}}}")
        };
        let lines = [
            "{\"start\":{\"nodes\":3,\"features\":1}}",
            &decide(1, ",\"present\":[0,1]"),
            &decide(2, ""),
            &decide(3, ",\"present\":[]"),
            &decide(3, ",\"present\":[3]"),
        ];
        let told = answers("toof", &lines, 10_000);
        assert!(told[0].starts_with("{\"node\":1,") && told[0].ends_with(",null]}"), "{told:?}");
        assert!(told[1].starts_with("{\"node\":2,"), "{told:?}");
        assert!(told[2].contains("no node is present") && told[3].contains("no node 3"));
    }

    /// A bit that comes late teaches the same as one that comes at once.
    #[test]
    fn bits_of_earlier_slots_are_learnt_with_their_context() {
        let start = "{\"start\":{\"nodes\":2,\"features\":2}}";
        let first = "{\"decide\":{\"slot\":1,\"contexts\":[[0.6,0.1],[0.2,0.3]]}}";
        let second = "{\"decide\":{\"slot\":2,\"contexts\":[[0.1,0.1],[0.5,0.3]]}}";
        let learn = "{\"learn\":{\"slot\":1,\"node\":0,\"bit\":-1}}";
        let late = "{\"learn\":{\"slot\":1,\"node\":0,\"bit\":-1,\"context\":[0.6,0.1]}}";
        let at_once = answers("toof", &[start, first, learn, second], 10_000);
        let lately = answers("toof", &[start, first, second, late, second], 10_000);
        assert_eq!(at_once[1], lately[2]);
        assert_eq!(at_once[2], lately[3]);
        assert_ne!(at_once[2], lately[1]);
        let missing = answers("toof", &[start, first, second, learn], 10_000);
        assert!(missing[2].contains("its context is missing"), "{missing:?}");
        let future = late.replace("\"slot\":1", "\"slot\":3");
        assert!(answers("toof", &[start, first, &future], 10_000)[1].contains("error"));
    }

    /// What `start` says counts for more than the command line.
    #[test]
    fn the_seed_of_the_start_decides() {
        let decide = "{\"decide\":{\"slot\":1,\"contexts\":[[0],[0],[0],[0],[0],[0],[0],[0]]}}";
        let start = |seed: &str| format!("{{\"start\":{{\"nodes\":8,\"features\":1{seed}}}}}");
        let chosen: Vec<String> = (0..20)
            .map(|seed| start(&format!(",\"seed\":{seed}")))
            .map(|start| answers("random", &[&start, decide], 10_000).remove(0))
            .collect();
        assert!(chosen.iter().any(|answer| *answer != chosen[0]), "{chosen:?}");
        assert_eq!(answers("random", &[&start(""), decide], 10_000)[0], chosen[1]);
    }
}
