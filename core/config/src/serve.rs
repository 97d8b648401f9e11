//! What `callboard serve` is bounded by and where it listens.
//! For: the settings below `serve.` and the forms of their values.
//! Not for: what a bound means to a request (`callboard_mcp::http` knows).

use crate::duration::format_duration;
use crate::error::Source;
use crate::keys::{Key, Trust};
use crate::kind::Kind;
use crate::settings::Setting;
use crate::take::{Take, row};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Where the servers are unless somebody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 22_552);

/// The keys, in the order of the reference. Each may open this machine or wear it out, so none is a project's.
pub(crate) const KEYS: [Key; 16] = [
    needed(
        "serve.listen",
        Kind::Listen,
        "127.0.0.1:22552",
        "Where `callboard serve` listens; `--listen` says it for once. Port 0 takes a free one.",
    ),
    needed(
        "serve.hosts",
        Kind::Hosts,
        "[]",
        "Names under which requests may reach the servers, beside those of loopback, with a port or for any.",
    ),
    needed(
        "serve.origins",
        Kind::Origins,
        "[]",
        "Web pages that may call the servers, beside those of this machine.",
    ),
    needed(
        "serve.connections",
        Kind::Number(1, 100_000),
        "4096",
        "Connections at once; further ones wait.",
    ),
    needed(
        "serve.sessions",
        Kind::Number(1, 100_000),
        "4096",
        "Sessions of the older protocol revisions at once, of all servers together.",
    ),
    needed(
        "serve.sessions_per_caller",
        Kind::Number(1, 100_000),
        "2048",
        "Sessions at once of one caller, that is of one token.",
    ),
    needed(
        "serve.head_bytes",
        Kind::Number(8_192, 1 << 20),
        "65536",
        "Bytes of a request's line and headers.",
    ),
    needed(
        "serve.body_bytes",
        Kind::Number(1_024, 64 << 20),
        "4194304",
        "Bytes of a request's body, that is of one message.",
    ),
    needed(
        "serve.head_timeout",
        Kind::Time(1, HOUR),
        "10s",
        "How long a client may take to send a request's head, and to shake hands over TLS.",
    ),
    needed(
        "serve.body_timeout",
        Kind::Time(1, HOUR),
        "30s",
        "How long a client may take to send a request's body.",
    ),
    needed(
        "serve.answer_timeout",
        Kind::Time(MINUTE, DAY),
        "2m",
        "How long until an answer has to begin; a call itself is bounded below that.",
    ),
    needed(
        "serve.write_timeout",
        Kind::Time(1, HOUR),
        "30s",
        "How long a client may take nothing of an answer before its connection is closed.",
    ),
    needed(
        "serve.idle_timeout",
        Kind::Time(1, DAY),
        "1m15s",
        "How long a connection may stay open between two requests.",
    ),
    needed(
        "serve.session_idle",
        Kind::Time(1, 30 * DAY),
        "30m",
        "How long a session may be unused before it ends; its client then begins another.",
    ),
    needed(
        "serve.resume_within",
        Kind::Time(0, HOUR),
        "5s",
        "How long a call of an older session goes on after its stream broke, for the client to come back.",
    ),
    needed(
        "serve.stop_within",
        Kind::Time(0, HOUR),
        "10s",
        "How long running calls may go on after SIGTERM before they are answered as cancelled.",
    ),
];

pub(crate) const fn needed(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        trust: Trust::Needed,
        doc,
    }
}

/// How the servers are offered over HTTP.
#[derive(Debug, Clone)]
pub struct Serve {
    /// Where to listen.
    pub listen: Setting<SocketAddr>,
    /// Names of this server beside those of loopback.
    pub hosts: Setting<Vec<String>>,
    /// Pages that may call it.
    pub origins: Setting<Vec<String>>,
    /// Connections at once.
    pub connections: Setting<u32>,
    /// Sessions at once.
    pub sessions: Setting<u32>,
    /// Sessions at once of one caller.
    pub sessions_per_caller: Setting<u32>,
    /// Bytes of a head.
    pub head_bytes: Setting<u32>,
    /// Bytes of a body.
    pub body_bytes: Setting<u32>,
    /// For a head to come.
    pub head_timeout: Setting<Duration>,
    /// For a body to come.
    pub body_timeout: Setting<Duration>,
    /// For an answer to begin.
    pub answer_timeout: Setting<Duration>,
    /// For a client to take something.
    pub write_timeout: Setting<Duration>,
    /// For a connection between requests.
    pub idle_timeout: Setting<Duration>,
    /// For a session nobody uses.
    pub session_idle: Setting<Duration>,
    /// For a client to come back.
    pub resume_within: Setting<Duration>,
    /// For calls to end.
    pub stop_within: Setting<Duration>,
}

impl Serve {
    pub(crate) fn take(take: &mut Take) -> Self {
        let seconds = Duration::from_secs;
        let names = |said: Option<Vec<String>>| said.unwrap_or_default();
        let address = |said: Option<String>| said.and_then(|text| text.parse().ok());
        Serve {
            listen: take
                .text("serve.listen")
                .map(|said| address(said).unwrap_or(LISTEN)),
            hosts: take.words("serve.hosts").map(names),
            origins: take.words("serve.origins").map(names),
            connections: take.number("serve.connections", 4_096),
            sessions: take.number("serve.sessions", 4_096),
            sessions_per_caller: take.number("serve.sessions_per_caller", 2_048),
            head_bytes: take.number("serve.head_bytes", 64 << 10),
            body_bytes: take.number("serve.body_bytes", 4 << 20),
            head_timeout: take.time("serve.head_timeout", seconds(10)),
            body_timeout: take.time("serve.body_timeout", seconds(30)),
            answer_timeout: take.time("serve.answer_timeout", seconds(120)),
            write_timeout: take.time("serve.write_timeout", seconds(30)),
            idle_timeout: take.time("serve.idle_timeout", seconds(75)),
            session_idle: take.time("serve.session_idle", seconds(30 * MINUTE)),
            resume_within: take.time("serve.resume_within", seconds(5)),
            stop_within: take.time("serve.stop_within", seconds(10)),
        }
    }

    /// As text with its place, in the order of the reference.
    pub(crate) fn rows(&self) -> Vec<(String, String, Source)> {
        let names = |names: &Vec<String>| format!("[{}]", names.join(", "));
        let time = |length: &Duration| format_duration(*length);
        vec![
            row("serve.listen", &self.listen, SocketAddr::to_string),
            row("serve.hosts", &self.hosts, names),
            row("serve.origins", &self.origins, names),
            row("serve.connections", &self.connections, u32::to_string),
            row("serve.sessions", &self.sessions, u32::to_string),
            row(
                "serve.sessions_per_caller",
                &self.sessions_per_caller,
                u32::to_string,
            ),
            row("serve.head_bytes", &self.head_bytes, u32::to_string),
            row("serve.body_bytes", &self.body_bytes, u32::to_string),
            row("serve.head_timeout", &self.head_timeout, time),
            row("serve.body_timeout", &self.body_timeout, time),
            row("serve.answer_timeout", &self.answer_timeout, time),
            row("serve.write_timeout", &self.write_timeout, time),
            row("serve.idle_timeout", &self.idle_timeout, time),
            row("serve.session_idle", &self.session_idle, time),
            row("serve.resume_within", &self.resume_within, time),
            row("serve.stop_within", &self.stop_within, time),
        ]
    }
}

/// Whether `text` can name a host: a name or an address, with a port or without.
pub(crate) fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    !text.is_empty() && text.len() <= 300 && text.chars().all(plain)
}

/// Whether `text` can name the origin of a page: a scheme and a host, with a port or `:*`.
pub(crate) fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let scheme = !scheme.is_empty() && scheme.chars().all(plain);
    scheme && is_host(host.strip_suffix(":*").unwrap_or(host))
}
