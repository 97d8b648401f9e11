//! Points in time as people read them. For: tables. Not for: clocks or time zones; everything is UTC.

/// `2026-11-21 15:40 UTC`.
pub(crate) fn utc(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000);
    let (day, minute) = (minutes.div_euclid(24 * 60), minutes.rem_euclid(24 * 60));
    let (year, month, date) = civil(day);
    format!(
        "{year:04}-{month:02}-{date:02} {:02}:{:02} UTC",
        minute / 60,
        minute % 60
    )
}

/// The date of a day counted from 1970-01-01, by eras of 400 years that begin in March.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        // date -u -d @… +'%F %R'
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_200, "2024-03-01 00:00 UTC"),
            (1_790_000_000, "2026-09-21 14:13 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
        ] {
            assert_eq!(utc(seconds * 1_000), text);
        }
    }
}
