//! What is asked: the queries of panels, variables and rules.

use super::*;

/// A query of a panel.
pub(crate) struct Asked {
    /// The dashboard it is of, by its file.
    pub(crate) dashboard: &'static str,
    /// Dashboard, panel and query.
    pub(crate) name: String,
    pub(crate) expr: String,
    pub(crate) instant: bool,
}

/// The queries of all panels.
pub(crate) fn asked_by_panels() -> Vec<Asked> {
    let mut asked = Vec::new();
    for (name, _) in DASHBOARDS {
        for panel in list(&dashboard(name), "panels") {
            if panel["type"] == "row" {
                continue;
            }
            for target in list(panel, "targets") {
                asked.push(Asked {
                    dashboard: name,
                    name: format!("{name}, {}, {}", text(panel, "title"), text(target, "refId")),
                    expr: text(target, "expr").to_owned(),
                    instant: target["instant"] == true,
                });
            }
        }
    }
    assert!(asked.len() > 150, "{}", asked.len());
    asked
}

/// The variables that ask Prometheus: what is selected, and the label whose values are listed.
pub(crate) fn asked_by_variables() -> Vec<(String, String)> {
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
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) expr: String,
    pub(crate) alert: bool,
}

/// The rules, by the layout that `rules.yml` keeps to; Prometheus itself is asked for them further
/// below.
pub(crate) fn rules() -> Vec<Rule> {
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
pub(crate) fn filled(expr: &str, policy: &str) -> String {
    let filled = expr
        .replace("$policy", policy)
        .replace("$node", ".*")
        .replace("$__rate_interval", "10s")
        .replace("$__interval", "2s")
        .replace("$__range", "60s");
    assert!(!filled.contains('$'), "a variable that nobody fills: {expr}");
    filled
}
