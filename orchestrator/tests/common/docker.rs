//! What the tests with a real Docker engine share. `.ci/docker up` prepares a machine for them.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{skip, stderr, stdout};

/// Long enough for anything here on a machine with much else to do; reaching it means that
/// something hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// A Docker engine with an image of Fogbit, for one test at a time. The image is removed at the
/// end.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) image: String,
    /// An image that stands in for Prometheus' own, which cannot be pulled.
    pub(crate) prometheus: String,
    _alone: File,
}

impl Engine {
    /// `None`, said loudly, where there is no engine, or not what belongs to it.
    pub(crate) fn prepare(test: &str) -> Option<Engine> {
        let missing = |what: &str| {
            skip(test, &format!("{what} (.ci/docker up makes what is needed)"));
            None
        };
        for arguments in [&["info"][..], &["compose", "version"]] {
            if !Command::new("docker").args(arguments).output().is_ok_and(|o| o.status.success()) {
                return missing(&format!("`docker {}` fails", arguments.join(" ")));
            }
        }
        let Some(binary) = std::env::var_os("FOGBIT_STATIC").map(PathBuf::from) else {
            return missing("FOGBIT_STATIC does not name a static binary");
        };
        let Ok(prometheus) = std::env::var("FOGBIT_PROMETHEUS_IMAGE") else {
            return missing("FOGBIT_PROMETHEUS_IMAGE names no image");
        };

        // Two systems at once would be in each other's way, and cargo may run both tests at once.
        let path = std::env::temp_dir().join("fogbit-docker-tests.lock");
        let alone = File::options().create(true).append(true).open(path).unwrap();
        alone.lock().unwrap();

        let image = format!("fogbit:test-{}", std::process::id());
        let engine = Engine { image, prometheus, _alone: alone };
        engine.build(&binary);
        Some(engine)
    }

    /// Builds the last stage of the Dockerfile as it stands. The stage before it needs an image
    /// that cannot be pulled, so what would be copied from there is copied from the context.
    fn build(&self, binary: &Path) {
        let context = tempfile::tempdir().unwrap();
        let here = |path: &str| context.path().join(path);
        let dockerfile = std::fs::read_to_string(repository().join("Dockerfile")).unwrap();

        let last = dockerfile.rfind("\nFROM ").unwrap();
        let from = "COPY --from=build ";
        assert!(dockerfile[last..].contains(from));
        std::fs::write(here("Dockerfile"), dockerfile[last..].replace(from, "COPY ")).unwrap();

        // The folders are made by the very command of the stage before.
        let folders = dockerfile.lines().find_map(|line| line.strip_prefix("RUN install -d "));
        let folders = folders.unwrap().replace("/image/", &format!("{}/", here("image").display()));
        let made = Command::new("install").arg("-d").args(folders.split(' ')).status();
        assert!(made.unwrap().success());
        std::fs::copy(binary, here("image/fogbit")).unwrap();
        copy(&repository().join("topologies"), &here("topologies"));

        // The classic builder, because an engine need not have the other one.
        let context = context.path().to_str().unwrap();
        succeed(Command::new("docker").env("DOCKER_BUILDKIT", "0").args([
            "build",
            "--quiet",
            "--force-rm",
            "--tag",
            &self.image,
            context,
        ]));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "--force", &self.image]).output();
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Copies a file or a folder with all that is in it, readable for the users of all containers.
pub(crate) fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
        std::fs::set_permissions(to, PermissionsExt::from_mode(0o755)).unwrap();
    } else {
        std::fs::copy(from, to).unwrap();
        std::fs::set_permissions(to, PermissionsExt::from_mode(0o644)).unwrap();
    }
}

/// Runs a command that must end well; gives its standard output.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

pub(crate) fn docker(arguments: &[&str]) -> String {
    succeed(Command::new("docker").args(arguments))
}

/// The lines of what a command of Docker prints.
pub(crate) fn lines(arguments: &[&str]) -> Vec<String> {
    docker(arguments).lines().map(str::to_owned).collect()
}

pub(crate) fn inspect(container: &str) -> Value {
    let mut found: Value = serde_json::from_str(&docker(&["inspect", container])).unwrap();
    found[0].take()
}

/// Waits until `ready` gives something, and longer than the other tests do: containers start
/// slowly, and Prometheus looks at them every few seconds.
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// A TCP port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A Prometheus on this host.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) port: u16,
}

impl Prometheus {
    /// `None` where it does not answer, or not well.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let body: Value = serde_json::from_str(body).ok()?;
        (body["status"] == "success").then(|| body["data"].clone())
    }

    /// The only value of a query, if it has one.
    pub(crate) fn value(&self, query: &str) -> Option<f64> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let data = self.get(&format!("/api/v1/query?query={encoded}"))?;
        match data["result"].as_array()?.as_slice() {
            [one] => one["value"][1].as_str()?.parse().ok(),
            _ => None,
        }
    }

    /// Waits until the value of a query is as wanted.
    pub(crate) fn wait(&self, query: &str, wanted: impl Fn(f64) -> bool) -> f64 {
        wait_for(query, || self.value(query).filter(|&value| wanted(value)))
    }

    /// Waits until every process is found and answers, and none besides.
    pub(crate) fn wait_for_targets(&self, helpers: usize, task_nodes: usize) {
        wait_for("the targets", || {
            let data = self.get("/api/v1/targets?state=active")?;
            let targets = data["activeTargets"].as_array()?;
            let up = targets.iter().all(|target| target["health"] == "up");
            (up && targets.len() == 1 + helpers + task_nodes).then_some(())
        });
        for (role, count) in [("orchestrator", 1), ("helper", helpers), ("task-node", task_nodes)] {
            let query = format!("count(fogbit_build_info{{role=\"{role}\"}})");
            self.wait(&query, |found| found == count as f64);
        }
    }

    /// Waits until the average regret of TOOF is clearly lower than it was early on.
    pub(crate) fn wait_for_falling_regret(&self) {
        let regret = "fogbit_average_regret_linear{policy=\"toof\"}";
        self.wait("fogbit_slot{policy=\"toof\"}", |slot| slot >= 20.0);
        let early = self.wait(regret, |value| value > 0.0);
        self.wait(regret, |value| value < 0.8 * early);
    }
}
