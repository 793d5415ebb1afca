//! How much of the bare rate of `sim` a sweep keeps on one core, and what a second core adds. Both
//! figures are ratios of runs that take turns, so that a busy machine slows both sides alike.
//!
//! `cargo bench -p fogbit --bench sweep`

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use fogbit::backend::{Context, sim};
use fogbit::board::Board;
use fogbit::harness::metric::Known;
use fogbit::plan::Plan;
use fogbit::sweep::design::Design;
use fogbit::sweep::dir::SweepDir;
use fogbit::sweep::plan::{LAYOUT, Played, SweepPlan};
use fogbit::sweep::play::Job;
use fogbit::sweep::problem;
use fogbit::sweep::resolve::{Base, ResolvedPoint, resolve};
use fogbit::sweep::results::finish;
use fogbit_scenario::topology::{Metric, Problem};
use fogbit_scenario::{Scenario, TopologyFile};

const SLOTS: u64 = 10_000;
const SEEDS: u64 = 40;
const ROUNDS: usize = 5;
const POLICIES: [&str; 3] = ["toof", "greedy", "round-robin"];

fn points() -> (SweepPlan, Vec<ResolvedPoint>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/paper.toml");
    let base = TopologyFile::read(&path).unwrap();
    let (slots, seeds) = (format!("slots={SLOTS}"), format!("seeds={SEEDS}"));
    let sets = [&slots, &seeds, "policies.toof.gamma.c=0.01,0.03,0.1"];
    let design = Design::grid(&sets).unwrap();
    let wanted = POLICIES.map(ToOwned::to_owned);
    let said = problem::of(Problem::OneBit);
    let base = Base { file: &base, wanted: &wanted };
    let points = resolve(base, said, &design, |_| Ok(()));
    let points = points.unwrap_or_else(|failure| panic!("{failure:?}"));
    let plans: Vec<_> = points.iter().map(|point| point.plan.clone()).collect();
    let played = Played {
        layout: LAYOUT,
        fogbit: "bench".into(),
        problem: Problem::OneBit,
        topology: "paper".into(),
        about: None,
        keys: design.keys,
        seeds: points[0].seeds.clone(),
        seeds_in_unit: Played::seeds_in_unit(&plans, SEEDS as usize),
        points: plans,
    };
    let digest = played.digest();
    let versus = Some("toof".into());
    (SweepPlan { played, digest, versus, rank_by: Known::of(Metric::AverageRegret) }, points)
}

/// Every trial of the sweep by `sim` alone, one after the other: slots a second.
fn bare(points: &[ResolvedPoint]) -> f64 {
    let mut slots = 0;
    let mut seconds = 0.0;
    for point in points {
        let path = Path::new("point.toml");
        let file = TopologyFile::from_text(path, point.toml.clone());
        let plan = Arc::new(Plan::new(Scenario::from_file(&file).unwrap()));
        let registry = prometheus::Registry::new();
        let context = Context {
            board: Arc::new(Board::new(&plan, "sim", &registry).unwrap()),
            pace: None,
            plan: Arc::clone(&plan),
            decisions: None,
            contexts: None,
            stop: Arc::new(AtomicBool::new(false)),
        };
        for seed in &plan.seeds {
            for policy in 0..plan.policies.len() {
                let instance = plan.scenario.instance(*seed);
                let began = Instant::now();
                let trial = sim::play(&context, policy, &instance).unwrap();
                seconds += began.elapsed().as_secs_f64();
                slots += trial.account.totals.slots;
            }
        }
    }
    slots as f64 / seconds
}

/// The whole sweep with `jobs` trials side by side, from an empty directory to its last file but
/// the report: slots a second.
fn swept(plan: &SweepPlan, points: &[ResolvedPoint], jobs: usize) -> f64 {
    let folder = tempfile::TempDir::new().unwrap();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs).build().unwrap();
    let began = Instant::now();
    let dir = SweepDir::create(&folder.path().join("sweep")).unwrap();
    dir.describe(plan, points).unwrap();
    let topologies: Vec<String> = points.iter().map(|point| point.toml.clone()).collect();
    let units = plan.played.units();
    let job = Job {
        plan,
        topologies: &topologies,
        dir: &dir,
        units: &units,
        jobs,
        done: &AtomicU64::new(0),
        stop: &Arc::new(AtomicBool::new(false)),
    };
    assert_eq!(job.play().unwrap(), 0);
    threads.install(|| finish(dir.path(), plan)).unwrap();
    (plan.played.trials() as u64 * SLOTS) as f64 / began.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let (plan, points) = points();
    let (mut shares, mut gains, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (alone, one, two) = (bare(&points), swept(&plan, &points, 1), swept(&plan, &points, 2));
        shares.push(one / alone);
        gains.push(two / one);
        rates.push((alone, one, two));
    }
    let middle = |of: fn(&(f64, f64, f64)) -> f64| median(rates.iter().map(of).collect());
    println!("medians of {ROUNDS} rounds, in million slots a second:");
    println!("  bare sim, one core  {:7.3}", middle(|r| r.0) / 1e6);
    println!("  sweep, one core     {:7.3}", middle(|r| r.1) / 1e6);
    println!("  sweep, two cores    {:7.3}", middle(|r| r.2) / 1e6);
    println!("sweep / bare sim on one core: {:.1} % (bar: 90 %)", 100.0 * median(shares));
    println!("two cores / one core: {:.2} (bar: 1.6, on a quiet machine)", median(gains));
}
