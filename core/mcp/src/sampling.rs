//! Asking the client's model.
//!
//! For: one message and the model's text, where the client offers that. Not for: asking the user, and not
//! for conversations: the client has a model in charge already.
#![expect(
    deprecated,
    reason = "the protocol's newest revision deprecates sampling; clients with a handshake offer it"
)]

use rmcp::model::{CreateMessageRequestParams, SamplingMessage, SamplingMessageContentBlock};

use crate::{Ability, CallContext, ToolError};

impl CallContext {
    /// What the client's model says to `prompt`, in at most `max_tokens`.
    ///
    /// Only clients of the era with a handshake can be asked while a call runs.
    ///
    /// # Errors
    /// [`ErrorKind::ClientLacks`](crate::ErrorKind::ClientLacks) where the client offers no model;
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where it cannot be asked, refused or went away.
    pub async fn sample(&self, prompt: &str, max_tokens: u32) -> Result<String, ToolError> {
        self.needs(Ability::Sampling)?;
        if self.is_modern() {
            return Err(ToolError::unavailable(
                "this client's model cannot be asked while a call runs",
            ));
        }
        let question = SamplingMessage::user_text(callboard_redact::scrub(prompt));
        let params = CreateMessageRequestParams::new(vec![question], max_tokens);
        let answer = self.peer().create_message(params).await.map_err(|error| {
            ToolError::unavailable(format!("the client's model did not answer: {error}"))
        })?;
        let texts = answer
            .message
            .content
            .iter()
            .filter_map(|block| match block {
                SamplingMessageContentBlock::Text(text) => Some(text.text.as_str()),
                _ => None,
            });
        Ok(texts.collect::<Vec<_>>().join("\n"))
    }
}
