//! The report as JUnit's XML.

use super::text::{Colour, failure};
use super::{Report, Verdict};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

/// The report as JUnit's XML: a suite for each directory, a case for each scenario.
///
/// # Errors
/// The XML can't be written, in words.
pub fn to_junit(report: &Report) -> Result<String, String> {
    let mut junit = quick_junit::Report::new("callboard test");
    junit.set_time(report.took);
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    for outcome in &report.outcomes {
        let directory = outcome
            .file
            .parent()
            .map_or_else(String::new, |path| path.display().to_string());
        let status = match outcome.verdict {
            Verdict::Passed => TestCaseStatus::success(),
            Verdict::Failed => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                if let Some(first) = outcome.failures.first() {
                    status.set_message(format!(
                        "{}: {}: {}",
                        first.place(),
                        first.title(),
                        first.message
                    ));
                }
                let told: Vec<String> = outcome
                    .failures
                    .iter()
                    .map(|one| failure(one, Colour::Never))
                    .collect();
                status.set_description(told.join("\n"));
                status
            }
        };
        let mut case = TestCase::new(outcome.name.as_str(), status);
        case.set_classname(outcome.file.display().to_string());
        case.set_time(outcome.took);
        match suites.iter_mut().find(|(name, _)| *name == directory) {
            Some((_, suite)) => {
                suite.add_test_case(case);
            }
            None => {
                let mut suite = TestSuite::new(directory.as_str());
                suite.add_test_case(case);
                suites.push((directory, suite));
            }
        }
    }
    junit.add_test_suites(suites.into_iter().map(|(_, suite)| suite));
    junit.to_string().map_err(|error| error.to_string())
}
