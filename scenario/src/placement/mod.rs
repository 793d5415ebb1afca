//! The problem `placement`: each task runs on the task node or on a helper node, and what counts is
//! how long it takes.

mod step;

pub use step::{Execution, Fate, Site, SiteSight, Step, Task};
