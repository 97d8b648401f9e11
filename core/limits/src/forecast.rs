//! When a budget will be used up, if things go on as they did.
//!
//! For: a straight line through what whole days cost, and saying so when there is too little to draw one. Not
//! for: seasons, or anything that a person would not reckon on paper.

use callboard_telemetry::usage::MicroDollars;

use crate::calendar::DAY_MS;

/// Fewer whole days than these say nothing.
pub const LEAST_DAYS: usize = 3;

/// A budget in its window, and what went before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course<'a> {
    /// How much may be spent.
    pub amount: MicroDollars,
    /// How much of it is gone.
    pub spent: MicroDollars,
    /// When the window ends, ms since 1970 UTC; `i64::MAX` where it does not.
    pub ends_at: i64,
    /// What each of the last whole days cost, oldest first, days without a call included. Days before the first
    /// that cost anything are not counted: the work had not begun.
    pub daily: &'a [MicroDollars],
}

/// What is to be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// There are too few whole days to say.
    TooLittle {
        /// How many there are.
        days: usize,
        /// How many it takes.
        needed: usize,
    },
    /// It is used up already.
    Over,
    /// It will be used up before its window ends.
    Overrun {
        /// When, ms since 1970 UTC.
        at: i64,
        /// What a day costs.
        daily: MicroDollars,
        /// What will have been spent at the window's end, if nothing stopped it; `None` where it has no end.
        total: Option<MicroDollars>,
    },
    /// It will last to the end of its window.
    Within {
        /// What a day costs.
        daily: MicroDollars,
        /// What will have been spent at the window's end; `None` where it has no end.
        total: Option<MicroDollars>,
    },
}

/// What is to be expected of a budget at `now`.
#[must_use]
pub fn forecast(now: i64, course: &Course<'_>) -> Forecast {
    let left = i128::from(course.amount.0) - i128::from(course.spent.0);
    if left <= 0 {
        return Forecast::Over;
    }
    let idle = course.daily.iter().take_while(|day| day.0 <= 0).count();
    let days = &course.daily[idle..];
    if days.len() < LEAST_DAYS {
        return Forecast::TooLittle {
            days: days.len(),
            needed: LEAST_DAYS,
        };
    }
    let sum: i128 = days.iter().map(|day| i128::from(day.0)).sum();
    let count = i128::try_from(days.len()).unwrap_or(i128::MAX);
    let daily = amount(sum / count);
    let total = (course.ends_at != i64::MAX).then(|| {
        let ahead = i128::from(course.ends_at.saturating_sub(now).max(0));
        amount(i128::from(course.spent.0) + sum * ahead / (count * i128::from(DAY_MS)))
    });
    // The whole days have cost something, or they would all have been idle.
    let lasts = left * count * i128::from(DAY_MS) / sum.max(1);
    let at = i64::try_from(i128::from(now) + lasts).unwrap_or(i64::MAX);
    if at < course.ends_at {
        Forecast::Overrun { at, daily, total }
    } else {
        Forecast::Within { daily, total }
    }
}

fn amount(micro: i128) -> MicroDollars {
    MicroDollars(i64::try_from(micro).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_262_410_000;

    fn ask(amount: i64, spent: i64, days_left: i64, daily: &[i64]) -> Forecast {
        let daily: Vec<MicroDollars> = daily.iter().copied().map(MicroDollars).collect();
        let course = Course {
            amount: MicroDollars(amount),
            spent: MicroDollars(spent),
            ends_at: if days_left < 0 {
                i64::MAX
            } else {
                NOW + days_left * DAY_MS
            },
            daily: &daily,
        };
        forecast(NOW, &course)
    }

    #[test]
    fn a_budget_lasts_as_long_as_days_cost_what_they_did() {
        // 10 a day; 40 are left: four days, and ten more days would come to 160.
        assert_eq!(
            ask(100, 60, 10, &[5, 10, 15]),
            Forecast::Overrun {
                at: NOW + 4 * DAY_MS,
                daily: MicroDollars(10),
                total: Some(MicroDollars(160)),
            }
        );
        // In three days 90 will be gone.
        assert_eq!(
            ask(100, 60, 3, &[5, 10, 15]),
            Forecast::Within {
                daily: MicroDollars(10),
                total: Some(MicroDollars(90)),
            }
        );
        // It lasts exactly to the end.
        assert!(matches!(
            ask(100, 60, 4, &[5, 10, 15]),
            Forecast::Within { .. }
        ));
        // Without an end it is used up some day.
        assert_eq!(
            ask(100, 60, -1, &[10, 0, 0, 0]),
            Forecast::Overrun {
                at: NOW + 16 * DAY_MS,
                daily: MicroDollars(2),
                total: None,
            }
        );
    }

    #[test]
    fn parts_of_days_are_not_lost() {
        // A third of a day each: 1 in three days; 2 are left, so six days.
        assert_eq!(
            ask(2, 0, 60, &[1, 0, 0]),
            Forecast::Overrun {
                at: NOW + 6 * DAY_MS,
                daily: MicroDollars(0),
                total: Some(MicroDollars(20)),
            }
        );
    }

    #[test]
    fn too_few_days_say_nothing() {
        for (daily, days) in [
            (&[][..], 0),
            (&[10, 10], 2),
            (&[0, 0, 0, 0, 0], 0),
            (&[0, 0, 0, 10, 10], 2),
        ] {
            assert_eq!(
                ask(100, 60, 10, daily),
                Forecast::TooLittle { days, needed: 3 }
            );
        }
        // Idle days after the work began count.
        assert!(matches!(
            ask(100, 60, 10, &[0, 10, 0, 0]),
            Forecast::Overrun { .. } | Forecast::Within { .. }
        ));
    }

    #[test]
    fn what_is_used_up_needs_no_forecast() {
        assert_eq!(ask(100, 100, 10, &[]), Forecast::Over);
        assert_eq!(ask(100, 130, 10, &[1, 2, 3]), Forecast::Over);
    }

    #[test]
    fn amounts_at_the_end_of_the_range_do_not_overflow() {
        let far = ask(i64::MAX, 0, -1, &[1, 1, 1]);
        assert!(
            matches!(far, Forecast::Within { total: None, .. }),
            "{far:?}"
        );
        let fast = ask(1, 0, 1_000_000, &[i64::MAX; 3]);
        assert_eq!(
            fast,
            Forecast::Overrun {
                at: NOW,
                daily: MicroDollars(i64::MAX),
                total: Some(MicroDollars(i64::MAX))
            }
        );
    }
}
