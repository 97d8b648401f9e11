//! Who may use the servers, and how often.
//! For: the settings below `access`. Not for: tokens, which are on the board.

use crate::error::Source;
use crate::settings::Setting;
use crate::take::{Take, row};

/// Who may use the servers.
#[derive(Debug, Clone)]
pub struct Access {
    /// The role of requests from this machine that show no token; `None`: they need one.
    pub loopback: Setting<Option<AccessRole>>,
    /// Requests a second of each token; 0: no limit.
    pub rate: Setting<u32>,
    /// Requests a second without a valid token, of each address; 0: no limit.
    pub rate_unauthenticated: Setting<u32>,
    /// The role over standard input and output.
    pub stdio_role: Setting<AccessRole>,
}

/// A role as it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRole {
    /// Looks.
    Viewer,
    /// Works.
    Developer,
    /// Everything.
    Admin,
}

impl AccessRole {
    const ALL: [Self; 3] = [Self::Viewer, Self::Developer, Self::Admin];

    /// As written in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }

    fn of(said: Option<&str>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| said == Some(role.as_str()))
    }
}

impl Access {
    pub(crate) fn take(take: &mut Take) -> Self {
        Self {
            loopback: take
                .text("access.loopback")
                .map(|said| AccessRole::of(said.as_deref())),
            rate: take.number("access.rate", 200),
            rate_unauthenticated: take.number("access.rate_unauthenticated", 10),
            stdio_role: take
                .text("access.stdio_role")
                .map(|said| AccessRole::of(said.as_deref()).unwrap_or(AccessRole::Admin)),
        }
    }

    pub(crate) fn rows(&self) -> [(String, String, Source); 4] {
        [
            row("access.loopback", &self.loopback, |role| {
                role.map_or("token", AccessRole::as_str).to_owned()
            }),
            row("access.rate", &self.rate, u32::to_string),
            row(
                "access.rate_unauthenticated",
                &self.rate_unauthenticated,
                u32::to_string,
            ),
            row("access.stdio_role", &self.stdio_role, |role| {
                role.as_str().to_owned()
            }),
        ]
    }
}
