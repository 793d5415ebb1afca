//! Applications, what they cost, and what happens when they run.

mod drawn;
mod schedules;
