use crate::entry::Entry;
use crate::money::Money;
use std::str::FromStr;

/// Everything a journal says, in the order it says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    pub entries: Vec<Entry>,
}

impl Journal {
    /// The sum of all expenses.
    pub fn total(&self) -> Money {
        self.entries.iter().map(|entry| entry.amount).sum()
    }
}

impl FromStr for Journal {
    type Err = String;

    /// The error names the line.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut journal = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            journal.read(line.trim()).map_err(|why| format!("line {number}: {why}"))?;
        }
        Ok(journal)
    }
}

impl Journal {
    fn read(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        self.entries.push(line.parse()?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_what_is_no_expense() {
        let journal: Journal = "# March\n\n2026-03-02 books 3.00\n".parse().unwrap();
        assert_eq!(journal.entries.len(), 1);
    }

    #[test]
    fn adds_up() {
        let journal: Journal = "2026-03-02 books 3.10\n2026-03-03 tea 2.95\n".parse().unwrap();
        assert_eq!(journal.total(), Money(605));
        assert_eq!(Journal::default().total(), Money(0));
    }

    #[test]
    fn names_the_line_of_a_mistake() {
        let error = "\n2026-03-02 books\n".parse::<Journal>().unwrap_err();
        assert_eq!(error, "line 2: the amount is missing");
    }
}
