//! What a person may start a conversation with.

mod report_status;
mod triage_failures;

pub use report_status::ReportStatus;
pub use triage_failures::TriageFailures;
