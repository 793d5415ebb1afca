//! How far a suite is, for the progress display.

use std::sync::{Arc, Mutex, PoisonError};

use crate::harness::RunBoard;
use crate::progress::{Progress, Watched};

/// The board of a suite: it adds up those of its experiments.
#[derive(Debug)]
pub struct BenchBoard {
    planned: u64,
    experiments: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    boards: Vec<Arc<RunBoard>>,
    done: usize,
}

impl BenchBoard {
    /// Of so many experiments with so many tasks in all.
    pub fn new(experiments: usize, planned: u64) -> BenchBoard {
        BenchBoard { planned, experiments, state: Mutex::default() }
    }

    /// An experiment begins.
    pub fn begun(&self, board: Arc<RunBoard>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).boards.push(board);
    }

    /// One has ended.
    pub fn ended(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).done += 1;
    }
}

impl Watched for BenchBoard {
    fn planned(&self) -> Option<u64> {
        Some(self.planned)
    }

    fn stage_text(&self) -> String {
        String::new()
    }

    fn progress(&self) -> Vec<Progress<'_>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = state.boards.iter().flat_map(|board| {
            board.progress().into_iter().map(|progress| progress.slots).collect::<Vec<_>>()
        });
        let told = format!("{} of {} experiments", state.done, self.experiments);
        vec![Progress { name: "bench", slots: slots.sum(), told: Some(told) }]
    }
}
