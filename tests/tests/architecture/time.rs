//! Who reads a clock.

use crate::{
    none_may,
    source::{Source, names, product_places, sources},
};

/// The functions that read the wall clock of the machine.
const WALL_CLOCKS: [&str; 6] =
    ["Utc::now", "Local::now", "SystemTime::now", "std::time::Instant::now", "Timestamp::now", "Zoned::now"];

/// Who may read it, and why.
const MAY_READ_THE_WALL_CLOCK: [(&str, &str); 2] = [
    ("controllers/runtime/src/clock.rs", "it is the clock"),
    (
        "controllers/cmd/src/sandbox/pace.rs",
        "it holds the sandbox's clock back to a multiple of the wall clock",
    ),
];

fn may_read(source: &Source) -> bool {
    MAY_READ_THE_WALL_CLOCK.iter().any(|(path, _)| *path == source.path)
}

#[test]
fn only_the_clock_reads_the_wall_clock() {
    none_may(
        "only runtime::clock reads the wall clock: under any other clock, time is virtual in tests and in the sandbox",
        "take `now` from the facts, or a SharedClock from the context",
        &product_places(|source, line| {
            !may_read(source) && WALL_CLOCKS.iter().any(|clock| names(&line.bare, clock))
        }),
    );
}

#[test]
fn nobody_else_switches_off_the_lint_that_guards_the_wall_clock() {
    none_may(
        "clippy::disallowed_methods is expected only where the wall clock may be read",
        "take `now` from the facts, or a SharedClock from the context",
        &product_places(|source, line| !may_read(source) && line.bare.contains("disallowed_methods")),
    );
}

#[test]
fn whoever_may_read_the_wall_clock_still_does() {
    let idle = MAY_READ_THE_WALL_CLOCK.iter().filter(|(path, _)| {
        let reader = sources().iter().find(|source| source.path == *path);
        !reader.is_some_and(|source| source.product().any(|line| line.bare.contains("disallowed_methods")))
    });
    none_may(
        "the list of who may read the wall clock is no longer than it must be",
        "take it out of MAY_READ_THE_WALL_CLOCK",
        &idle.map(|(path, why)| format!("{path}: {why}")).collect::<Vec<_>>(),
    );
}

#[test]
fn the_core_reads_no_clock_at_all() {
    let clocks = ["Instant", "SystemTime", "sleep", "elapsed"];
    none_may(
        "nothing in fedscaler-core reads a clock of any kind: `now` is a field of the facts",
        "take the moment as a value",
        &product_places(|source, line| {
            source.package() == "core"
                && (line.bare.contains("::now(") || clocks.iter().any(|clock| names(&line.bare, clock)))
        }),
    );
}

#[test]
fn the_sandbox_follows_no_clock_but_tokios() {
    none_may(
        "the sandbox runs on paused time: it reads no clock of the standard library",
        "use tokio::time::Instant, or the Clock that is handed in",
        &product_places(|source, line| {
            source.package() == "sandbox"
                && (line.bare.contains("std::time::Instant") || names(&line.bare, "SystemTime"))
        }),
    );
}

#[test]
fn clippy_guards_the_wall_clock_too() {
    let guarded = include_str!("../../../clippy.toml");
    for method in
        ["chrono::Utc::now", "chrono::Local::now", "std::time::SystemTime::now", "std::time::Instant::now"]
    {
        assert!(guarded.contains(method), "clippy.toml no longer disallows {method}: put it back");
    }
}
