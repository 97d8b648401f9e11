//! Gemini's generateContent (ai.google.dev/api/generate-content).

mod decode;
mod encode;

pub(super) use decode::Reading;
pub(super) use encode::{encode, encode_count};
