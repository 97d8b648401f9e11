//! The small words of the format: times, amounts, commands, one or many.
//!
//! For: values that may be written in more than one way. Not for: whole sections.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// A length of time such as `500ms`, `30s`, `2m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

impl Time {
    fn read(text: &str) -> Option<Time> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[..digits].parse().ok()?;
        let milliseconds = match &text[digits..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            _ => return None,
        };
        Some(Time(Duration::from_millis(
            number.checked_mul(milliseconds)?,
        )))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms.is_multiple_of(1000) {
            write!(f, "{} s", ms / 1000)
        } else {
            write!(f, "{ms} ms")
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Length;
        impl Visitor<'_> for Length {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time: a number and its unit, such as 500ms, 30s or 2m")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                Time::read(text).ok_or_else(|| {
                    E::custom(format!(
                        "{text:?} is no length of time; write a number and its unit, such as 500ms, 30s or 2m"
                    ))
                })
            }
        }
        from.deserialize_any(Length)
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]+(ms|s|m)$"})
    }
}

/// Whether a text is `${…}`.
pub(super) fn is_variable(text: &str) -> bool {
    text.strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.is_empty())
}

/// A number, or a variable that holds one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amount {
    /// The number itself.
    Fixed(u64),
    /// `${name}`.
    Variable(String),
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or ${a variable}")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount::Fixed(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Amount, E> {
                u64::try_from(number)
                    .map(Amount::Fixed)
                    .map_err(|_| E::custom(format!("{number} is below zero")))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
                if is_variable(text) {
                    Ok(Amount::Variable(text.to_owned()))
                } else {
                    Err(E::custom(format!(
                        "{text:?} is neither a whole number nor ${{a variable}}"
                    )))
                }
            }
        }
        from.deserialize_any(Either)
    }
}

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^\\$\\{.+\\}$"}]})
    }
}

/// How often a loop may run its steps.
const TURNS: u64 = 1_000_000;

/// Whether a loop may run its steps so often.
pub(crate) fn turns(times: u64) -> Result<(), String> {
    if times <= TURNS {
        return Ok(());
    }
    Err(format!(
        "`repeat: {times}` is too often; {TURNS} turns are allowed, and a loop may stand in a loop"
    ))
}

/// A number or a truth value as itself: the same in quotes is a text.
pub(super) fn exact<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = serde_json::Value::deserialize(from)?;
    T::deserialize(value).map_err(D::Error::custom)
}

/// One of something, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        words::<Text, D>(from, "a word or a list of words").map(|words| OneOrMany(words.many()))
    }
}

impl JsonSchema for OneOrMany {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    }
}

/// A command: a line for the shell, or the program and its arguments as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Given to `sh -euc`.
    Shell(String),
    /// The program, then its arguments.
    Words(Vec<String>),
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match words::<Word, D>(
            from,
            "a line for the shell, or a list: the program and its arguments",
        )? {
            Words::One(line) => Ok(Command::Shell(line)),
            Words::Many(list) if list.is_empty() => Err(D::Error::custom(
                "the list is empty; it begins with the program",
            )),
            Words::Many(list) => Ok(Command::Words(list)),
        }
    }
}

impl JsonSchema for Command {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": ["string", "integer", "boolean"]}, "minItems": 1}
        ]})
    }
}

enum Words {
    One(String),
    Many(Vec<String>),
}

impl Words {
    fn many(self) -> Vec<String> {
        match self {
            Words::One(word) => vec![word],
            Words::Many(words) => words,
        }
    }
}

fn words<'de, W, D>(from: D, wanted: &'static str) -> Result<Words, D::Error>
where
    W: Deserialize<'de> + Into<String>,
    D: Deserializer<'de>,
{
    struct Either<W>(&'static str, PhantomData<W>);
    impl<'de, W: Deserialize<'de> + Into<String>> Visitor<'de> for Either<W> {
        type Value = Words;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Words, E> {
            Ok(Words::One(text.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
            let mut words = Vec::new();
            while let Some(word) = list.next_element::<W>()? {
                words.push(word.into());
            }
            Ok(Words::Many(words))
        }

        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Words, A::Error> {
            Err(A::Error::custom(format!("expected {}", self.0)))
        }
    }
    from.deserialize_any(Either::<W>(wanted, PhantomData))
}

/// A word of a list, and nothing else.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text(String);

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.0
    }
}

impl From<Word> for String {
    fn from(word: Word) -> String {
        word.0
    }
}

/// A word of a command; whole numbers are words too, so that `[sleep, 5]` needs no quotes.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Word, E> {
                // How it was written is lost: 1.10 would become 1.1.
                Err(E::custom("a number with a point needs quotes here"))
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Word, E> {
                Ok(Word(truth.to_string()))
            }
        }
        from.deserialize_any(Any)
    }
}
