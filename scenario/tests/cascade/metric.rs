//! The metric that is fitted to entropies: against numpy, and against the curve of the paper.
//!
//! `metric.txt` was printed by `metric.py`, which shares no code with this crate.

use fogbit_scenario::cascade::{EntropySample, MetricCurve, read_trace};

use crate::reference;

const TABLE: &str = include_str!("metric.txt");

#[test]
fn the_curve_is_that_of_numpy() {
    let (mut samples, mut width) = (Vec::new(), 0.0);
    let mut curve: Option<MetricCurve> = None;
    let (mut sets, mut values) = (0, 0);
    for line in TABLE.lines() {
        let columns: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| columns[index].parse::<f64>().expect("a number");
        match columns[0] {
            "set" => {
                (samples, width, curve) = (Vec::new(), number(2), None);
                sets += 1;
            }
            "sample" => samples.push(EntropySample { entropy: number(1), reward: number(2) }),
            _ => {
                let curve = curve.get_or_insert_with(|| MetricCurve::fit(&samples));
                let relative = (curve.width - width).abs() / width;
                assert!(relative < 1e-12, "width {} for {width}", curve.width);
                let (got, want) = (curve.at(number(1)), number(2));
                assert!((got - want).abs() < 1e-11, "at {}: {got} for {want}", columns[1]);
                values += 1;
            }
        }
    }
    assert_eq!((sets, values), (4, 4 * 43));
}

/// The order of the rows of a file has no influence.
#[test]
fn any_order_of_samples_gives_the_same_curve() {
    let samples: Vec<EntropySample> = (0..101u32)
        .map(|i| EntropySample {
            entropy: f64::from(i * 37 % 101 / 2),
            reward: f64::from(i * 11 % 7) / 7.0,
        })
        .collect();
    let curve = MetricCurve::fit(&samples);
    let reversed: Vec<EntropySample> = samples.iter().rev().copied().collect();
    assert_eq!(MetricCurve::fit(&reversed), curve);
}

/// The 3,334 validation images of the paper's figure 3, and the curve that is drawn through them. The
/// curve was fitted to other images (those to learn from), so the two can only be as near as two
/// samples are: 0.016 in the root of mean squares and 0.030 at most.
#[test]
fn the_curve_is_near_that_of_the_paper() {
    let Some(path) = reference("the_curve_is_near_that_of_the_paper", "imagenet_fig3_trace.csv.gz")
    else {
        return;
    };
    let rows = read_trace(&path).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(rows.len(), 3334);
    let samples: Vec<EntropySample> = rows
        .iter()
        .map(|row| EntropySample { entropy: row.entropy.unwrap(), reward: row.reward })
        .collect();
    let curve = MetricCurve::fit(&samples);
    let errors: Vec<f64> =
        rows.iter().map(|row| curve.at(row.entropy.unwrap()) - row.metric).collect();
    let rms = (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt();
    let worst = errors.iter().fold(0.0f64, |worst, e| worst.max(e.abs()));
    assert!(rms < 0.02 && worst < 0.035, "rms {rms}, worst {worst}");
    // The metrics of the trace are the digitised curve itself.
    let Some(path) = reference("the curve itself", "fig3_metric_curve.csv") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    for line in text.lines().skip(1) {
        let (entropy, metric) = line.split_once(',').unwrap();
        let (entropy, metric): (f64, f64) = (entropy.parse().unwrap(), metric.parse().unwrap());
        let got = curve.at(entropy);
        assert!((got - metric).abs() < 0.035, "at {entropy}: {got} for {metric}");
    }
}

#[test]
fn zzz_time() {
    for n in [50_000u32, 40_000] {
        let samples: Vec<EntropySample> = (0..n)
            .map(|i| EntropySample {
                entropy: f64::from(i.wrapping_mul(2654435761)) / 2e9,
                reward: f64::from(i % 3),
            })
            .collect();
        let t = std::time::Instant::now();
        let c = MetricCurve::fit(&samples);
        eprintln!("fit {n}: {:?} {}", t.elapsed(), c.width);
    }
    let text: String = std::iter::once("id,metric,reward,weak_loss,strong_loss\n".to_owned())
        .chain((0..50000).map(|i| format!("{i},0.{i},0.5,0.75,0.25\n")))
        .collect();
    std::fs::write("/tmp/t50.csv", text).unwrap();
    let t = std::time::Instant::now();
    let rows = read_trace(std::path::Path::new("/tmp/t50.csv")).unwrap();
    eprintln!("read {}: {:?}", rows.len(), t.elapsed());
}
