//! One end of a probed link; fed with packets and time.

use fogbit_scenario::link::HEADER_BYTES;
use fogbit_scenario::link::verdict::{Group, Groups, LossSample, Measurement, OneWay};

use super::packet::{Done, Kind, Report};
use super::plan::{ECHO_BYTES, Phase, Plan, Train};
use crate::emulation::RAW_OVERHEAD;

/// How late a host woke to send.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lag {
    sum_ns: u64,
    times: u64,
}

impl Lag {
    /// It woke `ns` late.
    pub(super) fn woke(&mut self, ns: u64) {
        self.sum_ns += ns;
        self.times += 1;
    }

    /// On the average, in nanoseconds.
    pub(super) fn mean_ns(&self) -> Option<u64> {
        self.sum_ns.checked_div(self.times)
    }
}

/// What has come over one way since a probe began.
#[derive(Debug, Clone)]
pub(super) struct Arrivals {
    rate: Groups,
    /// Which packets that count loss have come: a copy counts once.
    seen: Vec<bool>,
    /// What the host had dropped when the probe began, if it says.
    host_drops: u64,
}

impl Arrivals {
    pub(super) fn new(train: &Train, host_drops: u64) -> Arrivals {
        let packets = |phase: Option<Phase>| phase.map_or(0, |phase| phase.packets);
        Arrivals {
            rate: Groups::for_packets(packets(train.rate)),
            seen: vec![false; packets(train.loss) as usize],
            host_drops,
        }
    }

    /// A packet of `bytes` bytes, as it was given to be sent, came at `now_ns`.
    pub(super) fn arrived(&mut self, kind: Kind, sequence: u32, bytes: usize, now_ns: u64) {
        match kind {
            Kind::Rate => {
                self.rate.arrived(now_ns, (bytes + RAW_OVERHEAD) as u64 + HEADER_BYTES);
            }
            Kind::Loss => {
                if let Some(seen) = self.seen.get_mut(sequence as usize) {
                    *seen = true;
                }
            }
            Kind::Echo | Kind::Back | Kind::Ask | Kind::Report => {}
        }
    }

    /// What that comes to, if the other side sent `loss_sent` packets to count loss.
    pub(super) fn one_way(&self, loss_sent: u64, host_drops: u64) -> OneWay {
        let rate: Vec<Group> = self.rate.groups().to_vec();
        let received = self.seen.iter().filter(|seen| **seen).count() as u64;
        let unsure = host_drops.saturating_sub(self.host_drops);
        let loss = LossSample { sent: loss_sent.max(received), received, unsure };
        OneWay { rate, loss: (!self.seen.is_empty()).then_some(loss) }
    }
}

/// The task node's side of one probe.
#[derive(Debug)]
pub(super) struct Asking {
    /// When each packet that goes round was sent, in nanoseconds.
    sent_ns: Vec<u64>,
    /// How long each took, once it is back.
    round_trips_ns: Vec<Option<u64>>,
    pub(super) arrivals: Arrivals,
    pub(super) loss_sent: u64,
    pub(super) lag: Lag,
    done: Option<Done>,
}

impl Asking {
    pub(super) fn new(plan: &Plan, host_drops: u64) -> Asking {
        Asking {
            sent_ns: Vec::new(),
            round_trips_ns: Vec::new(),
            arrivals: Arrivals::new(&plan.down, host_drops),
            loss_sent: 0,
            lag: Lag::default(),
            done: None,
        }
    }

    /// A packet is sent at `now_ns`.
    pub(super) fn sending(&mut self, kind: Kind, now_ns: u64) {
        match kind {
            Kind::Echo => {
                self.sent_ns.push(now_ns);
                self.round_trips_ns.push(None);
            }
            Kind::Loss => self.loss_sent += 1,
            Kind::Back | Kind::Rate | Kind::Ask | Kind::Report => {}
        }
    }

    /// A packet that goes round is back. A copy of it changes nothing.
    pub(super) fn back(&mut self, sequence: u32, now_ns: u64) {
        let place = sequence as usize;
        if let (Some(sent), Some(trip)) =
            (self.sent_ns.get(place), self.round_trips_ns.get_mut(place))
        {
            trip.get_or_insert(now_ns.saturating_sub(*sent));
        }
    }

    /// The helper node has reported.
    pub(super) fn reported(&mut self, report: Report) {
        if report.done.is_some() {
            self.done = report.done;
        }
    }

    /// Whether the helper node has sent and told all.
    pub(super) fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// What all of it comes to. Without a report nobody knows how much was sent over the way down, nor
    /// what came over the way up.
    pub(super) fn measurement(&self, host_drops: u64) -> Measurement {
        let here = self.lag.mean_ns().unwrap_or(0);
        let there = self.done.as_ref().and_then(|done| done.late_ns).unwrap_or(here);
        let mut measured = Measurement {
            echo_bytes: ECHO_BYTES,
            round_trips_ns: self.round_trips_ns.iter().flatten().copied().collect(),
            // Either host wakes to send, when the packet is due, and to receive.
            late_ns: 2 * (here + there),
            up: OneWay::default(),
            down: OneWay { loss: None, ..self.arrivals.one_way(0, host_drops) },
        };
        if let Some(done) = &self.done {
            measured.down = self.arrivals.one_way(done.loss_sent, host_drops);
            measured.up = done.up.clone();
            if let Some(loss) = &mut measured.up.loss {
                loss.sent = self.loss_sent.max(loss.received);
            }
        }
        measured
    }
}

/// The helper node's side of one probe.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) arrivals: Arrivals,
    pub(super) loss_sent: u64,
    pub(super) lag: Lag,
    /// Whether all of its own is sent.
    pub(super) all_sent: bool,
}

impl Answering {
    pub(super) fn new(plan: &Plan, host_drops: u64) -> Answering {
        let arrivals = Arrivals::new(&plan.up, host_drops);
        Answering { arrivals, loss_sent: 0, lag: Lag::default(), all_sent: false }
    }

    pub(super) fn report(&self, host_drops: u64) -> Report {
        let done = || Done {
            up: self.arrivals.one_way(0, host_drops),
            loss_sent: self.loss_sent,
            late_ns: self.lag.mean_ns(),
        };
        Report { done: self.all_sent.then(done) }
    }
}
