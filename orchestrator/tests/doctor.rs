//! `fogbit doctor` as a program. What each check says of what is tested beside the checks.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{fogbit, stderr, stdout};
use serde_json::Value;

const CHECKS: [&str; 15] = [
    "port-grafana",
    "port-prometheus",
    "port-metrics",
    "port-join",
    "loopback",
    "udp-receive-buffer",
    "udp-send-buffer",
    "file-descriptors",
    "processors",
    "memory",
    "disk",
    "clock-resolution",
    "timer-lateness",
    "docker",
    "docker-compose",
];

/// What `fogbit doctor --format json` says where these are all programs there are.
fn doctor(programs: &Path) -> Value {
    let output =
        fogbit().args(["doctor", "--format", "json"]).env("PATH", programs).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = if found["failed"] == 0 { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(expected), "{}", stderr(&output));
    found
}

/// Writes a program `docker` that is this shell script.
fn fake_docker(folder: &Path, script: &str) {
    let file = folder.join("docker");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
}

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    found["checks"].as_array().unwrap().iter().find(|check| check["check"] == name).unwrap()
}

#[test]
fn every_check_is_told_in_json_and_in_the_table() {
    let programs = tempfile::tempdir().unwrap();
    let found = doctor(programs.path());
    let checks = found["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check["check"].as_str().unwrap()).collect();
    assert_eq!(names, CHECKS);
    for check in checks {
        assert!(!check["found"].as_str().unwrap().is_empty(), "{check}");
        assert_eq!(check["verdict"] == "well", check["advice"].is_null(), "{check}");
    }
    let count = |verdict| checks.iter().filter(|check| check["verdict"] == verdict).count();
    assert_eq!(found["failed"], count("failed"));
    assert_eq!(found["warnings"], count("warning"));

    let output = fogbit().arg("doctor").env("PATH", programs.path()).output().unwrap();
    let text = stdout(&output);
    for name in CHECKS {
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[test]
fn docker_is_found_missing_well_or_silent() {
    let programs = tempfile::tempdir().unwrap();
    let found = doctor(programs.path());
    for name in ["docker", "docker-compose"] {
        assert_eq!(check(&found, name)["verdict"], "warning");
        assert_eq!(check(&found, name)["found"], "there is no program `docker`");
    }

    let script =
        "case $1 in version) echo 27.1.1 ;; *) echo Docker Compose version v2.29.1 ;; esac";
    fake_docker(programs.path(), script);
    let found = doctor(programs.path());
    assert_eq!(check(&found, "docker")["found"], "engine 27.1.1");
    assert_eq!(check(&found, "docker-compose")["found"], "Compose 2.29.1");

    fake_docker(programs.path(), "echo Cannot connect >&2; exit 1");
    let found = doctor(programs.path());
    assert_eq!(check(&found, "docker")["found"], "the engine is not reachable: Cannot connect");
    assert_eq!(check(&found, "docker-compose")["verdict"], "warning");

    // In place of the shell, so that killing it leaves nobody behind.
    fake_docker(programs.path(), "exec /bin/sleep 60");
    let start = Instant::now();
    let found = doctor(programs.path());
    assert_eq!(check(&found, "docker")["found"], "the engine does not answer within 5 s");
    assert!(start.elapsed() < Duration::from_secs(20));
}
