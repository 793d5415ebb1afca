//! Applications, what they cost, and what happens when they run.

mod bad_input;
mod drawn;
mod schedules;
