//! Numbers of tokens, exactly: a floor of a binary fraction would be off by one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of tokens as it is written: `4`, `0.1`, or a fraction such as `"1/3"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tokens {
    /// A decimal number, taken as it is written: 0.1 is one tenth.
    Number(f64),
    /// Two whole numbers with a `/` between.
    Fraction(String),
}

/// A number above 0 as two whole numbers without a common divisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// The number above the line.
    pub over: u64,
    /// The number below it, at least 1.
    pub under: u64,
}

impl Ratio {
    /// `over / under` in lowest terms; none if either is 0.
    pub fn new(over: u64, under: u64) -> Option<Ratio> {
        let divisor = gcd(over, under);
        (over > 0 && under > 0).then(|| Ratio { over: over / divisor, under: under / divisor })
    }

    /// The nearest floating-point number.
    pub fn value(self) -> f64 {
        self.over as f64 / self.under as f64
    }
}

/// The greatest common divisor; of 0 and a number, that number.
pub(crate) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Tokens {
    /// The number, if it is above 0 and has at most nine digits on either side.
    pub fn exact(&self) -> Option<Ratio> {
        match self {
            // The shortest decimal that reads back to the same number is what was written.
            Tokens::Number(number) if number.is_finite() => decimal(&number.to_string()),
            Tokens::Number(_) => None,
            Tokens::Fraction(text) => match text.split_once('/') {
                Some((over, under)) => Ratio::new(whole(over.trim())?, whole(under.trim())?),
                None => decimal(text.trim()),
            },
        }
    }
}

impl std::fmt::Display for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Tokens::Number(number) => write!(f, "{number}"),
            Tokens::Fraction(text) => write!(f, "\"{text}\""),
        }
    }
}

const MOST_DIGITS: usize = 9;

fn whole(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain && digits.len() <= MOST_DIGITS { digits.parse().ok() } else { None }
}

fn decimal(text: &str) -> Option<Ratio> {
    let (before, after) = text.split_once('.').unwrap_or((text, ""));
    let after_digits = if after.is_empty() { 0 } else { whole(after)? };
    let scale = 10u64.pow(u32::try_from(after.len()).ok()?);
    Ratio::new(whole(before)? * scale + after_digits, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_what_is_written() {
        let of = |number: f64| Tokens::Number(number).exact().map(|r| (r.over, r.under));
        assert_eq!(of(0.1), Some((1, 10)));
        assert_eq!(of(0.05), Some((1, 20)));
        assert_eq!(of(0.25), Some((1, 4)));
        assert_eq!(of(4.0), Some((4, 1)));
        assert_eq!(of(1.5), Some((3, 2)));
        for bad in [0.0, -0.1, f64::NAN, f64::INFINITY, 1e-12, 1e12] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn fractions_are_exact() {
        let of = |text: &str| Tokens::Fraction(text.into()).exact().map(|r| (r.over, r.under));
        assert_eq!(of("1/3"), Some((1, 3)));
        assert_eq!(of(" 4 / 6 "), Some((2, 3)));
        assert_eq!(of("0.1"), Some((1, 10)));
        for bad in ["", "/", "1/0", "0/3", "-1/3", "1/3/5", "a", "+1/2", "12345678901/2"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
