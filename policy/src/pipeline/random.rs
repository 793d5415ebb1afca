//! Placements by chance.

use fogbit_scenario::draw::{Key, Stream};

use super::{PipelinePolicy, Sight};

/// Each sub-task at one of its sites, all equally likely.
#[derive(Debug, Clone)]
pub struct RandomSites {
    key: Key,
}

impl RandomSites {
    /// Draws of child `i` of `key` are those of application `i`, draw `k` from 1 that of sub-task
    /// `k - 1`.
    pub fn new(key: Key) -> RandomSites {
        RandomSites { key }
    }
}

impl PipelinePolicy for RandomSites {
    fn place(&mut self, sight: &Sight<'_>, placement: &mut Vec<u8>) {
        let mut draws = Stream::new(&self.key.child(sight.number));
        placement.clear();
        for (number, own) in sight.application.sub_tasks().iter().enumerate() {
            let drawn = draws.uniform(number as u64 + 1);
            let place = (drawn * own.sites.len() as f64) as usize;
            let site = own.sites.iter().nth(place).expect("a draw lies below 1");
            placement.push(site as u8);
        }
    }
}
