//! All that came from a server, in order, and waiting for some of it.

use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Something that came.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// A message.
    Message(Value),
    /// A line that is no JSON.
    Junk(String),
    /// A request over HTTP that brought no answer.
    Failed {
        id: Option<Value>,
        status: Option<u64>,
        message: String,
        body: Option<Value>,
    },
}

impl Item {
    /// About how much of the bound it takes.
    fn size(&self) -> usize {
        let of = |value: &Option<Value>| value.as_ref().map_or(0, size);
        match self {
            Item::Message(value) => size(value),
            Item::Junk(line) => line.len(),
            Item::Failed {
                id, message, body, ..
            } => of(id) + message.len() + of(body),
        }
    }
}

/// About how long a value is as JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(|inner| size(inner) + 1).sum::<usize>() + 2,
        Value::Object(map) => map
            .iter()
            .map(|(key, inner)| key.len() + size(inner) + 4)
            .sum::<usize>(),
        _ => 5,
    }
}

/// The connection is gone and what was waited for did not come.
#[derive(Debug, Clone)]
pub(crate) struct Gone(pub(crate) String);

/// How much is kept, in bytes of JSON, and how many.
const MOST_BYTES: usize = 64 << 20;
const MOST: usize = 100_000;

/// What is said when some was dropped.
pub(super) const DROPPED: &str = "the server sends more than the steps take: beyond 64 MiB or 100000 messages the \
                                  oldest are dropped";

/// Whether all that came is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    All,
    ForTheFirstTimeNotAll,
    NotAll,
}

#[derive(Debug)]
struct Entry {
    item: Item,
    size: usize,
    taken: bool,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    /// How many entries are gone from the front: the place of an entry never changes.
    before: usize,
    bytes: usize,
    /// How many are gone that no step took.
    dropped: u64,
    /// The first line that was no message.
    junk: Option<String>,
    gone: Option<String>,
    counts: Counts,
}

/// How many answers may come to each id, and did.
#[derive(Debug, Default)]
struct Counts {
    of: HashMap<String, (u64, u64)>,
    /// What was sent raw may have asked anything.
    unknown: bool,
    /// The first id with too many.
    again: Option<String>,
}

impl State {
    fn make_room(&mut self, size: usize) {
        while self.bytes + size > MOST_BYTES || self.entries.len() >= MOST {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.before += 1;
            self.bytes -= oldest.size;
            self.dropped += u64::from(!oldest.taken);
        }
    }

    fn since(&mut self, place: usize) -> impl Iterator<Item = &mut Entry> {
        self.entries
            .iter_mut()
            .skip(place.saturating_sub(self.before))
    }
}

/// What came, each with whether a step has taken it.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            state: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, item: Item) -> Kept {
        let size = item.size();
        let mut state = self.state();
        let before = state.dropped;
        state.make_room(size);
        if let Item::Junk(line) = &item {
            state.junk.get_or_insert_with(|| line.clone());
        }
        state.bytes += size;
        state.entries.push_back(Entry {
            item,
            size,
            taken: false,
        });
        let kept = match (before, state.dropped) {
            (_, 0) => Kept::All,
            (0, _) => Kept::ForTheFirstTimeNotAll,
            _ => Kept::NotAll,
        };
        drop(state);
        self.changed.send_replace(());
        kept
    }

    /// How many were dropped that no step took.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Nothing more will come.
    pub(crate) fn close(&self, why: &str) {
        self.state().gone.get_or_insert_with(|| why.to_owned());
        self.changed.send_replace(());
    }

    pub(crate) fn gone(&self) -> Option<String> {
        self.state().gone.clone()
    }

    /// How many came so far: the place from which an answer is looked for.
    pub(crate) fn len(&self) -> usize {
        let state = self.state();
        state.before + state.entries.len()
    }

    /// How many since `from` are such.
    pub(crate) fn count(&self, from: usize, such: impl Fn(&Value) -> bool) -> u64 {
        let mut state = self.state();
        let messages = state.since(from).filter_map(|entry| match &entry.item {
            Item::Message(value) => Some(value),
            _ => None,
        });
        messages.filter(|value| such(value)).count() as u64
    }

    /// A message is sent that may be a request.
    pub(super) fn asks(&self, message: &Value) {
        if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
            self.state().counts.of.entry(id.to_string()).or_default().0 += 1;
        }
    }

    /// The same for bytes as they are.
    pub(super) fn asks_raw(&self, text: &str) {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(batch)) => batch.iter().for_each(|message| self.asks(message)),
            Ok(message) => self.asks(&message),
            Err(_) => self.state().counts.unknown = true,
        }
    }

    /// Counts a message if it is an answer; answers whether it is one too many.
    pub(super) fn is_one_too_many(&self, message: &Value) -> bool {
        let (Some(id), None) = (message.get("id"), message.get("method")) else {
            return false;
        };
        let id = id.to_string();
        let counts = &mut self.state().counts;
        let Some((asked, answered)) = counts.of.get_mut(&id) else {
            return false;
        };
        *answered += 1;
        let too_many = *answered > *asked && !counts.unknown;
        if too_many {
            counts.again.get_or_insert(id);
        }
        too_many
    }

    /// The first request that was answered again.
    pub(crate) fn answered_again(&self) -> Option<String> {
        self.state().counts.again.clone()
    }

    /// The first line that was no message.
    pub(crate) fn junk(&self) -> Option<String> {
        self.state().junk.clone()
    }

    /// Takes the first since `from` that fits and was not taken; waits for it. The caller bounds the wait.
    pub(crate) async fn take(
        &self,
        from: usize,
        fits: impl Fn(&Item) -> bool,
    ) -> Result<Item, Gone> {
        let mut changed = self.changed.subscribe();
        let mut looked = from;
        loop {
            {
                let mut state = self.state();
                for entry in state.since(looked) {
                    if !entry.taken && fits(&entry.item) {
                        entry.taken = true;
                        return Ok(entry.item.clone());
                    }
                }
                looked = from.max(state.before + state.entries.len());
                if let Some(why) = &state.gone {
                    return Err(Gone(why.clone()));
                }
            }
            // The sender lives as long as we do.
            let _ = changed.changed().await;
        }
    }

    /// Waits until nothing more will come.
    pub(crate) async fn closed(&self) -> String {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(why) = self.gone() {
                return why;
            }
            let _ = changed.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn what_nobody_takes_is_dropped_from_the_oldest_on() {
        let inbox = Inbox::new();
        inbox.add(Item::Junk("no message".to_owned()));
        for n in 0..MOST {
            let kept = inbox.add(Item::Message(json!({"n": n})));
            let dropped = n + 1 == MOST;
            assert_eq!(kept == Kept::ForTheFirstTimeNotAll, dropped);
        }
        assert_eq!((inbox.dropped(), inbox.len()), (1, MOST + 1));
        assert_eq!(inbox.junk().as_deref(), Some("no message"));
        let first = |item: &Item| matches!(item, Item::Message(value) if value["n"] == 0);
        assert!(inbox.take(1, first).await.is_ok());
        // One that was taken is no loss.
        inbox.add(Item::Message(json!({"n": MOST})));
        assert_eq!((inbox.dropped(), inbox.len()), (1, MOST + 2));
        let place = inbox.len();
        inbox.add(Item::Message(json!({"n": 0})));
        assert_eq!(inbox.count(place, |_| true), 1);
        assert!(inbox.take(place, first).await.is_ok());
        let large = "x".repeat(MOST_BYTES / 3);
        for _ in 0..4 {
            inbox.add(Item::Message(json!(large)));
        }
        assert!(inbox.state().bytes <= MOST_BYTES);
        assert_eq!(inbox.state().entries.len(), 2);
    }
}
