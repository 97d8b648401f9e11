//! What a client may cost.
//!
//! For: every bound of the HTTP side in one place, with the value it has unless somebody says otherwise.
//! Not for: the bounds of a call (the call wrapper has those), or rates (the gate does).

use std::time::Duration;

/// Bounds on requests, connections and sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a request's head; at least 8192.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// Sessions at once, of all servers together.
    pub sessions: usize,
    /// Sessions at once of one caller.
    pub sessions_per_caller: usize,
    /// Messages that may wait for a client that does not read, for each stream; then its session ends.
    pub waiting: usize,
    /// How long a session may be idle.
    pub session_idle: Duration,
    /// What a client has to send a request's head, and to shake hands over TLS.
    pub head_within: Duration,
    /// What a client has to send a request's body.
    pub body_within: Duration,
    /// What we have until an answer begins.
    pub answer_within: Duration,
    /// How long a connection may be idle between requests.
    pub connection_idle: Duration,
    /// How long a client may take nothing of what we write.
    pub write_stalled: Duration,
    /// How often a stream that has nothing to say says so.
    pub ping_every: Duration,
    /// How long the call of an older session goes on after its stream broke, for the client to resume it.
    pub resume_within: Duration,
    /// What running calls have when the process is asked to end.
    pub ending: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes: 4 << 20,
            head_bytes: 64 << 10,
            headers: 100,
            connections: 4_096,
            sessions: 4_096,
            sessions_per_caller: 2_048,
            waiting: 256,
            session_idle: Duration::from_secs(30 * 60),
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(30),
            answer_within: Duration::from_secs(120),
            connection_idle: Duration::from_secs(75),
            write_stalled: Duration::from_secs(30),
            ping_every: Duration::from_secs(15),
            resume_within: Duration::from_secs(5),
            ending: Duration::from_secs(10),
        }
    }
}
