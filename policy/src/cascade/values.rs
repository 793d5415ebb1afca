//! What each level of the bucket is worth to somebody who knows where the stream is.
//!
//! A state is (state of the arrivals s, level n, place c). The next image of place c is one of its
//! window; then the place stays, or with probability `reset` is drawn anew. With `n+` the level
//! after the gap of state s,
//!
//! ```text
//! V(s, n, c) = E over the window of  max( kept(s, n+), m + kept(s, n+ | sent) )
//! kept(s, n, c) = g sum over s+ of P(s+ | s) [ (1 - reset) V(s+, n, c) + reset (mean over c of V(s+, n)) ]
//! ```
//!
//! so an image is sent if its metric is above `theta(s, n, c)`, the difference of the two. Values come
//! by modified policy iteration (Puterman, Markov Decision Processes, section 6.5): thresholds are
//! improved, then their values are swept some times, and so on. They start from those of the policy
//! `mdp`, which hold what is slow, the way of the bucket from empty to full. What is slow as well, that
//! a place or a state of the arrivals is worth more than another, is added at once, by solving the
//! chain of places and states without levels.

use fogbit_scenario::cascade::Setting;

use super::mdp::level_values;
use super::ring::Ring;

/// The span of what a sweep changes, in units of the reward, at which thresholds are the best ones: an
/// image gains at most so much more with others.
const CLOSE: f64 = 1e-6;
/// Sweeps between two improvements.
const SWEEPS: usize = 20;
/// Sweeps at most, all together.
const MOST_SWEEPS: usize = 20_000;
/// How far a sweep goes towards the new values: the bucket and the stream may go round in circles
/// together otherwise.
const DAMPING: f64 = 0.75;

/// The price of sending, by state of the arrivals, level and place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prices {
    places: usize,
    levels: usize,
    theta: Vec<f32>,
}

impl Prices {
    /// Solves `setting` over the places of `ring`.
    pub(super) fn new(discount: f64, setting: &Setting, ring: &Ring) -> Prices {
        let mut sweeper = Sweeper::new(discount, setting, ring);
        sweeper.solve();
        sweeper.look_ahead();
        let Sweeper { places, levels, states, .. } = sweeper;
        let mut theta = Vec::with_capacity(states * levels * places);
        for state in 0..states {
            for level in 0..levels {
                if setting.bucket.affords(level as u32) {
                    let (kept, sent) = (sweeper.kept(state, level), sweeper.sent(state, level));
                    theta.extend(kept.iter().zip(sent).map(|(kept, sent)| (kept - sent) as f32));
                } else {
                    theta.extend(std::iter::repeat_n(f32::INFINITY, places));
                }
            }
        }
        Prices { places, levels, theta }
    }

    /// The prices of a level for all places; infinite where there is no token.
    #[inline]
    pub(super) fn row(&self, state: usize, level: u32) -> &[f32] {
        &self.theta[(state * self.levels + level as usize) * self.places..][..self.places]
    }
}

/// For each state of the arrivals in which an image comes, the probability of each state at the next
/// one. One state where gaps are constant.
pub(super) fn state_changes(setting: &Setting) -> Vec<Vec<f64>> {
    let arrivals = &setting.arrivals;
    if arrivals.is_constant() {
        return vec![vec![1.0]];
    }
    let out = arrivals.changed_after(arrivals.gaps[0])[0];
    let back = arrivals.changed_after(arrivals.gaps[1])[1];
    vec![vec![1.0 - out, out], vec![back, 1.0 - back]]
}

/// Rows of values run over places; there is one for each (state, level).
struct Sweeper<'s> {
    discount: f64,
    setting: &'s Setting,
    ring: &'s Ring,
    changes: Vec<Vec<f64>>,
    places: usize,
    levels: usize,
    states: usize,
    shares: Vec<f64>,
    values: Vec<f64>,
    /// Discounted values at the next image, by the level after the gap.
    ahead: Vec<f64>,
    /// F and G of the thresholds.
    sent: Vec<f64>,
    gain: Vec<f64>,
}

impl<'s> Sweeper<'s> {
    fn new(discount: f64, setting: &'s Setting, ring: &'s Ring) -> Sweeper<'s> {
        let (places, levels) = (ring.places(), setting.bucket.depth as usize + 1);
        let changes = state_changes(setting);
        let states = changes.len();
        let size = states * levels * places;
        let by_level = level_values(discount, setting);
        let row = by_level.iter().flat_map(|value| std::iter::repeat_n(*value, places));
        let values = row.collect::<Vec<f64>>().repeat(states);
        let blank = || vec![0.0; size];
        Sweeper {
            discount,
            setting,
            ring,
            changes,
            places,
            levels,
            states,
            shares: ring.shares(),
            values,
            ahead: blank(),
            sent: blank(),
            gain: blank(),
        }
    }

    fn row(&self, state: usize, level: usize) -> std::ops::Range<usize> {
        let begin = (state * self.levels + level) * self.places;
        begin..begin + self.places
    }

    /// The discounted values at the next image, if this one is kept at `level`.
    fn kept(&self, state: usize, level: usize) -> &[f64] {
        &self.ahead[self.row(state, self.later(state, level, false))]
    }

    /// The same, if it is sent.
    fn sent(&self, state: usize, level: usize) -> &[f64] {
        &self.ahead[self.row(state, self.later(state, level, true))]
    }

    fn later(&self, state: usize, level: usize, sent: bool) -> usize {
        let gap = self.setting.arrivals.gaps[state];
        self.setting.bucket.later(level as u32, sent, gap).0 as usize
    }

    fn affords(&self, level: usize) -> bool {
        self.setting.bucket.affords(level as u32)
    }

    fn solve(&mut self) {
        let mut done = 0;
        while done < MOST_SWEEPS {
            self.look_ahead();
            self.improve();
            let residuals = self.residuals();
            let (within, all) = self.spans(&residuals);
            if all < CLOSE {
                return;
            }
            if within < 0.5 * all {
                self.level_out(&residuals);
            } else {
                self.sweep();
            }
            for _ in 1..SWEEPS {
                self.look_ahead();
                self.sweep();
            }
            self.rebase();
            done += SWEEPS;
        }
    }

    /// Brings `ahead` up to date.
    fn look_ahead(&mut self) {
        let reset = self.setting.walk.reset;
        for level in 0..self.levels {
            for state in 0..self.states {
                let to = self.row(state, level);
                self.ahead[to.clone()].fill(0.0);
                for next in 0..self.states {
                    let weight = self.discount * self.changes[state][next];
                    let values = &self.values[self.row(next, level)];
                    let mean = if self.places == 1 { values[0] } else { dot(values, &self.shares) };
                    let anew = weight * reset * mean;
                    let stays = weight * (1.0 - reset);
                    for (ahead, value) in self.ahead[to.clone()].iter_mut().zip(values) {
                        *ahead += stays * value + anew;
                    }
                }
            }
        }
    }

    /// The best thresholds, given `ahead`.
    fn improve(&mut self) {
        for state in 0..self.states {
            let first = self.setting.bucket.price as usize;
            for level in first..self.levels {
                let row = self.row(state, level);
                for place in 0..self.places {
                    let theta = self.kept(state, level)[place] - self.sent(state, level)[place];
                    let (share, gain) = self.ring.gain(place, self.ring.first_above(theta));
                    self.sent[row.start + place] = share;
                    self.gain[row.start + place] = gain;
                }
            }
        }
    }

    /// What one whole step changes.
    fn residuals(&self) -> Vec<f64> {
        let mut residuals = vec![0.0; self.values.len()];
        self.step(|index, new| residuals[index] = new - self.values[index]);
        residuals
    }

    /// One damped step.
    fn sweep(&mut self) {
        let mut values = std::mem::take(&mut self.values);
        self.step(|index, new| values[index] += DAMPING * (new - values[index]));
        self.values = values;
    }

    /// Hands out the new value of each state.
    #[inline(always)]
    fn step(&self, mut put: impl FnMut(usize, f64)) {
        for state in 0..self.states {
            for level in 0..self.levels {
                let row = self.row(state, level);
                let kept = self.kept(state, level);
                if !self.affords(level) {
                    row.zip(kept).for_each(|(index, kept)| put(index, *kept));
                    continue;
                }
                let (share, gain) = (&self.sent[row.clone()], &self.gain[row.clone()]);
                let sent = self.sent(state, level);
                for place in 0..self.places {
                    let new =
                        gain[place] + kept[place] + share[place] * (sent[place] - kept[place]);
                    put(row.start + place, new);
                }
            }
        }
    }

    /// The largest span of `residuals` over the levels of one (state, place), and their span over all.
    fn spans(&self, residuals: &[f64]) -> (f64, f64) {
        let (mut within, mut least, mut most) = (0.0f64, f64::INFINITY, f64::NEG_INFINITY);
        for column in self.columns() {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for index in column {
                (low, high) = (low.min(residuals[index]), high.max(residuals[index]));
            }
            within = within.max(high - low);
            (least, most) = (least.min(low), most.max(high));
        }
        (within, most - least)
    }

    /// The levels of each (state, place).
    fn columns(&self) -> impl Iterator<Item = impl Iterator<Item = usize> + use<>> + use<> {
        let (places, levels, states) = (self.places, self.levels, self.states);
        (0..states).flat_map(move |state| {
            (0..places).map(move |place| {
                (0..levels).map(move |level| (state * levels + level) * places + place)
            })
        })
    }

    /// Adds to each (state, place) what it is worth more than the others, as far as `residuals` tell:
    /// solves `d = r + g P d` for the mean residuals r, with P the chain of states and places.
    ///
    /// Both chains forget geometrically, so r falls into parts that P shrinks by a factor `k` each, and
    /// a part of d is that of r over `1 - g k`: the mean over places, and what differs from it, and of
    /// either the mean over states, and what differs. The mean over all decides nothing.
    fn level_out(&mut self, residuals: &[f64]) {
        let (places, states) = (self.places, self.states);
        let mut part: Vec<f64> = self
            .columns()
            .map(|column| column.map(|index| residuals[index]).sum::<f64>() / self.levels as f64)
            .collect();
        let stays = 1.0 - self.setting.walk.reset;
        let (stationary, keeps) = match states {
            1 => (vec![1.0], 0.0),
            _ => {
                let [out, back] = [self.changes[0][1], self.changes[1][0]];
                (vec![back / (out + back), out / (out + back)], 1.0 - out - back)
            }
        };
        let grown = |factor: f64| 1.0 / (1.0 - self.discount * factor);
        let means: Vec<f64> = part.chunks(places).map(|row| dot(row, &self.shares)).collect();
        let mean = dot(&means, &stationary);
        for place in 0..places {
            let differs: Vec<f64> =
                (0..states).map(|state| part[state * places + place] - means[state]).collect();
            let common = dot(&differs, &stationary);
            for state in 0..states {
                part[state * places + place] = (means[state] - mean) * grown(keeps)
                    + common * grown(stays)
                    + (differs[state] - common) * grown(stays * keeps);
            }
        }
        for (column, part) in self.columns().zip(part) {
            column.for_each(|index| self.values[index] += part);
        }
    }

    /// Takes a constant off all values: it decides nothing, and would only grow.
    fn rebase(&mut self) {
        let base = self.values[0];
        self.values.iter_mut().for_each(|value| *value -= base);
    }
}

/// Sum of products, in eight strands that are added at the end: a processor does them side by side,
/// and the order is always the same.
#[inline]
pub(super) fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut strands = [0.0; 8];
    let (left, left_rest) = left.as_chunks::<8>();
    let (right, right_rest) = right.as_chunks::<8>();
    for (left, right) in left.iter().zip(right) {
        for strand in 0..8 {
            strands[strand] += left[strand] * right[strand];
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    strands.iter().sum::<f64>() + rest
}
