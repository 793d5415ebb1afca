//! What a network is trained towards.

use crate::fit::FitError;
use crate::vector::square_error;

/// A loss over a data set, whose targets it holds: row `i` of the targets belongs to row `i` of the
/// features. Its value is the mean over the batch.
pub trait Loss {
    /// Whether there are targets for `rows` rows, and such as `outputs` outputs can meet.
    ///
    /// # Errors
    /// If not.
    fn check(&self, rows: usize, outputs: usize) -> Result<(), FitError>;

    /// The loss of a batch: `rows` are the numbers of its rows in the data set, `outputs` what the
    /// network gives for them, `[rows, outputs]`. Its gradient by the outputs goes to `slope`, of
    /// the same shape.
    fn evaluate(&self, rows: &[u32], outputs: &[f32], slope: &mut [f32]) -> f64;

    /// For how many rows the largest output is the right one, where there is a right one.
    fn hits(&self, _rows: &[u32], _outputs: &[f32]) -> Option<usize> {
        None
    }
}

/// Cross-entropy of logits, `ln(sum of exp(z)) - z[label]`, as PyTorch's `nn.CrossEntropyLoss`.
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropy<'a> {
    /// The right output of each row, from 0.
    pub labels: &'a [u32],
}

impl Loss for CrossEntropy<'_> {
    fn check(&self, rows: usize, outputs: usize) -> Result<(), FitError> {
        check_labels(self.labels, rows, outputs)
    }

    fn evaluate(&self, rows: &[u32], outputs: &[f32], slope: &mut [f32]) -> f64 {
        slope.fill(0.0);
        add_cross_entropy(self.labels, rows, outputs, slope, 1.0)
    }

    fn hits(&self, rows: &[u32], outputs: &[f32]) -> Option<usize> {
        Some(count_hits(self.labels, rows, outputs))
    }
}

/// Mean of the squared differences over rows and outputs, as PyTorch's `nn.MSELoss`.
#[derive(Debug, Clone, Copy)]
pub struct MeanSquare<'a> {
    /// What should come out, `[rows, outputs]`.
    pub targets: &'a [f32],
}

impl Loss for MeanSquare<'_> {
    fn check(&self, rows: usize, outputs: usize) -> Result<(), FitError> {
        check_width("targets", self.targets.len(), rows * outputs)
    }

    fn evaluate(&self, rows: &[u32], outputs: &[f32], slope: &mut [f32]) -> f64 {
        let width = outputs.len() / rows.len();
        let factor = 2.0 / outputs.len() as f32;
        let mut sum = 0.0;
        let batch = outputs.chunks_exact(width).zip(slope.chunks_exact_mut(width));
        for (row, (outputs, slope)) in rows.iter().zip(batch) {
            let targets = &self.targets[*row as usize * width..][..width];
            sum += square_error(outputs, targets, factor, slope);
        }
        sum / outputs.len() as f64
    }
}

/// Knowledge distillation (Hinton, Vinyals and Dean, 2015): a student learns the softened answers
/// of a teacher beside the labels,
/// `soft * T^2 * KL(softmax(teacher / T) || softmax(student / T)) + hard * cross-entropy`. In
/// PyTorch: `nn.KLDivLoss(reduction="batchmean")` on `log_softmax(student / T)` and
/// `softmax(teacher / T)`, times `T * T`.
#[derive(Debug, Clone, Copy)]
pub struct Distillation<'a> {
    /// The right output of each row, from 0.
    pub labels: &'a [u32],
    /// The teacher's logits, `[rows, outputs]`.
    pub teacher: &'a [f32],
    /// T, above 0.
    pub temperature: f32,
    /// Weight of the teacher's part.
    pub soft: f32,
    /// Weight of the labels' part.
    pub hard: f32,
}

impl Loss for Distillation<'_> {
    fn check(&self, rows: usize, outputs: usize) -> Result<(), FitError> {
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(FitError::Temperature(self.temperature));
        }
        check_width("teacher's logits", self.teacher.len(), rows * outputs)?;
        check_labels(self.labels, rows, outputs)
    }

    fn evaluate(&self, rows: &[u32], outputs: &[f32], slope: &mut [f32]) -> f64 {
        let width = outputs.len() / rows.len();
        let scale = 1.0 / self.temperature;
        // T^2 of the loss, and 1/T from within the softmax.
        let factor = self.soft * self.temperature / rows.len() as f32;
        let mut sum = 0.0;
        let batch = outputs.chunks_exact(width).zip(slope.chunks_exact_mut(width));
        for (row, (student, slope)) in rows.iter().zip(batch) {
            let teacher = &self.teacher[*row as usize * width..][..width];
            let student_norm = log_sum_exp(student.iter().copied(), scale);
            let teacher_norm = log_sum_exp(teacher.iter().copied(), scale);
            for ((student, teacher), slope) in student.iter().zip(teacher).zip(slope) {
                let student = student * scale - student_norm;
                let teacher = teacher * scale - teacher_norm;
                let share = libm::expf(teacher);
                sum += f64::from(share * (teacher - student));
                *slope = factor * (libm::expf(student) - share);
            }
        }
        let square = f64::from(self.temperature) * f64::from(self.temperature);
        let soft = f64::from(self.soft) * square * sum / rows.len() as f64;
        let hard = add_cross_entropy(self.labels, rows, outputs, slope, self.hard);
        soft + f64::from(self.hard) * hard
    }

    fn hits(&self, rows: &[u32], outputs: &[f32]) -> Option<usize> {
        Some(count_hits(self.labels, rows, outputs))
    }
}

/// Mean cross-entropy of a batch; adds `weight` times its gradient to `slope`.
fn add_cross_entropy(
    labels: &[u32],
    rows: &[u32],
    outputs: &[f32],
    slope: &mut [f32],
    weight: f32,
) -> f64 {
    let width = outputs.len() / rows.len();
    let factor = weight / rows.len() as f32;
    let mut sum = 0.0;
    let batch = outputs.chunks_exact(width).zip(slope.chunks_exact_mut(width));
    for (row, (logits, slope)) in rows.iter().zip(batch) {
        let label = labels[*row as usize] as usize;
        let norm = log_sum_exp(logits.iter().copied(), 1.0);
        sum += f64::from(norm - logits[label]);
        for (slope, logit) in slope.iter_mut().zip(logits) {
            *slope += factor * libm::expf(logit - norm);
        }
        slope[label] -= factor;
    }
    sum / rows.len() as f64
}

/// `ln(sum of exp(scale * z))`, with the largest taken out so that nothing overflows.
pub(crate) fn log_sum_exp(logits: impl Iterator<Item = f32> + Clone, scale: f32) -> f32 {
    let largest = logits.clone().fold(f32::NEG_INFINITY, |largest, z| largest.max(z * scale));
    let sum = logits.fold(0.0, |sum, z| sum + libm::expf(z * scale - largest));
    largest + libm::logf(sum)
}

fn count_hits(labels: &[u32], rows: &[u32], outputs: &[f32]) -> usize {
    let width = outputs.len() / rows.len();
    let batch = rows.iter().zip(outputs.chunks_exact(width));
    batch.filter(|(row, logits)| argmax(logits) == labels[**row as usize] as usize).count()
}

fn check_labels(labels: &[u32], rows: usize, outputs: usize) -> Result<(), FitError> {
    check_width("labels", labels.len(), rows)?;
    match labels.iter().position(|label| *label as usize >= outputs) {
        Some(row) => Err(FitError::Label { row, label: labels[row], outputs }),
        None => Ok(()),
    }
}

fn check_width(what: &'static str, found: usize, expected: usize) -> Result<(), FitError> {
    if found == expected { Ok(()) } else { Err(FitError::Length { what, found, expected }) }
}

/// Turns logits into probabilities, in place.
pub fn softmax(logits: &mut [f32]) {
    let norm = log_sum_exp(logits.iter().copied(), 1.0);
    for logit in logits {
        *logit = libm::expf(*logit - norm);
    }
}

/// Place of the largest value; of equal ones the lowest, and 0 where none is a number.
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] || values[best].is_nan() && !value.is_nan() {
            best = place;
        }
    }
    best
}

/// As [`argmax`], among some of the values; none where there are none.
pub(crate) fn argmax_open(values: impl Iterator<Item = (usize, f32)>) -> Option<usize> {
    let better = |best: Option<(usize, f32)>, own: (usize, f32)| match best {
        Some((_, largest)) if own.1 > largest || largest.is_nan() && !own.1.is_nan() => Some(own),
        None => Some(own),
        best => best,
    };
    values.fold(None, better).map(|(place, _)| place)
}
