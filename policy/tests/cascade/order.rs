//! Who is told more, or infers more, loses less.

use std::io::Write;

use crate::play::{play, policy, scenario, stream};

const IMAGES: u64 = 300_000;
/// From the one who is told most to the one who looks least.
const ORDER: [&str; 5] = ["clairvoyant", "hidden-state", "belief", "mdp", "threshold"];

/// A trace whose metrics rise as the paper's do: most are small, some are large, and the lowest ones
/// of all are the same.
fn trace() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".csv").expect("a file");
    writeln!(file, "id,reward,metric").expect("a line");
    for id in 0..2000u32 {
        let share = (f64::from(id) / 2000.0 - 0.2).max(0.0);
        let metric = 0.003 + 0.9 * share * share;
        writeln!(file, "{id},{metric},{metric}").expect("a line");
    }
    file
}

#[test]
fn knowing_more_loses_less() {
    let file = trace();
    let arrivals = "{ kind = \"markov\", gaps = [1, 3], leave = [0.01, 0.005] }";
    let constant = "{ kind = \"constant\", gap = 2 }";
    for (spread, reset, arrivals, bucket) in [
        (0.1, 0.1, "{ kind = \"constant\" }", "{ rate = 0.1, depth = 4 }"),
        (0.1, 0.01, arrivals, "{ rate = 0.1, depth = 4 }"),
        (1.0, 1.0, arrivals, "{ rate = 0.05, depth = 1 }"),
        (0.0, 0.05, constant, "{ rate = 0.25, depth = 1.5 }"),
        (0.3, 0.001, constant, "{ rate = \"1/3\", depth = 10 }"),
        (0.5, 1.0, "{ kind = \"constant\" }", "{ rate = 0.1, depth = 2 }"),
    ] {
        let text = format!(
            "stream = {{ spread = {spread}, reset = {reset} }}\narrivals = {arrivals}\nbucket = {bucket}"
        );
        let scenario = scenario(file.path().to_str().expect("a path"), IMAGES, &text);
        let instance = scenario.instance(7);
        let images: Vec<_> = stream(&instance).collect();
        let outcomes = ORDER.map(|kind| {
            let outcome =
                play(&instance, images.iter().copied(), &mut *policy(kind, &scenario, &instance));
            println!("{text}: {kind} {outcome:?}");
            outcome
        });
        for (better, worse) in outcomes.iter().zip(&outcomes[1..]) {
            // The noise of the difference over one stream is far below that of either.
            let noise = 0.25 * (better.error + worse.error) + 1e-9;
            assert!(better.loss <= worse.loss + noise, "{text}: {outcomes:?}");
        }
        let affordable = scenario.setting().affordable_share();
        for (outcome, kind) in outcomes.iter().zip(ORDER) {
            let full = scenario.bucket().tokens(u64::from(scenario.bucket().full()));
            let most = affordable * 1.01 + full / IMAGES as f64;
            assert!(outcome.sent <= most, "{text}: {kind} {outcome:?}");
        }
    }
}
