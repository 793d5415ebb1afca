//! UDP sockets and QUIC's own settings.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::{Endpoint, EndpointConfig, MtuDiscoveryConfig, TransportConfig, VarInt};

/// A peer that is silent for this long is gone.
pub const SILENCE: Duration = Duration::from_secs(10);
/// How often a quiet connection shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// The largest UDP payload that is probed for, in bytes.
const LARGEST_PACKET: u16 = 16_384;
/// Bytes of send buffer and of receive buffer that are asked of the kernel, which may give less. A
/// hundred nodes that join at once need it.
pub const SOCKET_BUFFER: usize = 4 << 20;

/// A QUIC endpoint on `address`.
///
/// # Errors
/// If the address is in use or not ours.
pub fn bind(address: SocketAddr) -> std::io::Result<Endpoint> {
    let socket = UdpSocket::bind(address)?;
    // What the kernel does not give is not an error.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    let runtime = quinn::default_runtime().expect("an endpoint is made within a tokio runtime");
    Endpoint::new(EndpointConfig::default(), None, socket, runtime)
}

/// The settings of every connection. The other side may open `streams` streams at once, and with
/// each of them make this side keep what it has not read yet.
pub fn transport_config(streams: u32) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config.max_idle_timeout(Some(SILENCE.try_into().expect("ten seconds fit")));
    config.keep_alive_interval(Some(KEEP_ALIVE));
    config.max_concurrent_bidi_streams(VarInt::from_u32(streams));
    config.max_concurrent_uni_streams(VarInt::from_u32(0));
    config.datagram_receive_buffer_size(None);
    // Loopback takes far larger packets than Ethernet; elsewhere the probes just find less.
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(LARGEST_PACKET);
    config.mtu_discovery_config(Some(discovery));
    Arc::new(config)
}
