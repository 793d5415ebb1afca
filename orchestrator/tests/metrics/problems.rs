//! The problems other than `one-bit`: what they export is what is documented, and what is written down.

use super::*;

/// A run over processes that is over and lingers, with what it exports and its summary.
struct Finished {
    exported: BTreeMap<String, Families>,
    series: BTreeMap<String, f64>,
    summary: Value,
}

/// Plays a topology to its end, over two seeds.
fn finished(file: &str, arguments: &[&str]) -> Finished {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let arguments = [arguments, &["--set", "expect=[]", "--seeds", "2", "--linger"]].concat();
    let run = Run::start(&topology(file), &arguments, &out);
    wait_for_results(&out);
    let (exported, series) = (run.exported(), scrape(run.metrics));
    run.end();
    let summary = std::fs::read(out.join("summary.json")).unwrap();
    Finished { exported, series, summary: serde_json::from_slice(&summary).unwrap() }
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

    /// Fails unless seeds and slots are those of the run: `length` is how many slots each trial has.
    fn check_slots(&self, problem: &str, length: f64) {
        let info = self.series.keys().find(|name| name.starts_with("fogbit_run_info{")).unwrap();
        assert_eq!(split(info).1["problem"], problem);
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
    let unheard = finished("network-aware.toml", &[&wall[..], &policies].concat());
    unheard.check_slots("placement", 3.0);
    let virtual_time = ["--set", "slots=300", "--set", "task.deadline_ms=2500", "--pace", "1000"];
    let run = finished("learned.toml", &[&virtual_time[..], &policies].concat());
    run.check_slots("placement", 300.0);
    assert_documented(
        &documented("placement"),
        (&run.exported, &run.series),
        Some(&unheard.exported),
    );
    for policy in unheard.policies().iter().chain(&run.policies()) {
        let counts = ["local", "offloaded", "refused", "timed_out"].map(|key| policy.written(key));
        let local = policy.of("tasks_local_total", &[]);
        let nodes = ["tasks_offloaded_total", "tasks_refused_total", "tasks_timed_out_total"]
            .map(|metric| policy.of(metric, &[("node", "edge")]));
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
    // What is compared is not all 0.
    assert!(unheard.policies()[0].written("timed_out") > 0.0);
    assert!(run.policies()[0].written("deadline_missed") > 0.0);
}

#[test]
fn cascade_exports_what_is_documented_and_written() {
    let arguments = ["--set", "images=2000", "--policy", "baseline", "--policy", "lower-bound"];
    let run = finished("cascade.toml", &arguments);
    run.check_slots("cascade", 2000.0);
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

#[test]
fn pipeline_exports_what_is_documented_and_written() {
    let policies = ["--policy", "greedy", "--policy", "random"];
    let few = [&["--set", "applications=100"][..], &policies].concat();
    let run = finished("pipeline.toml", &few);
    run.check_slots("pipeline", 100.0);
    let few = [&["--set", "applications=2"][..], &policies].concat();
    let measured = finished("pipeline-real.toml", &few);
    measured.check_slots("pipeline", 2.0);
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
}
