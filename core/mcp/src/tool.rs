//! What a server author writes for a tool: one type, one file.
//!
//! For: the name, the words, the effect, the typed parameters and answer, and the handler. Not for:
//! schemas, errors on the wire, spans or guards; the registry and the call wrapper add those.

use std::sync::Arc;

use rmcp::model::ToolAnnotations;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{CallContext, IntoAnswer, Long, Role, ToolError, schema};

/// One verb of a server whose state is `S`.
///
/// The doc comments of the fields of `Params` become the parameters' descriptions in the schema.
pub trait Tool<S: Send + Sync + 'static>: Send + Sync + 'static {
    /// `noun_verb`, of `[a-z0-9_]`.
    const NAME: &'static str;
    /// A few words for people.
    const TITLE: &'static str;
    /// What the tool is for, first of all; then what a caller must know.
    const DESCRIPTION: &'static str;
    /// What a call may change.
    const EFFECT: Effect;
    /// What the caller must be.
    const ROLE: Role;
    /// Whether a call may reach beyond this machine and its repositories.
    const OPEN_WORLD: bool = false;
    /// Whether a call may go on after its first answer, as a task.
    const LONG: Long = Long::No;

    /// The arguments: a struct with `#[serde(deny_unknown_fields)]`, of checked types such as
    /// [`crate::Line`].
    type Params: DeserializeOwned + JsonSchema + Send + 'static;
    /// The answer: a struct. Give optional fields `#[serde(skip_serializing_if = "Option::is_none")]`, so
    /// that they are absent, not null, and the schema says so. For pictures and sound: [`crate::Blocks`].
    type Output: IntoAnswer;

    /// The JSON schema of the arguments. Unless this is written, it is made from `Params`; write it where a
    /// schema says what types cannot, such as "if this, then that".
    fn input_schema() -> Map<String, Value> {
        schema::of_params::<Self::Params>()
    }

    /// Does it.
    ///
    /// # Errors
    /// Anything the caller should read; it gets the kind, the message and the hint.
    fn call(
        server: Arc<S>,
        params: Self::Params,
        ctx: CallContext,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}

/// What a call may change; clients decide by it what to ask their user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    ReadOnly,
    /// Something.
    Write {
        /// Whether it can take away or overwrite what was there.
        destructive: bool,
        /// Whether doing it twice changes nothing more.
        idempotent: bool,
    },
}

impl Effect {
    pub(crate) fn is_destructive(self) -> bool {
        matches!(
            self,
            Effect::Write {
                destructive: true,
                ..
            }
        )
    }

    pub(crate) fn annotations(self, open_world: bool) -> ToolAnnotations {
        let (read_only, destructive, idempotent) = match self {
            Effect::ReadOnly => (true, false, true),
            Effect::Write {
                destructive,
                idempotent,
            } => (false, destructive, idempotent),
        };
        ToolAnnotations::new()
            .read_only(read_only)
            .destructive(destructive)
            .idempotent(idempotent)
            .open_world(open_world)
    }
}

/// The answer in a few readable lines: the same facts as the structured form, and no others.
///
/// Keep it under [`crate::ANSWER_CHARS`].
pub trait Render {
    /// The lines.
    fn text(&self) -> String;

    /// Resources that hold the rest, for clients that can follow them.
    fn links(&self) -> Vec<Link> {
        Vec::new()
    }
}

/// A pointer from an answer to a resource of the same server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The resource's URI.
    pub uri: String,
    /// A short name.
    pub name: String,
    /// What is behind it.
    pub description: String,
    /// Its MIME type, for example `text/plain`.
    pub mime: &'static str,
}
