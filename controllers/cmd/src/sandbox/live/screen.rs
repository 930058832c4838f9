//! The terminal while the live view has it.
//!
//! Responsible for taking it and for giving it back as it was, also after a panic. Knows nothing of what is drawn.

use ratatui::{DefaultTerminal, Frame, layout::Size};

use crate::Refusal;

/// With less than this the live view has no place for what it says.
pub(super) const LEAST: Size = Size { width: 60, height: 18 };

/// Refuses a terminal that is too small to begin with.
pub(in crate::sandbox) fn check() -> Result<(), Refusal> {
    let (width, height) = ratatui::crossterm::terminal::size().map_err(Refusal::new)?;
    if width >= LEAST.width && height >= LEAST.height {
        return Ok(());
    }
    Err(Refusal::new(format!(
        "the terminal is {width}x{height} and the live view needs {}x{}: enlarge it, or give --plain",
        LEAST.width, LEAST.height
    )))
}

/// The terminal, taken. It is given back when this is dropped, and by a panic before its message is printed.
pub struct Screen(DefaultTerminal);

impl Screen {
    /// Takes it: another screen, no cursor, keys as they are pressed.
    pub fn take() -> Result<Self, Refusal> {
        let terminal = ratatui::try_init();
        terminal.map(Self).map_err(|error| {
            ratatui::restore();
            Refusal::new(format!("the terminal cannot be drawn on: {error}: give --plain"))
        })
    }

    /// Draws anew, at the size that the terminal has by now.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> Result<(), Refusal> {
        let drawn = self.0.draw(picture);
        drawn.map(|_| ()).map_err(|error| Refusal::new(format!("the terminal is gone: {error}")))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
