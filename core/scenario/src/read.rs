//! Reading scenario files.
//!
//! For: finding them, parsing them, and saying at which line and column one is wrong. Not for: running them.

mod named;
mod verbs;

use crate::format::{At, Check, Expect, PathCheck, Scenario, Step};
use crate::nearest::hint;
use std::path::{Path, PathBuf};

pub(crate) use named::misplaced;
pub(crate) use verbs::verb;

/// A file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", file.display(), place(*line, *column))]
pub struct LoadError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong, and what to write instead where that is known.
    pub message: String,
}

fn place(line: u64, column: u64) -> String {
    match (line, column) {
        (0, _) => String::new(),
        (line, 0) => format!(":{line}"),
        (line, column) => format!(":{line}:{column}"),
    }
}

/// The scenario files below these paths, sorted; a file that is named is taken whatever it is called.
///
/// # Errors
/// A path that does not exist, or a directory without a scenario.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        if path.is_dir() {
            walk(path, &mut files)?;
            files[before..].sort();
            if files.len() == before {
                return Err(whole(
                    path,
                    "no scenario (*.yaml or *.yml) in this directory",
                ));
            }
        } else if path.exists() {
            files.push(path.clone());
        } else {
            return Err(whole(path, "there is no such file or directory"));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let entries = std::fs::read_dir(directory)
        .map_err(|error| whole(directory, &format!("can't be read: {error}")))?;
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            walk(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
        {
            files.push(path);
        }
    }
    Ok(())
}

fn whole(file: &Path, message: &str) -> LoadError {
    LoadError {
        file: file.to_owned(),
        line: 0,
        column: 0,
        message: message.to_owned(),
    }
}

/// Reads a scenario file.
///
/// # Errors
/// The file can't be read, is no YAML, or says what the format does not have.
pub fn load(file: &Path) -> Result<Scenario, LoadError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| whole(file, &format!("can't be read: {error}")))?;
    parse(file, &text)
}

/// Reads a scenario; `file` is only named in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(file: &Path, text: &str) -> Result<Scenario, LoadError> {
    let mut scenario = shape(text).map_err(|error| explain(file, &error))?;
    let named = named::secrets(text, options()).map_err(|error| explain(file, &error))?;
    scenario.secrets = named.map_err(|wrong| LoadError {
        file: file.to_owned(),
        line: wrong.line,
        column: wrong.column,
        message: wrong.value,
    })?;
    let reader = Reader {
        file,
        scenario: &scenario,
    };
    reader.scenario()?;
    Ok(scenario)
}

/// As in YAML 1.2, which editors follow: `no` and `n` are texts, and 5 and true are none.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { with_snippet: false, strict_booleans: true, no_schema: true }
}

/// What the types of the format take, which is what the JSON Schema says.
fn shape(text: &str) -> Result<Scenario, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, options())
}

fn explain(file: &Path, error: &serde_saphyr::Error) -> LoadError {
    let location = error.location();
    let told = error.without_snippet();
    let message = match told {
        serde_saphyr::Error::SerdeUnknownField {
            field, expected, ..
        } => format!(
            "unknown key `{field}`{}",
            if expected.is_empty() {
                "; no key is known here".to_owned()
            } else {
                let near = hint(field, expected.iter().copied());
                if near.is_empty() {
                    let exact = if expected.contains(&"includes") && expected.contains(&"each") {
                        "; an object stands for checks, so write an exact one as `equals: {…}`"
                    } else {
                        ""
                    };
                    format!("; known are {}{exact}", expected.join(", "))
                } else {
                    near
                }
            }
        ),
        serde_saphyr::Error::SerdeUnknownVariant {
            variant, expected, ..
        } => format!(
            "`{variant}` is not known here; known are {}{}",
            expected.join(", "),
            hint(variant, expected.iter().copied())
        ),
        serde_saphyr::Error::NullIntoString { .. } => {
            "a text is missing here (an empty key or value, or `~`); write it, in quotes where it is empty".to_owned()
        }
        serde_saphyr::Error::QuotingRequired { .. } => {
            "a text is expected here, and this is a number or a truth value; put it in quotes".to_owned()
        }
        other => {
            let text = other.to_string();
            let end = text.find(" at line ").unwrap_or(text.len());
            let text = text[..end].replace("expected string scalar", "expected a text");
            match text.split_once(", set DuplicateKeyPolicy") {
                Some((said, _)) => format!("{said}; give it once"),
                None => text,
            }
        }
    };
    LoadError {
        file: file.to_owned(),
        line: location.map_or(0, |at| at.line()),
        column: location.map_or(0, |at| at.column()),
        message,
    }
}

/// Checks what types can't say.
struct Reader<'a> {
    file: &'a Path,
    scenario: &'a Scenario,
}

type Checked = Result<(), String>;

impl Reader<'_> {
    fn scenario(&self) -> Result<(), LoadError> {
        let fail = |message: String| whole(self.file, &message);
        if self.scenario.steps.is_empty() {
            return Err(fail(
                "`steps` is missing or empty: a scenario needs at least one".to_owned(),
            ));
        }
        for (name, server) in &self.scenario.servers {
            verbs::server(self.scenario, name, server).map_err(fail)?;
        }
        for (name, process) in &self.scenario.processes {
            verbs::process(self.scenario, name, process).map_err(fail)?;
        }
        for list in [
            &self.scenario.setup,
            &self.scenario.steps,
            &self.scenario.cleanup,
        ] {
            self.steps(list)?;
        }
        Ok(())
    }

    fn steps(&self, steps: &[At<Step>]) -> Result<(), LoadError> {
        for step in steps {
            self.step(step).map_err(|message| LoadError {
                file: self.file.to_owned(),
                line: step.line,
                column: step.column,
                message,
            })?;
            for branch in step.branches.iter().flatten() {
                self.steps(branch)?;
            }
            self.steps(step.steps.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }

    fn step(&self, step: &Step) -> Checked {
        verbs::step(self.scenario, step)?;
        if let Some(expect) = &step.expect {
            expected(expect)?;
        }
        for (name, capture) in step.capture.iter().flatten() {
            if let Some(path) = &capture.path {
                json_path(path)?;
            }
            if let Some(pattern) = &capture.matches {
                regex(pattern)?;
            }
            verbs::variable(name)?;
        }
        if let Some(raw) = &step.raw {
            verbs::raw(raw)?;
        }
        Ok(())
    }
}

fn expected(expect: &Expect) -> Checked {
    let more = expect.error.is_some()
        || expect.text.is_some()
        || expect.json.is_some()
        || expect.result.is_some()
        || expect.message.is_some()
        || expect.took.is_some()
        || expect.progress.is_some();
    let check = expect.check();
    if !more || check.says_something() {
        checked(&check)?;
    }
    for nested in [&expect.text, &expect.json, &expect.result, &expect.message] {
        nested.as_ref().map_or(Ok(()), value_or_check)?;
    }
    if let Some(error) = &expect.error {
        for from in &error.from.0 {
            if !["tool", "protocol", "transport"].contains(&from.as_str()) {
                return Err(format!(
                    "an error comes from tool, protocol or transport, not from {from:?}"
                ));
            }
        }
        error.message.as_deref().map_or(Ok(()), regex)?;
        error.data.as_ref().map_or(Ok(()), value_or_check)?;
    }
    Ok(())
}

fn value_or_check(what: &PathCheck) -> Checked {
    match what {
        PathCheck::Is(_) => Ok(()),
        PathCheck::Passes(check) => checked(check),
    }
}

fn checked(check: &Check) -> Checked {
    if !check.says_something() {
        // It would pass on anything.
        return Err(
            "a check says nothing; write what must hold, such as `exists: true`, or `equals: {}` for an empty object"
                .to_owned(),
        );
    }
    check.matches.as_deref().map_or(Ok(()), regex)?;
    for (path, inner) in &check.path {
        json_path(path)?;
        value_or_check(inner)?;
    }
    if let Some(schema) = &check.schema
        && !schema.to_string().contains("${")
    {
        crate::judge::compile(schema)?;
    }
    if let Some(kind) = &check.kind {
        let kinds = [
            "string", "number", "integer", "boolean", "array", "object", "null",
        ];
        if !kinds.contains(&kind.as_str()) {
            return Err(format!("`type: {kind}` is not one of {}", kinds.join(", ")));
        }
    }
    for inner in [&check.each, &check.some, &check.not].into_iter().flatten() {
        checked(inner)?;
    }
    check.any_of.iter().try_for_each(checked)
}

fn regex(pattern: &str) -> Checked {
    if pattern.contains("${") {
        return Ok(());
    }
    regex::Regex::new(pattern).map(|_| ()).map_err(|error| {
        format!(
            "the pattern {pattern:?} can't be read: {}",
            last_line(&error.to_string())
        )
    })
}

fn json_path(path: &str) -> Checked {
    if path.contains("${") {
        return Ok(());
    }
    serde_json_path::JsonPath::parse(path)
        .map(|_| ())
        .map_err(|error| {
            format!("{path:?} is no JSON path ({error}); one looks like $.items[0].name")
        })
}

fn last_line(text: &str) -> &str {
    text.lines().next_back().unwrap_or(text)
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "files of a test need not outlive a crash"
)]
mod tests;
