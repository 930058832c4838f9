//! Places within an object, rendered only where somebody is told of them.

use std::fmt;

/// A place, as a chain back to the top.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'a> {
    /// The object itself.
    Top,
    /// A field of what is at another place.
    Field(&'a Path<'a>, &'a str),
    /// An item of the list at another place.
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    /// As `spec.rules[0].name`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => Ok(()),
            Self::Field(Self::Top, name) => out.write_str(name),
            Self::Field(parent, name) => write!(out, "{parent}.{name}"),
            Self::Item(parent, index) => write!(out, "{parent}[{index}]"),
        }
    }
}
