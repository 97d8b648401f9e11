//! How a server or a process is started, and when it is ready.

use crate::format::{Process, Ready, Server};
use crate::rig::{Child, Rig};
use crate::values::{Scope, Wrong};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How something is started.
pub(super) struct Start<'a> {
    pub(super) callboard: Option<&'a str>,
    pub(super) command: Option<&'a str>,
    pub(super) args: &'a [String],
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) cwd: Option<&'a str>,
}

impl Start<'_> {
    pub(super) fn of_server(server: &Server) -> Start<'_> {
        Start {
            callboard: server.callboard.as_deref(),
            command: server.command.as_deref(),
            args: &server.args,
            env: &server.env,
            cwd: server.cwd.as_deref(),
        }
    }

    pub(super) fn of_process(process: &Process) -> Start<'_> {
        Start {
            callboard: process.callboard.as_deref(),
            command: process.command.as_deref(),
            args: &process.args,
            env: &process.env,
            cwd: process.cwd.as_deref(),
        }
    }
}

/// Waits until a process is ready; answers what the patterns named. The caller bounds the wait.
pub(super) async fn ready(
    ready: &Ready,
    child: &Child,
    rig: &Rig,
    scope: &Scope,
) -> Result<BTreeMap<String, String>, Wrong> {
    let mut found = BTreeMap::new();
    for (pattern, tail) in [
        (&ready.stdout, &child.stdout),
        (&ready.stderr, &child.stderr),
    ] {
        if let Some(pattern) = pattern {
            found.extend(tail.wait_for(&scope.pattern(pattern)?).await);
        }
    }
    let mut scope = scope.clone();
    scope.vars.extend(
        found
            .iter()
            .map(|(name, text)| (name.clone(), Value::String(text.clone()))),
    );
    if let Some(file) = &ready.file {
        let path = rig.place(&scope.text(file)?);
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    if let Some(address) = &ready.tcp {
        let address = scope.text(address)?;
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    if let Some(url) = &ready.http {
        crate::wire::wait_http(&scope.text(url)?).await?;
    }
    Ok(found)
}
