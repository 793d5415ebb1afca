//! The files by themselves: queries, variables and panels.

use super::*;

/// Fails where a query speaks of what there is not, or takes the rate of what does not count.
pub(crate) fn check_query(name: &str, expr: &str, known: &BTreeMap<String, Metric>) {
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
pub(crate) fn check_variables(name: &str, content: &str) {
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
pub(crate) fn check_panel(dashboard: &str, panel: &Value) {
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
    // Compose mounts their folder; a stack of Swarm names each of them twice.
    let stack = std::fs::read_to_string(folder("../stack.yml")).unwrap();
    for (name, _) in DASHBOARDS {
        let file =
            format!("  dashboard-{name}: {{ file: ./dashboards/grafana/dashboards/{name}.json }}");
        let target =
            format!("source: dashboard-{name}, target: /var/lib/grafana/dashboards/{name}.json");
        assert!(stack.contains(&file) && stack.contains(&target), "{name} in stack.yml");
    }
    // What the dashboards refer to is what is provisioned.
    let source = read("grafana/provisioning/datasources/prometheus.yml");
    for part in ["uid: prometheus\n", "url: http://prometheus:9090\n", "timeInterval: 2s\n"] {
        assert!(source.contains(part), "{part}");
    }
    let provider = read("grafana/provisioning/dashboards/fogbit.yml");
    assert!(provider.contains("path: /var/lib/grafana/dashboards\n"));
}
