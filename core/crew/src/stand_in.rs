//! The embedded stand-in for an agent: plays the edits that an example ships in `.callboard/prepared.toml`.
//! For: showing the whole course of a run, with its failures, where no model is at hand. It says so in its log.
//! Not for: deciding anything. An edit that does not fit ends the attempt with an error and changes nothing.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Where the prepared edits are, from the root of the project.
pub const PREPARED_FILE: &str = ".callboard/prepared.toml";

/// Exit code when the prepared edits can't be played: the data is wrong, not the machine.
pub const EXIT_BAD_PREPARED: i32 = 65;

const LARGEST: u64 = 4 << 20;
const LONGEST_THINK_MS: u64 = 60_000;
const COMMIT_TYPES: &[&str] = &[
    "build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test",
];

/// What the stand-in is told about its task, by the variables that every agent gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandInEnv {
    /// `CALLBOARD_WORKTREE`: the checkout to work in.
    pub worktree: PathBuf,
    /// `CALLBOARD_ITEM`: key of the roadmap's item.
    pub item: String,
    /// `CALLBOARD_TRY`: 1 for the first attempt that counts.
    pub try_number: u32,
    /// `CALLBOARD_CONFLICT` is `1`: the attempt before this one met a merge conflict.
    pub conflict: bool,
    /// `CALLBOARD_REPORT_FILE`: where a report is left, if anywhere.
    pub report_file: Option<PathBuf>,
}

impl StandInEnv {
    /// Reads the variables through `get`, so that whoever owns the environment stays its owner.
    ///
    /// # Errors
    /// [`StandInError::Told`] names the variable that is missing or makes no sense.
    pub fn from_lookup(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, StandInError> {
        let needed = |name: &'static str| get(name).ok_or(StandInError::Told { name });
        let text = |name: &'static str| {
            let value = needed(name)?.into_string();
            value.map_err(|_| StandInError::Told { name })
        };
        let number = "CALLBOARD_TRY";
        let try_number = text(number)?.parse().ok().filter(|n| *n > 0);
        Ok(Self {
            worktree: needed("CALLBOARD_WORKTREE")?.into(),
            item: text("CALLBOARD_ITEM")?,
            try_number: try_number.ok_or(StandInError::Told { name: number })?,
            conflict: get("CALLBOARD_CONFLICT").is_some_and(|value| value == "1"),
            report_file: get("CALLBOARD_REPORT_FILE").map(PathBuf::from),
        })
    }
}

/// Why prepared edits could not be played. Nothing was changed in the worktree.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// Started by something else than a run.
    #[error(
        "{name} is missing or makes no sense: the stand-in is started by `callboard run`, not by hand"
    )]
    Told {
        /// The variable.
        name: &'static str,
    },
    /// The file itself.
    #[error("{PREPARED_FILE}: {why}")]
    File {
        /// What is wrong, with the line where there is one.
        why: String,
    },
    /// One item of the file.
    #[error("{PREPARED_FILE}: item {item}: {why}")]
    Item {
        /// Its key.
        item: String,
        /// What is wrong.
        why: String,
    },
    /// Nothing is prepared for an item.
    #[error("{PREPARED_FILE} has nothing for {item}; it has: {}; name an agent with --agent to work on anything else", known.join(", "))]
    NotPrepared {
        /// The key asked for.
        item: String,
        /// The keys there are.
        known: Vec<String>,
    },
    /// An edit that does not fit the worktree.
    #[error("{file}: {why}")]
    Edit {
        /// The file as the edit names it.
        file: String,
        /// Why it does not fit.
        why: String,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Whether a project ships prepared edits. They may still turn out to be wrong: see [`prepared_items`].
#[must_use]
pub fn has_prepared(root: &Path) -> bool {
    let file = root.join(PREPARED_FILE);
    file.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

/// Keys of the items that a project has prepared edits for, after checking the whole file; `None` without a file.
///
/// # Errors
/// The first thing wrong with the file.
pub fn prepared_items(root: &Path) -> Result<Option<BTreeSet<String>>, StandInError> {
    if !has_prepared(root) {
        return Ok(None);
    }
    let prepared = Prepared::read(root)?;
    Ok(Some(prepared.items.into_keys().collect()))
}

/// Plays one attempt; returns the exit code of the process. A prepared hang never returns.
pub fn stand_in_main(env: &StandInEnv, log: &mut dyn Write) -> i32 {
    match play(env, log, std::thread::sleep) {
        Ok(Ending::Exit(code)) => i32::from(code),
        Ok(Ending::Hang) => loop {
            std::thread::park();
        },
        Err(why) => {
            say(log, &format!("can't go on: {why}"));
            EXIT_BAD_PREPARED
        }
    }
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Exit(u8),
    Hang,
}

fn play(
    env: &StandInEnv,
    log: &mut dyn Write,
    think: impl FnOnce(Duration),
) -> Result<Ending, StandInError> {
    say(
        log,
        "this is the embedded stand-in; it plays prepared edits and does not think",
    );
    let mut prepared = Prepared::read(&env.worktree)?;
    let Some(item) = prepared.items.remove(&env.item) else {
        return Err(StandInError::NotPrepared {
            item: env.item.clone(),
            known: prepared.items.into_keys().collect(),
        });
    };
    let attempt = item.attempt(env.try_number);
    say(log, &format!("{}, try {}", env.item, env.try_number));
    if env.conflict {
        say(
            log,
            "told of a merge conflict: the edits go onto the new head",
        );
    }
    if !attempt.say.is_empty() {
        say(log, &attempt.say);
    }
    think(Duration::from_millis(attempt.think_ms));
    apply(&env.worktree, &attempt.edits, log)?;
    if attempt.hang {
        return Ok(Ending::Hang);
    }
    if attempt.exit == 0
        && let Some(file) = &env.report_file
    {
        item.report.write(file)?;
    }
    Ok(Ending::Exit(attempt.exit))
}

/// The log is for people: a reader that went away is no reason to fail the work.
fn say(log: &mut dyn Write, line: &str) {
    let _ = writeln!(log, "stand-in: {line}").and_then(|()| log.flush());
}

/// The whole file. Its format is told in the comment at the head of every such file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prepared {
    format: u32,
    items: BTreeMap<String, Item>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    tries: Vec<Attempt>,
    report: Report,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    #[serde(default)]
    say: String,
    #[serde(default)]
    think_ms: u64,
    #[serde(default)]
    hang: bool,
    #[serde(default)]
    exit: u8,
    #[serde(default)]
    edits: Vec<Edit>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenEdit")]
struct Edit {
    file: String,
    change: Change,
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Create(String),
    Replace { find: String, replace: String },
    Append(String),
}

/// An edit as it is written, before it is known to be one of the three kinds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEdit {
    file: String,
    create: Option<String>,
    find: Option<String>,
    replace: Option<String>,
    append: Option<String>,
}

impl TryFrom<WrittenEdit> for Edit {
    type Error = String;

    fn try_from(written: WrittenEdit) -> Result<Self, String> {
        let WrittenEdit {
            file,
            create,
            find,
            replace,
            append,
        } = written;
        let change = match (create, find, replace, append) {
            (Some(text), None, None, None) => Change::Create(text),
            (None, Some(find), Some(replace), None) => Change::Replace { find, replace },
            (None, None, None, Some(text)) => Change::Append(text),
            _ => {
                return Err(format!(
                    "the edit of {file} needs one of: create; find and replace; append"
                ));
            }
        };
        check_path(&file)?;
        if matches!(&change, Change::Replace { find, replace } if find.is_empty() || find == replace)
        {
            return Err(format!(
                "the edit of {file} looks for nothing or changes nothing"
            ));
        }
        Ok(Self { file, change })
    }
}

/// What an agent may leave behind about its work; the same JSON that any agent writes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Report {
    summary: String,
    deliverables: Vec<String>,
    commit: Commit,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    subject: String,
}

impl Prepared {
    fn read(root: &Path) -> Result<Self, StandInError> {
        let bad = |why: String| StandInError::File { why };
        if !has_prepared(root) {
            return Err(bad("is no regular file".to_owned()));
        }
        let path = root.join(PREPARED_FILE);
        let mut text = String::new();
        let read =
            File::open(&path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
        let bytes = read.map_err(io(&path))?;
        if bytes as u64 > LARGEST {
            return Err(bad("is larger than 4 MiB".to_owned()));
        }
        let prepared: Self = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        prepared.check()?;
        Ok(prepared)
    }

    fn check(&self) -> Result<(), StandInError> {
        if self.format != 1 {
            return Err(StandInError::File {
                why: format!("format {} is not known; this program knows 1", self.format),
            });
        }
        for (key, item) in &self.items {
            item.check().map_err(|why| StandInError::Item {
                item: key.clone(),
                why,
            })?;
        }
        Ok(())
    }
}

impl Item {
    /// Attempts beyond the prepared ones play the last again.
    fn attempt(&self, number: u32) -> &Attempt {
        let wanted = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        &self.tries[wanted.min(self.tries.len() - 1)]
    }

    fn check(&self) -> Result<(), String> {
        if self.tries.is_empty() {
            return Err("has no tries".to_owned());
        }
        if let Some(long) = self.tries.iter().find(|t| t.think_ms > LONGEST_THINK_MS) {
            return Err(format!(
                "think_ms is {}, more than {LONGEST_THINK_MS}",
                long.think_ms
            ));
        }
        if self.tries.iter().any(|t| t.hang && t.exit != 0) {
            return Err("a try that hangs has no exit code".to_owned());
        }
        self.report.check()
    }
}

impl Report {
    fn check(&self) -> Result<(), String> {
        let commit = &self.commit;
        if !COMMIT_TYPES.contains(&commit.r#type.as_str()) {
            return Err(format!(
                "{:?} is no commit type; there are {}",
                commit.r#type,
                COMMIT_TYPES.join(", ")
            ));
        }
        let one_line = |text: &str| !text.trim().is_empty() && !text.contains('\n');
        if !one_line(&commit.subject) || !one_line(&self.summary) {
            return Err("summary and commit.subject are one line each, and not empty".to_owned());
        }
        Ok(())
    }

    fn write(&self, file: &Path) -> Result<(), StandInError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| StandInError::File {
            why: error.to_string(),
        })?;
        write_whole(file, &format!("{text}\n"))
    }
}

/// A path that an edit may name, whatever the worktree holds: inside it, and nothing of git's, of ours or of the
/// roadmap's, which only the merge step writes.
fn check_path(file: &str) -> Result<(), String> {
    let parts: Option<Vec<&str>> = Path::new(file)
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let Some(parts) = parts.filter(|parts| !parts.is_empty() && !file.contains('\0')) else {
        return Err(format!("{file:?} is no path inside the worktree"));
    };
    let is = |part: &str, name: &str| part.eq_ignore_ascii_case(name);
    let ours = is(parts[0], ".callboard") || is(parts[0], "callboard.toml");
    let roadmap = parts.last().is_some_and(|name| is(name, "ROADMAP.md"));
    if ours || roadmap || parts.iter().any(|part| is(part, ".git")) {
        return Err(format!("{file} is not for an edit to change"));
    }
    Ok(())
}

/// All edits or none: every one is tried on copies in memory before the first file is written.
fn apply(worktree: &Path, edits: &[Edit], log: &mut dyn Write) -> Result<(), StandInError> {
    let mut after = BTreeMap::<&str, String>::new();
    for edit in edits {
        let before = match after.remove(edit.file.as_str()) {
            Some(text) => Some(text),
            None => read_if_there(worktree, &edit.file)?,
        };
        let text = edit.change.on(before).map_err(|why| StandInError::Edit {
            file: edit.file.clone(),
            why,
        })?;
        after.insert(&edit.file, text);
    }
    for (file, text) in after {
        let path = inside(worktree, file)?;
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(io(parent))?;
        }
        write_whole(&path, &text)?;
        say(log, &format!("wrote {file}"));
    }
    Ok(())
}

impl Change {
    /// The text after the change; `before` is `None` for a file that does not exist.
    fn on(&self, before: Option<String>) -> Result<String, String> {
        match (self, before) {
            (Self::Create(text), None) => Ok(text.clone()),
            (Self::Create(_), Some(_)) => Err("is to be created, and exists already".to_owned()),
            (_, None) => Err("is to be changed, and does not exist".to_owned()),
            (Self::Append(text), Some(before)) => Ok(before + text),
            (Self::Replace { find, replace }, Some(before)) => match before.matches(find).count() {
                1 => Ok(before.replacen(find, replace, 1)),
                found => Err(format!(
                    "the text to replace occurs {found} times, not once: {:?}",
                    first_line(find)
                )),
            },
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or(text)
}

fn read_if_there(worktree: &Path, file: &str) -> Result<Option<String>, StandInError> {
    let path = inside(worktree, file)?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(&path)(error)),
    }
}

/// The file below the worktree, when no part of the way is a symbolic link that could lead out of it.
fn inside(worktree: &Path, file: &str) -> Result<PathBuf, StandInError> {
    let mut path = worktree.to_owned();
    for part in Path::new(file).components() {
        path.push(part);
        if path.is_symlink() {
            return Err(StandInError::Edit {
                file: file.to_owned(),
                why: "leads through a symbolic link".to_owned(),
            });
        }
    }
    Ok(path)
}

/// Writes beside the file and renames, so that nobody reads half of it; an existing file keeps its mode. Not synced:
/// an attempt that a crash cuts short is thrown away with its worktree.
fn write_whole(path: &Path, text: &str) -> Result<(), StandInError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mode = path
        .metadata()
        .map_or(Permissions::from_mode(0o666), |meta| meta.permissions());
    let mut temporary = tempfile::Builder::new()
        .permissions(mode)
        .tempfile_in(dir)
        .map_err(io(dir))?;
    temporary.write_all(text.as_bytes()).map_err(io(path))?;
    let persisted = temporary.persist(path);
    persisted.map(drop).map_err(|error| io(path)(error.error))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StandInError {
    let path = path.to_owned();
    move |source| StandInError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "[items.a.report]\nsummary = \"s\"\ndeliverables = [\"d\"]\ncommit = { type = \"feat\", subject = \"do it\" }\n";

    struct Rig {
        dir: tempfile::TempDir,
    }

    /// A worktree with `src/x.txt` and these tries prepared for item `a`.
    fn rig(tries: &str) -> Rig {
        let rig = Rig {
            dir: tempfile::tempdir().unwrap(),
        };
        rig.put("src/x.txt", "one\ntwo\nthree\n");
        rig.put(PREPARED_FILE, &format!("format = 1\n{tries}\n{REPORT}"));
        rig
    }

    impl Rig {
        fn path(&self, file: &str) -> PathBuf {
            self.dir.path().join("tree").join(file)
        }

        fn put(&self, file: &str, text: &str) {
            std::fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
            File::create(self.path(file))
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }

        fn text(&self, file: &str) -> String {
            std::fs::read_to_string(self.path(file)).unwrap()
        }

        fn env(&self, try_number: u32) -> StandInEnv {
            StandInEnv {
                worktree: self.path(""),
                item: "a".to_owned(),
                try_number,
                conflict: false,
                report_file: Some(self.dir.path().join("report.json")),
            }
        }

        fn error(&self) -> String {
            play(&self.env(1), &mut Vec::new(), |_| ())
                .unwrap_err()
                .to_string()
        }
    }

    fn edit(body: &str) -> String {
        format!("[[items.a.tries]]\n[[items.a.tries.edits]]\nfile = \"src/x.txt\"\n{body}\n")
    }

    #[test]
    fn plays_edits_and_leaves_a_report() {
        let rig = rig("[[items.a.tries]]\nsay = \"hello\"\nedits = [\n\
             { file = \"src/x.txt\", find = \"two\\n\", replace = \"2\\n\" },\n\
             { file = \"src/x.txt\", append = \"four\\n\" },\n\
             { file = \"new/y.txt\", create = \"y\\n\" },\n]\n");
        let mut log = Vec::new();
        assert_eq!(stand_in_main(&rig.env(1), &mut log), 0);
        assert_eq!(rig.text("src/x.txt"), "one\n2\nthree\nfour\n");
        assert_eq!(rig.text("new/y.txt"), "y\n");
        let report = std::fs::read_to_string(rig.dir.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(
            report,
            serde_json::json!({"summary": "s", "deliverables": ["d"], "commit": {"type": "feat", "subject": "do it"}})
        );
        let log = String::from_utf8(log).unwrap();
        assert!(
            log.contains("does not think")
                && log.contains("hello")
                && log.contains("wrote new/y.txt")
        );
    }

    #[test]
    fn each_try_has_its_turn_and_the_last_is_played_again() {
        let tries =
            "[[items.a.tries]]\nhang = true\n[[items.a.tries]]\nexit = 3\n[[items.a.tries]]\n";
        let rig = rig(tries);
        let played = |n| play(&rig.env(n), &mut Vec::new(), |_| ()).unwrap();
        let endings = [1, 2, 3, 4, u32::MAX].map(played);
        let well = Ending::Exit(0);
        assert_eq!(endings, [Ending::Hang, Ending::Exit(3), well, well, well]);
    }

    #[test]
    fn no_report_of_work_that_did_not_end_well() {
        let rig = rig("[[items.a.tries]]\nexit = 3\n");
        assert_eq!(stand_in_main(&rig.env(1), &mut Vec::new()), 3);
        assert!(!rig.dir.path().join("report.json").exists());
    }

    #[test]
    fn an_edit_that_does_not_fit_changes_nothing_at_all() {
        for (body, why) in [
            ("find = \"zwei\"\nreplace = \"2\"", "occurs 0 times"),
            ("find = \"e\"\nreplace = \"E\"", "occurs 3 times"),
            ("create = \"x\"", "exists already"),
        ] {
            let before = "[[items.a.tries]]\n[[items.a.tries.edits]]\nfile = \"first.txt\"\ncreate = \"1\"\n";
            let tail = edit(body).replacen("[[items.a.tries]]\n", "", 1);
            let rig = rig(&format!("{before}{tail}"));
            assert!(rig.error().contains(why), "{}", rig.error());
            assert!(!rig.path("first.txt").exists());
            assert_eq!(
                stand_in_main(&rig.env(1), &mut Vec::new()),
                EXIT_BAD_PREPARED
            );
        }
        let missing = edit("append = \"x\"").replace("src/x.txt", "src/none.txt");
        assert!(rig(&missing).error().contains("does not exist"));
    }

    #[test]
    fn paths_stay_inside_and_away_from_git_and_us() {
        for file in [
            "",
            "/etc/passwd",
            "../x",
            "src/../../x",
            "./x",
            ".git/config",
            "sub/.GIT/hooks/x",
            "ROADMAP.md",
            "docs/roadmap.md",
            ".callboard/prepared.toml",
            "callboard.toml",
        ] {
            let tries =
                format!("[[items.a.tries]]\nedits = [{{ file = {file:?}, create = \"x\" }}]\n");
            let error = rig(&tries).error();
            assert!(
                error.contains("is no path inside") || error.contains("not for an edit"),
                "{file}: {error}"
            );
        }
    }

    #[test]
    fn symbolic_links_lead_nowhere() {
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("x.txt");
        File::create(&target)
            .unwrap()
            .write_all(b"theirs\n")
            .unwrap();
        for (file, body) in [
            ("out/x.txt", "append = \"ours\""),
            ("out/new.txt", "create = \"ours\""),
            ("link.txt", "append = \"ours\""),
        ] {
            let rig = rig(&edit(body).replace("src/x.txt", file));
            std::os::unix::fs::symlink(outside.path(), rig.path("out")).unwrap();
            std::os::unix::fs::symlink(&target, rig.path("link.txt")).unwrap();
            assert!(rig.error().contains("symbolic link"), "{}", rig.error());
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "theirs\n");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_file_is_checked_as_a_whole() {
        for (tries, why) in [
            ("", "missing field `tries`"),
            ("[[items.a.tries]]\nthink_ms = 60001\n", "more than 60000"),
            ("[[items.a.tries]]\nhang = true\nexit = 1\n", "hangs"),
            ("[[items.a.tries]]\nthinkms = 1\n", "thinkms"),
            (&edit("find = \"x\""), "needs one of"),
            (&edit("create = \"x\"\nappend = \"y\""), "needs one of"),
            (&edit("find = \"x\"\nreplace = \"x\""), "changes nothing"),
        ] {
            let rig = rig(tries);
            assert!(rig.error().contains(why), "{why}: {}", rig.error());
            assert!(prepared_items(&rig.path("")).is_err());
        }
        let old = rig("[[items.a.tries]]\n");
        old.put(
            PREPARED_FILE,
            &old.text(PREPARED_FILE).replace("format = 1", "format = 2"),
        );
        assert!(old.error().contains("format 2"), "{}", old.error());
        let commit = rig("[[items.a.tries]]\n");
        commit.put(
            PREPARED_FILE,
            &commit.text(PREPARED_FILE).replace("feat", "feature"),
        );
        assert!(
            commit.error().contains("no commit type"),
            "{}",
            commit.error()
        );
    }

    #[test]
    fn an_unknown_item_is_told_what_there_is() {
        let rig = rig("[[items.a.tries]]\n");
        let env = StandInEnv {
            item: "b".to_owned(),
            ..rig.env(1)
        };
        let error = play(&env, &mut Vec::new(), |_| ()).unwrap_err().to_string();
        assert!(
            error.contains("nothing for b; it has: a;") && error.contains("--agent"),
            "{error}"
        );
    }

    #[test]
    fn a_project_without_prepared_edits() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!has_prepared(dir.path()));
        assert!(prepared_items(dir.path()).unwrap().is_none());
    }

    #[test]
    fn what_it_is_told() {
        let vars = |name: &str| match name {
            "CALLBOARD_WORKTREE" => Some("/w".into()),
            "CALLBOARD_ITEM" => Some("priority-1".into()),
            "CALLBOARD_TRY" => Some("2".into()),
            "CALLBOARD_CONFLICT" => Some("1".into()),
            _ => None,
        };
        let env = StandInEnv::from_lookup(vars).unwrap();
        assert_eq!(
            (env.try_number, env.conflict, env.report_file),
            (2, true, None)
        );
        for missing in ["CALLBOARD_WORKTREE", "CALLBOARD_ITEM", "CALLBOARD_TRY"] {
            let error = StandInEnv::from_lookup(|name| vars(name).filter(|_| name != missing));
            assert!(error.unwrap_err().to_string().contains(missing));
        }
        let zero = |name: &str| {
            vars(name).map(|v: OsString| {
                if name == "CALLBOARD_TRY" {
                    "0".into()
                } else {
                    v
                }
            })
        };
        assert!(StandInEnv::from_lookup(zero).is_err());
    }

    /// The shipped example, played to its end in several orders: always the same files.
    mod example {
        use super::*;

        const SEED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tally");

        fn files(dir: &Path, below: &str, found: &mut BTreeMap<String, String>) {
            for entry in std::fs::read_dir(dir.join(below)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let file = if below.is_empty() {
                    name.clone()
                } else {
                    format!("{below}/{name}")
                };
                if dir.join(&file).is_dir() {
                    if name != "target" {
                        files(dir, &file, found);
                    }
                } else {
                    found.insert(
                        file.clone(),
                        std::fs::read_to_string(dir.join(&file)).unwrap(),
                    );
                }
            }
        }

        fn tree(dir: &Path) -> BTreeMap<String, String> {
            let mut found = BTreeMap::new();
            files(dir, "", &mut found);
            found
        }

        /// The last try of each item, in this order.
        fn play_all(order: [u8; 7]) -> BTreeMap<String, String> {
            let dir = tempfile::tempdir().unwrap();
            for (file, text) in tree(Path::new(SEED)) {
                let path = dir.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                File::create(path)
                    .unwrap()
                    .write_all(text.as_bytes())
                    .unwrap();
            }
            for number in order {
                let env = StandInEnv {
                    worktree: dir.path().to_owned(),
                    item: format!("priority-{number}"),
                    try_number: 9,
                    conflict: false,
                    report_file: None,
                };
                let played = play(&env, &mut Vec::new(), |_| ());
                assert!(
                    matches!(played, Ok(Ending::Exit(0))),
                    "{number}: {played:?}"
                );
            }
            tree(dir.path())
        }

        #[test]
        fn the_end_does_not_depend_on_the_order() {
            let straight = play_all([2, 3, 4, 5, 6, 7, 8]);
            for order in [
                [3, 2, 7, 6, 8, 5, 4],
                [5, 4, 2, 7, 3, 6, 8],
                [2, 6, 7, 8, 3, 5, 4],
            ] {
                assert_eq!(play_all(order), straight, "{order:?}");
            }
            assert!(straight.contains_key("src/budget.rs"));
        }

        #[test]
        fn it_is_prepared_for_every_open_item_and_its_deliverables() {
            let seed = Path::new(SEED);
            let text = std::fs::read(seed.join("ROADMAP.md")).unwrap();
            let roadmap = callboard_roadmap::parse(&text).unwrap();
            let prepared = Prepared::read(seed).unwrap();
            let open = roadmap.open_work();
            let keys: Vec<&str> = open.iter().map(|item| item.key.as_str()).collect();
            assert_eq!(keys, prepared.items.keys().collect::<Vec<_>>());
            for item in open {
                let named: Vec<&str> = item
                    .deliverables
                    .iter()
                    .map(|box_| box_.text.as_str())
                    .collect();
                let reported = &prepared.items[item.key.as_str()].report.deliverables;
                assert_eq!(&named, reported, "{}", item.key);
            }
        }

        #[test]
        fn it_shows_what_can_go_wrong() {
            let prepared = Prepared::read(Path::new(SEED)).unwrap();
            let twice: Vec<(&str, bool)> = prepared
                .items
                .iter()
                .filter(|(_, item)| item.tries.len() == 2)
                .map(|(key, item)| (key.as_str(), item.tries[0].hang))
                .collect();
            // The one's first try fails its tests; the other's hangs.
            assert_eq!(twice, [("priority-4", false), ("priority-5", true)]);
            assert!(
                prepared
                    .items
                    .values()
                    .all(|item| !item.tries[item.tries.len() - 1].hang)
            );
        }
    }
}
