//! What is measured, beside what the model says.

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{
    Application, ApplicationFate, ApplicationSource, ApplicationStep, ConditionDraws, CostTable,
    Flow, PipelineInstance, PipelineKeys, Scheduler, SiteDraws, SiteSet, SubTask, WayDraws,
};
use fogbit_scenario::topology::Range;

use crate::hub::Hub;

pub(crate) const SECOND: u64 = 1_000_000_000;

fn range(min: f64, max: f64) -> Range {
    Range { min, max }
}

/// Applications under conditions that are drawn anew for each of `count`.
pub(crate) fn instance(
    applications: Vec<Application>,
    count: u64,
    timeout_ns: Option<u64>,
) -> PipelineInstance {
    let site = |frequency_ghz, busy| SiteDraws {
        frequency_ghz,
        load: range(0.0, 0.3),
        busy_ms: range(0.0, busy),
        overhead_ns: 500_000,
    };
    let way = |between, slow, fast, near, far| WayDraws {
        between,
        mbit_s: range(slow, fast),
        rtt_ms: range(near, far),
    };
    PipelineInstance {
        seed: 0,
        applications: count,
        source: ApplicationSource::Given(applications),
        conditions: ConditionDraws {
            sites: vec![site(1.0, 10.0), site(5.0, 30.0), site(20.0, 40.0)],
            ways: vec![
                way([0, 1], 5.0, 50.0, 4.0, 30.0),
                way([0, 2], 5.0, 100.0, 20.0, 120.0),
                way([1, 2], 10.0, 100.0, 10.0, 80.0),
            ],
        },
        keys: PipelineKeys {
            applications: Key::derive(7, Purpose::Applications, 0),
            conditions: Key::derive(7, Purpose::SiteConditions, 0),
            random: Key::derive(7, Purpose::RandomPlacement, 0),
        },
        timeout_ns,
    }
}

/// An application whose sub-tasks may run at one site each, from (million cycles, site) and flows from
/// (giver, taker, kB).
pub(crate) fn application(
    sub_tasks: &[(u64, usize)],
    flows: &[(Option<u32>, Option<u32>, u64)],
) -> Application {
    let sub_task = |(cycles, site): &(u64, usize)| SubTask {
        cycles: cycles * 1_000_000,
        sites: SiteSet::only(*site),
    };
    let flow = |(from, to, kb): &(Option<u32>, Option<u32>, u64)| Flow {
        from: *from,
        to: *to,
        bytes: kb * 1000,
    };
    Application::new(sub_tasks.iter().map(sub_task).collect(), flows.iter().map(flow).collect())
}

/// A fork over all three sites, with data from helper node to helper node in both directions, and two
/// flows that share a way.
pub(crate) fn fork() -> Application {
    application(
        &[(20, 0), (200, 1), (500, 2), (300, 1), (900, 2), (10, 0)],
        &[
            (None, Some(0), 100),
            (Some(0), Some(1), 200),
            (Some(0), Some(2), 150),
            (Some(0), Some(3), 120),
            (Some(1), Some(4), 180),
            (Some(2), Some(3), 90),
            (Some(3), Some(4), 140),
            (Some(4), Some(5), 60),
            (Some(2), Some(5), 40),
            (Some(5), None, 30),
        ],
    )
}

/// Nothing on the device: input goes out and output comes back.
pub(crate) fn away() -> Application {
    application(
        &[(400, 1), (800, 2)],
        &[(None, Some(0), 250), (Some(0), Some(1), 300), (Some(1), None, 80)],
    )
}

/// Each step's measured delay over that of the model.
fn ratios(instance: &PipelineInstance, steps: &[ApplicationStep]) -> Vec<f64> {
    let ratio = |step: &ApplicationStep| {
        assert_eq!(step.fate, ApplicationFate::Done, "{step:?}");
        let application = instance.application(step.application);
        let table = CostTable::new(&application, &instance.conditions(step.application));
        let modelled = Scheduler::new(&application).schedule(&table, &step.placement);
        let measured = step.measured.as_ref().expect("it was measured");
        assert_eq!(measured.delay_ns, measured.schedule.delay_ns());
        for (number, (got, want)) in
            measured.schedule.sub_tasks.iter().zip(&modelled.sub_tasks).enumerate()
        {
            println!("  sub-task {number}: {got:?} {want:?}");
        }
        for (number, (got, want)) in measured.schedule.flows.iter().zip(&modelled.flows).enumerate()
        {
            println!("  flow {number}: {got:?} {want:?}");
        }
        let (got, want) = (measured.delay_ns as f64, modelled.delay_ns() as f64);
        println!(
            "{}: {:.2} ms measured, {:.2} ms modelled, {:.4}",
            step.application,
            got / 1e6,
            want / 1e6,
            got / want
        );
        got / want
    };
    steps.iter().map(ratio).collect()
}

#[tokio::test]
async fn delays_are_those_of_the_model() {
    let mut hub = Hub::with_sites(2, true).await;
    let instance = instance(vec![fork(), away()], 12, Some(20 * SECOND));
    let (steps, failed) = hub.play(r#"{"kind":"random"}"#, instance.clone()).await;
    assert_eq!(failed, None);
    let mut ratios = ratios(&instance, &steps);
    assert_eq!(ratios.len(), 12);
    ratios.sort_by(f64::total_cmp);
    println!("{ratios:.4?}");
    // Nothing can be faster than it is to be, but for what is rounded; a busy host makes it slower.
    assert!(ratios[0] > 0.99, "{ratios:?}");
    assert!(ratios[6] < 1.15, "{ratios:?}");
}
