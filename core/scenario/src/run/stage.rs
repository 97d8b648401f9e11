//! What runs for a scenario: its servers, its processes, and the connections to them.

use super::start::{Start, ready};
use crate::format::{Process, Scenario, Server, StdoutRule, Transport};
use crate::report::ServerLog;
use crate::rig::{Child, Ended, Pipes, Rig, Spawn, Tail};
use crate::values::{Scope, Wrong};
use crate::wire::{Address, Answers, Conn, Secrets, Target, Traffic};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex as AsyncMutex;

/// How long a server may take until it is ready, unless it says otherwise.
const START: Duration = Duration::from_secs(30);
/// How long a process that was killed may take to be gone.
const GONE: Duration = Duration::from_secs(10);

/// The stage of a scenario, or of one parallel client: that has connections of its own and shares the rest.
pub(super) struct Stage {
    pub(super) scenario: Arc<Scenario>,
    pub(super) rig: Arc<Rig>,
    pub(super) secrets: Secrets,
    began: Instant,
    label: String,
    parent: Option<Arc<Stage>>,
    own: BTreeSet<String>,
    conns: AsyncMutex<BTreeMap<String, Arc<Conn>>>,
    processes: AsyncMutex<BTreeMap<String, Arc<Child>>>,
    logs: Arc<Mutex<Vec<Log>>>,
}

/// What there is to show of a server.
struct Log {
    name: String,
    label: String,
    traffic: Arc<Traffic>,
    stderr: Option<Arc<Tail>>,
}

impl Stage {
    pub(super) fn new(rig: Rig, scenario: Arc<Scenario>, began: Instant) -> Stage {
        Stage {
            own: scenario.servers.keys().cloned().collect(),
            scenario,
            rig: Arc::new(rig),
            secrets: Secrets::default(),
            began,
            label: String::new(),
            parent: None,
            conns: AsyncMutex::default(),
            processes: AsyncMutex::default(),
            logs: Arc::default(),
        }
    }

    /// A stage with connections of its own to these servers.
    pub(super) fn client(self: &Arc<Self>, number: u64, own: BTreeSet<String>) -> Stage {
        Stage {
            scenario: Arc::clone(&self.scenario),
            rig: Arc::clone(&self.rig),
            secrets: self.secrets.clone(),
            began: self.began,
            label: format!(
                "{}client {number}",
                if self.label.is_empty() {
                    String::new()
                } else {
                    format!("{}, ", self.label)
                }
            ),
            parent: Some(Arc::clone(self)),
            own,
            conns: AsyncMutex::default(),
            processes: AsyncMutex::default(),
            logs: Arc::clone(&self.logs),
        }
    }

    /// The stage that holds connections to this server.
    fn of<'a>(self: &'a Arc<Self>, name: &str) -> &'a Arc<Stage> {
        match &self.parent {
            Some(parent) if !self.own.contains(name) => parent.of(name),
            _ => self,
        }
    }

    fn root(self: &Arc<Self>) -> &Arc<Stage> {
        self.parent.as_ref().map_or(self, |parent| parent.root())
    }

    /// The connection to a server, opened when it is used first. It stays the same when the server is gone.
    pub(super) async fn conn(
        self: &Arc<Self>,
        name: &str,
        scope: &mut Scope,
    ) -> Result<Arc<Conn>, Wrong> {
        let stage = self.of(name);
        let mut conns = stage.conns.lock().await;
        if let Some(conn) = conns.get(name) {
            return Ok(Arc::clone(conn));
        }
        let conn = Arc::new(stage.open(name, scope).await?);
        conns.insert(name.to_owned(), Arc::clone(&conn));
        Ok(conn)
    }

    async fn open(self: &Arc<Self>, name: &str, scope: &mut Scope) -> Result<Conn, Wrong> {
        let server = self
            .scenario
            .servers
            .get(name)
            .ok_or_else(|| format!("there is no server {name:?}"))?;
        if let Some(process) = &server.process {
            self.process(process, scope).await?;
        }
        let limit = server.start_timeout.map_or(START, |limit| limit.0);
        let opening = async {
            let target = self.target(name, server, scope)?;
            Conn::open(target).await
        };
        match tokio::time::timeout(limit, opening).await {
            Ok(opened) => {
                opened.map_err(|error| format!("no connection to server {name:?}: {error}"))
            }
            Err(_) => Err(format!(
                "server {name:?} is not ready after {} s",
                limit.as_secs()
            )),
        }
    }

    fn target(&self, name: &str, server: &Server, scope: &Scope) -> Result<Target, Wrong> {
        let traffic = Arc::new(Traffic::new(self.began));
        let mut stderr = None;
        let address = if let Some(url) = &server.url {
            let (url, headers) = (
                scope.outside(url)?,
                scope.texts_with_secrets(&server.headers)?,
            );
            self.secrets.headers(&headers, &scope.taken());
            match server.transport {
                Some(Transport::Sse) => Address::Sse { url, headers },
                _ => Address::Http { url, headers },
            }
        } else {
            let spawn = self.spawn(Start::of_server(server, scope)?, scope)?;
            let (child, output) = Child::start(spawn, Pipes::Protocol)?;
            stderr = Some(Arc::clone(&child.stderr));
            let output = output.ok_or("the process has no standard output")?;
            Address::Stdio(Arc::new(child), output)
        };
        self.log(name, Arc::clone(&traffic), stderr);
        let answers = Answers::of(&server.client.answers, scope)?;
        let mut capabilities = answers.capabilities();
        capabilities.extend(scope.map(&server.client.capabilities)?);
        Ok(Target {
            address,
            protocol: server.protocol,
            client: json!({
                "name": server.client.name.as_deref().unwrap_or("callboard-test"),
                "version": server.client.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION")),
            }),
            capabilities,
            answers: Arc::new(answers),
            traffic,
        })
    }

    fn log(&self, name: &str, traffic: Arc<Traffic>, stderr: Option<Arc<Tail>>) {
        self.logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Log {
                name: name.to_owned(),
                label: self.label.clone(),
                traffic,
                stderr,
            });
    }

    fn spawn(&self, start: Start<'_>, scope: &Scope) -> Result<Spawn, Wrong> {
        let mut args = scope.list_outside(start.args)?;
        let program = match (start.callboard, start.command) {
            (Some(server), _) => {
                args.insert(0, scope.outside(server)?);
                self.rig.program().to_owned()
            }
            (None, command) => PathBuf::from(scope.outside(command.unwrap_or_default())?),
        };
        let cwd = match start.cwd {
            Some(cwd) => self.rig.place(&scope.outside(cwd)?),
            None => self.rig.work(),
        };
        Ok(Spawn {
            program,
            args,
            env: self.rig.env(start.env),
            cwd,
        })
    }

    /// A process of the scenario, started when it is used first. What its readiness names becomes variables.
    pub(super) async fn process(
        self: &Arc<Self>,
        name: &str,
        scope: &mut Scope,
    ) -> Result<Arc<Child>, Wrong> {
        let root = self.root();
        let process = root
            .scenario
            .processes
            .get(name)
            .ok_or_else(|| format!("there is no process {name:?}"))?;
        let mut processes = root.processes.lock().await;
        if let Some(child) = processes.get(name) {
            // Another step may have started it, with its variables.
            if child.has_ended().is_none() {
                let found = ready(&process.ready, child, &root.rig, scope).await?;
                scope.vars.extend(
                    found
                        .into_iter()
                        .map(|(name, text)| (name, Value::String(text))),
                );
            }
            return Ok(Arc::clone(child));
        }
        let child = Arc::new(root.start_process(name, process, scope).await?);
        processes.insert(name.to_owned(), Arc::clone(&child));
        Ok(child)
    }

    async fn start_process(
        &self,
        name: &str,
        process: &Process,
        scope: &mut Scope,
    ) -> Result<Child, Wrong> {
        let spawn = self.spawn(Start::of_process(process, scope)?, scope)?;
        let (child, _) = Child::start(spawn, Pipes::Kept)?;
        self.log(
            name,
            Arc::new(Traffic::new(self.began)),
            Some(Arc::clone(&child.stderr)),
        );
        let limit = process.start_timeout.map_or(START, |limit| limit.0);
        let found = tokio::select! {
            found = tokio::time::timeout(limit, ready(&process.ready, &child, &self.rig, scope)) => found
                .map_err(|_| format!("process {name:?} is not ready after {} s", limit.as_secs()))??,
            ended = child.wait() => {
                return Err(format!("process {name:?} {} before it was ready", ended.told()));
            }
        };
        scope.vars.extend(
            found
                .into_iter()
                .map(|(name, text)| (name, Value::String(text))),
        );
        Ok(child)
    }

    /// The process of a server or of the scenario, if it runs or has run.
    pub(super) async fn child(self: &Arc<Self>, name: &str) -> Result<Held, Wrong> {
        if self.scenario.processes.contains_key(name) {
            let processes = self.root().processes.lock().await;
            return processes
                .get(name)
                .cloned()
                .map(Held::Process)
                .ok_or_else(|| not_started(name));
        }
        let conns = self.of(name).conns.lock().await;
        let conn = conns.get(name).cloned().ok_or_else(|| not_started(name))?;
        if conn.child().is_none() {
            return Err(format!(
                "server {name:?} is a URL; its process, if it is ours, has a name of its own"
            ));
        }
        Ok(Held::Server(conn))
    }

    /// Closes the connection to a server, or the input of a process.
    pub(super) async fn close(self: &Arc<Self>, name: &str) -> Result<(), Wrong> {
        if let Some(conn) = self.of(name).conns.lock().await.get(name) {
            conn.close().await;
            return Ok(());
        }
        self.child(name).await?.child().stdin.lock().await.take();
        Ok(())
    }

    /// Starts what was not started yet or is gone.
    pub(super) async fn start(
        self: &Arc<Self>,
        name: &str,
        scope: &mut Scope,
    ) -> Result<Value, Wrong> {
        if self.scenario.processes.contains_key(name) {
            let mut processes = self.root().processes.lock().await;
            if processes
                .get(name)
                .is_some_and(|child| child.has_ended().is_some())
            {
                processes.remove(name);
            }
            drop(processes);
            return self.process(name, scope).await.map(|_| Value::Null);
        }
        let mut conns = self.of(name).conns.lock().await;
        if conns.get(name).is_some_and(|conn| {
            conn.inbox.gone().is_some()
                || conn
                    .child()
                    .is_some_and(|child| child.has_ended().is_some())
        }) {
            conns.remove(name);
        }
        drop(conns);
        self.conn(name, scope).await.map(|conn| conn.hello.clone())
    }

    /// Ends it and starts it again.
    pub(super) async fn restart(
        self: &Arc<Self>,
        name: &str,
        scope: &mut Scope,
    ) -> Result<Value, Wrong> {
        if self.scenario.processes.contains_key(name) {
            let held = self.root().processes.lock().await.remove(name);
            if let Some(child) = held {
                child.stop().await;
            }
        } else if let Some(conn) = self.of(name).conns.lock().await.remove(name) {
            leave(&conn).await;
        }
        self.start(name, scope).await
    }

    /// Ends everything; answers what is wrong about it.
    pub(super) async fn end(&self) -> Vec<String> {
        let conns = std::mem::take(&mut *self.conns.lock().await);
        futures_util::future::join_all(conns.values().map(|conn| leave(conn))).await;
        let mut wrong = Vec::new();
        for (name, conn) in &conns {
            let rule = self.scenario.servers.get(name).map(|server| server.stdout);
            if rule != Some(StdoutRule::Lenient)
                && let Some(line) = conn.inbox.junk()
            {
                let line: String = callboard_redact::scrub(&line).chars().take(200).collect();
                wrong.push(format!(
                    "server {name:?} wrote a line that is no message on its standard output: {line:?}; \
                     `stdout: lenient` would allow it"
                ));
            }
        }
        for (name, conn) in &conns {
            if let Some(id) = conn.inbox.answered_again() {
                wrong.push(format!(
                    "server {name:?} answered request {id} more than once; a request has one answer"
                ));
            }
        }
        let processes = std::mem::take(&mut *self.processes.lock().await);
        futures_util::future::join_all(processes.values().map(|child| child.stop())).await;
        if self.parent.is_none() {
            let rig = Arc::clone(&self.rig);
            // Looks through all processes, which blocks.
            let _ = tokio::task::spawn_blocking(move || rig.sweep()).await;
        }
        wrong
    }

    /// The last messages and words of one server, or of all.
    pub(super) fn logs(&self, count: usize, only: Option<&str>) -> Vec<ServerLog> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.iter()
            .filter(|log| only.is_none_or(|only| only == log.name && log.label == self.label))
            .map(|log| {
                let errors = log
                    .stderr
                    .as_ref()
                    .map(|tail| tail.text())
                    .unwrap_or_default();
                // A secret may have several lines.
                let errors = callboard_redact::scrub(&errors);
                let lines: Vec<String> = errors.lines().map(str::to_owned).collect();
                ServerLog {
                    name: if log.label.is_empty() {
                        log.name.clone()
                    } else {
                        format!("{} ({})", log.name, log.label)
                    },
                    traffic: log.traffic.last(count),
                    stderr: lines[lines.len().saturating_sub(count)..].to_vec(),
                }
            })
            .filter(|log| !log.traffic.is_empty() || !log.stderr.is_empty())
            .collect()
    }
}

/// A process that a step names.
pub(super) enum Held {
    Process(Arc<Child>),
    Server(Arc<Conn>),
}

impl Held {
    pub(super) fn child(&self) -> &Child {
        match self {
            Held::Process(child) => child,
            Held::Server(conn) => match conn.child() {
                Some(child) => child,
                None => unreachable!("looked at when it was found"),
            },
        }
    }

    /// Sends a signal; what it ends is gone afterwards.
    pub(super) async fn kill(&self, signal: rustix::process::Signal) -> Option<Ended> {
        let child = self.child();
        child.signal(signal);
        if signal == rustix::process::Signal::KILL {
            tokio::time::timeout(GONE, child.wait()).await.ok()
        } else {
            child.has_ended()
        }
    }
}

/// Leaves as a client does, then sees to the end of the process.
async fn leave(conn: &Conn) {
    conn.close().await;
    if let Some(child) = conn.child() {
        child.end().await;
    }
}

fn not_started(name: &str) -> Wrong {
    format!("{name:?} was not started; a step that uses it, or `start: {name}`, does that")
}
