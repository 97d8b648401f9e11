//! Reading a client's body: what is wrong with it is said with its place.

use crate::failure::{Failure, FailureKind};
use serde_json::{Map, Value};

/// Why a client's request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The body is no JSON object.
    #[error("the body is no JSON object: {0}")]
    NotJson(String),
    /// Something is missing or of another shape than the protocol says.
    #[error("{at}: {problem}")]
    Wrong {
        /// Where: `messages.2.content.0`.
        at: String,
        /// What is wrong.
        problem: String,
    },
    /// The protocol has it, a translation has not.
    #[error("{at}: {what} can't be translated to another provider: {advice}")]
    Untranslatable {
        /// Where.
        at: String,
        /// The thing, by the protocol's name.
        what: String,
        /// What to do.
        advice: &'static str,
    },
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Failure {
        Failure::new(FailureKind::BadRequest, unfit.to_string())
    }
}

/// What to do when nothing better is known.
pub(super) const LEAVE: &str =
    "leave it out, or ask for a model whose provider speaks this protocol itself";

/// An object and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Object<'v> {
    pub(super) at: String,
    map: &'v Map<String, Value>,
}

impl<'v> Object<'v> {
    pub(super) fn new(at: String, value: &'v Value) -> Result<Object<'v>, Unfit> {
        match value.as_object() {
            Some(map) => Ok(Object { at, map }),
            None => Err(wrong(&at, "must be an object")),
        }
    }

    /// A field that is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Where a field stands.
    pub(super) fn place(&self, key: &str) -> String {
        if self.at.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.at)
        }
    }

    /// Nothing but these fields, nulls aside.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Unfit> {
        let mut given = self.map.iter().filter(|(_, value)| !value.is_null());
        match given.find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, _)) => Err(self.refuse(key)),
            None => Ok(()),
        }
    }

    /// This field can't be translated.
    pub(super) fn refuse(&self, key: &str) -> Unfit {
        untranslatable(&self.place(key), key)
    }

    /// A field may have one of these values, which ask for nothing special.
    pub(super) fn usual(&self, key: &str, values: &[Value]) -> Result<(), Unfit> {
        match self.get(key) {
            Some(value) if !values.contains(value) => {
                let what = match value {
                    Value::String(_) | Value::Bool(_) | Value::Number(_) => {
                        format!("{key} {value}")
                    }
                    _ => key.to_owned(),
                };
                Err(untranslatable(&self.place(key), &what))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'v str>, Unfit> {
        self.typed(key, "a string", Value::as_str)
    }

    pub(super) fn must_text(&self, key: &str) -> Result<&'v str, Unfit> {
        self.text(key)?
            .ok_or_else(|| wrong(&self.place(key), "is required"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Unfit> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, Unfit> {
        self.typed(key, "a whole number that is not negative", Value::as_u64)
    }

    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, Unfit> {
        self.typed(key, "a whole number", Value::as_i64)
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, Unfit> {
        self.typed(key, "a number", Value::as_f64)
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'v Vec<Value>>, Unfit> {
        self.typed(key, "an array", Value::as_array)
    }

    pub(super) fn must_list(&self, key: &str) -> Result<&'v Vec<Value>, Unfit> {
        self.list(key)?
            .ok_or_else(|| wrong(&self.place(key), "is required"))
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Object<'v>>, Unfit> {
        self.get(key)
            .map(|value| Object::new(self.place(key), value))
            .transpose()
    }

    /// The objects of a list that may be absent.
    pub(super) fn objects(&self, key: &str) -> Result<Vec<Object<'v>>, Unfit> {
        let list = self.list(key)?.map(Vec::as_slice).unwrap_or_default();
        let place = self.place(key);
        let objects = (0..).zip(list);
        objects
            .map(|(at, value): (usize, _)| Object::new(format!("{place}.{at}"), value))
            .collect()
    }

    fn typed<T>(
        &self,
        key: &str,
        what: &str,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Result<Option<T>, Unfit> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(wrong(&self.place(key), &format!("must be {what}"))),
            },
        }
    }
}

/// The body as an object.
pub(super) fn parse(body: &[u8]) -> Result<Value, Unfit> {
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Unfit::NotJson("it is another kind of value".to_owned())),
        Err(error) => Err(Unfit::NotJson(error.to_string())),
    }
}

pub(super) fn wrong(at: &str, problem: &str) -> Unfit {
    Unfit::Wrong {
        at: at.to_owned(),
        problem: problem.to_owned(),
    }
}

pub(super) fn untranslatable(at: &str, what: &str) -> Unfit {
    Unfit::Untranslatable {
        at: at.to_owned(),
        what: what.to_owned(),
        advice: LEAVE,
    }
}
