//! `callboard init`: puts our servers into a project's file of MCP servers.
//! For: adding or mending our own entries, byte for byte keeping everything else, and saying what changed.
//! Not for: starting anything, or touching a client's own settings.

use anyhow::{Context, bail};
use callboard_config::Environment;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The servers that every project gets, with what each is for.
const SERVERS: &[(&str, &str)] = &[
    ("assigner", "tasks: post, claim, watch, finish"),
    ("roadmap", "ROADMAP.md: load it, work it to its end"),
];

/// The member of the file that holds the servers.
const MEMBER: &str = "mcpServers";

/// Arguments of `callboard init`.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    /// Whose file to write: .mcp.json for Claude Code, mcp.json for others
    #[arg(long, value_enum, default_value_t = Client::ClaudeCode)]
    pub client: Client,
    /// Root of the project
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub path: PathBuf,
    /// Show what would change and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// A kind of MCP client, by where it looks for servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// Claude Code: `.mcp.json` at the root of the project
    ClaudeCode,
    /// Any other: `mcp.json`, to be pointed at or copied from
    Generic,
}

impl Client {
    fn file(self) -> &'static str {
        match self {
            Self::ClaudeCode => ".mcp.json",
            Self::Generic => "mcp.json",
        }
    }
}

/// Adds our servers to the project's file.
///
/// # Errors
/// A file that is no JSON (with the line), or that has another server by one of our names. Nothing is written then.
pub fn init(
    args: &InitArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let exe = std::env::current_exe().context("finding this program")?;
    init_as(&exe, args, environment, out)?;
    Ok(ExitCode::SUCCESS)
}

/// The same for a program at this absolute path.
fn init_as(
    exe: &Path,
    args: &InitArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let given = environment.cwd().join(&args.path);
    let Some(dir) = given.canonicalize().ok().filter(|dir| dir.is_dir()) else {
        bail!(
            "{} is no directory; give the root of the project with --path",
            given.display()
        );
    };
    let file = dir.join(args.client.file());
    let before = read(&file)?;
    let command = Command::of(environment, exe)?;
    let mut text = before.clone().unwrap_or_default();
    let mut changes = Vec::new();
    for (name, purpose) in SERVERS {
        let entry = command.entry(args.client, name);
        let (after, change) = with_server(&text, name, &entry)
            .with_context(|| format!("{}: nothing was written", file.display()))?;
        text = after;
        changes.push(format!(
            "  {change:<9} {name:<9} {} {name}   ({purpose})",
            command.name
        ));
    }
    let changed = before.as_deref() != Some(&text);
    let backup = if changed && !args.dry_run {
        write(&file, before.as_deref(), &text)?
    } else {
        None
    };
    let told = Told {
        file: &file,
        command: &command,
        changes: &changes,
        backup: backup.as_deref(),
        verb: match (changed, args.dry_run) {
            (false, _) => "has all of it already",
            (true, true) => "would change",
            (true, false) => "written",
        },
    };
    told.say(args, changed, out)
}

/// What is told at the end.
struct Told<'a> {
    file: &'a Path,
    command: &'a Command,
    changes: &'a [String],
    backup: Option<&'a Path>,
    verb: &'a str,
}

impl Told<'_> {
    fn say(&self, args: &InitArgs, changed: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        writeln!(out, "{}: {}", self.file.display(), self.verb)?;
        for line in self.changes {
            writeln!(out, "{line}")?;
        }
        if let Some(backup) = self.backup {
            writeln!(out, "The file as it was: {}", backup.display())?;
        }
        if self.command.absolute {
            writeln!(
                out,
                "`callboard` is not on your PATH as this program, so the entries hold its absolute path: put it on the \
                 PATH and run `callboard init` again before you share the file."
            )?;
        }
        if changed && !args.dry_run && args.client == Client::ClaudeCode {
            writeln!(
                out,
                "Next: start `claude` in the project; it asks once whether it may use them."
            )?;
        }
        Ok(())
    }
}

/// How a client starts us.
struct Command {
    name: String,
    absolute: bool,
}

impl Command {
    /// By name where the name means this very program; a path is right on this machine only.
    fn of(environment: &Environment, exe: &Path) -> anyhow::Result<Self> {
        let same = |found: PathBuf| found.canonicalize().ok() == exe.canonicalize().ok();
        if environment.which("callboard").is_some_and(same) {
            return Ok(Self {
                name: "callboard".to_owned(),
                absolute: false,
            });
        }
        let name = exe
            .to_str()
            .with_context(|| format!("{} is not UTF-8, so JSON can't hold it", exe.display()))?;
        Ok(Self {
            name: name.to_owned(),
            absolute: true,
        })
    }

    fn entry(&self, client: Client, server: &str) -> Map<String, Value> {
        let mut entry = Map::new();
        if client == Client::ClaudeCode {
            entry.insert("type".to_owned(), json!("stdio"));
        }
        entry.insert("command".to_owned(), json!(self.name));
        entry.insert("args".to_owned(), json!([server]));
        entry
    }
}

/// What happened to one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Updated,
    Unchanged,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        })
    }
}

/// The text with this server in it; every byte outside of its entry is kept.
fn with_server(
    text: &str,
    name: &str,
    entry: &Map<String, Value>,
) -> anyhow::Result<(String, Change)> {
    if text.trim_start_matches(BOM).trim().is_empty() {
        let mut root = Map::new();
        root.insert(MEMBER.to_owned(), json!({ name: entry }));
        return Ok((
            format!("{}\n", pretty(&Value::Object(root), "  ")?),
            Change::Added,
        ));
    }
    let root = parse(text)?;
    let Some(servers) = root.get(MEMBER) else {
        let value = json!({ name: entry });
        let start = object_start(text);
        return Ok((insert(text, start, MEMBER, &value)?, Change::Added));
    };
    let Some(servers) = servers.as_object() else {
        bail!("{MEMBER} is no object; mend it by hand");
    };
    let at = member(text, object_start(text), MEMBER).context("no place for the servers")?;
    let Some(present) = servers.get(name) else {
        let value = Value::Object(entry.clone());
        return Ok((insert(text, at.start, name, &value)?, Change::Added));
    };
    let wanted = merged(name, present, entry)?;
    if wanted == *present {
        return Ok((text.to_owned(), Change::Unchanged));
    }
    let span = member(text, at.start, name).context("no place for the server")?;
    let indent = line_indent(text, span.start);
    let value = reindented(
        &pretty(&wanted, &indent_unit(text))?,
        &indent,
        newline(text),
    );
    Ok((replaced(text, span, &value), Change::Updated))
}

const BOM: char = '\u{feff}';

fn parse(text: &str) -> anyhow::Result<Map<String, Value>> {
    let json = text.trim_start_matches(BOM);
    let value: Value = serde_json::from_str(json).map_err(|error| {
        anyhow::anyhow!(
            "line {}, column {} is no JSON ({}); mend it by hand",
            error.line(),
            error.column(),
            error
        )
    })?;
    match value {
        Value::Object(root) => Ok(root),
        _ => bail!("the file holds no JSON object; mend it by hand"),
    }
}

/// Our entry as it should be: what the user added to it (environment, time limits) stays.
fn merged(name: &str, present: &Value, entry: &Map<String, Value>) -> anyhow::Result<Value> {
    let is_ours = |old: &Map<String, Value>| {
        let command = old.get("command").and_then(Value::as_str).map(Path::new);
        let by_name = command
            .and_then(Path::file_name)
            .is_some_and(|file| file == "callboard");
        let same = old.get("command") == entry.get("command");
        (by_name || same) && old.get("args") == entry.get("args")
    };
    match present.as_object() {
        Some(old) if is_ours(old) => {
            let mut merged = old.clone();
            merged.insert("command".to_owned(), entry["command"].clone());
            Ok(Value::Object(merged))
        }
        _ => bail!(
            "{MEMBER}.{name} is another server already; rename it there, or add \"{name}\" under another name by hand"
        ),
    }
}

// --- Text of JSON that has already been parsed: so strings close and brackets match, and only places are looked for.

/// Offset of the root object's `{`.
fn object_start(text: &str) -> usize {
    text.find('{').unwrap_or(0)
}

/// The members of the object that starts at `open`: for each, where its key and its value stand.
fn members(text: &str, open: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = skip_space(text, open + 1);
    while text[at..].starts_with('"') {
        let key = at..end_of_value(text, at);
        let colon = skip_space(text, key.end);
        let start = skip_space(text, colon + 1);
        let value = start..end_of_value(text, start);
        at = skip_space(text, value.end);
        found.push((key, value));
        if text[at..].starts_with(',') {
            at = skip_space(text, at + 1);
        }
    }
    found
}

fn skip_space(text: &str, from: usize) -> usize {
    let rest = &text[from..];
    from + (rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len())
}

fn end_of_value(text: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in text.bytes().enumerate().skip(from) {
        let was_in_string = in_string;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return offset,
            b'}' | b']' => depth -= 1,
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return offset,
            _ => {}
        }
        let closed = matches!(byte, b'}' | b']') || (was_in_string && !in_string);
        if depth == 0 && closed && !in_string {
            return offset + 1;
        }
    }
    text.len()
}

/// Where the value of a member stands; the last one counts, as it does for parsers.
fn member(text: &str, open: usize, name: &str) -> Option<Range<usize>> {
    let is_it = |key: &Range<usize>| {
        serde_json::from_str::<String>(&text[key.clone()]).is_ok_and(|key| key == name)
    };
    members(text, open)
        .into_iter()
        .rev()
        .find(|(key, _)| is_it(key))
        .map(|(_, value)| value)
}

/// Adds a member at the end of the object that starts at `open`.
fn insert(text: &str, open: usize, name: &str, value: &Value) -> anyhow::Result<String> {
    let newline = newline(text);
    let unit = indent_unit(text);
    let outer = line_indent(text, open);
    let members = members(text, open);
    let inner = match members.first() {
        Some((key, _)) if text[open..key.start].contains('\n') => line_indent(text, key.start),
        _ => format!("{outer}{unit}"),
    };
    let value = reindented(&pretty(value, &unit)?, &inner, newline);
    let added = format!("{newline}{inner}{}: {value}", serde_json::to_string(name)?);
    match members.last() {
        Some((_, last)) => Ok(replaced(text, last.end..last.end, &format!(",{added}"))),
        None => {
            let close = skip_space(text, open + 1);
            Ok(replaced(
                text,
                open + 1..close,
                &format!("{added}{newline}{outer}"),
            ))
        }
    }
}

fn replaced(text: &str, span: Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..span.start], &text[span.end..])
}

fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The white space that the line of this offset starts with.
fn line_indent(text: &str, offset: usize) -> String {
    let start = text[..offset].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].trim_start_matches(BOM);
    line[..line.len() - line.trim_start_matches([' ', '\t']).len()].to_owned()
}

/// One step of indentation: that of the first indented line, else two spaces.
fn indent_unit(text: &str) -> String {
    let indents = text
        .lines()
        .map(|line| &line[..line.len() - line.trim_start().len()]);
    indents
        .filter(|indent| !indent.is_empty())
        .min_by_key(|indent| indent.len())
        .unwrap_or("  ")
        .to_owned()
}

fn pretty(value: &Value, unit: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(unit.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(value, &mut serializer)?;
    Ok(String::from_utf8(bytes)?)
}

fn reindented(value: &str, indent: &str, newline: &str) -> String {
    value.replace('\n', &format!("{newline}{indent}"))
}

// --- The file.

fn read(file: &Path) -> anyhow::Result<Option<String>> {
    if file.is_symlink() {
        bail!(
            "{} is a symbolic link: writing through it could change a file outside of the project; replace it by a \
             regular file",
            file.display()
        );
    }
    if file.exists() && !file.is_file() {
        bail!("{} is no regular file", file.display());
    }
    match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| file.display().to_string()),
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .with_context(|| format!("{} is not UTF-8; save it as UTF-8", file.display())),
    }
}

/// Replaces the file as a whole, after keeping what was there in a file of its own; returns that file's path.
fn write(file: &Path, before: Option<&str>, after: &str) -> anyhow::Result<Option<PathBuf>> {
    let context = || file.display().to_string();
    let dir = file.parent().unwrap_or(Path::new("."));
    let backup = match before {
        Some(text) => Some(back_up(file, text).with_context(context)?),
        None => None,
    };
    let mode = file
        .metadata()
        .map_or(0o666, |meta| meta.permissions().mode());
    let mut temporary = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(dir)
        .with_context(context)?;
    temporary
        .write_all(after.as_bytes())
        .with_context(context)?;
    temporary.as_file().sync_all().with_context(context)?;
    if read(file)?.as_deref() != before {
        bail!(
            "{} was changed meanwhile; run `callboard init` again",
            file.display()
        );
    }
    temporary
        .persist(file)
        .map_err(|error| error.error)
        .with_context(context)?;
    Ok(backup)
}

/// The first of `.bak`, `.bak1`, … that is free: an earlier backup is never overwritten.
fn back_up(file: &Path, text: &str) -> std::io::Result<PathBuf> {
    let mut number = 0_u32;
    loop {
        let mut name = file.as_os_str().to_owned();
        name.push(".bak");
        if number > 0 {
            name.push(number.to_string());
        }
        let path = PathBuf::from(name);
        match std::fs::File::create_new(&path) {
            Ok(mut new) => {
                new.write_all(text.as_bytes())?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        dir: tempfile::TempDir,
        environment: Environment,
        exe: PathBuf,
    }

    fn rig(on_path: bool) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir(dir.path().join("project")).unwrap();
        let exe = bin.join("callboard");
        let file = std::fs::File::create(&exe).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o755))
            .unwrap();
        let path = if on_path {
            bin
        } else {
            PathBuf::from("/nowhere")
        };
        let environment = Environment::of([("PATH", path)], dir.path().join("project"));
        Rig {
            dir,
            environment,
            exe,
        }
    }

    impl Rig {
        fn file(&self) -> PathBuf {
            self.dir.path().join("project/.mcp.json")
        }

        fn put(&self, text: &str) {
            std::fs::File::create(self.file())
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }

        fn text(&self) -> String {
            std::fs::read_to_string(self.file()).unwrap()
        }

        fn run_with(&self, client: Client, dry_run: bool) -> anyhow::Result<String> {
            let args = InitArgs {
                client,
                path: ".".into(),
                dry_run,
            };
            let mut out = Vec::new();
            init_as(&self.exe, &args, &self.environment, &mut out)?;
            Ok(String::from_utf8(out)?)
        }

        fn run(&self) -> anyhow::Result<String> {
            self.run_with(Client::ClaudeCode, false)
        }

        fn files(&self) -> Vec<String> {
            let dir = self.dir.path().join("project");
            let names = std::fs::read_dir(dir).unwrap();
            let mut names: Vec<String> = names
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    const FRESH: &str = r#"{
  "mcpServers": {
    "assigner": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "assigner"
      ]
    },
    "roadmap": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "roadmap"
      ]
    }
  }
}
"#;

    #[test]
    fn writes_a_new_file_and_does_nothing_twice() {
        let rig = rig(true);
        let said = rig.run().unwrap();
        assert!(
            said.contains(".mcp.json: written") && said.contains("added     assigner"),
            "{said}"
        );
        assert_eq!(rig.text(), FRESH);
        let again = rig.run().unwrap();
        assert!(again.contains("has all of it already"), "{again}");
        assert_eq!(rig.text(), FRESH);
        assert_eq!(rig.files(), [".mcp.json"]);
    }

    #[test]
    fn an_empty_file_counts_as_none() {
        let rig = rig(true);
        rig.put("\n");
        rig.run().unwrap();
        assert_eq!(rig.text(), FRESH);
    }

    #[test]
    fn every_other_byte_is_kept() {
        for before in [
            "{\"mcpServers\":{}}",
            "{}",
            "{ \"other\" : [1,  2] }\n",
            "\u{feff}{\n\t\"z\": 1,\n\t\"mcpServers\": {\n\t\t\"linear\": {\"url\": \"https://x/{}\\\"\"}\n\t},\n\t\"a\": 1e3\n}\n",
            "{\r\n    \"mcpServers\": {\r\n        \"b\": {\"command\": \"b\",   \"args\": [\"}\"]}\r\n    }\r\n}\r\n",
        ] {
            let rig = rig(true);
            rig.put(before);
            rig.run().unwrap();
            let after = rig.text();
            assert_is_insertion(before, &after);
            let mut expected = parse(before).unwrap();
            let servers = expected
                .entry(MEMBER)
                .or_insert(json!({}))
                .as_object_mut()
                .unwrap();
            servers.extend(parse(FRESH).unwrap()[MEMBER].as_object().unwrap().clone());
            assert_eq!(
                Value::Object(parse(&after).unwrap()),
                Value::Object(expected)
            );
            let lone = after.replace("\r\n", "").contains('\n');
            assert!(
                !before.contains("\r\n") || !lone,
                "mixed line ends: {after:?}"
            );
            rig.run().unwrap();
            assert_eq!(rig.text(), after);
        }
    }

    /// `after` is `before` with text put in at one place (white space before a lone `}` aside).
    fn assert_is_insertion(before: &str, after: &str) {
        let head = before
            .bytes()
            .zip(after.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let tail = before
            .bytes()
            .rev()
            .zip(after.bytes().rev())
            .take_while(|(a, b)| a == b)
            .count();
        assert!(head + tail >= before.len(), "{before:?} became {after:?}");
    }

    #[test]
    fn new_entries_look_like_their_neighbours() {
        let rig = rig(true);
        rig.put("{\n    \"mcpServers\": {\n        \"b\": {}\n    }\n}\n");
        rig.run().unwrap();
        let head = "{\n    \"mcpServers\": {\n        \"b\": {},\n        \"assigner\": {\n            \"type\": \"stdio\",\n";
        assert!(rig.text().starts_with(head), "{}", rig.text());
    }

    #[test]
    fn our_own_entry_is_mended_and_keeps_what_the_user_added() {
        let rig = rig(true);
        rig.put(&FRESH.replace("\"callboard\",\n      \"args\": [\n        \"assigner\"\n      ]", "\"/old/callboard\",\n      \"args\": [\n        \"assigner\"\n      ],\n      \"timeout\": 9000"));
        let said = rig.run().unwrap();
        assert!(
            said.contains("updated   assigner") && said.contains("unchanged roadmap"),
            "{said}"
        );
        let entry = parse(&rig.text()).unwrap()[MEMBER]["assigner"].clone();
        assert_eq!(
            entry,
            json!({"type": "stdio", "command": "callboard", "args": ["assigner"], "timeout": 9000})
        );
    }

    #[test]
    fn the_file_as_it_was_is_kept_and_so_are_earlier_backups() {
        let rig = rig(true);
        rig.put("{}");
        rig.run().unwrap();
        rig.put("{ }");
        rig.run().unwrap();
        assert_eq!(
            rig.files(),
            [".mcp.json", ".mcp.json.bak", ".mcp.json.bak1"]
        );
        let backup = rig.file().with_file_name(".mcp.json.bak");
        assert_eq!(std::fs::read_to_string(backup).unwrap(), "{}");
    }

    #[test]
    fn what_it_cannot_read_it_never_overwrites() {
        for (text, why) in [
            ("{\n  \"mcpServers\": {,}\n}", "line 2"),
            ("// mine\n{}", "line 1"),
            ("[]", "no JSON object"),
            ("{\"mcpServers\": []}", "is no object"),
            (
                "{\"mcpServers\": {\"roadmap\": {\"command\": \"other\"}}}",
                "another server",
            ),
        ] {
            let rig = rig(true);
            rig.put(text);
            let error = format!("{:#}", rig.run().unwrap_err());
            assert!(
                error.contains(why) && error.contains("nothing was written"),
                "{error}"
            );
            assert_eq!(rig.text(), text);
            assert_eq!(rig.files(), [".mcp.json"]);
        }
    }

    #[test]
    fn a_dry_run_writes_nothing() {
        let rig = rig(true);
        let said = rig.run_with(Client::ClaudeCode, true).unwrap();
        assert!(said.contains("would change"), "{said}");
        assert_eq!(rig.files(), Vec::<String>::new());
    }

    #[test]
    fn off_the_path_the_command_is_absolute_and_that_is_said() {
        let rig = rig(false);
        let said = rig.run().unwrap();
        assert!(said.contains("absolute path"), "{said}");
        let command = parse(&rig.text()).unwrap()[MEMBER]["assigner"]["command"].clone();
        assert_eq!(command, json!(rig.exe.to_str().unwrap()));
    }

    #[test]
    fn other_clients_have_a_file_of_their_own() {
        let rig = rig(true);
        rig.run_with(Client::Generic, false).unwrap();
        assert_eq!(rig.files(), ["mcp.json"]);
        let text = std::fs::read_to_string(rig.file().with_file_name("mcp.json")).unwrap();
        let entry = parse(&text).unwrap()[MEMBER]["roadmap"].clone();
        assert_eq!(entry, json!({"command": "callboard", "args": ["roadmap"]}));
    }

    #[test]
    fn links_and_missing_directories_are_refused() {
        let rig = rig(true);
        let outside = rig.dir.path().join("settings.json");
        std::fs::File::create(&outside)
            .unwrap()
            .write_all(b"{}")
            .unwrap();
        std::os::unix::fs::symlink(&outside, rig.file()).unwrap();
        assert!(rig.run().unwrap_err().to_string().contains("symbolic link"));
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "{}");
        let args = InitArgs {
            client: Client::Generic,
            path: "none".into(),
            dry_run: false,
        };
        assert!(init_as(&rig.exe, &args, &rig.environment, &mut Vec::new()).is_err());
    }
}
