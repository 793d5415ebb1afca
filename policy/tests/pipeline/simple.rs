//! Policies that neither search nor learn.

use fogbit_policy::pipeline::{Sight, build};
use fogbit_scenario::draw::{Key, Purpose, Stream};
use fogbit_scenario::pipeline::{Application, Conditions, Flow, SiteSet, SiteState, SubTask, Way};
use fogbit_scenario::topology::{FixedPipeline, NoParameters, PipelinePolicySpec};
use fogbit_scenario::work::{ComputeSpec, Execution};

/// Three sub-tasks in a row: anywhere, not on the device, on the device alone.
fn chain() -> Application {
    let sites = [SiteSet::all(3), SiteSet::only(1).with(2), SiteSet::only(0)];
    let sub_tasks = sites.map(|sites| SubTask { cycles: 1_000_000_000, sites });
    let flow = |from, to| Flow { from: Some(from), to: Some(to), bytes: 100_000 };
    Application::new(sub_tasks.to_vec(), vec![flow(0, 1), flow(1, 2)])
}

fn conditions(ghz: [f64; 3]) -> Conditions {
    let site = |frequency_ghz| SiteState {
        compute: ComputeSpec {
            frequency_ghz,
            load: 0.0,
            service_overhead_ns: 0,
            workers: 1,
            queue_limit: 0,
            payload_limit: 0,
            execution: Execution::Timed,
        },
        busy_ns: 0,
    };
    let way = Way { rate_bits_s: 8_000_000, delay_ns: 10_000_000 };
    Conditions::new(ghz.map(site).to_vec(), |_, _| way)
}

fn placed(spec: &PipelinePolicySpec, ghz: [f64; 3], number: u64) -> Vec<u8> {
    let sites = ["device", "edge", "cloud"].map(String::from);
    let mut policy = build(spec, &sites, key()).expect("it needs no model");
    let (application, conditions) = (chain(), conditions(ghz));
    let sight = Sight { number, application: &application, conditions: &conditions };
    let mut placement = vec![9; 7];
    policy.place(&sight, &mut placement);
    assert!(application.allows(&placement), "{placement:?}");
    placement
}

fn key() -> Key {
    Key::derive(3, Purpose::RandomPlacement, 0)
}

#[test]
fn a_fixed_site_is_that_of_all_that_may_run_there() {
    let fixed = |site: &str| PipelinePolicySpec::Fixed(FixedPipeline { site: site.into() });
    let at = |site| placed(&fixed(site), [1.0; 3], 1);
    assert_eq!(at("device"), [0, 1, 0]);
    assert_eq!(at("edge"), [1, 1, 0]);
    assert_eq!(at("cloud"), [2, 2, 0]);
    let sites = ["device".to_owned()];
    assert!(build(&fixed("moon"), &sites, key()).is_none());
}

/// By hand: a second on the device, or 110 ms of way and 250 ms at the edge. The second sub-task cannot
/// stay, and at the edge nothing has to travel.
#[test]
fn greedy_places_each_where_it_is_done_first() {
    let greedy = PipelinePolicySpec::Greedy(NoParameters {});
    // Without input, the first sub-task waits for nothing anywhere.
    assert_eq!(placed(&greedy, [1.0, 4.0, 2.0], 1), [1, 1, 0]);
    assert_eq!(placed(&greedy, [5.0, 4.0, 2.0], 1), [0, 1, 0]);
    // 200 ms + 110 ms + 250 ms at the edge, 100 ms less in the cloud.
    assert_eq!(placed(&greedy, [5.0, 4.0, 5.0], 1), [0, 2, 0]);
}

#[test]
fn chance_draws_by_number_among_the_sites_that_are_allowed() {
    let random = PipelinePolicySpec::Random(NoParameters {});
    let mut counts = [[0u32; 3]; 3];
    for number in 1..=3000 {
        let own = placed(&random, [1.0; 3], number);
        assert_eq!(own, placed(&random, [4.0, 2.0, 1.0], number), "conditions do not matter");
        let mut draws = Stream::new(&key().child(number));
        assert_eq!(own[0], (draws.uniform(1) * 3.0) as u8);
        assert_eq!(own[1], 1 + (draws.uniform(2) * 2.0) as u8);
        for (count, site) in counts.iter_mut().zip(&own) {
            count[*site as usize] += 1;
        }
    }
    // Five standard deviations of a binomial number.
    let near = |count: u32, p: f64| {
        let sd = (3000.0 * p * (1.0 - p)).sqrt();
        (f64::from(count) - 3000.0 * p).abs() < 5.0 * sd
    };
    assert!(counts[0].iter().all(|count| near(*count, 1.0 / 3.0)), "{counts:?}");
    assert!(
        counts[1][0] == 0 && counts[1][1..].iter().all(|count| near(*count, 0.5)),
        "{counts:?}"
    );
    assert_eq!(counts[2], [3000, 0, 0]);
}
