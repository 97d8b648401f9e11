//! Anthropic's Messages (platform.claude.com/docs/en/api/messages).

mod decode;
mod encode;

pub(super) use decode::Reading;
pub(super) use encode::{encode, encode_count};
