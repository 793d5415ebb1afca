//! What is wrong with a topology is said, and underlined.

use fogbit_scenario::TopologyFile;
use fogbit_scenario::pipeline::PipelineScenario;

const HEAD: &str = r#"problem = "pipeline"
applications = 10

[task-node]
name = "device"
cpu_frequency_ghz = 1

[[node]]
name = "edge"
cpu_frequency_ghz = 8

[[link]]
between = ["device", "edge"]
mbit_s = { min = 10, max = 100 }
rtt_ms = { min = 2, max = 20 }

[policies.greedy]
kind = "greedy"
"#;

/// A graph of three sub-tasks, with one of its lines replaced.
fn graph(from: &str, to: &str) -> String {
    let text = r#"
[[graph]]
name = "faces"

[[graph.sub-task]]
name = "camera"
cycles = 1e7

[[graph.sub-task]]
name = "detect"
cycles = 5e8

[[graph.sub-task]]
name = "show"
cycles = 1e6
output_kb = 5

[[graph.flow]]
from = "camera"
to = "detect"
kb = 100

[[graph.flow]]
from = "detect"
to = "show"
kb = 5
"#;
    assert!(from.is_empty() || text.contains(from), "{from}");
    HEAD.to_owned() + &text.replacen(from, to, usize::from(!from.is_empty()))
}

fn read(text: &str) -> Result<PipelineScenario, fogbit_scenario::Faults> {
    PipelineScenario::from_file(&TopologyFile::from_text("pipeline.toml".as_ref(), text.to_owned()))
}

/// The text is refused with `message`, `underlined` is what is underlined, and `help` says what to do.
#[track_caller]
fn refused(text: &str, message: &str, underlined: &str, help: &str) {
    let faults = read(text).expect_err("it is wrong").0;
    let found = faults.iter().find(|fault| fault.message.contains(message));
    let fault = found.unwrap_or_else(|| panic!("`{message}` is not among {faults:#?}"));
    let place = fault.place.as_ref().expect("a place");
    assert_eq!(&place.source.text[place.span.clone()], underlined, "{}", fault.message);
    let told = fault.help.as_deref().unwrap_or_default();
    assert!(told.contains(help), "{told}");
}

#[test]
fn the_text_from_which_the_others_are_made_is_right() {
    let scenario = read(&graph("", "")).expect("nothing is wrong");
    assert_eq!(scenario.sites(), ["device", "edge"]);
    let application = scenario.instance(1).application(7);
    let sites: Vec<usize> = application.sub_tasks().iter().map(|own| own.sites.len()).collect();
    // The camera reads a sensor: it stays.
    assert_eq!(sites, [1, 2, 2]);
    assert_eq!(application.flows().len(), 3);
    let (name, sub_tasks) = scenario.names_of(7).expect("it is given");
    assert_eq!((name, sub_tasks.join(" ")), ("faces", "camera detect show".to_owned()));
}

/// Flows may name sub-tasks in any order of the file; numbers are a topological order.
#[test]
fn sub_tasks_are_numbered_by_what_they_wait_for() {
    let text = graph("", "") + "\n[[graph.sub-task]]\nname = \"wake\"\ncycles = 1e5\n";
    let text = text + "\n[[graph.flow]]\nfrom = \"wake\"\nto = \"camera\"\nkb = 1\n";
    let scenario = read(&text).expect("nothing is wrong");
    let (_, sub_tasks) = scenario.names_of(1).expect("it is given");
    assert_eq!(sub_tasks.join(" "), "wake camera detect show");
    let cycles: Vec<u64> =
        scenario.instance(1).application(1).sub_tasks().iter().map(|own| own.cycles).collect();
    assert_eq!(cycles, [100_000, 10_000_000, 500_000_000, 1_000_000]);
}

#[test]
fn a_cycle_is_refused() {
    let text = graph("", "") + "\n[[graph.flow]]\nfrom = \"show\"\nto = \"camera\"\nkb = 1\n";
    let faults = read(&text).expect_err("a cycle").0;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let message = &faults[0].message;
    assert!(message.starts_with("a cycle: "), "{message}");
    for arrow in ["camera -> detect", "detect -> show", "show -> camera"] {
        assert!(message.contains(arrow), "{message}");
    }
    let place = faults[0].place.as_ref().expect("a place");
    assert!(place.source.text[place.span.clone()].contains("flow"), "{place:?}");
}

#[test]
fn missing_edges_are_refused() {
    let text = graph("", "") + "\n[[graph.sub-task]]\nname = \"alone\"\ncycles = 1e5\n";
    let named = "an edge is missing: nothing connects `alone` with `camera`";
    let faults = read(&text).expect_err("an edge is missing").0;
    assert_eq!(faults[0].message, named);
    let place = faults[0].place.as_ref().expect("a place");
    assert!(place.source.text[place.span.clone()].contains("sub-task"), "{place:?}");
    let wrong = graph("to = \"show\"", "to = \"shwo\"");
    refused(&wrong, "no sub-task of `faces` is called `shwo`", "\"shwo\"", "camera, detect, show");
    let wrong = graph("to = \"show\"", "to = \"detect\"");
    refused(&wrong, "`detect` gives to itself", "\"detect\"", "another");
    let twice = graph("", "") + "\n[[graph.flow]]\nfrom = \"camera\"\nto = \"detect\"\nkb = 1\n";
    refused(&twice, "two flows from `camera` to `detect`", "\"detect\"", "one flow");
}

#[test]
fn a_source_may_not_leave_the_device() {
    let wrong = graph("cycles = 1e7", "cycles = 1e7\nsites = [\"edge\"]");
    let named = "`camera` is a source that may not leave the device";
    refused(&wrong, named, "[\"edge\"]", "sites = [\"device\"]");
    let both = graph("cycles = 1e7", "cycles = 1e7\nsites = [\"device\", \"edge\"]");
    refused(&both, named, "[\"device\", \"edge\"]", "input_kb");
    read(&graph("cycles = 1e7", "cycles = 1e7\nsites = [\"device\"]")).expect("it stays");
    read(&graph("cycles = 1e7", "cycles = 1e7\nsites = [\"edge\"]\ninput_kb = 3"))
        .expect("its input is sent");
}

#[test]
fn sites_and_links_are_checked() {
    let wrong = graph("cycles = 5e8", "cycles = 5e8\nsites = [\"edge\", \"moon\"]");
    refused(&wrong, "no site is called `moon`", "\"moon\"", "device, edge");
    let wrong = graph("cycles = 5e8", "cycles = 5e8\nsites = []");
    refused(&wrong, "`detect` may run nowhere", "[]", "anywhere");
    let third = graph("", "") + "\n[[node]]\nname = \"cloud\"\ncpu_frequency_ghz = 20\n";
    let faults = read(&third).expect_err("two links are missing").0;
    let told: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    let missing =
        ["device", "edge"].map(|one| format!("there is no link between `{one}` and `cloud`"));
    assert_eq!(told, missing);
    let text = graph("", "").replace("[\"device\", \"edge\"]", "[\"device\", \"edgy\"]");
    refused(&text, "no site is called `edgy`", "\"edgy\"", "device, edge");
    let text = graph("", "").replace("[\"device\", \"edge\"]", "[\"edge\", \"edge\"]");
    refused(&text, "a link from `edge` to itself", "[\"edge\", \"edge\"]", "two different");
    let text = graph("", "").replace("[\"device\", \"edge\"]", "[\"edge\"]");
    refused(&text, "a link between 1 sites", "[\"edge\"]", "two sites");
    let text = graph("", "").replace("min = 10, max = 100", "min = 0, max = 100");
    refused(&text, "mbit_s.min = 0 is out of range", "0", "0.001");
}

#[test]
fn numbers_are_checked() {
    refused(&graph("cycles = 5e8", "cycles = 0"), "cycles = 0", "0", "from 1");
    refused(&graph("kb = 100", "kb = -1"), "kb = -1", "-1", "from 0");
    refused(&graph("output_kb = 5", "output_kb = 1e9"), "output_kb", "1e9", "from 0");
    let text = HEAD.replace("applications = 10", "applications = 0");
    refused(&text, "a trial cannot have 0 applications", "0", "from 1");
    let drawn = HEAD.to_owned() + "\n[application]\nsub_tasks = { min = 1, max = 13 }\n";
    refused(&drawn, "sub_tasks.min = 1", "1", "from 2 to 12");
    refused(&drawn, "sub_tasks.max = 13", "13", "from 2 to 12");
    let drawn = HEAD.to_owned() + "\n[application]\nsub_tasks = { min = 9, max = 3 }\n";
    refused(&drawn, "min = 9 is above max = 3", "9", "min <= max");
    let drawn = HEAD.to_owned() + "\n[application]\nshapes = []\n";
    refused(&drawn, "graphs of no shape", "[]", "chain");
    let drawn = HEAD.to_owned() + "\n[application]\ncycles = { min = 0, max = 5 }\n";
    refused(&drawn, "cycles.min = 0", "0", "from 1");
}

#[test]
fn names_can_be_read() {
    for (written, told) in [
        ("\"\"", "\"\""),
        ("\"  \"", "\"  \""),
        ("\"a\\tb\"", "\"a\\tb\""),
        ("\"a\\u001bb\"", "\"a\\u{1b}b\""),
    ] {
        let graphs = graph("name = \"faces\"", &format!("name = {written}"));
        let message = format!("{told} cannot be the name of an application");
        refused(&graphs, &message, written, "can be read");
        let sub_tasks = graph("name = \"camera\"", &format!("name = {written}"));
        let message = format!("{told} cannot be the name of a sub-task");
        refused(&sub_tasks, &message, written, "no control characters");
    }
    let named = graph("name = \"faces\"", "name = \"Who is there? \u{dc}ber\"");
    read(&named).expect("names need not be those of nodes");
}

#[test]
fn nothing_is_given_twice() {
    let twice = graph("cycles = 5e8", "cycles = 5e8\nsites = [\"device\", \"edge\", \"edge\"]");
    let faults = read(&twice).expect_err("the edge is there twice").0;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(faults[0].message, "`edge` is given twice");
    let place = faults[0].place.as_ref().expect("a place");
    let before = &place.source.text[..place.span.start];
    assert!(before.ends_with("\"device\", \"edge\", "), "the second is underlined: {place:?}");
    let mix = "\n[application]\nshapes = [\"chain\", \"layered\", \"chain\"]\n";
    let named = "the shape `chain` is given twice";
    refused(&(HEAD.to_owned() + mix), named, "\"chain\"", "each shape once");
}

/// Serde's words would be of a `struct`, and it would forget what is one too many.
#[test]
fn an_interval_has_two_ends() {
    let interval = "an interval `{ min = ..., max = ... }`";
    for (written, message) in [
        ("[]", "wrong type: a list of 0"),
        ("[7]", "wrong type: a list of 1"),
        ("[7, 8, 9]", "wrong type: a list of 3"),
        ("[7, 8, 9, \"x\"]", "wrong type: a list of 4"),
        ("7", "wrong type: integer `7`"),
    ] {
        let links = HEAD.replace("{ min = 10, max = 100 }", written);
        refused(&links, message, written, interval);
        let drawn = format!("{HEAD}\n[application]\nsub_tasks = {written}\n");
        refused(&drawn, message, written, interval);
    }
    let text = HEAD.replace("{ min = 10, max = 100 }", "{ min = 10, max = 100, mean = 3 }");
    refused(&text, "unknown key `mean`", "mean", "min, max");
    let text = HEAD.replace("{ min = 10, max = 100 }", "{ min = 10 }");
    refused(&text, "missing key `max`", "{ min = 10 }", "");
}

#[test]
fn applications_are_drawn_or_given() {
    let both = graph("", "") + "\n[application]\nsub_tasks = { min = 2, max = 3 }\n";
    refused(&both, "either drawn or given", "application", "not both");
    let twice = graph("", "") + &graph("", "")[HEAD.len()..];
    refused(&twice, "two graphs are called `faces`", "\"faces\"", "a name of its own");
}

#[test]
fn numbers_are_told_as_they_were_written() {
    let huge = graph("cycles = 1e7", "cycles = 1e300");
    refused(&huge, "cycles = 1e300 is out of range", "1e300", "from 1 to 10000000000000");
    let long = graph("cycles = 1e7", "cycles = 99999999999999999999");
    refused(
        &long,
        "wrong type: integer `99999999999999999999`",
        "99999999999999999999",
        "a number",
    );
}

#[test]
fn exhaustive_search_has_an_end() {
    let search = "\n[policies.all]\nkind = \"search\"\nmethod = \"exhaustive\"\n";
    let sites: String = (0..4)
        .map(|site| format!("\n[[node]]\nname = \"n{site}\"\ncpu_frequency_ghz = 20\n"))
        .collect();
    let names = ["device", "edge", "n0", "n1", "n2", "n3"];
    let mut links = String::new();
    for (index, one) in names.iter().enumerate() {
        for other in &names[index + 1..] {
            if (*one, *other) != ("device", "edge") {
                links += &format!(
                    "\n[[link]]\nbetween = [\"{one}\", \"{other}\"]\nmbit_s = {{ min = 1, max = 2 }}\n\
                     rtt_ms = {{ min = 1, max = 2 }}\n"
                );
            }
        }
    }
    let of = |most: u32| {
        let mix = format!("\n[application]\nsub_tasks = {{ min = 2, max = {most} }}\n");
        HEAD.to_owned() + &sites + &links + &mix + search
    };
    // 6^8 = 1,679,616, and 6^9 = 10,077,696.
    read(&of(8)).expect("it may take a while");
    let named = "would try 10077696 placements of an application with 9 sub-tasks";
    refused(&of(9), named, "\"exhaustive\"", "branch-and-bound");
}

#[test]
fn policies_are_checked() {
    let with = |text: &str| HEAD.to_owned() + text;
    let fixed = with("\n[policies.all-moon]\nkind = \"fixed\"\nsite = \"moon\"\n");
    refused(&fixed, "no site is called `moon`", "\"moon\"", "device, edge");
    let model = with("\n[policies.net]\nkind = \"imitation\"\nmodel = \"none.safetensors\"\n");
    refused(
        &model,
        "there is no model none.safetensors",
        "\"none.safetensors\"",
        "fogbit train pipeline",
    );
    let labels = with("\n[policies.net]\nkind = \"imitation\"\ntrain = { labels = 3 }\n");
    refused(&labels, "labels = 3 is out of range", "3", "from 100");
    let alpha = with("\n[policies.net]\nkind = \"distilled\"\nalpha = 1.5\n");
    refused(&alpha, "alpha = 1.5", "1.5", "from 0 to 1");
    let sweep = HEAD.replace("applications = 10", "applications = 10\nlabel_sweep = \"x.csv\"");
    let fault = read(&sweep).expect("to train for it").check_label_sweep().expect_err("missing");
    let place = fault.place.as_ref().expect("a place");
    assert_eq!(&place.source.text[place.span.clone()], "\"x.csv\"");
    assert!(fault.help.is_some_and(|help| help.contains("--label-sweep")), "{}", fault.message);
}
