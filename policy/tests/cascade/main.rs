//! The solvers of the problem `cascade`: against brute force where everything can be enumerated, and
//! against the figures of the paper.

mod brute;
mod order;
mod paper;
mod play;
