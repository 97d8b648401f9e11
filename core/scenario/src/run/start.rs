//! How a server or a process is started, and when it is ready.

use crate::format::{Process, Ready, Server};
use crate::rig::{Child, Rig};
use crate::secrets::PREFIX;
use crate::values::{Scope, Wrong, references};
use callboard_redact::SECRETS_VARIABLE;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How something is started.
pub(super) struct Start<'a> {
    pub(super) callboard: Option<&'a str>,
    pub(super) command: Option<&'a str>,
    pub(super) args: &'a [String],
    /// With its variables and secrets in place.
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: Option<&'a str>,
}

impl Start<'_> {
    pub(super) fn of_server<'a>(server: &'a Server, scope: &Scope) -> Result<Start<'a>, Wrong> {
        Ok(Start {
            callboard: server.callboard.as_deref(),
            command: server.command.as_deref(),
            args: &server.args,
            env: server_env(server, scope)?,
            cwd: server.cwd.as_deref(),
        })
    }

    pub(super) fn of_process<'a>(process: &'a Process, scope: &Scope) -> Result<Start<'a>, Wrong> {
        Ok(Start {
            callboard: process.callboard.as_deref(),
            command: process.command.as_deref(),
            args: &process.args,
            env: scope.texts_outside(&process.env)?,
            cwd: process.cwd.as_deref(),
        })
    }
}

/// The environment of a server, with its secrets. If it is one of ours, it keeps them out of what it writes as well.
fn server_env(server: &Server, scope: &Scope) -> Result<BTreeMap<String, String>, Wrong> {
    let mut env = scope.texts_with_secrets(&server.env)?;
    let mut secret: Vec<String> = Vec::new();
    for (name, text) in &server.env {
        let named = references(text)?;
        if named.iter().any(|name| name.starts_with(PREFIX)) {
            secret.push(scope.text(name)?);
        }
    }
    if !secret.is_empty() {
        secret.extend(env.remove(SECRETS_VARIABLE));
        env.insert(SECRETS_VARIABLE.to_owned(), secret.join(","));
    }
    Ok(env)
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
