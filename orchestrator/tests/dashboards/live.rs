//! A real Prometheus and a real run.

use super::*;

/// Status and body of an answer to `GET`, from a server on this machine.
pub(crate) fn get(address: &str, path: &str) -> Result<(u16, String), Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no end of the head")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    let mut rest = &answer[end + 4..];
    if !head.contains("transfer-encoding: chunked") {
        return Ok((status, String::from_utf8(rest.to_vec())?));
    }
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").ok_or("no size of a chunk")?;
        let size = std::str::from_utf8(&rest[..line])?.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16)?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Ok((status, String::from_utf8(body)?));
        }
        body.extend(rest.get(..size).ok_or("a chunk is cut off")?);
        rest = rest.get(size + 2..).ok_or("a chunk is cut off")?;
    }
}

/// A text as it may stand in an address.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A Prometheus that runs, by its address.
pub(crate) struct Prometheus(String);

impl Prometheus {
    /// What it answers to a question; an error is a failure.
    fn ask(&self, path: &str) -> Value {
        let (status, body) = get(&self.0, &format!("/api/v1/{path}")).unwrap();
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
        assert!(status == 200 && answer["status"] == "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The series that a query gives now.
    fn query(&self, expr: &str) -> Vec<Value> {
        list(&self.ask(&format!("query?query={}", encoded(expr))), "result").to_vec()
    }

    /// Whether a query has an answer that is a number, now or over the last 20 seconds.
    fn has_answer(&self, expr: &str, instant: bool) -> bool {
        let series = if instant {
            self.query(expr)
        } else {
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
            let path = format!(
                "query_range?query={}&start={:.3}&end={now:.3}&step=2",
                encoded(expr),
                now - 20.0
            );
            list(&self.ask(&path), "result").to_vec()
        };
        let number = |sample: &Value| sample[1] != "NaN";
        series.iter().any(|series| {
            series.get("value").is_some_and(number)
                || series["values"].as_array().is_some_and(|all| all.iter().any(number))
        })
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a process exports: every family is documented, with its type and labels.
pub(crate) fn check_exported(address: &str, content: &str, families: &BTreeMap<String, Metric>) {
    for line in content.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let metric =
                families.get(name).unwrap_or_else(|| panic!("{address}: {name} is undocumented"));
            assert_eq!(metric.kind, kind, "{address}: {name}");
        } else if !line.starts_with('#') && !line.is_empty() {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let Selector { metric: name, labels, .. } = spoken(series).selectors.remove(0);
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|end| families.get(name.strip_suffix(end)?))
                .find(|metric| metric.kind == "histogram");
            let metric = families.get(&name).or(family).expect(&name);
            for label in labels {
                let bucket = label == "le" && name.ends_with("_bucket");
                assert!(bucket || metric.labels.contains(&label), "{address}: {series}");
            }
        }
    }
}

/// Checks the text of `/metrics` by promtool's own rules for names, types and help.
pub(crate) fn check_metrics(address: &str, content: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = stdout(&output) + &stderr(&output);
    assert!(output.status.success(), "promtool check metrics, {address}:\n{told}");
}

/// A run, and the dashboards that show it.
struct Watched {
    test: &'static str,
    topology: &'static str,
    arguments: &'static [&'static str],
    dashboards: &'static [&'static str],
    /// One of the policies: what is asked of all is asked of it alone too.
    policy: &'static str,
}

/// Name, query, and whether it is asked for now alone.
type Open = (String, String, bool);

/// Has a real Prometheus scrape the run; every query of the dashboards has to have an answer, and all
/// that every process exports has to be documented. `check` asks it for more.
fn watch(watched: &Watched, check: impl FnOnce(&Prometheus, &mut Vec<Open>)) {
    if !installed("prometheus") || !installed("promtool") {
        return skip(watched.test, "Prometheus is not installed");
    }
    let dir = tempfile::tempdir().unwrap();
    let log = |name: &str| std::fs::File::create(dir.path().join(name)).unwrap();

    let orchestrator = format!("127.0.0.1:{}", free_port());
    let mut run = spawn(
        fogbit()
            .arg("run")
            .arg(topology(watched.topology))
            .args(watched.arguments)
            .args(["--metrics", &orchestrator, "--quiet", "--out"])
            .arg(dir.path().join("out"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log("run.log")),
    );
    let told = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let targets: Vec<Value> = wait_for("all processes in /targets", || {
        let ended = run.try_wait().unwrap();
        assert!(ended.is_none(), "the run has ended: {ended:?}\n{}", told("run.log"));
        // When the first slots of all policies are through, everybody has joined.
        let (_, metrics) = get(&orchestrator, "/metrics").ok()?;
        let mut slots = metrics.lines().filter(|line| line.starts_with("fogbit_slots_total{"));
        let begun = |line: &str| !line.ends_with(" 0");
        (slots.clone().count() >= 1 && slots.all(begun)).then_some(())?;
        let (_, body) = get(&orchestrator, "/targets").unwrap();
        let targets: Vec<Value> = serde_json::from_str(&body).unwrap();
        let roles: BTreeSet<&str> = targets.iter().map(|t| text(&t["labels"], "role")).collect();
        let all = roles == BTreeSet::from(["helper", "orchestrator", "task-node"]);
        all.then_some(targets)
    });
    let mut addresses = Vec::new();
    for target in &targets {
        let own = list(target, "targets").iter().map(|address| address.as_str().unwrap());
        addresses.extend(own.map(str::to_owned));
    }
    assert!(addresses.len() >= 3, "{addresses:?}");

    // Prometheus, configured as it ships but for the port and how often it looks for targets.
    let mut config = read("prometheus/http-sd.yml");
    for (from, to) in [
        ("127.0.0.1:9464", orchestrator.as_str()),
        ("refresh_interval: 5s", "refresh_interval: 1s"),
    ] {
        assert!(config.contains(from), "there is no {from}");
        config = config.replace(from, to);
    }
    std::fs::write(dir.path().join("prometheus.yml"), config).unwrap();
    std::fs::copy(folder("prometheus/rules.yml"), dir.path().join("rules.yml")).unwrap();
    let prometheus = Prometheus(format!("127.0.0.1:{}", free_port()));
    let mut server = spawn(
        Command::new("prometheus")
            .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={}", prometheus.0))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log("prometheus.log")),
    );
    wait_for("Prometheus", || {
        let ended = server.try_wait().unwrap();
        assert!(ended.is_none(), "{}", told("prometheus.log"));
        get(&prometheus.0, "/-/ready").ok().filter(|(status, _)| *status == 200)
    });
    wait_for("all processes to be scraped", || {
        let up = prometheus.query("up == 1").len();
        (up >= addresses.len()).then_some(())
    });
    let began = Instant::now();

    // Meanwhile: what each process exports.
    let families = documented_families();
    for address in &addresses {
        let (status, content) = get(address, "/metrics").unwrap();
        assert_eq!(status, 200, "{address}");
        check_metrics(address, &content);
        check_exported(address, &content, &families);
    }
    std::thread::sleep(Duration::from_secs(15).saturating_sub(began.elapsed()));

    // All that has no answer is asked again for a while: a busy machine may scrape late.
    let mut open = Vec::new();
    for Asked { dashboard, name, expr, instant } in asked_by_panels() {
        if !watched.dashboards.contains(&dashboard) {
            continue;
        }
        for policy in [".*", watched.policy] {
            open.push((format!("{name} ({policy})"), filled(&expr, policy), instant));
        }
    }
    assert!(open.len() > 40, "{}", open.len());
    check(&prometheus, &mut open);
    let end = Instant::now() + Duration::from_secs(45);
    loop {
        open.retain(|(_, expr, instant)| !prometheus.has_answer(expr, *instant));
        if open.is_empty() || Instant::now() > end {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(open.is_empty(), "no data for: {open:#?}\n{}", told("run.log"));

    for (selector, label) in asked_by_variables() {
        let path = format!("label/{label}/values?match[]={}", encoded(&selector));
        let values = prometheus.ask(&path);
        assert!(values.as_array().is_some_and(|values| !values.is_empty()), "{path}: {values}");
    }
}

#[test]
fn prometheus_answers_for_one_bit() {
    // An endless run with a wall clock and true queues, of a policy `toof` and others.
    let watched = Watched {
        test: "prometheus_answers_for_one_bit",
        topology: "live.toml",
        arguments: &[],
        dashboards: &["network", "nodes", "regret"],
        policy: "toof",
    };
    watch(&watched, |prometheus, open| {
        check_labels(prometheus);
        for rule in rules() {
            if rule.alert {
                // The only queries that are rightly empty: a healthy run fires no alert. But all can be
                // computed.
                prometheus.query(&rule.expr);
            } else {
                open.push((format!("rule {}", rule.name), rule.expr, true));
                open.push((format!("record {}", rule.name), rule.name, true));
            }
        }
        check_rules(prometheus);
    });
}

#[test]
fn prometheus_answers_for_placement() {
    watch(
        &Watched {
            test: "prometheus_answers_for_placement",
            topology: "learned.toml",
            arguments: &[
                "--policy=rule",
                "--policy=always-offload",
                "--set=slots=100000",
                "--set=task.deadline_ms=3000",
                "--pace=100",
            ],
            dashboards: &["placement"],
            policy: "rule",
        },
        |_, _| {},
    );
}

#[test]
fn prometheus_answers_for_cascade() {
    watch(
        &Watched {
            test: "prometheus_answers_for_cascade",
            topology: "cascade.toml",
            arguments: &["--policy=baseline", "--policy=lower-bound", "--pace=100"],
            dashboards: &["cascade"],
            policy: "baseline",
        },
        |_, _| {},
    );
}

#[test]
fn prometheus_answers_for_pipeline() {
    watch(
        &Watched {
            test: "prometheus_answers_for_pipeline",
            topology: "pipeline-real.toml",
            // In real time policies play one after the other.
            arguments: &["--policy=greedy", "--set=applications=1000"],
            dashboards: &["pipeline"],
            policy: "greedy",
        },
        |_, _| {},
    );
}

/// Labels are as in Compose.
fn check_labels(prometheus: &Prometheus) {
    for nothing in [
        "fogbit_slot{node!=\"\"}",
        "process_threads{job=\"helper\", node=\"\"}",
        "process_threads{job!=\"helper\", node!=\"\"}",
        "up{job!~\"orchestrator|helper|task-node\"}",
        "up{role!=\"\"}",
        "{exported_node!=\"\"}",
        "{exported_role!=\"\"}",
        "fogbit_build_info{role=\"\"}",
    ] {
        let found = prometheus.query(nothing);
        assert!(found.is_empty(), "{nothing}: {found:?}");
    }
}

/// Prometheus has read the same rules as this test, and computes all of them.
fn check_rules(prometheus: &Prometheus) {
    let mut loaded = Vec::new();
    for group in list(&prometheus.ask("rules"), "groups") {
        for rule in list(group, "rules") {
            assert_eq!(rule["health"], "ok", "{rule}");
            let alert = rule["type"] == "alerting";
            loaded.push((text(rule, "name").to_owned(), alert));
        }
    }
    loaded.sort();
    let mut expected: Vec<(String, bool)> =
        rules().into_iter().map(|rule| (rule.name, rule.alert)).collect();
    expected.sort();
    assert_eq!(loaded, expected);
}
