//! A key for models for one attempt.
//! For: issuing it before the agent starts, ending it when the agent has ended, and what the agent is told of it. Not for:
//! how keys are kept (whoever opens the crew hands that in), or judging requests.
//!
//! A process that is killed leaves the key behind: it ends by itself with the time that the attempt had.

use crate::agent::Agent;
use crate::error::CrewError;
use crate::project::Project;
use callboard_redact::{SECRETS_VARIABLE, Secret};
use callboard_scheduling::Task;
use callboard_store::Conn;
use std::time::Duration;

/// How keys are made and ended on the board.
#[derive(Debug, Clone, Copy)]
pub struct GatewayKeys {
    /// Makes one, good from now on.
    pub issue: fn(&mut dyn Conn, i64, &KeyFor) -> Result<IssuedKey, CrewError>,
    /// Ends the one of this id.
    pub revoke: fn(&mut dyn Conn, i64, &str) -> Result<(), CrewError>,
}

/// What a key is for. What is asked with it is counted as theirs.
#[derive(Debug, Clone)]
pub struct KeyFor {
    /// What people see of it in the list of tokens.
    pub name: String,
    /// The agent.
    pub agent: String,
    /// The project.
    pub project: Option<String>,
    /// The task.
    pub task: Option<String>,
    /// How long it is good for if nobody ends it, ms.
    pub lifetime_ms: i64,
}

/// A key that was made.
pub struct IssuedKey {
    /// Its public id.
    pub id: String,
    /// What its holder shows.
    pub text: Secret,
}

impl IssuedKey {
    /// A key by its public id, and what its holder shows.
    #[must_use]
    pub fn new(id: String, text: String) -> Self {
        let text = Secret::new(text);
        IssuedKey { id, text }
    }
}

/// The agent's tree is ended within this after its time is over.
const AFTER: Duration = Duration::from_secs(30);
/// No key is good for less.
const SHORTEST: Duration = Duration::from_secs(60);
const KEYS: [&str; 2] = ["ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY"];
const PLACES: [&str; 2] = ["ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"];
/// A client prefers it to the token.
const OTHER: &str = "ANTHROPIC_API_KEY";

/// A key in use. Its text is kept out of what this process writes as long as this is held.
pub(crate) struct AttemptKey {
    issued: IssuedKey,
    url: String,
}

impl Drop for AttemptKey {
    fn drop(&mut self) {
        callboard_redact::forget(&self.issued.text);
    }
}

impl AttemptKey {
    /// The variables of an agent, with those that send it to the gateway.
    pub(crate) fn told(&self, own: Vec<(String, String)>) -> Vec<(String, String)> {
        let (marks, mut told): (Vec<_>, Vec<_>) = own
            .into_iter()
            .partition(|(name, _)| name == SECRETS_VARIABLE);
        let marked = marks.iter().flat_map(|(_, names)| names.split(','));
        let marked: Vec<&str> = marked.chain(KEYS).collect();
        let values = [self.url.clone(), format!("{}/v1", self.url)];
        for (name, value) in PLACES.into_iter().zip(values) {
            told.push((name.to_owned(), value));
        }
        for name in KEYS {
            told.push((name.to_owned(), self.issued.text.expose().to_owned()));
        }
        told.push((SECRETS_VARIABLE.to_owned(), marked.join(",")));
        told
    }

    /// Ends it. Where the board does not take that, it ends by itself later.
    pub(crate) async fn end(&self, project: &Project) {
        let Some(keys) = project.keys else {
            return;
        };
        let (now, id) = (project.now(), self.issued.id.clone());
        let ended = project.store.write(move |c| (keys.revoke)(c, now, &id));
        if let Err(error) = ended.await {
            tracing::warn!(key = self.issued.id, %error, "the key of an attempt ends only by its time");
        }
    }
}

/// Whether agents can be sent to the gateway, before anything is done.
pub(crate) async fn check(project: &Project) -> Result<(), CrewError> {
    if !project.agent.gateway {
        return Ok(());
    }
    check_names(&project.agent)?;
    let wanted = KeyFor {
        name: project.ids.next("run-", project.now()),
        agent: project.agent.name.clone(),
        project: None,
        task: None,
        lifetime_ms: millis(SHORTEST),
    };
    issue(project, wanted).await?.end(project).await;
    Ok(())
}

/// A key for this attempt, which the gateway knows; `None` where the agent is not sent there.
pub(crate) async fn of_attempt(
    project: &Project,
    task: &Task,
    attempt: &str,
    time: Duration,
) -> Result<Option<AttemptKey>, CrewError> {
    if !project.agent.gateway {
        return Ok(None);
    }
    let wanted = KeyFor {
        name: format!("attempt-{attempt}"),
        agent: task
            .worker
            .clone()
            .unwrap_or_else(|| project.agent.name.clone()),
        project: task.project.clone(),
        task: Some(task.id.clone()),
        lifetime_ms: millis(SHORTEST.max(time + AFTER)),
    };
    issue(project, wanted).await.map(Some)
}

async fn issue(project: &Project, wanted: KeyFor) -> Result<AttemptKey, CrewError> {
    let keys = project
        .keys
        .ok_or_else(|| CrewError::Internal("nobody issues keys here".to_owned()))?;
    let url = project.config.gateway_url().map_err(|why| cannot(&why))?;
    let now = project.now();
    // A crash right after this leaves a key that nobody has seen; it ends by its time.
    let issued = project
        .store
        .write(move |c| (keys.issue)(c, now, &wanted))
        .await?;
    let registered = callboard_redact::register("the attempt's key", &issued.text);
    let key = AttemptKey { issued, url };
    let knows = match registered {
        Ok(()) => callboard_models::gateway_knows(&key.url, &key.issued.text).await,
        Err(full) => Err(full.to_string()),
    };
    if let Err(why) = knows {
        key.end(project).await;
        return Err(cannot(&why));
    }
    Ok(key)
}

fn check_names(agent: &Agent) -> Result<(), CrewError> {
    let ours = |name: &&str| [&KEYS[..], &PLACES[..], &[OTHER]].concat().contains(name);
    let own = agent.env.keys().chain(&agent.pass_env).map(String::as_str);
    match own.filter(|name| ours(name)).min() {
        None => Ok(()),
        Some(name) => Err(CrewError::refused(
            format!(
                "the agent {} has gateway = true and {name} beside it",
                agent.name
            ),
            format!("remove {name}: the attempt's own key and the gateway's address stand there"),
        )),
    }
}

fn cannot(why: &str) -> CrewError {
    CrewError::refused(
        "the agent asks models through the gateway, which can't be reached with a key",
        why,
    )
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
