//! A client that speaks OpenAI's chat completions (platform.openai.com/docs/api-reference/chat).

mod decode;
mod encode;

pub(super) use decode::{choice_word, decode, effort, image};
pub(super) use encode::{Writer, reply};
