//! The problem `pipeline`: applications that are graphs of sub-tasks arrive at the device; each
//! sub-task runs on the device, at the edge or in the cloud; what counts is the delay.

mod application;
mod cost;
mod generator;
mod schedule;

pub use application::{Application, Flow, SiteSet, SubTask};
pub use cost::{Conditions, CostTable, SiteState, Way};
pub use generator::{ApplicationDraws, ConditionDraws, Shape, SiteDraws, WayDraws};
pub use schedule::{Schedule, Scheduler, Span};
