//! Feedback by a deadline: the probability to answer in time, and its mistakes in a topology file.

#[path = "../common/mod.rs"]
mod common;
mod elements;
mod mistakes;
mod probability;
