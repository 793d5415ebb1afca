//! Metrics over HTTP.

mod common;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::metrics::{ask, connect, get, parse, scrape};
use fogbit::exporter::{Exporter, Target, process_registry};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Metric, MetricFamily};
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts};
use serde_json::{Value, json};

/// Any free port.
fn anywhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn exporter() -> Exporter {
    Exporter::start(anywhere(), "helper").unwrap()
}

fn build_info(role: &str) -> String {
    format!("fogbit_build_info{{role=\"{role}\",version=\"{}\"}}", env!("CARGO_PKG_VERSION"))
}

#[test]
fn the_metrics_of_the_process_are_served() {
    let exporter = exporter();
    let answer = get(exporter.address(), "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let series = parse(&answer.body);
    assert_eq!(series[&build_info("helper")], 1.0);
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
        "process_threads",
    ] {
        assert!(series.contains_key(name), "{name}: {series:?}");
    }
    assert!(series["process_resident_memory_bytes"] > 0.0);
    assert!(series["process_threads"] >= 2.0, "the exporter has a thread of its own");
}

#[test]
fn every_path_and_method_has_its_answer() {
    let exporter = exporter();
    let address = exporter.address();
    let health = get(address, "/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let index = get(address, "/");
    assert_eq!((index.status, &index.headers["content-type"][..9]), (200, "text/html"));
    assert!(index.body.contains("href=\"/metrics\"") && index.body.contains("href=\"/healthz\""));
    assert!(!index.body.contains("/targets"), "a helper node has no targets");
    assert_eq!(get(address, "/healthz?verbose").status, 200);
    for path in ["/targets", "/metric", "/metrics/", "/../etc/passwd"] {
        assert_eq!(get(address, path).status, 404, "{path}");
    }
    for (path, status) in [("/metrics", 200), ("/healthz", 200), ("/", 200), ("/targets", 404)] {
        let head = ask(address, "HEAD", path);
        assert_eq!((head.status, head.body.as_str()), (status, ""), "{path}");
        assert!(head.headers["content-length"].parse::<u64>().unwrap() > 0, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer = ask(address, method, "/metrics");
        assert_eq!((answer.status, &answer.headers["allow"][..]), (405, "GET, HEAD"), "{method}");
    }
}

#[test]
fn targets_are_told_as_prometheus_wants_them() {
    let exporter = Exporter::start(anywhere(), "orchestrator").unwrap();
    let target = |address: &str, role: &str, node: Option<&str>| Target {
        address: address.parse().unwrap(),
        role: role.into(),
        node: node.map(str::to_owned),
    };
    exporter.handle().set_targets(Arc::new(move || {
        vec![
            target("192.0.2.1:9464", "orchestrator", None),
            target("192.0.2.2:9464", "helper", Some("h0")),
            target("[2001:db8::1]:9464", "task-node", Some("t0")),
        ]
    }));
    let answer = get(exporter.address(), "/targets");
    assert_eq!((answer.status, &answer.headers["content-type"][..]), (200, "application/json"));
    let expected = json!([
        { "targets": ["192.0.2.1:9464"], "labels": { "role": "orchestrator" } },
        { "targets": ["192.0.2.2:9464"], "labels": { "role": "helper", "node": "h0" } },
        { "targets": ["[2001:db8::1]:9464"], "labels": { "role": "task-node", "node": "t0" } },
    ]);
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), expected);
    assert!(get(exporter.address(), "/").body.contains("href=\"/targets\""));
    exporter.handle().set_targets(Arc::new(Vec::new));
    assert_eq!(get(exporter.address(), "/targets").body, "[]");
}

#[test]
fn an_address_in_use_is_an_error_that_helps() {
    let first = exporter();
    let error = Exporter::start(first.address(), "helper").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let message = error.to_string();
    for expected in [&first.address().to_string(), "in use", "--metrics", "FOGBIT_METRICS"] {
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(get(first.address(), "/healthz").status, 200);
    // TEST-NET-1 is nobody's.
    let error = Exporter::start("192.0.2.1:9464".parse().unwrap(), "helper").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn garbage_harms_nobody_else() {
    let exporter = exporter();
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n", "x".repeat(1 << 20));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(1000));
    let garbage: [&[u8]; 8] = [
        b"",
        b"\0\xff\xfe\x01 garbage \r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /metrics",
        b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for bytes in garbage {
        let mut stream = connect(exporter.address());
        // The server may have hung up before all was written.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(bytes));
        assert_eq!(get(exporter.address(), "/healthz").status, 200);
    }
}

/// More of them than there are places: they are turned out after ten seconds, and then the others
/// have their turn.
#[test]
fn silent_clients_are_turned_out() {
    let exporter = exporter();
    let start = Instant::now();
    let mut silent: Vec<TcpStream> = (0..70).map(|_| connect(exporter.address())).collect();
    write!(silent[1], "GET /metrics HTTP/1.1\r\nHost: ").unwrap();
    assert_eq!(get(exporter.address(), "/healthz").status, 200);
    let waited = start.elapsed();
    assert!(waited < Duration::from_secs(18), "waited {waited:?} for a place");
    for stream in &mut silent[..2] {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
}

/// A node joins, learns its name, is lost and joins again under another one.
#[test]
fn the_registry_can_be_swapped() {
    let exporter = exporter();
    let handle = exporter.handle().clone();
    assert!(scrape(exporter.address()).contains_key(&build_info("helper")));
    // Metrics can be added to the one that is served, too.
    let joins = IntCounter::new("fogbit_joins_total", "Joins.").unwrap();
    handle.registry().register(Box::new(joins.clone())).unwrap();
    joins.inc();
    assert_eq!(scrape(exporter.address())["fogbit_joins_total"], 1.0);
    for name in ["h0", "h1", "a \"strange\\name\"\n"] {
        let swapped = handle.clone();
        let labels = HashMap::from([("node".to_owned(), name.to_owned())]);
        std::thread::spawn(move || {
            let registry = process_registry("helper", labels);
            let tasks = Opts::new("fogbit_accepted_tasks_total", "Tasks.");
            let tasks = IntCounterVec::new(tasks, &["policy"]).unwrap();
            registry.register(Box::new(tasks.clone())).unwrap();
            tasks.with_label_values(&["toof"]).inc_by(3);
            swapped.set_registry(registry);
        })
        .join()
        .unwrap();
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let series = scrape(exporter.address());
        let label = format!("node=\"{escaped}\"");
        assert!(series.keys().all(|series| series.contains(&label)), "{series:?}");
        let tasks = format!("fogbit_accepted_tasks_total{{policy=\"toof\",{label}}}");
        assert_eq!(series[&tasks], 3.0);
        assert!(!series.contains_key("fogbit_joins_total"));
    }
}

#[test]
fn scrapes_may_come_at_once() {
    let exporter = exporter();
    let count = IntCounter::new("fogbit_slots_total", "Slots.").unwrap();
    exporter.handle().registry().register(Box::new(count.clone())).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut last = -1.0;
                for _ in 0..25 {
                    count.inc();
                    let now = scrape(exporter.address())["fogbit_slots_total"];
                    assert!(now > last, "{now} after {last}");
                    last = now;
                }
            });
        }
    });
    assert_eq!(scrape(exporter.address())["fogbit_slots_total"], 200.0);
}

#[test]
fn histograms_are_served() {
    let exporter = exporter();
    let times = HistogramOpts::new("fogbit_decision_seconds", "Times.").buckets(vec![0.5, 1.0]);
    let times = HistogramVec::new(times, &["policy"]).unwrap();
    exporter.handle().registry().register(Box::new(times.clone())).unwrap();
    assert!(!get(exporter.address(), "/metrics").body.contains("fogbit_decision"), "no value yet");
    times.with_label_values(&["toof"]).observe(0.75);
    let series = scrape(exporter.address());
    let value = |name: &str| series[&format!("fogbit_decision_seconds_{name}")];
    assert_eq!(value("bucket{policy=\"toof\",le=\"0.5\"}"), 0.0);
    assert_eq!(value("bucket{policy=\"toof\",le=\"1\"}"), 1.0);
    assert_eq!(value("bucket{policy=\"toof\",le=\"+Inf\"}"), 1.0);
    assert_eq!(value("sum{policy=\"toof\"}"), 0.75);
    assert_eq!(value("count{policy=\"toof\"}"), 1.0);
}

/// A collector whose metrics cannot be written.
struct Nameless(Desc);

impl Collector for Nameless {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.mut_metric().push(Metric::default());
        vec![family]
    }
}

#[test]
fn what_cannot_be_gathered_is_an_error_of_the_server() {
    let exporter = exporter();
    let desc = Desc::new("broken".into(), "Broken.".into(), vec![], HashMap::new()).unwrap();
    exporter.handle().registry().register(Box::new(Nameless(desc))).unwrap();
    assert_eq!(get(exporter.address(), "/metrics").status, 500);
    assert_eq!(get(exporter.address(), "/healthz").status, 200);
    exporter.handle().set_registry(process_registry("helper", HashMap::new()));
    assert_eq!(get(exporter.address(), "/metrics").status, 200);
}

#[test]
fn dropping_it_frees_the_port_at_once() {
    let exporter = exporter();
    let address = exporter.address();
    let handle = exporter.handle().clone();
    let mut silent = connect(address);
    assert_eq!(get(address, "/healthz").status, 200);
    let start = Instant::now();
    drop(exporter);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(silent.read(&mut [0]).unwrap(), 0, "its connections are closed");
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // A handle that is left over does nothing.
    handle.set_registry(process_registry("helper", HashMap::new()));
    let again = Exporter::start(address, "helper").unwrap();
    assert_eq!(get(again.address(), "/healthz").status, 200);
}

/// A run starts it where no runtime is, a test or a service within one.
#[test]
fn it_can_be_started_and_dropped_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let exporter = exporter();
        assert_eq!(get(exporter.address(), "/healthz").status, 200);
    });
}
