//! `--set KEY=VALUE`: what it can say, and how its mistakes are told.

mod common;

use std::path::Path;

use common::{check, only_fault, read, unmark};
use fogbit_scenario::topology::{ExplorationWidth, PolicySpec, Queue, Seeds, Weights};
use fogbit_scenario::{Faults, Scenario, TopologyFile};
use proptest::prelude::*;

const GOOD: &str = r#"slots = 100
seeds = [5, 6]

[nodes]
weights = { kind = "signs", signs = [-1, -1, -1, 1, 1] }

[[node]]
name = "anna"

[[node]]
name = "bert"

[policies.toof]
kind = "toof"

[policies."a.b"]
kind = "greedy"
"#;

fn set(overrides: &[&str]) -> Scenario {
    read(Path::new("test.toml"), GOOD, overrides).unwrap_or_else(|e| panic!("{overrides:?}: {e}"))
}

fn lambda_and_c(scenario: &Scenario, name: &str) -> (f64, f64) {
    match &scenario.topology().policies[name] {
        PolicySpec::Toof(p) | PolicySpec::Greedy(p) => match &p.gamma {
            ExplorationWidth::Tuned(tuned) => (p.lambda, tuned.c),
            ExplorationWidth::PaperEq15(paper) => (p.lambda, -paper.delta),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_is_read_as_toml() {
    assert_eq!(set(&["slots=7"]).last_slot(), 7);
    assert_eq!(set(&[" slots = 7 "]).last_slot(), 7);
    assert_eq!(set(&["seeds=[1, 9]"]).topology().seeds, Seeds::List(vec![1, 9]));
    assert_eq!(set(&["seeds={first=3,count=2}"]).seeds(), [3, 4]);
    let scenario = set(&["nodes.queue={kind=\"fifo\",capacity=4,service_rate=0.5}"]);
    assert!(matches!(scenario.helpers()[1].queue, Queue::Fifo(_)));
}

#[test]
fn an_integer_is_accepted_for_a_float() {
    assert_eq!(lambda_and_c(&set(&["policies.toof.lambda=5"]), "toof"), (5.0, 0.03));
    assert_eq!(set(&["nodes.cpu_frequency_ghz=2"]).helpers()[0].cpu_frequency_ghz.max, 2.0);
}

#[test]
fn what_is_no_toml_value_is_a_string() {
    let about = |value: &str| set(&[&format!("about={value}")]).topology().about.clone().unwrap();
    assert_eq!(about("two words"), "two words");
    assert_eq!(about("1.2.3"), "1.2.3");
    assert_eq!(about("a=b"), "a=b");
    assert_eq!(about("\"quoted = yes\""), "quoted = yes");
    assert_eq!(about(""), "");
    assert_eq!(set(&["node.0.name=carl"]).helpers()[0].name, "carl");
}

#[test]
fn missing_tables_are_made() {
    let scenario = set(&["policies.toof.gamma.kind=paper-eq15", "policies.toof.gamma.delta=0.5"]);
    assert_eq!(lambda_and_c(&scenario, "toof"), (1.0, -0.5));
    let scenario = set(&["policies.new.kind=random"]);
    let last = scenario.policies().last().map(|(name, spec)| (name, spec.kind()));
    assert_eq!(last, Some(("new", "random")));
    assert_eq!(set(&["clock.kind=slot", "clock.lookahead=1"]).lookahead(), 1);
}

/// Where a table is not there by default, its kind can be left out.
#[test]
fn kinds_have_defaults() {
    assert_eq!(set(&["clock.lookahead=1"]).lookahead(), 1);
    assert_eq!(lambda_and_c(&set(&["policies.toof.gamma.c=0.5"]), "toof"), (1.0, 0.5));
    assert_eq!(set(&["features.full_scale.cqi=30"]).features(), 5);
    // A policy that happens to be called like a table with a default is no such table.
    assert_eq!(set(&["policies.clock.kind=random"]).policies().count(), 3);
}

#[test]
fn numbers_are_places_in_a_list() {
    let scenario = set(&["node.1.name=carl", "seeds.1=9", "nodes.weights.signs.4=-1"]);
    assert_eq!(scenario.helpers()[1].name, "carl");
    assert_eq!(scenario.seeds(), [5, 9]);
    let Weights::Signs(signs) = &scenario.helpers()[0].weights else { panic!("signs") };
    assert_eq!(signs.signs, [-1, -1, -1, 1, -1]);
    let scenario =
        set(&["node.1.queue.kind=fifo", "node.1.queue.capacity=4", "node.1.queue.service_rate=1"]);
    assert!(matches!(scenario.helpers()[1].queue, Queue::Fifo(_)));
    assert!(matches!(scenario.helpers()[0].queue, Queue::Drawn(_)));
}

#[test]
fn quotes_keep_the_dots_of_a_name() {
    let scenario = set(&["policies.\"a.b\".lambda=2", "policies.'a.b'.gamma={kind=\"tuned\",c=1}"]);
    assert_eq!(lambda_and_c(&scenario, "a.b"), (2.0, 1.0));
}

#[test]
fn overrides_apply_in_order_and_keep_the_order_of_the_policies() {
    let scenario = set(&["slots=1", "slots=2", "policies.toof={kind=\"random\"}"]);
    assert_eq!(scenario.last_slot(), 2);
    let kinds: Vec<_> = scenario.policies().map(|(name, spec)| (name, spec.kind())).collect();
    assert_eq!(kinds, [("toof", "random"), ("a.b", "greedy")]);
}

/// The assignments (the marked one has the mistake), parts of the message and of the help.
const BAD: &[(&[&str], &str, &str)] = &[
    (&["«slots»"], "no `=` in --set slots", "write KEY=VALUE"),
    (&["«=7»"], "an empty key in --set =7", "write KEY=VALUE"),
    (&["«policies..lambda=7»"], "an empty key", "write KEY=VALUE"),
    (&["«slots.x=7»"], "`slots` is not a table", ""),
    (&["«seeds.2=7»"], "`seeds` is a list of 2: give a number below 2", ""),
    (&["«node.name=carl»"], "`node` is a list of 2: give a number below 2", ""),
    (&["«node.0.name.x=carl»"], "`name` is not a table", ""),
    (&["«policies.clock.lambda=1»"], "missing key `kind`", "`toof`, `greedy`"),
    (&["slots=«many»"], "wrong value: string \"many\"", "a number of slots, or \"endless\""),
    (&["slots= «0»"], "a trial cannot have 0 slots", "from 1"),
    (&["slots=1", "slots=«0»"], "a trial cannot have 0 slots", "from 1"),
    (&["slots=«0»", "seeds=1"], "a trial cannot have 0 slots", "from 1"),
    (&["«sltos=7»"], "unknown key `sltos`", "did you mean `slots`?"),
    (&["«policies.toof.lamda=7»"], "unknown key `lamda`", "did you mean `lambda`?"),
    (&["policies.toof={kind=\"toof\",«lamda»=7}"], "unknown key `lamda`", "did you mean"),
    (&["policies.toof.lambda=«nan»"], "lambda is not a finite number", ""),
    (&["policies.toof.lambda=«1,5»"], "wrong type: string \"1,5\"", "a number"),
    (&["policies.toof.kind=«tof»"], "unknown kind `tof`", "did you mean `toof`?"),
    (&["policies.toof=«toof»"], "wrong type: string \"toof\"", "a table with `kind`"),
    (&["«nodes.queue.capacity=1»"], "missing key `kind`", "`drawn`, `fifo`"),
    (&["nodes.queue=«{capacity=1}»"], "missing key `kind`", "`drawn`, `fifo`"),
    (&["node.1.name=«anna»"], "two nodes are called `anna`", ""),
    (&["seeds.1=«5»"], "the seed 5 is given twice", ""),
    (&["nodes.weights.signs.2=«0»"], "0 is not a sign", ""),
    (&["nodes.weights={kind=«\"trace\"»}"], "no trace whose header has weights", ""),
    (&["nodes.cqi={kind=\"iid\",min=0,max=«99»}"], "||x|| of node `anna` can reach", ""),
];

#[test]
fn each_mistake_is_underlined_in_its_own_argument() {
    for (assignments, message, help) in BAD {
        let mut marked = None;
        let mut plain = Vec::new();
        for assignment in *assignments {
            let (text, span) = unmark(assignment);
            marked = marked.or(span.map(|span| (format!("--set {text}"), span)));
            plain.push(text);
        }
        let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
        let case = plain.join(" ");
        let fault = only_fault(&case, read(Path::new("test.toml"), GOOD, &plain));
        let (source, span) = marked.expect("one is marked");
        check(&case, &fault, message, help, Some((&source, span)));
    }
}

#[test]
fn mistakes_in_the_file_and_in_an_argument_are_told_together() {
    let text = GOOD.replace("slots = 100", "slots = 0");
    let Err(Faults(faults)) = read(Path::new("t.toml"), &text, &["policies.toof.lambda=0"]) else {
        panic!("two mistakes")
    };
    let sources: Vec<_> =
        faults.iter().map(|p| p.place.as_ref().unwrap().source.name.as_str()).collect();
    assert_eq!(sources, ["--set policies.toof.lambda=0", "t.toml"]);
}

proptest! {
    /// Whatever is typed, it is taken or refused with a place within its own text.
    #[test]
    fn no_argument_breaks_the_reader(
        key in r#"(slots|node|nodes|policies|seeds|[a-z0-9."' ]{0,6})(\.[a-z0-9"]{0,6}){0,3}"#,
        value in r#"[ -~]{0,20}"#,
    ) {
        let assignment = format!("{key}={value}");
        let mut file = TopologyFile::from_text(Path::new("test.toml"), GOOD.to_owned());
        let result = file.set(&assignment).and_then(|()| Scenario::from_file(&file).map(|_| ()));
        if let Err(Faults(faults)) = result {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                let place = fault.place.expect("a place");
                prop_assert!(place.source.text.get(place.span.clone()).is_some(), "{place:?}");
            }
        }
    }

    #[test]
    fn a_number_reads_back_as_written(c in 0.0..1e9f64, slots in 1..1_000_000_000_000u64) {
        let scenario = set(&[
            "policies.toof.gamma.kind=tuned",
            &format!("policies.toof.gamma.c={c:?}"),
            &format!("slots={slots}"),
        ]);
        prop_assert_eq!(lambda_and_c(&scenario, "toof").1.to_bits(), c.to_bits());
        prop_assert_eq!(scenario.last_slot(), slots);
    }

    #[test]
    fn seeds_have_three_forms(first in 0..1u64 << 62, count in 1..100u64) {
        let block: Vec<u64> = (first..first + count).collect();
        let seeds = |value: &str| set(&[&format!("seeds={value}")]).seeds();
        prop_assert_eq!(seeds(&format!("{{ first = {first}, count = {count} }}")), block.clone());
        prop_assert_eq!(seeds(&format!("{block:?}")), block);
        prop_assert_eq!(seeds(&count.to_string()), (1..=count).collect::<Vec<_>>());
    }
}
