//! What lies in `dashboards/`: it is well formed, it asks for metrics that are documented, the tools
//! of Prometheus and Grafana accept it, and a real Prometheus that scrapes a real run has an answer
//! to every query.

#[path = "../common/mod.rs"]
mod common;

mod asked;
mod files;
mod known;
mod live;
mod promql;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{fogbit, skip, spawn, stderr, stdout, topology, wait_for};
use serde_json::{Value, json};

use self::asked::*;
use self::known::*;
use self::promql::*;

/// The dashboards that ship, by file and uid.
const DASHBOARDS: [(&str, &str); 6] = [
    ("cascade", "fogbit-cascade"),
    ("network", "fogbit-network"),
    ("nodes", "fogbit-nodes"),
    ("pipeline", "fogbit-pipeline"),
    ("placement", "fogbit-placement"),
    ("regret", "fogbit-regret"),
];

/// The kinds of panels that `check-schema.sh` knows, except rows.
const PANELS: [&str; 6] = ["bargauge", "heatmap", "stat", "state-timeline", "table", "timeseries"];

/// What Prometheus has of itself, with labels.
const BUILT_IN: [(&str, &[&str]); 2] =
    [("up", &["node"]), ("ALERTS", &["alertname", "alertstate", "severity"])];

/// Labels that Prometheus adds to everything that it scrapes.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];

const AGGREGATIONS: [&str; 12] = [
    "sum",
    "min",
    "max",
    "avg",
    "count",
    "group",
    "topk",
    "bottomk",
    "quantile",
    "stddev",
    "stdvar",
    "count_values",
];

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards").join(path)
}

fn read(path: &str) -> String {
    let path = folder(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn dashboard(name: &str) -> Value {
    serde_json::from_str(&read(&format!("grafana/dashboards/{name}.json"))).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("`{key}` is no text in {value}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("`{key}` is no list in {value}"))
}

fn installed(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}
