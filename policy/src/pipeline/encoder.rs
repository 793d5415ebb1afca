//! What a network sees of an application and of what it meets.
//!
//! Everything that is drawn comes to about -1 to 1, by the logarithm where it is drawn by it: the times
//! of an application are products and quotients of these numbers, sums of their logarithms. The
//! logarithm is the one that the bits of a number hold, linear between powers of two: the same on
//! every host, and done in a nanosecond.

use fogbit_scenario::pipeline::{
    Application, ApplicationSource, ConditionDraws, Conditions, SiteSet,
};
use fogbit_scenario::topology::Range;
use serde::{Deserialize, Serialize};

/// The most sub-tasks that a network is made for.
const MOST_SUB_TASKS: u32 = 256;
/// No end of a range is larger, in whatever unit: cycles, bytes and nanoseconds are numbers of 64 bits.
const LARGEST: f64 = 1.8e13;
/// Nothing is farther out than this, whatever it is: what lies outside of its range is seen, but does
/// not drown the rest.
const FARTHEST: f64 = 2.0;

/// What goes into a network, and the ranges that are brought to one scale. A sub-task is seen by its
/// number, a site by its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// The most sub-tasks of an application.
    pub sub_tasks: u32,
    /// How many sites there are.
    pub sites: u32,
    /// Whether some sub-tasks may not run everywhere: where they may is seen then.
    pub restricted: bool,
    /// What others leave of each site, in thousand million cycles a second: from, to.
    pub ghz: Vec<[f64; 2]>,
    /// How long each site is busy, in milliseconds.
    pub busy_ms: Vec<[f64; 2]>,
    /// Mbit a second between each two sites: 0-1, 0-2, ..., 1-2, ...
    pub mbit_s: Vec<[f64; 2]>,
    /// Round-trip times between them, in milliseconds.
    pub rtt_ms: Vec<[f64; 2]>,
    /// CPU cycles of a sub-task.
    pub cycles: [f64; 2],
    /// Bytes of a flow.
    pub bytes: [f64; 2],
}

impl Encoding {
    /// That of networks for applications of `source` under conditions that are drawn from
    /// `conditions`.
    pub fn of(source: &ApplicationSource, conditions: &ConditionDraws) -> Encoding {
        let sites = conditions.sites.len();
        let pair = |range: Range| [range.min, range.max];
        let link = |(first, second): (usize, usize)| {
            let between = [first as u32, second as u32];
            let found = conditions.ways.iter().find(|own| own.between == between);
            found.expect("a link between each two sites")
        };
        let left = |load: f64, ghz: f64| ghz * (1.0 - load);
        let ghz = |site: &fogbit_scenario::pipeline::SiteDraws| {
            [left(site.load.max, site.frequency_ghz), left(site.load.min, site.frequency_ghz)]
        };
        let (cycles, bytes, restricted) = match source {
            ApplicationSource::Drawn(draws) => (pair(draws.cycles), pair(draws.bytes), false),
            ApplicationSource::Given(all) => given(all, sites),
        };
        Encoding {
            sub_tasks: source.most_sub_tasks() as u32,
            sites: sites as u32,
            restricted,
            ghz: conditions.sites.iter().map(ghz).collect(),
            busy_ms: conditions.sites.iter().map(|own| pair(own.busy_ms)).collect(),
            mbit_s: pairs(sites).map(|ends| pair(link(ends).mbit_s)).collect(),
            rtt_ms: pairs(sites).map(|ends| pair(link(ends).rtt_ms)).collect(),
            cycles,
            bytes,
        }
    }

    /// Values that go into a network: of each site what is left of it and how long it is busy, of each
    /// two sites rate and round-trip time; cycles of each sub-task, its input, its output; what flows
    /// from each sub-task to each later one; and where the sub-tasks may not run, if some are restricted.
    pub fn inputs(&self) -> usize {
        let (most, sites) = (self.sub_tasks as usize, self.sites as usize);
        let closed = if self.restricted { most * sites } else { 0 };
        2 * sites + sites * (sites - 1) + 3 * most + most * (most - 1) / 2 + closed
    }

    /// Values that come out: for each sub-task one for each site.
    pub fn outputs(&self) -> usize {
        self.sub_tasks as usize * self.sites as usize
    }

    /// Whether sizes and ranges can be.
    ///
    /// # Errors
    /// What cannot be.
    pub(super) fn check(&self) -> Result<(), String> {
        let sites = self.sites as usize;
        if !(1..=MOST_SUB_TASKS).contains(&self.sub_tasks) {
            return Err(format!("{} sub-tasks, expected 1 to {MOST_SUB_TASKS}", self.sub_tasks));
        }
        if !(1..=SiteSet::MOST).contains(&sites) {
            return Err(format!("{sites} sites, expected 1 to {}", SiteSet::MOST));
        }
        let links = sites * (sites - 1) / 2;
        for (name, ranges, count, least) in [
            ("ghz", &self.ghz[..], sites, f64::MIN_POSITIVE),
            ("busy_ms", &self.busy_ms, sites, 0.0),
            ("mbit_s", &self.mbit_s, links, f64::MIN_POSITIVE),
            ("rtt_ms", &self.rtt_ms, links, 0.0),
            ("cycles", &[self.cycles], 1, 1.0),
            ("bytes", &[self.bytes], 1, 0.0),
        ] {
            if ranges.len() != count {
                return Err(format!("{name} has {} ranges, expected {count}", ranges.len()));
            }
            for [low, high] in ranges {
                if !(*low >= least && low <= high && *high <= LARGEST) {
                    return Err(format!("{name} from {low} to {high} is no range"));
                }
            }
        }
        Ok(())
    }
}

/// The ranges of what is given, and whether some sub-task may not run everywhere.
fn given(all: &[Application], sites: usize) -> ([f64; 2], [f64; 2], bool) {
    let range = |values: &mut dyn Iterator<Item = u64>| {
        let values: Vec<u64> = values.collect();
        let low = values.iter().min().copied().unwrap_or(0);
        let high = values.iter().max().copied().unwrap_or(0);
        [low as f64, high as f64]
    };
    let sub_tasks = || all.iter().flat_map(Application::sub_tasks);
    let bytes = range(&mut all.iter().flat_map(Application::flows).map(|flow| flow.bytes));
    let restricted = sub_tasks().any(|own| own.sites != SiteSet::all(sites));
    (range(&mut sub_tasks().map(|own| own.cycles)), bytes, restricted)
}

/// Each two of `sites` sites.
fn pairs(sites: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..sites).flat_map(move |first| (first + 1..sites).map(move |second| (first, second)))
}

/// Brings a number to a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    factor: f64,
    offset: f64,
}

impl Scale {
    /// From `low` to `high` it is from -1 to 1; 0 where both are one.
    fn new([low, high]: [f64; 2]) -> Scale {
        match high > low {
            true => Scale { factor: 2.0 / (high - low), offset: -(high + low) / (high - low) },
            false => Scale { factor: 0.0, offset: 0.0 },
        }
    }

    /// The same of what [`log2`] says.
    fn logarithmic([low, high]: [f64; 2]) -> Scale {
        Scale::new([log2(low), log2(high)])
    }

    #[inline]
    fn of(self, value: f64) -> f64 {
        (value * self.factor + self.offset).clamp(-FARTHEST, FARTHEST)
    }
}

/// From 1/4 to 1 what is from -1 to 1: 0 is what is not there.
#[inline]
fn present(value: f64) -> f32 {
    (0.625 + 0.375 * value) as f32
}

/// Exponent and mantissa of a number above 0 as one: the logarithm to the base 2 at its powers, linear
/// between them. That of 0 is finite: far below that of anything that is measured.
#[inline]
fn log2(value: f64) -> f64 {
    const MANTISSA: u32 = f64::MANTISSA_DIGITS - 1;
    let places = (value.max(f64::MIN_POSITIVE).to_bits() as i64) - (1023 << MANTISSA);
    places as f64 * (1.0 / (1u64 << MANTISSA) as f64)
}

/// Writes rows of an [`Encoding`].
#[derive(Debug, Clone, PartialEq)]
pub struct Encoder {
    sub_tasks: usize,
    sites: usize,
    restricted: bool,
    inputs: usize,
    /// Of the gigahertz of each site.
    speed: Vec<Scale>,
    /// Of the nanoseconds that each site is busy.
    busy: Vec<Scale>,
    /// Each two sites, and the scales of bits a second and of one-way nanoseconds between them.
    ways: Vec<((usize, usize), [Scale; 2])>,
    cycles: Scale,
    bytes: Scale,
}

impl Encoder {
    /// For rows of `encoding`.
    pub fn new(encoding: &Encoding) -> Encoder {
        let times = |[low, high]: [f64; 2], factor: f64| [low * factor, high * factor];
        let scales = encoding.mbit_s.iter().zip(&encoding.rtt_ms).map(|(rate, rtt)| {
            [Scale::logarithmic(times(*rate, 1e6)), Scale::logarithmic(times(*rtt, 0.5e6))]
        });
        Encoder {
            sub_tasks: encoding.sub_tasks as usize,
            sites: encoding.sites as usize,
            restricted: encoding.restricted,
            inputs: encoding.inputs(),
            speed: encoding.ghz.iter().map(|own| Scale::logarithmic(*own)).collect(),
            busy: encoding.busy_ms.iter().map(|own| Scale::new(times(*own, 1e6))).collect(),
            ways: pairs(encoding.sites as usize).zip(scales).collect(),
            cycles: Scale::logarithmic(encoding.cycles),
            bytes: Scale::logarithmic(encoding.bytes),
        }
    }

    /// Writes into `row` what there is to see: what was there is gone. Sub-tasks beyond the most that
    /// there can be, and sites beyond those there are, are not seen.
    pub fn encode(&self, application: &Application, conditions: &Conditions, row: &mut Vec<f32>) {
        row.clear();
        let sites = &conditions.sites()[..self.sites.min(conditions.sites().len())];
        for (site, (speed, busy)) in sites.iter().zip(self.speed.iter().zip(&self.busy)) {
            row.push(speed.of(log2(site.compute.effective_ghz())) as f32);
            row.push(busy.of(site.busy_ns as f64) as f32);
        }
        for ((first, second), [rate, delay]) in &self.ways {
            if *second >= sites.len() {
                continue;
            }
            let way = conditions.way(*first, *second);
            row.push(rate.of(log2(way.rate_bits_s as f64)) as f32);
            row.push(delay.of(log2(way.delay_ns as f64)) as f32);
        }
        let most = self.sub_tasks;
        let base = self.sites * (self.sites + 1);
        row.resize(self.inputs, 0.0);
        let (cycles, flows) = row[base..].split_at_mut(most);
        for (place, own) in cycles.iter_mut().zip(application.sub_tasks()) {
            *place = present(self.cycles.of(log2(own.cycles as f64)));
        }
        for flow in application.flows() {
            let place = match (flow.from, flow.to) {
                (None, Some(to)) => to as usize,
                (Some(from), None) => most + from as usize,
                (Some(from), Some(to)) => {
                    2 * most + to as usize * (to as usize - 1) / 2 + from as usize
                }
                (None, None) => continue,
            };
            let last = flow.to.max(flow.from).map_or(0, |last| last as usize);
            if last < most {
                flows[place] = present(self.bytes.of(log2(flow.bytes as f64)));
            }
        }
        if self.restricted {
            let closed = &mut flows[2 * most + most * (most - 1) / 2..];
            for (places, own) in closed.chunks_exact_mut(self.sites).zip(application.sub_tasks()) {
                for (site, place) in places.iter_mut().enumerate() {
                    *place = if own.sites.has(site) { 0.0 } else { 1.0 };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_exact_at_powers_of_two_and_never_far_off() {
        for power in [-30, -1, 0, 1, 20, 40] {
            assert_eq!(log2(libm::exp2(f64::from(power))), f64::from(power));
        }
        let mut before = f64::NEG_INFINITY;
        for step in 0..10_000 {
            let value = libm::exp(f64::from(step) * 0.003);
            let found = log2(value);
            assert!(found > before, "it only grows");
            // The largest distance of a chord between powers of two: 0.0861.
            assert!((found - libm::log2(value)).abs() < 0.0861, "{value}: {found}");
            before = found;
        }
        assert!(log2(0.0).is_finite());
    }

    #[test]
    fn a_range_comes_to_one_scale() {
        let scale = Scale::new([100.0, 300.0]);
        assert_eq!([100.0, 200.0, 300.0].map(|value| scale.of(value)), [-1.0, 0.0, 1.0]);
        assert_eq!(scale.of(1e9), FARTHEST);
        assert_eq!(Scale::new([5.0, 5.0]).of(7.0), 0.0);
        assert_eq!([-1.0, 1.0].map(present), [0.25, 1.0]);
    }
}
