//! The whole system in Docker Compose, by the files of the repository as they stand; only images
//! that would have to be pulled are replaced. Needs a real engine.

mod common;
#[path = "common/docker.rs"]
mod docker;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::send;
use docker::{Engine, Prometheus, copy, inspect, lines, repository, succeed, wait_for};
use rustix::process::Signal;
use serde_json::Value;

/// A Compose project of its own in a copy of what it needs. Nothing of it outlives the test.
struct Project<'a> {
    engine: &'a Engine,
    folder: tempfile::TempDir,
    name: String,
    prometheus: Prometheus,
    /// `FOGBIT_USER`, where it is needed.
    user: Option<String>,
}

impl<'a> Project<'a> {
    fn new(engine: &'a Engine) -> Project<'a> {
        let folder = tempfile::tempdir().unwrap();
        for part in ["docker-compose.yml", "dashboards", "topologies", "results"] {
            copy(&repository().join(part), &folder.path().join(part));
        }
        let over = repository().join("orchestrator/tests/docker/compose.yml");
        copy(&over, &folder.path().join("override.yml"));

        // Whoever runs the test has to be the one who may write the results, but that must not be
        // root: for root, the folder is given to the user that the file names.
        let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
        let results = folder.path().join("results");
        let user = if user.is_root() {
            std::os::unix::fs::chown(results, Some(1000), Some(1000)).unwrap();
            None
        } else {
            Some(format!("{}:{}", user.as_raw(), group.as_raw()))
        };

        let name = format!("fogbit-test-{}", std::process::id());
        let prometheus = Prometheus { port: docker::free_port() };
        Project { engine, folder, name, prometheus, user }
    }

    fn command(&self, nodes: usize, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command
            .current_dir(self.folder.path())
            .args(["compose", "--ansi", "never", "--project-name", &self.name])
            .args(["--file", "docker-compose.yml", "--file", "override.yml"])
            .args(arguments)
            .env("NODES", nodes.to_string())
            .env("FOGBIT_IMAGE", &self.engine.image)
            .env("FOGBIT_PROMETHEUS_IMAGE", &self.engine.prometheus)
            .env("PROMETHEUS_PORT", self.prometheus.port.to_string());
        for name in ["TASK_NODES", "TOPOLOGY", "PACE", "FOGBIT_USER"] {
            command.env_remove(name);
        }
        if let Some(user) = &self.user {
            command.env("FOGBIT_USER", user);
        }
        command
    }

    fn up(&self, nodes: usize) {
        succeed(&mut self.command(nodes, &["up", "--detach", "--wait", "--wait-timeout", "300"]));
    }

    /// The containers of a service, or of all.
    fn containers(&self, service: &[&str]) -> Vec<String> {
        let output = succeed(self.command(1, &["ps", "--all", "--quiet"]).args(service));
        output.lines().map(str::to_owned).collect()
    }

    /// What there is of the project: containers, networks and volumes.
    fn remains(&self) -> Vec<String> {
        let of_project = format!("label=com.docker.compose.project={}", self.name);
        let parts: [&[&str]; 3] = [
            &["ps", "--all", "--quiet"],
            &["network", "ls", "--quiet"],
            &["volume", "ls", "--quiet"],
        ];
        parts
            .iter()
            .flat_map(|part| lines(&[part, &["--filter", &of_project][..]].concat()))
            .collect()
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for arguments in [&["ps", "--all"][..], &["logs", "--no-color", "--tail", "20"]] {
                if let Ok(output) = self.command(1, arguments).output() {
                    eprintln!("{}", common::stdout(&output));
                }
            }
        }
        let down = ["down", "--volumes", "--remove-orphans", "--timeout", "1"];
        let _ = self.command(1, &down).output();
    }
}

/// No container may be able to do more than it has to.
fn assert_confined(container: &Value) {
    let name = container["Name"].as_str().unwrap();
    let (config, host) = (&container["Config"], &container["HostConfig"]);
    let user = config["User"].as_str().unwrap();
    let user = user.split(':').next().unwrap();
    assert!(!["", "0", "root"].contains(&user), "{name} runs as root");
    assert_eq!(host["Privileged"], false, "{name}");
    assert_eq!(host["ReadonlyRootfs"], true, "{name}");
    assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]), "{name}");
    assert!(host["CapAdd"].is_null(), "{name}");
    assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
    for limit in ["Memory", "NanoCpus", "PidsLimit"] {
        assert!(host[limit].as_i64().unwrap() > 0, "{name} has no {limit}");
    }
}

/// What a run by hand has left in the results, once it is there.
fn summary(results: &Path, name: &str) -> Value {
    let runs = std::fs::read_dir(results).unwrap().map(|entry| entry.unwrap());
    let mut runs = runs.filter(|run| run.file_name().to_str().unwrap().starts_with(name));
    let (run, more) = (runs.next().unwrap(), runs.next());
    assert!(more.is_none());
    serde_json::from_slice(&std::fs::read(run.path().join("summary.json")).unwrap()).unwrap()
}

/// What the manifest of each run says of its end.
fn statuses(results: &Path) -> Vec<(String, String)> {
    let runs = std::fs::read_dir(results).unwrap().map(|entry| entry.unwrap().path());
    runs.filter(|run| run.is_dir())
        .map(|run| {
            let manifest = std::fs::read(run.join("manifest.json")).unwrap();
            let manifest: Value = serde_json::from_slice(&manifest).unwrap();
            (run.display().to_string(), manifest["status"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Kills a node of twenty, and waits until it was lost and is back.
fn kill_and_have_it_back(project: &Project<'_>) {
    let prometheus = &project.prometheus;
    let losses = "sum(fogbit_node_losses_total)";
    let before = prometheus.wait(losses, |_| true);
    let victim = &project.containers(&["helper"])[7];
    let restarts = || inspect(victim)["RestartCount"].as_i64().unwrap();
    let killed = (restarts(), inspect(victim)["State"]["Pid"].as_i64().unwrap());
    // From outside: `docker kill` would keep it from being restarted.
    send(Signal::KILL, i32::try_from(killed.1).unwrap());
    prometheus.wait(losses, |now| now > before);
    wait_for("the node to be started again", || (restarts() > killed.0).then_some(()));
    prometheus.wait("sum(fogbit_node_present)", |present| present == 20.0);
}

#[test]
fn a_whole_fog_comes_up_grows_loses_a_node_and_goes_without_a_trace() {
    let Some(engine) = Engine::prepare("compose") else { return };
    let size: u64 = inspect(&engine.image)["Size"].as_u64().unwrap();
    assert!(size < 25_000_000, "the image has {size} bytes");

    let project = Project::new(&engine);
    let prometheus = &project.prometheus;
    project.up(5);
    assert_eq!(project.containers(&[]).len(), 1 + 5 + 2 + 1);
    project.containers(&[]).iter().for_each(|container| assert_confined(&inspect(container)));
    prometheus.wait_for_targets(5, 2);
    prometheus.wait("sum(fogbit_node_present)", |present| present == 5.0);
    prometheus.wait_for_falling_regret();

    // More nodes: the orchestrator is started anew, and those that were there find it again.
    project.up(20);
    prometheus.wait("sum(fogbit_node_present)", |present| present == 20.0);
    prometheus.wait_for_targets(20, 2);

    // A node dies, and what it was sent times out. For a second it is not yet missed; that a policy
    // sends it something in that time is likely, but not certain: of 25 kills one found none.
    let timed_out = "sum(fogbit_tasks_timed_out_total)";
    let died = (0..5).find(|_| {
        kill_and_have_it_back(&project);
        prometheus.wait(timed_out, |_| true) > 0.0
    });
    assert!(died.is_some(), "no task timed out");

    // A run by hand beside it, with nodes of its own.
    let by_hand = ["run", "--rm", "--no-TTY", "orchestrator", "run", "topologies/small.toml"];
    succeed(&mut project.command(20, &by_hand));
    let results = project.folder.path().join("results");
    assert_eq!(summary(&results, "small-")["run"]["status"], "complete");

    let orchestrator = &project.containers(&["orchestrator"])[0];
    let start = Instant::now();
    docker::docker(&["stop", orchestrator]);
    assert!(start.elapsed() < Duration::from_secs(10), "it had to be killed");
    // 3 says that the host was too busy to keep up with real time, which is nobody's fault here.
    let code = inspect(orchestrator)["State"]["ExitCode"].as_i64().unwrap();
    assert!([0, 3].contains(&code), "exit code {code}");

    // What is taken down while it plays was stopped, and did not fail: an endless run has no other
    // end. Compose stops the nodes first.
    project.up(5);
    prometheus.wait("min(fogbit_slot)", |slot| slot > 20.0);
    succeed(&mut project.command(5, &["down", "--volumes"]));
    for (run, status) in statuses(&results) {
        assert_eq!(status, "complete", "{run}");
    }
    assert_eq!(project.remains(), Vec::<String>::new());
}
