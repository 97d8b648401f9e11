//! What a caller is told when a call did not do what it was asked.
//!
//! For: one kind, one message, one hint that says what to do next. Not for: the errors inside the core,
//! which are typed; each server translates them here, at its edge.

use std::fmt;

use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, ErrorData, MetaObject};
use serde_json::json;

use crate::Ability;

/// What sort of failure it is; a program may branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The arguments are wrong: correct them and call again.
    InvalidInput,
    /// There is no such thing.
    NotFound,
    /// The state does not allow it, or somebody else was first.
    Conflict,
    /// The lease was lost; this worker may not write any more.
    StaleLease,
    /// Too large, too many or too long.
    Limit,
    /// No valid token was shown.
    Unauthorized,
    /// The caller's role does not allow it.
    Forbidden,
    /// Only a person can go on from here.
    NeedsPerson,
    /// The client did not say that it can do what this needs.
    ClientLacks(Ability),
    /// It may work later: a file, a program or a peer is not there now.
    Unavailable,
    /// A bug of ours.
    Internal,
    /// The caller gave the call up, or the connection ended.
    Cancelled,
    /// No failure: the handler is unwound until the client has answered a question. Pass it on with `?`.
    Suspended,
}

impl ErrorKind {
    /// The word that starts the error's text and stands in the call log.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::InvalidInput => "invalid_input",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::StaleLease => "stale_lease",
            ErrorKind::Limit => "limit",
            ErrorKind::Unauthorized => "unauthorized",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::NeedsPerson => "needs_person",
            ErrorKind::ClientLacks(_) => "client_lacks",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Internal => "internal",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::Suspended => "suspended",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// An error that goes to the caller: `kind: message`, then `Hint: what to do next`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}{}", hint_line(hint.as_deref()))]
pub struct ToolError {
    /// What sort of failure it is.
    pub kind: ErrorKind,
    /// What went wrong, in one sentence, naming the thing concerned.
    pub message: String,
    /// What the caller can do about it.
    pub hint: Option<String>,
}

fn hint_line(hint: Option<&str>) -> String {
    hint.map_or(String::new(), |hint| format!("\nHint: {hint}"))
}

impl ToolError {
    /// An error without a hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        ToolError {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    /// [`ErrorKind::InvalidInput`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// [`ErrorKind::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// [`ErrorKind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// [`ErrorKind::Cancelled`], in the words used for every call that was given up.
    pub fn cancelled() -> Self {
        Self::new(
            ErrorKind::Cancelled,
            "the call was given up before it ended",
        )
    }

    /// Adds what the caller can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error without the secrets in use.
    pub(crate) fn scrubbed(mut self) -> Self {
        callboard_redact::scrub_in_place(&mut self.message);
        if let Some(hint) = &mut self.hint {
            callboard_redact::scrub_in_place(hint);
        }
        self
    }

    /// A tool's error as its caller's era wants it: since 2026-07-28 there is a protocol error for what the
    /// client did not declare; everything else is a result that the model reads.
    pub(crate) fn into_answer(
        self,
        modern: bool,
        request: Option<crate::http::RequestId>,
    ) -> Result<CallToolResult, ErrorData> {
        match self.kind {
            ErrorKind::ClientLacks(ability) if modern => Err(
                ErrorData::missing_required_client_capability(ability.capabilities()),
            ),
            _ => Ok(self.into_result_of(request)),
        }
    }

    /// A tool's error: one text block and nothing structured, so that clients which check answers against
    /// the output schema have nothing to reject.
    pub(crate) fn into_result(self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text(self.to_string())])
    }

    /// As [`ToolError::into_result`], with the name of the request it is about.
    pub(crate) fn into_result_of(self, request: Option<crate::http::RequestId>) -> CallToolResult {
        let mut result = self.into_result();
        if let Some(request) = request {
            let mut meta = MetaObject::new();
            meta.insert("callboard/request".to_owned(), json!(request.as_str()));
            result.meta = Some(meta);
        }
        result
    }

    /// The error of a resource or prompt, which have no error results of their own in the protocol.
    pub(crate) fn into_protocol(self) -> ErrorData {
        let code = match self.kind {
            ErrorKind::NotFound => ErrorCode::RESOURCE_NOT_FOUND,
            ErrorKind::InvalidInput | ErrorKind::Limit => ErrorCode::INVALID_PARAMS,
            _ => ErrorCode::INTERNAL_ERROR,
        };
        let data = json!({ "kind": self.kind.as_str() });
        ErrorData::new(code, self.to_string(), Some(data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kind_message_hint() {
        let error = ToolError::not_found("no task t_1").hint("task_list shows the tasks");
        assert_eq!(
            error.to_string(),
            "not_found: no task t_1\nHint: task_list shows the tasks"
        );
        assert_eq!(ToolError::invalid("no").to_string(), "invalid_input: no");
    }
}
