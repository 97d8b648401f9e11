//! What is written to standard error.
//! For: the settings below `log`. Not for: writing it.

use crate::error::Source;
use crate::settings::Setting;
use crate::take::{Take, row};

/// What is written to standard error.
#[derive(Debug, Clone)]
pub struct Log {
    /// The least important kind of line.
    pub level: Setting<LogLevel>,
    /// For people or for programs.
    pub format: Setting<LogStyle>,
}

/// Importance of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something may fail later.
    Warn,
    /// What happens.
    Info,
    /// Why it happens.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// As written in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStyle {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogStyle {
    /// As written in configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Log {
    pub(crate) fn take(take: &mut Take) -> Self {
        let level = |said: Option<String>| {
            let found = LogLevel::ALL
                .into_iter()
                .find(|level| said.as_deref() == Some(level.as_str()));
            found.unwrap_or(LogLevel::Info)
        };
        Self {
            level: take.text("log.level").map(level),
            format: take.text("log.format").map(|said| match said.as_deref() {
                Some("json") => LogStyle::Json,
                _ => LogStyle::Text,
            }),
        }
    }

    pub(crate) fn rows(&self) -> [(String, String, Source); 2] {
        [
            row("log.level", &self.level, |l| l.as_str().to_owned()),
            row("log.format", &self.format, |f| f.as_str().to_owned()),
        ]
    }
}
