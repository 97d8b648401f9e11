//! One stream of a session: what is said on it, who listens, and when it ends.
//!
//! For: keeping what has not gone out and a little of what has, knowing what is not kept any more, and ends in the
//! middle of a request. Not for: which message belongs on which stream.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rmcp::model::{JsonRpcMessage, ProgressToken, RequestId, ServerNotification};
use rmcp::transport::streamable_http_server::session::ServerSseMessage;

/// How many words of [`Kind::State`] are kept; a connection is subscribed to half as many resources.
const STATES: usize = 512;
/// How many streams may listen to one line; older ones end.
const LISTENERS: usize = 8;

/// One stream, whether anybody listens to it or not.
#[derive(Default)]
pub(super) struct Line {
    pub(super) request: Option<RequestId>,
    /// Also when that has been answered.
    pub(super) of_request: bool,
    pub(super) progress: Option<ProgressToken>,
    /// What has not gone out, and the last few of what has.
    pub(super) events: VecDeque<Event>,
    /// The number of the last event.
    pub(super) last: u64,
    /// The number of the last event that went out.
    pub(super) sent: u64,
    /// The number of the last event that is not kept and that no later one makes up for.
    pub(super) lost: u64,
    /// The newest last; it is the one that gets what comes.
    pub(super) readers: Vec<(u64, Option<Waker>)>,
    /// Where the call ended its stream in the middle.
    pub(super) cut: Option<Cut>,
    /// How often the last reader went.
    pub(super) losses: u64,
    pub(super) done: bool,
}

/// The end of a stream whose request goes on.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// The newest reader it is for; later ones come back for the rest.
    pub(super) reader: u64,
    /// The event after which it ends.
    pub(super) after: u64,
    /// How long the client was told to wait.
    pub(super) retry: Duration,
}

pub(super) struct Event {
    pub(super) number: u64,
    pub(super) message: ServerSseMessage,
    kind: Kind,
}

/// What it means to a client to miss an event.
#[derive(PartialEq)]
enum Kind {
    /// Nothing, if it gets a later one of the same.
    State(State),
    /// Nothing.
    Passing,
    /// That it does not know what it was told.
    Word,
}

/// What is another one now.
#[derive(PartialEq)]
enum State {
    Resource(String),
    Resources,
    Tools,
    Prompts,
}

impl Kind {
    fn of(message: &ServerSseMessage) -> Self {
        let notification = match message.message.as_deref() {
            None => return Kind::Passing,
            Some(JsonRpcMessage::Notification(notification)) => &notification.notification,
            Some(_) => return Kind::Word,
        };
        Kind::State(match notification {
            ServerNotification::ResourceUpdatedNotification(updated) => {
                State::Resource(updated.params.uri.clone())
            }
            ServerNotification::ResourceListChangedNotification(_) => State::Resources,
            ServerNotification::ToolListChangedNotification(_) => State::Tools,
            ServerNotification::PromptListChangedNotification(_) => State::Prompts,
            ServerNotification::ProgressNotification(_) => return Kind::Passing,
            _ => return Kind::Word,
        })
    }

    fn is_state(&self) -> bool {
        matches!(self, Kind::State(_))
    }
}

impl Line {
    pub(super) fn push(&mut self, line: u64, mut message: ServerSseMessage) {
        self.last += 1;
        message.event_id = Some(format!("{}/{line}", self.last));
        let kind = Kind::of(&message);
        if kind.is_state() {
            self.events.retain(|event| event.kind != kind);
        }
        self.events.push_back(Event {
            number: self.last,
            message,
            kind,
        });
        self.wake();
    }

    /// Whether all that followed the event `number` can be told.
    pub(super) fn follows(&self, number: u64) -> bool {
        (self.lost..=self.last).contains(&number)
    }

    /// How many wait to go out, besides what is bounded by itself.
    pub(super) fn unsent(&self) -> usize {
        let waiting = self.events.iter().rev();
        let waiting = waiting.take_while(|event| event.number > self.sent);
        waiting.filter(|event| !event.kind.is_state()).count()
    }

    /// Forgets the oldest of what went out, and of what waits for nobody, but for the last `replay`.
    pub(super) fn trim(&mut self, replay: usize) {
        if self.events.len() <= replay {
            return;
        }
        let (sent, awaited) = (self.sent, self.of_request || !self.readers.is_empty());
        let may_go = |event: &Event| event.number <= sent || !awaited;
        let all = self.events.iter().filter(|event| may_go(event)).count();
        let states = self.events.iter();
        let states = states.filter(|event| event.kind.is_state() && may_go(event));
        let states = states.count();
        let mut others = (all - states).saturating_sub(replay);
        let mut states = states.saturating_sub(STATES);
        let mut lost = self.lost;
        self.events.retain(|event| {
            let spare = if event.kind.is_state() {
                &mut states
            } else {
                &mut others
            };
            if *spare == 0 || !may_go(event) {
                return true;
            }
            *spare -= 1;
            if event.kind != Kind::Passing {
                lost = event.number;
            }
            false
        });
        self.lost = lost.max(self.lost);
    }

    pub(super) fn wake(&mut self) {
        if let Some((_, waker)) = self.readers.last_mut()
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
    }

    pub(super) fn wake_all(&mut self) {
        for (_, waker) in &mut self.readers {
            if let Some(waker) = waker.take() {
                waker.wake();
            }
        }
    }

    /// Wakes the task when something is said to this reader; ready at once if it listens no more.
    pub(super) fn listen(&mut self, reader: u64, task: &Context<'_>) -> Poll<()> {
        let mut readers = self.readers.iter_mut();
        let Some((_, waker)) = readers.find(|(one, _)| *one == reader) else {
            return Poll::Ready(());
        };
        *waker = Some(task.waker().clone());
        Poll::Pending
    }

    pub(super) fn end(&mut self) {
        self.done = true;
        self.wake_all();
    }

    /// Ends the streams of the readers up to `newest`, after all that was said and the time to come back.
    pub(super) fn cut(&mut self, number: u64, newest: u64, retry: Duration) {
        self.push(number, ServerSseMessage::retry(retry));
        self.cut = Some(Cut {
            reader: newest,
            after: self.last,
            retry,
        });
        self.wake_all();
    }

    /// A reader has gone. If it was the last: which loss that is, and how long to wait for it.
    pub(super) fn lost(&mut self, within: Duration) -> Option<(u64, Duration)> {
        if !self.readers.is_empty() {
            // Whoever listened before gets what comes now.
            self.wake();
            return None;
        }
        self.losses += 1;
        let told = self.cut.map_or(Duration::ZERO, |cut| cut.retry);
        Some((self.losses, within + told))
    }

    pub(super) fn join(&mut self, reader: u64) {
        if self.readers.len() >= LISTENERS {
            let (_, waker) = self.readers.remove(0);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        self.readers.push((reader, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn say(line: &mut Line, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        let message = serde_json::from_value(message).unwrap();
        line.push(0, ServerSseMessage::from_message(message));
        line.trim(4);
    }

    fn change(line: &mut Line, uri: String) {
        say(line, "notifications/resources/updated", json!({"uri": uri}));
    }

    fn log(line: &mut Line) {
        let said = json!({"level": "info", "data": 1});
        say(line, "notifications/message", said);
    }

    fn kept(line: &Line) -> Vec<u64> {
        line.events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn of_each_resource_the_last_change_is_kept() {
        let mut line = Line::default();
        for uri in ["a", "b", "a", "c", "a"] {
            change(&mut line, uri.to_owned());
        }
        say(&mut line, "notifications/tools/list_changed", json!({}));
        say(&mut line, "notifications/tools/list_changed", json!({}));
        for _ in 0..9 {
            log(&mut line);
        }
        assert_eq!(kept(&line), [2, 4, 5, 7, 13, 14, 15, 16]);
        assert_eq!((line.lost, line.sent), (12, 0));
    }

    #[test]
    fn what_waits_is_bounded_and_what_goes_is_noted() {
        let mut line = Line::default();
        for n in 0..2_000 {
            change(&mut line, format!("r{n}"));
        }
        assert_eq!(line.events.len(), STATES);
        assert_eq!(line.lost, 2_000 - STATES as u64);
    }

    #[test]
    fn what_somebody_waits_for_stays_and_progress_that_has_passed_is_no_loss() {
        let mut line = Line::default();
        line.join(1);
        for n in 0..9 {
            let params = json!({"progressToken": 1, "progress": n});
            say(&mut line, "notifications/progress", params);
        }
        assert_eq!((line.events.len(), line.unsent()), (9, 9));
        line.sent = line.last;
        line.trim(4);
        assert_eq!(kept(&line), [6, 7, 8, 9]);
        assert_eq!((line.lost, line.unsent()), (0, 0));
    }
}
