//! The problems other than `one-bit`: what they export is what is documented, and what is written down.

use std::path::PathBuf;
use std::time::Duration;

use fogbit_scenario::topology::Problem;
use tempfile::TempDir;

use super::*;

/// Two helper nodes, so that they can be taken for each other.
const TWO_NODES: &str = r#"problem = "placement"
slots = 300

[task]
complexity_cycles = { min = 5e7, max = 5e8 }
input_kb = { min = 2, max = 40 }
deadline_ms = 60

[task-node]
cpu_frequency_ghz = 1

[[node]]
name = "near"
cpu_frequency_ghz = 2

[[node]]
name = "far"
cpu_frequency_ghz = 40

[[link]]
to = "near"
profile = "5g"

[[link]]
to = "far"
profile = "lte"

[policies.rule]
kind = "rule"

[policies.online]
kind = "online"
"#;

/// A run over processes that is over and lingers, with what it exports and its summary.
struct Finished {
    exported: BTreeMap<String, Families>,
    series: BTreeMap<String, f64>,
    summary: Value,
    out: PathBuf,
    _dir: TempDir,
}

/// Plays a topology to its end, over two seeds.
fn finished(file: &Path, arguments: &[&str]) -> Finished {
    finished_with(file, arguments, |_| ())
}

/// The same; until there are results, `meanwhile` is done again and again.
fn finished_with(file: &Path, arguments: &[&str], meanwhile: impl Fn(&Run)) -> Finished {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let arguments = [arguments, &["--set", "expect=[]", "--seeds", "2", "--linger"]].concat();
    let run = Run::start(file, &arguments, &out);
    wait_for("the results", || {
        meanwhile(&run);
        is_complete(&out).then_some(())
    });
    let (exported, series) = (run.exported(), scrape(run.metrics));
    run.end();
    let summary = std::fs::read(out.join("summary.json")).unwrap();
    let summary = serde_json::from_slice(&summary).unwrap();
    Finished { exported, series, summary, out, _dir: dir }
}

/// Stops all nodes of a run for a moment.
fn stand_still(run: &Run) {
    let nodes = nodes_of(&run.child);
    for signal in [Signal::STOP, Signal::CONT] {
        nodes.iter().for_each(|node| send(signal, node.id));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What one policy came to: as it is shown, and as it is written down over both seeds.
struct Policy<'f> {
    name: &'f str,
    series: &'f BTreeMap<String, f64>,
    whole: &'f Value,
    /// Its trial under the last seed.
    last: &'f Value,
}

impl Finished {
    fn policies(&self) -> Vec<Policy<'_>> {
        let trials = self.summary["trials"].as_array().unwrap();
        let policies = self.summary["policies"].as_array().unwrap().iter().map(|told| Policy {
            name: told["name"].as_str().unwrap(),
            series: &self.series,
            whole: &told["whole"],
            last: trials.iter().rfind(|trial| trial["policy"] == told["name"]).unwrap(),
        });
        policies.collect()
    }

    /// The sites of a policy's decisions of `placement`, under both seeds.
    fn sites(&self, policy: &str) -> Vec<String> {
        let file = |seed: u64| self.out.join(format!("decisions/{policy}-{seed}.csv"));
        let rows = [1, 2].map(|seed| std::fs::read_to_string(file(seed)).unwrap());
        let site = |row: &str| row.split(',').nth(1).unwrap().to_owned();
        rows.iter().flat_map(|rows| rows.lines().skip(1)).map(site).collect()
    }

    /// Fails unless what every run has is that of this one: `length` is how many slots each trial has.
    fn check_run(&self, problem: Problem, length: f64) {
        let run = &self.summary["run"];
        let valid = run["valid"].as_bool().unwrap();
        assert_eq!(self.series["fogbit_run_valid"], f64::from(u8::from(valid)));
        let names = run["nodes"].as_array().unwrap();
        for name in names {
            let name = name.as_str().unwrap();
            assert_eq!(self.series[&format!("fogbit_node_present{{node=\"{name}\"}}")], 1.0);
        }
        let members = |role: &str| self.series[&format!("fogbit_members{{role=\"{role}\"}}")];
        assert_eq!(members("helper"), names.len() as f64);
        assert_eq!(members("task-node"), self.policies().len() as f64);
        let info = self.series.keys().find(|name| name.starts_with("fogbit_run_info{")).unwrap();
        assert_eq!(split(info).1["problem"], problem.name());
        assert_eq!(self.series["fogbit_planned_slots"], length);
        for policy in self.policies() {
            let shown = ["seed", "slot", "slots_total"].map(|name| policy.of(name, &[]));
            assert_eq!(shown, [2.0, length, 2.0 * length], "{}", policy.name);
        }
    }
}

impl Policy<'_> {
    /// The value of its series with these labels beside its name.
    fn of(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        let mut labels = [labels, &[("policy", self.name)]].concat();
        labels.sort_unstable();
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let series = format!("fogbit_{metric}{{{}}}", labels.join(","));
        *self.series.get(&series).unwrap_or_else(|| panic!("there is no {series}"))
    }

    /// The sum of its series over all nodes.
    fn over_nodes(&self, metric: &str) -> f64 {
        let own = |(series, _): &(&String, &f64)| {
            let (name, labels) = split(series);
            name.strip_prefix("fogbit_") == Some(metric) && labels["policy"] == self.name
        };
        self.series.iter().filter(own).map(|(_, value)| value).sum()
    }

    fn written(&self, key: &str) -> f64 {
        self.whole[key].as_f64().unwrap_or_else(|| panic!("{}: no {key}", self.name))
    }

    fn assert_near(&self, what: &str, shown: f64, written: f64) {
        let near = (shown - written).abs() <= 1e-9 * written.abs().max(1.0);
        assert!(near, "{what} of {}: {shown} is shown, {written} written", self.name);
    }
}

#[test]
fn placement_exports_what_is_documented_and_written() {
    // Little is done in ten milliseconds, and later half of the tasks come after the deadline.
    let wall = ["--set", "slots=3", "--set", "clock.timeout=\"10ms\"", "--set", "event=[]"];
    let policies = ["--policy", "always-offload", "--policy", "rule"];
    let unheard = finished(&topology("network-aware.toml"), &[&wall[..], &policies].concat());
    unheard.check_run(Problem::Placement, 3.0);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("two-nodes.toml");
    std::fs::write(&file, TWO_NODES).unwrap();
    let run = finished(&file, &["--pace", "1000"]);
    run.check_run(Problem::Placement, 300.0);
    assert_documented(
        &documented("placement"),
        (&run.exported, &run.series),
        Some(&unheard.exported),
    );
    for policy in unheard.policies().iter().chain(&run.policies()) {
        let counts = ["local", "offloaded", "refused", "timed_out"].map(|key| policy.written(key));
        let local = policy.of("tasks_local_total", &[]);
        let nodes = ["tasks_offloaded_total", "tasks_refused_total", "tasks_timed_out_total"]
            .map(|metric| policy.over_nodes(metric));
        assert_eq!([local, nodes[0], nodes[1], nodes[2]], counts, "{}", policy.name);
        let missed = policy.written("deadline_missed");
        assert_eq!(policy.of("deadlines_missed_total", &[]), missed);
        let done = policy.of("tasks_done_total", &[]);
        assert_eq!(done, policy.written("done") + missed);
        assert_eq!(local + nodes[0], done + nodes[1] + nodes[2], "{}", policy.name);
        let tasks = policy.written("tasks");
        if done > 0.0 {
            let latency = policy.of("latency_seconds_total", &[]) * 1e3 / done;
            policy.assert_near("latency", latency, policy.written("mean_latency_ms"));
        }
        let regret = policy.of("regret_seconds_total", &[]) * 1e3 / tasks;
        policy.assert_near("regret", regret, policy.written("mean_regret_ms"));
        let best = policy.of("best_decisions_total", &[]) / tasks;
        policy.assert_near("accuracy", best, policy.written("accuracy"));
    }
    // Each node is that of its name: decisions have its number, the task node's is 0.
    for policy in run.policies() {
        for (site, node) in [("1", "near"), ("2", "far")] {
            let sent = run.sites(policy.name).iter().filter(|own| *own == site).count();
            let shown = policy.of("tasks_offloaded_total", &[("node", node)]);
            assert_eq!(shown, sent as f64, "{}, {node}", policy.name);
            assert!(sent > 0, "{}, {node}", policy.name);
        }
    }
    // What is compared is not all 0.
    assert!(unheard.policies()[0].written("timed_out") > 0.0);
    assert!(run.policies()[0].written("deadline_missed") > 0.0);
}

#[test]
fn cascade_exports_what_is_documented_and_written() {
    let arguments = ["--set", "images=2000", "--policy", "baseline", "--policy", "lower-bound"];
    let run = finished(&topology("cascade.toml"), &arguments);
    run.check_run(Problem::Cascade, 2000.0);
    assert_documented(&documented("cascade"), (&run.exported, &run.series), None);
    for policy in run.policies() {
        let images = ["kept", "answered", "timed-out", "refused"]
            .map(|fate| policy.of("images_total", &[("fate", fate)]));
        let counts = ["answered", "timed_out", "refused"].map(|key| policy.written(key));
        assert_eq!(images[1..], counts, "{}", policy.name);
        assert_eq!(images.iter().sum::<f64>(), 4000.0);
        assert_eq!(policy.of("images_wanted_total", &[]), policy.written("wanted"));
        let wasted = format!("fogbit_tokens_wasted_total{{policy=\"{}\"}}", policy.name);
        match (policy.series.get(&wasted), policy.whole["tokens_wasted"].as_f64()) {
            (Some(shown), Some(written)) => policy.assert_near("tokens", *shown, written),
            (shown, written) => assert_eq!((shown, written), (None, None), "{}", policy.name),
        }
        let average = policy.last["average_loss"].as_f64().unwrap();
        policy.assert_near("loss", policy.of("average_loss", &[]), average);
        policy.assert_near("loss", policy.of("cumulative_loss", &[]), average * 2000.0);
    }
    assert!(run.policies().iter().any(|policy| policy.written("answered") > 0.0));
}

/// Figures of a trial are not mixed with those of others that are played at the same time.
#[test]
fn in_one_process_policies_are_shown_under_the_same_seed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let policies = ["--policy", "baseline", "--policy", "lower-bound"];
    let arguments = ["--backend", "sim", "--seeds", "12", "--set", "images=3000", "--linger"];
    let run = Run::start(&topology("cascade.toml"), &[&policies[..], &arguments].concat(), &out);
    wait_for_results(&out);
    let series = scrape(run.metrics);
    run.end();
    for policy in ["baseline", "lower-bound"] {
        let of = |metric: &str| series[&format!("fogbit_{metric}{{policy=\"{policy}\"}}")];
        assert_eq!([of("seed"), of("slot"), of("slots_total")], [12.0, 3000.0, 36000.0]);
    }
}

#[test]
fn pipeline_exports_what_is_documented_and_written() {
    let policies = ["--policy", "greedy", "--policy", "random"];
    let few = [&["--set", "applications=100"][..], &policies].concat();
    let run = finished(&topology("pipeline.toml"), &few);
    run.check_run(Problem::Pipeline, 100.0);
    // A host that stands still now and then holds applications up.
    let few = [&["--set", "applications=2"][..], &policies].concat();
    let measured = finished_with(&topology("pipeline-real.toml"), &few, stand_still);
    measured.check_run(Problem::Pipeline, 2.0);
    assert_documented(
        &documented("pipeline"),
        (&run.exported, &run.series),
        Some(&measured.exported),
    );
    for policy in run.policies().iter().chain(&measured.policies()) {
        let fates = ["done", "timed-out", "refused"]
            .map(|fate| policy.of("applications_total", &[("fate", fate)]));
        assert_eq!(fates, ["done", "timed_out", "refused"].map(|key| policy.written(key)));
        assert_eq!(policy.of("applications_optimal_total", &[]), policy.written("optimal"));
        assert_eq!(policy.of("sub_tasks_as_label_total", &[]), policy.written("as_label"));
        let sub_tasks = policy.written("sub_tasks");
        let shares = policy.whole["site_share"].as_array().unwrap();
        for (site, share) in ["device", "edge", "cloud"].into_iter().zip(shares) {
            let shown = policy.of("sub_tasks_total", &[("site", site)]) / sub_tasks;
            policy.assert_near(site, shown, share.as_f64().unwrap());
        }
        let applications = policy.written("applications");
        let delays = ["delay_seconds_total", "least_delay_seconds_total"]
            .map(|metric| policy.of(metric, &[]) * 1e3 / applications);
        policy.assert_near("delay", delays[0], policy.written("mean_delay_ms"));
        policy.assert_near("least delay", delays[1], policy.written("mean_optimum_ms"));
    }
    for policy in measured.policies() {
        let told = |key: &str| policy.whole["measured"][key].as_f64().unwrap();
        let done = policy.written("done");
        assert!(done > 0.0);
        let delays = ["measured_delay_seconds_total", "measured_modelled_delay_seconds_total"]
            .map(|metric| policy.of(metric, &[]) * 1e3 / done);
        policy.assert_near("measured delay", delays[0], told("mean_delay_ms"));
        policy.assert_near("its modelled delay", delays[1], told("mean_modelled_ms"));
        assert_eq!(policy.of("held_up_applications_total", &[]), told("late"));
    }
    assert_eq!(measured.series["fogbit_run_valid"], 0.0);
    let late = |policy: &Policy<'_>| policy.of("held_up_applications_total", &[]);
    assert!(measured.policies().iter().map(late).sum::<f64>() > 0.0);
}
