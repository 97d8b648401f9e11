//! A client that speaks Anthropic's Messages (docs.anthropic.com/en/api/messages).

mod decode;
mod encode;

pub(super) use decode::{decode, decode_count};
pub(super) use encode::{Writer, reply};
