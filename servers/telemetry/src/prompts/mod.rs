//! Texts that a person starts a conversation with.

mod report_costs;

pub use report_costs::ReportCosts;
