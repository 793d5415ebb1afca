//! The problem `pipeline`: applications that are graphs of sub-tasks arrive at the device; each
//! sub-task runs on the device, at the edge or in the cloud; what counts is the delay.

mod application;
mod cost;
mod generator;
mod instance;
mod scenario;
mod schedule;
mod step;

pub use application::{Application, Flow, SiteSet, SubTask};
pub use cost::{Conditions, CostTable, SiteState, Way};
pub use generator::{ApplicationDraws, ConditionDraws, Shape, SiteDraws, WayDraws};
pub use instance::{ApplicationSource, PipelineInstance, PipelineKeys};
pub use scenario::PipelineScenario;
pub use schedule::{Schedule, Scheduler, Span};
pub use step::{ApplicationFate, ApplicationStep, Measured};
