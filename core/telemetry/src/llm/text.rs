//! The texts of calls, where the user wants them kept.
//! For: taking secrets out before anything is stored, and storing it. Not for: deciding that it is wanted.

use callboard_store::{Conn, StoreError, params};

use super::secrets;

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
    /// Takes out the secrets in use and what has the shape of a key or is named as a secret, then cuts each text to 64
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
    let clean = secrets::mask(&known);
    if clean.len() <= MOST {
        return clean.into_owned();
    }
    let start = crate::text::at_most(&clean, MOST);
    format!("{start} […cut, {} bytes in all]", clean.len())
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
