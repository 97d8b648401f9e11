//! The gate that asks for a token.
//!
//! For: one decision about a request from what is known before its body is read, and its row in the audit
//! when the answer is no. Not for: Host and Origin (the transport checks them before it asks; it tells the
//! gate what it refused).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use callboard_store::actor::{self, Actor};
use callboard_store::{Clock, Store, StoreError};
use callboard_telemetry::audit::{self, Refusals};
use http::header::AUTHORIZATION;
use http::{HeaderName, StatusCode};
use tokio::sync::watch;

use super::limit::Limit;
use super::table::{TokenRow, USE_WRITTEN_EVERY_MS, token_get, token_used};
use super::token::{TokenHash, TokenText};
use crate::call::BoxFuture;
use crate::http::API_KEY;
use crate::scrub;
use crate::{Arrival, Caller, Gate, Refusal, Role, ToolError, Via, clip};

/// What the user configured about who gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether this machine's own requests need a token.
    pub loopback: Loopback,
    /// Requests a second of each token; 0: no limit.
    pub rate: u32,
    /// Requests a second without a good token, of each address; 0: no limit.
    pub rate_unauthenticated: u32,
}

/// What a request from this machine needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// A token, as any other.
    Token,
    /// Nothing: whoever is on this machine has the role. Any program, of any user, is.
    Open(Role),
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            loopback: Loopback::Token,
            rate: 200,
            rate_unauthenticated: 10,
        }
    }
}

/// Tokens it keeps at hand; the board has the rest.
const AT_HAND: usize = 1_024;

/// Lets in who shows a good token.
pub struct TokenGate {
    store: Store,
    clock: Arc<dyn Clock>,
    policy: Policy,
    refusals: Refusals,
    known: Mutex<Known>,
    /// Moves when anybody changed the board: a token may have been revoked.
    changes: watch::Receiver<u64>,
    by_token: Limit<String>,
    by_address: Limit<IpAddr>,
}

/// Rows as they were when the board's counter stood at `as_of`.
#[derive(Default)]
struct Known {
    as_of: u64,
    rows: HashMap<String, TokenRow>,
}

/// Who is known to have made a request: a name, and the public id of the token if there was one.
type Holder<'h> = (&'h str, Option<&'h str>);

fn holder(row: &TokenRow) -> Holder<'_> {
    (&row.name, Some(&row.id))
}

/// Why the answer is no.
enum No {
    /// Nothing was shown.
    Nothing,
    /// What was shown is no token, or none of ours: nobody learns which.
    Unknown,
    /// The holder of the token, who has its secret, may know.
    Expired(Box<TokenRow>),
    Revoked(Box<TokenRow>),
    Store(StoreError),
}

impl No {
    /// A token that opens nothing any more.
    fn of(row: TokenRow) -> Self {
        let row = Box::new(row);
        if row.revoked_at.is_some() {
            No::Revoked(row)
        } else {
            No::Expired(row)
        }
    }

    /// The word for the audit, whose token it is, and what to say.
    fn said(&self) -> (&'static str, Option<&TokenRow>, String) {
        match self {
            No::Nothing => ("no_token", None, "a token is needed".to_owned()),
            No::Expired(row) => (
                "expired",
                Some(row),
                format!("the token {} has expired", row.name),
            ),
            No::Revoked(row) => (
                "revoked",
                Some(row),
                format!("the token {} was revoked", row.name),
            ),
            No::Unknown | No::Store(_) => ("bad_token", None, "this is no valid token".to_owned()),
        }
    }
}

impl TokenGate {
    /// A gate over the tokens in `store`, which has the tables of [`super::MIGRATIONS`] and of the audit.
    pub fn new(store: Store, clock: Arc<dyn Clock>, policy: Policy) -> Self {
        TokenGate {
            refusals: Refusals::new(store.clone(), Arc::clone(&clock)),
            changes: store.changes(),
            known: Mutex::default(),
            by_token: Limit::new(policy.rate),
            by_address: Limit::new(policy.rate_unauthenticated),
            store,
            clock,
            policy,
        }
    }

    /// Where requests that were turned away are written down; to be flushed when the program ends.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    fn decide(&self, arrival: &Arrival<'_>) -> Result<Caller, Refusal> {
        let now = self.clock.now_ms();
        let judged = match shown(arrival) {
            Shown::Nothing => match self.open_to(arrival) {
                Some(role) => return Ok(anybody(arrival, role)),
                None => Err(No::Nothing),
            },
            Shown::Something(token) => self.judge(now, token.as_ref()),
        };
        match judged {
            Ok(row) => self.admitted(now, arrival, row),
            Err(no) => Err(self.refuse(now, arrival, no)),
        }
    }

    /// A request that a proxy passed on comes from wherever the proxy had it from.
    fn open_to(&self, arrival: &Arrival<'_>) -> Option<Role> {
        let passed_on = [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-real-ip",
            "via",
        ];
        let direct = !passed_on
            .iter()
            .any(|name| arrival.headers.contains_key(HeaderName::from_static(name)));
        match self.policy.loopback {
            Loopback::Open(role) if arrival.from.to_canonical().is_loopback() && direct => {
                Some(role)
            }
            _ => None,
        }
    }

    /// The same steps whether there is such a token or not.
    fn judge(&self, now: i64, token: Option<&TokenText>) -> Result<TokenRow, No> {
        let token = token.ok_or(No::Unknown)?;
        let hash = token.hash();
        let row = self.look_up(token.id()).map_err(No::Store)?;
        let at_rest = row.as_ref().map_or(TokenHash::NONE, |row| row.hash);
        let same = at_rest.is(&hash);
        match row {
            Some(row) if same && row.is_good(now) => Ok(row),
            Some(row) if same => Err(No::of(row)),
            _ => Err(No::Unknown),
        }
    }

    /// From memory while nobody has changed the board since, else from the board. What is not there is not
    /// remembered, so that guessing fills nothing.
    fn look_up(&self, id: &str) -> Result<Option<TokenRow>, StoreError> {
        // Read before the row is: a change after that moves it again.
        let as_of = *self.changes.borrow();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_of != as_of || known.rows.len() > AT_HAND {
            known.rows.clear();
            known.as_of = as_of;
        }
        if let Some(row) = known.rows.get(id) {
            return Ok(Some(row.clone()));
        }
        drop(known);
        let row = self.store.read_now(|c| token_get(c, id))?;
        if let Some(row) = &row {
            self.remember(as_of, row);
        }
        Ok(row)
    }

    fn remember(&self, as_of: u64, row: &TokenRow) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_of == as_of {
            known.rows.insert(row.id.clone(), row.clone());
        }
    }

    fn admitted(&self, now: i64, arrival: &Arrival<'_>, row: TokenRow) -> Result<Caller, Refusal> {
        if let Err(wait) = self.by_token.take(now, &row.id) {
            self.write_down(arrival, "rate", Some(holder(&row)));
            let rate = self.policy.rate;
            return Err(Refusal::too_many(
                wait,
                format!("the token {} may be used {rate} times a second", row.name),
                "access.rate",
            ));
        }
        self.note_use(now, &row);
        Ok(holder_of(row, arrival))
    }

    /// Behind the caller's back, at most once a minute.
    fn note_use(&self, now: i64, row: &TokenRow) {
        if row
            .used_at
            .is_some_and(|at| now - at < USE_WRITTEN_EVERY_MS)
        {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Only what is still at hand: the row that was judged may be older than the last revocation.
        if let Some(at_hand) = known.rows.get_mut(&row.id) {
            at_hand.used_at = Some(now);
        }
        drop(known);
        let (store, id) = (self.store.clone(), row.id.clone());
        actor::spawn(async move {
            let written: Result<(), StoreError> =
                store.write(move |c| token_used(c, now, &id)).await;
            if let Err(error) = written {
                tracing::warn!(%error, "a token's last use was not written");
            }
        });
    }

    fn refuse(&self, now: i64, arrival: &Arrival<'_>, no: No) -> Refusal {
        if let No::Store(error) = no {
            tracing::error!(%error, request = arrival.request_id, "no token can be checked");
            return Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "board",
                ToolError::unavailable("tokens can't be checked: the board can't be read")
                    .hint("try again; the server's log says why"),
            );
        }
        if let Err(wait) = self.by_address.take(now, &network(arrival.from)) {
            self.write_down(arrival, "rate", None);
            return Refusal::too_many(
                wait,
                "too many requests without a valid token from this address".to_owned(),
                "access.rate_unauthenticated",
            );
        }
        let (reason, row, message) = no.said();
        self.write_down(arrival, reason, row.map(holder));
        let shown = !matches!(no, No::Nothing);
        Refusal::unauthorized(reason, message, shown)
    }

    fn write_down(&self, arrival: &Arrival<'_>, reason: &'static str, holder: Option<Holder<'_>>) {
        let path = scrub::url(arrival.uri.path());
        let path = clip(&path, 80);
        let actor = Actor {
            name: holder.map_or("-", |(name, _)| name).to_owned(),
            token: holder.and_then(|(_, token)| token.map(str::to_owned)),
            from: Some(network(arrival.from).to_string()),
            request: Some(arrival.request_id.to_owned()),
            ..Actor::new("", arrival.via.as_str(), &path)
        };
        self.refusals.record(audit::Refusal { reason, actor });
    }
}

impl Gate for TokenGate {
    fn admit<'r>(&'r self, arrival: Arrival<'r>) -> BoxFuture<'r, Result<Caller, Refusal>> {
        Box::pin(async move { self.decide(&arrival) })
    }

    fn still_admits(&self, caller: &Caller) -> Result<(), Refusal> {
        let Some(token) = &caller.token else {
            return Ok(());
        };
        let no = match self.look_up(token) {
            Ok(Some(row)) if row.is_good(self.clock.now_ms()) => return Ok(()),
            Ok(Some(row)) => No::of(row),
            Ok(None) => No::Unknown,
            Err(error) => {
                tracing::warn!(%error, "what was begun goes on unchecked: the board can't be read");
                return Ok(());
            }
        };
        let (reason, _, message) = no.said();
        Err(Refusal::unauthorized(reason, message, true))
    }

    fn turned_away<'r>(
        &'r self,
        arrival: Arrival<'r>,
        caller: Option<&'r Caller>,
        refusal: &'r Refusal,
    ) -> BoxFuture<'r, ()> {
        let holder = caller.map(|caller| (caller.name.as_str(), caller.token.as_deref()));
        self.write_down(&arrival, refusal.reason, holder);
        Box::pin(std::future::ready(()))
    }
}

fn holder_of(row: TokenRow, arrival: &Arrival<'_>) -> Caller {
    Caller {
        name: row.name,
        token: Some(row.id),
        role: row.role,
        via: arrival.via,
        from: Some(arrival.from),
        agent: row.grant.as_ref().and_then(|grant| grant.agent.clone()),
        grant: row.grant,
    }
}

/// Whoever is on this machine, where that is enough.
fn anybody(arrival: &Arrival<'_>, role: Role) -> Caller {
    Caller {
        via: arrival.via,
        from: Some(arrival.from),
        ..Caller::local("loopback", role)
    }
}

enum Shown {
    Nothing,
    /// `None`: not of a token's shape.
    Something(Option<TokenText>),
}

/// The token in the header; one in the address would end up in logs and histories.
fn shown(arrival: &Arrival<'_>) -> Shown {
    let one = |name: HeaderName| {
        let mut given = arrival.headers.get_all(name).iter();
        let first = given.next()?;
        Some(first.to_str().ok().filter(|_| given.next().is_none()))
    };
    if let Some(text) = one(AUTHORIZATION) {
        let bearer = text
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| TokenText::parse(token.trim()));
        return Shown::Something(bearer);
    }
    // Clients of Anthropic's protocol show theirs here.
    match one(API_KEY).filter(|_| arrival.via == Via::Gateway) {
        Some(text) => Shown::Something(text.and_then(|text| TokenText::parse(text.trim()))),
        None => Shown::Nothing,
    }
}

/// Whom to count together: an IPv6 network of 64 bits is one customer, and has more addresses than any
/// table.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
        other => other,
    }
}
