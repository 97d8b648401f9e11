//! Checked types for parameters.
//!
//! For: refusing at the door what no handler wants to see (control characters, endless text, numbers out
//! of range), with the reason in the error and the limits in the schema. Not for: looking anything up.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// No parameters at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// One line of text: 1 to `MAX` characters after trimming, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Line<const MAX: usize>(String);

/// Text of any number of lines: up to `MAX` characters, no control characters but tabs and line ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

/// An id or key: 1 to 128 of letters, digits, `_`, `-`, `.` and `:`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Id(String);

const ID_CHARS: usize = 128;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Whole<const MIN: u32, const MAX: u32>(u32);

/// How many to answer with: 1 to `MAX`, `DEFAULT` where nothing is said (use `#[serde(default)]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Limit<const DEFAULT: u32, const MAX: u32>(u32);

impl<const MAX: usize> Line<MAX> {
    fn check(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty; write something".to_owned());
        }
        if let Some(found) = text.chars().find(|c| breaks_a_line(*c)) {
            return Err(format!(
                "has the character U+{:04X}; write one line of plain text",
                u32::from(found)
            ));
        }
        check_length(text, MAX)?;
        Ok(Line(text.to_owned()))
    }
}

impl<const MAX: usize> Text<MAX> {
    fn check(text: &str) -> Result<Self, String> {
        if let Some(found) = text.chars().find(|c| is_unfit(*c)) {
            return Err(format!(
                "has the character U+{:04X}; write plain text (line ends and tabs are fine)",
                u32::from(found)
            ));
        }
        check_length(text, MAX)?;
        Ok(Text(text.to_owned()))
    }
}

impl Id {
    fn check(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if text.is_empty() || text.len() > ID_CHARS || !text.chars().all(fits) {
            return Err(format!(
                "is not an id; an id has 1 to {ID_CHARS} letters, digits, `_`, `-`, `.` or `:`"
            ));
        }
        Ok(Id(text.to_owned()))
    }
}

fn check_length(text: &str, max: usize) -> Result<(), String> {
    let count = text.chars().count();
    if count > max {
        return Err(format!("has {count} characters; at most {max} are taken"));
    }
    Ok(())
}

/// Control characters other than tab and line ends.
pub(crate) fn is_unfit(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t' | '\r')
}

/// Anything that ends a line or reorders how it is shown.
pub(crate) fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

struct Checked<T> {
    check: fn(&str) -> Result<T, String>,
    expected: &'static str,
}

impl<T> Visitor<'_> for Checked<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.check)(text).map_err(E::custom)
    }
}

struct Range {
    min: u32,
    max: u32,
}

impl Visitor<'_> for Range {
    type Value = u32;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a whole number from {} to {}", self.min, self.max)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u32, E> {
        u32::try_from(number)
            .ok()
            .filter(|number| (self.min..=self.max).contains(number))
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u32, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Line<MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Checked {
            check: Self::check,
            expected: "one line of text",
        })
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Checked {
            check: Self::check,
            expected: "text",
        })
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Checked {
            check: Self::check,
            expected: "an id",
        })
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_u32(Range { min: MIN, max: MAX })
            .map(Whole)
    }
}

impl<'de, const DEFAULT: u32, const MAX: u32> Deserialize<'de> for Limit<DEFAULT, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_u32(Range { min: 1, max: MAX }).map(Limit)
    }
}

impl<const MIN: u32, const MAX: u32> Whole<MIN, MAX> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const DEFAULT: u32, const MAX: u32> Limit<DEFAULT, MAX> {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const DEFAULT: u32, const MAX: u32> Default for Limit<DEFAULT, MAX> {
    fn default() -> Self {
        Limit(DEFAULT)
    }
}

macro_rules! text_newtype {
    ($([$($generics:tt)*] $name:ty, $schema_name:expr, $schema:expr;)*) => {$(
        impl<$($generics)*> Deref for $name {
            type Target = str;
            fn deref(&self) -> &str { &self.0 }
        }
        impl<$($generics)*> fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result { out.write_str(&self.0) }
        }
        impl<$($generics)*> From<$name> for String {
            fn from(value: $name) -> String { value.0 }
        }
        impl<$($generics)*> TryFrom<&str> for $name {
            type Error = String;
            fn try_from(text: &str) -> Result<Self, String> { Self::check(text) }
        }
        impl<$($generics)*> JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { $schema_name.into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema { $schema }
        }
    )*};
}

text_newtype! {
    [const MAX: usize] Line<MAX>, format!("Line{MAX}"), json_schema!({"type": "string", "maxLength": MAX});
    [const MAX: usize] Text<MAX>, format!("Text{MAX}"), json_schema!({"type": "string", "maxLength": MAX});
    [] Id, "Id", json_schema!({"type": "string"});
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Whole<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Whole{MIN}to{MAX}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

impl<const DEFAULT: u32, const MAX: u32> JsonSchema for Limit<DEFAULT, MAX> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Limit{DEFAULT}to{MAX}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": MAX, "default": DEFAULT})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn refusal<T: serde::de::DeserializeOwned + fmt::Debug>(value: serde_json::Value) -> String {
        from_value::<T>(value).unwrap_err().to_string()
    }

    #[test]
    fn a_line_is_trimmed_and_kept_to_one_line() {
        assert_eq!(&*from_value::<Line<5>>(json!(" ñandú ")).unwrap(), "ñandú");
        for (wrong, word) in [
            ("", "empty"),
            (" \n ", "empty"),
            ("a\nb", "U+000A"),
            ("a\u{1b}[31mb", "U+001B"),
            ("a\u{202e}b", "U+202E"),
            ("sechs6", "6 characters; at most 5"),
        ] {
            assert!(refusal::<Line<5>>(json!(wrong)).contains(word), "{wrong:?}");
        }
        assert!(refusal::<Line<5>>(json!(7)).contains("expected one line of text"));
    }

    #[test]
    fn text_keeps_its_lines_and_refuses_the_rest() {
        assert_eq!(
            &*from_value::<Text<9>>(json!("a\r\n\tb\n")).unwrap(),
            "a\r\n\tb\n"
        );
        assert_eq!(&*from_value::<Text<9>>(json!("")).unwrap(), "");
        assert!(refusal::<Text<9>>(json!("a\u{0}")).contains("U+0000"));
        assert!(refusal::<Text<2>>(json!("abc")).contains("3 characters"));
    }

    #[test]
    fn an_id_has_no_room_for_tricks() {
        assert_eq!(
            &*from_value::<Id>(json!("t_01j-x.3:1")).unwrap(),
            "t_01j-x.3:1"
        );
        for wrong in ["", "a b", "../x", "a\n", "x".repeat(129).as_str()] {
            assert!(
                refusal::<Id>(json!(wrong)).contains("not an id"),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(from_value::<Whole<0, 10>>(json!(0)).unwrap().get(), 0);
        assert_eq!(from_value::<Limit<20, 100>>(json!(100)).unwrap().get(), 100);
        assert_eq!(Limit::<20, 100>::default().get(), 20);
        for wrong in [
            json!(11),
            json!(-1),
            json!(u64::MAX),
            json!(1.5),
            json!("3"),
        ] {
            let said = refusal::<Whole<0, 10>>(wrong.clone());
            assert!(
                said.contains("a whole number from 0 to 10"),
                "{wrong}: {said}"
            );
        }
        assert!(refusal::<Limit<20, 100>>(json!(0)).contains("from 1 to 100"));
    }
}
