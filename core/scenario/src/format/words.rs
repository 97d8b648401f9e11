//! The small words of the format: times, amounts, commands, one or many.
//!
//! For: values that may be written in more than one way. Not for: whole sections.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
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
        let text = String::deserialize(from)?;
        Time::read(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no length of time; write a number and its unit, such as 500ms, 30s or 2m"
            ))
        })
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
                if text.starts_with("${") {
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

/// One of something, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        words(from, "a word or a list of words").map(|words| OneOrMany(words.many()))
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
        match words(
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
            {"type": "array", "items": {"type": "string"}, "minItems": 1}
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

fn words<'de, D: Deserializer<'de>>(from: D, wanted: &'static str) -> Result<Words, D::Error> {
    struct Either(&'static str);
    impl<'de> Visitor<'de> for Either {
        type Value = Words;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Words, E> {
            Ok(Words::One(text.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
            let mut words = Vec::new();
            while let Some(word) = list.next_element::<Word>()? {
                words.push(word.0);
            }
            Ok(Words::Many(words))
        }

        fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Words, A::Error> {
            Err(A::Error::custom(format!("expected {}", self.0)))
        }
    }
    from.deserialize_any(Either(wanted))
}

/// A word of a list; numbers are words too, so that `[sleep, 5]` needs no quotes.
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

            fn visit_f64<E: Error>(self, number: f64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Word, E> {
                Ok(Word(truth.to_string()))
            }
        }
        from.deserialize_any(Any)
    }
}
