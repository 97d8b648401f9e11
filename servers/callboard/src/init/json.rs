//! Editing JSON as text: an entry is put in or replaced, every other byte stays.
//! For: files that people write, with comments and trailing commas where their client takes them.
//! Not for: knowing clients or files.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use std::ops::Range;

use super::Change;

const BOM: char = '\u{feff}';

/// A text and the same text with its comments and trailing commas turned into spaces: what is found in the
/// plain one stands at the same place in the other.
pub struct Document<'t> {
    text: &'t str,
    plain: String,
}

impl<'t> Document<'t> {
    /// `comments`: whether whoever reads the file takes comments and trailing commas.
    pub fn new(text: &'t str, comments: bool) -> Self {
        let plain = if comments {
            without_comments(text)
        } else {
            text.to_owned()
        };
        Document { text, plain }
    }

    fn is_empty(&self) -> bool {
        self.plain.trim_start_matches(BOM).trim().is_empty()
    }

    pub fn parse(&self) -> anyhow::Result<Map<String, Value>> {
        let json = self.plain.trim_start_matches(BOM);
        let value: Value = serde_json::from_str(json).map_err(|error| {
            anyhow::anyhow!(
                "line {}, column {} is no JSON ({}); mend it by hand",
                error.line(),
                error.column(),
                error
            )
        })?;
        match value {
            Value::Object(root) => Ok(root),
            _ => bail!("the file holds no JSON object; mend it by hand"),
        }
    }

    /// The text with the server `name` under `member`; `merge` says how an entry that is there becomes ours.
    pub fn with_server(
        &self,
        member: &str,
        name: &str,
        entry: &Map<String, Value>,
        merge: impl FnOnce(&Value) -> anyhow::Result<Value>,
    ) -> anyhow::Result<(String, Change)> {
        if self.is_empty() {
            let mut root = Map::new();
            root.insert(member.to_owned(), json!({ name: entry }));
            let fresh = format!("{}\n", pretty(&Value::Object(root), "  ")?);
            return Ok((format!("{}{fresh}", self.text.trim_end()), Change::Added));
        }
        let root = self.parse()?;
        let start = object_start(&self.plain);
        let Some(servers) = root.get(member) else {
            let value = json!({ name: entry });
            return Ok((self.insert(start, member, &value)?, Change::Added));
        };
        let Some(servers) = servers.as_object() else {
            bail!("{member} is no object; mend it by hand");
        };
        let at = value_of(&self.plain, start, member).context("no place for the servers")?;
        let Some(present) = servers.get(name) else {
            let value = Value::Object(entry.clone());
            return Ok((self.insert(at.start, name, &value)?, Change::Added));
        };
        let wanted = merge(present)?;
        if wanted == *present {
            return Ok((self.text.to_owned(), Change::Unchanged));
        }
        let span = value_of(&self.plain, at.start, name).context("no place for the server")?;
        let indent = line_indent(self.text, span.start);
        let value = reindented(
            &pretty(&wanted, &indent_unit(self.text))?,
            &indent,
            newline(self.text),
        );
        Ok((replaced(self.text, span, &value), Change::Updated))
    }

    /// The text with `element` in the root's list `member`, unless one with the same `id` is there.
    pub fn with_element(&self, member: &str, id: &str, element: &Value) -> anyhow::Result<String> {
        let root = self.parse()?;
        let start = object_start(&self.plain);
        let Some(list) = root.get(member) else {
            return self.insert(start, member, &json!([element]));
        };
        let Some(list) = list.as_array() else {
            bail!("{member} is no list; mend it by hand");
        };
        if list.iter().any(|one| one.get("id") == Some(&json!(id))) {
            return Ok(self.text.to_owned());
        }
        let at = value_of(&self.plain, start, member).context("no place for the list")?;
        let unit = indent_unit(self.text);
        let indent = format!("{}{unit}", line_indent(self.text, at.start));
        let newline = newline(self.text);
        let value = reindented(&pretty(element, &unit)?, &indent, newline);
        let comma = if list.is_empty() { "" } else { "," };
        let first = at.start + 1..at.start + 1;
        Ok(replaced(
            self.text,
            first,
            &format!("{newline}{indent}{value}{comma}"),
        ))
    }

    /// Adds a member at the end of the object that starts at `open`.
    fn insert(&self, open: usize, name: &str, value: &Value) -> anyhow::Result<String> {
        let text = self.text;
        let newline = newline(text);
        let unit = indent_unit(text);
        let outer = line_indent(text, open);
        let members = members(&self.plain, open);
        let inner = match members.first() {
            Some((key, _)) if text[open..key.start].contains('\n') => line_indent(text, key.start),
            _ => format!("{outer}{unit}"),
        };
        let value = reindented(&pretty(value, &unit)?, &inner, newline);
        let added = format!("{newline}{inner}{}: {value}", serde_json::to_string(name)?);
        let Some((_, last)) = members.last() else {
            let close = skip_space(&self.plain, open + 1);
            // A comment in an empty object stays where it is.
            let kept = text[open + 1..close].trim_end();
            return Ok(replaced(
                text,
                open + 1..close,
                &format!("{kept}{added}{newline}{outer}"),
            ));
        };
        let gap = skip_space(&self.plain, last.end);
        let after_comma =
            outside_comments(&text[last.end..gap], b',').map(|comma| last.end + comma + 1);
        let (comma, from) = match after_comma {
            Some(after) => ("", after),
            None => (",", last.end),
        };
        // What stands on the rest of that line, a comment, belongs to the member before.
        let line_end = outside_comments(&text[from..gap], b'\n').map_or(from, |end| from + end);
        let line_end = line_end - usize::from(text[..line_end].ends_with('\r') && line_end > from);
        Ok(format!(
            "{}{comma}{}{added}{}",
            &text[..from],
            &text[from..line_end],
            &text[line_end..]
        ))
    }
}

/// One member of an object, for people to read.
pub fn member(name: &str, value: &Value) -> anyhow::Result<String> {
    let name = serde_json::to_string(name)?;
    Ok(format!("{name}: {}\n", pretty(value, "  ")?))
}

/// Where `byte` stands first, in no comment, in what is between two values.
fn outside_comments(between: &str, byte: u8) -> Option<usize> {
    let bytes = between.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"//") {
            at += between[at..].find('\n')?;
        } else if bytes[at..].starts_with(b"/*") {
            at += 2 + between[at + 2..].find("*/")? + 2;
        } else if bytes[at] == byte {
            return Some(at);
        } else {
            at += 1;
        }
    }
    None
}

/// Comments and trailing commas as spaces; line ends stay, so that lines keep their numbers.
fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = bytes.to_vec();
    let (mut at, mut comma) = (0, None);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            at + rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            text[at + 2..]
                .find("*/")
                .map_or(bytes.len(), |end| at + 2 + end + 2)
        } else if rest[0] == b'"' {
            comma = None;
            at = end_of_string(bytes, at);
            continue;
        } else {
            match rest[0] {
                b',' => comma = Some(at),
                b'}' | b']' => {
                    if let Some(comma) = comma.take() {
                        plain[comma] = b' ';
                    }
                }
                byte if byte.is_ascii_whitespace() => {}
                _ => comma = None,
            }
            at += 1;
            continue;
        };
        for byte in &mut plain[at..end] {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        at = end;
    }
    // Only whole comments were replaced, each byte of them.
    String::from_utf8(plain).unwrap_or_else(|_| text.to_owned())
}

fn end_of_string(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

// --- Text of JSON that has already been parsed: so strings close and brackets match, and only places are looked for.

/// Offset of the root object's `{`.
fn object_start(text: &str) -> usize {
    text.find('{').unwrap_or(0)
}

/// The members of the object that starts at `open`: for each, where its key and its value stand.
fn members(text: &str, open: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = skip_space(text, open + 1);
    while text[at..].starts_with('"') {
        let key = at..end_of_value(text, at);
        let colon = skip_space(text, key.end);
        let start = skip_space(text, colon + 1);
        let value = start..end_of_value(text, start);
        at = skip_space(text, value.end);
        found.push((key, value));
        if text[at..].starts_with(',') {
            at = skip_space(text, at + 1);
        }
    }
    found
}

fn skip_space(text: &str, from: usize) -> usize {
    let rest = &text[from..];
    from + (rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len())
}

fn end_of_value(text: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in text.bytes().enumerate().skip(from) {
        let was_in_string = in_string;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return offset,
            b'}' | b']' => depth -= 1,
            b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return offset,
            _ => {}
        }
        let closed = matches!(byte, b'}' | b']') || (was_in_string && !in_string);
        if depth == 0 && closed && !in_string {
            return offset + 1;
        }
    }
    text.len()
}

/// Where the value of a member stands; the last one counts, as it does for parsers.
fn value_of(text: &str, open: usize, name: &str) -> Option<Range<usize>> {
    let is_it = |key: &Range<usize>| {
        serde_json::from_str::<String>(&text[key.clone()]).is_ok_and(|key| key == name)
    };
    members(text, open)
        .into_iter()
        .rev()
        .find(|(key, _)| is_it(key))
        .map(|(_, value)| value)
}

fn replaced(text: &str, span: Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..span.start], &text[span.end..])
}

fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The white space that the line of this offset starts with.
fn line_indent(text: &str, offset: usize) -> String {
    let start = text[..offset].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].trim_start_matches(BOM);
    line[..line.len() - line.trim_start_matches([' ', '\t']).len()].to_owned()
}

/// One step of indentation: that of the first indented line, else two spaces.
fn indent_unit(text: &str) -> String {
    let indents = text
        .lines()
        .map(|line| &line[..line.len() - line.trim_start().len()]);
    indents
        .filter(|indent| !indent.is_empty())
        .min_by_key(|indent| indent.len())
        .unwrap_or("  ")
        .to_owned()
}

fn pretty(value: &Value, unit: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(unit.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(value, &mut serializer)?;
    Ok(String::from_utf8(bytes)?)
}

fn reindented(value: &str, indent: &str, newline: &str) -> String {
    value.replace('\n', &format!("{newline}{indent}"))
}
