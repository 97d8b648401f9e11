//! The texts of calls, where the user wants them kept.
//! For: taking secrets out before anything is stored, and storing it. Not for: deciding that it is wanted.

use std::borrow::Cow;

use callboard_store::{Conn, StoreError, params};

/// How much is remembered of calls to models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Privacy {
    /// Names, numbers and times; no text.
    #[default]
    Metadata,
    /// Also the texts of requests and answers, without secrets.
    Full,
}

/// Bytes kept of each text.
const MOST: usize = 64 * 1024;

/// The text of a request and of its answer, from which the secrets have been taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LlmText {
    id: String,
    at: i64,
    request: String,
    answer: String,
}

impl LlmText {
    /// Takes out the secrets in use and what has the shape of a provider's key, then cuts each text to 64
    /// KiB: there is no way to make one that was not redacted.
    #[must_use]
    pub fn redacted(id: &str, at: i64, request: &str, answer: &str) -> Self {
        Self {
            id: id.to_owned(),
            at,
            request: redact(request),
            answer: redact(answer),
        }
    }

    /// The call's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What was asked.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }

    /// What was answered.
    #[must_use]
    pub fn answer(&self) -> &str {
        &self.answer
    }

    pub(crate) fn at(&self) -> i64 {
        self.at
    }
}

fn redact(text: &str) -> String {
    let known = callboard_redact::scrub(text);
    let clean = mask_keys(&known);
    if clean.len() <= MOST {
        return clean.into_owned();
    }
    let start = crate::text::at_most(&clean, MOST);
    format!("{start} […cut, {} bytes in all]", clean.len())
}

/// What keys of well-known providers begin with, and how many characters follow at least.
const KEYS: [(&str, usize); 12] = [
    ("sk-", 16),
    ("gsk_", 16),
    ("xai-", 16),
    ("AIza", 30),
    ("ghp_", 30),
    ("gho_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("AKIA", 16),
    ("hf_", 30),
];

/// The text with `[key]` in place of what looks like a provider's key.
fn mask_keys(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut clean = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        let starts_word = at == 0 || !is_key_byte(bytes[at - 1]);
        let Some(end) = starts_word.then(|| key_end(bytes, at)).flatten() else {
            at += 1;
            continue;
        };
        clean.push_str(&text[copied..at]);
        clean.push_str("[key]");
        (copied, at) = (end, end);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

fn key_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let (start, least) = KEYS
        .iter()
        .find(|(start, _)| rest.starts_with(start.as_bytes()))?;
    let tail = &rest[start.len()..];
    let length = tail.iter().take_while(|byte| is_key_byte(**byte)).count();
    (length >= *least).then_some(at + start.len() + length)
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Writes a text; of the same id only the first one.
///
/// # Errors
/// Only when the store fails.
pub fn record_text(c: &mut dyn Conn, text: &LlmText) -> Result<(), StoreError> {
    c.execute(
        "INSERT INTO llm_text (id, at, request, answer) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
        params![&text.id, text.at, &text.request, &text.answer],
    )?;
    Ok(())
}

/// The text of this call, if it was kept.
///
/// # Errors
/// Only when the store fails.
pub fn llm_text(c: &mut dyn Conn, id: &str) -> Result<Option<LlmText>, StoreError> {
    c.query_one(
        "SELECT id, at, request, answer FROM llm_text WHERE id = ?1",
        params![id],
        |row| {
            Ok(LlmText {
                id: row.text(0)?,
                at: row.int(1)?,
                request: row.text(2)?,
                answer: row.text(3)?,
            })
        },
    )
}
