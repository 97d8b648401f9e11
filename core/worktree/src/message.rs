//! For: commit messages in the form of Conventional Commits 1.0, made from titles and reports nobody proofread.
//! Whatever comes in, what goes out is one header line of at most 72 characters, a body, and trailers.
//! Not for: deciding what a commit contains.

use serde::{Deserialize, Serialize};

const HEADER_MAX: usize = 72;
const SCOPE_MAX: usize = 24;
const BODY_MAX: usize = 8_000;
const TRAILER_MAX: usize = 400;

const KINDS: &[&str] = &[
    "build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test",
];

/// Words that tell the kind of a change; the first in a title decides.
const SIGNS: &[(&str, &[&str])] = &[
    (
        "fix",
        &[
            "fix",
            "fixes",
            "bug",
            "bugs",
            "bugfix",
            "crash",
            "repair",
            "correct",
            "regression",
            "leak",
            "broken",
        ],
    ),
    (
        "docs",
        &[
            "docs",
            "doc",
            "document",
            "documentation",
            "readme",
            "changelog",
            "tutorial",
            "guide",
        ],
    ),
    ("test", &["test", "tests", "testing", "coverage"]),
    (
        "refactor",
        &[
            "refactor",
            "refactoring",
            "rename",
            "restructure",
            "simplify",
            "cleanup",
            "extract",
        ],
    ),
    (
        "perf",
        &[
            "perf",
            "performance",
            "faster",
            "speed",
            "optimise",
            "optimize",
            "optimisation",
            "optimization",
        ],
    ),
    ("ci", &["ci", "pipeline"]),
    (
        "chore",
        &["chore", "bump", "upgrade", "dependencies", "housekeeping"],
    ),
];

/// A name and an address for a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
}

/// A commit message, normalised piece by piece as it is put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    kind: &'static str,
    scope: Option<String>,
    subject: String,
    body: String,
    trailers: Vec<(String, String)>,
    author: Option<Person>,
}

impl Message {
    /// Builds the header. An unknown kind is guessed from the subject; a scope becomes `[a-z0-9-]`; a subject that
    /// already starts with `kind(scope):` keeps only what follows it.
    pub fn new(kind: &str, scope: Option<&str>, subject: &str) -> Message {
        let line = one_line(subject);
        let (said, rest) = split_header(&line);
        let known = known_kind(kind).or(said.map(|(kind, _)| kind));
        let scope = scope
            .or(said.and_then(|(_, scope)| scope))
            .map(clean_scope)
            .filter(|scope| !scope.is_empty());
        let kind = known.unwrap_or_else(|| guess(rest));
        Message {
            kind,
            scope,
            subject: clean_subject(rest),
            body: String::new(),
            trailers: Vec::new(),
            author: None,
        }
    }

    /// Builds the header from a title alone; the kind is guessed from its words (`feat` when none tells).
    pub fn from_title(title: &str) -> Message {
        Message::new("", None, title)
    }

    /// Sets the body; control characters are dropped, 8,000 characters are kept.
    #[must_use]
    pub fn with_body(mut self, body: &str) -> Message {
        let kept = body.replace("\r\n", "\n");
        self.body = kept
            .chars()
            .filter(|c| *c == '\n' || !is_unwanted(*c))
            .take(BODY_MAX)
            .collect();
        self.body = self.body.trim().to_owned();
        self
    }

    /// Adds a trailer. The key keeps `[A-Za-z0-9-]`, the value becomes one line; an empty one is left out.
    #[must_use]
    pub fn with_trailer(mut self, key: &str, value: &str) -> Message {
        let (key, value) = (clean_key(key), clean_value(value));
        if !key.is_empty() && !value.is_empty() {
            self.trailers.push((key, value));
        }
        self
    }

    /// Names an author other than the one git is configured for.
    #[must_use]
    pub fn with_author(mut self, author: Person) -> Message {
        self.author = Some(author);
        self
    }

    /// The kind, such as `feat`.
    pub fn kind(&self) -> &str {
        self.kind
    }

    /// The author, if one was named.
    pub fn author(&self) -> Option<&Person> {
        self.author.as_ref()
    }

    /// The first line: `kind(scope): subject`, at most 72 characters, cut at a word.
    pub fn header(&self) -> String {
        let scope = self
            .scope
            .as_ref()
            .map(|scope| format!("({scope})"))
            .unwrap_or_default();
        let prefix = format!("{}{scope}: ", self.kind);
        let room = HEADER_MAX - prefix.chars().count();
        format!("{prefix}{}", cut_at_word(&self.subject, room))
    }

    /// The whole message, ending in a line end.
    pub fn render(&self) -> String {
        let mut parts = vec![self.header()];
        if !self.body.is_empty() {
            parts.push(self.body.clone());
        }
        if !self.trailers.is_empty() {
            let lines = self
                .trailers
                .iter()
                .map(|(key, value)| format!("{key}: {value}"));
            parts.push(lines.collect::<Vec<_>>().join("\n"));
        }
        parts.join("\n\n") + "\n"
    }
}

pub(crate) fn clean_key(key: &str) -> String {
    key.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(60)
        .collect()
}

pub(crate) fn clean_value(value: &str) -> String {
    one_line(value)
        .chars()
        .take(TRAILER_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn known_kind(kind: &str) -> Option<&'static str> {
    let kind = kind.trim().to_ascii_lowercase();
    KINDS.iter().copied().find(|known| *known == kind)
}

type Said<'a> = Option<(&'static str, Option<&'a str>)>;

/// Takes a `kind(scope)!:` off the front of a line.
fn split_header(line: &str) -> (Said<'_>, &str) {
    let Some((front, rest)) = line.split_once(": ") else {
        return (None, line);
    };
    let front = front.trim_end_matches('!');
    let (kind, scope) = match front
        .strip_suffix(')')
        .and_then(|front| front.split_once('('))
    {
        Some((kind, scope)) => (kind, Some(scope)),
        None => (front, None),
    };
    match known_kind(kind) {
        Some(kind) => (Some((kind, scope)), rest),
        None => (None, line),
    }
}

fn guess(subject: &str) -> &'static str {
    let mut words = subject
        .split(|c: char| !c.is_alphanumeric())
        .map(str::to_lowercase);
    words
        .find_map(|word| {
            SIGNS
                .iter()
                .find(|(_, signs)| signs.contains(&word.as_str()))
        })
        .map_or("feat", |(kind, _)| kind)
}

fn clean_scope(scope: &str) -> String {
    let plain = scope.to_lowercase().replace(
        |c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit(),
        "-",
    );
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let joined = parts.join("-");
    joined[..joined.len().min(SCOPE_MAX)]
        .trim_end_matches('-')
        .to_owned()
}

fn clean_subject(text: &str) -> String {
    let text = text
        .trim()
        .trim_end_matches(['.', ' '])
        .trim_start_matches(['-', '#', '*', ' ']);
    if text.is_empty() {
        "update".to_owned()
    } else {
        lower_first(text)
    }
}

/// `Add a page` starts small, `HTTP server` and `SQLite` do not.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let word = chars.as_str().split_whitespace().next().unwrap_or_default();
    if word.chars().any(char::is_uppercase)
        || text
            .chars()
            .nth(1)
            .is_none_or(|second| !second.is_lowercase())
    {
        return text.to_owned();
    }
    first.to_lowercase().chain(chars).collect()
}

fn cut_at_word(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let cut: String = text.chars().take(max + 1).collect();
    let end = cut.rfind(' ').filter(|end| *end > 0);
    let cut = end.map_or_else(
        || cut.chars().take(max).collect(),
        |end| cut[..end].to_owned(),
    );
    cut.trim_end_matches([' ', ',', ';', ':', '-', '.'])
        .to_owned()
}

fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| if is_unwanted(c) { ' ' } else { c })
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Control characters, and the marks that turn the direction of text around.
fn is_unwanted(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn kinds_are_guessed_from_words() {
        let cases = [
            ("Add a login page", "feat: add a login page"),
            ("Fix the crash on start.", "fix: fix the crash on start"),
            ("Write the README", "docs: write the README"),
            ("Add tests for the parser", "test: add tests for the parser"),
            ("Make search faster", "perf: make search faster"),
            ("HTTP server", "feat: HTTP server"),
            ("SQLite store", "feat: SQLite store"),
            ("fix(Parser)!: Keep tabs", "fix(parser): keep tabs"),
            ("Note: this is no kind", "feat: note: this is no kind"),
            ("--all", "feat: all"),
            ("", "feat: update"),
        ];
        for (title, header) in cases {
            assert_eq!(Message::from_title(title).header(), header);
        }
    }

    #[test]
    fn given_kinds_and_scopes_are_normalised() {
        assert_eq!(
            Message::new("DOCS", Some("User Guide!"), "Say how").header(),
            "docs(user-guide): say how"
        );
        assert_eq!(
            Message::new("nonsense", Some("--"), "Fix it").header(),
            "fix: fix it"
        );
    }

    #[test]
    fn headers_stay_within_72_characters() {
        let long = Message::new("feat", Some(&"s".repeat(90)), &"word ".repeat(100)).header();
        assert!(
            long.chars().count() <= 72 && long.ends_with("word"),
            "{long}"
        );
        let solid = Message::from_title(&"ü".repeat(500)).header();
        assert_eq!(solid.chars().count(), 72);
    }

    #[test]
    fn nothing_gets_out_of_its_line() {
        let message = Message::from_title("One\nTwo\u{7}\u{202e} three")
            .with_body("First\r\nsecond\u{1b}[31m\n")
            .with_trailer("Callboard-Task", "t_1\nOther: x")
            .with_trailer("bad key:", "v")
            .with_trailer("Empty", " ");
        let expected =
            "feat: one Two three\n\nFirst\nsecond[31m\n\nCallboard-Task: t_1 Other: x\nbadkey: v\n";
        assert_eq!(message.render(), expected);
    }
}
