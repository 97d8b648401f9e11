//! The decision.

use callboard_telemetry::MicroDollars;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::{Candidate, Format, Need, Privacy, TaskClass, Unpriced};

/// By what the order of those that would do is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// As the route has them.
    #[default]
    Sequential,
    /// Those first that have answered well and fast lately.
    Smart,
    /// The cheapest first.
    Cost,
}

impl Strategy {
    /// The word in settings and rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::Sequential => "sequential",
            Strategy::Smart => "smart",
            Strategy::Cost => "cost",
        }
    }
}

/// A named chain of candidates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// How they are ordered.
    pub strategy: Strategy,
    /// Who could answer, in the order of the settings.
    pub candidates: Vec<Candidate>,
}

/// Why a candidate is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Rejection {
    /// The prompt, or prompt and answer, do not fit.
    Window {
        /// Tokens that are needed.
        needed: u64,
        /// Tokens that it has.
        window: u64,
    },
    /// It does not answer at such length.
    Output {
        /// Tokens that may be wanted.
        needed: u64,
        /// Tokens that it gives.
        most: u64,
    },
    /// It lacks something.
    Lacks {
        /// What: tools, images, json, schema, or what its wire has no words for.
        what: String,
    },
    /// The prompt may not leave this machine.
    NotLocal,
    /// It runs elsewhere than it may.
    Region {
        /// Where it runs; `None`: nobody said.
        region: Option<String>,
        /// Where it may.
        #[serde(default)]
        allowed: Vec<String>,
    },
    /// It would cost more than it may.
    TooDear {
        /// What it would cost at most; `None`: its price is not known, so no limit can be held.
        cost: Option<MicroDollars>,
        /// What it may cost.
        most: MicroDollars,
    },
    /// It asks for something without a price, and money is limited.
    Unpriced(Unpriced),
    /// It lately took longer than there is time.
    TooSlow {
        /// Milliseconds that half of its answers took.
        p50_ms: u64,
        /// Milliseconds there are.
        within_ms: u64,
    },
    /// It is meant for other work.
    Class {
        /// The work it is.
        class: TaskClass,
    },
    /// An answer of its failed the tests of whoever asked.
    Failed,
    /// Its breaker is open.
    Open {
        /// Milliseconds until it is tried again.
        for_ms: u64,
    },
    /// It asked for a pause.
    Cooling {
        /// Milliseconds of it that are left.
        for_ms: u64,
    },
    /// A limit has nothing left.
    Limited {
        /// Which, in words.
        limit: String,
        /// Milliseconds until it has; `None`: nobody can say.
        for_ms: Option<u64>,
    },
}

impl Rejection {
    /// Milliseconds until it may be over; `None`: waiting does not help.
    #[must_use]
    pub fn passes_in_ms(&self) -> Option<u64> {
        match self {
            Rejection::Open { for_ms } | Rejection::Cooling { for_ms } => Some(*for_ms),
            Rejection::Limited { for_ms, .. } => *for_ms,
            _ => None,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Window { needed, window } => {
                write!(f, "needs {needed} tokens, has a window of {window}")
            }
            Rejection::Output { needed, most } => {
                write!(f, "may need an answer of {needed} tokens, gives {most}")
            }
            Rejection::Lacks { what } => write!(f, "has no {what}"),
            Rejection::NotLocal => f.write_str("is not on this machine"),
            Rejection::Region { region, allowed } => {
                match region {
                    Some(region) => write!(f, "runs in {region}")?,
                    None => f.write_str("its region is not known")?,
                }
                write!(f, ", the prompt may go to {} only", allowed.join(", "))
            }
            Rejection::TooDear {
                cost: Some(cost),
                most,
            } => {
                write!(f, "may cost {cost}, more than {most}")
            }
            Rejection::TooDear { cost: None, most } => {
                write!(f, "its price is not known, so {most} can't be held")
            }
            Rejection::Unpriced(Unpriced { what, instead }) => {
                write!(f, "{what}, and a money limit applies: {instead}")
            }
            Rejection::TooSlow { p50_ms, within_ms } => {
                write!(f, "lately took {p50_ms} ms, there are {within_ms}")
            }
            Rejection::Class { class } => write!(f, "is not meant for {class} work"),
            Rejection::Failed => f.write_str("its answer failed the caller's tests"),
            Rejection::Open { for_ms } => write!(f, "its breaker is open for {for_ms} ms more"),
            Rejection::Cooling { for_ms } => write!(f, "asked for a pause of {for_ms} ms more"),
            Rejection::Limited { limit, .. } => write!(f, "{limit}"),
        }
    }
}

/// A candidate to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its place in [`Route::candidates`].
    pub at: usize,
    /// Why it has this turn.
    pub why: String,
}

/// A candidate that is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Its place in [`Route::candidates`].
    pub at: usize,
    /// All that speaks against it.
    pub why: Vec<Rejection>,
}

/// Who is asked, one after the other until one answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// In this order.
    pub order: Vec<Choice>,
    /// Who is not.
    pub rejected: Vec<Rejected>,
    /// The class that was served, if it is a harder one than was declared because nobody is meant for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raised_to: Option<TaskClass>,
}

impl Decision {
    /// Milliseconds until somebody may be asked, where nobody can be now and time alone is in the way.
    #[must_use]
    pub fn retry_in_ms(&self) -> Option<u64> {
        if !self.order.is_empty() {
            return None;
        }
        let waits = self.rejected.iter().filter_map(|rejected| {
            let passes: Option<Vec<u64>> =
                rejected.why.iter().map(Rejection::passes_in_ms).collect();
            passes?.into_iter().max()
        });
        waits.min()
    }
}

/// Requirements first, then the declared class, then the strategy.
#[must_use]
pub fn decide(route: &Route, need: &Need) -> Decision {
    let mut decision = Decision::default();
    let mut fit = Vec::new();
    for (at, candidate) in route.candidates.iter().enumerate() {
        let why = against(candidate, need);
        if why.is_empty() {
            fit.push(at);
        } else {
            decision.rejected.push(Rejected { at, why });
        }
    }
    if let Some(class) = need.class {
        let served = served_class(route, &fit, class);
        decision.raised_to = served.filter(|served| *served != class);
        fit.retain(|at| {
            let meant = served.is_some_and(|served| serves(&route.candidates[*at], served));
            if !meant {
                let why = vec![Rejection::Class { class }];
                decision.rejected.push(Rejected { at: *at, why });
            }
            meant
        });
        decision.rejected.sort_by_key(|rejected| rejected.at);
    }
    decision.order = ordered(route, fit);
    decision
}

/// All that speaks against it, what lasts before what passes.
fn against(candidate: &Candidate, need: &Need) -> Vec<Rejection> {
    let mut why = unfit(candidate, need);
    why.extend(unavailable(candidate));
    why
}

fn unfit(candidate: &Candidate, need: &Need) -> Vec<Rejection> {
    let offer = &candidate.offer;
    let mut why = Vec::new();
    let input = candidate.input.unwrap_or(need.input);
    let needed = input.saturating_add(need.output.unwrap_or(0));
    // A prompt that fills the window leaves no room for an answer.
    if let Some(window) = offer.window.filter(|window| needed >= *window) {
        why.push(Rejection::Window { needed, window });
    }
    if let (Some(needed), Some(most)) = (need.output, offer.max_output)
        && needed > most
    {
        why.push(Rejection::Output { needed, most });
    }
    for (what, wanted, has) in [
        ("tools", need.tools, offer.tools),
        ("images", need.images, offer.images),
        ("json", need.format == Format::Json, offer.json),
        ("schema", need.format == Format::Schema, offer.schema),
    ] {
        if wanted && has == Some(false) {
            let what = what.to_owned();
            why.push(Rejection::Lacks { what });
        }
    }
    let untold = candidate.lacks.iter().cloned();
    why.extend(untold.map(|what| Rejection::Lacks { what }));
    if need.privacy == Privacy::LocalOnly && !offer.local {
        why.push(Rejection::NotLocal);
    }
    let is_there = |region: &String| need.regions.contains(region);
    // What runs here leaves no region.
    if !need.regions.is_empty() && !offer.local && !offer.region.as_ref().is_some_and(is_there) {
        let region = offer.region.clone();
        let allowed = need.regions.clone();
        why.push(Rejection::Region { region, allowed });
    }
    if let Some(unpriced) = &candidate.unpriced {
        why.push(Rejection::Unpriced(unpriced.clone()));
    } else if let Some(most) = need.max_cost
        && candidate.cost.is_none_or(|cost| cost > most)
    {
        let cost = candidate.cost;
        why.push(Rejection::TooDear { cost, most });
    }
    if let (Some(within_ms), Some(p50_ms)) = (need.within_ms, candidate.health.recent.p50_ms)
        && p50_ms > within_ms
    {
        why.push(Rejection::TooSlow { p50_ms, within_ms });
    }
    why
}

fn unavailable(candidate: &Candidate) -> Vec<Rejection> {
    let health = &candidate.health;
    let open = health.open_for_ms.map(|for_ms| Rejection::Open { for_ms });
    let cooling = health
        .cools_for_ms
        .map(|for_ms| Rejection::Cooling { for_ms });
    let limited = health.limited.clone();
    let limited = limited.map(|(limit, for_ms)| Rejection::Limited { limit, for_ms });
    [open, cooling, limited].into_iter().flatten().collect()
}

fn serves(candidate: &Candidate, class: TaskClass) -> bool {
    let classes = &candidate.offer.classes;
    classes.is_empty() || classes.contains(&class)
}

/// The class itself, or the next harder one that somebody is meant for: what can do more can do less, not the other way.
fn served_class(route: &Route, fit: &[usize], class: TaskClass) -> Option<TaskClass> {
    let harder = TaskClass::ALL.into_iter().filter(|other| *other >= class);
    let served = |class: &TaskClass| fit.iter().any(|at| serves(&route.candidates[*at], *class));
    harder.into_iter().find(served)
}

fn ordered(route: &Route, mut fit: Vec<usize>) -> Vec<Choice> {
    let candidate = |at: usize| &route.candidates[at];
    match route.strategy {
        Strategy::Sequential => choices(fit, |at| format!("place {} of the route", at + 1)),
        Strategy::Smart => {
            let unknown = middle(
                fit.iter()
                    .filter_map(|at| candidate(*at).health.recent.p50_ms),
            );
            let expected = |at: usize| candidate(at).health.recent.expected_ms(unknown);
            fit.sort_by_key(|at| expected(*at));
            choices(fit, |at| {
                let recent = candidate(at).health.recent;
                match recent.p50_ms {
                    Some(p50) => format!(
                        "{p50} ms for half of its answers, {} of {} calls failed",
                        recent.failures, recent.calls
                    ),
                    None => "not tried lately".to_owned(),
                }
            })
        }
        Strategy::Cost => {
            // An unknown price is not a low one.
            fit.sort_by_key(|at| {
                candidate(*at)
                    .cost
                    .map_or((1, MicroDollars::ZERO), |cost| (0, cost))
            });
            choices(fit, |at| match candidate(at).cost {
                Some(cost) => format!("costs {cost} at most"),
                None => "its price is not known".to_owned(),
            })
        }
    }
}

fn choices(order: Vec<usize>, why: impl Fn(usize) -> String) -> Vec<Choice> {
    let choice = |at| Choice { at, why: why(at) };
    order.into_iter().map(choice).collect()
}

/// The upper median. Of nothing it is a second: any figure will do, failures still tell candidates apart.
fn middle(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(1_000)
}
