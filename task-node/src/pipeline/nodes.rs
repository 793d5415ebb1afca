//! Sites over processes: this one is the device, all others are helper nodes, and data goes straight
//! from each to each.

use std::time::Duration;

use fogbit_node::pipeline::{Site, SiteError, SitePlan};
use fogbit_scenario::pipeline::{Application, ApplicationFate, Conditions, Measured};
use fogbit_transport::codec::DATA_LIMIT;
use fogbit_transport::compute::Opening;
use fogbit_transport::pipeline::{Ended, OpenPipeline, Part, SiteAddress, SiteReply, SiteRequest};
use fogbit_transport::wire::TrialId;
use fogbit_transport::{FrameReceiver, FrameSender, Member, WireError};
use quinn::Connection;
use tokio::sync::mpsc;

use super::parts::{cut, join};
use super::trial::PipelineFog;
use crate::trial::TrialError;

/// The device and its sessions at all helper nodes.
#[derive(Debug)]
pub(crate) struct NodeSites<'m> {
    member: &'m Member,
    device: Site,
    /// Helper node k is site k + 1.
    helpers: Vec<Helper>,
    /// After which time an application is given up; none in virtual time.
    timeout: Option<Duration>,
}

/// A session at one helper node. Nothing is emulated between it and the task node: only ways are.
#[derive(Debug)]
struct Helper {
    name: String,
    send: FrameSender,
    receive: FrameReceiver,
    _connection: Connection,
}

impl<'m> NodeSites<'m> {
    /// Opens the session of `trial` at each of `sites`, the first of which is this device, and all
    /// ways.
    ///
    /// # Errors
    /// If a helper node cannot be reached, or refuses.
    pub(crate) async fn open(
        member: &'m Member,
        trial: TrialId,
        sites: Vec<SiteAddress>,
        timeout_ns: Option<u64>,
    ) -> Result<NodeSites<'m>, TrialError> {
        let timeout = timeout_ns.map(Duration::from_nanos);
        let plan = SitePlan { trial, own: 0, sites: sites.clone(), real_time: timeout.is_some() };
        let device = Site::new(plan).map_err(|error| TrialError::Order(error.to_string()))?;
        let mut helpers = Vec::new();
        for site in 1..sites.len() {
            let SiteAddress { name, address } = &sites[site];
            let nowhere = || TrialError::Order(format!("the helper node {name} is nowhere"));
            let connection = member.connect(name, address.ok_or_else(nowhere)?).await?;
            let open = OpenPipeline { trial, site: site as u32, sites: sites.clone() };
            helpers.push(Helper::open(name, connection, open).await?);
        }
        let mut fog = NodeSites { member, device, helpers, timeout };
        fog.connect().await?;
        Ok(fog)
    }

    /// Opens all ways between all sites.
    async fn connect(&mut self) -> Result<(), TrialError> {
        for helper in &mut self.helpers {
            helper.tell(&SiteRequest::Connect).await?;
        }
        let names = self.names();
        // Nobody opens ways to the device.
        let (_none, mut incoming) = mpsc::channel(1);
        let here = async {
            let connected = self.device.connect(self.member, &mut incoming).await;
            connected.map_err(|error| of_device(&names, error))
        };
        let there = async {
            for helper in &mut self.helpers {
                match helper.hear().await? {
                    SiteReply::Connected => {}
                    other => return Err(helper.unexpected(&other)),
                }
            }
            Ok(())
        };
        tokio::try_join!(here, there).map(drop)
    }

    /// The names of the helper nodes, in order.
    fn names(&self) -> Vec<String> {
        self.helpers.iter().map(|helper| helper.name.clone()).collect()
    }

    /// Tells each site its part; gives the code of the first that refuses.
    async fn prepare(&mut self, parts: &[Option<Part>]) -> Result<Option<u32>, TrialError> {
        let mut refused = None;
        let (device, others) = parts.split_first().expect("the device is a site");
        for (helper, part) in self.helpers.iter_mut().zip(others) {
            if let Some(part) = part {
                helper.tell(&SiteRequest::Part(Box::new(part.clone()))).await?;
            }
        }
        if let Some(part) = device
            && let Err(error) = self.device.prepare(part.clone())
        {
            tracing::warn!(%error, "the device refuses its part");
            refused = Some(error.code() as u32);
        }
        for (helper, part) in self.helpers.iter_mut().zip(others) {
            let Some(part) = part else { continue };
            match helper.hear().await? {
                SiteReply::Ready { application } if application == part.application => {}
                SiteReply::Refused { application, code, message }
                    if application == part.application =>
                {
                    tracing::warn!(helper = helper.name, message, "a part is refused");
                    refused = refused.or(Some(code));
                }
                other => return Err(helper.unexpected(&other)),
            }
        }
        Ok(refused)
    }

    /// Runs what is ready at all sites, from now on, and gives what each has told; none if that takes too
    /// long.
    async fn run_parts(
        &mut self,
        parts: Vec<Option<Part>>,
    ) -> Result<Option<Vec<(Part, Ended)>>, TrialError> {
        let names = self.names();
        let mut parts = parts.into_iter();
        let device_part = parts.next().flatten();
        let others = self.helpers.iter_mut().zip(parts);
        let mut others: Vec<(&mut Helper, Part)> =
            others.filter_map(|(helper, part)| Some((helper, part?))).collect();
        for (helper, part) in &mut others {
            helper.tell(&SiteRequest::Begin { application: part.application }).await?;
        }
        // Those messages go before the input does, which may be a lot to seal: clocks would differ by
        // that.
        tokio::task::yield_now().await;
        let device = &mut self.device;
        let here = async {
            let Some(part) = device_part else { return Ok(None) };
            let ended = device.run(part.application).await;
            ended.map(|ended| Some((part, ended))).map_err(|error| of_device(&names, error))
        };
        let there = async {
            let mut told = Vec::new();
            for (helper, part) in others {
                match helper.hear().await? {
                    SiteReply::Ended(ended) if ended.application == part.application => {
                        told.push((part, ended));
                    }
                    other => return Err(helper.unexpected(&other)),
                }
            }
            Ok(told)
        };
        let all = async { tokio::try_join!(here, there) };
        let (here, mut told) = match self.timeout {
            None => all.await?,
            Some(limit) => match tokio::time::timeout(limit, all).await {
                Ok(all) => all?,
                Err(_) => return Ok(None),
            },
        };
        told.extend(here);
        Ok(Some(told))
    }

    /// Takes back whatever is under way at any site, so that what comes next begins with new ways.
    async fn begin_anew(&mut self) -> Result<(), TrialError> {
        self.device.abandon();
        for helper in &mut self.helpers {
            helper.tell(&SiteRequest::Abandon).await?;
        }
        for helper in &mut self.helpers {
            loop {
                match helper.hear().await? {
                    SiteReply::Abandoned => break,
                    // It was done just then.
                    SiteReply::Ended(_) => {}
                    other => return Err(helper.unexpected(&other)),
                }
            }
        }
        self.connect().await
    }
}

impl PipelineFog for NodeSites<'_> {
    async fn run(
        &mut self,
        number: u64,
        application: &Application,
        conditions: &Conditions,
        placement: &[u8],
    ) -> Result<(ApplicationFate, Option<Measured>), TrialError> {
        let sites = self.helpers.len() + 1;
        if conditions.sites().len() != sites {
            let told =
                format!("conditions of {} sites where there are {sites}", conditions.sites().len());
            return Err(TrialError::Order(told));
        }
        let real_time = self.timeout.is_some();
        let parts = cut(number, application, conditions, placement, real_time);
        if let Some(code) = self.prepare(&parts).await? {
            return Ok((ApplicationFate::Refused(code), None));
        }
        let Some(told) = self.run_parts(parts).await? else {
            self.begin_anew().await?;
            return Ok((ApplicationFate::TimedOut, None));
        };
        if !real_time {
            return Ok((ApplicationFate::Done, None));
        }
        let measured = join(application, conditions, placement, &told);
        let odd = || TrialError::Order("a site told of another part than its own".into());
        Ok((ApplicationFate::Done, Some(measured.ok_or_else(odd)?)))
    }
}

impl Helper {
    async fn open(
        name: &str,
        connection: Connection,
        open: OpenPipeline,
    ) -> Result<Helper, TrialError> {
        let opened = async {
            let (send, receive) = connection.open_bi().await?;
            let mut send = FrameSender::new(send, DATA_LIMIT);
            send.send(&Opening::Pipeline(open)).await?;
            Ok((send, FrameReceiver::new(receive, DATA_LIMIT)))
        };
        let (send, receive) = opened.await.map_err(|error| helper_error(name, error))?;
        let mut helper = Helper { name: name.to_owned(), send, receive, _connection: connection };
        match helper.hear().await? {
            SiteReply::Opened => Ok(helper),
            other => Err(helper.unexpected(&other)),
        }
    }

    async fn tell(&mut self, request: &SiteRequest) -> Result<(), TrialError> {
        self.send.send(request).await.map_err(|error| helper_error(&self.name, error))
    }

    async fn hear(&mut self) -> Result<SiteReply, TrialError> {
        self.receive.expect().await.map_err(|error| helper_error(&self.name, error))
    }

    fn unexpected(&self, told: &SiteReply) -> TrialError {
        helper_error(&self.name, WireError::Malformed(format!("{told:?} was not asked for")))
    }
}

fn helper_error(name: &str, error: WireError) -> TrialError {
    TrialError::Helper { helper: name.to_owned(), error }
}

/// What went wrong at the device: the fault of a helper node, if it is that of one.
fn of_device(helpers: &[String], error: SiteError) -> TrialError {
    let culprit = error.site().and_then(|site| helpers.get((site as usize).checked_sub(1)?));
    match (culprit, error) {
        (Some(name), SiteError::Way { error, .. }) => helper_error(name, error),
        (Some(name), error) => helper_error(name, WireError::Malformed(error.to_string())),
        (None, SiteError::Unreachable(error)) => error.into(),
        (None, SiteError::System(error)) => error.into(),
        (None, error) => TrialError::Order(error.to_string()),
    }
}
