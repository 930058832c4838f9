//! Pictures as they are on a terminal, without and with colours.

use chrono::{TimeDelta, TimeZone as _};
use fedscaler_crds::fedhpa::ClusterPhase;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

use super::*;
use crate::sandbox::live::scene::{Cluster, Point, State, Totals};

fn scene() -> Scene {
    let now = chrono::Utc.with_ymd_and_hms(2026, 3, 2, 6, 31, 10).single().unwrap();
    let mut scene = Scene::new(now, "/try/sandbox.kubeconfig".into());
    scene.speed = "120x".to_owned();
    scene.demand_milli = 31_400;
    scene.totals = Some(Totals { min: Some(12), max: Some(60), unplaced: Some(14) });
    scene.clusters = vec![
        Cluster {
            name: "cloud".to_owned(),
            state: State::Phase(ClusterPhase::Active),
            min: Some(1),
            max: Some(11),
            current: 3,
            desired: Some(5),
            pending: 0,
            room: Some(11),
            fragmentation: Some(86),
        },
        Cluster {
            name: "idc-crowded".to_owned(),
            state: State::Saturated,
            min: Some(3),
            max: Some(9),
            current: 9,
            desired: Some(9),
            pending: 2,
            room: Some(11),
            fragmentation: Some(61),
        },
        Cluster { name: "idc-roomy".to_owned(), state: State::Lost, current: 8, ..Cluster::default() },
    ];
    let minute = |minute: i32| Point {
        at: now - TimeDelta::minutes(i64::from(180 - minute)),
        demand: 10.0 + f64::from(minute) / 8.0,
        ready: f64::from(10 + minute / 20 * 2),
    };
    scene.curve = (0..=180).map(minute).collect();
    scene.slots = vec![
        Slot { at: None, rule: "web-hours/night".to_owned(), sets: "6..40".to_owned() },
        Slot {
            at: Some(now + TimeDelta::hours(5)),
            rule: "web-hours/morning".to_owned(),
            sets: "12..60".to_owned(),
        },
    ];
    let line = |subject: &str, words: &str, is_alarm| Line {
        at: now,
        subject: subject.to_owned(),
        words: words.to_owned(),
        is_alarm,
    };
    scene.told = [
        line(
            "FedHPA/web",
            "Rebalanced: Drift: cloud 1..11 to 1..14, idc-roomy 8..24 to 8..21, because demand has moved",
            false,
        ),
        line("FedHPA/web", "CapacityLimited: 14 of the max fit nowhere", true),
    ]
    .into();
    scene
}

fn drawn(scene: &Scene, width: u16, height: u16, palette: Palette) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, scene, palette)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let rows = buffer.content.chunks(usize::from(buffer.area.width));
    let row = |row: &[ratatui::buffer::Cell]| {
        row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    rows.map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_picture_of_80_columns() {
    insta::assert_snapshot!(text(&drawn(&scene(), 80, 24, Palette::Plain)), @r"
    Mon 02 Mar 06:31:10  120x  demand 31.4  ready 20 of 12..60  14 unplaced
    kubectl --kubeconfig /try/sandbox.kubeconfig get fedhpas,cronhpas
     members  █ up to min  ▓ current  ░ desired  ─ max  · room  ────────────────────
      MEMBER           STATE                            REPLICAS MIN..MAX ROOM FRAG
    ▸ cloud            Active     ██▓▓▓▓░░░░─────────── 3 → 5    1..11    11   86 %
      idc-crowded      2 Pending  ██████▓▓▓▓▓▓▓▓▓▓▓···· 9        3..9     11   61 %
      idc-roomy        lost       ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓       8        -        -    -
     over time  • demand  ⣀ ready ─────────────  slots, in UTC ─────────────────────
    35  │                                  •••• now       6..40  web-hours/night
        │                    •••••••••••••••⠒⠒⠚ Mon 11:31 12..60 web-hours/morning
    18  │     ••••••••••••••••⠉⠉⠉⠉⠁
        │••••••⠉⠉⠁
    0   │
        └──────────────────────────────────────
    03:31                05:01            06:31
     what happens, and why ─────────────────────────────────────────────────────────
    Mon 06:31:10 FedHPA/web            Rebalanced: Drift: cloud 1..11 to 1..14, idc-
                                       roomy 8..24 to 8..21, because demand has
                                       moved
    Mon 06:31:10 FedHPA/web            CapacityLimited: 14 of the max fit nowhere



    q quit  +- demand  ↑↓ member  l lose  d drain  u uncordon  p pause  fs speed
    ");
}

#[test]
fn a_picture_of_200_columns_shows_more_of_everything() {
    insta::assert_snapshot!(text(&drawn(&scene(), 200, 30, Palette::Plain)), @r"
    Mon 02 Mar 06:31:10  120x  demand 31.4  ready 20 of 12..60  14 unplaced
    kubectl --kubeconfig /try/sandbox.kubeconfig get fedhpas,cronhpas
     members  █ up to min  ▓ current  ░ desired  ─ max  · room  ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
      MEMBER           STATE                                                                                                                                         REPLICAS MIN..MAX ROOM FRAG
    ▸ cloud            Active     ████████████▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░░░░░░░░░░─────────────────────────────────────────────────────────────────────── 3 → 5    1..11    11   86 %  ▪▪▪▪▪▪▪▪▪·
      idc-crowded      2 Pending  ███████████████████████████████████▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓························ 9        3..9     11   61 %  ▪▪▪▪▪▪····
      idc-roomy        lost       ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓                                    8        -        -    -     ··········
     over time  • demand  ⣀ ready ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────  slots, in UTC ─────────────────────────────────
    35  │                                                                                                                                                   now       6..40  web-hours/night
        │                                                                                                                  •••••••••••••••••••••••••••••••• Mon 11:31 12..60 web-hours/morning
        │                                                                                 •••••••••••••••••••••••••••••••••⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠊⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
        │                                                 •••••••••••••••••••••••••••••••••⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
    18  │                 ••••••••••••••••••••••••••••••••⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠒⠊
        │•••••••••••••••••⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠁
        │
    0   │
        └──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    03:31                                                                      05:01                                                                  06:31
     what happens, and why ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    Mon 06:31:10 FedHPA/web            Rebalanced: Drift: cloud 1..11 to 1..14, idc-roomy 8..24 to 8..21, because demand has moved
    Mon 06:31:10 FedHPA/web            CapacityLimited: 14 of the max fit nowhere








    q quit  +- demand  ↑↓ member  l lose  d drain  u uncordon  p pause  fs speed
    ");
}

#[test]
fn the_way_to_the_end_takes_the_place_of_the_hint() {
    let progress = Progress { done: 0.349, to_go: Some(Duration::from_secs(75)) };
    let scene = Scene { progress: Some(progress), ..scene() };
    let text = text(&drawn(&scene, 80, 24, Palette::Plain));
    assert!(text.contains("34 %, 1:15 min to go ━━━") && !text.contains("kubeconfig"), "{text}");
}

#[test]
fn without_colours_there_are_none_and_the_signs_are_the_same() {
    let (plain, coloured) =
        (drawn(&scene(), 100, 30, Palette::Plain), drawn(&scene(), 100, 30, Palette::Colours));
    assert_eq!(text(&plain), text(&coloured));
    let colours = |buffer: &Buffer| buffer.content.iter().filter(|cell| cell.fg != Color::Reset).count();
    assert_eq!(colours(&plain), 0);
    assert!(colours(&coloured) > 200);
}

#[test]
fn every_size_can_be_drawn_and_a_small_one_says_what_is_missing() {
    let mut scene = scene();
    scene
        .clusters
        .extend((0..40).map(|number| Cluster { name: format!("member-{number}"), ..Cluster::default() }));
    for (width, height) in [(1, 1), (10, 3), (59, 40), (60, 18), (61, 19), (80, 24), (120, 18), (400, 100)] {
        drawn(&scene, width, height, Palette::Colours);
    }
    assert!(text(&drawn(&scene, 59, 40, Palette::Plain)).starts_with("60x18 is needed"));
    let least = text(&drawn(&scene, 60, 18, Palette::Plain));
    assert!(least.contains("what happens") && least.contains("q quit"), "{least}");
}

#[test]
fn the_last_thing_that_happened_is_always_there() {
    let mut scene = scene();
    let line = scene.told[0].clone();
    for number in 0..100 {
        scene.tell(Line { words: format!("number {number}: {}", "word ".repeat(30)), ..line.clone() });
    }
    let text = text(&drawn(&scene, 80, 24, Palette::Plain));
    assert!(text.contains("number 99") && !text.contains("number 90"), "{text}");
}
