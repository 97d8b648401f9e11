//! Days, weeks and months on a wall clock that is a fixed number of minutes away from UTC.
//!
//! For: where a window of time begins and ends. Not for: time zones with rules; the caller passes the offset.

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, by counting eras of 400 years.
pub fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (i64::from(month) + 9) % 12;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year and month of a day counted from 1970-01-01.
fn month_of(days: i64) -> (i64, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u8::try_from(month).unwrap_or(1))
}

/// The minute that `at` lies in, as [start, end) in ms UTC.
pub fn minute(at: i64) -> (i64, i64) {
    let start = at.div_euclid(MINUTE_MS) * MINUTE_MS;
    (start, start + MINUTE_MS)
}

/// The day that `at` lies in, on a clock `offset_min` minutes ahead of UTC.
pub fn day(at: i64, offset_min: i32) -> (i64, i64) {
    let start = from_local(local_day(at, offset_min), offset_min);
    (start, start + DAY_MS)
}

/// The week, from Monday on (ISO 8601).
pub fn week(at: i64, offset_min: i32) -> (i64, i64) {
    let day = local_day(at, offset_min);
    // 1970-01-01 was a Thursday.
    let monday = day - (day + 3).rem_euclid(7);
    let start = from_local(monday, offset_min);
    (start, start + 7 * DAY_MS)
}

/// The month.
pub fn month(at: i64, offset_min: i32) -> (i64, i64) {
    let (year, month) = month_of(local_day(at, offset_min));
    let (next_year, next) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    (
        from_local(days_from_civil(year, month, 1), offset_min),
        from_local(days_from_civil(next_year, next, 1), offset_min),
    )
}

fn local_day(at: i64, offset_min: i32) -> i64 {
    (at + i64::from(offset_min) * MINUTE_MS).div_euclid(DAY_MS)
}

fn from_local(day: i64, offset_min: i32) -> i64 {
    day * DAY_MS - i64::from(offset_min) * MINUTE_MS
}

/// How many days a month has.
pub fn month_length(year: i64, month: u8) -> u8 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(year: i64, month: u8, day: u8) -> i64 {
        days_from_civil(year, month, day) * DAY_MS
    }

    #[test]
    fn dates_are_counted_from_1970() {
        for (year, month, day, days) in [
            (1970, 1, 1, 0),
            (1969, 12, 31, -1),
            (2000, 2, 29, 11_016),
            (2000, 3, 1, 11_017),
            (2026, 11, 21, 20_778),
        ] {
            assert_eq!(
                days_from_civil(year, month, day),
                days,
                "{year}-{month}-{day}"
            );
        }
    }

    #[test]
    fn every_day_of_four_centuries_is_in_its_month() {
        let mut days = days_from_civil(1800, 1, 1);
        for year in 1800..2200 {
            for month in 1..=12 {
                for _ in 0..month_length(year, month) {
                    assert_eq!(month_of(days), (year, month));
                    days += 1;
                }
            }
        }
        assert_eq!(days, days_from_civil(2200, 1, 1));
    }

    #[test]
    fn windows_hold_their_time_and_follow_the_wall_clock() {
        // Saturday 2026-11-21, 23:30 UTC.
        let at = utc(2026, 11, 21) + DAY_MS - 30 * MINUTE_MS;
        assert_eq!(minute(at + 61_000), (at + 60_000, at + 120_000));
        assert_eq!(day(at, 0), (utc(2026, 11, 21), utc(2026, 11, 22)));
        // An hour further east it is Sunday already.
        let hour = 60 * MINUTE_MS;
        assert_eq!(
            day(at, 60),
            (utc(2026, 11, 22) - hour, utc(2026, 11, 23) - hour)
        );
        assert_eq!(week(at, 0), (utc(2026, 11, 16), utc(2026, 11, 23)));
        assert_eq!(month(at, 0), (utc(2026, 11, 1), utc(2026, 12, 1)));
        let new_year = utc(2027, 1, 1) - 1;
        assert_eq!(month(new_year, 0), (utc(2026, 12, 1), utc(2027, 1, 1)));
        assert_eq!(month(new_year, 60).1, utc(2027, 2, 1) - hour);
    }

    #[test]
    fn a_week_begins_on_monday() {
        let monday = utc(2026, 11, 16);
        assert_eq!(week(monday, 0).0, monday);
        assert_eq!(week(monday - 1, 0).1, monday);
    }
}
