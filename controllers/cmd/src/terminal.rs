//! The terminal of this process, if it has one.
//!
//! Responsible for what it can show. Shows nothing.

use std::{
    env,
    io::{self, IsTerminal as _},
};

/// Whether somebody sits in front of it who sees pictures and presses keys.
pub(crate) fn is_interactive() -> bool {
    !is_dumb() && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The columns that an answer has. None if it goes elsewhere.
pub(crate) fn columns() -> Option<u16> {
    let columns = || ratatui::crossterm::terminal::size().ok().map(|(columns, _)| columns);
    io::stdout().is_terminal().then(columns).flatten()
}

/// Whether it may show colours: not if it cannot, and not if `NO_COLOR` (<https://no-color.org>) says something.
pub(crate) fn has_colours() -> bool {
    let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_unwanted && !is_dumb() && io::stdout().is_terminal()
}

fn is_dumb() -> bool {
    env::var_os("TERM").is_none_or(|term| term == "dumb")
}
