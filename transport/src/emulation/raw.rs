//! Packets that are no QUIC: probes of a link.
//!
//! QUIC's fixed bit, 0x40, is set in every packet of ours (`endpoint` turns greasing off, which would
//! unset it by chance); the first byte of a raw packet has neither it nor the bit of long headers.

use std::io::IoSliceMut;

use quinn::udp::RecvMeta;

/// How every raw packet begins.
pub(super) const MAGIC: [u8; RAW_OVERHEAD] = *b"\x1bfograw1";
/// Bytes by which a raw packet is longer on the link than what was given to be sent.
pub const RAW_OVERHEAD: usize = 8;
/// The largest raw packet, in bytes that are given to be sent: a full packet of Ethernet.
pub const RAW_LIMIT: usize = 1472 - RAW_OVERHEAD;

/// A raw packet with this payload.
pub(super) fn wrap(payload: &[u8]) -> Vec<u8> {
    [&MAGIC, payload].concat()
}

/// Takes raw packets out of a batch that has come, gives what they carry to `take`, and lets the rest
/// move together.
pub(super) fn take_out(
    buffer: &mut IoSliceMut<'_>,
    meta: &mut RecvMeta,
    mut take: impl FnMut(&[u8]),
) {
    let stride = meta.stride.max(1);
    let length = meta.len.min(buffer.len());
    if !buffer[..length].chunks(stride).any(|packet| packet.starts_with(&MAGIC)) {
        return;
    }
    let mut kept = 0;
    for from in (0..length).step_by(stride) {
        let to = (from + stride).min(length);
        if let Some(payload) = buffer[from..to].strip_prefix(&MAGIC) {
            take(payload);
        } else {
            buffer.copy_within(from..to, kept);
            kept += to - from;
        }
    }
    meta.len = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(packets: &[&[u8]], stride: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut bytes = packets.concat();
        let mut meta = RecvMeta { len: bytes.len(), stride, ..RecvMeta::default() };
        let mut raw = Vec::new();
        bytes.resize(200, 0xee);
        take_out(&mut IoSliceMut::new(&mut bytes), &mut meta, |p| raw.push(p.to_vec()));
        bytes.truncate(meta.len);
        (raw, bytes)
    }

    #[test]
    fn raw_packets_are_taken_out_and_others_stay_in_their_order() {
        let probe = wrap(b"abcd");
        assert_eq!(probe.len(), RAW_OVERHEAD + 4);
        assert_eq!(probe[0] & 0xc0, 0, "neither fixed bit nor long header");
        let (a, b, short): (&[u8], &[u8], &[u8]) = (&[0x41; 12], &[0x42; 12], &[0x43; 5]);
        assert_eq!(taken(&[a, b, short], 12), (vec![], [a, b, short].concat()));
        let all = taken(&[&probe, a, &probe, b, short], 12);
        assert_eq!(all, (vec![b"abcd".to_vec(); 2], [a, b, short].concat()));
        assert_eq!(taken(&[&probe], 12), (vec![b"abcd".to_vec()], vec![]));
        assert_eq!(taken(&[&MAGIC], 8), (vec![vec![]], vec![]));
        assert_eq!(taken(&[&MAGIC[..7]], 7), (vec![], MAGIC[..7].to_vec()));
        assert_eq!(taken(&[], 0), (vec![], vec![]));
    }
}
