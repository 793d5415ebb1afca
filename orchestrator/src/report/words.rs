//! What a paired difference says, in words: the same in reports and on terminals.

use super::markup::grouped;
use crate::results::summary::{Pair, Reading};
use crate::stats::MOST_SEEDS;

/// A reading in a word or two.
pub(crate) fn reading(reading: Reading) -> &'static str {
    match reading {
        Reading::OneSeed => "one seed",
        Reading::Same => "the same",
        Reading::Better => "better",
        Reading::Worse => "worse",
        Reading::Open => "open",
    }
}

/// How many seeds would decide what is open: `about 140`, rounded up to two digits. None where
/// nothing is open, and for results of earlier versions, which do not know.
pub(crate) fn seeds_wanted(pair: &Pair) -> Option<String> {
    // Earlier versions did not tell the deviation either.
    pair.sd.filter(|_| pair.reading() == Reading::Open)?;
    Some(match pair.seeds_needed {
        Some(n) => format!("about {}", grouped(rounded_up(n))),
        None => format!("more than {}", grouped(MOST_SEEDS)),
    })
}

/// The least number that is no less than `n` and has two digits followed by zeros.
fn rounded_up(n: u64) -> u64 {
    let unit = (0..).map(|power| 10u64.pow(power)).find(|unit| n / unit < 100).unwrap_or(1);
    n.div_ceil(unit) * unit
}

#[cfg(test)]
mod tests {
    use fogbit_scenario::topology::Metric;

    use super::*;
    use crate::stats::compare_pairs;

    fn pair(differences: &[f64]) -> Pair {
        let values: Vec<_> = (1..).zip(differences).map(|(seed, d)| (seed, *d, 0.0)).collect();
        Pair::new(("a", "b"), Metric::Reward, 10, &compare_pairs(&values, true).unwrap())
    }

    #[test]
    fn numbers_of_seeds_are_round() {
        for (n, round) in [(3, 3), (99, 99), (100, 100), (131, 140), (1_001, 1_100)] {
            assert_eq!(rounded_up(n), round, "{n}");
        }
    }

    /// By hand: mean 0.25, sd 0.714, so that 34 are needed (SciPy).
    #[test]
    fn open_questions_want_seeds() {
        let open = pair(&[1.0, -0.5, 0.7, -0.2]);
        assert_eq!(seeds_wanted(&open).as_deref(), Some("about 34"));
        assert_eq!(seeds_wanted(&pair(&[1.0, -1.0])).as_deref(), Some("more than 1,000,000"));
        assert_eq!(seeds_wanted(&pair(&[1.0, 1.1, 0.9])), None);
        assert_eq!(seeds_wanted(&pair(&[0.0, 0.0])), None);
        assert_eq!(seeds_wanted(&Pair { sd: None, ..open }), None);
    }
}
