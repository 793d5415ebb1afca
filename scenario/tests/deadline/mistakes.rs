//! Deadlines and channels of links in the topology file.

use std::path::Path;

use fogbit_scenario::feedback::Response;
use fogbit_scenario::instance::{CqiSpec, StateSpec};

use crate::common::{check_all, read};

const GOOD: &str = r#"slots = 100

[clock]
kind = "wall"
slot = "50ms"
timeout = "2s"

[feedback]
kind = "deadline"
deadline_ms = 250
full_queue_ms = 80
response_bytes = 500
delay_slots = 2

[features.full_scale]
length_kb = 20

[task]
length_kb = { min = 0, max = 20 }

[links]
profile = "lte"

[nodes]
cqi = { kind = "link", bandwidth_mhz = 10 }

[[node]]
name = "anna"

[[node]]
name = "bert"

[[link]]
to = "bert"
profile = "3g"

[[event]]
at = 50
link = "anna"
profile = { base = "5g", up_mbit_s = 1.6 }

[policies.toof]
kind = "toof"
"#;

const MISTAKES: &str = r#"
no deadline ¦ deadline_ms = 250⏎ →  & [feedback] → «[feedback]» ¦ missing key `deadline_ms` ¦
a deadline of nothing ¦ deadline_ms = 250 → deadline_ms = «0» ¦ deadline_ms = 0 is out of range ¦ from 0.001 to 3600000
a deadline of hours ¦ deadline_ms = 250 → deadline_ms = «4e6» ¦ deadline_ms = 4000000 is out of range ¦
a queue that is quicker than nothing ¦ full_queue_ms = 80 → full_queue_ms = «-1» ¦ full_queue_ms = -1 is out of range ¦ from 0 to 3600000
no answer at all ¦ response_bytes = 500 → response_bytes = «0» ¦ response_bytes = 0 is out of range ¦ from 1 to 1000000
an answer too long ¦ response_bytes = 500 → response_bytes = «1000001» ¦ response_bytes = 1000001 is out of range ¦
a delay too long ¦ delay_slots = 2 → delay_slots = «10001» ¦ delay_slots = 10001 is out of range ¦
bits turned over ¦ delay_slots = 2 → «flip» = 0.1 ¦ unknown key `flip` ¦ known here: deadline_ms, full_queue_ms, response_bytes, delay_slots
a task too long ¦ length_kb = 20⏎⏎ → length_kb = 2000⏎⏎ & max = 20 → max = «1001» ¦ a task of 1001 KB is too long to be sent ¦ at most 1000 KB
weights ¦ [nodes]⏎ → [nodes]⏎«weights» = { kind = "sphere" }⏎ ¦ with a deadline nodes have no weights ¦ delete it
weights of one node ¦ name = "bert" → name = "bert"⏎«weights» = { kind = "sphere" } ¦ with a deadline nodes have no weights ¦ delete it
a drift ¦ [nodes]⏎ → [nodes]⏎«drift» = { kind = "none" }⏎ ¦ with a deadline nodes have no weights ¦ delete it
weights later on ¦ link = "anna"⏎profile = { base = "5g", up_mbit_s = 1.6 } → «weights» = { kind = "sphere" } ¦ with a deadline nodes have no weights ¦ delete it
answers that are given up too early ¦ timeout = "2s" → timeout = «"500ms"» ¦ answers are given up after 500ms, but the round trip over a link `3g` and the deadline take up to 600ms ¦ for example timeout = "1s"
a timeout without a deadline ¦ kind = "deadline"⏎deadline_ms = 250⏎full_queue_ms = 80⏎response_bytes = 500 → kind = "logit" & [nodes]⏎ → [nodes]⏎weights = { kind = "sphere" }⏎ & timeout = "2s" → timeout = «"300ms"» ¦ the round trip over a link `3g` takes up to 350ms ¦ for example timeout = "1s"
# Channels.
no bandwidth ¦ bandwidth_mhz = 10 → bandwidth_mhz = «0» ¦ bandwidth_mhz = 0 is out of range ¦ from 0.001 to 100000
a channel beyond full scale ¦ length_kb = 20⏎⏎ → length_kb = 20⏎cqi = 5⏎⏎ & cqi = { kind = "link", bandwidth_mhz = 10 } → «cqi» = { kind = "link", bandwidth_mhz = 10 } ¦ ||x|| of node `anna` can reach ¦ raise features.full_scale
a channel without links ¦ [links]⏎profile = "lte"⏎ →  & [[link]]⏎to = "bert"⏎profile = "3g"⏎ →  & [[event]]⏎at = 50⏎link = "anna"⏎profile = { base = "5g", up_mbit_s = 1.6 }⏎ →  & kind = "link" → kind = «"link"» ¦ there are no links here whose rate could say it ¦ links.profile = "lte"
"#;

#[test]
fn every_mistake_is_underlined() {
    check_all(GOOD, MISTAKES);
}

#[test]
fn a_trace_has_no_times() {
    let folder = tempfile::tempdir().unwrap();
    let trace = "slot,node,u,task_length,queue\n1,0,0.5,0.1,0.2\n2,0,0.5,0.1,0.2\n";
    std::fs::write(folder.path().join("t.csv"), trace).unwrap();
    let text = "slots = 2\nfeedback = { kind = \"deadline\", deadline_ms = 5 }\n\
                features = { kind = \"trace\", path = \"t.csv\" }\npolicies.toof.kind = \"toof\"\n";
    let fault =
        crate::common::only_fault("a trace", read(&folder.path().join("t.toml"), text, &[]));
    assert!(fault.message.contains("a trace does not say how long a task is"), "{fault:?}");
}

#[test]
fn features_are_turned_into_what_they_stand_for() {
    let scenario = read(Path::new("t.toml"), GOOD, &[]).unwrap();
    assert!(!scenario.has_weights());
    assert_eq!((scenario.rules().delay_slots, scenario.feedback().flip), (2, 0.0));
    let instance = scenario.instance(3);
    for helper in &instance.helpers {
        assert_eq!(helper.weights, [0.0; 5], "those that there are not");
        let Response::Deadline(deadline) = helper.model.response else { panic!("{helper:?}") };
        assert_eq!((deadline.deadline_ns, deadline.full_queue_ns), (250_000_000, 80_000_000));
        assert_eq!(deadline.response_bytes, 500);
        let unit = 1.0 / f64::sqrt(5.0);
        // 20 KB, 10^9 cycles and 4 GHz are full scale.
        assert_eq!([unit, unit / 2.0, 0.0].map(|x| deadline.task_bytes(x)), [20_000, 10_000, 0]);
        let demand = fogbit_scenario::deadline::Demand {
            length: 0.0,
            complexity: unit,
            queue: unit / 4.0,
            cpu_frequency: unit / 2.0,
        };
        let milliseconds = deadline.service_ns(&demand) / 1e6;
        assert!((milliseconds - (20.0 + 500.0)).abs() < 1e-6, "{milliseconds}");
        let StateSpec::Model { cqi: CqiSpec::Link { bandwidth_mhz, scale }, .. } = helper.state
        else {
            panic!("{helper:?}")
        };
        assert_eq!((bandwidth_mhz, scale), (10.0, unit / 15.0));
    }
    let paths: Vec<_> =
        instance.helpers.iter().map(|helper| helper.link.clone().unwrap()).collect();
    assert_eq!(paths, scenario.links());
}
