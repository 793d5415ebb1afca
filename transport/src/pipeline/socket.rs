//! The sockets of ways, and how fast a line is that carries so much payload.

use std::net::SocketAddr;

use fogbit_scenario::link::HEADER_BYTES;
use fogbit_scenario::pipeline::Way;
use quinn::{Connection, Endpoint};

use crate::Links;
use crate::identity::{PeerName, Role};
use crate::join::connect;
use crate::member::MemberError;

/// A socket of its own, from which ways to other sites are opened. Links are put on what is sent to a
/// peer, and from here nothing is sent but what belongs to these ways.
#[derive(Debug)]
pub struct WaySocket {
    pub(crate) endpoint: Endpoint,
    pub(crate) links: Links,
    pub(crate) client: quinn::ClientConfig,
}

impl WaySocket {
    /// Connects to a helper node of the run; only a certificate of that name and role is believed.
    ///
    /// # Errors
    /// If it cannot be reached or is somebody else.
    pub async fn connect(
        &self,
        helper: &str,
        address: SocketAddr,
    ) -> Result<Connection, MemberError> {
        let peer = PeerName { name: helper.into(), role: Role::Helper };
        connect(&self.endpoint, self.client.clone(), address, &peer, None)
            .await
            .map_err(|error| MemberError::Connect { join: format!("{helper} ({address})"), error })
    }

    /// The emulated links of the socket.
    pub fn links(&self) -> &Links {
        &self.links
    }
}

/// Bytes of a packet in the midst of a stream that are no payload: 1 for its kind, 8 for the id of the
/// connection, 2 for its number, 16 for the seal, and of the frame 1 for its kind, 1 for the stream and
/// 4 for the place in it.
const FRAMING: u64 = 33;

/// Bits a second on the wire of a line that carries `way.rate_bits_s` of payload, where packets have
/// `packet_bytes` of UDP payload.
pub fn line_rate(way: &Way, packet_bytes: u16) -> u64 {
    let packet = u64::from(packet_bytes).max(FRAMING + 1);
    let wire = u128::from(way.rate_bits_s) * u128::from(packet + HEADER_BYTES);
    let payload = u128::from(packet - FRAMING);
    u64::try_from((wire + payload / 2) / payload).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_carries_headers_beside_the_payload() {
        let rate = |rate_bits_s, packet| line_rate(&Way { rate_bits_s, delay_ns: 0 }, packet);
        // 1,480 bytes on the wire for 1,419 of payload.
        assert_eq!(rate(1_419_000, 1452), 1_480_000);
        assert_eq!(rate(1_167_000, 1200), 1_228_000);
        assert_eq!((rate(0, 1452), rate(u64::MAX, 1452)), (1, u64::MAX));
        assert_eq!(rate(1, 0), 62);
    }
}
