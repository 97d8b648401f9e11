//! Streams that have ended and were read to their end, kept for clients that did not get all of it.
//!
//! For: how many, of what size and for how long. That the last byte was written here says nothing of where it went.
//! Not for: streams that somebody reads, or on which something may follow.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::time::Duration;

use tokio::time::Instant;

use super::line::Line;

/// How many of one session.
const COUNT: usize = 64;
/// How many bytes of messages, of one session together.
const BYTES: usize = 256 * 1024;

/// Which lines those are, the oldest first.
#[derive(Default)]
pub(super) struct Kept {
    lines: VecDeque<Entry>,
    bytes: usize,
}

struct Entry {
    line: u64,
    bytes: usize,
    since: Instant,
}

impl Kept {
    /// Keeps `number` of `lines` for `within`, or forgets it at once where that is too much.
    pub(super) fn keep(&mut self, number: u64, lines: &mut HashMap<u64, Line>, within: Duration) {
        if self.lines.iter().any(|entry| entry.line == number) {
            // Its client came back; it has its time from when it had first ended.
            return self.forget(lines, within);
        }
        let bytes = lines.get(&number).map_or(0, size);
        self.bytes += bytes;
        self.lines.push_back(Entry {
            line: number,
            bytes,
            since: Instant::now(),
        });
        self.forget(lines, within);
    }

    /// Forgets those of which it is time, and the oldest of what is too much.
    pub(super) fn forget(&mut self, lines: &mut HashMap<u64, Line>, within: Duration) {
        while let Some(oldest) = self.lines.front() {
            let is_much = self.lines.len() > COUNT || self.bytes > BYTES;
            if !is_much && oldest.since.elapsed() < within {
                return;
            }
            let (line, bytes) = (oldest.line, oldest.bytes);
            self.lines.pop_front();
            self.bytes -= bytes;
            // One that is being read again comes here again.
            if lines.get(&line).is_some_and(|line| line.readers.is_empty()) {
                lines.remove(&line);
            }
        }
    }
}

/// The bytes of what is still there of a line.
fn size(line: &Line) -> usize {
    let messages = line.events.iter();
    let messages = messages.filter_map(|event| event.message.message.as_deref());
    messages
        .map(|message| {
            let mut count = Count(0);
            // Whatever can't be written can't be sent either.
            let _ = serde_json::to_writer(&mut count, message);
            count.0
        })
        .sum()
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::transport::streamable_http_server::session::ServerSseMessage;
    use serde_json::json;

    const LONG: Duration = Duration::from_secs(3_600);

    fn answered(lines: &mut HashMap<u64, Line>, number: u64, chars: usize) {
        let text = "x".repeat(chars);
        let answer = json!({"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": text}]}});
        let answer = serde_json::from_value(answer).unwrap();
        let mut line = Line::default();
        line.push(number, ServerSseMessage::from_message(answer));
        line.end();
        lines.insert(number, line);
    }

    fn numbers(lines: &HashMap<u64, Line>) -> Vec<u64> {
        let mut numbers: Vec<u64> = lines.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_kept_for_its_time() {
        let (mut kept, mut lines) = (Kept::default(), HashMap::new());
        let within = Duration::from_secs(5);
        for number in 1..=3 {
            answered(&mut lines, number, 10);
            kept.keep(number, &mut lines, within);
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        kept.forget(&mut lines, within);
        assert_eq!(numbers(&lines), [2, 3]);
        tokio::time::advance(within).await;
        kept.forget(&mut lines, within);
        assert_eq!((numbers(&lines), kept.bytes), (vec![], 0));
    }

    #[tokio::test]
    async fn they_are_bounded_in_number_and_size() {
        let (mut kept, mut lines) = (Kept::default(), HashMap::new());
        for number in 1..=1_000 {
            answered(&mut lines, number, 10);
            kept.keep(number, &mut lines, LONG);
        }
        assert_eq!(lines.len(), COUNT);
        for number in 1_001..=1_003 {
            answered(&mut lines, number, 100 * 1024);
            kept.keep(number, &mut lines, LONG);
        }
        assert_eq!(numbers(&lines), [1_002, 1_003]);
        answered(&mut lines, 1_004, BYTES);
        kept.keep(1_004, &mut lines, LONG);
        assert_eq!((numbers(&lines), kept.bytes), (vec![], 0));
    }

    #[tokio::test]
    async fn nothing_is_kept_that_nobody_may_come_back_for() {
        let (mut kept, mut lines) = (Kept::default(), HashMap::new());
        answered(&mut lines, 1, 10);
        kept.keep(1, &mut lines, Duration::ZERO);
        assert_eq!((numbers(&lines), kept.bytes), (vec![], 0));
    }

    #[tokio::test]
    async fn what_is_read_again_stays_until_that_is_over() {
        let (mut kept, mut lines) = (Kept::default(), HashMap::new());
        answered(&mut lines, 1, 10);
        kept.keep(1, &mut lines, LONG);
        lines.get_mut(&1).unwrap().join(7);
        kept.forget(&mut lines, Duration::ZERO);
        assert_eq!(numbers(&lines), [1]);
        lines.get_mut(&1).unwrap().readers.clear();
        kept.keep(1, &mut lines, Duration::ZERO);
        assert_eq!((numbers(&lines), kept.bytes), (vec![], 0));
    }
}
