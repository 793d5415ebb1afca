//! Applications, what they cost, and what happens when they run.

mod bad_input;
#[path = "../common/mod.rs"]
mod common;
mod drawn;
mod files;
mod schedules;
