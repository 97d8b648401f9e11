//! Days and hours as people write them.
//! For: ISO 8601 from a number of days or hours since 1970. Not for: time zones.

/// `2026-11-21`, from days since 1970.
pub(super) fn day(days: i64) -> String {
    // Days to a civil date (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-21T14`, from hours since 1970.
pub(super) fn hour(hours: i64) -> String {
    format!("{}T{:02}", day(hours.div_euclid(24)), hours.rem_euclid(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_782, "2024-02-29"),
            (20_778, "2026-11-21"),
        ] {
            assert_eq!(day(days), expected);
        }
        assert_eq!(hour(20_778 * 24 + 14), "2026-11-21T14");
    }
}
