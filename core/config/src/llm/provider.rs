//! One provider of models.
//! For: what its table says, with what is known of it by name. Not for: asking it anything.

use super::Problems;
use super::keys::CLASSES;
use super::vendors::{Vendor, of_wire, vendor};
use crate::error::Source;
use crate::forms::{is_exposed, is_here};
use crate::settings::Setting;
use crate::tables::written;
use crate::take::{Take, by_default};
use crate::template::Template;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// Where it was first named.
    pub source: Source,
    /// The word for its protocol: openai, anthropic, gemini or ollama.
    pub wire: Setting<String>,
    /// Where it is.
    pub base_url: Setting<String>,
    /// Its key, as a secret of the vault.
    pub key: Setting<Option<Template>>,
    /// The environment variable with its key.
    pub key_env: Setting<Option<String>>,
    /// Which account the key belongs to; empty for the only one.
    pub account: Setting<String>,
    /// The vendor in the table of prices.
    pub prices: Setting<String>,
    /// Whether its models run on the user's own machines.
    pub local: Setting<bool>,
    /// Where they run.
    pub region: Setting<Option<String>>,
    /// Whether a person has to agree before it is asked.
    pub confirm: Setting<bool>,
    /// How long what may take.
    pub timeouts: Timeouts,
    /// Sent with every request.
    pub headers: BTreeMap<String, Template>,
    /// What is said of its models, by name.
    pub models: BTreeMap<String, Model>,
}

/// How long what may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Setting<Duration>,
    /// Until the answer begins.
    pub first_byte: Setting<Duration>,
    /// Between two pieces of it.
    pub between: Setting<Duration>,
    /// The whole call.
    pub total: Setting<Duration>,
}

/// What is said of one model. What nobody said is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Tokens of prompt and answer together.
    pub window: Option<u64>,
    /// Tokens of an answer.
    pub max_output: Option<u64>,
    /// Calls tools.
    pub tools: Option<bool>,
    /// Sees pictures.
    pub images: Option<bool>,
    /// Has a JSON mode.
    pub json: Option<bool>,
    /// Holds itself to a JSON Schema.
    pub schema: Option<bool>,
    /// The work it is meant for; none: any.
    pub classes: Vec<String>,
    /// Where it runs; `None`: where its provider does.
    pub region: Option<String>,
    /// Runs on the user's own machines; `None`: as its provider.
    pub local: Option<bool>,
}

impl Provider {
    /// `None` when too little is said; then a problem says so.
    pub(super) fn take(
        take: &mut Take,
        problems: &mut Problems,
        name: &str,
        source: &Source,
        models: &[&str],
    ) -> Option<Self> {
        let key = |field: &str| format!("providers.{name}.{field}");
        let known = vendor(name);
        let wire = take.text(&key("wire"));
        let wire = wire_of(problems, &key("wire"), wire, known, source)?;
        // What is known by name holds only as long as the protocol is the known one.
        let known = known.filter(|known| known.wire == wire.value);
        let usual = known.or_else(|| of_wire(&wire));
        let said_url = take.text(&key("base_url"));
        let elsewhere = said_url.value.is_some();
        let base_url = url_of(problems, &key("base_url"), said_url, usual, source)?;
        let plain_http = take.switch(&key("plain_http"), false);
        if is_exposed(&base_url) && !plain_http.value {
            let message = "http:// to another machine: everybody on the way can read the key and the prompts. Use https://, or say plain_http = true";
            problems.add(&base_url.source, &key("base_url"), message);
        }
        let secret = take.template(&key("key"));
        let mut key_env = take.text(&key("key_env"));
        if secret.value.is_some() && key_env.value.is_some() {
            let message = format!(
                "key is set too ({}): a key comes from one place, so remove one of the two",
                secret.source
            );
            problems.add(&key_env.source, &key("key_env"), message);
        }
        if secret.value.is_none() && key_env.value.is_none() && !elsewhere {
            let usual = usual.and_then(|usual| usual.key_env);
            key_env = by_default(usual.map(str::to_owned));
        }
        let prices = take.text(&key("prices")).map(|said| {
            said.or_else(|| usual.map(|usual| usual.prices.to_owned()))
                .unwrap_or_else(|| name.to_owned())
        });
        let runs_here = usual.is_some_and(|usual| usual.local) && is_here(&base_url);
        Some(Self {
            account: take.text(&key("account")).map(Option::unwrap_or_default),
            local: take.switch(&key("local"), runs_here),
            region: take.text(&key("region")),
            confirm: take.switch(&key("confirm"), false),
            timeouts: timeouts(take, name),
            headers: take.variables(&key("headers")),
            models: models
                .iter()
                .map(|model| ((*model).to_owned(), Model::take(take, name, model)))
                .collect(),
            name: name.to_owned(),
            source: source.clone(),
            wire,
            base_url,
            key: secret,
            key_env,
            prices,
        })
    }

    /// The secrets of the vault that its key and its headers name.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<String> {
        let templates = self.headers.values().chain(&self.key.value);
        templates.flat_map(Template::names).collect()
    }

    /// Where its key comes from, as it may be shown.
    #[must_use]
    pub fn key_shown(&self) -> String {
        match (&self.key.value, &self.key_env.value) {
            (Some(template), _) => template.shown(),
            (None, Some(name)) => format!("${name}"),
            (None, None) => "(none)".to_owned(),
        }
    }
}

fn wire_of(
    problems: &mut Problems,
    key: &str,
    said: Setting<Option<String>>,
    known: Option<&Vendor>,
    source: &Source,
) -> Option<Setting<String>> {
    let known = known.map(|known| known.wire.to_owned());
    let Some(value) = said.value.or(known) else {
        let message = "this provider's name is not known, so it needs a wire: openai (most others speak it), anthropic, gemini or ollama";
        problems.add(source, key, message);
        return None;
    };
    Some(Setting {
        value,
        source: said.source,
    })
}

fn url_of(
    problems: &mut Problems,
    key: &str,
    said: Setting<Option<String>>,
    usual: Option<&Vendor>,
    source: &Source,
) -> Option<Setting<String>> {
    let usual = usual.map(|usual| usual.base_url.to_owned());
    let Some(value) = said.value.or(usual) else {
        let message = "this provider needs a base_url: many speak this wire (OpenAI itself is at https://api.openai.com/v1)";
        problems.add(source, key, message);
        return None;
    };
    Some(Setting {
        value,
        source: said.source,
    })
}

fn timeouts(take: &mut Take, name: &str) -> Timeouts {
    let mut time = |field: &str, seconds| {
        let key = format!("providers.{name}.timeouts.{field}");
        take.time(&key, Duration::from_secs(seconds))
    };
    Timeouts {
        connect: time("connect", 10),
        first_byte: time("first_byte", 120),
        between: time("between", 60),
        total: time("total", 600),
    }
}

impl Model {
    fn take(take: &mut Take, provider: &str, model: &str) -> Self {
        let above = ["providers", provider, "models", model].map(str::to_owned);
        let above = written(&above);
        let key = |field: &str| format!("{above}.{field}");
        Self {
            window: take.amount(&key("window")).value,
            max_output: take.amount(&key("max_output")).value,
            tools: take.switch_if(&key("tools")).value,
            images: take.switch_if(&key("images")).value,
            json: take.switch_if(&key("json")).value,
            schema: take.switch_if(&key("schema")).value,
            classes: sorted(take.words(&key("classes")).value.unwrap_or_default()),
            region: take.text(&key("region")).value,
            local: take.switch_if(&key("local")).value,
        }
    }
}

/// Easiest first, so that the same classes are the same list.
fn sorted(mut classes: Vec<String>) -> Vec<String> {
    classes.sort_by_key(|class| CLASSES.iter().position(|known| known == class));
    classes
}
