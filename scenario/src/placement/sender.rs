//! The sending end of a QUIC connection: what is sent when, and what is sent again.

use super::cost::{INITIAL_WINDOW_BYTES, PACKET_BYTES, SEGMENT_BYTES};

/// What goes before a payload: the head of a request or of a reply, in bytes.
pub(super) const HEAD_BYTES: u64 = 48;

/// UDP payload around a segment: headers and tag.
const AROUND_BYTES: u64 = PACKET_BYTES - SEGMENT_BYTES;
/// RFC 9002, section 7.2: two packets of the smallest size.
const SMALLEST_WINDOW_BYTES: u64 = 2 * 1200;
/// RFC 9002, section 6.1.1: a packet is lost when one sent this much later is acknowledged.
const PACKET_THRESHOLD: u32 = 3;
/// RFC 9002, section 6.1.2: timers count in milliseconds.
const GRANULARITY_NS: u64 = 1_000_000;
/// RFC 9000, section 18.2: how long an acknowledgement may be held back.
const MAX_ACK_DELAY_NS: u64 = 25_000_000;
/// RFC 6298, (2.5): a timer may be capped at a minute.
const LONGEST_PROBE_NS: u64 = 60_000_000_000;
/// quinn's pacing: a burst is what the window sends in this time, but from 10 to 256 packets.
const BURST_NS: u64 = 10_000_000;

/// The sending end of one direction. Window and round-trip time are kept from payload to payload.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    window: u64,
    /// Window from which on it grows by a packet a round trip.
    threshold: u64,
    smoothed_ns: u64,
    variation_ns: u64,
    /// Bytes that may leave in a burst, and when that was so.
    tokens: u64,
    tokens_ns: u64,
    payload: Payload,
}

/// The payload that is under way.
#[derive(Debug, Clone, Default)]
struct Payload {
    bytes: u64,
    segments: u32,
    /// The next segment that was never sent.
    fresh: u32,
    /// Segments to be sent again, the next one last.
    again: Vec<u32>,
    packets: Vec<Packet>,
    /// Packets before this one are acknowledged or lost.
    oldest: u32,
    /// The largest number acknowledged, plus one.
    acknowledged: u32,
    in_flight: u64,
    /// How many of the packets that arrived were told of.
    told: usize,
    /// Probes since something was acknowledged.
    probes: u32,
    /// Packets up to here were sent before the last loss that halved the window.
    recovery: u32,
    /// Probes that may leave whatever the window says.
    allowance: u32,
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    sent_ns: u64,
    segment: u32,
    bytes: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    Acknowledged,
    Lost,
}

impl Sender {
    /// A connection whose round-trip time is known.
    pub(super) fn new(round_trip_ns: u64) -> Sender {
        Sender {
            window: INITIAL_WINDOW_BYTES,
            threshold: u64::MAX,
            smoothed_ns: round_trip_ns.max(GRANULARITY_NS),
            variation_ns: round_trip_ns / 2,
            tokens: 10 * PACKET_BYTES,
            tokens_ns: 0,
            payload: Payload::default(),
        }
    }

    /// Takes on a payload.
    pub(super) fn begin(&mut self, now: u64, bytes: u64) {
        let Payload { mut again, mut packets, .. } = std::mem::take(&mut self.payload);
        again.clear();
        packets.clear();
        let segments = u32::try_from(bytes.div_ceil(SEGMENT_BYTES)).expect("a GB at most");
        self.payload = Payload { bytes, segments, again, packets, ..Payload::default() };
        self.refill(now);
    }

    /// The most that leaves at once.
    fn burst(&self) -> u64 {
        let wanted = u128::from(self.window) * u128::from(BURST_NS) / u128::from(self.smoothed_ns);
        (wanted as u64).clamp(10 * PACKET_BYTES, 256 * PACKET_BYTES)
    }

    /// Tokens come at 5/4 of a window in a round trip (RFC 9002, section 7.7).
    fn refill(&mut self, now: u64) {
        let waited = now.saturating_sub(self.tokens_ns);
        let fresh =
            u128::from(self.window) * u128::from(waited) * 5 / (u128::from(self.smoothed_ns) * 4);
        let fresh = u64::try_from(fresh).unwrap_or(u64::MAX);
        // Many calls at short intervals must not round everything off.
        if fresh > 0 {
            self.tokens_ns = now;
        }
        self.tokens = self.tokens.saturating_add(fresh).min(self.burst());
    }

    /// The bytes of the next packet on the wire's UDP, if there is anything to send and the window
    /// has room.
    fn wanted(&self) -> Option<u64> {
        let payload = &self.payload;
        let segment = match payload.again.last() {
            Some(segment) => *segment,
            None if payload.fresh < payload.segments => payload.fresh,
            None => return None,
        };
        let bytes = payload.segment_bytes(segment) + AROUND_BYTES;
        (payload.allowance > 0 || payload.in_flight + bytes <= self.window).then_some(bytes)
    }

    /// The next packet that leaves at `now`, with its bytes of UDP payload.
    pub(super) fn next_packet(&mut self, now: u64) -> Option<(u32, u64)> {
        let bytes = self.wanted()?;
        self.refill(now);
        if self.payload.allowance == 0 && self.tokens < bytes {
            return None;
        }
        self.tokens = self.tokens.saturating_sub(bytes);
        let payload = &mut self.payload;
        payload.allowance = payload.allowance.saturating_sub(1);
        let segment = payload.again.pop().unwrap_or_else(|| {
            payload.fresh += 1;
            payload.fresh - 1
        });
        payload.in_flight += bytes;
        payload.packets.push(Packet {
            sent_ns: now,
            segment,
            bytes: bytes as u32,
            state: State::UnderWay,
        });
        Some((payload.packets.len() as u32 - 1, bytes))
    }

    /// When the next packet may leave that only the burst holds back.
    pub(super) fn may_send_ns(&self, now: u64) -> Option<u64> {
        let missing = u128::from(self.wanted()?.saturating_sub(self.tokens));
        let wait =
            (missing * u128::from(self.smoothed_ns) * 4).div_ceil(u128::from(self.window) * 5);
        Some(now.max(self.tokens_ns.saturating_add(wait as u64)).max(now + 1))
    }

    /// The segment that the packet `number` carries.
    pub(super) fn segment_of(&self, number: u32) -> u32 {
        self.payload.packets[number as usize].segment
    }

    /// When something is to be taken for lost, or a probe is to be sent.
    pub(super) fn alarm_ns(&self) -> Option<u64> {
        let payload = &self.payload;
        let under_way = || {
            let packets = payload.packets[payload.oldest as usize..].iter();
            packets.filter(|packet| packet.state == State::UnderWay)
        };
        let first = under_way().next()?;
        if payload.oldest < payload.acknowledged {
            return Some(first.sent_ns.saturating_add(self.loss_delay_ns()));
        }
        let last = payload.packets.last().expect("the first is one");
        let wait =
            self.smoothed_ns + (4 * self.variation_ns).max(GRANULARITY_NS) + MAX_ACK_DELAY_NS;
        let wait = wait.saturating_mul(1 << payload.probes.min(20));
        Some(last.sent_ns.saturating_add(wait.min(LONGEST_PROBE_NS)))
    }

    /// RFC 9002, section 6.1.2: 9/8 of a round trip.
    fn loss_delay_ns(&self) -> u64 {
        (self.smoothed_ns / 8 * 9).max(GRANULARITY_NS)
    }

    /// Nothing has been heard for too long.
    pub(super) fn on_alarm(&mut self, now: u64) {
        if self.payload.oldest < self.payload.acknowledged {
            self.find_lost(now);
            return;
        }
        // Two probes (RFC 9002, section 6.2.4) carry the oldest packet's segment, which may still
        // be acknowledged, and what would come next.
        let payload = &mut self.payload;
        payload.probes += 1;
        payload.allowance = 2;
        let oldest = payload.packets[payload.oldest as usize].segment;
        payload.again.retain(|segment| *segment != oldest);
        payload.again.push(oldest);
    }

    /// Learns that the packets of `log`, which grows from call to call, have arrived.
    pub(super) fn on_acknowledged(&mut self, now: u64, log: &[u32]) {
        let news = &log[self.payload.told.min(log.len())..];
        self.payload.told = self.payload.told.max(log.len());
        let Some(newest) = news.iter().max() else { return };
        let sent = self.payload.packets[*newest as usize].sent_ns;
        self.measured(now - sent);
        for number in news {
            self.acknowledge(*number);
        }
        self.payload.probes = 0;
        self.payload.allowance = 0;
        self.payload.skip_settled();
        self.find_lost(now);
    }

    fn acknowledge(&mut self, number: u32) {
        let payload = &mut self.payload;
        let packet = &mut payload.packets[number as usize];
        let (before, bytes) = (packet.state, u64::from(packet.bytes));
        packet.state = State::Acknowledged;
        payload.acknowledged = payload.acknowledged.max(number + 1);
        if before != State::UnderWay {
            return;
        }
        payload.in_flight -= bytes;
        // A window that nobody fills does not grow (RFC 9002, section 7.8).
        let filled = payload.fresh < payload.segments || !payload.again.is_empty();
        if filled && number >= payload.recovery {
            self.window += match self.window < self.threshold {
                true => bytes,
                false => PACKET_BYTES * bytes / self.window,
            };
        }
    }

    /// Takes for lost what was sent long before something that is acknowledged.
    fn find_lost(&mut self, now: u64) {
        let delay = self.loss_delay_ns();
        let payload = &mut self.payload;
        let mut newest = None;
        for number in payload.oldest..payload.acknowledged {
            let packet = &mut payload.packets[number as usize];
            let late = number + PACKET_THRESHOLD < payload.acknowledged
                || packet.sent_ns.saturating_add(delay) <= now;
            if packet.state == State::UnderWay && late {
                packet.state = State::Lost;
                payload.in_flight -= u64::from(packet.bytes);
                payload.again.push(packet.segment);
                newest = Some(number);
            }
        }
        let Some(newest) = newest else { return };
        // The oldest first.
        payload.again.sort_unstable_by(|a, b| b.cmp(a));
        payload.again.dedup();
        payload.skip_settled();
        if newest >= payload.recovery {
            payload.recovery = payload.packets.len() as u32;
            self.window = (self.window / 2).max(SMALLEST_WINDOW_BYTES);
            self.threshold = self.window;
        }
    }

    /// RFC 9002, section 5.3.
    fn measured(&mut self, round_trip_ns: u64) {
        let off = self.smoothed_ns.abs_diff(round_trip_ns);
        self.variation_ns = (3 * self.variation_ns + off) / 4;
        self.smoothed_ns = ((7 * self.smoothed_ns + round_trip_ns) / 8).max(1);
    }
}

impl Payload {
    fn segment_bytes(&self, segment: u32) -> u64 {
        (self.bytes - u64::from(segment) * SEGMENT_BYTES).min(SEGMENT_BYTES)
    }

    fn skip_settled(&mut self) {
        let packets = &self.packets[self.oldest as usize..];
        let settled = packets.iter().take_while(|packet| packet.state != State::UnderWay);
        self.oldest += settled.count() as u32;
    }
}
