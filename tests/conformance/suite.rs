//! One run of a suite, and what is made of its reports.
//!
//! Every check that was not passed counts, also warnings, also those that the suite skips or does not score.

use crate::expected::Expected;
use crate::served::Served;
use callboard_tests::{Finished, Running, deps, root};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Which suite, by the version of the specification that it asks for.
#[derive(Debug, Clone, Copy)]
pub enum Suite {
    /// The released version of the suite, with all it has.
    Released,
    /// What the next version of the suite requires for a revision of the specification.
    Requirements(&'static str),
}

/// A check that was not passed.
pub struct Failure {
    pub scenario: String,
    pub check: String,
    status: String,
    why: String,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Suite::Released => "released",
            Suite::Requirements(revision) => revision,
        }
    }

    fn run(self, words: &[&str]) -> Finished {
        let program = match self {
            Suite::Released => "conformance-released/dist/index.js",
            Suite::Requirements(_) => "conformance-next/dist/index.js",
        };
        let mut command = Command::new(deps::node());
        command.arg(deps::npm(program)).args(words);
        match self {
            Suite::Requirements(revision) => command.args(["--requirements", revision]),
            Suite::Released if words[0] == "server" => command.args(["--suite", "all"]),
            Suite::Released => &mut command,
        };
        Running::of(command).finish()
    }

    /// The scenarios that it says it has for servers.
    fn scenarios(self) -> BTreeSet<String> {
        let listed = self.run(&["list", "--server"]);
        assert_eq!(listed.code, 0, "{listed:#?}");
        let mut of_servers = false;
        let mut names = BTreeSet::new();
        for line in listed.out.lines() {
            if !line.starts_with(' ') {
                of_servers = line.starts_with("Server scenarios");
            }
            let Some(entry) = line.trim_start().strip_prefix("- ") else {
                continue;
            };
            if of_servers || entry.ends_with("[server]") {
                names.extend(entry.split_whitespace().next().map(str::to_owned));
            }
        }
        assert!(names.len() > 25, "{listed:#?}");
        names
    }
}

/// Runs the suite against the server and compares what fails with what is expected to.
pub fn check(served: &Served, suite: Suite) {
    let reports = served.home().path().join("reports");
    let place = reports.to_str().unwrap();
    let run = suite.run(&["server", "--url", &served.url, "-o", place]);
    let (seen, failures) = read(&reports);
    let missing: Vec<String> = suite.scenarios().difference(&seen).cloned().collect();
    assert!(missing.is_empty(), "no reports of {missing:?}: {run:#?}");

    let list = format!(
        "tests/conformance/expected/{}-{}.yml",
        served.list,
        suite.name()
    );
    let mut expected = Expected::read(&root().join(&list));
    let mut wrong: Vec<String> = Vec::new();
    for failure in &failures {
        if !expected.covers(failure) {
            let Failure {
                scenario,
                check,
                status,
                why,
            } = failure;
            wrong.push(format!("not passed: {scenario}:{check} ({status}) {why}"));
        }
    }
    let stale = expected.stale().into_iter();
    wrong.extend(stale.map(|name| format!("passed, so it is not to be listed: {name}")));
    assert!(wrong.is_empty(), "{list}:\n{}", wrong.join("\n"));
}

/// The scenarios that were reported on, and all checks that were not passed.
fn read(reports: &Path) -> (BTreeSet<String>, Vec<Failure>) {
    let (mut seen, mut failures) = (BTreeSet::new(), Vec::new());
    for entry in std::fs::read_dir(reports).unwrap() {
        let entry = entry.unwrap();
        let scenario = scenario(entry.file_name().to_str().unwrap());
        let Ok(text) = std::fs::read_to_string(entry.path().join("checks.json")) else {
            continue;
        };
        let checks: Vec<Value> = serde_json::from_str(&text).unwrap();
        for check in checks {
            let status = check["status"].as_str().unwrap();
            if !matches!(status, "SUCCESS" | "INFO") {
                failures.push(Failure {
                    scenario: scenario.clone(),
                    check: check["id"].as_str().unwrap().to_owned(),
                    status: status.to_owned(),
                    why: check["errorMessage"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                });
            }
        }
        seen.insert(scenario);
    }
    failures.sort_by(|a, b| (&a.scenario, &a.check).cmp(&(&b.scenario, &b.check)));
    (seen, failures)
}

/// `server-NAME-TIME`, where the time is as long as 2026-11-21T15-51-33-667Z.
fn scenario(report: &str) -> String {
    let time = "-2026-11-21T15-51-33-667Z".len();
    let name = &report[..report.len() - time];
    name.strip_prefix("server-").unwrap().to_owned()
}
