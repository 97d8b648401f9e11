//! Asking the client where it works.
//!
//! For: the directories that the client names. Not for: trusting them; a client may name any.
#![expect(
    deprecated,
    reason = "the protocol's newest revision deprecates roots; clients of both eras name them"
)]

use rmcp::model::{InputRequest, ListRootsRequest, ListRootsResult};

use crate::ask::Obtained;
use crate::call::BoxFuture;
use crate::{Ability, CallContext, ToolError};

/// A directory or file that the client works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// A `file://` URI.
    pub uri: String,
    /// Its name for people.
    pub name: Option<String>,
}

impl CallContext {
    /// The directories that the client works in.
    ///
    /// As with [`CallContext::ask`], the handler may be run again from its start with the answer at hand, and
    /// `key` names the request within the call.
    ///
    /// # Errors
    /// [`ErrorKind::Suspended`](crate::ErrorKind::Suspended) unwinds the handler until the answer is there;
    /// [`ErrorKind::ClientLacks`](crate::ErrorKind::ClientLacks) where the client names none;
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where it did not answer.
    pub fn roots<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<Root>, ToolError>> {
        Box::pin(async move {
            self.needs(Ability::Roots)?;
            let request = InputRequest::ListRoots(ListRootsRequest::default());
            let asking = self.asking();
            let Obtained::Value(value) = asking.obtain(key, request, &self.cancellation()).await?
            else {
                return Err(ToolError::unavailable("the client did not name its roots"));
            };
            let answer: ListRootsResult = serde_json::from_value(value)
                .map_err(|_| asking.misfit(key, "is no list of roots ({roots: [{uri}]})"))?;
            let roots = answer.roots.into_iter().map(|root| Root {
                uri: root.uri,
                name: root.name,
            });
            Ok(roots.collect())
        })
    }
}
