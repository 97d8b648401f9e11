//! For: the document's blocks in order: headings, lines of text, list entries, tables; code and comments left out.
//! Block structure comes from pulldown-cmark: fences of any length inside lists inside quotes, lazy continuation
//! and tab stops are where parsers of our own go wrong, and it gives byte offsets. Not for: what the text means.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::fields;
use crate::lines::LineIndex;
use crate::parts;
use crate::rendered::{Rendered, Style};

/// Below every heading of the document: a bold line that stands for a heading.
pub(crate) const BOLD_LINE_LEVEL: u8 = 7;

pub(crate) type HeadingId = usize;
pub(crate) type EntryId = usize;

#[derive(Debug)]
pub(crate) struct Heading {
    pub level: u8,
    pub text: Rendered,
    pub line: u32,
    pub parent: Option<HeadingId>,
    /// The heading itself: its lines, without the last line end.
    pub own: Range<usize>,
    /// To the next heading of the same or a higher level.
    pub body: Range<usize>,
}

/// One line of a paragraph or of the text of a list entry.
#[derive(Debug)]
pub(crate) struct Line {
    pub text: Rendered,
    pub line: u32,
    pub section: Option<HeadingId>,
    pub entry: Option<EntryId>,
    /// The first line of its entry.
    pub heads_entry: bool,
    pub quoted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    Empty,
    Ticked,
    /// `[~]`, `[/]`
    Half,
    /// `[-]`
    Dropped,
    /// `[!]`
    Stuck,
}

#[derive(Debug, Clone)]
pub(crate) struct CheckBox {
    pub tick: Tick,
    /// The character between the brackets.
    pub span: Range<usize>,
    /// Where the text after it starts, in the rendered line.
    pub after: usize,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub parent: Option<EntryId>,
    pub section: Option<HeadingId>,
    pub list: usize,
    /// 0 for a list that is in no other.
    pub depth: u32,
    /// Its number as a reader sees it.
    pub ordinal: Option<u64>,
    pub line: u32,
    pub body: Range<usize>,
    /// The line of `Document::lines` it starts with.
    pub head: Option<usize>,
    /// The end of its first paragraph.
    pub head_end: usize,
    pub check_box: Option<CheckBox>,
    /// The line of `Document::lines` directly before its list, unless the list stands in an entry.
    pub label: Option<usize>,
    pub quoted: bool,
}

#[derive(Debug)]
pub(crate) struct Cell {
    pub text: Rendered,
    /// Between the bars.
    pub span: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub cells: Vec<Cell>,
    pub line: u32,
    pub body: Range<usize>,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub section: Option<HeadingId>,
    pub header: Vec<Cell>,
    pub rows: Vec<Row>,
    pub quoted: bool,
}

/// The blocks of a document.
#[derive(Debug)]
pub(crate) struct Document {
    pub headings: Vec<Heading>,
    pub lines: Vec<Line>,
    pub entries: Vec<Entry>,
    pub tables: Vec<Table>,
    pub index: LineIndex,
}

/// Takes a document apart. A byte order mark is no part of its first line.
pub(crate) fn read(text: &str) -> Document {
    let skipped = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reader = Reader::new(text);
    for (event, range) in Parser::new_ext(&text[skipped..], options).into_offset_iter() {
        reader.take(event, range.start + skipped..range.end + skipped);
    }
    reader.finish()
}

struct OpenList {
    id: usize,
    next: Option<u64>,
    label: Option<usize>,
}

enum Leaf {
    Text,
    Heading(u8),
    Cell,
}

struct Reader<'t> {
    text: &'t str,
    doc: Document,
    /// Headings whose section is open, outermost first.
    open: Vec<HeadingId>,
    lists: Vec<OpenList>,
    entries: Vec<EntryId>,
    list_count: usize,
    quotes: u32,
    /// Inside code, HTML or front matter.
    hidden: u32,
    leaf: Option<(Leaf, Vec<Rendered>, Range<usize>)>,
    style: (u32, u32),
    table: Option<Table>,
    row: Vec<Cell>,
    /// The line that a list directly after it is labelled by.
    label: Option<usize>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        let doc = Document {
            headings: Vec::new(),
            lines: Vec::new(),
            entries: Vec::new(),
            tables: Vec::new(),
            index: LineIndex::new(text),
        };
        Self {
            text,
            doc,
            open: Vec::new(),
            lists: Vec::new(),
            entries: Vec::new(),
            list_count: 0,
            quotes: 0,
            hidden: 0,
            leaf: None,
            style: (0, 0),
            table: None,
            row: Vec::new(),
            label: None,
        }
    }

    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(&tag, range),
            Event::End(tag) => self.end(tag, range),
            Event::Text(text) => self.inline(&text, range, false),
            Event::Code(text) => self.inline(&text, range, true),
            Event::SoftBreak | Event::HardBreak => self.next_line(),
            Event::Rule => self.other_block(),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Strong => self.style.0 += 1,
            Tag::Strikethrough => self.style.1 += 1,
            Tag::Paragraph => self.open_leaf(Leaf::Text, range),
            Tag::Heading { level, .. } => {
                self.open_leaf(Leaf::Heading(level_number(*level)), range)
            }
            Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::MetadataBlock(_) => {
                self.other_block();
                self.hidden += 1;
            }
            Tag::BlockQuote(_) => {
                self.other_block();
                self.quotes += 1;
            }
            Tag::List(first) => self.open_list(*first),
            Tag::Item => self.open_entry(range),
            Tag::Table(_) => self.open_table(),
            Tag::TableCell => self.open_leaf(Leaf::Cell, range),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::Strong => self.style.0 = self.style.0.saturating_sub(1),
            TagEnd::Strikethrough => self.style.1 = self.style.1.saturating_sub(1),
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::TableCell => self.close_leaf(range),
            TagEnd::CodeBlock | TagEnd::HtmlBlock | TagEnd::MetadataBlock(_) => {
                self.hidden = self.hidden.saturating_sub(1);
            }
            TagEnd::BlockQuote(_) => {
                self.other_block();
                self.quotes = self.quotes.saturating_sub(1);
            }
            TagEnd::List(_) => {
                self.close_tight_text();
                self.lists.pop();
                self.label = None;
            }
            TagEnd::Item => {
                self.close_tight_text();
                self.entries.pop();
            }
            TagEnd::TableHead | TagEnd::TableRow => self.close_row(range, tag == TagEnd::TableHead),
            TagEnd::Table => self.doc.tables.extend(self.table.take()),
            _ => {}
        }
    }

    fn other_block(&mut self) {
        self.close_tight_text();
        self.label = None;
    }

    // --- text

    fn open_leaf(&mut self, leaf: Leaf, range: Range<usize>) {
        self.close_tight_text();
        self.leaf = Some((leaf, vec![Rendered::default()], range));
    }

    fn inline(&mut self, text: &str, range: Range<usize>, code: bool) {
        if self.hidden > 0 {
            return;
        }
        let style = Style {
            strong: self.style.0 > 0,
            struck: self.style.1 > 0,
            code,
        };
        let inner = if code {
            inside_ticks(&self.text[range.clone()], text).map(|at| range.start + at)
        } else {
            None
        };
        let source = inner.map_or(range.clone(), |start| start..start + text.len());
        // The text of a tight list's entry comes without a paragraph around it.
        let (_, lines, span) = self
            .leaf
            .get_or_insert_with(|| (Leaf::Text, vec![Rendered::default()], range.clone()));
        span.end = span.end.max(range.end);
        if let Some(line) = lines.last_mut() {
            line.push(text, source, style);
        }
    }

    fn next_line(&mut self) {
        if let Some((_, lines, _)) = &mut self.leaf {
            lines.push(Rendered::default());
        }
    }

    fn close_tight_text(&mut self) {
        if let Some((Leaf::Text, lines, span)) = self.leaf.take() {
            self.add_paragraph(lines, &span);
        }
    }

    fn close_leaf(&mut self, range: Range<usize>) {
        match self.leaf.take() {
            Some((Leaf::Text, lines, span)) => self.add_paragraph(lines, &span),
            Some((Leaf::Heading(level), lines, _)) => self.add_heading(level, lines, range),
            Some((Leaf::Cell, mut lines, span)) => {
                self.row.push(Cell {
                    text: lines.swap_remove(0),
                    span,
                });
            }
            None => {}
        }
    }

    fn add_heading(&mut self, level: u8, mut lines: Vec<Rendered>, range: Range<usize>) {
        let underlined = self.text[range.clone()].trim_end().ends_with(['-', '='])
            && !self.text[range.clone()].starts_with('#');
        let meant_as_text = underlined && (lines.len() > 1 || fields::is_field(&lines[0]));
        if meant_as_text || self.quotes > 0 || !self.entries.is_empty() {
            // A line of dashes below text was meant as a rule; a heading in a quotation or list heads nothing.
            self.add_paragraph(lines, &range);
            self.label = None;
        } else {
            self.push_heading(level, lines.swap_remove(0), range);
        }
    }

    fn push_heading(&mut self, level: u8, text: Rendered, range: Range<usize>) {
        while self
            .open
            .last()
            .is_some_and(|id| self.doc.headings[*id].level >= level)
        {
            self.close_section(range.start);
        }
        let own = range.start
            ..range.start
                + self.text[range.clone()]
                    .trim_end_matches(['\n', '\r'])
                    .len();
        self.doc.headings.push(Heading {
            level,
            line: self.doc.index.line(range.start),
            text,
            parent: self.open.last().copied(),
            body: own.start..self.text.len(),
            own,
        });
        self.open.push(self.doc.headings.len() - 1);
        self.label = None;
    }

    fn close_section(&mut self, end: usize) {
        if let Some(id) = self.open.pop() {
            self.doc.headings[id].body.end = end;
        }
    }

    fn add_paragraph(&mut self, lines: Vec<Rendered>, span: &Range<usize>) {
        // A line may hold nothing but a comment.
        let lines: Vec<Rendered> = lines
            .into_iter()
            .filter(|line| line.source_start().is_some())
            .collect();
        let heads_entry = self.note_entry_head(&lines, span);
        let mut last = None;
        for (number, text) in lines.into_iter().enumerate() {
            let Some(start) = text.source_start() else {
                continue;
            };
            if self.entries.is_empty() && self.quotes == 0 && parts::is_bold_heading(&text) {
                let line =
                    self.doc.index.start_of(start)..self.doc.index.next_start(start, self.text);
                self.push_heading(BOLD_LINE_LEVEL, text, line);
                continue;
            }
            last = Some(self.doc.lines.len());
            self.push_line(text, start, heads_entry && number == 0);
        }
        self.label = last;
    }

    fn push_line(&mut self, text: Rendered, start: usize, heads_entry: bool) {
        self.doc.lines.push(Line {
            line: self.doc.index.line(start),
            text,
            section: self.open.last().copied(),
            entry: self.entries.last().copied(),
            heads_entry,
            quoted: self.quotes > 0,
        });
    }

    // --- lists

    fn open_list(&mut self, first: Option<u64>) {
        self.close_tight_text();
        let label = if self.entries.is_empty() {
            self.label
        } else {
            None
        };
        self.lists.push(OpenList {
            id: self.list_count,
            next: first,
            label,
        });
        self.list_count += 1;
        self.label = None;
    }

    fn open_entry(&mut self, range: Range<usize>) {
        self.close_tight_text();
        let Some(list) = self.lists.last_mut() else {
            return;
        };
        let ordinal = list.next;
        list.next = ordinal.map(|n| n.saturating_add(1));
        let (list_id, label) = (list.id, list.label);
        self.doc.entries.push(Entry {
            parent: self.entries.last().copied(),
            section: self.open.last().copied(),
            list: list_id,
            depth: u32::try_from(self.lists.len() - 1).unwrap_or(u32::MAX),
            ordinal,
            line: self.doc.index.line(range.start),
            head: None,
            head_end: range.start,
            body: range,
            check_box: None,
            label,
            quoted: self.quotes > 0,
        });
        self.entries.push(self.doc.entries.len() - 1);
    }

    /// Whether these lines are the first of their entry; if so the entry learns where they are.
    fn note_entry_head(&mut self, lines: &[Rendered], span: &Range<usize>) -> bool {
        let next_line = self.doc.lines.len();
        let check_box = lines.first().and_then(|line| check_box(line, self.text));
        let Some(entry) = self.entries.last().map(|id| &mut self.doc.entries[*id]) else {
            return false;
        };
        if entry.head.is_some() || lines.is_empty() {
            return false;
        }
        entry.head = Some(next_line);
        entry.head_end = span.start + self.text[span.clone()].trim_end().len();
        entry.check_box = check_box;
        true
    }

    // --- tables

    fn open_table(&mut self) {
        self.other_block();
        let section = self.open.last().copied();
        self.table = Some(Table {
            section,
            header: Vec::new(),
            rows: Vec::new(),
            quoted: self.quotes > 0,
        });
    }

    fn close_row(&mut self, range: Range<usize>, header: bool) {
        let cells = std::mem::take(&mut self.row);
        let line = self.doc.index.line(range.start);
        let Some(table) = &mut self.table else { return };
        if header {
            table.header = cells;
        } else {
            table.rows.push(Row {
                cells,
                line,
                body: range,
            });
        }
    }

    fn finish(mut self) -> Document {
        self.close_tight_text();
        while !self.open.is_empty() {
            self.close_section(self.text.len());
        }
        self.doc
    }
}

/// Where the text of a code span stands between its back-ticks, if it stands there as it is.
fn inside_ticks(span: &str, text: &str) -> Option<usize> {
    let ticks = span.len() - span.trim_start_matches('`').len();
    let inner = span.get(ticks..span.len().checked_sub(ticks)?)?;
    let space = usize::from(inner.len() == text.len() + 2);
    (inner.get(space..inner.len() - space) == Some(text)).then_some(ticks + space)
}

fn level_number(level: HeadingLevel) -> u8 {
    level as u8
}

/// `[ ]`, `[x]` and its relatives at the start of a line, followed by white space or nothing.
pub(crate) fn check_box(line: &Rendered, text: &str) -> Option<CheckBox> {
    let start = line.text.len() - line.text.trim_start().len();
    let mut chars = line.text[start..].char_indices();
    let (_, '[') = chars.next()? else { return None };
    let (at, mark) = chars.next()?;
    let (close, ']') = chars.next()? else {
        return None;
    };
    if chars.next().is_some_and(|(_, c)| !c.is_whitespace()) {
        return None;
    }
    let tick = match mark {
        ' ' | '\t' | '\u{a0}' => Tick::Empty,
        'x' | 'X' | '✓' | '✔' => Tick::Ticked,
        '~' | '/' => Tick::Half,
        '-' => Tick::Dropped,
        '!' => Tick::Stuck,
        _ => return None,
    };
    let span = line.source(&(start + at..start + close))?;
    // Escaped brackets and a character reference are text, not a box.
    let whole = line.source(&(start..start + close + 1))?;
    (whole.len() == span.len() + 2 && text[span.clone()].chars().eq([mark])).then_some(CheckBox {
        tick,
        span,
        after: start + close + 1,
    })
}
