//! Text on a page: sections, paragraphs and tables.
//!
//! Responsible for lines that fit, and for colours. Knows nothing of what they say.

use anstyle::{AnsiColor, Style};

use crate::terminal;

pub(super) const INDENT: &str = "  ";

/// Between two columns.
pub(super) const GAP: &str = "  ";

/// Titles.
const TITLE: Style = Style::new().bold();

/// What names columns, or matters little.
pub(super) const FAINT: Style = Style::new().dimmed();

/// What is as it should be.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();

/// What one should know.
pub(super) const CAUTION: Style = AnsiColor::Yellow.on_default();

/// What one should look at.
pub(super) const BAD: Style = AnsiColor::Red.on_default();

/// What a page is written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Columns of a line.
    pub width: usize,
    /// Whether colours are wanted.
    pub has_colours: bool,
}

impl Paper {
    /// For files and pipes.
    pub const PLAIN: Self = Self { width: 100, has_colours: false };

    /// For where the answers of this process go: a terminal's width within reason, or [`Self::PLAIN`].
    pub fn of_stdout() -> Self {
        terminal::columns().map_or(Self::PLAIN, |columns| Self {
            width: usize::from(columns).clamp(60, 140),
            has_colours: terminal::has_colours(),
        })
    }
}

/// The text so far.
pub(super) struct Page {
    text: String,
    paper: Paper,
}

impl Page {
    /// An empty one.
    pub(super) fn on(paper: Paper) -> Self {
        Self { text: String::new(), paper }
    }

    /// All of it, ending in a line break.
    pub(super) fn text(self) -> String {
        self.text
    }

    /// Columns of a line.
    pub(super) fn width(&self) -> usize {
        self.paper.width
    }

    /// A line as it is.
    pub(super) fn line(&mut self, line: &str) {
        self.painted(Style::new(), line);
    }

    /// A line in a style.
    pub(super) fn painted(&mut self, style: Style, line: &str) {
        self.text.push_str(&self.paint(style, line.trim_end()));
        self.text.push('\n');
    }

    fn paint(&self, style: Style, text: &str) -> String {
        let is_plain = !self.paper.has_colours || text.is_empty();
        if is_plain { text.to_owned() } else { format!("{style}{text}{style:#}") }
    }

    /// The line above everything.
    pub(super) fn heading(&mut self, line: &str) {
        self.painted(TITLE, line);
    }

    pub(super) fn section(&mut self, title: &str, paragraphs: &[String]) {
        self.line("");
        self.painted(TITLE, title);
        for paragraph in paragraphs {
            self.paragraph(INDENT, paragraph);
        }
    }

    /// Lines that begin with `indent`, and further in where one paragraph takes several.
    pub(super) fn paragraph(&mut self, indent: &str, text: &str) {
        self.led_paragraph(indent, ("", Style::new()), text);
    }

    /// A paragraph that begins with words in a style.
    pub(super) fn led_paragraph(&mut self, indent: &str, (lead, style): (&str, Style), text: &str) {
        let further = format!("{indent}{INDENT}");
        let options = textwrap::Options::new(self.paper.width)
            .initial_indent(indent)
            .subsequent_indent(&further)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let words: Vec<&str> = lead.split_whitespace().chain(text.split_whitespace()).collect();
        let beginning = format!("{indent}{lead}");
        for line in textwrap::wrap(&words.join(" "), options) {
            match line.strip_prefix(beginning.as_str()).filter(|_| !lead.is_empty()) {
                Some(rest) => {
                    let lead = self.paint(style, lead);
                    self.line(&format!("{indent}{lead}{rest}"));
                }
                None => self.line(&line),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: Paper = Paper { width: 20, has_colours: true };

    #[test]
    fn a_paragraph_goes_on_further_in_and_only_its_lead_is_painted() {
        let mut page = Page::on(PAPER);
        page.led_paragraph(INDENT, ("Ready True", GOOD), "because all is well");
        let painted = format!("  {GOOD}Ready True{GOOD:#} because\n    all is well\n");
        assert_eq!(page.text(), painted);
    }

    #[test]
    fn a_page_without_colours_has_no_trace_of_them() {
        let mut page = Page::on(Paper { has_colours: false, ..PAPER });
        page.heading("heading");
        page.section("title", &["a-word-that-is-longer-than-its-line".to_owned()]);
        page.painted(BAD, "");
        assert_eq!(page.text(), "heading\n\ntitle\n  a-word-that-is-longer-than-its-line\n\n");
    }
}
