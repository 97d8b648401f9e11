use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::str::FromStr;

/// An amount of money in cents, so that sums are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub i64);

impl FromStr for Money {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("`{text}` is no amount: write it like 12.50"))
    }
}

fn parse(text: &str) -> Option<Money> {
    let (whole, cents) = text.split_once('.').unwrap_or((text, "00"));
    if cents.len() != 2 {
        return None;
    }
    let cents = digits(whole)?.checked_mul(100)?.checked_add(digits(cents)?);
    cents.map(Money)
}

/// Digits and nothing else: `parse` alone would take a sign.
fn digits(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", cents / 100, cents % 100))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Self::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_amounts_and_cents() {
        assert_eq!("12.50".parse(), Ok(Money(1250)));
        assert_eq!("12".parse(), Ok(Money(1200)));
        assert_eq!("0.05".parse(), Ok(Money(5)));
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for wrong in ["", ".", "twelve", "1.234", "12.", "+5", "99999999999999999999"] {
            assert!(wrong.parse::<Money>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn writes_cents_always() {
        assert_eq!(Money(5).to_string(), "0.05");
        assert_eq!(Money(-50).to_string(), "-0.50");
        assert_eq!(format!("{:>8}", Money(123456)), " 1234.56");
    }

    #[test]
    fn sums_are_exact() {
        let total: Money = [Money(10), Money(20)].into_iter().sum();
        assert_eq!(total - Money(5), Money(25));
    }
}
