//! A site: its place in a plan, its ways, and the part that is next.

use fogbit_scenario::pipeline::SiteSet;
use fogbit_scenario::work::ComputeSpec;
use fogbit_transport::Member;
use fogbit_transport::pipeline::{Ended, Part, SiteAddress};
use fogbit_transport::wire::TrialId;
use tokio::sync::mpsc;

use super::error::{PartError, SiteError};
use super::part;
use super::run::Ready;
use super::ways::{IncomingWay, Ways};
use crate::compute::ComputeService;

/// A site's place among all sites of a trial.
#[derive(Debug, Clone)]
pub struct SitePlan {
    /// The trial.
    pub trial: TrialId,
    /// Its own number.
    pub own: u32,
    /// All sites by number, the device first.
    pub sites: Vec<SiteAddress>,
    /// Whether sub-tasks and flows take their time.
    pub real_time: bool,
}

/// A site of a trial. Dropped, it leaves nothing behind: no way and no sub-task.
#[derive(Debug)]
pub struct Site {
    plan: SitePlan,
    ways: Option<Ways>,
    ready: Option<Ready>,
}

impl Site {
    /// A site without ways.
    ///
    /// # Errors
    /// If the plan has too many sites or no such one, or does not say where a helper node is.
    pub fn new(plan: SitePlan) -> Result<Site, SiteError> {
        let count = plan.sites.len();
        if !(1..=SiteSet::MOST).contains(&count) || plan.own as usize >= count {
            return Err(SiteError::Plan(format!("site {} of {count}", plan.own)));
        }
        if let Some(nowhere) = plan.sites[1..].iter().find(|site| site.address.is_none()) {
            return Err(SiteError::Plan(format!("nobody says where {} is", nowhere.name)));
        }
        Ok(Site { plan, ways: None, ready: None })
    }

    /// Opens the ways to all sites with larger numbers, and waits for those of the others, which come
    /// through `incoming`.
    ///
    /// # Errors
    /// If a site cannot be reached or does not come.
    pub async fn connect(
        &mut self,
        member: &Member,
        incoming: &mut mpsc::Receiver<IncomingWay>,
    ) -> Result<(), SiteError> {
        self.abandon();
        self.ways = Some(Ways::open(&self.plan, member, incoming).await?);
        Ok(())
    }

    /// Gets ready for a part, in place of one that has not begun: its ways become what it says. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// If the part makes no sense, or the system has no timer or thread for it.
    pub fn prepare(&mut self, next: Part) -> Result<(), PartError> {
        self.ready = None;
        part::check(&next, self.plan.own, self.plan.sites.len(), self.plan.real_time)?;
        let ways = self.ways.as_ref().ok_or(PartError::NotConnected)?;
        let computer = |spec| ComputeService::new(spec);
        let spec = next
            .state
            .as_ref()
            .map(|state| ComputeSpec { queue_limit: next.sub_tasks.len() as u32, ..state.compute });
        let service = spec.map(computer).transpose()?;
        for (site, way) in &next.ways {
            ways.set(*site, way);
        }
        self.ready = Some(Ready { part: next, service });
        Ok(())
    }

    /// Runs the part that is ready, which begins now. Whoever drops the future has to
    /// [`abandon`](Self::abandon) what is under way.
    ///
    /// # Errors
    /// If that of `application` is not ready, another site is lost or sends what it should not, or a
    /// sub-task fails.
    pub async fn run(&mut self, application: u64) -> Result<Ended, SiteError> {
        let ready = self.ready.take().filter(|ready| ready.part.application == application);
        match (ready, &mut self.ways) {
            (Some(ready), Some(ways)) => ready.run(ways).await,
            _ => Err(SiteError::NotReady(application)),
        }
    }

    /// Takes back whatever is ready or under way, and closes all ways.
    pub fn abandon(&mut self) {
        self.ready = None;
        self.ways = None;
    }
}
