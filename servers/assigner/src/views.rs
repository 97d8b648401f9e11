//! What answers are made of: short, with nothing empty in them.

use callboard_mcp::clip;
use callboard_scheduling::{State, Task, span};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest title shown where many tasks are.
const TITLE_CHARS: usize = 100;
/// The longest reason shown there.
const REASON_CHARS: usize = 160;

/// A time as text: UTC, to the second.
pub(crate) fn time(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1000)).map_or_else(|_| ms.to_string(), |t| t.to_string())
}

/// How long ago, for people.
pub(crate) fn ago(now: i64, then: i64) -> String {
    format!("{} ago", span(now - then))
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
// No doc comment: it would be in the schema of every list of them.
pub enum StateWord {
    Waiting,
    Scheduled,
    Ready,
    Running,
    Done,
    Dead,
    Parked,
    Cancelled,
}

impl From<StateWord> for State {
    fn from(word: StateWord) -> State {
        match word {
            StateWord::Waiting => State::Waiting,
            StateWord::Scheduled => State::Scheduled,
            StateWord::Ready => State::Ready,
            StateWord::Running => State::Running,
            StateWord::Done => State::Done,
            StateWord::Dead => State::Dead,
            StateWord::Parked => State::Parked,
            StateWord::Cancelled => State::Cancelled,
        }
    }
}

/// The schema of an object that shows itself. Most clients send every schema to their model with every
/// request, so what an answer makes plain is not declared as well; the schema stays true.
pub(crate) struct Open;

impl JsonSchema for Open {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Open".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object"})
    }
}

/// A task among others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    pub(crate) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Row {
    pub(crate) fn of(task: &Task) -> Self {
        Row {
            id: task.id.clone(),
            state: task.state.as_str(),
            title: clip(&task.title, TITLE_CHARS).into_owned(),
            note: note(task).map(|note| clip(&note, REASON_CHARS).into_owned()),
        }
    }

    pub(crate) fn line(&self) -> String {
        let note = self
            .note
            .as_deref()
            .map_or(String::new(), |note| format!(" ({note})"));
        format!("{} {} {}{note}", self.id, self.state, self.title)
    }
}

/// What a list has to say about a task, from its row alone; `task_get` tells the whole reason.
fn note(task: &Task) -> Option<String> {
    match task.state {
        State::Waiting => Some(match task.waiting_on {
            1 => "waits for 1 task".to_owned(),
            many => format!("waits for {many} tasks"),
        }),
        State::Running => {
            let worker = task.worker.as_deref().unwrap_or("a worker");
            Some(match &task.progress {
                Some(progress) => format!("{worker}: {progress}"),
                None => worker.to_owned(),
            })
        }
        State::Scheduled | State::Ready | State::Dead | State::Parked | State::Cancelled => {
            task.reason.clone()
        }
        State::Done => None,
    }
}

/// Where a task is after it was written to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stated {
    #[schemars(skip)]
    pub(crate) id: String,
    pub(crate) state: &'static str,
    pub(crate) reason: String,
}

impl Stated {
    pub(crate) fn of(task: &Task, reason: String) -> Self {
        Stated {
            id: task.id.clone(),
            state: task.state.as_str(),
            reason,
        }
    }
}

impl callboard_mcp::Render for Stated {
    fn text(&self) -> String {
        match self.state {
            "done" => format!("{} is done", self.id),
            state => format!("{} is {state}: {}", self.id, self.reason),
        }
    }
}

/// Facts of which most tasks have few: only what is there is told.
#[derive(Debug, Default)]
pub(crate) struct Facts(Map<String, Value>);

impl Facts {
    /// Adds what is not empty.
    pub(crate) fn add(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        if !is_empty(&value) {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds a time, where there is one.
    pub(crate) fn time(&mut self, name: &str, ms: Option<i64>) -> &mut Self {
        self.add(name, ms.map(time))
    }

    pub(crate) fn done(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.0)
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Facts as lines for people: a name and its value.
pub(crate) fn lines(facts: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (name, value) in facts {
        match value {
            Value::String(text) if text.contains('\n') => {
                out.push_str(&format!("\n{name}:\n{text}"))
            }
            Value::String(text) => out.push_str(&format!("\n{name}: {text}")),
            other => out.push_str(&format!("\n{name}: {other}")),
        }
    }
    out
}

/// A text of which a page is shown.
pub(crate) struct Page<'t> {
    pub(crate) text: &'t str,
    /// Where the next page begins, in characters.
    pub(crate) next: Option<u32>,
}

/// The page of `text` that begins at the character `from`, at most `chars` long.
pub(crate) fn page(text: &str, from: u32, chars: usize) -> Page<'_> {
    let start = text
        .char_indices()
        .nth(from as usize)
        .map_or(text.len(), |(at, _)| at);
    let rest = &text[start..];
    match rest.char_indices().nth(chars) {
        Some((end, _)) => Page {
            text: &rest[..end],
            next: Some(from.saturating_add(u32::try_from(chars).unwrap_or(u32::MAX))),
        },
        None => Page {
            text: rest,
            next: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_utc_to_the_second() {
        assert_eq!(time(1_790_000_000_999), "2026-09-21T14:13:20Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59Z");
        assert_eq!(time(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn only_what_is_there_is_told() {
        let mut facts = Facts::default();
        facts
            .add("none", None::<String>)
            .add("text", "")
            .add("list", Vec::<String>::new())
            .add("zero", 0)
            .time("never", None)
            .time("then", Some(0));
        let facts = facts.done();
        assert_eq!(
            Value::Object(facts.clone()),
            json!({"zero": 0, "then": "1970-01-01T00:00:00Z"})
        );
        assert_eq!(lines(&facts), "\nzero: 0\nthen: 1970-01-01T00:00:00Z");
    }

    #[test]
    fn pages_join_up_by_characters() {
        let text = "ñandú ".repeat(10);
        let (mut read, mut from) = (String::new(), Some(0));
        while let Some(at) = from {
            let page = page(&text, at, 7);
            read.push_str(page.text);
            from = page.next;
        }
        assert_eq!(read, text);
        assert_eq!(page("abc", 99, 7).text, "");
        assert_eq!(page("abcd", 0, 4).next, None);
    }
}
