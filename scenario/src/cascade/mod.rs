//! The problem `cascade`: each image is classified on the task node, and may be sent to a helper node
//! that does it better, as far as a token bucket allows; what counts is the loss.
//!
//! [`CascadeScenario`] is a checked topology, [`CascadeInstance`] that under one seed.
//! [`ImageStream`] says which image comes when, [`TokenBucket`] what may be sent, [`ImageTable`] what
//! the classifiers say of each image, and [`Setting`] is what a policy may know beforehand.
//!
//! Source: Qiu, Wang, Chakrabarti, Guérin, Lu, "Adaptive Edge Offloading for Image Classification
//! Under Rate Limit", arXiv 2208.00485; in comments, "the paper".

mod bucket;
mod columns;
mod images;
mod instance;
mod metric;
mod scenario;
mod setting;
mod step;
mod stream;
mod trace;

pub use bucket::TokenBucket;
pub use images::{ImageRow, ImageTable};
pub use instance::{CascadeInstance, EdgePart};
pub use metric::{EntropySample, MetricCurve};
pub use scenario::{CascadeScenario, EdgeNode};
pub use setting::Setting;
pub use step::{Fate, ImageStep, Sight, Stages};
pub use stream::{Arrival, ArrivalProcess, Hidden, ImageStream, RingWalk, StreamKeys};
pub use trace::{TraceRow, read_trace};
