//! One seed of a pipeline scenario.

use serde::{Deserialize, Serialize};

use super::application::Application;
use super::cost::Conditions;
use super::generator::{ApplicationDraws, ConditionDraws};
use super::scenario::PipelineScenario;
use crate::draw::{Key, Purpose};

/// Where applications come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ApplicationSource {
    /// Each is drawn.
    Drawn(ApplicationDraws),
    /// These take turns; at least one.
    Given(Vec<Application>),
}

impl ApplicationSource {
    /// Application `number`, from 1, under the draws of `key`.
    pub fn application(&self, key: &Key, number: u64) -> Application {
        match self {
            ApplicationSource::Drawn(draws) => draws.application(key, number),
            ApplicationSource::Given(all) => {
                all[((number - 1) % all.len() as u64) as usize].clone()
            }
        }
    }

    /// The largest number of sub-tasks of an application.
    pub fn most_sub_tasks(&self) -> usize {
        match self {
            ApplicationSource::Drawn(draws) => draws.sub_tasks[1] as usize,
            ApplicationSource::Given(all) => {
                all.iter().map(|own| own.sub_tasks().len()).max().unwrap_or(0)
            }
        }
    }
}

/// The draws of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PipelineKeys {
    /// Of the applications.
    pub applications: Key,
    /// Of the conditions that they meet.
    pub conditions: Key,
    /// Of random placements.
    pub random: Key,
}

/// A pipeline scenario under one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineInstance {
    /// The seed; it does not travel.
    #[serde(skip)]
    pub seed: u64,
    /// Number of applications.
    pub applications: u64,
    /// Where they come from.
    pub source: ApplicationSource,
    /// How the conditions are drawn that they meet.
    pub conditions: ConditionDraws,
    /// The draws.
    pub keys: PipelineKeys,
    /// After which time an application is given up, in nanoseconds; none in virtual time.
    pub timeout_ns: Option<u64>,
}

impl PipelineInstance {
    pub(super) fn new(scenario: &PipelineScenario, seed: u64) -> PipelineInstance {
        let key = |purpose| Key::derive(seed, purpose, 0);
        PipelineInstance {
            seed,
            applications: scenario.applications(),
            source: scenario.source().clone(),
            conditions: scenario.condition_draws().clone(),
            keys: PipelineKeys {
                applications: key(Purpose::Applications),
                conditions: key(Purpose::SiteConditions),
                random: key(Purpose::RandomPlacement),
            },
            timeout_ns: scenario.timeout_ns(),
        }
    }

    /// Application `number`, from 1.
    pub fn application(&self, number: u64) -> Application {
        self.source.application(&self.keys.applications, number)
    }

    /// The conditions that application `number`, from 1, meets.
    pub fn conditions(&self, number: u64) -> Conditions {
        self.conditions.conditions(&self.keys.conditions, number)
    }
}
