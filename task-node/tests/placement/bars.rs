//! What the policies have to reach in virtual time: decisions against the model with the true state
//! of everything, where local and offloaded latency differ by more than 10 %.

use fogbit_scenario::placement::Step;

use crate::common::{Score, play, scenario, score, shipped};

/// Slots of each profile.
const STRETCH: usize = 500;
/// Where packets are lost, the formula for the rate is an approximation, and what is observed is no
/// longer what decisions are judged by: so 3G is without.
const PROFILES: [&str; 6] =
    ["\"wifi\"", "\"lte\"", "\"slow-4g\"", "\"5g\"", "{ base = \"3g\", loss = 0 }", "\"wifi\""];
const SEEDS: [u64; 3] = [1, 2, 3];

/// A link that goes through the profiles, and tasks of which each profile favours some here and
/// some there.
fn text() -> String {
    let events: String = (1..PROFILES.len())
        .map(|index| {
            let (at, profile) = (index * STRETCH + 1, PROFILES[index]);
            format!("[[event]]\nat = {at}\nprofile = {profile}\n")
        })
        .collect();
    format!(
        "problem = \"placement\"\nslots = {}\n\
         task = {{ complexity_cycles = {{ min = 1e6, max = 2e9 }}, \
         input_kb = {{ min = 1, max = 100 }} }}\n\
         task-node = {{ cpu_frequency_ghz = 1.5, load = {{ min = 0, max = 0.5 }} }}\n\
         [nodes]\ncount = 1\ncpu_frequency_ghz = 15\nload = {{ min = 0, max = 0.5 }}\n\
         service_overhead_ms = 2\n\
         [links]\nprofile = {}\n{events}\
         [policies]\nrule.kind = \"rule\"\nonline.kind = \"online\"\n",
        PROFILES.len() * STRETCH,
        PROFILES[0],
    )
}

fn scores(policy: &str, parts: fn(&[Step]) -> Vec<&[Step]>) -> Vec<Vec<Score>> {
    let scenario = scenario(&text());
    let of_seed = |seed: &u64| {
        let mut instance = scenario.instance(*seed);
        let steps = play(&scenario, policy, *seed);
        parts(&steps).into_iter().map(|part| score(&mut instance, part)).collect()
    };
    SEEDS.iter().map(of_seed).collect()
}

#[test]
fn rule_and_online_decide_rightly_outside_of_the_band() {
    for policy in ["rule", "online"] {
        for (seed, scores) in SEEDS.iter().zip(scores(policy, |steps| vec![steps])) {
            let score = scores[0];
            println!("{policy}, seed {seed}: {:.4} {score:?}", score.accuracy());
            assert!(score.accuracy() >= 0.95, "{policy}, seed {seed}: {score:?}");
        }
    }
}

/// From the 200th task after a switch on, and in each profile.
#[test]
fn online_is_back_within_200_tasks_of_a_switch() {
    fn late(steps: &[Step]) -> Vec<&[Step]> {
        steps.chunks(STRETCH).map(|stretch| &stretch[200..]).collect()
    }
    for (seed, scores) in SEEDS.iter().zip(scores("online", late)) {
        for (profile, score) in PROFILES.iter().zip(scores) {
            println!("{profile}, seed {seed}: {:.4} {score:?}", score.accuracy());
            assert!(score.accuracy() >= 0.95, "{profile}, seed {seed}: {score:?}");
        }
    }
}

/// The share that is to be offloaded in the world of seed formulas is known: 86.3 %.
#[test]
fn the_world_of_the_decision_network_is_the_one_that_is_known() {
    let scenario = shipped("learned.toml", &["slots=20000"]);
    let mut instance = scenario.instance(1);
    let rule = score(&mut instance, &play(&scenario, "rule", 1));
    let offload = score(&mut instance, &play(&scenario, "always-offload", 1));
    println!("{rule:?}\n{offload:?}");
    // Four deviations of a share of 20,000.
    assert!((rule.offloaded - 0.863).abs() < 0.0098, "{rule:?}");
    assert!(rule.regret_ms < 1e-6, "{rule:?}");
}

#[test]
fn some_profiles_favour_offloading_and_others_do_not() {
    let scenario = shipped("network-aware.toml", &[]);
    let mut instance = scenario.instance(1);
    let steps = play(&scenario, "oracle", 1);
    let shares: Vec<f64> =
        steps.chunks(25).map(|part| score(&mut instance, part).offloaded).collect();
    println!("{shares:?}");
    assert!(shares[0] > 0.8 && shares[3] < 0.3, "{shares:?}");
    let shadowed = steps.iter().filter(|step| !step.shadows.is_empty());
    for step in shadowed {
        assert_eq!(step.shadows.len(), 1);
        assert_ne!(step.shadows[0].site, step.execution.site);
    }
    assert_eq!(steps, play(&scenario, "oracle", 1), "the same trial again");
}
