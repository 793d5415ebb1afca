//! What there is to be asked, by `docs/metrics.md`.

use super::*;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
}

/// Every metric of `docs/metrics.md` as the file has it: histograms under their own name.
pub(crate) fn documented_families() -> BTreeMap<String, Metric> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let families = families(&std::fs::read_to_string(path).unwrap());
    assert!(families.len() > 60, "{families:?}");
    families
}

/// The metrics of such a text. Problems may share one: then each has a line for it in its section,
/// with the same type and labels.
fn families(content: &str) -> BTreeMap<String, Metric> {
    let mut families = BTreeMap::new();
    let mut every_process = false;
    for line in content.lines() {
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
        let metric = Metric { kind: kind.to_owned(), labels };
        if let Some(other) = families.get(name) {
            assert_eq!(*other, metric, "`{name}` is there twice, and differs");
        }
        families.insert(name.to_owned(), metric);
    }
    families
}

#[test]
fn problems_may_share_a_metric() {
    let shared = families(
        "| `a` | counter | policy, node | tasks | x |\n\
         | `a` | counter | node, policy | tasks | y |",
    );
    assert_eq!(shared.len(), 1);
    assert_eq!(shared["a"].labels.len(), 2);
}

#[test]
#[should_panic(expected = "`a` is there twice, and differs")]
fn a_metric_has_the_same_labels_wherever_it_is_shared() {
    families("| `a` | counter | policy | tasks | x |\n| `a` | counter | node | tasks | y |");
}

#[test]
#[should_panic(expected = "`a` is there twice, and differs")]
fn a_metric_has_the_same_type_wherever_it_is_shared() {
    families("| `a` | counter | policy | tasks | x |\n| `a` | gauge | policy | tasks | y |");
}

/// Every name that can be asked for, with what Prometheus makes of histograms and what the rules
/// record.
pub(crate) fn known() -> BTreeMap<String, Metric> {
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
