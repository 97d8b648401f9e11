//! Reads a journal of expenses and says where the money went.

/// Days of the calendar.
pub mod date;

/// One expense: a line of the journal.
pub mod entry;

/// All expenses, read from text.
pub mod journal;

/// Sums of money, exact to the cent.
pub mod money;

/// The report, section by section.
pub mod report;
