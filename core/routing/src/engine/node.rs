//! A JSON value that keeps what is said twice.
//! For: looking at a client's body by its members, as whoever is not strict would read them. Not for: values of ours.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::gateway::Unfit;

/// A JSON value, with what is said twice.
pub(super) enum Node<'b> {
    Null,
    True,
    /// Never less than nothing: that is no count of anything.
    Number(f64),
    Text(Cow<'b, str>),
    List(Vec<Node<'b>>),
    Map(Vec<(Cow<'b, str>, Node<'b>)>),
    /// What says nothing here.
    Other,
}

impl<'b> Node<'b> {
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &Node<'b>> {
        let members = match self {
            Node::Map(members) => members.as_slice(),
            _ => &[],
        };
        let named = members.iter().filter(move |(name, _)| name == key);
        named.map(|(_, value)| value)
    }

    pub(super) fn last(&self, key: &str) -> Option<&Node<'b>> {
        self.all(key).last()
    }

    /// A member that is there, once, and not null.
    pub(super) fn only(&self, key: &str) -> Result<Option<&Node<'b>>, Unfit> {
        let mut all = self.all(key);
        let first = all.next();
        match all.next() {
            None => Ok(first.filter(|value| !matches!(value, Node::Null))),
            Some(_) => Err(Unfit::Wrong {
                at: key.to_owned(),
                problem: "is there twice".to_owned(),
            }),
        }
    }

    pub(super) fn list(&self) -> &[Node<'b>] {
        match self {
            Node::List(values) => values,
            _ => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Servers that are not strict take these for yes too.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Node::True => true,
            Node::Number(number) => *number == 1.0,
            Node::Text(text) => matches!(text.as_ref(), "true" | "True" | "1"),
            _ => false,
        }
    }

    /// A count, as whoever is not strict would read it, rounded up.
    pub(super) fn count(&self) -> Option<u64> {
        let number = match self {
            Node::Number(number) => *number,
            Node::Text(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        // What is beyond the range ends there.
        (number >= 0.0).then_some(number.ceil() as u64)
    }
}

struct Look;

impl<'b> Visitor<'b> for Look {
    type Value = Node<'b>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'b>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Node<'b>, E> {
        Ok(if is { Node::True } else { Node::Other })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'b>, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node<'b>, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node<'b>, E> {
        Ok(Node::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'b str) -> Result<Node<'b>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'b>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut values: A) -> Result<Node<'b>, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'b>>(self, mut members: A) -> Result<Node<'b>, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = members.next_key::<Key<'b>>()? {
            map.push((key.0, members.next_value()?));
        }
        Ok(Node::Map(map))
    }
}

impl<'b> Deserialize<'b> for Node<'b> {
    fn deserialize<D: Deserializer<'b>>(from: D) -> Result<Node<'b>, D::Error> {
        from.deserialize_any(Look)
    }
}

/// A member's name, borrowed where nothing in it is escaped.
struct Key<'b>(Cow<'b, str>);

impl<'b> Deserialize<'b> for Key<'b> {
    fn deserialize<D: Deserializer<'b>>(from: D) -> Result<Key<'b>, D::Error> {
        match from.deserialize_str(Look)? {
            Node::Text(text) => Ok(Key(text)),
            _ => Err(serde::de::Error::custom("a name that is no text")),
        }
    }
}
