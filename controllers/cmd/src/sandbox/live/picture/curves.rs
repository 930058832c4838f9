//! Demand and replicas over time.

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::{
    Frame,
    layout::Rect,
    style::Color,
    symbols::Marker,
    text::{Line as Text, Span},
    widgets::{Axis, Chart, Dataset, GraphType},
};

use super::{Palette, part};
use crate::sandbox::live::scene::{Point, Scene};

/// The time axis shows at least this.
const SHORTEST: TimeDelta = TimeDelta::hours(1);

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let first = scene.curve.front().map_or(scene.now, |point| point.at);
    let from = first.min(scene.now - SHORTEST);
    let seconds = |at: DateTime<Utc>| f64::from(i32::try_from((at - from).num_seconds()).unwrap_or(i32::MAX));
    let curve = |value: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        scene.curve.iter().map(|point| (seconds(point.at), value(point))).collect()
    };
    let (demand, ready) = (curve(|point| point.demand), curve(|point| point.ready));
    let highest = demand.iter().chain(&ready).map(|(_, value)| *value).fold(1.0, f64::max);
    let top = (highest * 1.05).ceil();
    // One of dots and one of lines, to be told apart without colours.
    let (yellow, green) = (palette.paint(Color::Yellow), palette.paint(Color::Green));
    let datasets = vec![
        Dataset::default().data(&ready).graph_type(GraphType::Line).marker(Marker::Braille).style(green),
        Dataset::default().data(&demand).graph_type(GraphType::Line).marker(Marker::Dot).style(yellow),
    ];
    let clock = |at: DateTime<Utc>| at.format("%H:%M").to_string();
    let middle = from + (scene.now - from) / 2;
    let times = Axis::default().style(palette.faint()).bounds([0.0, seconds(scene.now).max(1.0)]).labels([
        clock(from),
        clock(middle),
        clock(scene.now),
    ]);
    let counts = Axis::default().style(palette.faint()).bounds([0.0, top]).labels([
        "0".to_owned(),
        format!("{:.0}", top / 2.0),
        format!("{top:.0}"),
    ]);
    let title = Text::from(vec![
        Span::raw(" over time  "),
        Span::styled("•", yellow),
        Span::raw(" demand  "),
        Span::styled("⣀", green),
        Span::raw(" ready "),
    ]);
    let chart =
        Chart::new(datasets).block(part(title, palette)).x_axis(times).y_axis(counts).legend_position(None);
    frame.render_widget(chart, area);
}
