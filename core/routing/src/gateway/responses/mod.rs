//! A client that speaks OpenAI's Responses (platform.openai.com/docs/api-reference/responses), as Codex does.

mod decode;
mod encode;

pub(super) use decode::decode;
pub(super) use encode::{Writer, reply};

use std::collections::BTreeMap;

/// The name of a custom tool's only argument.
const INPUT: &str = "input";

/// The tools of a request under the names that models know them by, as far as those say less.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Names {
    known: BTreeMap<String, Tool>,
}

#[derive(Debug, Clone, PartialEq)]
enum Tool {
    /// One of a namespace.
    Inside { namespace: String, name: String },
    /// It takes text and no arguments.
    Custom,
}
