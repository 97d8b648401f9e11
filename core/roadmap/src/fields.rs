//! For: "**Status**: …", "Estimated Duration: …", "- Depends on: …": which line is which field, and where its value is.
//! Not for: what the value means.

use std::ops::Range;

use crate::rendered::Rendered;
use crate::words::{leading_symbols, plain, trim_range};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    Status,
    /// "Current Status", "Progress": of an item as good as `Status`; alone it makes no item of a heading.
    LooseStatus,
    Duration,
    /// "Timeline": a duration, or the label of its steps.
    Timeline,
    Depends,
    Blockers,
    Importance,
    Impact,
    Deliverables,
    Window,
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub kind: FieldKind,
    pub label: String,
    /// In the rendered line; empty when the value is on the lines below.
    pub value: Range<usize>,
}

use FieldKind::{
    Blockers, Deliverables, Depends, Duration, Impact, Importance, LooseStatus, Status, Timeline,
    Window,
};

const LABELS: &[(&str, FieldKind)] = &[
    ("status", Status),
    ("state", Status),
    ("current status", LooseStatus),
    ("current state", LooseStatus),
    ("progress", LooseStatus),
    ("item status", LooseStatus),
    ("estimated duration", Duration),
    ("duration", Duration),
    ("estimate", Duration),
    ("estimated time", Duration),
    ("estimated effort", Duration),
    ("effort", Duration),
    ("time estimate", Duration),
    ("effort estimate", Duration),
    ("estimation", Duration),
    ("est", Duration),
    ("total", Duration),
    ("total effort", Duration),
    ("total time", Duration),
    ("time required", Duration),
    ("estimated", Duration),
    ("time needed", Duration),
    ("total estimate", Duration),
    ("timeline", Timeline),
    ("estimated timeline", Timeline),
    ("schedule", Timeline),
    ("dependency", Depends),
    ("dependencies", Depends),
    ("depends on", Depends),
    ("depends", Depends),
    ("deps", Depends),
    ("requires", Depends),
    ("prerequisite", Depends),
    ("prerequisites", Depends),
    ("blocked by", Depends),
    ("after", Depends),
    ("needs", Depends),
    ("waits for", Depends),
    ("must follow", Depends),
    ("comes after", Depends),
    ("blocker", Blockers),
    ("blockers", Blockers),
    ("blocking issues", Blockers),
    ("priority", Importance),
    ("importance", Importance),
    ("urgency", Importance),
    ("impact", Impact),
    ("deliverable", Deliverables),
    ("deliverables", Deliverables),
    ("key deliverables", Deliverables),
    ("when", Window),
    ("target", Window),
    ("target date", Window),
    ("due", Window),
    ("due date", Window),
    ("deadline", Window),
    ("eta", Window),
    ("timeframe", Window),
    ("time frame", Window),
    ("target release", Window),
];

/// Words that begin a dependency without a colon.
const SPOKEN: &[&str] = &["depends on ", "blocked by "];

const LABEL_AT_MOST: usize = 60;

/// The fields of a line: one, or several with bars between.
pub(crate) fn fields(line: &Rendered) -> Vec<Field> {
    let text = &line.text;
    let Some(first) = field(line, 0..text.len()) else {
        return Vec::new();
    };
    let cuts: Vec<usize> = text
        .match_indices(" | ")
        .chain(text.match_indices(" · "))
        .map(|(at, _)| at)
        .collect();
    if cuts.is_empty() || cuts.len() > 12 {
        return vec![first];
    }
    let several: Option<Vec<Field>> = pieces(text, cuts)
        .into_iter()
        .map(|piece| field(line, piece))
        .collect();
    several.unwrap_or_else(|| vec![first])
}

fn pieces(text: &str, mut cuts: Vec<usize>) -> Vec<Range<usize>> {
    cuts.sort_unstable();
    let mut from = 0;
    let mut found = Vec::new();
    for cut in cuts.into_iter().chain([text.len()]) {
        found.push(from.min(cut)..cut);
        from = text[cut..]
            .chars()
            .nth(1)
            .map_or(cut, |c| cut + 1 + c.len_utf8());
    }
    found
}

/// Whether the line is a field of any kind.
pub(crate) fn is_field(line: &Rendered) -> bool {
    field(line, 0..line.text.len()).is_some()
}

fn field(line: &Rendered, piece: Range<usize>) -> Option<Field> {
    let text = &line.text[piece.clone()];
    let start = leading_symbols(text);
    let (label_end, value_start) =
        split_label(line, &piece, start).or_else(|| spoken_label(text, start))?;
    let label = trim_range(text, start..label_end);
    let kind = kind_of(&text[label.clone()])?;
    let value = trim_range(&line.text, piece.start + value_start..piece.end);
    Some(Field {
        kind,
        label: text[label].trim_matches(['*', '_']).to_owned(),
        value,
    })
}

/// Where the label ends and the value starts: at a colon, or at a dash after a bold label.
fn split_label(line: &Rendered, piece: &Range<usize>, start: usize) -> Option<(usize, usize)> {
    let text = &line.text[piece.clone()];
    let reach = text[start..]
        .char_indices()
        .nth(LABEL_AT_MOST)
        .map_or(text.len(), |(at, _)| start + at);
    let head = &text[start..reach];
    if let Some((at, colon)) = head.char_indices().find(|(_, c)| matches!(c, ':' | '：')) {
        return Some((start + at, start + at + colon.len_utf8()));
    }
    let bold = line.style_at(piece.start + start).strong;
    let dash = [" - ", " – ", " — "]
        .iter()
        .filter_map(|d| head.find(d).map(|at| (at, d.len())))
        .min()?;
    bold.then_some((start + dash.0, start + dash.0 + dash.1))
}

fn spoken_label(text: &str, start: usize) -> Option<(usize, usize)> {
    let rest = &text[start..];
    let begins = |words: &&&str| {
        rest.get(..words.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(words))
    };
    SPOKEN
        .iter()
        .find(begins)
        .map(|words| (start + words.len(), start + words.len()))
}

/// What a label means: "Dependencies", "Deliverables (small set)".
pub(crate) fn kind_of(label: &str) -> Option<FieldKind> {
    let bare = label.split(['(', '[']).next().unwrap_or(label);
    let bare = plain(bare);
    LABELS
        .iter()
        .find(|(known, _)| *known == bare)
        .map(|(_, kind)| *kind)
}

/// Text that introduces a list: it ends with a colon, or is bold as a whole. The label without its remarks.
pub(crate) fn list_label(line: &Rendered) -> Option<String> {
    let text = line.text.trim();
    let colon = text.ends_with([':', '：']);
    let bold = line
        .style_at(line.text.len() - line.text.trim_start().len())
        .strong
        && line.strong_run_end(line.text.len() - line.text.trim_start().len())
            == Some(line.text.len());
    let short = text.chars().count() <= LABEL_AT_MOST;
    let bare = text.trim_end_matches([':', '：']);
    let bare = bare.split(" (").next().unwrap_or(bare);
    let start = leading_symbols(bare);
    ((colon || bold) && short).then(|| bare[start..].trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendered::Style;

    fn line(text: &str) -> Rendered {
        let mut line = Rendered::default();
        line.push(text, 0..text.len(), Style::default());
        line
    }

    #[test]
    fn finds_the_value() {
        let table = [
            ("Status: ✅ done", Status, "✅ done"),
            ("📅 Timeline: 3-4 weeks", Timeline, "3-4 weeks"),
            ("Depends on PRIORITY 1", Depends, "PRIORITY 1"),
            ("Deliverables (minimal set):", Deliverables, ""),
            ("ESTIMATED DURATION:2d", Duration, "2d"),
            ("Blocked by: 1", Depends, "1"),
            ("Status：完了", Status, "完了"),
        ];
        for (text, kind, value) in table {
            let found = &fields(&line(text))[0];
            assert_eq!(
                (found.kind, &text[found.value.clone()]),
                (kind, value),
                "{text}"
            );
        }
    }

    #[test]
    fn several_fields_share_a_line() {
        let text = "Status: done | Estimate: 2 days | Depends on: 1";
        let found: Vec<&str> = fields(&line(text))
            .into_iter()
            .map(|f| &text[f.value])
            .collect();
        assert_eq!(found, ["done", "2 days", "1"]);
        assert_eq!(fields(&line("Status: done | see below")).len(), 1);
    }

    #[test]
    fn prose_is_no_field() {
        for text in [
            "Note: x",
            "Business Impact: x",
            "The status: fine",
            "Execution Time: 1s",
            "status",
            "http://x",
            "Depends onward: x",
        ] {
            assert!(!is_field(&line(text)), "{text}");
        }
    }
}
