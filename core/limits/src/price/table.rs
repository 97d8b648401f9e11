//! The table itself: what comes with the program, and what was put over it.

use std::collections::{BTreeMap, HashMap};

use callboard_telemetry::usage::{MicroDollars, Tokens};

use super::file::{self, PriceFile, PriceFileError};
use super::mode::Terms;
use super::names::{Names, undated};
use super::{Mode, Price, Priced, Unpriced};

const BUILT_IN: &str = include_str!("../../prices.toml");

/// Prices by provider, model and day.
#[derive(Debug, Clone, Default)]
pub struct PriceTable {
    /// By provider and model, oldest first.
    rows: BTreeMap<(String, String), Vec<Price>>,
    /// By provider and other name: the model.
    aliases: HashMap<(String, String), String>,
    providers: BTreeMap<String, Names>,
    version: String,
}

impl PriceTable {
    /// A table without prices.
    #[must_use]
    pub fn empty() -> Self {
        PriceTable::default()
    }

    /// The prices that come with the program.
    ///
    /// # Errors
    /// Never, as a test holds.
    pub fn built_in() -> Result<Self, PriceFileError> {
        PriceTable::empty().with(BUILT_IN)
    }

    /// The same with the text of a price file over it: a newer table, or a user's own prices.
    ///
    /// What the file says of a model counts from its day on, whatever older files said for later days; what
    /// they said of the days before stays. A price without a day counts for all time.
    ///
    /// # Errors
    /// [`PriceFileError`] with the line, when the text is no price file.
    pub fn with(mut self, text: &str) -> Result<Self, PriceFileError> {
        let PriceFile {
            version,
            providers,
            prices,
        } = file::read(text)?;
        let mut newer: BTreeMap<(String, String), Vec<Price>> = BTreeMap::new();
        for price in prices {
            for alias in &price.aliases {
                let name = (price.provider.clone(), alias.clone());
                self.aliases.insert(name, price.model.clone());
            }
            let model = (price.provider.clone(), price.model.clone());
            newer.entry(model).or_default().push(price);
        }
        for (model, mut prices) in newer {
            prices.sort_by_key(|price| price.from);
            let first = prices.first().map_or(i64::MAX, |price| price.from);
            let rows = self.rows.entry(model).or_default();
            rows.retain(|row| row.from < first);
            rows.append(&mut prices);
        }
        for (name, mut newer) in providers {
            // What a file does not say of tiers and tools stays as it was.
            if let Some(before) = self.providers.remove(&name) {
                for (tier, price) in before.tiers {
                    newer.tiers.entry(tier).or_insert(price);
                }
                for (tool, price) in before.tools {
                    newer.tools.entry(tool).or_insert(price);
                }
            }
            self.providers.insert(name, newer);
        }
        self.version = version;
        Ok(self)
    }

    /// The version of the file that was put over the others last.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All prices, by provider, model and day.
    pub fn prices(&self) -> impl Iterator<Item = &Price> {
        self.rows.values().flatten()
    }

    /// The price of a model at a time (ms since 1970 UTC).
    ///
    /// `model` may be the name in the table, one of its aliases, or such a name with what the provider's rules
    /// let stand around it, or with a date at its end. Any other name is unknown.
    #[must_use]
    pub fn price(&self, provider: &str, model: &str, at: i64) -> Option<&Price> {
        let rows = self.rows_of(self.provider(provider), model)?;
        rows.iter().rev().find(|price| price.from <= at)
    }

    /// What `tokens` of a model cost at a time; `None` where that is not known.
    #[must_use]
    pub fn cost(
        &self,
        provider: &str,
        model: &str,
        at: i64,
        tokens: &Tokens,
        mode: &Mode,
    ) -> Option<Priced> {
        if let Some(price) = self.price(provider, model, at) {
            let terms = Terms::of(mode, price, self.names(provider)).ok()?;
            return Some(Priced {
                cost: price.cost(tokens, &terms)?,
                version: price.version.clone(),
            });
        }
        self.is_local(provider, model).then(|| Priced {
            cost: MicroDollars::ZERO,
            version: self.version.clone(),
        })
    }

    /// What of a call's mode has no price, where the model has one.
    #[must_use]
    pub fn unpriced(&self, provider: &str, model: &str, at: i64, mode: &Mode) -> Option<Unpriced> {
        let price = self.price(provider, model, at)?;
        Terms::of(mode, price, self.names(provider)).err()
    }

    fn names(&self, provider: &str) -> Option<&Names> {
        self.providers.get(self.provider(provider))
    }

    /// Whether a model costs nothing because it runs on the user's own machine.
    #[must_use]
    pub fn is_local(&self, provider: &str, model: &str) -> bool {
        let provider = self.provider(provider);
        self.rows_of(provider, model).is_none()
            && self
                .providers
                .get(provider)
                .is_some_and(|names| names.is_local(model))
    }

    /// Whether a model that a program on the user's own machine offers runs elsewhere all the same, by its name.
    #[must_use]
    pub fn runs_elsewhere(&self, provider: &str, model: &str) -> bool {
        let names = self.providers.get(self.provider(provider));
        names.is_some_and(|names| names.local && !names.is_local(model))
    }

    /// The name that the table knows a provider by.
    fn provider<'a>(&'a self, name: &'a str) -> &'a str {
        let known = self
            .providers
            .iter()
            .find(|(_, names)| names.also.iter().any(|also| also == name));
        known.map_or(name, |(provider, _)| provider)
    }

    fn rows_of(&self, provider: &str, model: &str) -> Option<&Vec<Price>> {
        let bare = self
            .providers
            .get(provider)
            .map_or(model, |names| names.bare(model));
        [Some(model), Some(bare), undated(bare)]
            .into_iter()
            .flatten()
            .find_map(|name| self.named(provider, name))
    }

    fn named(&self, provider: &str, name: &str) -> Option<&Vec<Price>> {
        let key = (provider.to_owned(), name.to_owned());
        self.rows.get(&key).or_else(|| {
            let model = self.aliases.get(&key)?;
            self.rows.get(&(key.0, model.clone()))
        })
    }
}
