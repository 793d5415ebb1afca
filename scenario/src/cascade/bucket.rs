//! The token bucket, in integers.

use serde::{Deserialize, Serialize};

use crate::topology::Ratio;

/// A token bucket of rate `r = N/P` tokens a slot and depth `b = M/P` (the paper, eq. 2). A
/// **level** counts P-ths of a token, from 0 to M.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenBucket {
    /// N: what comes in each slot, in levels.
    pub refill: u32,
    /// P: levels of one token, the price of sending an image.
    pub price: u32,
    /// M: the highest level.
    pub depth: u32,
}

impl TokenBucket {
    /// The bucket of this rate and depth; P is the least common multiple of the numbers below their
    /// lines. None if the levels are more than `most`.
    pub fn new(rate: Ratio, depth: Ratio, most: u32) -> Option<TokenBucket> {
        let price = (rate.under / crate::topology::gcd(rate.under, depth.under))
            .checked_mul(depth.under)?;
        let scaled = |ratio: Ratio| {
            let levels = ratio.over.checked_mul(price / ratio.under)?;
            u32::try_from(levels).ok().filter(|levels| *levels <= most)
        };
        let price_u32 = u32::try_from(price).ok().filter(|price| *price <= most)?;
        Some(TokenBucket { refill: scaled(rate)?, price: price_u32, depth: scaled(depth)? })
    }

    /// The level of the full bucket.
    #[inline]
    pub fn full(&self) -> u32 {
        self.depth
    }

    /// Whether an image can be sent.
    #[inline]
    pub fn affords(&self, level: u32) -> bool {
        level >= self.price
    }

    /// The level `gap` slots later, if an image was `sent` at `level`; the second number is what
    /// came and found the bucket full, in levels.
    ///
    /// `n[t+1] = min(M, n[t] - P a[t] + N)` of the paper, `gap` times.
    #[inline]
    pub fn later(&self, level: u32, sent: bool, gap: u32) -> (u32, u64) {
        let kept = level - if sent { self.price } else { 0 };
        let sum = u64::from(kept) + u64::from(self.refill) * u64::from(gap);
        let level = sum.min(u64::from(self.depth));
        (level as u32, sum - level)
    }

    /// Tokens a slot.
    pub fn rate(&self) -> f64 {
        f64::from(self.refill) / f64::from(self.price)
    }

    /// A level in tokens.
    pub fn tokens(&self, level: u64) -> f64 {
        level as f64 / f64::from(self.price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Tokens;

    fn bucket(rate: f64, depth: f64) -> TokenBucket {
        let exact = |number| Tokens::Number(number).exact().unwrap();
        TokenBucket::new(exact(rate), exact(depth), 1_000_000).unwrap()
    }

    /// The paper's settings, as `cascade.md` lists them.
    #[test]
    fn integers_of_the_paper() {
        let of = |rate, depth| {
            let TokenBucket { refill, price, depth } = bucket(rate, depth);
            (refill, price, depth)
        };
        assert_eq!(of(0.1, 4.0), (1, 10, 40));
        assert_eq!(of(0.05, 4.0), (1, 20, 80));
        assert_eq!(of(0.25, 4.0), (1, 4, 16));
        assert_eq!(of(0.1, 1.5), (1, 10, 15));
        assert_eq!(of(1.0, 1.0), (1, 1, 1));
    }

    #[test]
    fn later_is_slot_by_slot() {
        let bucket = bucket(0.3, 2.0);
        for level in 0..=bucket.full() {
            for sent in [false, true] {
                if sent && !bucket.affords(level) {
                    continue;
                }
                for gap in 1..9 {
                    let (mut now, mut lost) = (level - if sent { bucket.price } else { 0 }, 0);
                    for _ in 0..gap {
                        lost += u64::from((now + bucket.refill).saturating_sub(bucket.depth));
                        now = (now + bucket.refill).min(bucket.depth);
                    }
                    assert_eq!(bucket.later(level, sent, gap), (now, lost));
                }
            }
        }
    }
}
