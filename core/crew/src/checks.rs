//! The project's own tests: which command runs them, and what it said.
//!
//! The command comes from the configuration, else it is detected from the files that each ecosystem
//! expects at the root. Whether they passed is the exit code's word; a known runner that reports that it
//! ran nothing is not taken for a pass.

use std::path::Path;

/// A command that runs a project's tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCommand {
    /// The program and its arguments; no shell.
    pub argv: Vec<String>,
    /// Where it comes from, for people.
    pub origin: String,
}

/// Finds the command in a work tree: configured, or detected.
#[must_use]
pub fn test_command(configured: Option<&[String]>, root: &Path) -> Option<TestCommand> {
    if let Some(argv) = configured {
        return Some(TestCommand {
            argv: argv.to_vec(),
            origin: "configured as tests.command".to_owned(),
        });
    }
    detect(root)
}

fn detect(root: &Path) -> Option<TestCommand> {
    let has = |name: &str| root.join(name).is_file();
    let found = |why: &str, argv: &[&str]| {
        Some(TestCommand {
            argv: argv.iter().map(|part| (*part).to_owned()).collect(),
            origin: format!("detected from {why}"),
        })
    };
    if has("Cargo.toml") {
        return found("Cargo.toml", &["cargo", "test", "--workspace"]);
    }
    if npm_test(root) {
        return found("package.json", &["npm", "test", "--silent"]);
    }
    if has("go.mod") {
        return found("go.mod", &["go", "test", "-v", "./..."]);
    }
    if has("pytest.ini") || has("conftest.py") || mentions(root, "pyproject.toml", "pytest") {
        return found(
            "its pytest configuration",
            &["python3", "-m", "pytest", "-q"],
        );
    }
    if let Some(argv) = python_tests(root) {
        return found("its test_*.py files", &argv);
    }
    if make_test(root) {
        return found("the Makefile's test target", &["make", "test"]);
    }
    let script = ["tests/run", "test.sh", "tests/run.sh"]
        .into_iter()
        .find(|script| has(script))?;
    let own = format!("./{script}");
    // An executable script names its own shell.
    let argv = if executable(&root.join(script)) {
        vec![own.as_str()]
    } else {
        vec!["sh", script]
    };
    found(script, &argv)
}

fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

fn read(root: &Path, name: &str) -> Option<String> {
    let path = root.join(name);
    let small = path.metadata().ok()?.len() <= 1024 * 1024;
    small.then(|| std::fs::read_to_string(path).ok()).flatten()
}

fn mentions(root: &Path, name: &str, word: &str) -> bool {
    read(root, name).is_some_and(|text| text.contains(word))
}

/// npm writes a failing placeholder into every new package; that is no test.
fn npm_test(root: &Path) -> bool {
    read(root, "package.json")
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|json| json["scripts"]["test"].as_str().map(str::to_owned))
        .is_some_and(|script| !script.contains("no test specified"))
}

/// Bare `def test_…` functions are pytest's; classes run with unittest, which finds nothing in a directory
/// that is no package unless it starts there.
fn python_tests(root: &Path) -> Option<Vec<&'static str>> {
    let start = ["", "tests", "test"]
        .into_iter()
        .find(|dir| !test_files(root, dir).is_empty())?;
    let bare = test_files(root, start)
        .iter()
        .filter_map(|name| read(root, name))
        .any(|text| text.lines().any(|line| line.starts_with("def test_")));
    let mut argv = vec!["python3", "-m"];
    if bare {
        argv.extend(["pytest", "-q"]);
        return Some(argv);
    }
    argv.extend(["unittest", "discover"]);
    if !start.is_empty() && !root.join(start).join("__init__.py").is_file() {
        argv.extend(["-s", start]);
    }
    Some(argv)
}

fn test_files(root: &Path, dir: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root.join(dir)) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with("test_") && name.ends_with(".py"))
        .map(|name| {
            if dir.is_empty() {
                name
            } else {
                format!("{dir}/{name}")
            }
        })
        .collect()
}

fn make_test(root: &Path) -> bool {
    ["GNUmakefile", "makefile", "Makefile"]
        .into_iter()
        .filter_map(|name| read(root, name))
        .any(|text| text.lines().any(|line| line.starts_with("test:")))
}

/// What a runner's output says about how many tests there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
}

/// Reads the closing lines of the runners we know: cargo test, nextest, pytest, unittest, node, go test -v,
/// jest, vitest, mocha, and the words with which runners say that they found nothing. `None` when none of
/// them is recognised.
#[must_use]
pub fn count_tests(output: &str) -> Option<Counted> {
    let mut total: Option<Counted> = None;
    for line in output.lines() {
        if let Some(found) = count_line(line.trim()) {
            let sum = total.get_or_insert_default();
            sum.passed += found.passed;
            sum.failed += found.failed;
        }
    }
    total
}

fn count_line(line: &str) -> Option<Counted> {
    if line.starts_with("test result: ") || line.starts_with("Summary [") || is_pytest(line) {
        let passed = before(line, " passed").unwrap_or(0);
        return Some(Counted {
            passed,
            failed: before(line, " failed").unwrap_or(0),
        });
    }
    if let Some(rest) = line.strip_prefix("Ran ") {
        let ran = rest.split(' ').next()?.parse().ok()?;
        return rest.contains(" test").then_some(Counted {
            passed: ran,
            failed: 0,
        });
    }
    let node = |mark: &str| line.strip_prefix(mark).and_then(|n| n.trim().parse().ok());
    if let Some(passed) = node("# pass ").or_else(|| node("ℹ pass ")) {
        return Some(Counted { passed, failed: 0 });
    }
    if let Some(failed) = node("# fail ").or_else(|| node("ℹ fail ")) {
        return Some(Counted { passed: 0, failed });
    }
    if let Some(rest) = line
        .strip_prefix("Tests:")
        .or_else(|| line.strip_prefix("Tests  "))
    {
        let passed = before(rest, " passed").unwrap_or(0);
        let failed = before(rest, " failed").unwrap_or(0);
        return (rest.contains(" passed") || rest.contains(" failed"))
            .then_some(Counted { passed, failed });
    }
    if let Some((number, "passing")) = line
        .split_once(' ')
        .map(|(n, rest)| (n, rest.split(' ').next().unwrap_or("")))
    {
        return number
            .parse()
            .ok()
            .map(|passed| Counted { passed, failed: 0 });
    }
    let nothing = [
        "no tests found",
        "no test files found",
        "[no test files]",
        "no tests ran",
        "no tests to run",
    ];
    let lower = line.to_lowercase();
    if nothing.iter().any(|words| lower.contains(words)) {
        return Some(Counted::default());
    }
    if line.starts_with("--- PASS") {
        return Some(Counted {
            passed: 1,
            failed: 0,
        });
    }
    line.starts_with("--- FAIL").then_some(Counted {
        passed: 0,
        failed: 1,
    })
}

fn is_pytest(line: &str) -> bool {
    let words = line.trim_matches(|c| c == '=' || c == ' ');
    words.contains(" in ")
        && words.ends_with('s')
        && (words.contains(" passed") || words.contains(" failed"))
}

fn before(line: &str, word: &str) -> Option<u32> {
    let (head, _) = line.split_once(word)?;
    let digits: String = head
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.chars().rev().collect::<String>().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(passed: u32, failed: u32) -> Option<Counted> {
        Some(Counted { passed, failed })
    }

    #[test]
    fn known_runners_are_counted() {
        let cargo = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                     test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(count_tests(cargo), counted(7, 2));
        assert_eq!(
            count_tests("===== 5 passed, 1 failed in 0.12s ====="),
            counted(5, 1)
        );
        assert_eq!(count_tests("12 passed in 1.02s"), counted(12, 0));
        assert_eq!(count_tests("Ran 9 tests in 0.003s\n\nOK"), counted(9, 0));
        assert_eq!(count_tests("# tests 3\n# pass 2\n# fail 1"), counted(2, 1));
        assert_eq!(
            count_tests("     Summary [   0.005s] 2 tests run: 2 passed, 0 skipped"),
            counted(2, 0)
        );
        assert_eq!(
            count_tests("--- PASS: TestA (0.00s)\n--- FAIL: TestB (0.00s)"),
            counted(1, 1)
        );
    }

    #[test]
    fn runners_that_found_nothing_are_known() {
        for said in [
            "?   \texample.com/x\t[no test files]",
            "No tests found, exiting with code 0",
            "testing: warning: no tests to run",
            "  0 passing (2ms)",
        ] {
            assert_eq!(count_tests(said), counted(0, 0), "{said}");
        }
        assert_eq!(
            count_tests("Tests:       1 failed, 5 passed, 6 total"),
            counted(5, 1)
        );
        assert_eq!(count_tests("      Tests  5 passed (5)"), counted(5, 0));
        assert_eq!(count_tests("  12 passing (40ms)"), counted(12, 0));
    }

    #[test]
    fn other_output_is_not_counted() {
        assert_eq!(count_tests("all fine\n3 cats passed by"), None);
        assert_eq!(count_tests(""), None);
    }

    /// Files with their texts, and the command that they lead to.
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);

    #[test]
    fn commands_are_detected_from_a_projects_files() {
        let cases: &[Case<'_>] = &[
            (
                &[("Cargo.toml", "[package]")],
                Some("cargo test --workspace"),
            ),
            (
                &[("package.json", r#"{"scripts":{"test":"node --test"}}"#)],
                Some("npm test --silent"),
            ),
            (
                &[(
                    "package.json",
                    r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#,
                )],
                None,
            ),
            (&[("package.json", "not json")], None),
            (&[("go.mod", "module x")], Some("go test -v ./...")),
            (
                &[("pyproject.toml", "[tool.pytest.ini_options]")],
                Some("python3 -m pytest -q"),
            ),
            (
                &[("tests/test_a.py", "")],
                Some("python3 -m unittest discover -s tests"),
            ),
            (
                &[("Makefile", "all:\n\ntest: all\n\t./t\n")],
                Some("make test"),
            ),
            (&[("Makefile", "all:\n")], None),
            (&[("test.sh", "exit 0")], Some("sh test.sh")),
            (&[("README.md", "run cargo test")], None),
        ];
        for (files, wanted) in cases {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in *files {
                let path = dir.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::io::Write::write_all(
                    &mut std::fs::File::create(path).unwrap(),
                    text.as_bytes(),
                )
                .unwrap();
            }
            let found = test_command(None, dir.path()).map(|command| command.argv.join(" "));
            assert_eq!(found.as_deref(), *wanted, "{files:?}");
        }
    }

    #[test]
    fn the_configured_command_wins() {
        let dir = tempfile::tempdir().unwrap();
        let argv = ["just".to_owned(), "check".to_owned()];
        let command = test_command(Some(&argv), dir.path()).unwrap();
        assert_eq!(command.argv, argv);
    }
}
