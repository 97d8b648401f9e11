//! Checked values on their way from the layers into typed settings.
//! For: one value with its place, its default, and the tables that somebody named. Not for: checking a value.

use crate::error::Source;
use crate::kind::Value;
use crate::settings::Setting;
use crate::template::Template;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) fn row<T>(
    name: &str,
    setting: &Setting<T>,
    text: impl Fn(&T) -> String,
) -> (String, String, Source) {
    (
        name.to_owned(),
        text(&setting.value),
        setting.source.clone(),
    )
}

pub(crate) fn by_default<T>(value: T) -> Setting<T> {
    Setting {
        value,
        source: Source::Default,
    }
}

/// The tables directly below `above`, by name, with the place that named them.
pub(crate) fn named_in<'t>(
    tables: &'t BTreeMap<Vec<String>, Source>,
    above: &'t str,
) -> impl Iterator<Item = (&'t str, &'t Source)> {
    tables
        .iter()
        .filter_map(move |(path, place)| match path.as_slice() {
            [first, name] if first == above => Some((name.as_str(), place)),
            _ => None,
        })
}

impl<T> Setting<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting {
            value: change(self.value),
            source: self.source,
        }
    }
}

/// Takes checked values out of the layers. A kind is checked before its value gets here, so a value of another kind
/// can only mean "nothing said".
pub(crate) struct Take(pub BTreeMap<String, (Value, Source)>);

impl Take {
    fn said<T>(&mut self, key: &str, read: impl FnOnce(Value) -> Option<T>) -> Setting<Option<T>> {
        match self.0.remove(key) {
            Some((value, source)) => Setting {
                value: read(value),
                source,
            },
            None => by_default(None),
        }
    }

    pub(crate) fn number(&mut self, key: &str, default: u32) -> Setting<u32> {
        self.said(key, |value| match value {
            Value::Number(n) => u32::try_from(n).ok(),
            _ => None,
        })
        .map(|said| said.unwrap_or(default))
    }

    pub(crate) fn amount(&mut self, key: &str) -> Setting<Option<u64>> {
        self.said(key, |value| match value {
            Value::Number(n) => Some(n),
            _ => None,
        })
    }

    pub(crate) fn money(&mut self, key: &str) -> Setting<Option<i64>> {
        self.said(key, |value| match value {
            Value::Money(amount) => Some(amount),
            _ => None,
        })
    }

    pub(crate) fn offset(&mut self, key: &str) -> Setting<i32> {
        self.said(key, |value| match value {
            Value::Offset(minutes) => Some(minutes),
            _ => None,
        })
        .map(Option::unwrap_or_default)
    }

    pub(crate) fn switch_if(&mut self, key: &str) -> Setting<Option<bool>> {
        self.said(key, |value| match value {
            Value::Switch(on) => Some(on),
            _ => None,
        })
    }

    pub(crate) fn switch(&mut self, key: &str, default: bool) -> Setting<bool> {
        self.switch_if(key).map(|said| said.unwrap_or(default))
    }

    pub(crate) fn template(&mut self, key: &str) -> Setting<Option<Template>> {
        self.said(key, |value| match value {
            Value::Template(text) => Some(text),
            _ => None,
        })
    }

    pub(crate) fn text(&mut self, key: &str) -> Setting<Option<String>> {
        self.said(key, |value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    pub(crate) fn words(&mut self, key: &str) -> Setting<Option<Vec<String>>> {
        self.said(key, |value| match value {
            Value::Words(words) => Some(words),
            _ => None,
        })
    }

    /// The names below a table.
    fn names_below(&self, table: &str) -> Vec<String> {
        let below = |key: &String| Some(key.strip_prefix(table)?.strip_prefix('.')?.to_owned());
        self.0.keys().filter_map(below).collect()
    }

    pub(crate) fn variables(&mut self, table: &str) -> BTreeMap<String, Template> {
        let names = self.names_below(table).into_iter();
        let value = |name: String| {
            let said = self.template(&format!("{table}.{name}")).value?;
            Some((name, said))
        };
        names.filter_map(value).collect()
    }

    pub(crate) fn texts(&mut self, table: &str) -> BTreeMap<String, String> {
        let names = self.names_below(table).into_iter();
        let value = |name: String| {
            let said = self.text(&format!("{table}.{name}")).value?;
            Some((name, said))
        };
        names.filter_map(value).collect()
    }

    pub(crate) fn time_if(&mut self, key: &str) -> Setting<Option<Duration>> {
        self.said(key, |value| match value {
            Value::Time(length) => Some(length),
            _ => None,
        })
    }

    pub(crate) fn time(&mut self, key: &str, default: Duration) -> Setting<Duration> {
        self.time_if(key).map(|said| said.unwrap_or(default))
    }

    pub(crate) fn path_if(&mut self, key: &str) -> Setting<Option<PathBuf>> {
        self.said(key, |value| match value {
            Value::Path(path) => Some(path),
            _ => None,
        })
    }

    pub(crate) fn path(&mut self, key: &str) -> Option<Setting<PathBuf>> {
        let said = self.path_if(key);
        said.value.map(|value| Setting {
            value,
            source: said.source,
        })
    }
}
