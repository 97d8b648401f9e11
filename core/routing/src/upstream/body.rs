//! The body of an answer, within its deadlines and bounds.

use super::{Meter, explain};
use crate::failure::{Failure, FailureKind};
use crate::wire::Head;
use bytes::Bytes;
use reqwest::Response;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The most bytes of one answer, however it comes.
const MOST: usize = 64 * 1024 * 1024;

/// An answer that has begun.
#[derive(Debug)]
pub struct Answer {
    /// Its status and headers.
    pub head: Head,
    /// What follows. Dropping it closes the connection unless it was read to its end.
    pub body: Body,
}

/// What follows the head of an answer.
#[derive(Debug)]
pub struct Body {
    response: Response,
    head: Head,
    first_by: Instant,
    between: Duration,
    total_by: Instant,
    bytes: usize,
    meter: Option<Arc<Meter>>,
}

impl Body {
    pub(super) fn new(
        response: Response,
        head: &Head,
        first_by: Instant,
        between: Duration,
        total_by: Instant,
        meter: Option<Arc<Meter>>,
    ) -> Body {
        Body {
            response,
            head: head.clone(),
            first_by,
            between,
            total_by,
            bytes: 0,
            meter,
        }
    }

    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// When it breaks off, stands still, takes too long in all, or is too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let chunk = self.next().await;
        chunk.map_err(|mut failure| {
            failure.status = Some(self.head.status);
            failure.request_id = self.head.request_id();
            failure.remaining = self.head.remaining();
            failure.after_bytes = self.bytes > 0;
            failure
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let (by, late): (_, fn() -> Failure) = if self.bytes == 0 {
            (self.first_by, explain::stalled_first_byte)
        } else {
            (Instant::now() + self.between, explain::stalled_between)
        };
        let chunk = match timeout_at(by.min(self.total_by), self.response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => return Err(explain::broken(error)),
            Err(_) if self.total_by <= by => return Err(explain::overdue()),
            Err(_) => return Err(late()),
        };
        if let Some(chunk) = &chunk {
            self.bytes += chunk.len();
            if let Some(meter) = &self.meter {
                meter.receives(chunk.len());
            }
        }
        if self.bytes > MOST {
            let message = format!("the answer is longer than {} MiB", MOST / 1024 / 1024);
            return Err(Failure::new(FailureKind::Malformed, message));
        }
        Ok(chunk)
    }

    /// All of it, when it is no longer than this.
    ///
    /// # Errors
    /// As [`Body::chunk`].
    pub async fn whole(mut self, most: usize) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.unspoken().await? {
            if whole.len() + chunk.len() > most {
                let message = format!("the answer is longer than {} MiB", most / 1024 / 1024);
                return Err(Failure::new(FailureKind::Malformed, message));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// A piece that nobody is shown before the whole is there.
    async fn unspoken(&mut self) -> Result<Option<Bytes>, Failure> {
        self.chunk().await.map_err(|mut failure| {
            failure.after_bytes = false;
            failure
        })
    }
}
