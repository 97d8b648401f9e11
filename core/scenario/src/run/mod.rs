//! Running scenarios.
//!
//! For: doing what the steps say, in order, within their time. Not for: showing how it went.

mod actor;
mod blocks;
mod evidence;
mod outside;
mod stage;
mod start;
#[cfg(test)]
mod tests;
mod verbs;

use crate::format::Scenario;
use crate::report::{Failure, Outcome, Report, Verdict};
use crate::rig::Rig;
use crate::secrets::Secrets;
use crate::values::{Fixed, Scope};
use actor::Actor;
use futures_util::StreamExt as _;
use stage::Stage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a scenario may take unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(300);
/// How long cleaning up may take, all together.
const CLEANUP: Duration = Duration::from_secs(60);

/// What a run needs from its caller.
#[derive(Debug, Clone)]
pub struct Options {
    /// What `callboard: NAME` starts.
    pub program: PathBuf,
    /// The caller's environment, for `${env:NAME}`, `inherit` and PATH.
    pub env: BTreeMap<String, String>,
    /// The secrets that the scenarios name, from [`crate::resolve`].
    pub secrets: Secrets,
    /// How many scenarios run at once.
    pub jobs: usize,
    /// How many messages of each server a failure shows.
    pub traffic: usize,
    /// Ends the run: what is under way fails, cleans up and ends.
    pub stop: CancellationToken,
}

/// Runs scenarios, `jobs` at once; `each` hears of every one as it ends. The report keeps their order.
pub async fn run(
    scenarios: Vec<(PathBuf, Scenario)>,
    options: &Options,
    mut each: impl FnMut(&Outcome),
) -> Report {
    let began = Instant::now();
    let mut outcomes = Vec::new();
    let mut running = futures_util::stream::iter(scenarios.into_iter().enumerate().map(
        |(at, (file, scenario))| {
            let options = options.clone();
            async move {
                let (path, name) = (file.clone(), name_of(&file, &scenario));
                // A task of its own, so that one that breaks down breaks nothing else.
                let done = tokio::spawn(async move { one(file, scenario, &options).await }).await;
                let outcome = done.unwrap_or_else(|error| Outcome {
                    name,
                    verdict: Verdict::Failed,
                    took: Duration::ZERO,
                    steps: 0,
                    failures: vec![Failure::of(
                        &path,
                        "scenario",
                        &callboard_redact::scrub(&format!("the harness broke down: {error}")),
                    )],
                    file: path,
                });
                (at, outcome)
            }
        },
    ))
    .buffer_unordered(options.jobs.max(1));
    while let Some((at, outcome)) = running.next().await {
        each(&outcome);
        outcomes.push((at, outcome));
    }
    outcomes.sort_by_key(|(at, _)| *at);
    Report {
        outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
        took: began.elapsed(),
    }
}

/// The name of a scenario in reports.
pub(crate) fn name_of(file: &Path, scenario: &Scenario) -> String {
    scenario.name.clone().unwrap_or_else(|| {
        file.file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    })
}

async fn one(file: PathBuf, scenario: Scenario, options: &Options) -> Outcome {
    let began = Instant::now();
    let name = name_of(&file, &scenario);
    let scenario = Arc::new(scenario);
    let file: Arc<Path> = file.into();
    let mut failures = Vec::new();
    let mut steps = 0;
    match prepare(&file, &scenario, options, began) {
        Err(message) => failures.push(Failure::of(&file, "scenario", &message)),
        Ok(mut actor) => {
            let limit = scenario.limit.map_or(LIMIT, |limit| limit.0);
            let working = Box::pin(work(&mut actor, &scenario));
            let done = tokio::select! {
                done = tokio::time::timeout(limit, working) => done.map_err(|_| {
                    format!(
                        "not done within {} s, the scenario's limit; a loop may be longer than meant, and \
                         `limit` gives more time",
                        limit.as_secs()
                    )
                }),
                () = options.stop.cancelled() => Err("interrupted".to_owned()),
            };
            match done {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => failures.push(*failure),
                Err(message) => failures.push(actor.cut_off(&message)),
            }
            let cleaning = Box::pin(clean(&mut actor, &scenario));
            match tokio::time::timeout(CLEANUP, cleaning).await {
                Ok(more) => failures.extend(more),
                Err(_) => failures.push(actor.whole("cleaning up took too long")),
            }
            steps = actor.done();
            let stage = Arc::clone(&actor.stage);
            drop(actor);
            for message in stage.end().await {
                failures.push(Failure::of(&file, "scenario", &message));
            }
            for failure in &mut failures {
                if failure.servers.is_empty() {
                    failure.servers = stage.logs(options.traffic, None);
                }
                failure.mask(&stage.secrets);
            }
        }
    }
    Outcome {
        name,
        file: file.to_path_buf(),
        verdict: if failures.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed
        },
        took: began.elapsed(),
        steps,
        failures,
    }
}

fn prepare(
    file: &Arc<Path>,
    scenario: &Arc<Scenario>,
    options: &Options,
    began: Instant,
) -> Result<Actor, String> {
    let mut rig = Rig::new(options, &scenario.inherit)?;
    if let Some(missing) = scenario.requires.iter().find(|program| !rig.has(program)) {
        return Err(format!("the program {missing} is not in PATH; install it"));
    }
    let here = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let here = std::path::absolute(here).unwrap_or_else(|_| here.to_owned());
    let words = [
        ("tmp", rig.tmp().to_owned()),
        ("home", rig.home()),
        ("work", rig.work()),
        ("here", here),
        ("program", rig.program().to_owned()),
    ];
    let mut scope = Scope {
        vars: serde_json::Map::new(),
        fixed: Arc::new(Fixed {
            env: options.env.clone(),
            secrets: options.secrets.clone(),
            taken: Mutex::default(),
            words: words
                .into_iter()
                .map(|(name, path)| (name, path.display().to_string()))
                .collect(),
        }),
    };
    for (name, value) in &scenario.vars {
        let value = scope.value(value)?;
        scope.vars.insert(name.clone(), value);
    }
    rig.set_env(scope.texts_outside(&scenario.env)?);
    let stage = Stage::new(rig, Arc::clone(scenario), began);
    Ok(Actor::new(
        Arc::clone(file),
        scope,
        Arc::new(stage),
        options.traffic,
    ))
}

async fn work(actor: &mut Actor, scenario: &Scenario) -> Result<(), Box<Failure>> {
    actor.steps(&scenario.setup).await?;
    actor.steps(&scenario.steps).await
}

async fn clean(actor: &mut Actor, scenario: &Scenario) -> Vec<Failure> {
    let mut failures = Vec::new();
    for step in &scenario.cleanup {
        if let Err(failure) = actor.steps(std::slice::from_ref(step)).await {
            failures.push(*failure);
        }
    }
    failures
}
