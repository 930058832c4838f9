//! The members, a row each.

use fedscaler_crds::fedhpa::ClusterPhase;
use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    style::{Color, Style},
    text::{Line as Text, Span},
    widgets::{HighlightSpacing, Row, Table, TableState},
};

use super::{Palette, STRONG, part};
use crate::sandbox::live::scene::{Cluster, Scene, State};

/// A terminal of this width has place for a bar of the fragmentation.
const WIDE: u16 = 110;

/// How long such a bar is.
const FRAGMENTATION_BAR: u16 = 10;

const NAME: u16 = 16;
const STATE: u16 = 10;
const COUNT: u16 = 8;
const BOUNDS: u16 = 8;
const ROOM: u16 = 4;
const FRAGMENTATION: u16 = 5;

/// Columns, the gaps between them, and the sign of the selected one.
const NARROW_COLUMNS: u16 = NAME + STATE + COUNT + BOUNDS + ROOM + FRAGMENTATION + 6 + 2;

/// A bar's parts, in the order in which they follow each other.
const LEGEND: [(&str, &str); 5] =
    [("█", "up to min"), ("▓", "current"), ("░", "desired"), ("─", "max"), ("·", "room")];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let extra = if area.width >= WIDE { FRAGMENTATION_BAR + 1 } else { 0 };
    let bar = area.width.saturating_sub(NARROW_COLUMNS + extra);
    let longest = scene.clusters.iter().map(extent).max().unwrap_or(1).max(1);
    let rows = scene.clusters.iter().map(|cluster| row(cluster, (bar, longest), extra > 0, palette));
    let widths = [NAME, STATE, bar, COUNT, BOUNDS, ROOM, FRAGMENTATION + extra].map(Constraint::Length);
    let header = Row::new(["MEMBER", "STATE", "", "REPLICAS", "MIN..MAX", "ROOM", "FRAG"]);
    let table = Table::new(rows, widths)
        .header(header.style(palette.faint()))
        .block(part(legend(palette), palette))
        .highlight_spacing(HighlightSpacing::Always)
        .highlight_symbol("▸ ")
        .row_highlight_style(STRONG);
    let mut state = TableState::new().with_selected(scene.selected);
    frame.render_stateful_widget(table, area, &mut state);
}

fn legend(palette: Palette) -> Text<'static> {
    let styles = styles(palette);
    let mut spans = vec![Span::raw(" members  ")];
    for ((sign, meaning), style) in LEGEND.into_iter().zip(styles) {
        spans.push(Span::styled(sign, style));
        spans.push(Span::raw(format!(" {meaning}  ")));
    }
    Text::from(spans)
}

fn styles(palette: Palette) -> [Style; 5] {
    [Color::Blue, Color::Green, Color::Yellow, Color::Gray, Color::DarkGray]
        .map(|colour| palette.paint(colour))
}

/// How far a member's bar reaches, in replicas.
fn extent(cluster: &Cluster) -> u32 {
    let ends = [cluster.max, cluster.desired, cluster.room];
    ends.into_iter().flatten().chain([cluster.current]).max().unwrap_or(0)
}

fn row(cluster: &Cluster, (bar, longest): (u16, u32), has_bar: bool, palette: Palette) -> Row<'static> {
    let replicas = match cluster.desired {
        Some(desired) if desired != cluster.current => format!("{} → {desired}", cluster.current),
        Some(_) | None => cluster.current.to_string(),
    };
    let bounds = match (cluster.min, cluster.max) {
        (Some(min), Some(max)) => format!("{min}..{max}"),
        _ => "-".to_owned(),
    };
    let number = |count: Option<u32>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let fragmentation =
        cluster.fragmentation.map_or_else(|| "-".to_owned(), |percent| format!("{percent} %"));
    let mut fragmented = vec![Span::raw(format!("{fragmentation:<5} "))];
    if has_bar {
        let filled = cells(cluster.fragmentation.unwrap_or(0), 100, FRAGMENTATION_BAR).into();
        fragmented.push(Span::styled("▪".repeat(filled), palette.paint(Color::Magenta)));
        fragmented.push(Span::styled("·".repeat(usize::from(FRAGMENTATION_BAR) - filled), palette.faint()));
    }
    Row::new(vec![
        Text::raw(cluster.name.clone()),
        Text::from(state(cluster, palette)),
        bar_of(cluster, (bar, longest), palette),
        Text::raw(replicas),
        Text::raw(bounds),
        Text::raw(number(cluster.room)),
        Text::from(fragmented),
    ])
}

/// The most urgent thing in a word.
fn state(cluster: &Cluster, palette: Palette) -> Span<'static> {
    let (word, colour) = match cluster.state {
        State::Lost => ("lost".to_owned(), Color::Red),
        _ if cluster.pending > 0 => (format!("{} Pending", cluster.pending), Color::Yellow),
        State::Saturated => ("at its max".to_owned(), Color::Yellow),
        State::Phase(phase @ (ClusterPhase::Frozen | ClusterPhase::Evicting)) => {
            (format!("{phase:?}"), Color::Red)
        }
        State::Phase(phase) => (format!("{phase:?}"), Color::Reset),
        State::Alone => ("-".to_owned(), Color::Reset),
    };
    Span::styled(word, palette.paint(colour))
}

/// Each cell shows the first part that reaches it.
fn bar_of(cluster: &Cluster, (width, longest): (u16, u32), palette: Palette) -> Text<'static> {
    let held = cluster.min.unwrap_or(0).min(cluster.current);
    let ends = [
        held,
        cluster.current,
        cluster.desired.unwrap_or(0).max(cluster.min.unwrap_or(0)),
        cluster.max.unwrap_or(0),
        cluster.room.unwrap_or(0),
    ];
    let mut spans = Vec::new();
    let mut from = 0;
    for ((end, (sign, _)), style) in ends.into_iter().zip(LEGEND).zip(styles(palette)) {
        let to = cells(end, longest, width).max(from);
        spans.push(Span::styled(sign.repeat(usize::from(to - from)), style));
        from = to;
    }
    Text::from(spans)
}

/// How many cells of `width` a count takes where `longest` takes all of them; a count above 0 takes at least one.
fn cells(count: u32, longest: u32, width: u16) -> u16 {
    let exact = u64::from(count) * u64::from(width);
    let rounded = (exact + u64::from(longest) / 2) / u64::from(longest.max(1));
    let least = u64::from(count > 0);
    u16::try_from(rounded.max(least)).unwrap_or(width).min(width)
}
