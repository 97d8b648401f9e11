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
            Verdict::Failed | Verdict::Unread => {
                let mut status = TestCaseStatus::non_success(match outcome.verdict {
                    Verdict::Unread => NonSuccessKind::Error,
                    _ => NonSuccessKind::Failure,
                });
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
    let xml = junit.to_string().map_err(|error| error.to_string())?;
    Ok(xml.chars().map(fit_for_xml).collect())
}

/// The character itself, or a replacement for what XML 1.0 has no place for, in whatever form.
fn fit_for_xml(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{1_0000}'.. => c,
        _ => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use super::fit_for_xml;

    #[test]
    fn what_xml_can_not_hold_is_replaced() {
        for fit in [
            '\t',
            '\n',
            'a',
            'é',
            '\u{FFFD}',
            '\u{1_0000}',
            '😀',
            '\u{10_FFFF}',
        ] {
            assert_eq!(fit_for_xml(fit), fit);
        }
        for unfit in ['\0', '\u{1b}', '\u{FFFE}', '\u{FFFF}'] {
            assert_eq!(fit_for_xml(unfit), char::REPLACEMENT_CHARACTER);
        }
    }
}
