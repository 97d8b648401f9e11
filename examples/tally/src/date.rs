use std::fmt;
use std::str::FromStr;

/// A day, written `2026-03-02`. Earlier days are smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("`{text}` is no date: write it like 2026-03-02"))
    }
}

fn parse(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let date = Date {
        year: number(parts.next()?, 4)?,
        month: u8::try_from(number(parts.next()?, 2)?).ok()?,
        day: u8::try_from(number(parts.next()?, 2)?).ok()?,
    };
    let real = (1..=12).contains(&date.month) && (1..=days_in(&date)).contains(&date.day);
    real.then_some(date)
}

fn number(text: &str, digits: usize) -> Option<u16> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn days_in(date: &Date) -> u8 {
    let leap = date.year.is_multiple_of(4)
        && (!date.year.is_multiple_of(100) || date.year.is_multiple_of(400));
    match date.month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let date: Date = "2026-03-02".parse().unwrap();
        assert_eq!((date.year, date.month, date.day), (2026, 3, 2));
        assert_eq!(date.to_string(), "2026-03-02");
    }

    #[test]
    fn knows_the_calendar() {
        assert!("2024-02-29".parse::<Date>().is_ok());
        for wrong in
            ["2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-3-2", "02-03-2026"]
        {
            assert!(wrong.parse::<Date>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn earlier_is_smaller() {
        let [a, b]: [Date; 2] = ["2025-12-31", "2026-01-01"].map(|text| text.parse().unwrap());
        assert!(a < b);
    }
}
