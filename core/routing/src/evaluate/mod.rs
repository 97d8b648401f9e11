//! How good a way of choosing models is, on data that says how well each model did.
//!
//! For: any router beside the ones that everybody should beat (chance, the prompt's length) and the one that nobody can
//! (who knows the answers). Not for: asking models, or reading files.
//!
//! # The figures
//! As in Ong et al., "RouteLLM: Learning to Route LLMs with Preference Data" (arXiv 2406.18665, section 3), where *c* is
//! the share of prompts that the strong model answers and *r* the mean score:
//! - **Gap recovered** (PGR): (r - r of the cheap model) / (r of the strong model - r of the cheap model). 0 is the cheap
//!   model, 1 the strong one; above 1 is better than the strong one.
//! - **APGR**: the mean of the gap recovered over all *c* from 0 to 1, prompts being sent to the strong model in the order
//!   in which the router wants that. The paper adds up ten points; this is the area itself (trapezoids between prompts).
//! - **CPT(x)**: the least *c* at which the share *x* of the gap is recovered.
//!
//! Besides:
//! - **AUC "needs strong"**: how often, of a prompt where the strong model does better and one where it does not, the
//!   router ranks the first higher (Mann and Whitney's U over the pairs; ties count half).
//! - **Saved at x**: one minus the least cost at which the router's order gives at least the share *x* of the strong
//!   model's mean score, over the cost of asking the strong model always.
//!
//! Prompts that a router can't tell apart are sent in no order: between the ends of such a group every figure runs
//! straight, which is what random orders give on average. So chance needs no dice and has an APGR of exactly 0.5.
//!
//! The intervals are of the 2.5th to the 97.5th percentile of resampled data (bootstrap: Efron and Tibshirani, "An
//! Introduction to the Bootstrap", 1993, section 13.3). They tell how much the figures owe to which prompts are in the
//! data, not whether the data is like your work.

mod compare;
mod curve;
mod dice;
mod labels;
mod lines;
mod report;
mod routed;
mod survey;
#[cfg(test)]
mod tests;

pub use dice::Dice;
pub use labels::{Labelled, Outcome, Wrong};
pub use lines::{Evaluation, LINES_MOST};
pub use report::{Estimate, Figures, Grade, Model, NoGap, Report, Router};
pub use routed::{Asked, Astray, pick};
pub use survey::{NoPair, Pair, Survey};
