//! For: a line of Markdown as a reader sees it, with the way back from its characters to the document's bytes.
//! Not for: knowing what the line means.

use std::ops::Range;

/// How a piece of text is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub strong: bool,
    pub struck: bool,
    pub code: bool,
}

#[derive(Debug, Clone)]
struct Segment {
    at: usize,
    source: Range<usize>,
    style: Style,
    /// The text is the source, byte for byte; otherwise (entities, code spans) it maps as a whole.
    exact: bool,
}

/// Text without markup. Ranges into `text` can be taken back to the document with [`Rendered::source`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Rendered {
    pub text: String,
    segments: Vec<Segment>,
}

impl Rendered {
    pub fn push(&mut self, text: &str, source: Range<usize>, style: Style) {
        if text.is_empty() {
            return;
        }
        let exact = text.len() == source.len();
        self.segments.push(Segment {
            at: self.text.len(),
            source,
            style,
            exact,
        });
        self.text.push_str(text);
    }

    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    fn segment(&self, at: usize) -> Option<&Segment> {
        let after = self.segments.partition_point(|s| s.at <= at);
        self.segments.get(after.checked_sub(1)?)
    }

    /// The document's bytes behind a non-empty range of the text.
    pub fn source(&self, range: &Range<usize>) -> Option<Range<usize>> {
        if range.is_empty() || range.end > self.text.len() {
            return None;
        }
        let first = self.segment(range.start)?;
        let last = self.segment(range.end - 1)?;
        let start = if first.exact {
            first.source.start + (range.start - first.at)
        } else {
            first.source.start
        };
        let end = if last.exact {
            last.source.start + (range.end - last.at)
        } else {
            last.source.end
        };
        (start < end).then_some(start..end)
    }

    /// Where the first byte of the line's own text stands.
    pub fn source_start(&self) -> Option<usize> {
        self.segments.first().map(|s| s.source.start)
    }

    pub fn style_at(&self, at: usize) -> Style {
        self.segment(at).map(|s| s.style).unwrap_or_default()
    }

    /// The end of the bold text that `at` stands in, white space between bold pieces included.
    pub fn strong_run_end(&self, at: usize) -> Option<usize> {
        let from = self
            .segments
            .partition_point(|s| s.at <= at)
            .checked_sub(1)?;
        let mut end = None;
        for (index, segment) in self.segments.iter().enumerate().skip(from) {
            if !segment.style.strong {
                break;
            }
            end = Some(
                self.segments
                    .get(index + 1)
                    .map_or(self.text.len(), |next| next.at),
            );
        }
        end
    }

    /// Every visible character is struck through.
    pub fn is_struck(&self) -> bool {
        let mut any = false;
        for (index, segment) in self.segments.iter().enumerate() {
            let end = self
                .segments
                .get(index + 1)
                .map_or(self.text.len(), |next| next.at);
            if self.text[segment.at..end].trim().is_empty() {
                continue;
            }
            if !segment.style.struck {
                return false;
            }
            any = true;
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_back_to_the_source_across_pieces() {
        let mut line = Rendered::default();
        let bold = Style {
            strong: true,
            ..Style::default()
        };
        line.push("a ", 10..12, Style::default());
        line.push("bold", 14..18, bold);
        line.push("&", 20..25, Style::default());
        line.push(" end", 25..29, Style::default());
        assert_eq!(line.source(&(0..1)), Some(10..11));
        assert_eq!(line.source(&(3..5)), Some(15..17));
        assert_eq!(line.source(&(2..7)), Some(14..25));
        assert_eq!(line.source(&(3..3)), None);
        assert_eq!(line.strong_run_end(2), Some(6));
        assert_eq!(line.strong_run_end(0), None);
    }
}
