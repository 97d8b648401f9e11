//! What limits refuses, in words that say what to do next.

use callboard_store::StoreError;

use crate::reservation::Denied;

/// A refused or failed operation.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LimitError {
    /// The store failed; nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value that can't be accepted.
    #[error("{field}: {why}")]
    Invalid {
        /// The field's name as the caller knows it.
        field: &'static str,
        /// What is wrong and what is allowed.
        why: String,
    },
    /// A limit stands in the way; nothing was reserved.
    #[error(transparent)]
    Denied(#[from] Box<Denied>),
    /// A call of that id was reserved before.
    #[error("call {id} was reserved already: each call needs an id of its own")]
    Twice {
        /// The call.
        id: String,
    },
    /// No call of that id was ever reserved.
    #[error("no call {id} was reserved")]
    Unknown {
        /// The call.
        id: String,
    },
}

impl LimitError {
    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        LimitError::Invalid {
            field,
            why: why.into(),
        }
    }
}
