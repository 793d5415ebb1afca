//! UDP sockets and QUIC's own settings.

use std::any::Any;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory};
use quinn::{Endpoint, EndpointConfig, MtuDiscoveryConfig, Runtime, TransportConfig, VarInt};

use crate::emulation::{EmulatedSocket, Links};

/// A peer that is silent for this long is gone.
pub const SILENCE: Duration = Duration::from_secs(10);
/// A link that may lose everything for a while is given up after this long: that its end is gone is
/// known otherwise.
pub const OUTAGE: Duration = Duration::from_secs(3600);
/// How often a quiet connection shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// The largest UDP payload that is probed for, in bytes.
const LARGEST_PACKET: u16 = 16_384;
/// The largest UDP payload that is probed for where links are emulated: packets of Ethernet, as real
/// links have them. At a rate, and by loss, a packet of 16 KB is something else.
const LARGEST_PACKET_ON_LINKS: u16 = 1_452;
/// Bytes of flows that may be under way on one connection: enough for 1 Gbit/s and 0.1 s, and an
/// emulated socket has room for those of seven.
const FLOWS_UNDER_WAY: u32 = 16 << 20;
/// Bytes of send buffer and of receive buffer that are asked of the kernel, which may give less. A
/// hundred nodes that join at once need it.
pub const SOCKET_BUFFER: usize = 4 << 20;

/// A QUIC endpoint on `address`.
///
/// # Errors
/// If the address is in use or not ours.
pub fn bind(address: SocketAddr) -> std::io::Result<Endpoint> {
    Endpoint::new(endpoint_config(), None, bind_socket(address)?, runtime())
}

/// A QUIC endpoint on `address` whose packets can be put on emulated links.
///
/// # Errors
/// If the address is in use or not ours, or if the process may not have another file descriptor.
pub fn bind_with_links(address: SocketAddr) -> std::io::Result<(Endpoint, Links)> {
    let runtime = runtime();
    let (socket, links) = EmulatedSocket::new(bind_socket(address)?, &*runtime)?;
    let socket = Arc::new(socket);
    let endpoint = Endpoint::new_with_abstract_socket(endpoint_config(), None, socket, runtime)?;
    Ok((endpoint, links))
}

fn runtime() -> Arc<dyn Runtime> {
    quinn::default_runtime().expect("an endpoint is made within a tokio runtime")
}

fn endpoint_config() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    // Greasing unsets by chance the bit by which raw packets are told from QUIC.
    config.grease_quic_bit(false);
    config
}

fn bind_socket(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // What the kernel does not give is not an error; links warn of it.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    Ok(socket)
}

/// The settings of every connection. The other side may open `streams` streams at once, and with
/// each of them make this side keep what it has not read yet.
pub fn transport_config(streams: u32) -> Arc<TransportConfig> {
    // Loopback takes far larger packets than Ethernet; elsewhere the probes just find less.
    settings(streams, LARGEST_PACKET, SILENCE)
}

/// The settings of a connection that carries flows over an emulated link: packets that are no larger
/// than on a real one, and nothing that limits a flow but the link. The window never changes, and so
/// much may be under way that the line is never idle while there is something to send.
pub fn flow_transport_config(streams: u32) -> Arc<TransportConfig> {
    let mut config = base(streams, LARGEST_PACKET_ON_LINKS, OUTAGE);
    config.congestion_controller_factory(Arc::new(Unlimited));
    let window = VarInt::from_u32(FLOWS_UNDER_WAY);
    config.stream_receive_window(window);
    config.receive_window(window);
    config.send_window(u64::from(FLOWS_UNDER_WAY));
    Arc::new(config)
}

/// The settings of a connection that may be put on an emulated link: those of every connection, with
/// packets that are no larger than on a real one (UDP payload of at most 1,452 bytes). Each side
/// decides for the packets that it sends.
/// It is given up after `silence` without a sign of the other side: a link may lose everything for a
/// while.
pub fn link_transport_config(streams: u32, silence: Duration) -> Arc<TransportConfig> {
    settings(streams, LARGEST_PACKET_ON_LINKS, silence)
}

fn settings(streams: u32, largest_packet: u16, silence: Duration) -> Arc<TransportConfig> {
    Arc::new(base(streams, largest_packet, silence))
}

fn base(streams: u32, largest_packet: u16, silence: Duration) -> TransportConfig {
    let mut config = TransportConfig::default();
    config.max_idle_timeout(Some(silence.try_into().expect("minutes fit")));
    config.keep_alive_interval(Some(KEEP_ALIVE));
    config.max_concurrent_bidi_streams(VarInt::from_u32(streams));
    config.max_concurrent_uni_streams(VarInt::from_u32(0));
    config.datagram_receive_buffer_size(None);
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(largest_packet);
    config.mtu_discovery_config(Some(discovery));
    config
}

/// A congestion controller that lets everything pass: what is to be kept to is the rate of an emulated
/// line, which has a queue for everything.
#[derive(Debug, Clone, Copy)]
struct Unlimited;

impl Controller for Unlimited {
    fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: u64) {}

    fn on_mtu_update(&mut self, _: u16) {}

    fn window(&self) -> u64 {
        // Beyond 32 bits packets are not paced either.
        1 << 40
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(*self)
    }

    fn initial_window(&self) -> u64 {
        self.window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl ControllerFactory for Unlimited {
    fn build(self: Arc<Self>, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(Unlimited)
    }
}
