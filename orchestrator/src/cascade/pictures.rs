//! The pictures of a run and the classifiers that see them, read once for all trials.

use std::path::Path;
use std::sync::Arc;

use fogbit_neural::{Classifier, PIXELS, answer};
use fogbit_scenario::cascade::{CascadeScenario, ImageRow, ImageTable};
use fogbit_scenario::topology::Score;

use crate::dataset::FashionMnist;
use crate::exit::Failure;

/// The pictures of the images of a scenario, and both classifiers.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// The weak classifier (safetensors).
    pub weak: Vec<u8>,
    /// The strong classifier (safetensors).
    pub strong: Vec<u8>,
    /// The picture of each image of the trials by rank, one after another.
    pub by_rank: Arc<[u8]>,
}

/// What classifiers of another trace have to be replaced with.
const HELP: &str = "`fogbit train classifiers` writes classifiers and trace together";

impl Pictures {
    /// Reads what the scenario names; none where it has no pictures.
    ///
    /// # Errors
    /// If something is missing or damaged, or if classifiers, pictures and trace do not belong
    /// together: the weak classifier has to give the metric of each image, bit for bit, and the strong
    /// one has to be right where the trace says so.
    pub fn load(scenario: &CascadeScenario) -> Result<Option<Pictures>, Failure> {
        let Some((from, classifiers)) = scenario.pictures() else { return Ok(None) };
        let data = FashionMnist::read(&from)
            .map_err(|error| Failure::usage(format!("[pictures] from: {error}")))?;
        let (weak, classifier) = read(&classifiers.join("weak.safetensors"))?;
        let (strong, edge) = read(&classifiers.join("strong.safetensors"))?;
        let by_rank = of_images(scenario.test(), &data)?;
        check(scenario.test(), &classifier, &by_rank)?;
        if scenario.topology().trace.score == Score::Reward {
            check_strong(scenario.test(), &edge, &data)?;
        }
        Ok(Some(Pictures { weak, strong, by_rank: by_rank.into() }))
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, Classifier), Failure> {
    let unusable = |error: String| {
        Failure::usage(format!("the classifier {} cannot be used: {error}", path.display()))
            .help(HELP)
    };
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let classifier = Classifier::from_bytes(&bytes).map_err(|error| unusable(error.to_string()))?;
    Ok((bytes, classifier))
}

/// The pictures of `table`, by rank.
fn of_images(table: &ImageTable, data: &FashionMnist) -> Result<Vec<u8>, Failure> {
    let mut pictures = Vec::with_capacity(table.rows().len() * PIXELS);
    for row in table.rows() {
        let picture = data.picture(row.id).ok_or_else(|| {
            Failure::usage(format!("the data set has no picture of image {}", row.id))
                .help("ids count the images to learn from, from 0, and then go on with the others")
        })?;
        pictures.extend_from_slice(picture.pixels);
    }
    Ok(pictures)
}

/// Whether the strong classifier is right where the trace says it was. Nothing is said of traces whose
/// losses are no errors, 0 or 1.
fn check_strong(
    table: &ImageTable,
    strong: &Classifier,
    data: &FashionMnist,
) -> Result<(), Failure> {
    let traced = |row: &ImageRow| row.weak_loss - row.reward;
    if table.rows().iter().any(|row| ![0.0, 1.0].contains(&traced(row))) {
        return Ok(());
    }
    let mut scratch = strong.scratch();
    for row in table.rows() {
        let Some(picture) = data.picture(row.id) else { continue };
        let wrong = answer(&strong.classify(picture.pixels, &mut scratch)) != picture.label;
        if f32::from(u8::from(wrong)) != traced(row) {
            let (image, told) = (row.id, if wrong { "wrong" } else { "right" });
            return Err(Failure::usage(format!(
                "classifiers, pictures and trace do not belong together: the strong classifier is \
                 {told} about image {image}, and in the trace it is not"
            ))
            .help(HELP));
        }
    }
    Ok(())
}

/// Whether the weak classifier says of each picture what the trace says it did.
fn check(table: &ImageTable, weak: &Classifier, pictures: &[u8]) -> Result<(), Failure> {
    let mut scratch = weak.scratch();
    for (row, picture) in table.rows().iter().zip(pictures.as_chunks::<PIXELS>().0) {
        let metric = weak
            .metric(&weak.classify(picture, &mut scratch))
            .ok_or_else(|| Failure::usage("the weak classifier holds no metric").help(HELP))?;
        if metric.to_bits() != row.metric.to_bits() {
            let (image, traced) = (row.id, row.metric);
            return Err(Failure::usage(format!(
                "classifiers, pictures and trace do not belong together: the weak classifier gives \
                 image {image} the metric {metric:?}, and the trace {traced:?}"
            ))
            .help(HELP));
        }
    }
    Ok(())
}
