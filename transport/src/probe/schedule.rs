//! When the packets of a probe are sent; fed with time.

use super::packet::Kind;
use super::plan::Phase;

/// The packets of some phases, in the order of the phases.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    phases: Vec<Phase>,
    /// Which phase, and which packet of it, is next.
    next: (usize, u64),
    /// By how much what is left of the phase is later than planned, in nanoseconds.
    behind_ns: u64,
}

/// A packet to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) kind: Kind,
    pub(super) sequence: u32,
    pub(super) bytes: usize,
}

impl Schedule {
    pub(super) fn new(phases: impl IntoIterator<Item = Option<Phase>>) -> Schedule {
        Schedule { phases: phases.into_iter().flatten().collect(), next: (0, 0), behind_ns: 0 }
    }

    /// When the next packet is due, in nanoseconds since the probe began; `None` after the last.
    pub(super) fn due_ns(&self) -> Option<u64> {
        let (phase, packet) = self.next;
        let phase = self.phases.get(phase)?;
        let waited = packet.saturating_sub(phase.burst - 1) * phase.interval_ns;
        Some(phase.start_ns + waited + self.behind_ns)
    }

    /// The next packet, if it is due at `now_ns`.
    pub(super) fn take(&mut self, now_ns: u64) -> Option<Next> {
        let due_ns = self.due_ns().filter(|due| *due <= now_ns)?;
        let (index, packet) = self.next;
        let phase = self.phases[index];
        if packet >= phase.burst {
            let most = phase.catch_up * phase.interval_ns;
            self.behind_ns += (now_ns - due_ns).saturating_sub(most);
        }
        self.next = (index, packet + 1);
        if packet + 1 == phase.packets {
            self.next = (index + 1, 0);
            self.behind_ns = 0;
        }
        let sequence = u32::try_from(packet).unwrap_or(u32::MAX);
        Some(Next { kind: phase.kind, sequence, bytes: phase.bytes as usize })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(kind: Kind, start_ns: u64, packets: u64, burst: u64, bytes: u64) -> Phase {
        Phase { kind, start_ns, packets, burst, interval_ns: 10, bytes, catch_up: 24 }
    }

    /// Numbers of packets that are due at each of `times`.
    fn sent(schedule: &mut Schedule, times: &[u64]) -> Vec<usize> {
        let all = |now: &u64| std::iter::from_fn(|| schedule.take(*now)).count();
        times.iter().map(all).collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_others_one_by_one() {
        let mut schedule = Schedule::new([None, Some(phase(Kind::Rate, 100, 6, 3, 1000))]);
        assert_eq!(schedule.due_ns(), Some(100));
        assert_eq!(
            sent(&mut schedule, &[99, 100, 109, 110, 120, 130, 1000]),
            [0, 3, 0, 1, 1, 1, 0]
        );
        assert_eq!(schedule.due_ns(), None);
    }

    #[test]
    fn who_fell_behind_catches_up_by_a_bounded_number_of_packets() {
        let mut schedule = Schedule::new([Some(phase(Kind::Loss, 0, 1000, 1, 1000))]);
        // 24 packets at once and the one that is due; the rest is as much later.
        assert_eq!(sent(&mut schedule, &[0, 1000, 1009, 1010]), [1, 25, 0, 1]);
        let mut next = Schedule::new([Some(phase(Kind::Loss, 0, 1000, 1, 1000))]);
        assert_eq!(sent(&mut next, &[0, 200, 210]), [1, 20, 1]);
    }

    #[test]
    fn phases_follow_each_other() {
        let echo = phase(Kind::Echo, 0, 2, 1, 64);
        let mut schedule = Schedule::new([Some(echo), Some(phase(Kind::Loss, 50, 2, 1, 64))]);
        let kinds: Vec<_> = [0, 10, 20, 50, 60]
            .iter()
            .filter_map(|now| schedule.take(*now).map(|next| (next.kind, next.sequence)))
            .collect();
        let expected = [(Kind::Echo, 0), (Kind::Echo, 1), (Kind::Loss, 0), (Kind::Loss, 1)];
        assert_eq!(kinds, expected);
    }
}
