//! Manifests as trees whose every node knows its line.
//!
//! Responsible for saying where in a file something is missing or of another form than it has to be. Knows no kind.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

/// A value and the line on which it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Map(BTreeMap<String, Node>),
    List(Vec<Node>),
    Text(String),
    Whole(i64),
    Flag(bool),
    Nothing,
    /// A number that no field here can have.
    Fraction,
}

/// What is wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) line: u64,
    pub(super) words: String,
}

/// A value and its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) line: u64,
    pub(super) value: T,
}

impl Node {
    /// A flaw at this node.
    pub(super) fn flaw(&self, words: impl fmt::Display) -> Flaw {
        Flaw { line: self.line, words: words.to_string() }
    }

    /// A field that is there; one that is null is not.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Content::Map(fields) = &self.content else { return None };
        fields.get(name).filter(|node| !matches!(node.content, Content::Nothing))
    }

    /// A field that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<&Self, Flaw> {
        self.field(name).ok_or_else(|| self.flaw(format!("{name} is missing")))
    }

    /// The names of the fields, with their values.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Self)> {
        let fields = if let Content::Map(fields) = &self.content { Some(fields) } else { None };
        fields.into_iter().flatten().map(|(name, node)| (name.as_str(), node))
    }

    /// The text in a field.
    pub(super) fn text(&self, name: &str) -> Result<Option<At<&str>>, Flaw> {
        self.read(name, "a text (put it in quotes)", |content| match content {
            Content::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The text in a field that has to be there.
    pub(super) fn required_text(&self, name: &str) -> Result<At<&str>, Flaw> {
        self.required(name)?;
        self.text(name)?.ok_or_else(|| self.flaw(format!("{name} is missing")))
    }

    /// The number of replicas in a field.
    pub(super) fn replicas(&self, name: &str) -> Result<Option<At<i32>>, Flaw> {
        self.read(name, "a whole number from 0 to 2147483647", |content| match content {
            Content::Whole(number) => i32::try_from(*number).ok().filter(|number| *number >= 0),
            _ => None,
        })
    }

    /// Whether a field says true.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Flaw> {
        let flag = self.read(name, "true or false", |content| match content {
            Content::Flag(flag) => Some(*flag),
            _ => None,
        });
        Ok(flag?.is_some_and(|flag| flag.value))
    }

    /// The items of a field; none if it is absent.
    pub(super) fn list(&self, name: &str) -> Result<&[Self], Flaw> {
        let list = self.read(name, "a list", |content| match content {
            Content::List(items) => Some(items.as_slice()),
            _ => None,
        });
        Ok(list?.map_or(&[], |items| items.value))
    }

    /// The texts by name in a field; none if it is absent.
    pub(super) fn texts(&self, name: &str) -> Result<BTreeMap<String, String>, Flaw> {
        let Some(map) = self.field(name) else { return Ok(BTreeMap::new()) };
        let text = |key: &str| Ok((key.to_owned(), map.required_text(key)?.value.to_owned()));
        map.fields().map(|(key, _)| text(key)).collect()
    }

    /// The text that this node is.
    pub(super) fn as_text(&self) -> Result<&str, Flaw> {
        match &self.content {
            Content::Text(text) => Ok(text),
            _ => Err(self.flaw("a text is expected here (put it in quotes)")),
        }
    }

    fn read<'a, T>(
        &'a self,
        name: &str,
        form: &str,
        of: impl Fn(&'a Content) -> Option<T>,
    ) -> Result<Option<At<T>>, Flaw> {
        let Some(node) = self.field(name) else { return Ok(None) };
        let value = of(&node.content).ok_or_else(|| node.flaw(format!("{name} has to be {form}")))?;
        Ok(Some(At { line: node.line, value }))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), content: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Content, E> {
        Ok(Content::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Content, E> {
        Ok(Content::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Content, E> {
        Ok(i64::try_from(number).map_or(Content::Fraction, Content::Whole))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Content, E> {
        Ok(Content::Fraction)
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Nothing)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((name, node)) = entries.next_entry()? {
            map.insert(name, node);
        }
        Ok(Content::Map(map))
    }
}
