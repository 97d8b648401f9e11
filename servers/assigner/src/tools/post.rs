//! What a task is posted with, by one call or many.

use crate::views::Open;
use callboard_config::check_task_env;
use callboard_mcp::{Id, Line, Text, ToolError, Whole};
use callboard_scheduling::NewTask;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The fields of a task; only the title is needed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// What is to be done, in one line.
    #[schemars(with = "String")]
    title: Line<300>,
    /// Details for the worker.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    prompt: Option<Text<200_000>>,
    /// 10 is most urgent; 5 by default.
    #[serde(default)]
    priority: Option<Whole<0, 10>>,
    /// Ids of tasks that must be done first.
    #[serde(default)]
    depends_on: Vec<Id>,
    /// Not before so many seconds.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    delay_s: Option<Whole<0, 31_536_000>>,
    /// Time limit of an attempt.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    timeout_s: Option<Whole<1, 2_592_000>>,
    /// 3 by default.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    max_retries: Option<Whole<0, 100>>,
    /// First pause after a failure; doubles.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    backoff_s: Option<Whole<0, 300>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    queue: Option<Line<120>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    kind: Option<Line<120>>,
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    tags: Vec<Line<120>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    project: Option<Line<1_000>>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    branch: Option<Line<1_000>>,
    /// Absolute; must exist.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    working_dir: Option<Line<4_000>>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    #[schemars(with = "Option<Open>")]
    metadata: Map<String, Value>,
    /// A second task with this key is not added.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    dedup_key: Option<Line<1_000>>,
}

impl Post {
    /// The task as scheduling takes it, after a look at what only this machine can tell.
    pub(super) fn checked(self, now: i64) -> Result<NewTask, ToolError> {
        check_task_env(&self.env).map_err(|error| ToolError::invalid(format!("env: {error}")))?;
        if let Some(dir) = &self.working_dir {
            check_working_dir(dir, self.project.as_deref())?;
        }
        let seconds = |given: u32| i64::from(given) * 1000;
        let mut new = NewTask::titled(self.title);
        new.prompt = self.prompt.map_or_else(String::new, String::from);
        set(
            &mut new.priority,
            self.priority.and_then(|p| u8::try_from(p.get()).ok()),
        );
        new.depends_on = self.depends_on.into_iter().map(String::from).collect();
        new.due_at = self.delay_s.map(|delay| now + seconds(delay.get()));
        new.timeout_ms = self.timeout_s.map(|limit| seconds(limit.get()));
        set(&mut new.max_retries, self.max_retries.map(Whole::get));
        set(
            &mut new.backoff_ms,
            self.backoff_s.map(|pause| seconds(pause.get())),
        );
        set(&mut new.queue, self.queue.map(String::from));
        set(&mut new.kind, self.kind.map(String::from));
        new.tags = self.tags.into_iter().map(String::from).collect();
        new.project = self.project.map(String::from);
        new.branch = self.branch.map(String::from);
        new.working_dir = self.working_dir.map(String::from);
        new.env = self.env;
        new.metadata = Value::Object(self.metadata);
        new.dedup_key = self.dedup_key.map(String::from);
        Ok(new)
    }
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

/// A worker that is sent to a directory must find it; with a project given, inside the project.
fn check_working_dir(dir: &str, project: Option<&str>) -> Result<(), ToolError> {
    let refused =
        |why: String, hint: &str| Err(ToolError::invalid(format!("working_dir: {why}")).hint(hint));
    let path = Path::new(dir);
    if !path.is_absolute() {
        return refused(
            format!("{dir:?} is not an absolute path"),
            "write the whole path, from /",
        );
    }
    let real = match path.canonicalize() {
        Ok(real) if real.is_dir() => real,
        Ok(_) => {
            return refused(
                format!("{dir} is not a directory"),
                "name the directory that it is in",
            );
        }
        Err(error) => {
            return refused(
                format!("{dir}: {error}"),
                "name a directory that exists, or leave it out",
            );
        }
    };
    let Some(root) = project.filter(|project| project.starts_with('/')) else {
        return Ok(());
    };
    let inside = Path::new(root)
        .canonicalize()
        .is_ok_and(|root| real.starts_with(root));
    if inside {
        return Ok(());
    }
    refused(
        format!("{dir} is outside the project {root}"),
        "name a directory in the project, or leave out one of the two",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn post(value: Value) -> Result<NewTask, ToolError> {
        serde_json::from_value::<Post>(value)
            .unwrap()
            .checked(1_000)
    }

    #[test]
    fn what_is_not_given_is_the_default() {
        assert_eq!(post(json!({"title": " t "})).unwrap(), NewTask::titled("t"));
    }

    #[test]
    fn seconds_become_milliseconds_and_delays_become_times() {
        let given = json!({"title": "t", "delay_s": 2, "timeout_s": 3, "backoff_s": 4});
        let new = post(given).unwrap();
        assert_eq!(
            (new.due_at, new.timeout_ms, new.backoff_ms),
            (Some(3_000), Some(3_000), 4_000)
        );
    }

    #[test]
    fn a_working_directory_exists_and_is_in_its_project() {
        let project = tempfile::tempdir().unwrap();
        let inside = project.path().join("sub");
        std::fs::create_dir(&inside).unwrap();
        let file = project.path().join("file");
        std::fs::File::create(&file).unwrap();
        let check = |dir: &Path, root: Option<&Path>| {
            check_working_dir(
                dir.to_str().unwrap(),
                root.map(|root| root.to_str().unwrap()),
            )
        };
        check(&inside, None).unwrap();
        check(&inside, Some(project.path())).unwrap();
        check(&inside, Some(Path::new("a-name"))).unwrap();
        for (dir, root, why) in [
            (Path::new("src"), None, "not an absolute path"),
            (Path::new("/no/such/place"), None, "No such file"),
            (&*file, None, "is not a directory"),
            (
                Path::new("/"),
                Some(project.path()),
                "is outside the project",
            ),
            (
                &*inside.join("../.."),
                Some(project.path()),
                "is outside the project",
            ),
            (
                &*inside,
                Some(Path::new("/no/such/place")),
                "is outside the project",
            ),
        ] {
            let error = check(dir, root).unwrap_err();
            assert!(error.message.contains(why), "{}", error.message);
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn variables_that_decide_what_runs_are_refused() {
        let error = post(json!({"title": "t", "env": {"LD_PRELOAD": "x"}})).unwrap_err();
        assert!(
            error
                .message
                .starts_with("env: a task may not set LD_PRELOAD"),
            "{}",
            error.message
        );
    }
}
