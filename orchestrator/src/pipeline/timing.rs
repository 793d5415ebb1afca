//! How long decisions take.
//!
//! They are timed by themselves, once for a run and apart from its trials: what a host does beside them
//! must not reach results that are the same each time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use fogbit_policy::pipeline::{PipelinePolicy, SearchPolicy, Sight};
use fogbit_scenario::pipeline::{Application, Conditions, PipelineInstance};
use fogbit_scenario::topology::SearchMethod;
use serde::{Deserialize, Serialize};

/// Decisions are timed on so many applications, the first ones of the first seed.
pub const APPLICATIONS: u64 = 512;
/// Decisions that are timed at once: to read the clock takes as long as a fast one.
const AT_ONCE: usize = 16;
/// Where the first [`AT_ONCE`] take longer than this, each is timed by itself.
const SLOW: Duration = Duration::from_millis(1);
/// How often all of them are placed, at most.
const PASSES: usize = 21;
/// After this long no further pass begins, and none goes on that has timed something.
const ENOUGH: Duration = Duration::from_millis(400);

/// How long the decisions of a policy take on one core of this host: from an application and what it
/// meets to a placement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DecisionTimes {
    /// Median in nanoseconds, of means over a few applications each.
    pub median_ns: f64,
    /// 95th percentile of the same.
    pub p95_ns: f64,
    /// How many applications were placed.
    pub applications: u64,
}

/// Applications to time decisions with: the first ones of a trial.
#[derive(Debug)]
pub struct TimedApplications {
    all: Vec<(u64, Application, Conditions)>,
}

impl TimedApplications {
    /// The first applications of `instance`, whether or not the trial has so many.
    pub fn of(instance: &PipelineInstance) -> TimedApplications {
        let one = |number| (number, instance.application(number), instance.conditions(number));
        TimedApplications { all: (1..=APPLICATIONS).map(one).collect() }
    }

    /// Times `policy`.
    pub fn time(&self, policy: &mut dyn PipelinePolicy) -> DecisionTimes {
        let (mut times, mut placement, mut placed) = (Vec::new(), Vec::new(), 0);
        let mut place = |(number, application, conditions): &(u64, Application, Conditions)| {
            let sight = Sight { number: *number, application, conditions };
            policy.place(black_box(&sight), &mut placement);
            black_box(&placement);
        };
        let begun = Instant::now();
        // Applications may differ: one that takes long may come after quick ones.
        let is_slow = self.all.iter().take(AT_ONCE).any(|own| {
            place(own);
            begun.elapsed() > SLOW
        });
        let at_once = if is_slow { 1 } else { AT_ONCE };
        'passes: for _ in 0..PASSES {
            for some in self.all.chunks(at_once) {
                let started = Instant::now();
                some.iter().for_each(&mut place);
                times.push(started.elapsed().as_nanos() as f64 / some.len() as f64);
                placed += some.len() as u64;
                if begun.elapsed() > ENOUGH {
                    break 'passes;
                }
            }
        }
        times.sort_by(f64::total_cmp);
        let quantile = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        DecisionTimes { median_ns: quantile(0.5), p95_ns: quantile(0.95), applications: placed }
    }

    /// The largest number of placements that an application has.
    pub fn placements(&self) -> f64 {
        let of = |application: &Application| -> f64 {
            application.sub_tasks().iter().map(|own| own.sites.len() as f64).product()
        };
        self.all.iter().map(|(_, application, _)| of(application)).fold(0.0, f64::max)
    }

    /// Times exhaustive search, for comparison; none where it has too much to try.
    pub fn exhaustive(&self) -> Option<DecisionTimes> {
        let mut search = SearchPolicy::new(SearchMethod::Exhaustive);
        (self.placements() <= MOST_PLACEMENTS).then(|| self.time(&mut search))
    }
}

/// Exhaustive search is timed up to so many placements of an application: there is time to try them for a
/// few applications.
pub const MOST_PLACEMENTS: f64 = 20_000.0;

/// How long the decisions of a run's policies take.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTimes {
    /// Of each policy, in the order of the plan.
    pub policies: Vec<DecisionTimes>,
    /// Of exhaustive search on the same applications; none where there are too many placements.
    pub exhaustive: Option<DecisionTimes>,
    /// The largest number of placements that one of these applications has.
    pub placements: f64,
}
