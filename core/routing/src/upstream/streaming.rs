//! An answer as it comes.

use super::{Answer, Body, Upstream};
use crate::chat::{Event, Remaining};
use crate::failure::Failure;
use crate::wire::{Decoder, Head};
use futures_util::Stream;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::timeout;

/// How long the connection's own end is waited for after the answer's, so that it can be used again.
const FAREWELL: Duration = Duration::from_millis(200);

/// A streamed answer. Dropping it closes the connection.
#[derive(Debug)]
pub struct Streaming {
    upstream: Upstream,
    model: String,
    head: Head,
    /// Gone when there is nothing more to read.
    body: Option<Body>,
    decoder: Decoder,
    ready: VecDeque<Event>,
    failure: Option<Failure>,
}

impl Streaming {
    pub(super) fn new(upstream: Upstream, model: String, answer: Answer) -> Streaming {
        Streaming {
            decoder: upstream.endpoint().wire.decoder(answer.head.clone()),
            upstream,
            model,
            head: answer.head,
            body: Some(answer.body),
            ready: VecDeque::new(),
            failure: None,
        }
    }

    /// The provider's id for the request.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        self.head.request_id()
    }

    /// What may still be asked.
    #[must_use]
    pub fn remaining(&self) -> Remaining {
        self.head.remaining()
    }

    /// The next event. After the last one, or a failure, nothing.
    pub async fn next(&mut self) -> Option<Result<Event, Failure>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(failure) = self.failure.take() {
                self.body = None;
                return Some(Err(self.upstream.explain(failure, Some(&self.model))));
            }
            let body = self.body.as_mut()?;
            if self.decoder.is_over() {
                // Whatever comes now is nothing to us.
                let _ = timeout(FAREWELL, body.chunk()).await;
                self.body = None;
                return None;
            }
            let mut events = Vec::new();
            let done = match body.chunk().await {
                Ok(Some(bytes)) => self.decoder.feed(&bytes, &mut events),
                Ok(None) => self.decoder.end(&mut events),
                Err(mut failure) => {
                    failure.after_bytes = self.decoder.has_spoken();
                    Err(failure)
                }
            };
            self.ready.extend(events);
            self.failure = done.err();
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Event, Failure>> + Send {
        futures_util::stream::unfold(self, |mut streaming| async move {
            let next = streaming.next().await?;
            Some((next, streaming))
        })
    }
}
