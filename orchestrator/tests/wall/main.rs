//! Real time, and what goes with it: the wall clock, helper nodes that die and come back, endless
//! runs, runs that are held back or linger.
//!
//! A shared machine may be too slow for any schedule. No test here wants a run to be valid or fast;
//! deadlines only find what hangs.

#[path = "../common/mod.rs"]
mod common;

mod abuse;
mod alone;
mod joined;
mod watched;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};

use common::metrics::scrape;
use common::wait_for;
use serde_json::Value;

/// Exit codes of a run in real time that went well: 3 says that the host was too slow for it.
const WELL: [Option<i32>; 2] = [Some(0), Some(3)];

/// Names of the helper nodes of [`topology`].
const HELPERS: [&str; 3] = ["h0", "h1", "h2"];

/// A topology file in real time with three helper nodes whose queues are drawn.
fn topology(dir: &Path, slots: &str, slot: &str, policies: &[&str]) -> PathBuf {
    let mut text = format!(
        "slots = {slots}\n[clock]\nkind = \"wall\"\nslot = \"{slot}\"\n\
         [nodes]\ncount = 3\nweights = {{ kind = \"signs\", signs = [-1, -1, -1, 1, 1] }}\n"
    );
    for policy in policies {
        text += &format!("[policies.{policy}]\nkind = \"{policy}\"\n");
    }
    let file = dir.join("wall.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A UDP address on which nobody listens.
fn free_udp() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The same for TCP.
fn free_tcp() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The metrics of an orchestrator.
struct Watch(SocketAddr);

impl Watch {
    /// Waits until they are served.
    fn at(address: SocketAddr) -> Watch {
        wait_for("metrics", || TcpStream::connect(address).is_ok().then_some(Watch(address)))
    }

    fn scrape(&self) -> Scrape {
        Scrape(scrape(self.0))
    }

    /// Waits for a scrape in which something is so.
    fn wait_until(&self, what: &str, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
        wait_for(what, || Some(self.scrape()).filter(&is_so))
    }

    /// Waits until each of `policies` has played `slots` more slots; gives the scrapes before and
    /// after.
    fn wait_for_slots(&self, policies: &[&str], slots: f64) -> (Scrape, Scrape) {
        let before = self.scrape();
        let played = |now: &Scrape, policy: &&str| {
            now.of("fogbit_slots_total", policy) >= before.of("fogbit_slots_total", policy) + slots
        };
        let after = self
            .wait_until("slots to pass", |now| policies.iter().all(|policy| played(now, policy)));
        (before, after)
    }

    /// Every task is counted once. A scrape reads one metric after the other while the run goes on,
    /// so it may fall between two that are counted together; but not again and again.
    fn assert_adds_up(&self, policies: &[&str]) {
        let adds_up = |now: &Scrape| policies.iter().all(|policy| now.adds_up(policy));
        assert!((0..100).any(|_| adds_up(&self.scrape())), "{:?}", self.scrape());
    }
}

/// Every series with its value.
#[derive(Debug, Clone)]
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// The value of a series; 0 if there is none.
    fn get(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }

    fn of(&self, name: &str, policy: &str) -> f64 {
        self.get(&format!("{name}{{policy=\"{policy}\"}}"))
    }

    fn of_node(&self, name: &str, node: &str) -> f64 {
        self.get(&format!("{name}{{node=\"{node}\"}}"))
    }

    fn of_both(&self, name: &str, policy: &str, node: &str) -> f64 {
        self.get(&format!("{name}{{node=\"{node}\",policy=\"{policy}\"}}"))
    }

    fn offloaded(&self, policy: &str, node: &str) -> f64 {
        self.of_both("fogbit_tasks_offloaded_total", policy, node)
    }

    fn adds_up(&self, policy: &str) -> bool {
        let bit = |node: &str, bit: &str| {
            let labels = format!("{{bit=\"{bit}\",node=\"{node}\",policy=\"{policy}\"}}");
            self.get(&format!("fogbit_feedback_total{labels}"))
        };
        let each = HELPERS.iter().all(|node| {
            let refused = self.of_both("fogbit_tasks_refused_total", policy, node);
            let timed_out = self.of_both("fogbit_tasks_timed_out_total", policy, node);
            let answered = bit(node, "happy") + bit(node, "unhappy");
            self.offloaded(policy, node) == answered + refused + timed_out
        });
        let sum: f64 = HELPERS.iter().map(|node| self.offloaded(policy, node)).sum();
        let (slots, idle) = ("fogbit_slots_total", "fogbit_idle_slots_total");
        each && sum == self.of(slots, policy) - self.of(idle, policy)
    }
}
