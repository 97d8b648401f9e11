//! An operation on its way to the writer and its answer on the way back.
//!
//! For: erasing the types of an operation once, at the price of one box and one reply channel. Not for:
//! transactions; the engine decides what an answer is worth and when it may be given.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::actor::{self, Actor};
use crate::{Conn, Durability, StoreError};

/// What a writer can do with a queued operation.
pub(crate) trait Job: Send {
    /// Runs the operation; true if it wants its changes kept. May be called again after a rollback.
    fn run(&mut self, conn: &mut dyn Conn) -> bool;

    /// Who asked for it.
    fn actor(&self) -> Arc<Actor>;

    /// What its commit has to survive.
    fn durability(&self) -> Durability;

    /// Answers the caller: with the operation's own result, or with what made it void.
    fn finish(self: Box<Self>, void: Option<&StoreError>);
}

/// Boxes an operation, in the name of whoever is at work now, and returns the end where its answer arrives.
pub(crate) fn job<T, E>(
    durability: Durability,
    op: impl Fn(&mut dyn Conn) -> Result<T, E> + Send + 'static,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let job = Box::new(Queued {
        op,
        durability,
        actor: actor::current(),
        result: None,
        reply,
    });
    (job, answer)
}

struct Queued<F, T, E> {
    op: F,
    durability: Durability,
    actor: Arc<Actor>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Queued<F, T, E>
where
    F: Fn(&mut dyn Conn) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, conn: &mut dyn Conn) -> bool {
        let result = caught(|| (self.op)(conn));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn actor(&self) -> Arc<Actor> {
        Arc::clone(&self.actor)
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    fn finish(self: Box<Self>, void: Option<&StoreError>) {
        let Self { result, reply, .. } = *self;
        let result = match (void, result) {
            (None, Some(result)) => result,
            (Some(error), _) => Err(error.clone().into()),
            (None, None) => Err(StoreError::Closed.into()),
        };
        // A caller that stopped waiting is no reason to stop.
        drop(reply.send(result));
    }
}

/// Runs an operation and turns its panic into an error.
pub(crate) fn caught<T, E: From<StoreError>>(op: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(op))
        .unwrap_or_else(|panic| Err(StoreError::Panicked(message(panic.as_ref())).into()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
        .to_owned()
}
