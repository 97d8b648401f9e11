//! Chat completions as OpenAI defined them (platform.openai.com/docs/api-reference/chat) and others took over.

mod decode;
mod encode;

pub(super) use decode::Reading;
pub(super) use encode::encode;
