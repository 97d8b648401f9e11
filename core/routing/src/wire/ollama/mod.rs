//! Ollama's own chat (github.com/ollama/ollama/blob/main/docs/api.md).

mod decode;
mod encode;

pub(super) use decode::Reading;
pub(super) use encode::encode;
