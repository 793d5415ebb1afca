//! Sites of which the test itself is the device.

use fogbit_node::pipeline::{Site, SitePlan};
use fogbit_scenario::pipeline::{SiteState, Way};
use fogbit_scenario::work::{ComputeSpec, Execution};
use fogbit_transport::codec::{DATA_LIMIT, FrameReceiver, FrameSender};
use fogbit_transport::compute::Opening;
use fogbit_transport::pipeline::{
    FlowEnd, OpenPipeline, Part, PartFlow, PartTask, SiteAddress, SiteReply, SiteRequest,
};
use fogbit_transport::wire::TrialId;
use fogbit_transport::{CloseCode, Member, Role, WireError};
use quinn::Connection;
use tokio::sync::mpsc;

use crate::hub::{Hub, PLAYER, TRIAL, soon};

/// A stream to a helper node.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    pub(crate) send: FrameSender,
    pub(crate) receive: FrameReceiver,
}

impl Session {
    pub(crate) async fn with(connection: Connection, opening: Opening) -> Session {
        let (send, receive) = connection.open_bi().await.unwrap();
        let mut send = FrameSender::new(send, DATA_LIMIT);
        send.send(&opening).await.unwrap();
        Session { connection, send, receive: FrameReceiver::new(receive, DATA_LIMIT) }
    }

    /// Asks helper node h1, or whoever is site `site`, for the session of `trial`.
    pub(crate) async fn ask(
        member: &Member,
        trial: TrialId,
        site: u32,
        sites: Vec<SiteAddress>,
    ) -> Session {
        let SiteAddress { name, address } = &sites[site as usize];
        let connection = soon(member.connect(name, address.unwrap())).await.unwrap();
        let open = OpenPipeline { trial, site, sites };
        Session::with(connection, Opening::Pipeline(open)).await
    }

    pub(crate) async fn open(member: &Member, site: u32, sites: Vec<SiteAddress>) -> Session {
        let mut session = Session::ask(member, TRIAL, site, sites).await;
        assert_eq!(session.hear().await.unwrap(), SiteReply::Opened);
        session
    }

    pub(crate) async fn hear(&mut self) -> Result<SiteReply, WireError> {
        soon(self.receive.expect()).await
    }

    pub(crate) async fn answer(&mut self, request: SiteRequest) -> SiteReply {
        self.send.send(&request).await.unwrap();
        self.hear().await.unwrap()
    }

    /// The code with which it was closed.
    pub(crate) async fn code(&mut self) -> Option<CloseCode> {
        self.hear().await.expect_err("it was closed").code()
    }
}

/// A device and helper nodes whose sessions are open, with all ways.
pub(crate) struct Plan {
    pub(crate) device: Site,
    pub(crate) sessions: Vec<Session>,
    pub(crate) member: Member,
    pub(crate) _hub: Hub,
}

impl Plan {
    pub(crate) async fn new(helpers: u32, real_time: bool) -> Plan {
        let mut hub = Hub::with_sites(helpers, real_time).await;
        let member = hub.member(Role::TaskNode, PLAYER).await;
        let sites = hub.sites(PLAYER);
        let mut sessions = Vec::new();
        for site in 1..=helpers {
            sessions.push(Session::open(&member, site, sites.clone()).await);
        }
        let plan = SitePlan { trial: TRIAL, own: 0, sites, real_time };
        let mut device = Site::new(plan).unwrap();
        for session in &mut sessions {
            session.send.send(&SiteRequest::Connect).await.unwrap();
        }
        let (_none, mut incoming) = mpsc::channel(1);
        soon(device.connect(&member, &mut incoming)).await.unwrap();
        for session in &mut sessions {
            assert_eq!(session.hear().await.unwrap(), SiteReply::Connected);
        }
        Plan { device, sessions, member, _hub: hub }
    }
}

pub(crate) fn flow(flow: u32, from: FlowEnd, to: FlowEnd, bytes: u64) -> PartFlow {
    PartFlow { flow, from, to, bytes }
}

pub(crate) fn task(number: u32) -> PartTask {
    PartTask { number, cycles: 1_000_000 }
}

pub(crate) fn state() -> SiteState {
    let compute = ComputeSpec {
        frequency_ghz: 1.0,
        load: 0.0,
        service_overhead_ns: 0,
        workers: 1,
        queue_limit: 0,
        payload_limit: 0,
        execution: Execution::Timed,
    };
    SiteState { compute, busy_ns: 0 }
}

pub(crate) const WAY: Way = Way { rate_bits_s: 10_000_000, delay_ns: 1_000_000 };

/// Site 1's part of a chain: sub-task 0 takes input, gives to sub-task 2 here, which gives output.
pub(crate) fn part() -> Part {
    use FlowEnd::{Site, SubTask};
    Part {
        application: 1,
        state: Some(state()),
        ways: vec![(0, WAY)],
        sub_tasks: vec![task(0), task(2)],
        flows: vec![
            flow(0, Site(0), SubTask(0), 1000),
            flow(1, SubTask(0), SubTask(2), 1000),
            flow(2, SubTask(2), Site(0), 1000),
        ],
    }
}

/// The device's part of the same.
pub(crate) fn device_part() -> Part {
    use FlowEnd::{Device, Site};
    Part {
        ways: vec![(1, WAY)],
        sub_tasks: vec![],
        flows: vec![flow(0, Device, Site(1), 1000), flow(2, Site(1), Device, 1000)],
        ..part()
    }
}
