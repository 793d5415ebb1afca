//! Everything at one site.

use super::{PipelinePolicy, Sight};

/// All sub-tasks at one site; one that may not run there runs at the first site where it may.
#[derive(Debug, Clone)]
pub struct FixedSite {
    site: usize,
}

impl FixedSite {
    /// All at site `site`.
    pub fn new(site: usize) -> FixedSite {
        FixedSite { site }
    }
}

impl PipelinePolicy for FixedSite {
    fn place(&mut self, sight: &Sight<'_>, placement: &mut Vec<u8>) {
        placement.clear();
        for own in sight.application.sub_tasks() {
            let site =
                if own.sites.has(self.site) { Some(self.site) } else { own.sites.iter().next() };
            placement.push(site.expect("each sub-task runs somewhere") as u8);
        }
    }
}
