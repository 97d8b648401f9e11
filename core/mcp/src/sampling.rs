//! Asking the client's model.
//!
//! For: one message and the model's text, where the client offers that. Not for: asking the user, and not
//! for conversations: the client has a model in charge already.
#![expect(
    deprecated,
    reason = "the protocol's newest revision deprecates sampling; clients of both eras offer it"
)]

use rmcp::model::{
    CreateMessageRequest, CreateMessageRequestParams, CreateMessageResult, InputRequest,
    SamplingMessage, SamplingMessageContentBlock,
};

use crate::ask::Obtained;
use crate::call::BoxFuture;
use crate::{Ability, CallContext, ToolError};

impl CallContext {
    /// What the client's model says to `prompt`, in at most `max_tokens`.
    ///
    /// As with [`CallContext::ask`], the handler may be run again from its start with the answer at hand, and
    /// `key` names the request within the call.
    ///
    /// # Errors
    /// [`ErrorKind::Suspended`](crate::ErrorKind::Suspended) unwinds the handler until the answer is there;
    /// [`ErrorKind::ClientLacks`](crate::ErrorKind::ClientLacks) where the client offers no model;
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where the model did not answer.
    pub fn sample<'a>(
        &'a self,
        key: &'a str,
        prompt: &'a str,
        max_tokens: u32,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        Box::pin(async move {
            self.needs(Ability::Sampling)?;
            let question = SamplingMessage::user_text(callboard_redact::scrub(prompt));
            let params = CreateMessageRequestParams::new(vec![question], max_tokens);
            let request = InputRequest::CreateMessage(CreateMessageRequest::new(params));
            let asking = self.asking();
            let Obtained::Value(value) = asking.obtain(key, request, &self.cancellation()).await?
            else {
                return Err(ToolError::unavailable("the client's model did not answer"));
            };
            let answer: CreateMessageResult = serde_json::from_value(value).map_err(|_| {
                asking.misfit(key, "is no answer of a model ({role, content, model})")
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
        })
    }
}
