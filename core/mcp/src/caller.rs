//! Who calls, and what they may do.
//!
//! For: one answer to "who is this", whatever the transport; the roles and their order. Not for: finding it
//! out (a [`Gate`](crate::Gate) does), or deciding anything but "may this role call that".

use std::fmt;
use std::net::IpAddr;

/// What a caller may do; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Works: posts, claims and finishes tasks, starts and stops runs.
    Developer,
    /// Everything, also what concerns access and secrets.
    Admin,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Developer, Role::Admin];

    /// As it is written in configuration and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Developer => "developer",
            Role::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// How a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// Standard input and output.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// The older HTTP with server-sent events.
    Sse,
    /// An endpoint that is no MCP.
    Gateway,
}

impl Via {
    /// As it stands in logs and in the audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Stdio => "stdio",
            Via::Http => "http",
            Via::Sse => "sse",
            Via::Gateway => "gateway",
        }
    }
}

/// Who calls. Holds no secret: it is written into logs and the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's name, or the user's where there is no token.
    pub name: String,
    /// The token's public id, where a token was shown.
    pub token: Option<String>,
    /// What the caller may do.
    pub role: Role,
    /// How the call came in.
    pub via: Via,
    /// From where, over a network.
    pub from: Option<IpAddr>,
    /// The agent whose client it is, where that is known.
    pub agent: Option<String>,
    /// Set where the token is one of the gateway's, which opens nothing else.
    pub grant: Option<Grant>,
}

/// For whom a token of the gateway is: what is asked with it is counted as theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// The agent.
    pub agent: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The task.
    pub task: Option<String>,
    /// The role of its work, such as `reviewer`, by which routes know how hard what it asks is. Opens nothing.
    pub work_role: Option<String>,
}

impl Caller {
    /// The user whose client started this process, with the role of that name; the least where there is none.
    pub fn configured(name: impl Into<String>, role: &str) -> Self {
        Caller::local(name, Role::parse(role).unwrap_or(Role::Viewer))
    }

    /// The user whose client started this process.
    pub fn local(name: impl Into<String>, role: Role) -> Self {
        Caller {
            name: name.into(),
            token: None,
            role,
            via: Via::Stdio,
            from: None,
            agent: None,
            grant: None,
        }
    }

    /// The same, calling for an agent.
    #[must_use]
    pub fn for_agent(self, agent: Option<String>) -> Self {
        Caller { agent, ..self }
    }
}
