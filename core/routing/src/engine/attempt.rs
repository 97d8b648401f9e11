//! One attempt at one candidate: what it may use is held before it, what it used is counted after it.
//!
//! For: a reservation that ends exactly once, whatever becomes of the caller. A crash while it is held leaves a row of a
//! dead process, which the next sweep of whoever expires reservations ends; a caller that leaves ends it by dropping the
//! attempt, which queues the end behind the reservation itself. Not for: whom to ask (`run`).

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use callboard_limits::{
    Admission, Ask as Asked, BreakerState, Denied, Estimate, LimitError, Patience, Priced,
    Settlement, Standing, Subject, Target as Broken, Verdict, breaker_admit, breaker_record,
    factor_learn, release, reserve, settle,
};
use callboard_store::Conn;
use callboard_telemetry::llm::LlmText;
use callboard_telemetry::{Counted, MicroDollars, Mode, Usage};

use super::Target;
use super::detail::{Detail, End, class_of};
use super::router::Inner;
use super::settings::Settings;
use super::used::{Ended, Seen, Used, used, verdict};
use crate::chat::Charged;
use crate::upstream::{Meter, Upstream};

/// How long a reservation holds without being extended, ms. While calls are made, a task beside them extends theirs.
pub(super) const LEASE_MS: i64 = 120_000;

/// What an attempt is about.
pub(super) struct Plan {
    pub(super) call: String,
    pub(super) target: Target,
    pub(super) subject: Subject,
    pub(super) broken: Broken,
    pub(super) estimate: Estimate,
    /// Tokens of the prompt before correction, from which the correction is learned.
    pub(super) base: u64,
    /// What is asked for that its price depends on, beside tokens.
    pub(super) charged: Charged,
    pub(super) detail: Detail,
    /// Since when it waits for its turn.
    pub(super) since: Instant,
    /// The request's text, where texts are kept.
    pub(super) words: Option<Arc<str>>,
}

/// What became of asking for a reservation.
pub(super) enum Turn {
    /// It is held; the limits that are nearly used up.
    Granted(Vec<Standing>),
    /// The breaker lets nobody through until then.
    Broken(BreakerState, i64),
    /// A limit has nothing left.
    Denied(Box<Denied>),
}

/// What an attempt cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bill {
    pub(super) usage: Option<Usage>,
    pub(super) cost: Option<MicroDollars>,
    pub(super) price_version: Option<String>,
    pub(super) first_byte: Option<Duration>,
    pub(super) total: Option<Duration>,
}

/// An attempt under way.
pub(super) struct Attempt {
    inner: Arc<Inner>,
    settings: Arc<Settings>,
    pub(super) plan: Plan,
    meter: Arc<Meter>,
    pub(super) seen: Seen,
    /// When it was reserved; nothing before that was asked for.
    reserved_at: Option<i64>,
    /// The end that is to be written.
    end: Option<Arc<Ending>>,
    pub(super) bill: Bill,
    over: bool,
}

impl Attempt {
    pub(super) fn new(inner: Arc<Inner>, settings: Arc<Settings>, plan: Plan) -> Attempt {
        Attempt {
            seen: Seen::new(plan.words.is_some()),
            inner,
            settings,
            plan,
            meter: Arc::default(),
            reserved_at: None,
            end: None,
            bill: Bill::default(),
            over: false,
        }
    }

    /// The provider's end of it, measured.
    pub(super) fn upstream(&self, left: Option<Duration>) -> Option<Upstream> {
        let provider = self.settings.providers.get(&self.plan.target.provider)?;
        let upstream = provider.upstream.metered(Arc::clone(&self.meter));
        Some(match left {
            Some(left) => upstream.within(left),
            None => upstream,
        })
    }

    /// When its candidate's time is over, if it begins now.
    pub(super) fn latest(&self) -> Option<Instant> {
        let provider = self.settings.providers.get(&self.plan.target.provider)?;
        Instant::now().checked_add(provider.upstream.endpoint().deadlines.total)
    }

    /// Asks the breaker and the limits, in one transaction.
    pub(super) async fn reserve(&mut self) -> Result<Turn, LimitError> {
        let now = self.inner.parts.clock.now_ms();
        let asked = Asked {
            call: self.plan.call.clone(),
            subject: self.plan.subject.clone(),
            owner: self.inner.parts.owner,
            until: now + LEASE_MS,
            estimate: self.plan.estimate,
            detail: self.plan.detail.to_json(),
        };
        let (broken, patience) = (self.plan.broken.clone(), self.settings.breaker);
        let admit = move |c: &mut dyn Conn| -> Result<Turn, LimitError> {
            match breaker_admit(c, now, &broken, &asked.call, patience)? {
                Admission::Refused { state, until } => Ok(Turn::Broken(state, until)),
                // A refusal of the limits takes the probe back with it.
                Admission::Go | Admission::Probe => {
                    Ok(Turn::Granted(reserve(c, now, &asked)?.warnings))
                }
            }
        };
        // From here on the row may be there, even if nobody waits to hear of it.
        self.reserved_at = Some(now);
        self.inner.flights.takes_off(&self.inner, &self.plan.call);
        let turn = match self.inner.parts.store.write_relaxed(admit).await {
            Err(LimitError::Denied(denied)) => Ok(Turn::Denied(denied)),
            other => other,
        };
        if !matches!(turn, Ok(Turn::Granted(_))) {
            self.closes();
        }
        turn
    }

    /// It ended: what is to be written is settled from now on, whatever becomes of the caller. [`Attempt::finish`]
    /// waits for it.
    pub(super) fn ends(&mut self, ended: Ended<'_>) {
        let Some(reserved_at) = self
            .reserved_at
            .filter(|_| !self.over && self.end.is_none())
        else {
            return;
        };
        let now = self.inner.parts.clock.now_ms();
        let sent_at = self.meter.sent_at();
        let used = used(ended, sent_at.is_some(), &self.seen, &self.plan.estimate);
        let mode = self.plan.charged.after(&self.seen.charged).mode();
        self.bill = Bill {
            first_byte: self.meter.first_byte(),
            total: sent_at.map(|sent_at| sent_at.elapsed()),
            ..self.priced(used, reserved_at, &mode)
        };
        self.plan.detail.mode = mode;
        let detail = self.detail(ended, sent_at);
        let what = match used {
            Used::Nothing => What::Release(detail),
            Used::Refused | Used::Tokens(_) => What::Settle(Settlement {
                usage: self.bill.usage,
                cost: self.bill.cost.map(|cost| Priced {
                    cost,
                    version: self.bill.price_version.clone().unwrap_or_default(),
                }),
                detail,
            }),
        };
        let whole = matches!(ended, Ended::Well);
        let reported = self
            .seen
            .usage
            .filter(|usage| whole && usage.counted == Counted::Reported);
        self.end = Some(Arc::new(Ending {
            call: self.plan.call.clone(),
            now,
            what,
            broken: self.plan.broken.clone(),
            verdict: verdict(ended, now),
            patience: self.settings.breaker,
            learned: reported.map(|usage| (self.plan.base, usage.tokens.input)),
        }));
        self.remember(reserved_at);
    }

    /// Writes the end. What can't be written is told in the log; the row then expires.
    pub(super) async fn finish(&mut self) {
        let Some(end) = self.end.clone() else { return };
        let writing = self.inner.parts.store.write_relaxed(move |c| end.write(c));
        if let Err(error) = writing.await {
            tracing::error!(call = %self.plan.call, %error, "what a call used could not be written down");
        }
        self.end = None;
        self.closes();
    }

    /// Whether [`Attempt::ends`] was said and the end is not written.
    pub(super) fn is_ending(&self) -> bool {
        self.end.is_some()
    }

    fn closes(&mut self) {
        self.over = true;
        self.inner.flights.lands(&self.plan.call);
    }

    fn priced(&self, used: Used, at: i64, mode: &Mode) -> Bill {
        let bill = |usage, priced: Option<Priced>| Bill {
            usage,
            cost: priced.as_ref().map(|priced| priced.cost),
            price_version: priced.map(|priced| priced.version),
            ..Bill::default()
        };
        let prices = &self.settings.prices;
        match used {
            Used::Nothing => Bill::default(),
            Used::Refused => {
                let nothing = Priced {
                    cost: MicroDollars::ZERO,
                    version: prices.version().to_owned(),
                };
                bill(None, Some(nothing))
            }
            Used::Tokens(usage) => {
                let provider = self.settings.providers.get(&self.plan.target.provider);
                let vendor = provider.map_or("", |provider| provider.prices_as.as_str());
                let by = |model: &str| prices.cost(vendor, model, at, &usage.tokens, mode);
                // The name that was asked for is the one that the user may have given a price.
                let answered = || self.seen.model.as_deref().and_then(by);
                let priced = by(&self.plan.target.model).or_else(answered);
                if priced.is_none() {
                    self.warns(vendor, at, mode);
                }
                bill(Some(usage), priced)
            }
        }
    }

    /// Says once why calls like this one have no price though their model has one.
    fn warns(&self, vendor: &str, at: i64, mode: &Mode) {
        const MOST: usize = 1_000;
        let (prices, target) = (&self.settings.prices, &self.plan.target);
        let Some(why) = prices.unpriced(vendor, &target.model, at, mode) else {
            return;
        };
        let warning = format!("{target}: {why}, so what such calls cost is unknown");
        let told = self.inner.told.lock();
        let mut told = told.unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST && !told.contains(&warning) {
            tracing::warn!(call = %self.plan.call, "{warning}");
            told.insert(warning);
        }
    }

    fn detail(&self, ended: Ended<'_>, sent_at: Option<Instant>) -> String {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let failure = match ended {
            Ended::Badly(failure) => Some(failure),
            Ended::Well | Ended::Left => None,
        };
        let cancelled = matches!(ended, Ended::Left)
            || failure.is_some_and(|failure| class_of(failure).is_none());
        let outcome = match failure {
            _ if cancelled => "cancelled",
            Some(_) => "error",
            None => "ok",
        };
        let request_id = failure.and_then(|failure| failure.request_id.clone());
        let end = End {
            outcome: outcome.to_owned(),
            error: failure
                .and_then(class_of)
                .map(|class| class.as_str().to_owned()),
            error_code: failure.and_then(|failure| failure.code.clone()),
            status: failure.and_then(|failure| failure.status),
            finish: self.seen.finish.clone(),
            model: self.seen.model.clone(),
            request_id: request_id.or_else(|| self.seen.request_id.clone()),
            first_byte_us: self.bill.first_byte.map(micros),
            total_us: self.bill.total.map(micros),
            bytes_in: sent_at.map(|_| self.meter.received()),
            bytes_out: sent_at.map(|_| self.meter.sent()),
        };
        let queue = sent_at.map(|sent_at| micros(sent_at.duration_since(self.plan.since)));
        let mut detail = self.plan.detail.clone();
        (detail.queue_us, detail.end) = (queue, Some(end));
        detail.to_json()
    }

    /// Keeps the texts where the user wants that.
    fn remember(&mut self, at: i64) {
        let (Some(request), Some(answer)) = (&self.plan.words, &self.seen.words) else {
            return;
        };
        let log = &self.inner.parts.log;
        log.record_text(|| LlmText::redacted(&self.plan.call, at, request, answer));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.ends(Ended::Left);
        self.inner.flights.lands(&self.plan.call);
        let Some(end) = self.end.take() else { return };
        let store = self.inner.parts.store.clone();
        let post = {
            let end = Arc::clone(&end);
            store.post_relaxed(move |c| end.write(c))
        };
        let Err(error) = post else { return };
        // So much waits for the writer that there is no place: then somebody else waits for one.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move { store.write_relaxed(move |c| end.write(c)).await });
            }
            Err(_) => {
                tracing::error!(call = %self.plan.call, %error, "what a call used could not be written down");
            }
        }
    }
}

/// The end of an attempt, to be written once however often it is tried.
struct Ending {
    call: String,
    now: i64,
    what: What,
    broken: Broken,
    verdict: Verdict<'static>,
    patience: Patience,
    /// Tokens of the prompt as estimated and as reported.
    learned: Option<(u64, u64)>,
}

enum What {
    /// Nothing is counted.
    Release(String),
    Settle(Settlement),
}

impl Ending {
    fn write(&self, c: &mut dyn Conn) -> Result<(), LimitError> {
        let first = match &self.what {
            What::Release(detail) => release(c, self.now, &self.call, detail)?,
            What::Settle(settlement) => match settle(c, self.now, &self.call, settlement) {
                // The reservation was never made: it was called off before it came to its turn.
                Err(LimitError::Unknown { .. }) => false,
                other => other?,
            },
        };
        if !first {
            return Ok(());
        }
        let broken = &self.broken;
        breaker_record(c, self.now, broken, &self.call, self.verdict, self.patience)?;
        if let Some((estimate, reported)) = self.learned {
            factor_learn(c, &broken.provider, &broken.model, estimate, reported)?;
        }
        Ok(())
    }
}
