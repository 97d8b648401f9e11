//! Who is at work, carried beside the work itself.
//!
//! For: one answer to "who did this, from where, and why" that every operation can read from its connection
//! without passing it through each function. Not for: deciding who may do what, or writing it down.

use std::sync::{Arc, LazyLock};

use tokio::task::JoinHandle;

tokio::task_local! {
    static ACTOR: Arc<Actor>;
}

/// Who does something, from where, and why. Holds no secret: it is written into the audit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The token's name, or the user's, or that of the part of the program that does it by itself.
    pub name: String,
    /// The token's public id, where a token was shown.
    pub token: Option<String>,
    /// The client's name and version, as it introduced itself.
    pub client: Option<String>,
    /// The agent on whose behalf it is done: the name it works under, else its attempt's id.
    pub agent: Option<String>,
    /// How it came in: `stdio`, `http`, `sse`, `cli`, or `self`.
    pub via: &'static str,
    /// The address it came from, over a network.
    pub from: Option<String>,
    /// Why: the tool, command or duty.
    pub action: String,
    /// The request's id, as errors and log lines carry it.
    pub request: Option<String>,
}

impl Actor {
    /// The program itself, at something that nobody asked for just now.
    #[must_use]
    pub fn program(action: &str) -> Self {
        Actor::new("callboard", "self", action)
    }

    /// The user at the command line.
    #[must_use]
    pub fn command(user: &str, command: &str) -> Self {
        Actor::new(user, "cli", command)
    }

    /// Somebody by that name.
    #[must_use]
    pub fn new(name: &str, via: &'static str, action: &str) -> Self {
        Actor {
            name: name.to_owned(),
            token: None,
            client: None,
            agent: None,
            via,
            from: None,
            action: action.to_owned(),
            request: None,
        }
    }

    /// The same, on behalf of an agent.
    #[must_use]
    pub fn for_agent(mut self, agent: &str) -> Self {
        self.agent = Some(agent.to_owned());
        self
    }
}

static NOBODY: LazyLock<Arc<Actor>> = LazyLock::new(|| Arc::new(Actor::program("-")));

/// Runs `work` as `actor`: what it writes, in this task, is written in that name. What it begins beside itself
/// keeps the name only through [`spawn`] and [`spawn_blocking`].
pub async fn scope<F: Future>(actor: Arc<Actor>, work: F) -> F::Output {
    ACTOR.scope(actor, work).await
}

/// As [`scope`], for work that does not wait.
pub fn scope_now<T>(actor: Arc<Actor>, work: impl FnOnce() -> T) -> T {
    ACTOR.sync_scope(actor, work)
}

/// As `tokio::spawn`, in the name of whoever is at work here. A bare one begins with nobody, and what it
/// writes looks as if the program had done it by itself.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(scope(current(), work))
}

/// As `tokio::task::spawn_blocking`, in the name of whoever is at work here.
pub fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let by = current();
    tokio::task::spawn_blocking(move || scope_now(by, work))
}

/// Who is at work in this task; where nobody said, the program itself.
#[must_use]
pub fn current() -> Arc<Actor> {
    ACTOR.try_with(Arc::clone).unwrap_or_else(|_| nobody())
}

/// Whom to name where nobody said who is at work.
pub(crate) fn nobody() -> Arc<Actor> {
    Arc::clone(&NOBODY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scope_holds_across_waits_and_ends_with_its_work() {
        let ada = Arc::new(Actor::command("ada", "run"));
        let within = scope(Arc::clone(&ada), async {
            tokio::task::yield_now().await;
            let inner = scope(Arc::new(Actor::program("upkeep")), async { current() }).await;
            (current(), inner.action.clone())
        });
        assert_eq!(within.await, (ada, "upkeep".to_owned()));
        assert_eq!(current().name, "callboard");
        let now = scope_now(Arc::new(Actor::command("bo", "init")), current);
        assert_eq!(now.name, "bo");
    }

    #[tokio::test]
    async fn what_is_begun_beside_keeps_the_actor_and_a_bare_task_does_not() {
        let ada = Arc::new(Actor::command("ada", "run"));
        let seen = scope(Arc::clone(&ada), async {
            let kept = spawn(async { current() }).await.unwrap();
            let blocking = spawn_blocking(current).await.unwrap();
            let bare = tokio::spawn(async { current() }).await.unwrap();
            (kept, blocking, bare.via)
        });
        assert_eq!(seen.await, (Arc::clone(&ada), ada, "self"));
    }
}
