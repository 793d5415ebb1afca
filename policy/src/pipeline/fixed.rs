//! Everything at one site.

use super::{PipelinePolicy, Sight};

/// All sub-tasks at one site; one that may not run there runs at the first site where it may.
#[derive(Debug, Clone)]
pub struct FixedPlacement {
    site: usize,
}

impl FixedPlacement {
    /// All at site `site`.
    pub fn new(site: usize) -> FixedPlacement {
        FixedPlacement { site }
    }
}

impl PipelinePolicy for FixedPlacement {
    fn place(&mut self, sight: &Sight<'_>, placement: &mut Vec<u8>) {
        placement.clear();
        for own in sight.application.sub_tasks() {
            let site =
                if own.sites.has(self.site) { Some(self.site) } else { own.sites.iter().next() };
            placement.push(site.expect("each sub-task runs somewhere") as u8);
        }
    }
}
