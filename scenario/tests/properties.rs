//! What holds for every seed: ranges and lengths of what is drawn, draws that do not depend on what
//! they have nothing to do with, and scenarios that read back as written.

mod common;

use std::path::Path;

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::instance::{StateSpec, TaskSpec};
use fogbit_scenario::{Scenario, TaskSource, TopologyFile};
use proptest::prelude::*;

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn scenario(slots: u64, nodes: &str) -> Scenario {
    let text =
        format!("slots = {slots}\n\n[nodes]\n{nodes}\n\n[policies.random]\nkind = \"random\"\n");
    common::read(Path::new("test.toml"), &text, &[]).expect("no fault")
}

/// The largest distance between the distribution of `values` and the uniform one on `[0, 1)`.
fn distance_from_uniform(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let count = values.len() as f64;
    let gap = |(i, v): (usize, &f64)| (v - i as f64 / count).max((i + 1) as f64 / count - v);
    values.iter().enumerate().map(gap).fold(0.0, f64::max)
}

#[test]
fn tasks_are_uniform_over_their_range() {
    let scenario = scenario(5000, "count = 1\nweights = { kind = \"sphere\" }");
    let mut tasks = TaskSource::new(&scenario.instance(1).tasks);
    let mut values = [Vec::new(), Vec::new()];
    let mut task = [0.0; 2];
    for slot in 1..=5000 {
        tasks.read(slot, &mut task);
        for (all, value) in values.iter_mut().zip(task) {
            all.push(value / scenario.unit());
        }
    }
    let products: f64 =
        values[0].iter().zip(&values[1]).map(|(a, b)| (a - 0.5) * (b - 0.5)).sum::<f64>() / 5000.0;
    // Uncorrelated: the standard error is 1/12 / sqrt(5000).
    assert!(products.abs() < 4.0 / 12.0 / 5000f64.sqrt(), "{products}");
    for values in values {
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        // 1.95 / sqrt(n) is exceeded in one of a thousand seeds; this one is fixed.
        let distance = distance_from_uniform(values);
        assert!(distance < 1.95 / 5000f64.sqrt(), "{distance}");
    }
}

#[test]
fn weights_on_the_sphere_point_everywhere() {
    let scenario = scenario(1, "count = 2000\nweights = { kind = \"sphere\" }");
    let helpers = scenario.instance(1).helpers;
    for i in 0..5 {
        let moment = |power: i32| {
            helpers.iter().map(|h| h.weights[i].powi(power)).sum::<f64>() / helpers.len() as f64
        };
        // Mean 0 and mean square 1/5, within 4 standard errors.
        assert!(moment(1).abs() < 4.0 * (0.2f64 / 2000.0).sqrt(), "{}", moment(1));
        assert!((moment(2) - 0.2).abs() < 4.0 * 0.152 / 2000f64.sqrt(), "{}", moment(2));
    }
}

#[test]
fn a_shipped_topology_reads_back_as_resolved() {
    for path in common::shipped() {
        let file = TopologyFile::read(&path).expect("a file");
        let scenario = Scenario::from_file(&file).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        // The files of external policies are meant to lie beside the resolved text.
        let folder = tempfile::tempdir().expect("a folder");
        for file in scenario.policy_files() {
            std::fs::copy(&file.from, folder.path().join(&file.to)).expect("a copy");
        }
        let beside = folder.path().join(path.file_name().expect("a name"));
        let again = common::read(&beside, &scenario.resolved_toml(), &[]).expect("reads back");
        if scenario.policy_files().is_empty() {
            assert_same(&scenario, &again);
        }
        assert_eq!(scenario.resolved_toml(), again.resolved_toml());
        assert_eq!(scenario.name(), path.file_stem().unwrap().to_str().unwrap());
    }
}

#[test]
fn a_shipped_topology_is_as_the_guide_promises() {
    for path in common::shipped() {
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.starts_with("# "), "{path:?} says what it shows");
        assert!(text.contains("\n# What to look for: "), "{path:?} says what to look for");
        assert_eq!(
            text.matches("\nslots = ").count(),
            1,
            "{path:?} has slots on a line of its own"
        );
        let scenario = common::read(&path, &text, &[]).expect("no fault");
        assert!(scenario.policies().any(|(name, _)| name == "toof"), "{path:?} has a `toof`");
        assert!(scenario.topology().about.is_some(), "{path:?} says what it is about");
    }
}

fn assert_same(a: &Scenario, b: &Scenario) {
    assert_eq!(a.topology(), b.topology());
    assert_eq!(a.helpers(), b.helpers());
    assert_eq!((a.nodes(), a.features(), a.last_slot()), (b.nodes(), b.features(), b.last_slot()));
    for seed in a.seeds() {
        let (a, b) = (a.instance(seed), b.instance(seed));
        assert_eq!((&a.helpers, &a.tasks), (&b.helpers, &b.tasks));
    }
}

proptest! {
    #[test]
    fn drawn_weights_have_their_length_and_signs(
        seed: u64,
        length in 0.0..=1.0f64,
        signs in prop::array::uniform5(prop::sample::select(vec![-1i8, 1])),
    ) {
        for kind in [format!("kind = \"signs\", signs = {signs:?}"), "kind = \"sphere\"".into()] {
            let nodes = format!("count = 3\nweights = {{ {kind}, norm = {length:?} }}");
            for helper in scenario(1, &nodes).instance(seed).helpers {
                let got = norm(&helper.weights);
                prop_assert!((got - length).abs() <= 1e-15 && got <= 1.0 + 1e-12, "{}", got);
                if kind.contains("signs") {
                    let fits = |(w, s): (&f64, &i8)| w * f64::from(*s) >= 0.0;
                    prop_assert!(helper.weights.iter().zip(&signs).all(fits));
                }
            }
        }
    }

    /// Common random numbers: what a node draws depends on seed, purpose and its own number, and
    /// not on who else is there, how long the trial is or what the policies are.
    #[test]
    fn a_nodes_draws_are_its_own(seed: u64, nodes in 1..20u32, more in 1..20u32, slots in 1..9u64) {
        let of = |count: u32, slots: u64| {
            scenario(slots, &format!("count = {count}\nweights = {{ kind = \"sphere\" }}"))
                .instance(seed)
        };
        let (few, many) = (of(nodes, 1), of(nodes + more, slots));
        prop_assert_eq!(&few.helpers[..], &many.helpers[..nodes as usize]);
        prop_assert_eq!(few.tasks, many.tasks);
    }

    #[test]
    fn seeds_and_nodes_differ(seed in 0..u64::MAX) {
        let scenario = scenario(1, "count = 2\nweights = { kind = \"sphere\" }");
        let (one, next) = (scenario.instance(seed), scenario.instance(seed + 1));
        prop_assert_ne!(&one.helpers[0].weights, &one.helpers[1].weights);
        prop_assert_ne!(&one.helpers[0].weights, &next.helpers[0].weights);
        let policy = |name| Key::derive(seed, Purpose::Policy(name), 0);
        prop_assert_ne!(policy("a"), policy("b"));
    }

    /// No context can be longer than 1, whatever the ranges.
    #[test]
    fn contexts_are_at_most_one_long(
        seed: u64,
        low in 0.0..1.0f64,
        cpu in 0.0..4.0f64,
    ) {
        let nodes = format!(
            "count = 1\nweights = {{ kind = \"sphere\" }}\ncqi = {{ kind = \"iid\", min = {}, max = 15 }}\n\
             cpu_frequency_ghz = {cpu:?}",
            low * 15.0,
        );
        let scenario = scenario(1, &nodes);
        let instance = scenario.instance(seed);
        let StateSpec::Model { cpu_frequency, .. } = &instance.helpers[0].state else {
            panic!("a model")
        };
        let TaskSpec::Drawn(tasks) = &instance.tasks else { panic!("drawn") };
        let unit = scenario.unit();
        let largest =
            [tasks[0].low + tasks[0].span, tasks[1].low + tasks[1].span, unit, *cpu_frequency, unit];
        prop_assert!(norm(&largest) <= 1.0 + 1e-12);
        prop_assert!((cpu_frequency / unit - cpu / 4.0).abs() <= 1e-15);
    }

    /// The numbers of a resolved topology read back to the same bits.
    #[test]
    fn numbers_read_back(a in 0.0..1.0f64, b in 0.0..1.0f64, rate in 1e-6..1.0f64) {
        let (low, high) = (a.min(b), a.max(b));
        let nodes = format!(
            "count = 2\nweights = {{ kind = \"sphere\", norm = {a:?} }}\n\
             queue = {{ kind = \"fifo\", capacity = 3, service_rate = {rate:?}, own_rate = {b:?} }}\n\
             cqi = {{ kind = \"ar1\", min = {low:?}, max = {high:?}, correlation = {a:?} }}"
        );
        let scenario = scenario(1, &nodes);
        let again = common::read(Path::new("test.toml"), &scenario.resolved_toml(), &[]);
        assert_same(&scenario, &again.expect("reads back"));
    }
}
