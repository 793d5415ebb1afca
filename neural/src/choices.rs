//! The loss of several choices that are made at once.

use crate::fit::FitError;
use crate::loss::{Loss, argmax_open, log_sum_exp};

/// What a teacher says, for a student (Hinton, Vinyals and Dean, "Distilling the knowledge in a neural
/// network", 2015, section 2).
#[derive(Debug, Clone, Copy)]
pub struct Softened<'a> {
    /// The teacher's logits, `[rows, groups, choices]`.
    pub teacher: &'a [f32],
    /// T, above 0.
    pub temperature: f32,
    /// a, from 0 to 1: weight of what the teacher says against the labels.
    pub alpha: f32,
}

/// Several choices at once: outputs are `[groups, choices]`, and of each group one choice is right. Not
/// every row has all groups, and some choices may be closed: a softmax is over those that are open.
///
/// The loss of a group, with its probabilities p, is
/// `(1 - a) CE + a T^2 KL(q' || p') + w sum of p_s c_s`: cross-entropy, what is lost against a teacher
/// (p' and q' are the softmax of logits over T, of the network and its teacher; equation (1) of Hinton,
/// Vinyals and Dean, 2015, and the factor T^2 of their section 2), and the cost that is to be expected
/// where each choice has a cost c_s, 0 for the right one. Without a teacher `a` is 0. The last term is our
/// own: labels alone say nothing of how bad a wrong choice is. That of a row is the sum over its
/// groups, the value is the mean over rows.
#[derive(Debug, Clone, Copy)]
pub struct Choices<'a> {
    /// Groups in a row.
    pub groups: usize,
    /// Choices in a group, 32 at most.
    pub choices: usize,
    /// `[rows, groups]`: which choices are open, as bits; 0 where the row has no such group.
    pub open: &'a [u32],
    /// `[rows, groups]`: the right choices, each one that is open; of no meaning where there is no group.
    pub labels: &'a [u8],
    /// `[rows, groups, choices]`: what each open choice costs; empty where [`Choices::cost_weight`] is 0.
    pub costs: &'a [f32],
    /// w: what a cost of 1 weighs against the logarithm of a probability.
    pub cost_weight: f32,
    /// What the teacher says, where there is one.
    pub soft: Option<Softened<'a>>,
}

/// One group of a row.
struct Group<'a> {
    logits: &'a [f32],
    open: u32,
}

impl Group<'_> {
    /// The open choices, each with its logit.
    fn open(&self) -> impl Iterator<Item = (usize, f32)> + Clone {
        let all = self.logits.iter().copied().enumerate();
        all.filter(|(choice, _)| self.open >> choice & 1 == 1)
    }

    /// Logarithm of the sum over open choices of `exp(scale z)`.
    fn norm(&self, scale: f32) -> f32 {
        log_sum_exp(self.open().map(|(_, logit)| logit), scale)
    }
}

impl Choices<'_> {
    /// Adds the gradient of one group to `slope`, which is 0 before; gives the loss. `share` is that of
    /// a row of the batch.
    fn group(&self, place: usize, own: &Group<'_>, share: f32, slope: &mut [f32]) -> f32 {
        let label = usize::from(self.labels[place]);
        let alpha = self.soft.map_or(0.0, |soft| soft.alpha);
        let norm = own.norm(1.0);
        let costs = match self.costs {
            [] => &[],
            costs => &costs[place * self.choices..][..self.choices],
        };
        let cost = |choice: usize| costs.get(choice).copied().unwrap_or(0.0);
        let expected: f32 =
            own.open().map(|(choice, logit)| libm::expf(logit - norm) * cost(choice)).sum();
        for (choice, logit) in own.open() {
            let p = libm::expf(logit - norm);
            let right = if choice == label { 1.0 } else { 0.0 };
            let hard = (1.0 - alpha) * (p - right);
            slope[choice] = share * (hard + self.cost_weight * p * (cost(choice) - expected));
        }
        let hard = (1.0 - alpha) * (norm - own.logits[label]) + self.cost_weight * expected;
        let Some(soft) = &self.soft else { return hard };
        hard + alpha * self.soft_group(place, own, soft, share, slope)
    }

    /// The teacher's part of a group: adds its gradient, and gives it without its weight.
    fn soft_group(
        &self,
        place: usize,
        own: &Group<'_>,
        soft: &Softened<'_>,
        share: f32,
        slope: &mut [f32],
    ) -> f32 {
        let scale = 1.0 / soft.temperature;
        let teacher =
            Group { logits: &soft.teacher[place * self.choices..][..self.choices], open: own.open };
        let norms = [own.norm(scale), teacher.norm(scale)];
        // T^2 of the loss, and 1/T from within the softmax.
        let factor = share * soft.alpha * soft.temperature;
        let mut divergence = 0.0;
        for ((choice, student), (_, teacher)) in own.open().zip(teacher.open()) {
            let [student, teacher] = [student * scale - norms[0], teacher * scale - norms[1]];
            let q = libm::expf(teacher);
            divergence += q * (teacher - student);
            slope[choice] += factor * (libm::expf(student) - q);
        }
        soft.temperature * soft.temperature * divergence
    }

    /// Number, logits and slope of each group of a batch that its row has.
    fn each<'b>(
        &'b self,
        rows: &'b [u32],
        outputs: &'b [f32],
    ) -> impl Iterator<Item = (usize, usize, Group<'b>)> {
        let groups = outputs.chunks_exact(self.choices).enumerate();
        groups.filter_map(move |(number, logits)| {
            let place = rows[number / self.groups] as usize * self.groups + number % self.groups;
            let open = self.open[place];
            (open != 0).then_some((number, place, Group { logits, open }))
        })
    }
}

impl Loss for Choices<'_> {
    fn check(&self, rows: usize, outputs: usize) -> Result<(), FitError> {
        let length = |what, found, expected| match found == expected {
            true => Ok(()),
            false => Err(FitError::Length { what, found, expected }),
        };
        length("outputs", outputs, self.groups * self.choices)?;
        length("masks of open choices", self.open.len(), rows * self.groups)?;
        length("labels", self.labels.len(), rows * self.groups)?;
        if self.cost_weight != 0.0 {
            length("costs", self.costs.len(), rows * self.groups * self.choices)?;
        }
        if let Some(soft) = &self.soft {
            length("teacher's logits", soft.teacher.len(), rows * self.groups * self.choices)?;
            if !(soft.temperature.is_finite() && soft.temperature > 0.0) {
                return Err(FitError::Temperature(soft.temperature));
            }
        }
        let right = |(open, label): (&u32, &u8)| {
            let label = usize::from(*label);
            *open == 0 || label < self.choices.min(32) && open >> label & 1 == 1
        };
        match self.open.iter().zip(self.labels).position(|own| !right(own)) {
            Some(place) => Err(FitError::Label {
                row: place / self.groups,
                label: u32::from(self.labels[place]),
                outputs: self.choices,
            }),
            None => Ok(()),
        }
    }

    fn evaluate(&self, rows: &[u32], outputs: &[f32], slope: &mut [f32]) -> f64 {
        slope.fill(0.0);
        let share = 1.0 / rows.len() as f32;
        let mut sum = 0.0;
        for (number, place, own) in self.each(rows, outputs) {
            let slope = &mut slope[number * self.choices..][..self.choices];
            sum += f64::from(self.group(place, &own, share, slope));
        }
        sum / rows.len() as f64
    }

    /// Rows of which all groups are right.
    fn hits(&self, rows: &[u32], outputs: &[f32]) -> Option<usize> {
        let mut wrong = vec![false; rows.len()];
        for (number, place, own) in self.each(rows, outputs) {
            let best = argmax_open(own.open());
            wrong[number / self.groups] |= best != Some(usize::from(self.labels[place]));
        }
        Some(wrong.iter().filter(|wrong| !**wrong).count())
    }
}
