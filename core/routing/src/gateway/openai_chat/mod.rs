//! A client that speaks OpenAI's chat completions (platform.openai.com/docs/api-reference/chat).

mod decode;
mod encode;

pub(super) use decode::decode;
pub(super) use encode::{Writer, reply};
