//! The whole system as a stack of Docker Swarm, by the files of the repository as they stand; only
//! images that would have to be pulled are replaced. Needs a real engine.

mod common;
#[path = "common/docker.rs"]
mod docker;

use std::process::Command;

use common::create_tokens;
use docker::{Engine, Prometheus, copy, docker, inspect, lines, repository, succeed, wait_for};
use serde_json::Value;

/// As many as in the test of Compose: with live.toml's seed, TOOF needs far longer among four.
const NODES: usize = 5;

/// A swarm, which is dissolved again where there was none before.
struct Swarm {
    made: bool,
}

impl Swarm {
    fn new() -> Swarm {
        let state = docker(&["info", "--format", "{{.Swarm.LocalNodeState}}"]);
        let made = state.trim() != "active";
        if made {
            docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
        }
        Swarm { made }
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        if self.made {
            let _ = Command::new("docker").args(["swarm", "leave", "--force"]).output();
            // The network between containers and host, which the swarm made and leaves behind.
            let _ = Command::new("docker").args(["network", "rm", "docker_gwbridge"]).output();
        }
    }
}

/// A stack in a copy of what it needs. Nothing of it outlives the test.
struct Stack {
    folder: tempfile::TempDir,
    name: String,
}

impl Stack {
    fn new() -> Stack {
        let folder = tempfile::tempdir().unwrap();
        for part in ["stack.yml", "dashboards"] {
            copy(&repository().join(part), &folder.path().join(part));
        }
        let over = repository().join("orchestrator/tests/docker/stack.yml");
        copy(&over, &folder.path().join("override.yml"));
        create_tokens(&folder.path().join("tokens"));
        Stack { folder, name: format!("fogbit-test-{}", std::process::id()) }
    }

    fn deploy(&self, engine: &Engine, prometheus: &Prometheus) {
        succeed(
            Command::new("docker")
                .current_dir(self.folder.path())
                .args(["stack", "deploy", "--resolve-image", "never"])
                .args(["--compose-file", "stack.yml", "--compose-file", "override.yml", &self.name])
                .env_remove("TASK_NODES")
                .env_remove("TOPOLOGY")
                .env_remove("PACE")
                .env("NODES", NODES.to_string())
                .env("FOGBIT_IMAGE", &engine.image)
                .env("FOGBIT_PROMETHEUS_IMAGE", &engine.prometheus)
                .env("PROMETHEUS_PORT", prometheus.port.to_string()),
        );
    }

    fn filter(&self) -> String {
        format!("label=com.docker.stack.namespace={}", self.name)
    }

    fn containers(&self) -> Vec<String> {
        lines(&["ps", "--all", "--quiet", "--filter", &self.filter()])
    }

    fn volumes(&self) -> Vec<String> {
        lines(&["volume", "ls", "--quiet", "--filter", &self.filter()])
    }

    /// What there is of the stack, but for volumes, which outlive it as they are meant to.
    fn remains(&self) -> Vec<String> {
        let mut remains = self.containers();
        for part in ["service", "network", "secret", "config"] {
            remains.extend(lines(&[part, "ls", "--quiet", "--filter", &self.filter()]));
        }
        remains
    }

    fn remove(&self) {
        docker(&["stack", "rm", &self.name]);
        wait_for("the end of the stack", || self.remains().is_empty().then_some(()));
        for volume in self.volumes() {
            docker(&["volume", "rm", &volume]);
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        // It has not come to its end: say what there is to see, and leave nothing.
        let tasks = ["stack", "ps", "--no-trunc", &self.name];
        if let Ok(output) = Command::new("docker").args(tasks).output() {
            eprintln!("{}", common::stdout(&output));
        }
        for container in self.containers() {
            if let Ok(output) =
                Command::new("docker").args(["logs", "--tail", "20", &container]).output()
            {
                eprintln!("{container}:\n{}{}", common::stdout(&output), common::stderr(&output));
            }
        }
        // Nothing here may panic once more. The containers hold the volumes until they have ended.
        let _ = Command::new("docker").args(["stack", "rm", &self.name]).output();
        for _ in 0..120 {
            std::thread::sleep(std::time::Duration::from_millis(250));
            let containers = ["ps", "--all", "--quiet", "--filter", &self.filter()];
            let output = Command::new("docker").args(containers).output();
            if output.is_ok_and(|output| output.stdout.is_empty()) {
                break;
            }
        }
        for volume in ["results", "prometheus"] {
            let volume = format!("{}_{volume}", self.name);
            let _ = Command::new("docker").args(["volume", "rm", "--force", &volume]).output();
        }
    }
}

/// The names of the secrets that a service is given.
fn secrets(stack: &Stack, service: &str) -> Vec<String> {
    let service = inspect(&format!("{}_{service}", stack.name));
    let secrets = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"].as_array().unwrap();
    let name = |secret: &Value| secret["File"]["Name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = secrets.iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_stack_comes_up_and_goes() {
    let Some(engine) = Engine::prepare("swarm") else { return };
    let _swarm = Swarm::new();
    let stack = Stack::new();
    let prometheus = Prometheus { port: docker::free_port() };
    stack.deploy(&engine, &prometheus);

    prometheus.wait_for_targets(NODES, 2);
    prometheus.wait("sum(fogbit_node_present)", |present| present == NODES as f64);
    prometheus.wait_for_falling_regret();

    assert_eq!(secrets(&stack, "helper"), ["helper.token"]);
    assert_eq!(secrets(&stack, "task-node"), ["task-node.token"]);
    for container in stack.containers() {
        let container = inspect(&container);
        let (name, host) = (&container["Name"], &container["HostConfig"]);
        let user = container["Config"]["User"].as_str().unwrap();
        assert!(!user.is_empty() && !user.starts_with("0") && user != "root", "{name}");
        assert_eq!(host["ReadonlyRootfs"], true, "{name}");
        assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]), "{name}");
    }

    stack.remove();
    assert_eq!(stack.remains(), Vec::<String>::new());
}
