//! Server-sent events out of a stream of bytes.

use super::bounds::{LONGEST, TooLong, What};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    pub(super) name: Option<String>,
    pub(super) data: String,
    pub(super) id: Option<String>,
    pub(super) retry_ms: Option<u64>,
}

/// Collects bytes into events.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The beginning of a line, without its end.
    bytes: Vec<u8>,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    event: Event,
    has_data: bool,
}

impl Parser {
    /// The events that these bytes complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.after_cr = false;
        }
        while let Some(length) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.take(&rest[..length])?;
            let cr = rest[length] == b'\r';
            rest = &rest[length + 1..];
            if cr {
                self.after_cr = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            let line = std::mem::take(&mut self.bytes);
            events.extend(self.line(&String::from_utf8_lossy(&line)));
        }
        self.take(rest)?;
        Ok(events)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.bytes.len() + self.event.data.len() + bytes.len() > LONGEST {
            return Err(TooLong(What::Event));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let complete = std::mem::take(&mut self.has_data)
                || event.id.is_some()
                || event.retry_ms.is_some();
            return complete.then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = Some(value.to_owned()),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "id" => self.event.id = Some(value.to_owned()),
            "retry" => self.event.retry_ms = value.parse().ok(),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_however_the_bytes_are_cut() {
        let text =
            ": hello\n\nevent: endpoint\ndata: /m?id=1\n\nid: 7\ndata: {\"a\":\ndata: 1}\n\n";
        for end in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', end);
            for size in 1..=text.len() {
                let mut parser = Parser::default();
                let events: Vec<Event> = text
                    .as_bytes()
                    .chunks(size)
                    .flat_map(|chunk| parser.push(chunk).unwrap())
                    .collect();
                assert_eq!(events.len(), 2, "{end:?} in pieces of {size}");
                assert_eq!(events[0].name.as_deref(), Some("endpoint"));
                assert_eq!(events[0].data, "/m?id=1");
                assert_eq!(events[1].data, "{\"a\":\n1}");
                assert_eq!(events[1].id.as_deref(), Some("7"));
            }
        }
    }

    #[test]
    fn an_event_without_end_is_not_collected() {
        for line in [
            "x".repeat(1 << 16),
            format!("data: {}\n", "x".repeat(1 << 16)),
        ] {
            let mut parser = Parser::default();
            let pushed = (0..300).try_for_each(|_| parser.push(line.as_bytes()).map(drop));
            assert_eq!(pushed, Err(TooLong(What::Event)));
        }
    }
}
