//! A site of the problem `pipeline` over processes: it is told its part of each application, runs what
//! is placed on it, and sends flows straight to the other sites. Helper nodes are such sites, and so is
//! the device, which is the task node.
//!
//! A [`Site`] opens its ways ([`connect`](Site::connect)), gets ready for a part
//! ([`prepare`](Site::prepare)), and runs it ([`run`](Site::run)). Who takes what runs back
//! ([`abandon`](Site::abandon)) loses the ways too: no byte of it can meet what comes after.

mod carrier;
mod error;
mod part;
mod progress;
mod run;
mod site;
mod ways;

pub use error::{PartError, SiteError};
pub use part::{MOST_BYTES, MOST_DELAY_NS, MOST_FLOWS, MOST_SUB_TASKS};
pub use site::{Site, SitePlan};
pub use ways::{IncomingWay, accept_way};
