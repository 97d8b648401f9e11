//! Log messages to the client.
//!
//! For: which of them a client wants: since 2026-07-28 each request says it, before that a session does, by
//! `logging/setLevel`. Not for: our own logs, which are spans on standard error.
#![expect(
    deprecated,
    reason = "the protocol's newest revision deprecates logging; clients of both eras use it"
)]

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rmcp::model::{
    InitializeRequestParams, LoggingLevel, LoggingMessageNotificationParam, ProtocolVersion,
    SetLevelRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer};
use serde_json::Value;

use crate::scrub::scrub_value;

/// How much a log message matters; the names are those of syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a fault in the tool.
    Debug,
    /// The course of the work.
    Info,
    /// Worth knowing.
    Notice,
    /// Something may be wrong.
    Warning,
    /// Something is.
    Error,
    /// A part of the server does not work.
    Critical,
    /// Somebody must act at once.
    Alert,
    /// Nothing works.
    Emergency,
}

impl Level {
    fn of(level: LoggingLevel) -> Self {
        match level {
            LoggingLevel::Debug => Level::Debug,
            LoggingLevel::Info => Level::Info,
            LoggingLevel::Notice => Level::Notice,
            LoggingLevel::Warning => Level::Warning,
            LoggingLevel::Error => Level::Error,
            LoggingLevel::Critical => Level::Critical,
            LoggingLevel::Alert => Level::Alert,
            LoggingLevel::Emergency => Level::Emergency,
        }
    }

    fn on_the_wire(self) -> LoggingLevel {
        match self {
            Level::Debug => LoggingLevel::Debug,
            Level::Info => LoggingLevel::Info,
            Level::Notice => LoggingLevel::Notice,
            Level::Warning => LoggingLevel::Warning,
            Level::Error => LoggingLevel::Error,
            Level::Critical => LoggingLevel::Critical,
            Level::Alert => LoggingLevel::Alert,
            Level::Emergency => LoggingLevel::Emergency,
        }
    }
}

/// The parameters of `logging/setLevel`.
pub(crate) type Wanted = SetLevelRequestParams;

/// What a session gets that did not say what it wants.
const UNLESS_SAID: Level = Level::Info;

/// What the sessions with a handshake asked for. A session is known by what its client said in the handshake;
/// when that is gone, so is the session.
#[derive(Default)]
pub(crate) struct Levels(Mutex<Vec<(Weak<InitializeRequestParams>, Level)>>);

impl Levels {
    /// Remembers what this session wants from now on.
    pub(crate) fn set(&self, request: &RequestContext<RoleServer>, wanted: &Wanted) {
        let Some(session) = request.peer.peer_info() else {
            return;
        };
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        levels.retain(|(known, _)| known.strong_count() > 0 && !is(known, &session));
        levels.push((Arc::downgrade(&session), Level::of(wanted.level)));
    }

    /// The least that this request's client wants to hear of; nothing if it wants none.
    pub(crate) fn wanted(&self, request: &RequestContext<RoleServer>) -> Option<Level> {
        if is_modern(request) {
            return request.meta.log_level().map(Level::of);
        }
        let session = request.peer.peer_info()?;
        let levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = levels.iter().find(|(known, _)| is(known, &session));
        Some(said.map_or(UNLESS_SAID, |(_, level)| *level))
    }
}

/// Sends one message.
pub(crate) async fn send(peer: &Peer<RoleServer>, logger: &str, level: Level, mut data: Value) {
    scrub_value(&mut data);
    let message =
        LoggingMessageNotificationParam::new(level.on_the_wire(), data).with_logger(logger);
    // The client may be gone; the call itself will notice.
    let _ = peer.notify_logging_message(message).await;
}

fn is(known: &Weak<InitializeRequestParams>, session: &Arc<InitializeRequestParams>) -> bool {
    std::ptr::eq(known.as_ptr(), Arc::as_ptr(session))
}

/// Whether the request is of the era without a handshake.
pub(crate) fn is_modern(request: &RequestContext<RoleServer>) -> bool {
    request
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}
