//! The live view, on a terminal.

use std::{thread::sleep, time::Duration};

use vt100::Color;

use crate::terminal::Terminal;

const USUAL: (u16, u16) = (80, 24);

/// What the first line says the time is.
fn clock(terminal: &Terminal) -> String {
    terminal.text().lines().next().unwrap_or_default().chars().take("Mon 02 Mar 00:00:00".len()).collect()
}

pub(crate) fn the_world_is_shown_and_played_with() {
    let terminal = Terminal::sandbox("played", &[], USUAL, &[]);
    terminal.wait_for(&["members", "cloud", "idc-crowded", "idc-roomy", "over time", "slots", "q quit"]);
    terminal.wait_for(&["Active", "FedHPA/web", "web-hours/", "12..60"]);
    // Nothing else happens meanwhile that would take the lines away.
    terminal.press("p");
    terminal.wait_for(&["  paused  "]);
    terminal.press("+");
    terminal.wait_for(&["demand is 125 % of the trace", "(125 %)"]);
    terminal.press("-");
    terminal.wait_for(&["demand is 100 % of the trace"]);
    terminal.wait_for(&["▸ cloud"]);
    terminal.press("\u{1b}[B");
    terminal.wait_for(&["▸ idc-crowded"]);
    terminal.press("d");
    terminal.wait_for(&["idc-crowded: small-01 is cordoned"]);
    terminal.press("u");
    terminal.wait_for(&["idc-crowded: pods may go onto small-01 again"]);
    terminal.press("l");
    terminal.wait_for(&["idc-crowded cannot be reached", " lost "]);
    terminal.press("l");
    terminal.wait_for(&["idc-crowded can be reached again"]);
    terminal.press("p");
    terminal.wait_for(&["  120x  "]);
    terminal.press("f");
    terminal.wait_for(&["  240x  "]);
    terminal.press("ss");
    terminal.wait_for(&["  60x  "]);
}

pub(crate) fn a_pause_stops_the_clock_until_it_ends() {
    let terminal = Terminal::sandbox("paused", &[], USUAL, &[]);
    terminal.wait_for(&["FedHPA/web"]);
    terminal.press(" ");
    terminal.wait_for(&["  paused  "]);
    let before = clock(&terminal);
    sleep(Duration::from_millis(500));
    assert_eq!(clock(&terminal), before);
    // It is drawn on, and what is done is done.
    terminal.press("+");
    terminal.wait_for(&["(125 %)"]);
    assert_eq!(clock(&terminal), before);
    terminal.press(" ");
    terminal.wait_for(&["  120x  "]);
    while clock(&terminal) == before {
        sleep(Duration::from_millis(20));
    }
}

pub(crate) fn it_follows_the_size_of_the_terminal() {
    let terminal = Terminal::sandbox("sized", &[], USUAL, &[]);
    let narrow = terminal.wait_for(&["Active"]);
    assert!(!narrow.contains('▪'), "{narrow}");
    terminal.resize(200, 50);
    terminal.wait_for(&["▪▪▪", "fs speed"]);
    terminal.resize(40, 10);
    terminal.wait_for(&["60x18 is needed"]);
    terminal.resize(100, 30);
    terminal.wait_for(&["members", "q quit"]);
}

pub(crate) fn no_color_means_none() {
    let painted = |terminal: &Terminal| {
        terminal.wait_for(&["Active"]);
        terminal.look(|screen| {
            let cells = (0..24).flat_map(|row| (0..80).map(move |column| (row, column)));
            let cells = cells.filter_map(|(row, column)| screen.cell(row, column));
            cells.filter(|cell| cell.fgcolor() != Color::Default || cell.bgcolor() != Color::Default).count()
        })
    };
    assert_eq!(painted(&Terminal::sandbox("plain", &[], USUAL, &[("NO_COLOR", "1")])), 0);
    assert!(painted(&Terminal::sandbox("painted", &[], USUAL, &[])) > 100);
}

pub(crate) fn a_run_to_an_end_says_how_far_it_is() {
    let words = ["--for", "2h", "--speed", "600"];
    let mut terminal = Terminal::sandbox("bounded", &words, USUAL, &[]);
    terminal.wait_for(&["  600x  ", " % ", "to go ━"]);
    assert!(terminal.end().success());
    terminal.wait_for(&["violations           0 in"]);
}
