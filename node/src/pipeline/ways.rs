//! The ways of a site: connections of their own, each with one stream, on which flows follow one another.
//!
//! Only the giver's side of a way is shaped. What the taker sends back on it, acknowledgements, goes
//! past all links, so that it takes nothing from the way in the other direction. A site opens ways that
//! lead from it on one socket, whose packets take the links, and those that lead back on another one,
//! where nothing is emulated; at the other end both come to the node's own socket, where the link of a
//! way back is that to the socket it was opened from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fogbit_scenario::draw::{Key, Purpose};
use fogbit_scenario::link::Direction;
use fogbit_scenario::pipeline::Way;
use fogbit_transport::codec::encode;
use fogbit_transport::pipeline::{
    FLOW_HEAD_LIMIT, FlowHead, Leads, OpenWay, WayOpened, WaySocket, line_rate,
};
use fogbit_transport::{CloseCode, Links, Member, WireError};
use quinn::{Connection, RecvStream, SendStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::carrier::{begin, read, write, write_error};
use super::error::SiteError;
use super::site::SitePlan;

/// What has been heard and not been looked at yet; whoever sends more waits.
const UNHEARD: usize = 256;
/// All sites open their ways within this time. With 31 helper nodes and many policies side by side there are
/// thousands.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// Packets are to be as large as they can be before a flow takes a link; it is not waited for longer.
const GROW_WITHIN: Duration = Duration::from_millis(100);
/// The UDP payload that packets grow to where the path takes it, as on Ethernet.
const FULL_PACKET: u16 = 1452;

/// A way that another site has opened to here.
#[derive(Debug)]
pub struct IncomingWay {
    open: OpenWay,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    /// Those of the socket to which it came.
    links: Links,
}

/// Answers a way that may be opened, and gives it to its session.
///
/// # Errors
/// If the other side is gone.
pub async fn accept_way(
    open: OpenWay,
    connection: Connection,
    (mut send, receive): (SendStream, RecvStream),
    links: Links,
) -> Result<IncomingWay, WireError> {
    let mut frame = Vec::new();
    encode(&WayOpened, &mut frame, FLOW_HEAD_LIMIT)?;
    send.write_all(&frame).await.map_err(write_error)?;
    Ok(IncomingWay { open, connection, send, receive, links })
}

/// What comes on ways.
#[derive(Debug)]
pub(super) enum Heard {
    /// A flow, whose last byte was there at this moment.
    Flow(FlowHead, Instant),
    /// The way is gone.
    Lost(WireError),
}

/// All ways from and to a site; dropped, they are closed.
#[derive(Debug)]
pub(super) struct Ways {
    out: BTreeMap<u32, WayOut>,
    connections: Vec<Connection>,
    /// Writers and readers, which end with it.
    _carriers: JoinSet<()>,
    heard: mpsc::Receiver<(u32, Heard)>,
    /// From which ways were opened.
    _sockets: [WaySocket; 2],
}

/// A way from here.
#[derive(Debug)]
struct WayOut {
    flows: mpsc::UnboundedSender<FlowHead>,
    connection: Connection,
    links: Links,
    peer: SocketAddr,
}

/// Ways while they are being opened.
struct Unfinished<'p> {
    plan: &'p SitePlan,
    out: BTreeMap<u32, WayOut>,
    connections: Vec<Connection>,
    carriers: JoinSet<()>,
    tell: mpsc::Sender<(u32, Heard)>,
}

impl Ways {
    /// Opens the ways to all sites with larger numbers, and waits for those of the others.
    pub(super) async fn open(
        plan: &SitePlan,
        member: &Member,
        incoming: &mut mpsc::Receiver<IncomingWay>,
    ) -> Result<Ways, SiteError> {
        let sockets = [member.way_socket()?, member.way_socket()?];
        let (tell, heard) = mpsc::channel(UNHEARD);
        let mut opening = Unfinished {
            plan,
            out: BTreeMap::new(),
            connections: Vec::new(),
            carriers: JoinSet::new(),
            tell,
        };
        let opened = async {
            opening.dial(&sockets).await?;
            opening.take(incoming).await?;
            opening.grow().await;
            Ok(())
        };
        let opened = tokio::time::timeout(CONNECT_WITHIN, opened).await;
        let Unfinished { out, connections, carriers, .. } = opening;
        let ways = Ways { out, connections, _carriers: carriers, heard, _sockets: sockets };
        match opened {
            Ok(opened) => opened.map(|()| ways),
            Err(_) => Err(SiteError::Alone(CONNECT_WITHIN.as_secs())),
        }
    }

    /// What is sent to `site` from now on takes `way`, from which nothing is under way.
    pub(super) fn set(&self, site: u32, way: &Way) {
        let Some(out) = self.out.get(&site) else { return };
        let direction = Direction {
            rate_bits_s: Some(line_rate(way, packet_bytes(&out.connection))),
            delay_ns: way.delay_ns,
            queue_bytes: u64::MAX,
            ..Direction::UNIMPAIRED
        };
        // Such a link draws nothing.
        out.links.set(out.peer, direction, Key::derive(0, Purpose::LinkUp, 0));
    }

    /// Sends a flow to `site` behind all others.
    pub(super) fn send(&self, site: u32, head: FlowHead) {
        if let Some(out) = self.out.get(&site) {
            // A writer that is gone has said why.
            let _ = out.flows.send(head);
        }
    }

    /// What comes next, and from which site. Dropping the future loses nothing.
    pub(super) async fn hear(&mut self) -> (u32, Heard) {
        match self.heard.recv().await {
            Some(heard) => heard,
            // Nobody is left to say anything.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        for out in self.out.values() {
            out.links.remove(out.peer);
        }
        for connection in &self.connections {
            connection.close(CloseCode::Stopped.var_int(), b"the ways are closed");
        }
    }
}

impl Unfinished<'_> {
    /// Opens both ways to each site with a larger number.
    async fn dial(&mut self, sockets: &[WaySocket; 2]) -> Result<(), SiteError> {
        let own = self.plan.own;
        for site in own + 1..self.plan.sites.len() as u32 {
            for (socket, leads) in sockets.iter().zip([Leads::There, Leads::Back]) {
                let address = &self.plan.sites[site as usize];
                let to = address.address.expect("a plan whose helper nodes have addresses");
                let connection = socket.connect(&address.name, to).await?;
                self.connections.push(connection.clone());
                let open = OpenWay { trial: self.plan.trial, site: own, leads };
                let (send, receive) = begin(&connection, open)
                    .await
                    .map_err(|error| SiteError::Way { site, error })?;
                match leads {
                    Leads::There => self.gives(site, send, connection, socket.links().clone()),
                    Leads::Back => self.takes(site, receive),
                }
            }
        }
        Ok(())
    }

    /// Takes both ways of each site with a smaller number.
    async fn take(&mut self, incoming: &mut mpsc::Receiver<IncomingWay>) -> Result<(), SiteError> {
        let mut due: Vec<(u32, Leads)> = (0..self.plan.own)
            .flat_map(|site| [(site, Leads::There), (site, Leads::Back)])
            .collect();
        while !due.is_empty() {
            let Some(way) = incoming.recv().await else { return Ok(()) };
            let IncomingWay { open: OpenWay { site, leads, .. }, connection, .. } = &way;
            let Some(at) = due.iter().position(|own| own == &(*site, *leads)) else {
                connection.close(CloseCode::BadRequest.var_int(), b"this way is open already");
                continue;
            };
            due.swap_remove(at);
            self.connections.push(connection.clone());
            let IncomingWay { open: OpenWay { site, leads, .. }, connection, .. } = way;
            match leads {
                Leads::There => self.takes(site, way.receive),
                Leads::Back => self.gives(site, way.send, connection, way.links),
            }
        }
        Ok(())
    }

    /// Waits until packets are as large as they will be, where links are emulated: their headers count.
    async fn grow(&self) {
        let small = || self.out.values().any(|out| packet_bytes(&out.connection) < FULL_PACKET);
        let grown = async {
            while small() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if self.plan.real_time {
            // Where the path does not take them they remain small.
            let _ = tokio::time::timeout(GROW_WITHIN, grown).await;
        }
    }

    /// A way from here to `site`.
    fn gives(&mut self, site: u32, send: SendStream, connection: Connection, links: Links) {
        let (flows, to_send) = mpsc::unbounded_channel();
        let (tell, peer) = (self.tell.clone(), connection.remote_address());
        self.carriers.spawn(async move {
            if let Err(error) = write(send, to_send).await {
                let _ = tell.send((site, Heard::Lost(error))).await;
            }
        });
        self.out.insert(site, WayOut { flows, connection, links, peer });
    }

    /// A way from `site` to here.
    fn takes(&mut self, site: u32, receive: RecvStream) {
        let tell = self.tell.clone();
        self.carriers.spawn(async move {
            let error = read(receive, site, &tell).await;
            let _ = tell.send((site, Heard::Lost(error))).await;
        });
    }
}

/// The UDP payload of packets that are sent now.
fn packet_bytes(connection: &Connection) -> u16 {
    connection.stats().path.current_mtu
}
