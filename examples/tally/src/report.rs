use crate::journal::Journal;
use crate::money::Money;

/// A line of a section: what, and how much.
pub type Row = (String, Money);

/// Finds the rows of a section.
type Rows = fn(&Journal) -> Vec<Row>;

/// The sections in the order they are printed.
const SECTIONS: &[(&str, Rows)] = &[
    ("Total", total),
    // Totals by category go here.
    // Totals by month go here.
];

/// The whole report as text.
pub fn report(journal: &Journal) -> String {
    let mut sections = Vec::new();
    for (title, rows) in SECTIONS {
        sections.push(section(title, &rows(journal)));
    }
    sections.join("\n")
}

fn section(title: &str, rows: &[Row]) -> String {
    let lines = rows.iter().map(|(what, amount)| format!("  {what:<16}{amount:>12}\n"));
    format!("{title}\n{}", lines.collect::<String>())
}

fn total(journal: &Journal) -> Vec<Row> {
    let count = journal.entries.len();
    vec![(format!("{count} expenses"), journal.total())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_with_the_total() {
        let journal = "2026-03-02 books 3.00\n2026-03-02 tea 2.00".parse().unwrap();
        let expected = "Total\n  2 expenses              5.00\n";
        assert!(report(&journal).starts_with(expected), "{}", report(&journal));
    }

    #[test]
    fn an_empty_journal_has_a_report_too() {
        assert!(report(&Journal::default()).contains("0 expenses"));
    }
}
