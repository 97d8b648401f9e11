//! How long a tool waits for models.
//! For: the end of a wait, whoever waits: a client that can follow a task gets one, the others an answer or an error in
//! time. Not for: what is waited for.

use std::pin::pin;
use std::time::Duration;

use callboard_mcp::{CallContext, ToolError};
use tokio::time::{Instant, sleep_until};

/// A call that is not done by now becomes a task, where the client can follow one.
const SOON: Duration = Duration::from_secs(4);
/// The longest that a client is kept waiting for an answer.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(45);
/// The longest that a task may take.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Does it, unless the caller gives up or it takes too long: then it is dropped, and with it the connection to the model.
pub(crate) async fn done<T>(
    ctx: &CallContext,
    began: Instant,
    work: impl Future<Output = T>,
) -> Result<T, ToolError> {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        () = ctx.cancelled() => return Err(ToolError::cancelled()),
        done = &mut work => return Ok(done),
        () = sleep_until(began + SOON) => {}
    }
    let long = ctx.detach().await?;
    let most = if long { LONGEST } else { AT_ONCE };
    tokio::select! {
        biased;
        () = ctx.cancelled() => Err(ToolError::cancelled()),
        done = &mut work => Ok(done),
        () = sleep_until(began + most) => Err(too_late(most)),
    }
}

fn too_late(most: Duration) -> ToolError {
    ToolError::unavailable(format!(
        "no whole answer within {} s; the call was ended, and what it used is counted",
        most.as_secs()
    ))
    .hint("ask for less with max_tokens, name a faster model, or call from a client that follows MCP tasks: those may take an hour")
}
