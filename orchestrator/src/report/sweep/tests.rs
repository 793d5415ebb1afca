use crate::harness::ProblemMetric;
use crate::harness::metric::Known;
use crate::report::markup::well_formed;
use crate::stats::MeanSd;
use crate::sweep::plan::{LAYOUT, Played, PointPlan, PolicyPlan, SweepPlan};
use crate::sweep::summary::{Figure, PointSummary, PolicyAtPoint, SweepSummary};
use fogbit_scenario::topology::{Metric, Problem};
use indexmap::IndexMap;

/// The report of a sweep over keys with these values, with made-up figures.
fn report(keys: &[(&str, &[&str])]) -> String {
    let mut settings: Vec<IndexMap<String, String>> = vec![IndexMap::new()];
    for (key, values) in keys {
        settings = settings
            .iter()
            .flat_map(|point| {
                values.iter().map(move |value| {
                    let mut point = point.clone();
                    point.insert((*key).to_owned(), (*value).to_owned());
                    point
                })
            })
            .collect();
    }
    let policies: Vec<PolicyPlan> = [("toof", "toof"), ("<b>", "random"), ("optimal", "optimal")]
        .map(|(name, kind)| PolicyPlan {
            name: name.into(),
            kind: kind.into(),
            told_more: kind == "optimal",
        })
        .to_vec();
    let points: Vec<PointPlan> = settings
        .into_iter()
        .enumerate()
        .map(|(index, settings)| PointPlan {
            point: format!("p{:03}", index + 1),
            settings,
            slots: 100,
            nodes: 3,
            slot_cost: 13,
            own_path: false,
            policies: policies.clone(),
            files: IndexMap::new(),
        })
        .collect();
    let played = Played {
        layout: LAYOUT,
        fogbit: "0".into(),
        problem: Problem::OneBit,
        topology: "t & u".into(),
        about: Some("<about>".into()),
        keys: keys.iter().map(|(key, _)| (*key).to_owned()).collect(),
        seeds: vec![1, 2, 3],
        seeds_in_unit: 3,
        points,
    };
    let plan = SweepPlan {
        digest: played.digest(),
        played,
        versus: Some("toof".into()),
        rank_by: Known::of(Metric::AverageRegret),
    };
    let value = |point: usize, policy: usize| {
        Some(MeanSd::of(&[point as f64, (point + policy) as f64 * 1.5, 3.0]))
    };
    let at = |(index, point): (usize, &PointPlan)| PointSummary {
        point: point.point.clone(),
        settings: point.settings.clone(),
        slots: point.slots,
        nodes: point.nodes,
        own_path: false,
        policies: point
            .policies
            .iter()
            .enumerate()
            .map(|(policy, own)| PolicyAtPoint {
                name: own.name.clone(),
                kind: own.kind.clone(),
                seeds: 3,
                failures: vec![],
                figures: Metric::ALL
                    .iter()
                    .map(|metric| {
                        let mean = value(index, policy).map(Figure::Mean);
                        (metric.name().to_owned(), mean)
                    })
                    .collect(),
                rank: None,
                difference: None,
            })
            .collect(),
    };
    let points: Vec<PointSummary> = plan.played.points.iter().enumerate().map(at).collect();
    let values = vec![vec![vec![(1, 1.0), (2, 2.0), (3, 4.0)]; 3]; points.len()];
    let summary = SweepSummary::new(&plan, points, &values);
    let dir = tempfile::TempDir::new().unwrap();
    let write = |name: &str, content: String| std::fs::write(dir.path().join(name), content);
    write("sweep.json", serde_json::to_string(&plan).unwrap()).unwrap();
    write("summary.json", summary.to_json()).unwrap();
    let curves: String = plan
        .played
        .points
        .iter()
        .flat_map(|point| {
            let name = point.point.clone();
            (1..=100).map(move |slot| format!("{name},toof,{slot},{},0.1,3\n", 1.0 / slot as f64))
        })
        .collect();
    write("curves.csv", format!("point,policy,slot,mean,sd,n\n{curves}")).unwrap();
    super::render(dir.path()).unwrap()
}

fn maps(html: &str) -> usize {
    html.matches("<div class='maps'>").count()
}

#[test]
fn reports_of_every_shape_are_well_formed() {
    let many: Vec<String> = (0..40).map(|i| i.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (keys, maps_of_means, axes) in [
        (vec![], 0, 0),
        (vec![("nodes.count", &["3", "10"][..])], 0, 1),
        (vec![("nodes.count", &["3", "10"]), ("policies.toof.kind", &["a", "b<"])], 3, 1),
        (vec![("a", &["3", "10"]), ("b", &["1", "2"]), ("c", &["0.1", "0.2"])], 3, 9),
        (vec![("policies.toof.a", &["3", "10"]), ("policies.toof.b", &["1", "2"])], 3, 2),
        (vec![("policies.toof.a", &["3", "10"]), ("nodes.count", &["1", "2"])], 3, 3),
        (vec![("a", &many), ("b", &many)], 3, 6),
    ] {
        let html = report(&keys);
        let html = html.replace("<!DOCTYPE html>", "").replace("<meta charset='utf-8'>", "");
        let html = html
            .replace("<meta name='viewport' content='width=device-width, initial-scale=1'>", "");
        well_formed(&html).unwrap_or_else(|error| panic!("{keys:?}: {error}"));
        assert_eq!(maps(&html), maps_of_means, "{keys:?}");
        assert_eq!(html.matches("<figure id='over-").count(), axes, "{keys:?}");
        assert!(html.contains("&lt;about&gt;") && !html.contains("<b><"), "{keys:?}");
    }
}

#[test]
fn those_who_know_the_truth_are_not_ranked() {
    let html = report(&[("nodes.count", &["3", "10"])]);
    let ranking = html.split("<h2>Ranking</h2>").nth(1).unwrap();
    let ranking = ranking.split("<h2>").next().unwrap();
    assert_eq!(ranking.matches("<tr><td>").count(), 4);
    assert_eq!(ranking.matches("<table").count(), 2, "one for each environment");
    assert!(!ranking.contains("optimal"));
}

#[test]
fn a_policy_that_no_axis_touches_stands_once() {
    let html = report(&[("policies.toof.lambda", &["1", "2", "3", "4"])]);
    let ranking = html.split("<h2>Ranking</h2>").nth(1).unwrap();
    let ranking = ranking.split("<h2>").next().unwrap();
    assert_eq!(ranking.matches("<tr><td>").count(), 4 + 1);
    assert!(ranking.contains("p001 and 3 more"), "{ranking}");
}
