//! The figures of the paper, on its setting rebuilt from the reference data.

use std::io::Write;

use fogbit_scenario::cascade::CascadeScenario;

use crate::play::{play, policy, scenario, stream};

/// Images of a trial. Standard errors then are .0001 to .0005 (they are printed), a quarter of what
/// the figures may be off.
const IMAGES: u64 = 2_000_000;
/// For figures that are known to .0005: errors of .0001 to .0002.
const MANY: u64 = 20_000_000;
/// For what is compared on the same images.
const FEW: usize = 2_000_000;
const CONSTANT: &str = "{ kind = \"constant\" }";
const MARKOV: &str = "{ kind = \"markov\", gaps = [1, 3], leave = [0.001, 0.0005] }";

/// The folder of the reference data; says that it is not there.
fn data(test: &str) -> Option<String> {
    let data = std::env::var("FOGBIT_REFERENCE_DATA").ok();
    if data.is_none() {
        // Past the capture of output: a check that did not happen must be seen.
        let line = format!("SKIPPED: {test}: FOGBIT_REFERENCE_DATA is not set\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    data
}

struct Case {
    spread: f64,
    reset: f64,
    arrivals: &'static str,
    rate: f64,
    depth: f64,
}

impl Case {
    fn scenario(&self, data: &str, images: u64) -> CascadeScenario {
        let Case { spread, reset, arrivals, rate, depth } = self;
        let text = format!(
            "stream = {{ spread = {spread}, reset = {reset} }}\narrivals = {arrivals}\n\
             bucket = {{ rate = {rate}, depth = {depth} }}"
        );
        scenario(&format!("{data}/imagenet_fig3_trace.csv.gz"), images, &text)
    }
}

/// Rows in which our MDP loses less than the paper's by more than .002: figure, r, x, and at most how
/// much. It is the optimum for independent images there too: at b = 1 there is one threshold, and that
/// which renewal theory gives (the largest E[m | m >= theta] / (P - 1 + 1 / F), found outside of this
/// program) loses as much as ours, .2743 at r = .1. What the paper's was solved for is not known.
const BETTER: [(&str, f64, f64, f64); 4] = [
    ("Fig5a_spread", 0.1, 0.0, 0.003),
    ("Fig6_tb", 0.05, 1.0, 0.003),
    ("Fig6_tb", 0.05, 3.0, 0.003),
    ("Fig6_tb", 0.1, 1.0, 0.007),
];

/// Lower bound and baseline of every row within .002 (.003 at r = .1, b = 1), and MDP too but for the
/// rows of [`BETTER`].
#[test]
fn figures_of_the_paper() {
    let Some(data) = data("figures_of_the_paper") else { return };
    let text = std::fs::read_to_string(format!("{data}/paper_figures_part.csv")).expect("figures");
    // Figures share their streams: drawn once.
    let mut drawn: Option<(String, Vec<_>)> = None;
    let (mut rows, mut missed) = (0, Vec::new());
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |cell: usize| cells[cell].parse::<f64>().expect("a number");
        let assigned = |cell: usize| cells[cell].split_once('=').expect("x=y").1.parse::<f64>();
        let x = number(3);
        let case = match cells[0] {
            "Fig5a_spread" => {
                let reset = assigned(1).expect("a number");
                Case { spread: x, reset, arrivals: CONSTANT, rate: 0.1, depth: 4.0 }
            }
            "Fig6_tb" => {
                let rate = assigned(1).expect("a number");
                Case { spread: 0.1, reset: 0.1, arrivals: CONSTANT, rate, depth: x }
            }
            "Fig9_tb" => {
                let rate = assigned(1).expect("a number");
                Case { spread: 1.0, reset: 1.0, arrivals: MARKOV, rate, depth: x }
            }
            other => panic!("an unknown figure {other}"),
        };
        let scenario = case.scenario(&data, IMAGES);
        let instance = scenario.instance(1);
        let key = format!("{} {} {}", case.spread, case.reset, case.arrivals);
        if drawn.as_ref().is_none_or(|(drawn, _)| *drawn != key) {
            drawn = Some((key, stream(&instance).collect()));
        }
        let images = &drawn.as_ref().expect("just drawn").1;
        let loose = case.rate == 0.1 && case.depth == 1.0 || case.reset == 0.01;
        for (kind, cell) in [("lower-bound", 4), ("mdp", 6), ("threshold", 7)] {
            let found =
                play(&instance, images.iter().copied(), &mut *policy(kind, &scenario, &instance));
            let off = found.loss - number(cell);
            println!(
                "{line}: {kind} {:.5} (s.e. {:.5}), off by {off:+.5}",
                found.loss, found.error
            );
            let most = if loose { 0.003 } else { 0.002 };
            let better = BETTER.iter().find(|(figure, rate, at, _)| {
                kind == "mdp" && *figure == cells[0] && *rate == case.rate && *at == x
            });
            let least = better.map_or(-most, |(_, _, _, by)| -by);
            if !(least..=most).contains(&off) {
                missed.push(format!("{line}: {kind} {found:?}"));
            }
        }
        rows += 1;
    }
    assert_eq!(rows, 91);
    assert!(missed.is_empty(), "{missed:#?}");
}

/// The optimum that knows the hidden state, from an independent implementation, within .0005.
#[test]
fn optimum_with_the_hidden_state() {
    let Some(data) = data("optimum_with_the_hidden_state") else { return };
    for (spread, reset, arrivals, expected) in
        [(0.1, 0.1, CONSTANT, 0.2550), (0.1, 0.01, CONSTANT, 0.2664), (1.0, 1.0, MARKOV, 0.2071)]
    {
        let case = Case { spread, reset, arrivals, rate: 0.1, depth: 4.0 };
        let scenario = case.scenario(&data, MANY);
        let instance = scenario.instance(2);
        let found =
            play(&instance, stream(&instance), &mut *policy("hidden-state", &scenario, &instance));
        let [told, belief] = ["hidden-state", "belief"].map(|kind| {
            play(&instance, stream(&instance).take(FEW), &mut *policy(kind, &scenario, &instance))
        });
        println!("{spread} {reset} {arrivals}: {found:?}; belief {belief:?} against {told:?}");
        assert!((found.loss - expected).abs() < 5e-4, "{expected}: {found:?}");
        // On the same images: what inference cannot know costs less than the figure is known to.
        assert!((belief.loss - told.loss).abs() < 3e-4, "{told:?} {belief:?}");
    }
}
