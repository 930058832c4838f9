//! The picture of a scene, for a terminal of any size.
//!
//! Responsible for where things are, for bars, curves and colours. Knows nothing of where the scene comes from. Whatever a
//! colour says is also said by a sign or a word.

mod clusters;
mod curves;

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line as Text, Span},
    widgets::{Block, Borders, LineGauge, Paragraph},
};

use super::{
    keys::HELP,
    scene::{Progress, Scene, Slot, thousandth},
    screen::LEAST,
};
use crate::{
    sandbox::narrate::{Line, stamp},
    terminal,
};

/// What is above and below the members, the curves and what happened: title, hint and keys.
const FIXED_ROWS: u16 = 3;

/// A frame's title, and the header of the members' table.
const TABLE_ROWS: u16 = 2;

/// The curves' least height, with their title and their axes.
const CURVES_ROWS: u16 = 6;

/// The subject's place in a line of what happened.
const SUBJECT: usize = 20;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    /// The terminal's sixteen.
    Colours,
    /// None.
    Plain,
}

impl Palette {
    /// What the terminal may show.
    pub(super) fn of_terminal() -> Self {
        if terminal::has_colours() { Self::Colours } else { Self::Plain }
    }

    fn paint(self, colour: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }

    fn faint(self) -> Style {
        self.paint(Color::DarkGray)
    }
}

/// Not a colour.
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// Draws a scene.
pub(super) fn draw(frame: &mut Frame<'_>, scene: &Scene, palette: Palette) {
    let area = frame.area();
    if area.width < LEAST.width || area.height < LEAST.height {
        let words = format!("{}x{} is needed: enlarge the terminal, or q to quit", LEAST.width, LEAST.height);
        frame.render_widget(Paragraph::new(words), area);
        return;
    }
    let members = u16::try_from(scene.clusters.len()).unwrap_or(u16::MAX);
    let free = area.height - FIXED_ROWS - TABLE_ROWS - 2 * CURVES_ROWS;
    let clusters = TABLE_ROWS + members.min(free.max(1));
    let rest = area.height - FIXED_ROWS - clusters;
    let rows = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(clusters),
        Constraint::Length((rest / 2).max(CURVES_ROWS)),
        Constraint::Min(0),
        Constraint::Length(1),
    ];
    let [title, hint, members, middle, told, keys] = Layout::vertical(rows).areas(area);
    let aside = (area.width * 9 / 20).min(48);
    let [curves, slots] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(aside)]).spacing(1).areas(middle);
    frame.render_widget(Paragraph::new(title_of(scene, palette)), title);
    draw_hint(frame, hint, scene, palette);
    clusters::draw(frame, members, scene, palette);
    curves::draw(frame, curves, scene, palette);
    draw_slots(frame, slots, scene, palette);
    draw_told(frame, told, scene, palette);
    frame.render_widget(Paragraph::new(keys_of(palette, area.width)), keys);
}

/// A part of the screen with its name.
fn part<'a>(title: impl Into<Text<'a>>, palette: Palette) -> Block<'a> {
    Block::new().borders(Borders::TOP).border_style(palette.faint()).title(title)
}

fn title_of(scene: &Scene, palette: Palette) -> Text<'static> {
    let demand = thousandth(scene.demand_milli);
    let share = if scene.percent == 100 { String::new() } else { format!(" ({} %)", scene.percent) };
    let ready: u32 = scene.clusters.iter().map(|cluster| cluster.current).sum();
    let bound = |count: Option<i32>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let mut words = vec![
        Span::styled(stamp(scene.now), STRONG),
        Span::raw(format!("  {}  ", scene.speed)),
        Span::styled(format!("demand {demand:.1}{share}"), palette.paint(Color::Yellow)),
        Span::raw("  "),
        Span::styled(format!("ready {ready}"), palette.paint(Color::Green)),
    ];
    if let Some(totals) = scene.totals {
        words.push(Span::raw(format!(" of {}..{}", bound(totals.min), bound(totals.max))));
        if let Some(unplaced @ 1..) = totals.unplaced {
            words.push(Span::styled(format!("  {unplaced} unplaced"), palette.paint(Color::Red)));
        }
    }
    Text::from(words)
}

/// How far it is, or how to look at it with kubectl.
fn draw_hint(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let Some(progress) = scene.progress else {
        let words = format!("kubectl --kubeconfig {} get fedhpas,cronhpas", scene.kubeconfig.display());
        return frame.render_widget(Paragraph::new(Span::styled(words, palette.faint())), area);
    };
    let gauge = LineGauge::default()
        .ratio(progress.done.clamp(0.0, 1.0))
        .label(label_of(progress))
        .filled_symbol("━")
        .unfilled_symbol("─")
        .filled_style(palette.paint(Color::Green))
        .unfilled_style(palette.faint());
    frame.render_widget(gauge, area);
}

fn label_of(progress: Progress) -> String {
    let to_go = progress.to_go.map_or_else(String::new, |to_go| format!(", {} to go", span(to_go)));
    format!("{:.0} %{to_go}", (progress.done * 100.0).floor())
}

/// A length of time, as short as one wants to read it.
fn span(length: Duration) -> String {
    match length.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        seconds => format!("{}:{:02} h", seconds / 3600, seconds % 3600 / 60),
    }
}

fn draw_slots(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let line = |slot: &Slot| {
        let (when, style) = match slot.at {
            None => ("now".to_owned(), palette.paint(Color::Green)),
            Some(at) => (at.format("%a %H:%M").to_string(), Style::new()),
        };
        let words = format!("{when:<9} {:<6} {}", slot.sets, slot.rule);
        Text::from(Span::styled(words, style))
    };
    let block = part(" slots, in UTC ", palette);
    let lines: Vec<_> = scene.slots.iter().map(line).collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The last of what happened, as much as there is place for, the newest at the bottom.
fn draw_told(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let block = part(" what happens, and why ", palette);
    let inner = block.inner(area);
    let mut lines: Vec<Text<'static>> = Vec::new();
    for line in scene.told.iter().rev() {
        lines.extend(rows_of(line, usize::from(inner.width), palette).into_iter().rev());
        if lines.len() >= usize::from(inner.height) {
            break;
        }
    }
    lines.truncate(inner.height.into());
    lines.reverse();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// A line with its words wrapped behind its time and subject.
fn rows_of(line: &Line, width: usize, palette: Palette) -> Vec<Text<'static>> {
    let at = line.at.format("%a %H:%M:%S").to_string();
    let indent = at.chars().count() + SUBJECT + 3;
    let subject = shortened(&line.subject);
    let style = if line.is_alarm { palette.paint(Color::Red) } else { Style::new() };
    let wrapped = textwrap::wrap(&line.words, width.saturating_sub(indent).max(10));
    let mut rows: Vec<Text<'static>> = Vec::new();
    for words in &wrapped {
        let words = Span::styled(words.to_string(), style);
        rows.push(if rows.is_empty() {
            let subject = Span::styled(format!(" {subject:<SUBJECT$}  "), palette.paint(Color::Cyan));
            Text::from(vec![Span::styled(at.clone(), palette.faint()), subject, words])
        } else {
            Text::from(vec![Span::raw(" ".repeat(indent)), words])
        });
    }
    rows
}

/// A subject that has its place.
fn shortened(subject: &str) -> String {
    if subject.chars().count() <= SUBJECT {
        return subject.to_owned();
    }
    subject.chars().take(SUBJECT - 1).chain(['…']).collect()
}

/// As many keys as there is place for.
fn keys_of(palette: Palette, width: u16) -> Text<'static> {
    let mut spans = Vec::new();
    let mut used = 0;
    for (keys, purpose) in HELP {
        let purpose = format!(" {purpose}  ");
        used += keys.chars().count() + purpose.chars().count();
        if used > usize::from(width) {
            break;
        }
        spans.push(Span::styled(keys, STRONG));
        spans.push(Span::styled(purpose, palette.faint()));
    }
    Text::from(spans)
}

#[cfg(test)]
mod tests;
