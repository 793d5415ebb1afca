//! Links as commands of `tc` for the kernel's netem, and what netem does otherwise.

use std::fmt::Write;

use std::time::Duration;

use fogbit_scenario::Scenario;
use fogbit_scenario::cascade::CascadeScenario;
use fogbit_scenario::link::{Direction, LinkPath, LinkSpec, Loss};
use fogbit_scenario::placement::PlacementScenario;

/// Bytes of an Ethernet header, which the kernel counts as part of a packet and Fogbit does not.
const ETHERNET: u64 = 14;
/// Bytes of a full packet, as QUIC sends them over such links: by it bytes of a queue become packets.
const PACKET: u64 = 1_280;
/// A queue that no packet fills.
const ENDLESS: u64 = 1_000_000;
/// A rate that holds nothing up, for classes and for keeping packets in order.
const NO_LIMIT: &str = "100gbit";

const HEAD: &str = "\
#
# To be run as root, with iproute2: each part on the host that its heading names, after
#   DEV=eth0                     the interface that leads to the other hosts
# and after the addresses of the nodes were put in below. `tc qdisc del dev \"$DEV\" root` undoes it.
#
# What the kernel does otherwise than Fogbit:
# - netem shapes what leaves a host, so either end of a link does one direction of it.
# - It takes a batch for segmentation offload for one packet, and would lose a whole one at once: hence ethtool.
# - Its queue counts packets, those under way among them. `limit` is that of Fogbit in packets of 1,280 bytes
#   and what the rate sends during the delay; smaller packets fill it with fewer bytes.
# - It draws at random, and each time anew.
# - Packets take their time on the line after the delay, not before it: the sum is the same.
# - A packet that skips its delay (`reorder`) skips the rate as well.
";

/// The links of a topology, whatever its problem, with the names at their ends.
#[derive(Debug, Clone)]
pub struct NamedLinks {
    /// Name of the topology.
    topology: String,
    /// Name of the task node.
    task: String,
    /// Names of the helper nodes.
    helpers: Vec<String>,
    /// The link to each of them; empty where nothing is emulated.
    links: Vec<LinkPath>,
    /// The length of a slot, where that is fixed.
    slot: Option<Duration>,
}

impl NamedLinks {
    /// Those of a topology of the problem `one-bit`.
    pub fn of_one_bit(scenario: &Scenario) -> NamedLinks {
        NamedLinks {
            topology: scenario.name(),
            task: scenario.topology().task_node_name().to_owned(),
            helpers: scenario.helpers().iter().map(|helper| helper.name.clone()).collect(),
            links: scenario.links().to_vec(),
            slot: scenario.wall_clock().map(|clock| clock.slot.0),
        }
    }

    /// Those of a topology of the problem `placement`.
    pub fn of_placement(scenario: &PlacementScenario) -> NamedLinks {
        NamedLinks {
            topology: scenario.name(),
            task: scenario.task_node().name.clone(),
            helpers: scenario.helpers().iter().map(|helper| helper.name.clone()).collect(),
            links: scenario.links().to_vec(),
            slot: None,
        }
    }

    /// Those of a topology of the problem `cascade`.
    pub fn of_cascade(scenario: &CascadeScenario) -> NamedLinks {
        NamedLinks {
            topology: scenario.name(),
            task: scenario.topology().task_node.name.clone(),
            helpers: vec![scenario.edge().name.clone()],
            links: scenario.link().cloned().into_iter().collect(),
            slot: scenario.wall_ns().map(|(slot_ns, _)| Duration::from_nanos(slot_ns)),
        }
    }
}

/// The commands for every link of `scenario`, first for slot 1 and then for each change; `None` if it has
/// no emulated links.
pub fn render(scenario: &NamedLinks) -> Option<String> {
    let NamedLinks { topology, task, helpers: names, links, .. } = scenario;
    if links.is_empty() {
        return None;
    }
    let mut text = format!("# The links of {topology} for the kernel's netem.\n{HEAD}");
    let _ = writeln!(text, "\n{}=192.0.2.1", variable(task));
    for (index, name) in names.iter().enumerate() {
        let _ = writeln!(text, "{}=192.0.2.{}", variable(name), index + 2);
    }
    let ends: Vec<End<'_>> =
        names.iter().zip(links).map(|(name, path)| End { name, path }).collect();
    first(&mut text, task, &ends);
    changes(&mut text, task, &ends, scenario);
    Some(text)
}

/// The helper node's end of a link.
struct End<'a> {
    name: &'a str,
    path: &'a LinkPath,
}

/// Which way of a link.
type Way = fn(&LinkSpec) -> &Direction;
const UP: Way = |spec| &spec.up;
const DOWN: Way = |spec| &spec.down;

impl End<'_> {
    /// Whether a direction ever does anything.
    fn is_impaired(&self, way: Way) -> bool {
        self.path.states().any(|(_, state)| !way(&state.spec).is_unimpaired())
    }
}

fn first(text: &mut String, task: &str, ends: &[End<'_>]) {
    if ends.iter().any(|end| end.is_impaired(UP)) {
        begin(text, &format!("task node {task}"));
        for (index, end) in ends.iter().enumerate().filter(|(_, end)| end.is_impaired(UP)) {
            add(text, end, index, &variable(end.name), UP);
        }
    }
    for end in ends.iter().filter(|end| end.is_impaired(DOWN)) {
        begin(text, &format!("helper node {}", end.name));
        add(text, end, 0, &variable(task), DOWN);
    }
}

fn begin(text: &mut String, host: &str) {
    let _ = writeln!(
        text,
        "\n## slot 1, {host}\n\
         ethtool -K \"$DEV\" gso off tso off gro off\n\
         tc qdisc replace dev \"$DEV\" root handle 1: htb default 0"
    );
}

/// A class of its own for what goes to the other end: other packets go as they did.
fn add(text: &mut String, end: &End<'_>, index: usize, to: &str, way: Way) {
    let (class, handle) = (class(index), handle(index));
    let state = &end.path.first;
    let direction = way(&state.spec);
    let _ = writeln!(text, "# {}: {}", end.name, state.profile);
    remarks(text, direction);
    let _ = writeln!(
        text,
        "tc class replace dev \"$DEV\" parent 1: classid 1:{class} htb rate {NO_LIMIT} quantum 60000\n\
         tc qdisc replace dev \"$DEV\" parent 1:{class} handle {handle}: {}\n\
         tc filter add dev \"$DEV\" parent 1: protocol ip u32 match ip dst \"${to}\" flowid 1:{class}",
        netem(direction, false)
    );
}

fn changes(text: &mut String, task: &str, ends: &[End<'_>], scenario: &NamedLinks) {
    let mut all: Vec<(u64, usize, &LinkSpec, &str)> = Vec::new();
    for (index, end) in ends.iter().enumerate() {
        for change in &end.path.changes {
            all.push((change.at, index, &change.state.spec, &change.state.profile));
        }
    }
    all.sort_by_key(|(at, index, ..)| (*at, *index));
    for (at, index, spec, profile) in all {
        let end = &ends[index];
        let after = scenario.slot.map_or(String::new(), |slot| {
            format!(", {} s after the start", slot.as_secs_f64() * (at - 1) as f64)
        });
        let sides = [
            (format!("task node {task}"), index, UP),
            (format!("helper node {}", end.name), 0, DOWN),
        ];
        for (host, index, way) in sides.into_iter().filter(|(.., way)| end.is_impaired(*way)) {
            let _ = writeln!(text, "\n## slot {at}{after}, {host}\n# {}: {profile}", end.name);
            remarks(text, way(spec));
            let _ = writeln!(
                text,
                "tc qdisc change dev \"$DEV\" parent 1:{} handle {}: {}",
                class(index),
                handle(index),
                netem(way(spec), true)
            );
        }
    }
}

/// Numbers of classes and handles are hexadecimal for tc.
fn class(index: usize) -> String {
    format!("{:x}", index + 1)
}

fn handle(index: usize) -> String {
    format!("{:x}", index + 0x10)
}

/// The part of a command that says what netem does. A `change` has to say that a rate is gone.
fn netem(direction: &Direction, change: bool) -> String {
    let mut text = format!("netem limit {}", limit(direction));
    if direction.delay_ns > 0 {
        let _ = write!(text, " delay {}", time(direction.delay_ns));
        if direction.jitter_ns > 0 {
            let _ = write!(text, " {}", time(direction.jitter_ns));
        }
    }
    match direction.loss {
        Loss::Independent(share) if share > 0.0 => {
            let _ = write!(text, " loss random {}", percent(share));
        }
        Loss::Independent(_) => {}
        Loss::Bursts { good_to_bad, bad_to_good, good_loss, bad_loss } => {
            let [p, r, h, k] = [good_to_bad, bad_to_good, bad_loss, good_loss].map(percent);
            let _ = write!(text, " loss gemodel {p} {r} {h} {k}");
        }
    }
    if direction.duplicate > 0.0 {
        let _ = write!(text, " duplicate {}", percent(direction.duplicate));
    }
    if direction.reorder > 0.0 {
        let _ = write!(text, " reorder {}", percent(direction.reorder));
    }
    match direction.rate_bits_s {
        Some(rate) => {
            let _ = write!(text, " rate {} -{ETHERNET}", bits(rate));
        }
        None if keeps_order(direction) => {
            let _ = write!(text, " rate {NO_LIMIT}");
        }
        None if change => text += " rate 0bit",
        None => {}
    }
    text
}

/// What this direction is for Fogbit and cannot be for netem.
fn remarks(text: &mut String, direction: &Direction) {
    if keeps_order(direction) {
        *text += "# netem with jitter turns packets round, unless it has a rate: hence one that holds nothing up.\n";
    }
    if direction.jitter_reorders && direction.jitter_ns > 0 && direction.rate_bits_s.is_some() {
        *text += "# Its jitter may turn packets round; netem with a rate never does.\n";
    }
}

/// Whether there is jitter that must not turn packets round, and no rate that prevents it.
fn keeps_order(direction: &Direction) -> bool {
    direction.jitter_ns > 0 && !direction.jitter_reorders && direction.rate_bits_s.is_none()
}

fn limit(direction: &Direction) -> u64 {
    let Some(rate) = direction.rate_bits_s else { return ENDLESS };
    let delay_ns = u128::from(direction.delay_ns + direction.jitter_ns);
    let under_way = (u128::from(rate) * delay_ns / 8_000_000_000) as u64;
    direction.queue_bytes.div_ceil(PACKET) + under_way.div_ceil(PACKET)
}

fn time(ns: u64) -> String {
    format!("{}ms", plain(ns as f64 / 1e6))
}

fn percent(share: f64) -> String {
    format!("{}%", plain(100.0 * share))
}

fn bits(rate: u64) -> String {
    match rate {
        rate if rate.is_multiple_of(1_000_000) => format!("{}mbit", rate / 1_000_000),
        rate if rate.is_multiple_of(1_000) => format!("{}kbit", rate / 1_000),
        rate => format!("{rate}bit"),
    }
}

/// A number with as many digits as it needs, six behind the point at most.
fn plain(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A name as a shell variable.
fn variable(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("ADDRESS_{}", name.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::link::{Direction, Loss};

    use super::{netem, variable};

    #[test]
    fn every_setting_has_its_word() {
        let all = Direction {
            delay_ns: 12_500_000,
            jitter_ns: 2_500_000,
            jitter_reorders: false,
            loss: Loss::Independent(0.001),
            duplicate: 0.0125,
            reorder: 0.25,
            rate_bits_s: Some(768_000),
            queue_bytes: 64_000,
        };
        // 64,000 bytes wait in 50 packets; the rate sends 1,440 bytes in 15 ms.
        assert_eq!(
            netem(&all, false),
            "netem limit 52 delay 12.5ms 2.5ms loss random 0.1% duplicate 1.25% reorder 25% \
             rate 768kbit -14"
        );
        let bursts =
            Loss::Bursts { good_to_bad: 0.0002, bad_to_good: 0.02, good_loss: 0.0, bad_loss: 0.5 };
        let bursts = Direction { loss: bursts, ..Direction::UNIMPAIRED };
        let words = "netem limit 1000000 loss gemodel 0.02% 2% 50% 0%";
        assert_eq!(netem(&bursts, false), words);
        // What had a rate before has none now.
        assert_eq!(netem(&bursts, true), format!("{words} rate 0bit"));
    }

    #[test]
    fn jitter_alone_gets_a_rate_that_keeps_the_order() {
        let kept = Direction { delay_ns: 2_000_000, jitter_ns: 1_000_000, ..Direction::UNIMPAIRED };
        assert!(netem(&kept, false).ends_with("delay 2ms 1ms rate 100gbit"));
        let turned = Direction { jitter_reorders: true, ..kept };
        assert!(netem(&turned, false).ends_with("delay 2ms 1ms"));
    }

    #[test]
    fn names_become_variables() {
        assert_eq!(variable("edge-1.a"), "ADDRESS_EDGE_1_A");
    }
}
