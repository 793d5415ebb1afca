//! Every mistake is told in words that say what would be right, and underlined where it is.

use crate::common::check_all_with;
use crate::read;

const GOOD: &str = r#"problem = "placement"
slots = 100
seeds = [5, 6]

[clock]
kind = "wall"
timeout = "30s"

[task]
work = "sha256-chain"
execution = "real"
complexity_cycles = { min = 1e6, max = 1e9 }
input_kb = { min = 10, max = 200 }
output_kb = 1
deadline_ms = 500
gap_ms = 20

[task-node]
name = "thea"
cpu_frequency_ghz = 1.5
load = { min = 0, max = 0.3 }

[nodes]
cpu_frequency_ghz = 12
workers = 2
queue_limit = 8
service_overhead_ms = 2

[[node]]
name = "anna"
load = { min = 0.1, max = 0.2 }

[[node]]
name = "bert"

[links]
profile = "wifi"
transfer = "packets"

[[link]]
from = "thea"
to = "anna"
profile = { base = "lte", loss = 0.01 }

[[event]]
at = 10
link = "bert"
profile = "5g"

[[event]]
at = 20
profile = { rtt_ms = 30 }

[policies.local]
kind = "always-local"

[policies.rule]
kind = "rule"
margin_ms = 1

[policies.online]
kind = "online"
discount = 0.9

[policies.network]
kind = "learned"
train = { hidden = [8, 9], epochs = 3 }

[[expect]]
policy = "rule"
metric = "mean_regret_ms"
below = "local"
seeds = 2
"#;

const CASES: &str = r#"
# Keys and kinds.
an unknown key ¦ gap_ms = 20 → «gapms» = 20 ¦ unknown key `gapms` ¦ did you mean `gap_ms`?
an unknown kind of work ¦ "sha256-chain" → «"sha256"» ¦ unknown value `sha256` ¦ sha256-chain
an unknown execution ¦ "real" → «"reel"» ¦ unknown value `reel` ¦ did you mean `real`?
an unknown policy ¦ "rule"⏎margin → «"ruler"»⏎margin ¦ unknown kind `ruler` ¦ did you mean `rule`?
an unknown transfer ¦ "packets" → «"packages"» ¦ unknown value `packages` ¦ did you mean `packets`?
an unknown metric ¦ "mean_regret_ms" → «"mean_regret"» ¦ unknown value `mean_regret` ¦ did you mean `mean_regret_ms`?
# Run.
no slots ¦ slots = 100 → slots = «0» ¦ a trial cannot have 0 slots ¦ from 1 to
a seed twice ¦ [5, 6] → [5, «5»] ¦ the seed 5 is given twice ¦ each seed once
too short a timeout ¦ "30s" → «"9ms"» ¦ timeout = "9ms" is out of range ¦ from 10ms to 1h
too long a timeout ¦ "30s" → «"2h"» ¦ is out of range ¦ from 10ms to 1h
# Task.
no cycles ¦ { min = 1e6, max = 1e9 } → { min = «0», max = 1e9 } ¦ complexity_cycles.min = 0 is out of range ¦ from 1 to
too many cycles ¦ { min = 1e6, max = 1e9 } → { min = 1e6, max = «2e13» } ¦ complexity_cycles.max = 20000000000000 is out of range ¦
cycles upside down ¦ { min = 1e6, max = 1e9 } → { min = «2e9», max = 1e9 } ¦ min = 2000000000 is above max ¦ min <= max
a negative input ¦ { min = 10, max = 200 } → { min = «-1», max = 200 } ¦ input_kb.min = -1 is out of range ¦ from 0 to
an endless input ¦ { min = 10, max = 200 } → { min = 10, max = «inf» } ¦ input_kb.max is not a finite number ¦ finite
too much output ¦ output_kb = 1 → output_kb = «1e7» ¦ output_kb = 10000000 is out of range ¦
a deadline of 0 ¦ deadline_ms = 500 → deadline_ms = «0» ¦ deadline_ms = 0 is out of range ¦
a negative gap ¦ gap_ms = 20 → gap_ms = «-2» ¦ gap_ms = -2 is out of range ¦
# Computers.
no frequency ¦ cpu_frequency_ghz = 1.5 → cpu_frequency_ghz = «0» ¦ cpu_frequency_ghz = 0 is out of range ¦ from 0.001
a frequency of nothing ¦ cpu_frequency_ghz = 12 → cpu_frequency_ghz = «nan» ¦ cpu_frequency_ghz is not a finite number ¦
a full load ¦ { min = 0, max = 0.3 } → { min = 0, max = «1» } ¦ load.max = 1 is out of range ¦ from 0 to 0.99
a load upside down ¦ { min = 0.1, max = 0.2 } → { min = «0.3», max = 0.2 } ¦ min = 0.3 is above max = 0.2 ¦
no workers ¦ workers = 2 → workers = «0» ¦ workers = 0 is out of range ¦ from 1 to 64
too many that wait ¦ queue_limit = 8 → queue_limit = «10001» ¦ queue_limit = 10001 is out of range ¦ from 0 to 10000
a negative overhead ¦ service_overhead_ms = 2 → service_overhead_ms = «-2» ¦ service_overhead_ms = -2 is out of range ¦
a name twice ¦ name = "bert" → name = «"anna"» & link = "bert" → link = "anna" ¦ two nodes are called `anna` ¦ a name of its own
the task node's name ¦ name = "bert" → name = «"thea"» & link = "bert" → link = "anna" ¦ two nodes are called `thea` ¦
no name ¦ name = "thea" → name = «"Thea!"» & from = "thea" → from = "Thea!" ¦ `Thea!` cannot be the name of a node ¦ lower-case
a count beside a list ¦ workers = 2 → workers = 2⏎count = «3» ¦ both nodes.count and 2 [[node]] ¦ leave one
# Links and events.
an unknown profile ¦ profile = "wifi" → profile = «"wify"» ¦ no link profile is called `wify` ¦ one of loopback
a loss above 1 ¦ loss = 0.01 → loss = «1.01» ¦ loss = 1.01 is out of range ¦ from 0 to 1
a link from elsewhere ¦ from = "thea" → from = «"theo"» ¦ `theo` is not the task node ¦ from = "thea"
a link to nobody ¦ to = "anna" → to = «"anne"» ¦ no helper node is called `anne` ¦ anna, bert
an unknown base ¦ base = "lte" → base = «"ltd"» ¦ no link profile is called `ltd` ¦ one of
drawn in real time ¦ transfer = "packets" → «drawn_rtt_ms» = { min = 1, max = 2 } ¦ drawn in virtual time only ¦ clock.kind = "slot"
an event too early ¦ at = 20 → at = «9» ¦ slot 9 is listed after slot 10 ¦ in the order
an event in no slot ¦ at = 10 → at = «0» ¦ there is no slot 0 ¦ from 1
an event of no link ¦ link = "bert" → link = «"bart"» ¦ no helper node is called `bart` ¦ anna, bert
an event with a wrong link ¦ { rtt_ms = 30 } → { rtt_ms = «-30» } ¦ rtt_ms = -30 is out of range ¦ from 0
# Policies.
no file name ¦ [policies.local] → [policies.«"../local"»] & below = "local" → below = "../local" ¦ cannot be the name of a policy ¦ it names files
a margin of nothing ¦ margin_ms = 1 → margin_ms = «nan» ¦ margin_ms is not a finite number ¦
no discount ¦ discount = 0.9 → discount = «0» ¦ discount = 0 is out of range ¦ to 1
a discount above 1 ¦ discount = 0.9 → discount = «1.1» ¦ discount = 1.1 is out of range ¦ to 1
a negative width ¦ discount = 0.9 → exploration = «-1» ¦ exploration = -1 is out of range ¦
no ridge ¦ discount = 0.9 → ridge = «0» ¦ ridge = 0 is out of range ¦
no model ¦ kind = "learned" → kind = "learned"⏎model = «"there-is-none.safetensors"» ¦ there is no model folder/there-is-none.safetensors ¦ fogbit train placement
an empty layer ¦ hidden = [8, 9] → hidden = [8, «0»] ¦ hidden layer = 0 is out of range ¦ from 1 to 4096
no epochs ¦ epochs = 3 → epochs = «0» ¦ epochs = 0 is out of range ¦ from 1 to
too few samples ¦ epochs = 3 → samples = «99» ¦ samples = 99 is out of range ¦ from 100
no learning rate ¦ epochs = 3 → learning_rate = «0» ¦ learning_rate = 0 is out of range ¦
no batch ¦ epochs = 3 → batch = «0» ¦ batch = 0 is out of range ¦
# Expectations.
about nobody ¦ policy = "rule" → policy = «"ruler"» ¦ no policy is called `ruler` ¦ local, rule, online, network
against itself ¦ below = "local" → below = «"rule"» ¦ `rule` is compared with itself ¦ another policy
no bound ¦ [[expect]]⏎policy = "rule"⏎metric = "mean_regret_ms"⏎below = "local" → «[[expect]]»⏎policy = "rule"⏎metric = "mean_regret_ms" ¦ needs either `below` or `above` ¦
no seeds to hold for ¦ seeds = 2 → seeds = «0» ¦ no seed shows nothing ¦
"#;

#[test]
fn mistakes_are_underlined() {
    check_all_with(GOOD, CASES, read);
}

#[test]
fn the_other_problem_is_named() {
    let text = "slots = 5\nnodes = { count = 2, weights = { kind = \"sphere\" } }\n\
                policies.toof.kind = \"toof\"\n";
    let faults = read(std::path::Path::new("test.toml"), text).unwrap_err();
    assert!(faults.to_string().contains("one-bit"), "{faults}");
}

#[test]
fn without_policies_or_nodes_there_is_nothing_to_run() {
    let said = |text: &str| read(std::path::Path::new("test.toml"), text).unwrap_err().to_string();
    let head = "problem = \"placement\"\nslots = 5\n";
    assert!(said(&format!("{head}nodes.count = 1\n[policies]\n")).contains("no policy"));
    let rule = "policies.rule.kind = \"rule\"\n";
    assert!(said(&format!("{head}{rule}")).contains("how many helper nodes"));
    assert!(said(&format!("{head}nodes.count = 0\n{rule}")).contains("0 helper nodes"));
}
