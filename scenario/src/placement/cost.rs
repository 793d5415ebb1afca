//! How long a task is expected to take at a site, and the round-trip time at which it does not
//! matter where it runs: the analytic model.
//!
//! A task of `C` cycles with `L_up` bits of input and `L_down` bits of output takes
//!
//! ```text
//! T = k RTT + L_up / B_up + L_down / B_down + W + C / f + s
//! ```
//!
//! where `f` is the frequency that other work leaves (`frequency (1 - load)`), `W` the time that it
//! waits for a worker and `s` what the service costs beside the work. On the task node itself there
//! is no network: `T = C / f`. `k` counts round trips, [`CostModel::round_trips`]; the rates `B` are
//! those of payload, [`CostModel::payload_bits_s`].

use serde::{Deserialize, Serialize};

use super::step::{SiteSight, Task};
use crate::link::HEADER_BYTES;
use crate::topology::TransferModel;

/// UDP payload of a full packet of a QUIC connection, in bytes: what quinn settles on where the
/// network takes 1,500 bytes (IPv6 and UDP headers are 48 of them).
pub const PACKET_BYTES: u64 = 1452;

/// Task bytes in a full packet. The other 37 are the short header (1), the connection identifier
/// (8), the packet number (2), the header of the stream frame (10) and the authentication tag (16):
/// 1415 of 1480 bytes on the wire, 95.6 %, as was measured with quinn 0.11.
pub const SEGMENT_BYTES: u64 = 1415;

/// Window of a new connection in bytes: `min(10 MSS, max(2 MSS, 14720))`, RFC 9002, section 7.2,
/// with QUIC's smallest packet size of 1,200 bytes to start with.
pub const INITIAL_WINDOW_BYTES: u64 = 12_000;

/// Under which conditions a task is offloaded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostModel {
    /// How a payload travels.
    pub transfer: TransferModel,
    /// Round trips before the first byte of the task leaves: 0 on a connection that is open or
    /// resumed with 0-RTT, 1 where a QUIC handshake comes first (RFC 9000, section 5).
    pub handshake_rounds: u32,
    /// The congestion window, in bytes, from which slow start begins; none where the window has
    /// room for the whole payload (a warm connection).
    pub window_bytes: Option<u64>,
    /// How long the task waits for a worker of the site, in seconds.
    pub wait_s: f64,
}

impl CostModel {
    /// A warm connection, and nobody before in the queue.
    pub fn warm(transfer: TransferModel) -> CostModel {
        CostModel { transfer, handshake_rounds: 0, window_bytes: None, wait_s: 0.0 }
    }

    /// The number `k` of round trips: one, the handshake's, and those of slow start, in which the
    /// window doubles each round: `ceil(log2(1 + L / IW)) - 1` for `bytes` bytes (RFC 9002, section
    /// 7.3.1; without loss, and where the rate does not hold the sender back before the window does).
    pub fn round_trips(&self, bytes: u64) -> f64 {
        let rounds = self.window_bytes.map_or(0.0, |window| {
            let windows = bytes as f64 / window.max(1) as f64;
            (libm::log2(1.0 + windows).ceil() - 1.0).max(0.0)
        });
        1.0 + f64::from(self.handshake_rounds) + rounds
    }

    /// The rate of payload in bits a second, of a rate of `bits_s` on the wire: the share of
    /// [`SEGMENT_BYTES`] in a full packet with its UDP and IP headers. In the model `fluid` there
    /// are no headers.
    pub fn payload_bits_s(&self, bits_s: f64) -> f64 {
        match self.transfer {
            TransferModel::Packets => {
                bits_s * SEGMENT_BYTES as f64 / (PACKET_BYTES + HEADER_BYTES) as f64
            }
            TransferModel::Fluid => bits_s,
        }
    }
}

/// Round trips that `bits` bits of payload take at least where a share `loss` of packets is lost:
/// the rate of a loss-limited sender is `MSS / RTT sqrt(1.5 / p)` (Mathis, Semke, Mahdavi and Ott,
/// "The macroscopic behavior of the TCP congestion avoidance algorithm", 1997). 0 without loss.
pub fn loss_rounds(bits: f64, loss: f64) -> f64 {
    if loss <= 0.0 {
        return 0.0;
    }
    bits / (SEGMENT_BYTES as f64 * 8.0) / libm::sqrt(1.5 / loss)
}

/// How long `task` is expected to take at `site`, in seconds.
pub fn expected_latency_s(task: &Task, site: &SiteSight, model: &CostModel) -> f64 {
    // Of the task node itself all that belongs to the network is 0.
    let fixed = computing_s(task, site) + model.wait_s;
    let network = model.round_trips(task.input_bytes) * site.rtt_s;
    let ways = ways(task, site, model);
    ways.iter().fold(fixed + network, |sum, way| sum + way.rate_s.max(way.rounds * site.rtt_s))
}

/// The round-trip time in seconds at which `task` takes as long on `edge` as on `local`:
///
/// ```text
/// RTT* = [ C (1/f_local - 1/f_edge) - L_up/B_up - L_down/B_down - W - s ] / k
/// ```
///
/// Below it offloading is faster. If it is below 0, the rates alone forbid offloading. What `edge`
/// says of its round-trip time is not looked at. Where loss limits a rate, `B` falls with the
/// round-trip time, `L / B` grows in proportion to it, and the smallest of the solutions with and
/// without that limit is the one that holds.
pub fn break_even_rtt_s(
    task: &Task,
    local: &SiteSight,
    edge: &SiteSight,
    model: &CostModel,
) -> f64 {
    let gain = computing_s(task, local) - computing_s(task, edge) - model.wait_s;
    let k = model.round_trips(task.input_bytes);
    let [up, down] = ways(task, edge, model);
    // T(RTT) = max over the four of linear functions, all rising: it reaches the gain where the
    // first of them does.
    [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .map(|limits| {
            let (mut seconds, mut rounds) = (gain, k);
            for (way, by_loss) in [(&up, limits.0), (&down, limits.1)] {
                match by_loss {
                    true => rounds += way.rounds,
                    false => seconds -= way.rate_s,
                }
            }
            seconds / rounds
        })
        .fold(f64::INFINITY, f64::min)
}

/// What a site takes once it has the task: `C / f + s`.
fn computing_s(task: &Task, site: &SiteSight) -> f64 {
    task.cycles as f64 / (site.frequency_hz * (1.0 - site.load)) + site.overhead_s
}

/// One way of a payload.
struct Way {
    /// `L / B` with the link's own rate, in seconds.
    rate_s: f64,
    /// Round trips that it takes at least, because of loss.
    rounds: f64,
}

fn ways(task: &Task, site: &SiteSight, model: &CostModel) -> [Way; 2] {
    let way = |bytes: u64, bits_s: f64| {
        let bits = bytes as f64 * 8.0;
        let rounds = match model.transfer {
            TransferModel::Packets => loss_rounds(bits, site.loss),
            TransferModel::Fluid => 0.0,
        };
        Way { rate_s: bits / model.payload_bits_s(bits_s), rounds }
    };
    [way(task.input_bytes, site.up_bits_s), way(task.output_bytes, site.down_bits_s)]
}
