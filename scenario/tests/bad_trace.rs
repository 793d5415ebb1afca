//! Every mistake in a trace is told with its line, and underlined within the line.

mod common;

use std::path::Path;

use common::{check, only_fault, read, unmark};
use fogbit_scenario::{Fault, Scenario};
use tempfile::TempDir;

const TOPOLOGY: &str = r#"slots = 2

[features]
kind = "trace"
path = "t.jsonl"

[nodes]
weights = { kind = "sphere" }

[policies.toof]
kind = "toof"
"#;

const JSON: &str = r#"{"kind": "env", "N": 2, "seed": 1, "w_true": [[0.6, 0.2, 0.1], [0.1, 0.2, 0.3]]}
{"t": 1, "u": 0.41, "task": [0.3], "node": [[0.1, 0.2], [0.3, 0.4]]}
{"t": 2, "u": 0.05, "task": [0.2], "node": [[0.5, 0.6], [0.7, 0.1]]}
"#;

const CSV: &str = "slot,node,u,task_length,queue,cqi
1,0,0.41,0.3,0.1,0.2
1,1,0.42,0.3,0.3,0.4
2,0,0.05,0.2,0.5,0.6
2,1,0.06,0.2,0.7,0.1
";

/// A folder with a topology whose features come from a trace of the given name and text.
struct Folder {
    folder: TempDir,
    topology: String,
}

impl Folder {
    fn new(name: &str, trace: &[u8], edits: &[(&str, &str)]) -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), trace).expect("the trace is written");
        let topology = common::edited(&TOPOLOGY.replace("t.jsonl", name), edits);
        Folder { folder, topology }
    }

    fn scenario(&self) -> Result<Scenario, fogbit_scenario::Faults> {
        read(&self.folder.path().join("topology.toml"), &self.topology, &[])
    }

    fn only_fault(&self, case: &str) -> Fault {
        only_fault(case, self.scenario())
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

// One mistake a line: what it is ¦ what to replace → by what ¦ number of the line ¦ message. The
// marks enclose what must be underlined.

const BAD_JSON: &str = r#"
a slot left out ¦ "t": 2 → "t": «3» ¦ 3 ¦ t = 3 where 2 is due
a slot twice ¦ "t": 2 → "t": «1» ¦ 3 ¦ t = 1 where 2 is due
not JSON ¦ "t": 2, → "t" «2», ¦ 3 ¦ expected `:`
no bracket ¦ 0.7, 0.1]]} → 0.7, 0.1]«}» ¦ 3 ¦ expected `,` or `]`
cut off ¦ 0.1]]}⏎ → 0.1«]» ¦ 3 ¦ EOF while parsing
a key unknown ¦ "task": [0.2] → «"tasks"»: [0.2] ¦ 3 ¦ unknown field `tasks`
a key missing ¦ , "node": [[0.5, 0.6], [0.7, 0.1]]} → «}» ¦ 3 ¦ missing field `node`
text for a number ¦ [0.5, 0.6] → [0.5, «"x"»] ¦ 3 ¦ invalid type: string "x"
a number beyond doubles ¦ [0.5, 0.6] → [0.5, «1e999»] ¦ 3 ¦ number out of range
another number of nodes ¦ [[0.5, 0.6], [0.7, 0.1]] → «[[0.5, 0.6]]» ¦ 3 ¦ 1 nodes where the first slot has 2
another number of features ¦ [0.7, 0.1] → «[0.7]» ¦ 3 ¦ 1 features of node 1 where the first node has 2
another number of task features ¦ "task": [0.2] → "task": «[0.2, 0.2]» ¦ 3 ¦ 2 task features where the first slot has 1
too long features ¦ [0.7, 0.1] → «[0.7, 0.9]» ¦ 3 ¦ ||x|| = 1.157584 of node 1 is above 1
u = 1 ¦ "u": 0.05 → "u": «1.0» ¦ 3 ¦ the draw u = 1 is not in [0, 1)
u below 0 ¦ "u": 0.05 → "u": «-0.05» ¦ 3 ¦ the draw u = -0.05 is not in [0, 1)
u in a list of another length ¦ "u": 0.05 → "u": «[0.05, 0.06]» ¦ 3 ¦ alike
u as text ¦ "u": 0.05 → "u": «"x"» ¦ 3 ¦ a number, or a list of numbers
bits of another number ¦ [0.7, 0.1]]} → [0.7, 0.1]], "bits": «[1]»} ¦ 3 ¦ 1 bits for 2 nodes: one each
a bit that is none ¦ [0.7, 0.1]]} → [0.7, 0.1]], "bits": [1, «0»]} ¦ 3 ¦ the bit 0 is neither 1 nor -1
u left out ¦ {"t": 2, "u": 0.05, "task": [0.2], "node": [[0.5, 0.6], [0.7, 0.1]]} → «{"t": 2, "task": [0.2], "node": [[0.5, 0.6], [0.7, 0.1]]}» ¦ 3 ¦ alike
no nodes ¦ "node": [[0.1, 0.2], [0.3, 0.4]] → "node": «[]» ¦ 2 ¦ without nodes
a header of more nodes ¦ "N": 2 → "N": «3» ¦ 1 ¦ N = 3, but the slots have 2 nodes
a header of fewer weights ¦ [[0.6, 0.2, 0.1], [0.1, 0.2, 0.3]] → «[[0.6, 0.2, 0.1]]» ¦ 1 ¦ w_true of 1 nodes, but there are 2
a header of too much noise ¦ "N": 2 → "noise": «3» ¦ 1 ¦ noise = 3, but a node has 2 features of its own
a header that weighs noise ¦ "N": 2, "seed": 1, "w_true": [[0.6, 0.2, 0.1], [0.1, 0.2, 0.3]] → "noise": 1, "w_true": [[0.6, 0.2, 0], «[0.1, 0.2, 0.3]»] ¦ 1 ¦ w_true of node 1 weighs features that say nothing
a header of short weights ¦ [0.1, 0.2, 0.3] → «[0.1, 0.2]» ¦ 1 ¦ w_true of node 1 has 2 weights for 3 features
"#;

const BAD_CSV: &str = r#"
no column slot ¦ slot,node,u,task_length,queue,cqi → «time,node,u,task_length,queue,cqi» ¦ 1 ¦ no column `slot`
no column node ¦ slot,node,u,task_length,queue,cqi → «slot,host,u,task_length,queue,cqi» ¦ 1 ¦ no column `node`
text for a number ¦ 1,1,0.42,0.3,0.3,0.4 → 1,1,0.42,0.3,«full»,0.4 ¦ 3 ¦ queue = `full` is no number
nan ¦ 1,1,0.42,0.3,0.3,0.4 → 1,1,0.42,0.3,0.3,«nan» ¦ 3 ¦ cqi = `nan` is no number
nothing for a number ¦ 1,1,0.42,0.3,0.3,0.4 → 1,1,«»,0.3,0.3,0.4 ¦ 3 ¦ u = `` is no number
a slot that is no whole number ¦ 2,0,0.05 → «2.5»,0,0.05 ¦ 4 ¦ slot = `2.5` is no whole number
a slot left out ¦ 2,0,0.05 → «3»,0,0.05 ¦ 4 ¦ slot 3 where 2 is due
a node left out ¦ 1,1,0.42,0.3,0.3,0.4⏎2,0,0.05,0.2,0.5,0.6⏎2,1,0.06,0.2,0.7,0.1 → 2,0,0.05,0.2,0.5,0.6⏎«2,1,0.06,0.2,0.7,0.1» ¦ 4 ¦ 2 nodes where the first slot has 1
a node twice ¦ 1,1,0.42 → 1,«0»,0.42 ¦ 3 ¦ node 0 where 1 is due
a value too many ¦ 1,1,0.42,0.3,0.3,0.4 → «1,1,0.42,0.3,0.3,0.4,0.5» ¦ 3 ¦ 7 values for 6 columns
a value too few ¦ 1,1,0.42,0.3,0.3,0.4 → «1,1,0.42,0.3,0.3» ¦ 3 ¦ 5 values for 6 columns
tasks that differ within a slot ¦ 1,1,0.42,0.3,0.3,0.4 → 1,1,0.42,«0.31»,0.3,0.4 ¦ 3 ¦ the task_ columns differ
too long features ¦ 2,0,0.05,0.2,0.5,0.6 → «2,0,0.05,0.2,0.5,0.9» ¦ 4 ¦ ||x|| = 1.048809 of node 0 is above 1
u = 1 ¦ 1,1,0.42,0.3,0.3,0.4 → 1,1,«1»,0.3,0.3,0.4 ¦ 3 ¦ the draw u = 1 is not in [0, 1)
"#;

fn check_all(name: &str, good: &str, cases: &str) {
    Folder::new(name, good.as_bytes(), &[]).scenario().expect("a trace without fault");
    for line in cases.lines().filter(|line| !line.is_empty()) {
        let unbroken = line.replace('⏎', "\n");
        let [case, edit, number, message] = unbroken.split(" ¦").collect::<Vec<_>>()[..] else {
            panic!("four parts: {line}")
        };
        let edit = edit[1..].split_once(" → ").expect("an arrow");
        let (text, span) = unmark(&common::edited(good, &[edit]));
        let (span, number) = (span.expect("marks"), number.trim().parse::<usize>().unwrap());
        let starts: usize = text.split_inclusive('\n').take(number - 1).map(str::len).sum();
        let folder = Folder::new(name, text.as_bytes(), &[]);
        let fault = folder.only_fault(case);
        let message = message.trim();
        assert!(fault.message.contains(&format!("line {number} of the trace")), "{fault}");
        let place = Some((&*folder.path(name), span.start - starts..span.end - starts));
        check(case, &fault, message, "", place);
        assert_eq!(fault.place.expect("a place").source.first_line, number, "{case}");
    }
}

#[test]
fn mistakes_in_json_lines() {
    check_all("t.jsonl", JSON, BAD_JSON);
}

#[test]
fn mistakes_in_comma_separated_values() {
    check_all("t.csv", CSV, BAD_CSV);
}

#[test]
fn a_place_far_along_a_line_is_still_shown() {
    let state = (0..60).map(|_| "0.01").collect::<Vec<_>>().join(", ");
    let nodes = |last: &str| format!("[[{state}], [{state}], [{state}], {last}]");
    let good = nodes(&format!("[{state}]"));
    let bad = nodes("«[0.02]»");
    let (text, _) =
        unmark(&format!("{{\"t\": 1, \"node\": {good}}}\n{{\"t\": 2, \"node\": {bad}}}\n"));
    let fault = Folder::new("t.jsonl", text.as_bytes(), &[]).only_fault("far");
    let place = fault.place.expect("a place");
    assert_eq!(&place.source.text[place.span], "[0.02]");
    assert!(place.source.text.len() <= 160, "the line is 1000 long");
}

#[test]
fn what_is_wrong_with_a_trace_as_a_whole() {
    let place_in = |folder: &Folder, underlined: &str| {
        let start = folder.topology.rfind(underlined).expect("it is there");
        start..start + underlined.len()
    };
    // The trace and its text; what to edit in the topology, the message, what is underlined there.
    type Case<'t> = (&'t str, &'t str, &'t [(&'t str, &'t str)], &'t str, &'t str);
    let cases: [Case<'_>; 15] = [
        (
            "t.jsonl",
            JSON,
            &[("\"t.jsonl\"", "\"x.jsonl\"")],
            "cannot read the trace",
            "\"x.jsonl\"",
        ),
        ("t.txt", JSON, &[], "unknown format", "\"t.txt\""),
        ("t.jsonl", "", &[], "has no slots", "\"t.jsonl\""),
        ("t.jsonl.gz", "not compressed", &[], "cannot be read: invalid gzip header", ""),
        ("t.jsonl", JSON, &[("slots = 2", "slots = 3")], "3 slots, but the trace has 2", "3"),
        ("t.jsonl", JSON, &[("[nodes]", "[nodes]\ncount = 7")], "7 helper nodes, but", "7"),
        (
            "t.jsonl",
            JSON,
            &[("[nodes]", "[[node]]\nname = \"a\"\n\n[nodes]")],
            "1 helper nodes, but the trace has 2",
            "[[node]]",
        ),
        ("t.jsonl", JSON, &[("[nodes]", "[task]\n\n[nodes]")], "this would be ignored", "task"),
        ("t.jsonl", JSON, &[("[nodes]", "[nodes]\ncpu_frequency_ghz = 2.5")], "ignored", "2.5"),
        (
            "t.jsonl",
            JSON,
            &[("[nodes]", "[nodes]\nqueue = { kind = \"drawn\" }")],
            "ignored",
            "queue",
        ),
        (
            "t.jsonl",
            JSON,
            &[(
                "[nodes]",
                "[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\n\
                 cqi = { kind = \"iid\", min = 0, max = 1 }\n\n[nodes]",
            )],
            "ignored",
            "cqi",
        ),
        (
            "t.jsonl",
            JSON,
            &[("{ kind = \"sphere\" }", "{ kind = \"signs\", signs = [1, 1] }")],
            "2 signs for 3 features",
            "[1, 1]",
        ),
        (
            "t.csv",
            CSV,
            &[("\"sphere\"", "\"trace\"")],
            "no trace whose header has weights",
            "\"trace\"",
        ),
        ("t.csv", CSV, &[("[nodes]\nweights = { kind = \"sphere\" }\n", "")], "has no weights", ""),
        (
            "t.jsonl",
            &JSON.replace("0.6, 0.2, 0.1", "0.9, 0.8, 0.1"),
            &[("\"sphere\"", "\"trace\"")],
            "||w|| = 1.208305 of node 0 in the header of the trace is above 1",
            "\"t.jsonl\"",
        ),
    ];
    for (name, trace, edits, message, underlined) in cases {
        let folder = Folder::new(name, trace.as_bytes(), edits);
        let fault = folder.only_fault(message);
        let topology = folder.path("topology.toml");
        let place = match underlined {
            "" if name.ends_with(".gz") => (folder.path(name), 0..0),
            "" => (topology, 0..0),
            _ => (topology, place_in(&folder, underlined)),
        };
        check(message, &fault, message, "", Some((&place.0, place.1)));
    }
}

#[test]
fn a_folder_is_no_trace() {
    let folder = Folder::new("t.jsonl", b"", &[("\"t.jsonl\"", "\".\"")]);
    let fault = folder.only_fault("folder");
    let start = folder.topology.find("\".\"").unwrap();
    let place = (folder.path("topology.toml"), start..start + 3);
    check("folder", &fault, "is a folder", "", Some((&place.0, place.1)));
}

#[test]
fn both_formats_with_and_without_compression_read_the_same() {
    use std::io::Write as _;
    let compressed = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        encoder.write_all(text.as_bytes()).expect("compressed");
        encoder.finish().expect("compressed")
    };
    let json = JSON
        .replace("\"u\": 0.41", "\"u\": [0.41, 0.42]")
        .replace("\"u\": 0.05", "\"u\": [0.05, 0.06]");
    let json = json.split_once('\n').expect("a header").1;
    let traces: Vec<_> = [
        ("t.jsonl", json.as_bytes().to_vec()),
        ("t.jsonl.gz", compressed(json)),
        ("t.csv", CSV.as_bytes().to_vec()),
        ("t.csv.gz", compressed(CSV)),
    ]
    .into_iter()
    .map(|(name, bytes)| Folder::new(name, &bytes, &[]).scenario().expect(name).trace().cloned())
    .collect();
    assert!(traces.iter().all(|trace| trace.is_some() && *trace == traces[0]));
}

#[test]
fn a_trace_is_found_beside_its_topology() {
    let folder = Folder::new("t.jsonl", JSON.as_bytes(), &[]);
    let scenario = folder.scenario().expect("no fault");
    assert_eq!(scenario.trace_file().as_deref(), Some(Path::new(&folder.path("t.jsonl"))));
    assert_eq!((scenario.nodes(), scenario.features()), (2, 3));
}
