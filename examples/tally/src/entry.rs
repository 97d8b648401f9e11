use crate::date::Date;
use crate::money::Money;
use std::str::FromStr;

/// One expense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub date: Date,
    pub category: String,
    pub amount: Money,
    /// Empty when the line has none.
    pub note: String,
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let mut next = |what: &str| words.next().ok_or(format!("{what} is missing"));
        Ok(Self {
            date: next("the date")?.parse()?,
            category: next("the category")?.to_owned(),
            amount: next("the amount")?.parse()?,
            note: words.collect::<Vec<_>>().join(" "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line() {
        let entry: Entry = "2026-03-05  groceries   12.15  bakery, and  coffee".parse().unwrap();
        assert_eq!(entry.category, "groceries");
        assert_eq!(entry.amount, Money(1215));
        assert_eq!(entry.note, "bakery, and coffee");
    }

    #[test]
    fn says_what_is_missing() {
        let error = |line: &str| line.parse::<Entry>().unwrap_err();
        assert_eq!(error("2026-03-05"), "the category is missing");
        assert_eq!(error("2026-03-05 books"), "the amount is missing");
        assert!(error("yesterday books 3.00").contains("is no date"));
    }
}
