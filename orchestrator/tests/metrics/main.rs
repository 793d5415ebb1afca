//! What the processes of a run export is what `docs/metrics.md` says, no less and no more, and
//! what the results say.

#[path = "../common/mod.rs"]
mod common;

mod problems;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;

use common::metrics::{get, parse, scrape};
use common::{
    Guarded, endless, fogbit, nodes_of, send, spawn, topology, wait_for, wait_for_decisions,
    wait_for_end,
};
use rustix::process::Signal;
use serde_json::Value;

const ROLES: [&str; 3] = ["orchestrator", "task-node", "helper"];

/// A metric as it is documented, or as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Family {
    /// `counter`, `gauge` or `histogram`.
    kind: String,
    labels: BTreeSet<String>,
}

/// The metrics of a role, by name.
type Families = BTreeMap<String, Family>;

/// What `docs/metrics.md` says of each role in a problem, and which metrics are said to be of the wall
/// clock.
fn documented(problem: &str) -> (BTreeMap<&'static str, Families>, BTreeSet<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut roles: BTreeMap<&str, Families> =
        ROLES.into_iter().map(|role| (role, Families::new())).collect();
    let (mut wall, mut section) = (BTreeSet::new(), "");
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, _unit, meaning] = cells[..] else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        let labels: BTreeSet<String> = labels
            .split(',')
            .map(|label| label.trim().to_owned())
            .filter(|l| !l.is_empty())
            .collect();
        let (whose, only) = match section.split_once(", `") {
            Some((whose, problem)) => (whose, Some(problem.trim_end_matches('`'))),
            None => (section, None),
        };
        let of: &[&str] = match whose {
            "Orchestrator" => &ROLES[..1],
            "Task node" => &ROLES[1..2],
            "Helper node" => &ROLES[2..],
            "Every process" => &ROLES,
            other => panic!("a table of metrics under {other:?}"),
        };
        if only.is_some_and(|only| only != problem) {
            continue;
        }
        if meaning.contains("(wall clock)") {
            wall.insert(name.to_owned());
        }
        for role in of {
            let mut labels = labels.clone();
            if *role == "helper" {
                // Everything a helper node exports carries its name.
                labels.insert("node".into());
            }
            let family = Family { kind: kind.into(), labels };
            let before = roles.get_mut(role).unwrap().insert(name.into(), family);
            assert!(before.is_none(), "{name} is documented twice for a {role}");
        }
    }
    let least = match problem {
        "one-bit" => [("orchestrator", 30), ("task-node", 15), ("helper", 15)],
        _ => [("orchestrator", 20), ("task-node", 8), ("helper", 8)],
    };
    for (role, least) in least {
        assert!(roles[role].len() >= least, "the tables could not be read: {:#?}", roles[role]);
    }
    (roles, wall)
}

/// Name and labels of a series as it is exported.
fn split(series: &str) -> (&str, BTreeMap<&str, &str>) {
    let Some((name, rest)) = series.split_once('{') else { return (series, BTreeMap::new()) };
    let labels = rest.strip_suffix("\"}").unwrap().split("\",");
    (name, labels.map(|label| label.split_once("=\"").unwrap()).collect())
}

/// What a process exports, with every series looked at by itself.
fn exported(text: &str, role: &str) -> Families {
    let words = |keyword: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(keyword)?.split_once(' '));
        lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    };
    let (kinds, helps) = (words("# TYPE "), words("# HELP "));
    assert_eq!(kinds.keys().collect::<Vec<_>>(), helps.keys().collect::<Vec<_>>());
    for (name, kind) in &kinds {
        assert!(name.starts_with("fogbit_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(!helps[name].is_empty());
    }
    let mut families = Families::new();
    for series in parse(text).keys() {
        let (name, mut labels) = split(series);
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part))
            .filter(|family| kinds.get(*family).is_some_and(|kind| kind == "histogram"));
        if of_histogram.is_some() && name.ends_with("_bucket") {
            assert!(labels.remove("le").is_some(), "{series}");
        }
        for (label, value) in &labels {
            // A label for slots, tasks or seeds would be one series for each of them.
            assert!(!value.is_empty(), "{role}: {label} of {series}");
            assert!(!value.chars().all(|c| c.is_ascii_digit()), "{role}: {series}");
        }
        let name = of_histogram.unwrap_or(name);
        let labels = labels.keys().map(|label| (*label).to_owned()).collect();
        let family = Family { kind: kinds[name].clone(), labels };
        match families.get(name) {
            Some(before) => assert_eq!(before, &family, "{role}: {series}"),
            None => drop(families.insert(name.to_owned(), family)),
        }
    }
    families
}

/// A run with metrics, and where those of the orchestrator are.
struct Run {
    child: Guarded,
    metrics: SocketAddr,
}

impl Run {
    fn start(file: &Path, arguments: &[&str], out: &Path) -> Run {
        let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = spawn(
            fogbit()
                .arg("run")
                .arg(file)
                .args(arguments)
                .args(["--quiet", "--metrics", &metrics.to_string(), "--out"])
                .arg(out)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        wait_for("metrics", || TcpStream::connect(metrics).ok());
        Run { child, metrics }
    }

    /// The role, the name and the metrics of each process of the run.
    fn processes(&self) -> Vec<(String, Option<String>, String)> {
        let targets: Value = serde_json::from_str(&get(self.metrics, "/targets").body).unwrap();
        let targets = targets.as_array().unwrap();
        let process = |target: &Value| {
            let address = target["targets"][0].as_str().unwrap().parse().unwrap();
            let role = target["labels"]["role"].as_str().unwrap().to_owned();
            let name = target["labels"]["node"].as_str().map(str::to_owned);
            let answer = get(address, "/metrics");
            assert_eq!(answer.status, 200);
            (role, name, answer.body)
        };
        targets.iter().map(process).collect()
    }

    /// What each role exports, over all its processes.
    fn exported(&self) -> BTreeMap<String, Families> {
        let mut roles: BTreeMap<String, Families> = BTreeMap::new();
        for (role, name, text) in self.processes() {
            for series in parse(&text).keys() {
                let (family, labels) = split(series);
                if family == "fogbit_build_info" {
                    assert_eq!(labels["role"], role);
                }
                if role == "helper" {
                    assert_eq!(Some(labels["node"]), name.as_deref(), "{series}");
                }
            }
            let families = roles.entry(role.clone()).or_default();
            for (name, family) in exported(&text, &role) {
                let before = families.insert(name.clone(), family.clone());
                assert!(before.is_none_or(|before| before == family), "{role}: {name}");
            }
        }
        roles
    }

    fn end(mut self) {
        send(Signal::TERM, self.child.id() as i32);
        // A run in real time on a busy host is invalid.
        let code = wait_for_end(&mut self.child);
        assert!([Some(0), Some(3)].contains(&code), "{code:?}");
    }
}

/// A slot-clocked run with true queues that is over and lingers.
fn finished(out: &Path) -> Run {
    let arguments = ["--set", "expect=[]", "--set", "slots=600", "--linger"];
    let run = Run::start(&topology("fifo.toml"), &arguments, out);
    wait_for_results(out);
    run
}

fn wait_for_results(out: &Path) {
    wait_for("the results", || is_complete(out).then_some(()));
}

fn is_complete(out: &Path) -> bool {
    let Ok(manifest) = std::fs::read(out.join("manifest.json")) else { return false };
    let manifest: Option<Value> = serde_json::from_slice(&manifest).ok();
    manifest.is_some_and(|manifest| manifest["status"] == "complete")
}

/// Fails unless each role exports what is documented of it: nothing else, and all of it in one of the
/// two. What is said to be of the wall clock is not there in virtual time, or 0.
fn assert_documented(
    (documented, of_the_wall_clock): &(BTreeMap<&'static str, Families>, BTreeSet<String>),
    (in_virtual_time, zero): (&BTreeMap<String, Families>, &BTreeMap<String, f64>),
    in_real_time: Option<&BTreeMap<String, Families>>,
) {
    for role in ROLES {
        let mut seen = Families::new();
        for families in [Some(in_virtual_time), in_real_time].into_iter().flatten() {
            for (name, family) in &families[role] {
                let told = documented[role].get(name);
                assert_eq!(told, Some(family), "{role}: {name} in docs/metrics.md");
                seen.insert(name.clone(), family.clone());
            }
        }
        let missing: Vec<&String> =
            documented[role].keys().filter(|name| !seen.contains_key(*name)).collect();
        assert!(missing.is_empty(), "{role}: documented but not exported: {missing:?}");
        // What real time alone has is absent in virtual time, or 0.
        let there = |name: &&String| in_virtual_time[role].contains_key(*name);
        for name in of_the_wall_clock.iter().filter(there) {
            let own = zero.iter().filter(|(series, _)| split(series).0 == name);
            assert_eq!(role, "orchestrator", "{name}");
            assert!(own.clone().count() > 0 && own.clone().all(|(_, value)| *value == 0.0));
        }
    }
}

#[test]
fn what_is_exported_is_what_is_documented() {
    let dir = tempfile::tempdir().unwrap();
    let documented = documented("one-bit");
    let slot_clocked = finished(&dir.path().join("slot"));
    let in_lockstep = slot_clocked.exported();
    let zero = scrape(slot_clocked.metrics);
    slot_clocked.end();
    let live = Run::start(&topology("live.toml"), &["--nodes", "3"], &dir.path().join("live"));
    wait_for("the first slots", || {
        let series = scrape(live.metrics);
        // Estimates are told from time to time, and tasks that have been answered are needed.
        let weights = series.keys().any(|name| name.starts_with("fogbit_weight_error{"));
        let slots = |(name, value): (&String, &f64)| {
            !name.starts_with("fogbit_slots_total{") || *value >= 30.0
        };
        (weights && series.iter().all(slots)).then_some(())
    });
    let in_real_time = live.exported();
    live.end();

    assert_documented(&documented, (&in_lockstep, &zero), Some(&in_real_time));
}

#[test]
fn what_is_shown_is_what_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path().join("out").as_path());
    let series = scrape(run.metrics);
    let processes = run.processes();
    run.end();
    let summary = std::fs::read(dir.path().join("out/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let nodes: Vec<&str> =
        summary["run"]["nodes"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    for policy in summary["policies"].as_array().unwrap() {
        let name = policy["name"].as_str().unwrap();
        let of = |metric: &str| series[&format!("{metric}{{policy=\"{name}\"}}")];
        let assert_near = |what: &str, shown: f64, written: f64| {
            let near = (shown - written).abs() <= 1e-9 * written.abs().max(1.0);
            assert!(near, "{what} of {name}: {shown} is shown, {written} written");
        };
        let mean = |key: &str| policy[key]["mean"].as_f64().unwrap();
        for (metric, key) in [("linear", "regret_linear"), ("happiness", "regret_happiness")] {
            let written = mean(key);
            assert_near(key, of(&format!("fogbit_cumulative_regret_{metric}")), written);
            assert_near(key, of(&format!("fogbit_regret_{metric}_total")), written);
            assert_near(key, of(&format!("fogbit_average_regret_{metric}")), written / 600.0);
        }
        assert_near("reward", of("fogbit_cumulative_reward"), mean("reward"));
        assert_near(
            "optimal_reward",
            of("fogbit_cumulative_optimal_reward"),
            mean("optimal_reward"),
        );
        assert_eq!((of("fogbit_slot"), of("fogbit_slots_total")), (600.0, 600.0));
        assert_eq!(of("fogbit_seed"), 1.0);

        let of_node = |metric: &str, node: &str| {
            series[&format!("{metric}{{node=\"{node}\",policy=\"{name}\"}}")]
        };
        let bit = |bit: &str, node: &str| {
            let labels = format!("{{bit=\"{bit}\",node=\"{node}\",policy=\"{name}\"}}");
            series[&format!("fogbit_feedback_total{labels}")]
        };
        let sum =
            |of_node: &dyn Fn(&str) -> f64| nodes.iter().map(|node| of_node(node)).sum::<f64>();
        let tasks = |key: &str| policy["tasks"][key].as_f64().unwrap();
        let offloaded = |node: &str| of_node("fogbit_tasks_offloaded_total", node);
        assert_eq!(sum(&offloaded), tasks("offloaded"));
        let refused = |node: &str| of_node("fogbit_tasks_refused_total", node);
        assert_eq!(sum(&refused), tasks("refused"));
        let answered = |node: &str| bit("happy", node) + bit("unhappy", node);
        assert_eq!(sum(&answered), tasks("answered"));
        let happy = policy["happy_share"].as_f64().unwrap();
        assert_near("happy_share", sum(&|node| bit("happy", node)) / 600.0, happy);
        for (node, share) in nodes.iter().zip(policy["chosen_share"].as_array().unwrap()) {
            let shown = offloaded(node) / tasks("offloaded");
            assert_near("chosen_share", shown, share.as_f64().unwrap());
            assert_eq!(offloaded(node), answered(node) + refused(node), "{name}: {node}");
            // The helper node has counted for itself what it took.
            let (_, _, own) = processes
                .iter()
                .find(|(role, called, _)| role == "helper" && called.as_deref() == Some(node))
                .unwrap();
            let taken: Vec<f64> = parse(own)
                .into_iter()
                .filter(|(series, _)| {
                    let (family, labels) = split(series);
                    family == "fogbit_accepted_tasks_total" && labels["policy"] == name
                })
                .map(|(_, value)| value)
                .collect();
            assert_eq!(taken, [answered(node)], "{name}: {node}");
        }
        // Only those that estimate weights can be wrong about them.
        let errors: Vec<f64> = nodes
            .iter()
            .filter_map(|node| {
                series.get(&format!("fogbit_weight_error{{node=\"{node}\",policy=\"{name}\"}}"))
            })
            .copied()
            .collect();
        let curve =
            std::fs::read_to_string(dir.path().join("out/curves/weight_error.csv")).unwrap();
        let last = curve.lines().rfind(|line| line.starts_with(&format!("{name},600,")));
        match last {
            None => assert!(errors.is_empty(), "{name}"),
            Some(line) => {
                let written: f64 = line.split(',').nth(2).unwrap().parse().unwrap();
                assert_eq!(errors.len(), nodes.len());
                let mean = errors.iter().sum::<f64>() / errors.len() as f64;
                assert_near("weight_error", mean, written);
            }
        }
    }
}

/// How many TCP sockets a process listens on.
fn listening(id: i32) -> usize {
    let sockets: BTreeSet<String> = std::fs::read_dir(format!("/proc/{id}/fd"))
        .unwrap()
        .filter_map(|entry| {
            let link = std::fs::read_link(entry.ok()?.path()).ok()?;
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    assert!(!sockets.is_empty(), "every process of a run has at least a UDP socket");
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/{id}/net/{table}")).ok())
        .flat_map(|table| {
            let of_process = |line: &str| {
                let columns: Vec<&str> = line.split_whitespace().collect();
                // The state 0A is LISTEN; the tenth column is the number of the socket.
                columns.get(3) == Some(&"0A")
                    && columns.get(9).is_some_and(|inode| sockets.contains(*inode))
            };
            table.lines().filter(|line| of_process(line)).map(drop).collect::<Vec<_>>()
        })
        .count()
}

#[test]
fn nobody_serves_metrics_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("silent");
    let mut silent = endless("small.toml", &out);
    wait_for_decisions(&out);
    let nodes = nodes_of(&silent);
    assert_eq!(nodes.len(), 7);
    for id in nodes.iter().map(|node| node.id).chain([silent.id() as i32]) {
        assert_eq!(listening(id), 0);
    }
    send(Signal::INT, silent.id() as i32);
    assert_eq!(wait_for_end(&mut silent), Some(130));

    // The same look finds them where they are wanted: one address for each process.
    let run = finished(&dir.path().join("out"));
    for id in nodes_of(&run.child).iter().map(|node| node.id).chain([run.child.id() as i32]) {
        assert_eq!(listening(id), 1);
    }
    run.end();
}
