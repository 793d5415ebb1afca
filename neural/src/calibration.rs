//! How sure a classifier may be of itself: the temperature of its softmax, and the entropy of what
//! comes out.
//!
//! Temperature scaling (Guo, Pleiss, Sun and Weinberger, ICML 2017) divides all logits by one number,
//! chosen on rows that the classifier was not trained on so that their cross-entropy is least.
//! Everything is in double precision, and sums run in the order of the rows.

/// Why there is no temperature.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// There are no rows, or logits and labels are not of as many.
    #[error(
        "there are {logits} logits in rows of {classes} and {labels} labels: expected as many rows, at least one"
    )]
    Length {
        /// How many logits.
        logits: usize,
        /// How many classes.
        classes: usize,
        /// How many labels.
        labels: usize,
    },
    /// A label that is no class.
    #[error("row {row} has the label {label}: there are {classes} classes")]
    Label {
        /// Number of the row, from 0.
        row: usize,
        /// Its label.
        label: u32,
        /// How many classes there are.
        classes: usize,
    },
    /// A logit that is not finite.
    #[error("row {row} has the logit {value}: logits are finite")]
    Logit {
        /// Number of the row, from 0.
        row: usize,
        /// The logit.
        value: f32,
    },
    /// The colder, the better: every row's largest logit is the right one.
    #[error(
        "every row is classified right: no temperature is the best, colder ones are always better"
    )]
    Separable,
    /// The hotter, the better: the logits say nothing about the labels.
    #[error(
        "the logits say nothing about the labels: no temperature is the best, hotter ones are always better"
    )]
    Uninformative,
}

/// Temperatures that are looked for: from its inverse to itself.
const LARGEST: f64 = 1e4;

/// The temperature T at which the mean cross-entropy of `logits / T` is least. `logits` is `[rows,
/// classes]`, `labels` the right class of each row. Exact to about 1e-10 relative.
///
/// With b = 1/T the cross-entropy is convex: its first derivative is the mean of `E[z] - z[label]`, its
/// second that of `Var[z]`, both under softmax(b z). Newton's method finds the root, held within a
/// bracket that is halved where a step would leave it.
///
/// # Errors
/// If logits and labels do not fit, or no temperature between 1e-4 and 1e4 is the best.
pub fn fit_temperature(
    logits: &[f32],
    labels: &[u32],
    classes: usize,
) -> Result<f64, CalibrationError> {
    check(logits, labels, classes)?;
    let derivatives = |inverse| {
        let rows = logits.chunks_exact(classes).zip(labels);
        let sums = rows.fold((0.0, 0.0), |(slope, bend), (row, label)| {
            let Moments { mean, variance, .. } = Moments::of(row, inverse);
            (slope + mean - f64::from(row[*label as usize]), bend + variance)
        });
        (sums.0 / labels.len() as f64, sums.1 / labels.len() as f64)
    };
    let (mut low, mut high) = (1.0 / LARGEST, LARGEST);
    if derivatives(low).0 >= 0.0 {
        return Err(CalibrationError::Uninformative);
    }
    if derivatives(high).0 <= 0.0 {
        return Err(CalibrationError::Separable);
    }
    let mut inverse = 1.0;
    for _ in 0..200 {
        let (slope, bend) = derivatives(inverse);
        if slope < 0.0 {
            low = inverse;
        } else {
            high = inverse;
        }
        let step = inverse - slope / bend;
        let next = if low < step && step < high { step } else { (low * high).sqrt() };
        let done = (next - inverse).abs() <= 1e-14 * inverse;
        inverse = next;
        if done {
            break;
        }
    }
    Ok(1.0 / inverse)
}

/// Mean cross-entropy of `logits / temperature`, in nats.
///
/// # Panics
/// Without rows, or if labels do not fit.
pub fn mean_cross_entropy(logits: &[f32], labels: &[u32], temperature: f64) -> f64 {
    assert!(!labels.is_empty() && logits.len().is_multiple_of(labels.len()), "rows of logits");
    let rows = logits.chunks_exact(logits.len() / labels.len()).zip(labels);
    let inverse = 1.0 / temperature;
    let sum = rows.fold(0.0, |sum, (row, label)| {
        sum + Moments::of(row, inverse).log_sum - inverse * f64::from(row[*label as usize])
    });
    sum / labels.len() as f64
}

/// Entropy of `softmax(logits / temperature)` in nats: 0 for one that is sure, ln of the number of
/// classes for one that knows nothing.
///
/// # Panics
/// Without logits.
pub fn entropy(logits: &[f32], temperature: f64) -> f64 {
    let inverse = 1.0 / temperature;
    let Moments { log_sum, mean, .. } = Moments::of(logits, inverse);
    // Of one that is sure rounding may leave less than nothing.
    (log_sum - inverse * mean).max(0.0)
}

/// What is to be known of `p = softmax(b z)`.
struct Moments {
    /// ln of the sum of exp(b z).
    log_sum: f64,
    /// Sum of p z.
    mean: f64,
    /// Sum of p (z - mean)^2.
    variance: f64,
}

impl Moments {
    fn of(logits: &[f32], inverse: f64) -> Moments {
        let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        // All is taken from the largest, so that nothing overflows and little cancels.
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for logit in logits {
            let below = f64::from(*logit) - largest;
            let share = libm::exp(inverse * below);
            sum += share;
            first += share * below;
            second += share * below * below;
        }
        let below = first / sum;
        Moments {
            log_sum: inverse * largest + libm::log(sum),
            mean: largest + below,
            variance: (second / sum - below * below).max(0.0),
        }
    }
}

fn check(logits: &[f32], labels: &[u32], classes: usize) -> Result<(), CalibrationError> {
    if labels.is_empty() || labels.len().checked_mul(classes) != Some(logits.len()) {
        let (logits, labels) = (logits.len(), labels.len());
        return Err(CalibrationError::Length { logits, classes, labels });
    }
    if let Some(row) = labels.iter().position(|label| *label as usize >= classes) {
        return Err(CalibrationError::Label { row, label: labels[row], classes });
    }
    if let Some(place) = logits.iter().position(|logit| !logit.is_finite()) {
        return Err(CalibrationError::Logit { row: place / classes, value: logits[place] });
    }
    Ok(())
}
