//! What is measured, beside what the model says.

use std::path::Path;
use std::time::Duration;

use fogbit_scenario::TopologyFile;
use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::pipeline::{
    Application, ApplicationFate, ApplicationSource, ApplicationStep, ConditionDraws, CostTable,
    Flow, Measured, PipelineInstance, PipelineKeys, PipelineScenario, Schedule, Scheduler,
    SiteDraws, SiteSet, SubTask, Way, WayDraws,
};
use fogbit_scenario::topology::Range;
use fogbit_transport::CloseCode;
use fogbit_transport::pipeline::{FlowEnd, Part, SiteReply, SiteRequest};

use crate::hub::{Hub, soon};
use crate::plan::{Plan, flow, part, task};

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
        let application = instance.application(step.application);
        let table = CostTable::new(&application, &instance.conditions(step.application));
        let modelled = Scheduler::new(&application).schedule(&table, &step.placement);
        let Measured { delay_ns, schedule } = step.measured.as_ref().expect("it was measured");
        assert_eq!(*delay_ns, schedule.delay_ns());
        assert_causal(&application, schedule);
        let (got, want) = (*delay_ns as f64, modelled.delay_ns() as f64);
        let [got_ms, want_ms] = [got, want].map(|ns| ns / 1e6);
        println!("{}: {got_ms:.2} ms measured, {want_ms:.2} ms modelled", step.application);
        got / want
    };
    steps.iter().map(ratio).collect()
}

/// Nothing began before what it needs was there.
fn assert_causal(application: &Application, schedule: &Schedule) {
    for span in schedule.sub_tasks.iter().chain(&schedule.flows) {
        assert!(span.ready_ns <= span.start_ns && span.start_ns <= span.end_ns, "{span:?}");
    }
    for (flow, span) in application.flows().iter().zip(&schedule.flows) {
        if let Some(to) = flow.to {
            // Each site has a clock of its own: it begins when the site hears of it.
            let ready_ns = schedule.sub_tasks[to as usize].ready_ns;
            assert!(ready_ns + 20_000_000 > span.end_ns, "{flow:?}: {schedule:?}");
        }
    }
}

fn fates(steps: &[ApplicationStep]) -> Vec<ApplicationFate> {
    steps.iter().map(|step| step.fate).collect()
}

const RANDOM: &str = r#"{"kind":"random"}"#;

/// The bar is 5 % at the median on a host that has nothing else to do. Here a busy host may add some,
/// and must not make anything faster than the model, but for what is rounded.
#[tokio::test]
async fn delays_are_those_of_the_model() {
    let mut hub = Hub::with_sites(2, true).await;
    let instance = instance(vec![fork(), away()], 12, Some(20 * SECOND));
    let (steps, failed) = hub.play(RANDOM, instance.clone()).await;
    assert_eq!(failed, None);
    assert_eq!(fates(&steps), [ApplicationFate::Done; 12]);
    let mut ratios = ratios(&instance, &steps);
    ratios.sort_by(f64::total_cmp);
    println!("measured over modelled: {ratios:.4?}");
    assert!(ratios[0] > 0.98 && ratios[6] < 1.15, "{ratios:?}");
}

/// What is sent back to the giver of data takes nothing from the way in the other direction, however slow
/// that is: 3 MB come at 50 Mbit/s while 20 KB go at 0.5.
#[tokio::test]
async fn a_fast_way_takes_nothing_from_a_slow_one() {
    use FlowEnd::{Device, Site, SubTask};
    let mut plan = Plan::new(1, true).await;
    let flows = [
        flow(0, Device, Site(1), 3_000_000),
        flow(1, Site(1), Device, 20_000),
        flow(0, Site(0), SubTask(0), 3_000_000),
        flow(1, SubTask(1), Site(0), 20_000),
    ];
    let way = |rate_bits_s| Way { rate_bits_s, delay_ns: 20_000_000 };
    let here = Part {
        ways: vec![(1, way(50_000_000))],
        sub_tasks: vec![],
        flows: flows[..2].to_vec(),
        ..part()
    };
    let there = Part {
        ways: vec![(0, way(500_000))],
        sub_tasks: vec![task(0), task(1)],
        flows: flows[2..].to_vec(),
        ..part()
    };
    let session = &mut plan.sessions[0];
    let ready = session.answer(SiteRequest::Part(Box::new(there))).await;
    assert_eq!(ready, SiteReply::Ready { application: 1 });
    plan.device.prepare(here).unwrap();
    session.send.send(&SiteRequest::Begin { application: 1 }).await.unwrap();
    let here = soon(plan.device.run(1)).await.unwrap();
    let SiteReply::Ended(there) = session.hear().await.unwrap() else { panic!("it is done") };
    // 1 ms of work, 160 kbit at 0.5 Mbit/s, 20 ms; and 24 Mbit at 50 Mbit/s, 20 ms.
    let slow = here.arrived_ns[0] as f64 / 341e6;
    let fast = there.arrived_ns[0] as f64 / 500e6;
    println!("measured over modelled: slow {slow:.4}, fast {fast:.4}");
    assert!((0.98..1.15).contains(&slow) && (0.98..1.15).contains(&fast), "{slow}, {fast}");
}

/// In virtual time everything runs where it is placed and takes no time.
#[tokio::test]
async fn in_virtual_time_applications_run_and_nothing_is_measured() {
    let mut hub = Hub::with_sites(2, false).await;
    let instance = instance(vec![fork(), away()], 200, None);
    let began = std::time::Instant::now();
    let (steps, failed) = hub.play(RANDOM, instance).await;
    println!("{:?} for 200 applications", began.elapsed());
    assert_eq!(failed, None);
    assert_eq!(fates(&steps), [ApplicationFate::Done; 200]);
    let numbers: Vec<u64> = steps.iter().map(|step| step.application).collect();
    assert_eq!(numbers, (1..=200).collect::<Vec<u64>>());
    assert!(steps.iter().all(|step| step.measured.is_none()));
    assert_eq!(steps[0].placement, [0, 1, 2, 1, 2, 0]);
}

/// What is not done in time is taken back, from sites and from ways, and nothing of it meets what
/// comes next.
#[tokio::test]
async fn after_a_time_out_the_next_application_begins_clean() {
    let mut hub = Hub::with_sites(2, true).await;
    // 30 s of work at site 1, and far more data on all ways than they take within a second.
    let endless = application(
        &[(1, 1), (60_000, 1), (1, 2), (1, 0)],
        &[
            (None, Some(0), 1),
            (None, Some(1), 30_000),
            (None, Some(2), 1),
            (Some(0), Some(2), 30_000),
            (Some(0), Some(3), 30_000),
            (Some(2), None, 1),
        ],
    );
    let instance = instance(vec![endless, away()], 6, Some(SECOND));
    let (steps, failed) = hub.play(RANDOM, instance.clone()).await;
    assert_eq!(failed, None);
    let (late, done): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| step.application % 2 == 1);
    assert_eq!(fates(&late), [ApplicationFate::TimedOut; 3]);
    assert!(late.iter().all(|step| step.measured.is_none()));
    assert_eq!(fates(&done), [ApplicationFate::Done; 3]);
    let ratios = ratios(&instance, &done);
    println!("measured over modelled: {ratios:.4?}");
    assert!(ratios.iter().all(|ratio| (0.98..1.15).contains(ratio)), "{ratios:?}");
}

/// A site that cannot be what it is to be says so, and the trial goes on.
#[tokio::test]
async fn a_part_that_cannot_be_is_refused() {
    let mut hub = Hub::with_sites(2, true).await;
    let mut instance = instance(vec![away()], 2, Some(SECOND));
    instance.conditions.sites[2].frequency_ghz = 0.0;
    let (steps, failed) = hub.play(RANDOM, instance).await;
    assert_eq!(failed, None);
    assert_eq!(fates(&steps), [ApplicationFate::Refused(CloseCode::BadRequest as u32); 2]);
}

/// A trial whose helper node is gone fails, and says which.
#[tokio::test]
async fn a_helper_node_that_is_not_there_fails_the_trial() {
    let mut hub = Hub::with_sites(2, true).await;
    hub.helpers[1].listens = Some(([127, 0, 0, 1], 9).into());
    let (steps, failed) = hub.play(RANDOM, instance(vec![away()], 2, Some(SECOND))).await;
    assert_eq!(steps, []);
    assert!(failed.as_ref().is_some_and(|message| message.contains("h2")), "{failed:?}");
}

/// One that dies in the midst of an application does so too.
#[tokio::test]
async fn a_helper_node_that_dies_fails_the_trial() {
    let mut hub = Hub::with_sites(2, true).await;
    let endless = application(&[(1, 0), (60_000, 1)], &[(Some(0), Some(1), 1)]);
    let instance = instance(vec![endless], 1, Some(600 * SECOND));
    let player = hub.start_player().await;
    let played = hub.order(&player, 0, RANDOM, instance);
    let dying = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        hub.helpers[0].stop.notify_one();
    };
    let ((steps, failed), ()) = tokio::join!(played, dying);
    assert_eq!(steps, []);
    assert!(failed.as_ref().is_some_and(|message| message.contains("h1")), "{failed:?}");
}

/// Policies of a seed are played side by side in virtual time, each with sessions of its own.
#[tokio::test]
async fn trials_share_helper_nodes_in_virtual_time() {
    let mut hub = Hub::with_sites(3, false).await;
    let mut instance = instance(vec![fork(), away()], 100, None);
    // The third helper node is one that nothing is ever placed on.
    let spare = instance.conditions.sites[2].clone();
    instance.conditions.sites.push(spare);
    for site in 0..3 {
        let way = instance.conditions.ways[0].clone();
        instance.conditions.ways.push(WayDraws { between: [site, 3], ..way });
    }
    let player = hub.start_player().await;
    let both = tokio::join!(
        hub.order(&player, 0, RANDOM, instance.clone()),
        hub.order(&player, 1, r#"{"kind":"greedy"}"#, instance),
    );
    assert_eq!(both.0.1, None);
    assert_eq!(fates(&both.0.0), [ApplicationFate::Done; 100]);
    assert_eq!(both.0, both.1, "there is one site for each sub-task");
}

/// The topology that ships, as far as a test has time for it.
#[tokio::test]
async fn the_topology_that_ships_is_measured_as_modelled() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/pipeline-real.toml");
    let file = TopologyFile::read(&path).unwrap_or_else(|faults| panic!("{faults}"));
    let scenario = PipelineScenario::from_file(&file).unwrap_or_else(|faults| panic!("{faults}"));
    let mut hub = Hub::with_sites(2, true).await;
    let instance = PipelineInstance { applications: 7, ..scenario.instance(1) };
    let (steps, failed) = hub.play(RANDOM, instance.clone()).await;
    assert_eq!((failed, steps.len()), (None, 7));
    let mut ratios = ratios(&instance, &steps);
    ratios.sort_by(f64::total_cmp);
    println!("measured over modelled: {ratios:.4?}");
    assert!(ratios[0] > 0.98 && ratios[3] < 1.15, "{ratios:?}");
}
