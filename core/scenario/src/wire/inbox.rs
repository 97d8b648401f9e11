//! All that came from a server, in order, and waiting for some of it.

use serde_json::Value;
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

/// The connection is gone and what was waited for did not come.
#[derive(Debug, Clone)]
pub(crate) struct Gone(pub(crate) String);

#[derive(Debug, Default)]
struct Kept {
    items: Vec<(Item, bool)>,
    gone: Option<String>,
}

/// What came, each with whether a step has taken it.
#[derive(Debug)]
pub(crate) struct Inbox {
    kept: Mutex<Kept>,
    changed: watch::Sender<()>,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            kept: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, item: Item) {
        self.kept().items.push((item, false));
        self.changed.send_replace(());
    }

    /// Nothing more will come.
    pub(crate) fn close(&self, why: &str) {
        self.kept().gone.get_or_insert_with(|| why.to_owned());
        self.changed.send_replace(());
    }

    pub(crate) fn gone(&self) -> Option<String> {
        self.kept().gone.clone()
    }

    /// How many came so far: the place from which an answer is looked for.
    pub(crate) fn len(&self) -> usize {
        self.kept().items.len()
    }

    /// How many since `from` are such.
    pub(crate) fn count(&self, from: usize, such: impl Fn(&Value) -> bool) -> u64 {
        let kept = self.kept();
        let messages = kept
            .items
            .iter()
            .skip(from)
            .filter_map(|(item, _)| match item {
                Item::Message(value) => Some(value),
                _ => None,
            });
        messages.filter(|value| such(value)).count() as u64
    }

    /// Lines that were no messages.
    pub(crate) fn junk(&self) -> Vec<String> {
        let kept = self.kept();
        kept.items
            .iter()
            .filter_map(|(item, _)| match item {
                Item::Junk(line) => Some(line.clone()),
                _ => None,
            })
            .collect()
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
                let mut kept = self.kept();
                for (item, taken) in kept.items.iter_mut().skip(looked) {
                    if !*taken && fits(item) {
                        *taken = true;
                        return Ok(item.clone());
                    }
                }
                looked = kept.items.len().max(from);
                if let Some(why) = &kept.gone {
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
