//! What lies in `dashboards/`: it is well formed, it asks for metrics that are documented, the tools
//! of Prometheus and Grafana accept it, and a real Prometheus that scrapes a real run has an answer
//! to every query.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{fogbit, skip, spawn, stderr, stdout, topology, wait_for};
use serde_json::{Value, json};

/// The dashboards that ship, by file and uid.
const DASHBOARDS: [(&str, &str); 3] =
    [("network", "fogbit-network"), ("nodes", "fogbit-nodes"), ("regret", "fogbit-regret")];

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

// What is asked.

/// A query of a panel.
struct Asked {
    /// Dashboard, panel and query.
    name: String,
    expr: String,
    instant: bool,
}

/// The queries of all panels.
fn asked_by_panels() -> Vec<Asked> {
    let mut asked = Vec::new();
    for (name, _) in DASHBOARDS {
        for panel in list(&dashboard(name), "panels") {
            if panel["type"] == "row" {
                continue;
            }
            for target in list(panel, "targets") {
                asked.push(Asked {
                    name: format!("{name}, {}, {}", text(panel, "title"), text(target, "refId")),
                    expr: text(target, "expr").to_owned(),
                    instant: target["instant"] == true,
                });
            }
        }
    }
    assert!(asked.len() > 50, "{}", asked.len());
    asked
}

/// The variables that ask Prometheus: what is selected, and the label whose values are listed.
fn asked_by_variables() -> Vec<(String, String)> {
    let mut asked = Vec::new();
    for (name, _) in DASHBOARDS {
        for variable in list(&dashboard(name)["templating"], "list") {
            if variable["type"] != "query" {
                continue;
            }
            let query = text(&variable["query"], "query");
            let inner = query.strip_prefix("label_values(").and_then(|q| q.strip_suffix(')'));
            let (selector, label) = inner.and_then(|q| q.rsplit_once(", ")).expect(query);
            asked.push((selector.to_owned(), label.to_owned()));
        }
    }
    asked
}

/// A rule: its name, its expression, and whether it is an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    name: String,
    expr: String,
    alert: bool,
}

/// The rules, by the layout that `rules.yml` keeps to; Prometheus itself is asked for them further
/// below.
fn rules() -> Vec<Rule> {
    let content = read("prometheus/rules.yml");
    let mut lines = content.lines().peekable();
    let mut rules = Vec::new();
    while let Some(line) = lines.next() {
        let (name, alert) =
            match (line.strip_prefix("      - record: "), line.strip_prefix("      - alert: ")) {
                (Some(name), _) => (name, false),
                (_, Some(name)) => (name, true),
                _ => continue,
            };
        let first = lines.next().and_then(|line| line.strip_prefix("        expr: ")).expect(name);
        let mut expr = Vec::new();
        if first == "|-" {
            while let Some(more) = lines.peek().and_then(|line| line.strip_prefix("          ")) {
                expr.push(more.to_owned());
                lines.next();
            }
        } else {
            expr.push(first.to_owned());
        }
        rules.push(Rule { name: name.to_owned(), expr: expr.join("\n"), alert });
    }
    assert!(rules.iter().any(|rule| rule.alert) && rules.iter().any(|rule| !rule.alert));
    rules
}

/// A query with what Grafana would put in place of its variables.
fn filled(expr: &str, policy: &str) -> String {
    let filled = expr
        .replace("$policy", policy)
        .replace("$node", ".*")
        .replace("$__rate_interval", "10s")
        .replace("$__interval", "2s")
        .replace("$__range", "60s");
    assert!(!filled.contains('$'), "a variable that nobody fills: {expr}");
    filled
}

// What there is to be asked.

#[derive(Debug)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
}

/// Every metric of `docs/metrics.md` as the file has it: histograms under their own name.
fn documented_families() -> BTreeMap<String, Metric> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let mut families = BTreeMap::new();
    let mut every_process = false;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        if let Some(title) = line.strip_prefix("## ") {
            every_process = title == "Every process";
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, _, _, _] = cells[..] else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        let mut labels: BTreeSet<String> =
            labels.split(',').map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
        if every_process {
            // Helper nodes put their name on everything.
            labels.insert("node".to_owned());
        }
        families.insert(name.to_owned(), Metric { kind: kind.to_owned(), labels });
    }
    assert!(families.len() > 40, "{families:?}");
    families
}

/// Every name that can be asked for, with what Prometheus makes of histograms and what the rules
/// record.
fn known() -> BTreeMap<String, Metric> {
    let mut known = BTreeMap::new();
    let mut add = |name: String, kind: &str, labels: BTreeSet<String>| {
        known.insert(name, Metric { kind: kind.to_owned(), labels });
    };
    for (name, mut metric) in documented_families() {
        metric.labels.extend(TARGET_LABELS.map(str::to_owned));
        if metric.kind == "histogram" {
            for part in ["sum", "count"] {
                add(format!("{name}_{part}"), "counter", metric.labels.clone());
            }
            metric.labels.insert("le".to_owned());
            add(format!("{name}_bucket"), "counter", metric.labels);
        } else {
            add(name, &metric.kind, metric.labels);
        }
    }
    for (name, labels) in BUILT_IN {
        let labels = labels.iter().chain(&TARGET_LABELS).map(|l| (*l).to_owned()).collect();
        add(name.to_owned(), "gauge", labels);
    }
    for rule in rules().into_iter().filter(|rule| !rule.alert) {
        // level:metric:operation, and the level is what is left of the labels.
        let level = rule.name.split(':').next().unwrap();
        add(rule.name.clone(), "gauge", level.split('_').map(str::to_owned).collect());
    }
    known
}

// What a query in PromQL speaks of.

#[derive(Debug, Default, PartialEq, Eq)]
struct Selector {
    metric: String,
    labels: Vec<String>,
    /// The function or parenthesis it stands in directly, "" for the latter.
    within: String,
    ranged: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Spoken {
    selectors: Vec<Selector>,
    /// The labels of `by`, `on` and the like.
    groupings: Vec<String>,
    /// What stands in square brackets.
    windows: Vec<String>,
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Takes apart as much of PromQL as the queries here use; that they are right as a whole is for
/// promtool to say.
fn spoken(expr: &str) -> Spoken {
    let chars: Vec<char> = expr.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let taken = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    let until = |from: usize, good: &dyn Fn(char) -> bool| {
        (from..chars.len()).find(|i| !good(chars[*i])).unwrap_or(chars.len())
    };
    let after_space = |from: usize| until(from, &|c| c.is_whitespace());
    let after_text = |from: usize| {
        let quote = chars[from];
        until(from + 1, &|c| c != quote) + 1
    };
    let mut spoken = Spoken::default();
    let (mut open, mut function) = (Vec::new(), String::new());
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c.is_ascii_alphabetic() || c == '_' {
            let end = until(i, &is_name);
            let word = taken(i, end);
            i = after_space(end);
            function.clear();
            match word.as_str() {
                "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" => {
                    if at(i) == '(' {
                        let end = until(i, &|c| c != ')');
                        let labels = taken(i + 1, end);
                        let labels = labels.split(',').map(str::trim).filter(|l| !l.is_empty());
                        spoken.groupings.extend(labels.map(str::to_owned));
                        i = end + 1;
                    }
                }
                "and" | "or" | "unless" | "bool" | "offset" => {}
                _ if at(i) == '(' => function = word,
                _ if AGGREGATIONS.contains(&word.as_str()) => {}
                _ => {
                    let within = open.last().cloned().unwrap_or_default();
                    let mut selector = Selector { metric: word, within, ..Selector::default() };
                    if at(i) == '{' {
                        i += 1;
                        while at(i) != '}' {
                            assert!(i < chars.len(), "no end of the labels: {expr}");
                            if at(i) == '"' {
                                i = after_text(i);
                            } else if is_name(at(i)) {
                                let end = until(i, &is_name);
                                selector.labels.push(taken(i, end));
                                i = end;
                            } else {
                                i += 1;
                            }
                        }
                        i = after_space(i + 1);
                    }
                    selector.ranged = at(i) == '[';
                    spoken.selectors.push(selector);
                }
            }
            continue;
        }
        match c {
            '"' | '\'' => i = after_text(i),
            '[' => {
                let end = until(i, &|c| c != ']');
                spoken.windows.push(taken(i + 1, end));
                i = end + 1;
            }
            '(' => {
                open.push(std::mem::take(&mut function));
                i += 1;
            }
            ')' => {
                assert!(open.pop().is_some(), "one `)` too many: {expr}");
                i += 1;
            }
            // Numbers and durations.
            _ if c.is_ascii_digit() => i = until(i, &|c| c.is_ascii_alphanumeric() || c == '.'),
            _ => {
                assert!(!"{}$]".contains(c), "`{c}` is not expected here: {expr}");
                i += 1;
            }
        }
    }
    assert!(open.is_empty(), "a `)` is missing: {expr}");
    spoken
}

#[test]
fn queries_are_taken_apart() {
    let selector = |metric: &str, labels: &[&str], within: &str, ranged| Selector {
        metric: metric.to_owned(),
        labels: labels.iter().map(|l| (*l).to_owned()).collect(),
        within: within.to_owned(),
        ranged,
    };
    let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        spoken(
            "histogram_quantile(0.95, sum by (policy, le) (rate(a_bucket{x=~\"} $p\", y!=\"\"}[$__r])))\n\
             / on () group_left (z) topk(5, b @ end()) or (c offset 2m) > 1e-9 * a:b_c:d30s"
        ),
        Spoken {
            selectors: vec![
                selector("a_bucket", &["x", "y"], "rate", true),
                selector("b", &[], "topk", false),
                selector("c", &[], "", false),
                selector("a:b_c:d30s", &[], "", false),
            ],
            groupings: texts(&["policy", "le", "z"]),
            windows: texts(&["$__r"]),
        }
    );
}

/// Fails where a query speaks of what there is not, or takes the rate of what does not count.
fn check_query(name: &str, expr: &str, known: &BTreeMap<String, Metric>) {
    let spoken = spoken(expr);
    assert!(!spoken.selectors.is_empty(), "{name} asks for nothing: {expr}");
    let mut labels = BTreeSet::new();
    for selector in &spoken.selectors {
        let metric = known
            .get(&selector.metric)
            .unwrap_or_else(|| panic!("{name}: there is no metric {}", selector.metric));
        for label in &selector.labels {
            assert!(metric.labels.contains(label), "{name}: {} has no {label}", selector.metric);
        }
        labels.extend(metric.labels.iter().cloned());
        let counts = ["rate", "irate", "increase"].contains(&selector.within.as_str());
        assert_eq!(
            counts,
            metric.kind == "counter" && selector.ranged,
            "{name}: {} is a {}, within `{}`",
            selector.metric,
            metric.kind,
            selector.within
        );
    }
    for label in &spoken.groupings {
        assert!(labels.contains(label), "{name}: nothing there has the label {label}: {expr}");
    }
}

/// Every name and label of a query is documented; rates are taken of counters and of nothing else.
#[test]
fn queries_ask_for_documented_metrics() {
    let known = known();
    for Asked { name, expr, .. } in asked_by_panels() {
        check_query(&name, &expr, &known);
        for window in spoken(&expr).windows {
            let grafana = ["$__rate_interval", "$__range"].contains(&window.as_str());
            assert!(grafana, "{name}: a fixed window, {window}, fits no zoom");
        }
    }
    for rule in rules() {
        check_query(&rule.name, &rule.expr, &known);
        let unique = rules().iter().filter(|other| other.name == rule.name).count();
        assert_eq!(unique, 1, "{} is there twice", rule.name);
    }
    for (selector, label) in asked_by_variables() {
        check_query("a variable", &selector, &known);
        let metric = &known[&spoken(&selector).selectors[0].metric];
        assert!(metric.labels.contains(&label), "{selector} has no {label}");
    }
}

/// No metric is exported for nobody: each is in some panel.
#[test]
fn every_metric_is_shown() {
    let shown: BTreeSet<String> = asked_by_panels()
        .iter()
        .flat_map(|asked| spoken(&asked.expr).selectors)
        .map(|selector| selector.metric)
        .collect();
    for name in documented_families().keys() {
        let bucket = format!("{name}_bucket");
        assert!(shown.contains(name) || shown.contains(&bucket), "no panel shows {name}");
    }
}

/// Grafana fills a variable only if the dashboard has it.
fn check_variables(name: &str, content: &str) {
    let known =
        ["policy", "node", "datasource", "__all", "__rate_interval", "__interval", "__range"];
    for part in content.split('$').skip(1) {
        let part = part.strip_prefix('{').unwrap_or(part);
        let end = part.find(|c| !is_name(c)).unwrap_or(part.len());
        // The end of a regular expression, as in `/ optimum$/`.
        if end > 0 {
            assert!(known.contains(&&part[..end]), "{name}: nobody fills ${}", &part[..end]);
        }
    }
}

/// All that a panel needs to be understood and to be drawn.
fn check_panel(dashboard: &str, panel: &Value) {
    let name = format!("{dashboard}, {}", text(panel, "title"));
    assert!(!text(panel, "title").is_empty(), "{name}");
    if panel["type"] == "row" {
        assert_eq!(panel["panels"], json!([]), "{name}: what is in an open row stands beside it");
        return;
    }
    assert!(PANELS.contains(&text(panel, "type")), "{name}: {}", panel["type"]);
    let description = text(panel, "description");
    assert!(description.len() > 30 && description.ends_with('.'), "{name}: {description}");
    let source = json!({ "type": "prometheus", "uid": "${datasource}" });
    assert_eq!(panel["datasource"], source, "{name}");
    let defaults = &panel["fieldConfig"]["defaults"];
    assert!(!text(defaults, "unit").is_empty(), "{name}: no unit");
    assert!(defaults["thresholds"]["steps"][0]["value"].is_null(), "{name}: no base colour");
    assert!(panel["fieldConfig"]["overrides"].is_array(), "{name}");
    assert!(panel["options"].is_object(), "{name}");
    let table = panel["type"] == "table";
    let targets = list(panel, "targets");
    assert!(!targets.is_empty(), "{name}");
    let mut ids = BTreeSet::new();
    for target in targets {
        assert!(ids.insert(text(target, "refId")), "{name}: {} is there twice", target["refId"]);
        assert!(!text(target, "expr").is_empty(), "{name}");
        assert_eq!(target["datasource"], source, "{name}");
        assert!(target["instant"] != target["range"], "{name}: one of the two");
        assert_eq!(target["format"] == "table", table, "{name}");
        if text(panel, "type") == "timeseries" {
            assert!(!text(target, "legendFormat").is_empty(), "{name}: no legend");
        }
    }
    if table {
        let steps: Vec<&str> =
            list(panel, "transformations").iter().map(|step| text(step, "id")).collect();
        assert_eq!(steps, ["merge", "organize"], "{name}");
        let names = &panel["transformations"][1]["options"]["renameByName"];
        for target in targets {
            // Grafana names the column of a query so; what it shows is the new name, by which the
            // column gets its unit.
            let column = text(names, &format!("Value #{}", text(target, "refId")));
            let overrides = list(&panel["fieldConfig"], "overrides");
            let own = overrides.iter().find(|o| o["matcher"]["options"] == column);
            let properties = list(own.unwrap_or_else(|| panic!("{name}: {column}")), "properties");
            assert!(properties.iter().any(|p| p["id"] == "unit"), "{name}: {column} has no unit");
        }
    }
}

#[test]
fn dashboards_are_complete() {
    let mut there: Vec<String> = common::files(&folder("grafana/dashboards")).into_keys().collect();
    there.sort();
    assert_eq!(there, DASHBOARDS.map(|(name, _)| format!("{name}.json")));
    let mut titles = BTreeSet::new();
    for (name, uid) in DASHBOARDS {
        let dashboard = dashboard(name);
        assert_eq!(dashboard["uid"], uid);
        assert!(dashboard["id"].is_null(), "{name}: an id is one Grafana's own");
        assert!(titles.insert(text(&dashboard, "title").to_owned()), "{name}");
        assert!(!text(&dashboard, "description").is_empty(), "{name}");
        assert!(list(&dashboard, "tags").contains(&json!("fogbit")), "{name}");
        assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39, "{name}");
        assert!(["2s", "5s"].contains(&text(&dashboard, "refresh")), "{name}");
        assert_eq!(dashboard["time"], json!({ "from": "now-15m", "to": "now" }), "{name}");
        // The links lead to all dashboards with the tag, and take time and choices along.
        let link = &dashboard["links"][0];
        assert_eq!(link["tags"], json!(["fogbit"]), "{name}");
        assert!(link["keepTime"] == true && link["includeVars"] == true, "{name}");

        let variables = list(&dashboard["templating"], "list");
        let names: Vec<&str> = variables.iter().map(|variable| text(variable, "name")).collect();
        assert_eq!(names, ["datasource", "policy", "node"], "{name}");
        assert_eq!(variables[0]["current"]["value"], "prometheus", "{name}");
        for variable in &variables[1..] {
            assert!(variable["multi"] == true && variable["includeAll"] == true, "{name}");
            // One that lists a hundred nodes would make every query long.
            assert_eq!(variable["allValue"], ".*", "{name}");
        }
        check_variables(name, &dashboard.to_string());

        let panels = list(&dashboard, "panels");
        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in panels {
            check_panel(name, panel);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {}", panel["id"]);
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{name}: {}", panel["title"]);
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(cells.insert((x, y)), "{name}: {} overlaps", panel["title"]);
                }
            }
        }
    }
    // What the dashboards refer to is what is provisioned.
    let source = read("grafana/provisioning/datasources/prometheus.yml");
    for part in ["uid: prometheus\n", "url: http://prometheus:9090\n", "timeInterval: 2s\n"] {
        assert!(source.contains(part), "{part}");
    }
    let provider = read("grafana/provisioning/dashboards/fogbit.yml");
    assert!(provider.contains("path: /var/lib/grafana/dashboards\n"));
}

// The tools of Prometheus and Grafana.

fn installed(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn promtool(arguments: &[&str], directory: &Path) {
    let output = Command::new("promtool").args(arguments).current_dir(directory).output().unwrap();
    let told = stdout(&output) + &stderr(&output);
    assert!(output.status.success(), "promtool {arguments:?}:\n{told}");
}

#[test]
fn promtool_accepts_everything() {
    if !installed("promtool") {
        return skip("promtool_accepts_everything", "promtool (Prometheus) is not installed");
    }
    let prometheus = folder("prometheus");
    // These look for the rule files too, beside the file.
    promtool(&["check", "config", "prometheus.yml"], &prometheus);
    promtool(&["check", "config", "http-sd.yml"], &prometheus);
    promtool(&["check", "rules", "rules.yml"], &prometheus);
    promtool(&["test", "rules", "rules.test.yml"], &prometheus);

    // The queries of the panels, as if they were rules; JSON is YAML.
    let rules: Vec<Value> = asked_by_panels()
        .iter()
        .enumerate()
        .map(|(i, asked)| json!({ "record": format!("panel:{i}"), "expr": filled(&asked.expr, ".*") }))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let content = json!({ "groups": [{ "name": "panels", "rules": rules }] }).to_string();
    std::fs::write(dir.path().join("panels.yml"), content).unwrap();
    promtool(&["check", "rules", "panels.yml"], dir.path());
}

/// Every rule is played by `rules.test.yml`, and every alert both fires and does not.
#[test]
fn every_rule_is_tested() {
    let tests = read("prometheus/rules.test.yml");
    for rule in rules() {
        if rule.alert {
            let cases: Vec<&str> =
                tests.split(&format!("- alertname: {}\n", rule.name)).skip(1).collect();
            let silent = |case: &&&str| {
                case.lines().nth(1).is_some_and(|line| line.trim() == "exp_alerts: []")
            };
            let quiet = cases.iter().filter(silent).count();
            assert!(quiet > 0 && quiet < cases.len(), "{}: {quiet} of {}", rule.name, cases.len());
        } else {
            let plain = format!("- expr: {}\n", rule.name);
            let rounded = format!("- expr: round({}, ", rule.name);
            assert!(tests.contains(&plain) || tests.contains(&rounded), "{}", rule.name);
        }
    }
}

#[test]
fn dashboards_fit_the_model_of_grafana() {
    const NAME: &str = "dashboards_fit_the_model_of_grafana";
    if !installed("npm") {
        return skip(NAME, "npm is not installed");
    }
    let output = Command::new("bash").arg(folder("check-schema.sh")).output().unwrap();
    let told = stdout(&output) + &stderr(&output);
    match output.status.code() {
        Some(2 | 3) => skip(NAME, &told),
        code => assert_eq!(code, Some(0), "{told}"),
    }
}

// A real Prometheus and a real run.

/// Status and body of an answer to `GET`, from a server on this machine.
fn get(address: &str, path: &str) -> Result<(u16, String), Box<dyn std::error::Error>> {
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
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A Prometheus that runs, by its address.
struct Prometheus(String);

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

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a process exports: every family is documented, with its type and labels.
fn check_exported(address: &str, content: &str, families: &BTreeMap<String, Metric>) {
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
fn check_metrics(address: &str, content: &str) {
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

#[test]
fn a_real_prometheus_answers_every_query() {
    const NAME: &str = "a_real_prometheus_answers_every_query";
    if !installed("prometheus") || !installed("promtool") {
        return skip(NAME, "Prometheus is not installed");
    }
    let dir = tempfile::tempdir().unwrap();
    let log = |name: &str| std::fs::File::create(dir.path().join(name)).unwrap();

    // An endless run with a wall clock and true queues, of a policy `toof` and others.
    let orchestrator = format!("127.0.0.1:{}", free_port());
    let mut run = spawn(
        fogbit()
            .arg("run")
            .arg(topology("live.toml"))
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
        (slots.clone().count() >= 4 && slots.all(begun)).then_some(())?;
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
    assert!(addresses.len() > 3, "{addresses:?}");

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

    // Labels are as in Compose.
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

    // All that has no answer is asked again for a while: a busy machine may scrape late.
    let mut open: Vec<(String, String, bool)> = Vec::new();
    for Asked { name, expr, instant } in asked_by_panels() {
        for policy in [".*", "toof"] {
            open.push((format!("{name} ({policy})"), filled(&expr, policy), instant));
        }
    }
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

    // Prometheus has read the same rules as this test, and computes all of them.
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
