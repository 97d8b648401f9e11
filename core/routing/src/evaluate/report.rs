//! The figures of every router, with their intervals.
//! For: plain data. Not for: reckoning, or how it is shown.

use serde::Serialize;

/// What came of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Prompts that count.
    pub lines: usize,
    /// Prompts that lack an outcome of one of the two models.
    pub left_out: u64,
    /// Prompts of which a cost is not known; where there are any, no cost of all of them is.
    pub unpriced: usize,
    /// The cheap model.
    pub cheap: Model,
    /// The strong model.
    pub strong: Model,
    /// The share of prompts where the strong model does better: those that need it.
    pub needs_strong: f64,
    /// The share where the cheap one does better.
    pub needs_cheap: f64,
    /// Chance began with this.
    pub seed: u64,
    /// How often the data was resampled for the intervals.
    pub resamples: usize,
    /// Who was compared.
    pub routers: Vec<Router>,
}

/// One of the two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Model {
    /// Its name in the data.
    pub name: String,
    /// Its mean score.
    pub quality: f64,
    /// What it cost for all prompts, in millionths of a dollar.
    pub cost_micro: Option<f64>,
}

/// A figure, and between what it lies in 95 of 100 resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// The 2.5th percentile.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

/// A way of choosing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Router {
    /// Its name.
    pub name: String,
    /// How it chooses.
    pub about: String,
    /// What it does: as it chooses, or, for one that only orders prompts, when the first half goes to the strong model.
    #[serde(flatten)]
    pub figures: Figures,
    /// For one that orders prompts: over all shares.
    pub grade: Option<Grade>,
}

/// What a choice comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// The share of prompts that the strong model answers.
    pub strong_share: f64,
    /// The share that a third model answers; for a route only.
    pub other_share: f64,
    /// The mean score.
    pub quality: Estimate,
    /// What it cost for all prompts, in millionths of a dollar.
    pub cost_micro: Option<f64>,
    /// One minus that over what the strong model costs.
    pub saved: Option<Estimate>,
    /// The share of the gap between the models that it recovers.
    pub gap_recovered: Estimate,
}

/// How good an order of prompts is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grade {
    /// The mean of the gap recovered.
    pub apgr: Estimate,
    /// The least share of prompts for the strong model that recovers half of the gap.
    pub cpt_50: Estimate,
    /// The same for four fifths.
    pub cpt_80: Estimate,
    /// How well it tells who needs the strong model.
    pub auc: Option<Estimate>,
    /// Cost saved at 90 % of the strong model's quality.
    pub saved_at_90: Option<Estimate>,
    /// The same at 95 %.
    pub saved_at_95: Option<Estimate>,
    /// The same at 100 %.
    pub saved_at_100: Option<Estimate>,
}

/// There is nothing to recover.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NoGap {
    /// The strong model is not better.
    #[error(
        "{strong} has a mean score of {strong_quality:.3}, {cheap} of {cheap_quality:.3}: a router between them has \
         nothing to recover. Name others with --cheap MODEL and --strong MODEL"
    )]
    NotBetter {
        /// The strong model.
        strong: String,
        /// Its mean score.
        strong_quality: f64,
        /// The cheap model.
        cheap: String,
        /// Its mean score.
        cheap_quality: f64,
    },
    /// No line has outcomes of both.
    #[error("no line has outcomes of both {cheap} and {strong}")]
    Nothing {
        /// The cheap model.
        cheap: String,
        /// The strong model.
        strong: String,
    },
}
