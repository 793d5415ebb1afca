//! The tools of Prometheus and Grafana.

use super::*;

pub(crate) fn promtool(arguments: &[&str], directory: &Path) {
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
