//! The packets of a probe.
//!
//! Id (16 bytes), number of the probe, state of the link, kind, sequence number, then what the kind has: filling, or a
//! report. Integers are little endian.

use fogbit_scenario::link::verdict::OneWay;
use serde::{Deserialize, Serialize};

use crate::codec;

/// Bytes of id, number, state, kind and sequence number.
pub(super) const HEADER: usize = 16 + 4 + 4 + 1 + 4;
/// The longest report, in bytes.
const REPORT_LIMIT: usize = 1_400;

/// What carries the packets of one pair of nodes: made at random, told over an authenticated connection.
pub type ProbeId = [u8; 16];

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// To be sent back.
    Echo = 0,
    /// Sent back.
    Back = 1,
    /// Measures the rate.
    Rate = 2,
    /// Counts loss.
    Loss = 3,
    /// Asks for a report.
    Ask = 4,
    /// A report.
    Report = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        let all = [Kind::Echo, Kind::Back, Kind::Rate, Kind::Loss, Kind::Ask, Kind::Report];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// The head of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: ProbeId,
    /// Which probe of the link, from 0.
    pub(super) number: u32,
    /// Which state of the link it is in, from 0.
    pub(super) state: u32,
    pub(super) kind: Kind,
    /// Which packet of its kind, from 0.
    pub(super) sequence: u32,
}

impl Head {
    /// The packet, `bytes` bytes long if that is more than its head.
    pub(super) fn packet(&self, bytes: usize) -> Vec<u8> {
        let mut packet = Vec::with_capacity(bytes.max(HEADER));
        packet.extend_from_slice(&self.id);
        packet.extend_from_slice(&self.number.to_le_bytes());
        packet.extend_from_slice(&self.state.to_le_bytes());
        packet.push(self.kind as u8);
        packet.extend_from_slice(&self.sequence.to_le_bytes());
        packet.resize(bytes.max(HEADER), 0);
        packet
    }

    /// Head and body of a packet, if it is one.
    pub(super) fn read(packet: &[u8]) -> Option<(Head, &[u8])> {
        let (id, rest) = packet.split_first_chunk::<16>()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let (state, rest) = rest.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first()?;
        let (sequence, body) = rest.split_first_chunk::<4>()?;
        let head = Head {
            id: *id,
            number: u32::from_le_bytes(*number),
            state: u32::from_le_bytes(*state),
            kind: Kind::from_byte(*kind)?,
            sequence: u32::from_le_bytes(*sequence),
        };
        Some((head, body))
    }
}

/// What the helper node saw and sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Report {
    /// What has arrived, once all of its own has been sent: before, there is no time for it.
    pub(super) done: Option<Done>,
}

/// The end of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Done {
    /// What came over the way up. How many packets were sent to count loss it does not know.
    pub(super) up: OneWay,
    /// Packets that it sent over the way down to count loss.
    pub(super) loss_sent: u64,
    /// How late it woke to send, on the average, in nanoseconds, if it had to.
    pub(super) late_ns: Option<u64>,
}

impl Report {
    pub(super) fn packet(&self, head: Head) -> Option<Vec<u8>> {
        let mut packet = head.packet(HEADER);
        codec::encode(self, &mut packet, REPORT_LIMIT).ok()?;
        Some(packet)
    }

    pub(super) fn read(body: &[u8]) -> Option<Report> {
        Some(codec::decode(body, REPORT_LIMIT).ok()??.0)
    }
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::link::verdict::{Group, Groups, LossSample};

    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_and_nothing_else_is() {
        let head = Head {
            id: *b"0123456789abcdef",
            number: 7,
            state: 2,
            kind: Kind::Rate,
            sequence: 1 << 20,
        };
        let packet = head.packet(40);
        assert_eq!(Head::read(&packet), Some((head, &[0; 40 - HEADER][..])));
        assert_eq!(head.packet(0).len(), HEADER);
        for length in 0..HEADER {
            assert_eq!(Head::read(&packet[..length]), None);
        }
        let mut unknown = packet;
        unknown[24] = 6;
        assert_eq!(Head::read(&unknown), None);
    }

    #[test]
    fn the_longest_report_fits_a_packet_of_ethernet() {
        let rate = vec![Group { bytes: 1.5, time_ns: 2.5 }; Groups::MOST];
        let counts = LossSample { sent: u64::MAX, received: u64::MAX, unsure: u64::MAX };
        let up = OneWay { rate, loss: Some(counts) };
        let report =
            Report { done: Some(Done { up, loss_sent: u64::MAX, late_ns: Some(u64::MAX) }) };
        let head = Head { id: [0; 16], number: 0, state: 0, kind: Kind::Report, sequence: 0 };
        let packet = report.packet(head).unwrap();
        assert!(packet.len() <= crate::emulation::RAW_LIMIT, "{}", packet.len());
        assert_eq!(Report::read(&packet[HEADER..]), Some(report));
        assert_eq!(Report::read(&packet[HEADER..packet.len() - 1]), None);
        assert_eq!(Report::read(&[]), None);
    }
}
