//! The problem `placement` in virtual time: whole trials.

mod bars;
mod common;
