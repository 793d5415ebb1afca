//! What a seed makes of a topology.

use fogbit_scenario::placement::{Site, SiteSight, Task, UniformSpec};
use fogbit_scenario::topology::{OraclePlacement, PlacementPolicySpec};

use crate::good;

const TEXT: &str = r#"
problem = "placement"
slots = 1000
task = { complexity_cycles = { min = 1e6, max = 1e9 }, input_kb = { min = 10, max = 200 }, output_kb = 2 }
task-node = { cpu_frequency_ghz = 0.5, load = { min = 0.1, max = 0.9 } }
nodes = { count = 2, cpu_frequency_ghz = 10, load = { min = 0.2, max = 0.5 }, service_overhead_ms = 3 }

[links]
profile = "lte"
drawn_rtt_ms = { min = 10, max = 200 }

[policies.rule]
kind = "rule"
"#;

/// Slot, cycles, input, load of the task node, load of h1, round trip to h1, whether it is
/// shadowed where a tenth is: from `golden.py`'s key and draw, `low + u (high - low)`.
const DRAWS: [(u64, u64, u64, f64, f64, u64, bool); 3] = [
    (1, 447_004_133, 47_633, 0.6607227247990373, 0.3496269734655637, 18_754_695, false),
    (2, 583_913_157, 122_037, 0.1423000360246799, 0.36720802263708124, 22_921_812, false),
    (1000, 159_538_379, 80_674, 0.6028268409789049, 0.3637053604189191, 92_701_864, false),
];

#[test]
fn draws_are_as_frozen() {
    let mut instance = good(TEXT).instance(7);
    let mut shadows = instance.shadows(&shadowing(0.1)).unwrap();
    for (slot, cycles, input_bytes, local, load, rtt, shadowed) in DRAWS {
        let task = Task { cycles, input_bytes, output_bytes: 2000 };
        assert_eq!(instance.task(slot), task, "slot {slot}");
        assert_eq!(instance.local_load(slot), local, "slot {slot}");
        assert_eq!(instance.helper_load(1, slot), load, "slot {slot}");
        assert_eq!(instance.drawn_rtt_ns(1, slot), Some(rtt), "slot {slot}");
        assert_eq!(shadows.include(slot), shadowed, "slot {slot}");
    }
}

#[test]
fn parts_draw_the_same_on_the_other_side_of_a_wire() {
    let instance = good(TEXT).instance(7);
    let json = serde_json::to_string(&instance.task_node).unwrap();
    let mut part: fogbit_scenario::placement::TaskNodePart = serde_json::from_str(&json).unwrap();
    let mut own = instance.task_node.clone();
    for slot in [5, 1, 900] {
        assert_eq!(part.tasks.task(slot), own.tasks.task(slot));
        assert_eq!(part.load.at(slot), own.load.at(slot));
    }
    let [first, second] =
        [0, 1].map(|node: usize| UniformSpec::from(instance.helpers[node].load.clone()));
    assert_ne!(first.key, second.key);
    assert_ne!(instance.link_keys[0].up, instance.link_keys[0].down);
}

#[test]
fn the_share_that_is_wanted_is_shadowed() {
    let instance = good(TEXT).instance(3);
    // Within four deviations.
    for (share, counts) in [(0.0, 0..=0), (0.1, 880..=1120), (1.0, 10_000..=10_000)] {
        let mut shadows = instance.shadows(&shadowing(share)).unwrap();
        let count = (1..=10_000).filter(|slot| shadows.include(*slot)).count();
        assert!(counts.contains(&count), "{share}: {count}");
    }
    assert!(instance.shadows(&PlacementPolicySpec::Oracle(OraclePlacement::default())).is_none());
}

/// An oracle that has so many tasks tried at all sites.
fn shadowing(shadow_share: f64) -> PlacementPolicySpec {
    PlacementPolicySpec::Oracle(OraclePlacement { shadow: true, shadow_share })
}

#[test]
fn the_truth_is_that_of_the_slot() {
    let text = TEXT.replace("drawn_rtt_ms = { min = 10, max = 200 }", "")
        + "[[event]]\nat = 11\nlink = \"h1\"\nprofile = \"congested\"\n";
    let scenario = good(&text);
    let mut instance = scenario.instance(7);
    let before = instance.truth(10, Site::Helper(1));
    let expected = SiteSight {
        frequency_hz: 1e10,
        load: instance.helper_load(1, 10),
        overhead_s: 0.003,
        rtt_s: 0.07,
        up_bits_s: 12e6,
        down_bits_s: 12e6,
        loss: 0.0,
    };
    assert_eq!(before, expected);
    let after = instance.truth(11, Site::Helper(1));
    assert_eq!((after.rtt_s, after.up_bits_s, after.loss), (0.2, 5e6, 0.05));
    assert_eq!(instance.truth(11, Site::Helper(0)).rtt_s, 0.07);
    let task = instance.task(11);
    let all = instance.expected_s(11, &task);
    assert_eq!(all.len(), 3);
    let load = instance.local_load(11);
    assert_eq!(all[0], task.cycles as f64 / (0.5e9 * (1.0 - load)));
    assert_eq!(scenario.site_names(), ["task", "h0", "h1"]);
}

#[test]
fn nothing_is_emulated_where_no_link_is_named() {
    let text = TEXT.replace("profile = \"lte\"", "");
    assert!(good(&text).links().is_empty());
    assert_eq!(good(TEXT).links().len(), 2);
}
