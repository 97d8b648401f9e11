//! Limits as rows: how much of what, for whom, in which window.
//!
//! For: setting, dropping and listing them, with an audit row for each change. Not for: counting (counter does).

use std::sync::LazyLock;

use callboard_store::{Conn, Row, StoreError, params};
use callboard_telemetry::audit::audit_add;
use serde::{Deserialize, Serialize};

use crate::calendar;
use crate::error::LimitError;
use crate::reservation::Subject;

/// Declares an enum whose variants are words in rows and answers.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The word for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The one that a word means.
            #[must_use]
            pub fn parse(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// For whom a limit counts.
    Scope {
        /// Everything together.
        All = "all",
        /// One provider.
        Provider = "provider",
        /// One model of a provider, written `provider/model`.
        Model = "model",
        /// One account at a provider, written `provider/account`.
        Account = "account",
        /// One project.
        Project = "project",
        /// One task.
        Task = "task",
    }
}

words! {
    /// What is counted.
    Resource {
        /// Calls.
        Requests = "requests",
        /// Tokens sent, cached ones included.
        Input = "input",
        /// Tokens received, reasoning included.
        Output = "output",
        /// Calls at the same time.
        Concurrent = "concurrent",
        /// Micro-dollars.
        Money = "money",
    }
}

words! {
    /// In which window of time.
    Span {
        /// At any one time; only for calls at the same time.
        Now = "now",
        /// Each minute, from its first second.
        Minute = "minute",
        /// Each day.
        Day = "day",
        /// Each week, from Monday.
        Week = "week",
        /// Each month.
        Month = "month",
        /// Without end: for a task's cap.
        Ever = "ever",
    }
}

words! {
    /// What becomes of a call whose price is not known, where money is limited.
    Unpriced {
        /// It goes through, and is counted as unpriced.
        Allow = "allow",
        /// It is denied.
        Deny = "deny",
    }
}

/// The name that stands for each one of a scope separately.
pub const EACH: &str = "*";
/// Warn at four fifths.
pub const DEFAULT_WARN: u16 = 800;

/// A limit. All that fit a call hold; the strictest decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// For whom.
    pub scope: Scope,
    /// Which one: as [`Scope`] says, [`EACH`] for each one separately, empty for [`Scope::All`].
    pub name: String,
    /// What is counted.
    pub resource: Resource,
    /// In which window.
    pub span: Span,
    /// How much: calls, tokens or micro-dollars.
    pub amount: i64,
    /// From how many thousandths of the amount on there is a warning.
    pub warn: u16,
    /// How far the clock by which days begin is ahead of UTC, in minutes.
    pub offset_min: i32,
    /// For money: what becomes of a call whose price is not known.
    pub unpriced: Unpriced,
    /// Who set it: `config`, or `user`. Limits of different origin stand beside each other.
    pub origin: String,
}

impl Limit {
    /// A limit of the user's, by UTC, that warns at four fifths.
    #[must_use]
    pub fn new(
        scope: Scope,
        name: impl Into<String>,
        resource: Resource,
        span: Span,
        amount: i64,
    ) -> Self {
        Limit {
            scope,
            name: name.into(),
            resource,
            span,
            amount,
            warn: DEFAULT_WARN,
            offset_min: 0,
            unpriced: Unpriced::Allow,
            origin: "user".to_owned(),
        }
    }

    /// The window that `at` lies in, as [start, end) in ms UTC.
    #[must_use]
    pub fn window(&self, at: i64) -> (i64, i64) {
        match self.span {
            Span::Now | Span::Ever => (i64::MIN, i64::MAX),
            Span::Minute => calendar::minute(at),
            Span::Day => calendar::day(at, self.offset_min),
            Span::Week => calendar::week(at, self.offset_min),
            Span::Month => calendar::month(at, self.offset_min),
        }
    }

    /// The name by which it counts a call of `subject`; `None` when it does not.
    pub(crate) fn counts(&self, subject: &Subject) -> Option<String> {
        let name = subject.name(self.scope)?;
        (self.name == EACH || self.name == name).then_some(name)
    }

    fn check(&self) -> Result<(), LimitError> {
        let named = !self.name.is_empty() && self.name.len() <= 200;
        let slash = || {
            self.name == EACH
                || self
                    .name
                    .split_once('/')
                    .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
        };
        match self.scope {
            Scope::All if !self.name.is_empty() => {
                return Err(LimitError::invalid(
                    "name",
                    "a limit on everything has none; leave it empty",
                ));
            }
            Scope::Model | Scope::Account if !slash() => {
                let why = format!("write provider/{}, or {EACH} for each one", self.scope);
                return Err(LimitError::invalid("name", why));
            }
            Scope::All => {}
            _ if !named => {
                let why = format!(
                    "says which {}, or {EACH} for each one; at most 200 bytes",
                    self.scope
                );
                return Err(LimitError::invalid("name", why));
            }
            _ => {}
        }
        if (self.resource == Resource::Concurrent) != (self.span == Span::Now) {
            return Err(LimitError::invalid(
                "span",
                "calls at the same time are limited `now`, everything else in a window of time",
            ));
        }
        if self.amount < 0 {
            return Err(LimitError::invalid(
                "amount",
                "must not be negative; 0 stops everything",
            ));
        }
        if self.warn > 1_000 {
            return Err(LimitError::invalid(
                "warn",
                "is a share from 0 to 1000 thousandths",
            ));
        }
        if self.offset_min.abs() > 15 * 60 {
            return Err(LimitError::invalid(
                "offset_min",
                "is at most 15 hours from UTC, in minutes",
            ));
        }
        if self.origin.is_empty() || self.origin.len() > 50 {
            return Err(LimitError::invalid(
                "origin",
                "says who set it, in at most 50 bytes",
            ));
        }
        Ok(())
    }

    fn subject(&self) -> String {
        let name = if self.name.is_empty() {
            String::new()
        } else {
            format!(":{}", self.name)
        };
        format!("{}{name} {} {}", self.scope, self.resource, self.span)
    }
}

/// Sets a limit, in place of the one of the same scope, name, resource, window and origin.
///
/// # Errors
/// [`LimitError::Invalid`] for a limit that makes no sense.
pub fn limit_set(c: &mut dyn Conn, now: i64, limit: &Limit) -> Result<(), LimitError> {
    limit.check()?;
    c.execute(
        "INSERT INTO limit_rules (scope, name, resource, span, origin, amount, warn, offset_min, unpriced)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (scope, name, resource, span, origin) DO UPDATE SET amount = excluded.amount, warn = excluded.warn, offset_min = excluded.offset_min, unpriced = excluded.unpriced",
        params![
            limit.scope.as_str(),
            &limit.name,
            limit.resource.as_str(),
            limit.span.as_str(),
            &limit.origin,
            limit.amount,
            i64::from(limit.warn),
            limit.offset_min,
            limit.unpriced.as_str(),
        ],
    )?;
    let detail = [
        ("amount", limit.amount.into()),
        ("origin", limit.origin.as_str().into()),
    ];
    audit_add(c, now, "limit_set", &limit.subject(), &detail)?;
    Ok(())
}

/// Drops a limit; says whether there was one.
///
/// # Errors
/// Only when the store fails.
pub fn limit_drop(c: &mut dyn Conn, now: i64, limit: &Limit) -> Result<bool, LimitError> {
    let dropped = c.execute(
        "DELETE FROM limit_rules WHERE scope = ?1 AND name = ?2 AND resource = ?3 AND span = ?4 AND origin = ?5",
        params![limit.scope.as_str(), &limit.name, limit.resource.as_str(), limit.span.as_str(), &limit.origin],
    )?;
    if dropped > 0 {
        let detail = [("origin", limit.origin.as_str().into())];
        audit_add(c, now, "limit_drop", &limit.subject(), &detail)?;
    }
    Ok(dropped > 0)
}

/// Makes the limits of an origin exactly these, and answers how many changed. What is already so is not
/// written, so that every process may do it when it starts.
///
/// # Errors
/// [`LimitError::Invalid`] for a limit that makes no sense, or is not of that origin; then nothing changes.
pub fn limits_sync(
    c: &mut dyn Conn,
    now: i64,
    origin: &str,
    limits: &[Limit],
) -> Result<usize, LimitError> {
    let before: Vec<Limit> = limits_list(c)?
        .into_iter()
        .filter(|limit| limit.origin == origin)
        .collect();
    let mut changed = 0;
    for limit in limits {
        if limit.origin != origin {
            return Err(LimitError::invalid(
                "origin",
                format!("must be {origin} here"),
            ));
        }
        if !before.contains(limit) {
            limit_set(c, now, limit)?;
            changed += 1;
        }
    }
    let same = |a: &Limit, b: &Limit| {
        (a.scope, &a.name, a.resource, a.span) == (b.scope, &b.name, b.resource, b.span)
    };
    for old in before
        .iter()
        .filter(|old| !limits.iter().any(|limit| same(limit, old)))
    {
        limit_drop(c, now, old)?;
        changed += 1;
    }
    Ok(changed)
}

/// All limits.
///
/// # Errors
/// Only when the store fails.
pub fn limits_list(c: &mut dyn Conn) -> Result<Vec<Limit>, LimitError> {
    Ok(c.query(
        "SELECT scope, name, resource, span, amount, warn, offset_min, unpriced, origin FROM limit_rules
         ORDER BY scope, name, resource, span, origin",
        params![],
        limit_from,
    )?)
}

/// The limits that count calls of this subject: a look at the few names that can be meant, however many limits
/// there are.
pub(crate) fn limits_for(c: &mut dyn Conn, subject: &Subject) -> Result<Vec<Limit>, LimitError> {
    let name = |scope| subject.name(scope);
    Ok(c.query(
        &FOR_SUBJECT,
        params![
            name(Scope::Provider).as_deref(),
            name(Scope::Model).as_deref(),
            name(Scope::Account).as_deref(),
            name(Scope::Project).as_deref(),
            name(Scope::Task).as_deref(),
        ],
        limit_from,
    )?)
}

/// One search of the table's key for each name, one after the other. As one condition with OR the engine would make and
/// sort a table of its own for each call.
static FOR_SUBJECT: LazyLock<String> = LazyLock::new(|| {
    let columns = "scope, name, resource, span, amount, warn, offset_min, unpriced, origin";
    let arm = |scope: &str, name: &str| {
        format!("SELECT {columns} FROM limit_rules WHERE scope = '{scope}' AND name = {name}")
    };
    let mut arms = vec![arm("all", "''")];
    let named = ["provider", "model", "account", "project", "task"];
    for (index, scope) in named.iter().enumerate() {
        arms.push(arm(scope, "'*'"));
        arms.push(arm(scope, &format!("?{}", index + 1)));
    }
    arms.join(" UNION ALL ")
});

fn limit_from(row: &dyn Row) -> Result<Limit, StoreError> {
    Ok(Limit {
        scope: word(&row.text(0)?, Scope::parse)?,
        name: row.text(1)?,
        resource: word(&row.text(2)?, Resource::parse)?,
        span: word(&row.text(3)?, Span::parse)?,
        amount: row.int(4)?,
        warn: u16::try_from(row.int(5)?).unwrap_or(DEFAULT_WARN),
        offset_min: i32::try_from(row.int(6)?).unwrap_or(0),
        unpriced: word(&row.text(7)?, Unpriced::parse)?,
        origin: row.text(8)?,
    })
}

pub(crate) fn word<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    parse(text).ok_or_else(|| StoreError::Row(format!("unknown word {text:?}")))
}
