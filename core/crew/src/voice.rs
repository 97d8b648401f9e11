//! Saying what happens to whoever listens, without ever waiting for them.

use crate::events::Event;
use tokio::sync::broadcast;

/// How many events a slow listener may be behind before it misses some.
const BACKLOG: usize = 1024;

/// Where events go; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Voice(broadcast::Sender<Event>);

impl Voice {
    pub(crate) fn new() -> Self {
        Voice(broadcast::channel(BACKLOG).0)
    }

    pub(crate) fn say(&self, event: Event) {
        tracing::debug!(?event, "crew");
        // Nobody listening is fine: the board has what matters.
        let _ = self.0.send(event);
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.say(Event::Note { text: text.into() });
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}
