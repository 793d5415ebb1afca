//! Whose turn it is to probe, where each link says for itself when it is ready.

use std::sync::Arc;

use fogbit_scenario::link::LinkSpec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::plan::{TOGETHER_BITS_S, share_bits_s};

/// Shares are handed out in thousands of bits a second.
const UNIT_BITS_S: u64 = 1_000;

/// The turns of one process: as many links are probed together as are in one of the [`waves`](super::waves).
/// Cloning gives another handle of the same turns.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Semaphore>);

/// A link may be probed until this is dropped.
#[derive(Debug)]
pub struct Turn {
    _share: Option<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns(Arc::new(Semaphore::new(units(TOGETHER_BITS_S) as usize)))
    }
}

impl Turns {
    /// Waits until `link` may be probed; first come, first served.
    pub async fn take(&self, link: &LinkSpec) -> Turn {
        // Nobody closes the semaphore; whoever did would not want anybody to wait.
        let share = Arc::clone(&self.0).acquire_many_owned(units(share_bits_s(link)));
        Turn { _share: share.await.ok() }
    }
}

fn units(bits_s: u64) -> u32 {
    u32::try_from(bits_s / UNIT_BITS_S).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fogbit_scenario::topology::LinkProfile;

    use super::*;

    /// How many links called `name` have a turn at the same time, of so many.
    async fn together(name: &str, links: usize) -> usize {
        let link = LinkProfile::Named(name.into()).resolve().unwrap().spec;
        let (turns, mut taken) = (Turns::default(), Vec::new());
        for _ in 0..links {
            let turn = tokio::time::timeout(Duration::from_millis(20), turns.take(&link));
            taken.extend(turn.await);
        }
        taken.len()
    }

    #[tokio::test]
    async fn as_many_have_a_turn_as_are_in_a_wave() {
        assert_eq!(together("5g", 3).await, 1);
        assert_eq!(together("lte", 5).await, 5);
        assert_eq!(together("loopback", 20).await, 16);
    }

    #[tokio::test]
    async fn a_turn_that_is_over_is_somebody_elses() {
        let link = LinkProfile::Named("5g".into()).resolve().unwrap().spec;
        let turns = Turns::default();
        for _ in 0..3 {
            drop(turns.take(&link).await);
        }
    }
}
