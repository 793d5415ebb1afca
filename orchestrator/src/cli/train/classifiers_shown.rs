//! What is printed of a training of classifiers.

use std::fmt::Write as _;

use fogbit_neural::Classifier;
use serde::Serialize;

use crate::cli::table::grouped;
use crate::dataset::{DATA_LICENCE, FashionMnist};
use crate::train::classifiers::{
    Categories, ClassifierFigures, ClassifierTraining, Evaluation, Trained, classification_seconds,
    multiply_adds,
};

/// A training, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// How it was trained.
    setting: ClassifierTraining,
    /// SHA-256 of the images.
    data_sha256: String,
    /// Whose the images are.
    licence: &'static str,
    /// The networks.
    networks: Networks,
    /// How good they are on the test images.
    evaluation: Evaluation,
    /// Width of the kernel behind the metric, in nats.
    metric_width: Option<f64>,
    /// How long it took.
    times: TrainingTimes,
    /// Weak classifier, strong classifier, trace, if they were kept.
    pub(super) files: Option<[String; 3]>,
}

/// How long parts of a training took.
#[derive(Debug, Serialize)]
pub(super) struct TrainingTimes {
    pub(super) reading_seconds: f64,
    pub(super) weak_seconds: f64,
    pub(super) strong_seconds: f64,
    /// Classifying all other images with both, and fitting temperatures and metric.
    pub(super) tracing_seconds: f64,
}

#[derive(Debug, Serialize)]
struct Networks {
    weak: NetworkTold,
    strong: NetworkTold,
}

#[derive(Debug, Serialize)]
struct NetworkTold {
    weights: usize,
    multiply_adds: usize,
    /// How long one classification takes on this host.
    classification_seconds: f64,
}

impl NetworkTold {
    fn of(classifier: &Classifier, data: &FashionMnist) -> NetworkTold {
        NetworkTold {
            weights: classifier.network().parameters(),
            multiply_adds: multiply_adds(classifier.network()),
            classification_seconds: classification_seconds(classifier, &data.test),
        }
    }
}

impl Told {
    pub(super) fn of(
        trained: &Trained,
        data: &FashionMnist,
        setting: ClassifierTraining,
        times: TrainingTimes,
    ) -> Told {
        let Trained { weak, strong, evaluation, .. } = trained;
        Told {
            setting,
            data_sha256: data.digest(),
            licence: DATA_LICENCE,
            networks: Networks {
                weak: NetworkTold::of(weak, data),
                strong: NetworkTold::of(strong, data),
            },
            evaluation: evaluation.clone(),
            metric_width: weak.metric_curve().map(|curve| curve.width),
            times,
            files: None,
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data") + "\n"
    }

    /// The training for people.
    pub(super) fn render(&self) -> String {
        let ClassifierTraining { seed, epochs, weak_epochs, images } = self.setting;
        let Evaluation { images: judged, weak, strong, .. } = &self.evaluation;
        let count = |count: usize| grouped(count as f64);
        let mut text = format!(
            "{} images learnt with seed {seed}, {weak_epochs} times by the weak and {epochs} times by \
             the strong classifier;\njudged by {} test images\n\n{:32}{:>10}{:>10}\n",
            count(images as usize),
            count(*judged),
            "",
            "weak",
            "strong"
        );
        let networks = [&self.networks.weak, &self.networks.strong];
        let figures = [weak, strong];
        let of = |figure: fn(&ClassifierFigures) -> f64| {
            figures.map(|own| format!("{:.4}", figure(own)))
        };
        let network = |figure: fn(&NetworkTold) -> String| networks.map(figure);
        for (name, [weak, strong]) in [
            ("accuracy", of(|own| own.accuracy)),
            ("temperature", of(|own| own.temperature)),
            ("cross-entropy without it", of(|own| own.cross_entropy_before)),
            ("cross-entropy", of(|own| own.cross_entropy)),
            ("calibration error without it", of(|own| own.calibration_error_before)),
            ("calibration error", of(|own| own.calibration_error)),
            ("weights", network(|own| grouped(own.weights as f64))),
            ("multiply-adds", network(|own| grouped(own.multiply_adds as f64))),
            ("one image in us", network(|own| format!("{:.1}", 1e6 * own.classification_seconds))),
        ] {
            let _ = writeln!(text, "{name:32}{weak:>10}{strong:>10}");
        }
        self.categories(&mut text);
        self.metric(&mut text);
        let TrainingTimes { reading_seconds, weak_seconds, strong_seconds, tracing_seconds } =
            self.times;
        let _ = writeln!(
            text,
            "\nread in {reading_seconds:.1} s, learnt in {weak_seconds:.1} s and {strong_seconds:.1} s, \
             traced in {tracing_seconds:.1} s\n{DATA_LICENCE}"
        );
        match &self.files {
            Some(files) => files.iter().for_each(|file| {
                let _ = writeln!(text, "{file}");
            }),
            None => text += "nothing was written: --out DIR keeps models and trace\n",
        }
        text
    }

    fn categories(&self, text: &mut String) {
        let Evaluation { categories, held_out_categories, .. } = &self.evaluation;
        let _ = writeln!(text, "\n{:32}{:>10}{:>10}", "% of images", "test", "held out");
        let shares =
            |own: &Categories| [own.both_right, own.both_wrong, own.only_strong, own.only_weak];
        let names = ["both right", "both wrong", "only strong right", "only weak right"];
        let both = shares(categories).into_iter().zip(shares(held_out_categories));
        for (name, (test, held_out)) in names.into_iter().zip(both) {
            let (test, held_out) = (100.0 * test, 100.0 * held_out);
            let _ = writeln!(text, "{name:32}{test:>10.1}{held_out:>10.1}");
        }
    }

    fn metric(&self, text: &mut String) {
        let Evaluation { mean_metric, mean_reward, correlation, .. } = self.evaluation;
        let correlation = correlation.map_or("-".into(), |value| format!("{value:.3}"));
        let _ = writeln!(
            text,
            "\nmean metric {mean_metric:.4}, mean reward {mean_reward:.4}, correlation {correlation}"
        );
        if let Some(width) = self.metric_width {
            let _ = writeln!(text, "metric: kernel of {width:.4} nats");
        }
    }
}
