//! Keys, and what is wished with them.
//!
//! Responsible for reading single keys on a thread of its own and for what each of them means. Does nothing of it.

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::sandbox::gateway::Bell;

/// What is wished with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum Wish {
    /// More demand.
    More,
    /// Less demand.
    Less,
    /// The next member.
    Next,
    /// The member before.
    Previous,
    /// Cut the way to the member, or open it again.
    Lose,
    /// Drain one more node of the member.
    Drain,
    /// Let pods onto all its nodes again.
    Uncordon,
    /// Stop the clock, or let it go on.
    Pause,
    /// Let it go faster.
    Faster,
    /// Let it go more slowly.
    Slower,
    /// The end.
    Quit,
}

/// What each key is for, as the last line of the screen says it.
pub(super) const HELP: [(&str, &str); 8] = [
    ("q", "quit"),
    ("+-", "demand"),
    ("↑↓", "member"),
    ("l", "lose"),
    ("d", "drain"),
    ("u", "uncordon"),
    ("p", "pause"),
    ("fs", "speed"),
];

/// The keys that are pressed from now on.
pub(super) struct Keys(UnboundedReceiver<Wish>);

impl Keys {
    /// Reads them on a thread that lasts as long as the process, and rings the bell at each.
    pub(super) fn listen(bell: Bell) -> Self {
        let (wishes, received) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            while let Ok(event) = event::read() {
                let Some(wish) = wish(&event) else { continue };
                if wishes.send(wish).is_err() {
                    return;
                }
                bell.ring();
            }
        });
        Self(received)
    }

    /// The next wish. Never, once nobody can press a key any more.
    pub(super) async fn next(&mut self) -> Wish {
        match self.0.recv().await {
            Some(wish) => wish,
            None => std::future::pending().await,
        }
    }
}

fn wish(event: &Event) -> Option<Wish> {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press | KeyEventKind::Repeat, .. }) =
        event
    else {
        return None;
    };
    if modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(code, KeyCode::Char('c' | 'd')).then_some(Wish::Quit);
    }
    Some(match code {
        KeyCode::Char('+' | '=') => Wish::More,
        KeyCode::Char('-' | '_') => Wish::Less,
        KeyCode::Down | KeyCode::Tab | KeyCode::Char('j') => Wish::Next,
        KeyCode::Up | KeyCode::BackTab | KeyCode::Char('k') => Wish::Previous,
        KeyCode::Char('l') => Wish::Lose,
        KeyCode::Char('d') => Wish::Drain,
        KeyCode::Char('u') => Wish::Uncordon,
        KeyCode::Char(' ' | 'p') => Wish::Pause,
        KeyCode::Char('f' | '>') => Wish::Faster,
        KeyCode::Char('s' | '<') => Wish::Slower,
        KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<Wish> {
        wish(&Event::Key(KeyEvent::new(code, modifiers)))
    }

    #[test]
    fn keys_mean_what_the_last_line_says() {
        let plain = |key: char| pressed(KeyCode::Char(key), KeyModifiers::NONE);
        assert_eq!(plain('+'), Some(Wish::More));
        assert_eq!(plain(' '), Some(Wish::Pause));
        assert_eq!(plain('d'), Some(Wish::Drain));
        assert_eq!(plain('x'), None);
        assert_eq!(pressed(KeyCode::Esc, KeyModifiers::NONE), Some(Wish::Quit));
        for key in HELP.iter().flat_map(|(keys, _)| keys.chars()).filter(char::is_ascii) {
            assert!(plain(key).is_some(), "{key} does nothing");
        }
    }

    #[test]
    fn ctrl_c_is_the_end_though_the_terminal_sends_no_signal() {
        assert_eq!(pressed(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Wish::Quit));
        assert_eq!(pressed(KeyCode::Char('l'), KeyModifiers::CONTROL), None);
    }
}
