//! Cutting a stream of bytes into events or lines, wherever the network cut it.

/// The longest line, and the most data of one event. A picture of several megabytes fits.
pub(super) const LONGEST: usize = 16 * 1024 * 1024;

/// A line or an event is longer than [`LONGEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// Bytes into lines. A line ends with LF or CR LF.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    /// How much of `held` was looked at already.
    seen: usize,
}

impl Lines {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole line, without its end.
    pub(super) fn next(&mut self) -> Result<Option<String>, TooLong> {
        let end = self.held[self.seen..]
            .iter()
            .position(|byte| *byte == b'\n');
        let length = end.map_or(self.held.len(), |end| self.seen + end);
        if length > LONGEST {
            return Err(TooLong);
        }
        if end.is_none() {
            self.seen = length;
            return Ok(None);
        }
        let line: Vec<u8> = self.held.drain(..=length).collect();
        self.seen = 0;
        Ok(Some(text(&line[..length])))
    }

    /// What came after the last end of a line.
    pub(super) fn rest(&mut self) -> Option<String> {
        self.seen = 0;
        let rest = std::mem::take(&mut self.held);
        (!rest.is_empty()).then(|| text(&rest))
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

/// Lines into server-sent events (WHATWG HTML, 9.2.6); of each only its data.
#[derive(Debug, Default)]
pub(super) struct Sse {
    data: Option<String>,
    begun: bool,
    /// A line came that belongs to no event stream.
    pub(super) strange: bool,
}

impl Sse {
    /// Takes a line; answers the data of an event when the line ends one.
    pub(super) fn line(&mut self, line: &str) -> Result<Option<String>, TooLong> {
        let line = if self.begun {
            line
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        };
        self.begun = true;
        if line.is_empty() {
            return Ok(self.data.take());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match field {
            "data" => {
                let value = value.strip_prefix(' ').unwrap_or(value);
                match &mut self.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                        if data.len() > LONGEST {
                            return Err(TooLong);
                        }
                    }
                    None => self.data = Some(value.to_owned()),
                }
            }
            "" | "event" | "id" | "retry" => {}
            _ => self.strange = true,
        }
        Ok(None)
    }

    /// Takes what came after the last end of a line.
    pub(super) fn unfinished(&mut self, line: &str) -> Result<(), TooLong> {
        let begun = |field: &&str| field.starts_with(line);
        if ["data", "event", "id", "retry"].iter().any(begun) {
            return Ok(());
        }
        self.line(line).map(|_| ())
    }

    /// The data of an event that the end of the stream ended. The standard drops it; some servers end like this.
    pub(super) fn rest(&mut self) -> Option<String> {
        self.data.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> (Vec<String>, bool) {
        let (mut lines, mut sse, mut found) = (Lines::default(), Sse::default(), Vec::new());
        lines.feed(text.as_bytes());
        while let Some(line) = lines.next().unwrap() {
            found.extend(sse.line(&line).unwrap());
        }
        if let Some(line) = lines.rest() {
            sse.unfinished(&line).unwrap();
        }
        found.extend(sse.rest());
        (found, sse.strange)
    }

    #[test]
    fn events_are_found_as_the_standard_says() {
        let (found, strange) = events(
            "\u{feff}: a comment\r\nevent: x\r\ndata: one\r\ndata:  two\r\n\r\n\nid: 7\nretry: 3\n\ndata:three\n\ndata: four",
        );
        assert_eq!(found, ["one\n two", "three", "four"]);
        assert!(!strange);
        assert!(events("upstream connect error\n").1);
        assert!(events("upstream connect error").1);
        assert_eq!(events("data: x\n\nda"), (vec!["x".to_owned()], false));
    }

    #[test]
    fn a_line_without_end_is_not_kept_for_ever() {
        let mut lines = Lines::default();
        lines.feed(&vec![b'x'; LONGEST]);
        assert_eq!(lines.next(), Ok(None));
        lines.feed(b"x");
        assert_eq!(lines.next(), Err(TooLong));
        let (mut sse, line) = (Sse::default(), format!("data: {}", "x".repeat(LONGEST / 2)));
        assert_eq!(sse.line(&line), Ok(None));
        assert_eq!(sse.line(&line), Err(TooLong));
    }
}
