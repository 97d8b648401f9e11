//! For: line numbers and line ends of a document. Line ends are LF, CRLF and a lone CR, as in CommonMark.
//! Not for: what the lines hold.

/// Where the lines of a document start.
#[derive(Debug, Clone)]
pub(crate) struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let ends = *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends {
                starts.push(at + 1);
            }
        }
        Self { starts }
    }

    /// The line, from 1, that the byte stands on.
    pub fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }

    /// Where the byte's line starts.
    pub fn start_of(&self, offset: usize) -> usize {
        let line = self.starts.partition_point(|start| *start <= offset);
        self.starts[line.saturating_sub(1)]
    }

    /// Where the next line starts; the end of the text on the last line.
    pub fn next_start(&self, offset: usize, text: &str) -> usize {
        let line = self.starts.partition_point(|start| *start <= offset);
        self.starts.get(line).copied().unwrap_or(text.len())
    }
}

/// The line end that the text ends with, if any.
pub(crate) fn line_end(text: &str) -> &str {
    if text.ends_with("\r\n") {
        "\r\n"
    } else if text.ends_with('\n') {
        "\n"
    } else if text.ends_with('\r') {
        "\r"
    } else {
        ""
    }
}

/// The line end that the document uses first; LF where it has none.
pub(crate) fn usual_line_end(text: &str) -> &'static str {
    match text.find(['\n', '\r']) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_every_kind_of_line_end_once() {
        let text = "a\r\nb\nc\rd";
        let index = LineIndex::new(text);
        let lines: Vec<u32> = (0..text.len()).map(|at| index.line(at)).collect();
        assert_eq!(lines, [1, 1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(index.next_start(7, text), 8);
        assert_eq!(
            (usual_line_end(text), line_end("x\r\n"), line_end("x")),
            ("\r\n", "\r\n", "")
        );
    }
}
