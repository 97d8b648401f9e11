//! What a run has done so far, kept from its events for whoever asks.
//!
//! For: few words that are always up to date and never grow without bound. Not for: what must be exact: the
//! board has that, and the table is made from it.

use callboard_crew::{Event, HELD, Report};
use callboard_mcp::{ToolError, clip};
use std::collections::{BTreeMap, VecDeque};

/// How many of the last lines are kept.
const LINES: usize = 200;
/// How long a line may be, in characters.
const LINE_CHARS: usize = 240;
/// How many notes are kept.
const NOTES: usize = 20;

/// A run as its events tell it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Grows with every event.
    pub(crate) seq: u64,
    /// Open items, once the roadmap is loaded.
    pub(crate) items: Option<usize>,
    /// Items that were merged or became a pull request.
    pub(crate) done: usize,
    /// What is being worked on, by attempt.
    pub(crate) live: BTreeMap<String, Live>,
    /// The last lines, each with the `seq` it came with.
    lines: VecDeque<(u64, String)>,
    /// Which budget keeps work from being handed out now.
    pub(crate) held: Option<String>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
    /// Why it is to stop, where nobody asked for that.
    pub(crate) stopped: Option<String>,
    /// How it ended, when it has.
    pub(crate) ended: Option<Ended>,
}

/// An attempt at work.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) item: String,
    pub(crate) number: u32,
    pub(crate) step: &'static str,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// Nothing is left that could be done without a person.
    Finished { summary: String, all_done: bool },
    /// It was asked to stop.
    Stopped { summary: String },
    /// Something kept it from going on.
    Failed(ToolError),
}

impl Ended {
    pub(crate) fn finished(report: &Report) -> Ended {
        Ended::Finished {
            summary: report.summary(),
            all_done: report.all_done(),
        }
    }
}

impl Progress {
    /// Takes in an event.
    pub(crate) fn note(&mut self, event: &Event) {
        self.seq += 1;
        if let Event::Note { text } = event
            && text.starts_with(HELD)
        {
            self.held = Some(clip(text, LINE_CHARS).into_owned());
        }
        match event {
            Event::Started { items, .. } => self.items = Some(*items),
            Event::Attempt {
                item,
                attempt,
                number,
                ..
            } => {
                let live = Live {
                    item: item.clone(),
                    number: *number,
                    step: "starting",
                };
                self.live.insert(attempt.clone(), live);
                self.held = None;
            }
            Event::Step { attempt, step, .. } => {
                if let Some(live) = self.live.get_mut(attempt) {
                    live.step = step.as_str();
                }
            }
            Event::Done { attempt, .. } => {
                self.done += 1;
                self.live.remove(attempt);
            }
            Event::Failed { attempt, .. } => drop(self.live.remove(attempt)),
            Event::Note { text } if self.notes.len() < NOTES => {
                self.notes.push(clip(text, LINE_CHARS).into_owned())
            }
            Event::Note { .. } | Event::Recovered { .. } | Event::Finished { .. } => {}
        }
        if let Some(line) = line(event) {
            self.say(&line);
        }
    }

    /// Takes in why it is to stop.
    pub(crate) fn stopped_because(&mut self, why: &str) {
        self.seq += 1;
        let said = format!("{why}, so the run that it began was stopped");
        self.say(&said);
        // Never left out: it is the last thing to be noted.
        self.notes.push(said);
        self.stopped = Some(why.to_owned());
    }

    /// Adds a line.
    pub(crate) fn say(&mut self, line: &str) {
        let line = line.lines().next().unwrap_or_default();
        self.lines
            .push_back((self.seq, clip(line, LINE_CHARS).into_owned()));
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    /// The last lines that came after `seq`, at most `limit`.
    pub(crate) fn lines_after(&self, seq: u64, limit: usize) -> Vec<String> {
        let later: Vec<&String> = self
            .lines
            .iter()
            .filter(|(at, _)| *at > seq)
            .map(|(_, line)| line)
            .collect();
        later[later.len().saturating_sub(limit)..]
            .iter()
            .map(|line| (*line).clone())
            .collect()
    }

    /// "3 of 7 items done; priority-4: tests, priority-5: agent".
    pub(crate) fn words(&self) -> String {
        let Some(items) = self.items else {
            return "reading the roadmap".to_owned();
        };
        let live: Vec<String> = self
            .live
            .values()
            .map(|live| format!("{}: {}", live.item, live.step))
            .collect();
        let done = format!("{} of {items} items done", self.done);
        let more = live.into_iter().chain(self.held.clone());
        let more: Vec<String> = more.collect();
        if more.is_empty() {
            done
        } else {
            format!("{done}; {}", more.join(", "))
        }
    }

    /// What is being worked on at an item, in words.
    pub(crate) fn now(&self, item: &str) -> Option<String> {
        let live = self.live.values().find(|live| live.item == item)?;
        Some(format!("attempt {}: {}", live.number, live.step))
    }
}

/// The event in a line; steps are seen in what is going on now.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started {
            items,
            agent,
            agents,
            integration,
            ..
        } => {
            format!(
                "{items} open items, up to {agents} agents at once ({agent}), results go to {integration}"
            )
        }
        Event::Recovered { found } => format!("put in order: {}", found.join("; ")),
        Event::Attempt {
            item,
            number,
            after: Some(after),
            ..
        } => format!("{item}: attempt {number}, after {after}"),
        Event::Attempt { item, number, .. } => format!("{item}: attempt {number}"),
        Event::Failed {
            item,
            outcome,
            error,
            next,
            ..
        } => {
            format!(
                "{item}: {outcome}, {next}: {}",
                error.lines().next().unwrap_or_default()
            )
        }
        Event::Done {
            item, pr: Some(pr), ..
        } => format!("{item}: {pr} waits to be merged"),
        Event::Done {
            item,
            merge: Some(merge),
            tests,
            ..
        } => {
            format!(
                "{item}: merged as {}, tests: {tests}",
                merge.chars().take(10).collect::<String>()
            )
        }
        Event::Done { item, tests, .. } => format!("{item}: done, tests: {tests}"),
        Event::Note { text } => format!("note: {text}"),
        Event::Step { .. } | Event::Finished { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_crew::Step;

    fn attempt(id: &str, item: &str) -> Event {
        Event::Attempt {
            item: item.to_owned(),
            title: "T".to_owned(),
            task: "t_1".to_owned(),
            attempt: id.to_owned(),
            number: 1,
            after: None,
        }
    }

    fn started() -> Event {
        let text = String::new;
        Event::Started {
            project: text(),
            board: text(),
            agent: text(),
            agents: 3,
            integration: text(),
            items: 2,
        }
    }

    #[test]
    fn it_tells_what_is_going_on_and_what_is_done() {
        let mut progress = Progress::default();
        assert_eq!(progress.words(), "reading the roadmap");
        progress.note(&started());
        progress.note(&attempt("a_1", "one"));
        progress.note(&Event::Step {
            item: "one".into(),
            attempt: "a_1".into(),
            step: Step::Tests,
            detail: None,
        });
        assert_eq!(progress.words(), "0 of 2 items done; one: tests");
        assert_eq!(progress.now("one").as_deref(), Some("attempt 1: tests"));
        progress.note(&Event::Done {
            item: "one".into(),
            attempt: "a_1".into(),
            merge: Some("0123456789abcdef".into()),
            pr: None,
            tests: "3 passed".into(),
        });
        assert_eq!(progress.words(), "1 of 2 items done");
        assert_eq!(
            progress.lines_after(2, 10),
            ["one: merged as 0123456789, tests: 3 passed"]
        );
    }

    #[test]
    fn lines_are_bounded_and_short() {
        let mut progress = Progress::default();
        for _ in 0..3 * LINES {
            progress.note(&Event::Note {
                text: "x".repeat(10_000),
            });
        }
        let lines = progress.lines_after(0, usize::MAX);
        assert_eq!(lines.len(), LINES);
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() < LINE_CHARS + 40)
        );
        assert_eq!(progress.notes.len(), NOTES);
        assert_eq!(progress.lines_after(0, 5).len(), 5);
    }
}
