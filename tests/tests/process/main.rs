//! `fedscaler sandbox` as a process: what is on a terminal, what is left when it ends, and who can come in meanwhile.
//!
//! This program is also that process: started with a command line of fedscaler's it is fedscaler.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod ending;
mod inside;
mod live;
mod terminal;

use std::{env, process::ExitCode};

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("sandbox") => return fedscaler_cmd::main(),
        Some("panic-on-a-screen") => ending::panic_on_a_screen(),
        _ => {}
    }
    let tests: [(&str, fn()); 13] = [
        ("live::the_world_is_shown_and_played_with", live::the_world_is_shown_and_played_with),
        ("live::a_pause_stops_the_clock_until_it_ends", live::a_pause_stops_the_clock_until_it_ends),
        ("live::it_follows_the_size_of_the_terminal", live::it_follows_the_size_of_the_terminal),
        ("live::no_color_means_none", live::no_color_means_none),
        ("live::a_run_to_an_end_says_how_far_it_is", live::a_run_to_an_end_says_how_far_it_is),
        ("ending::quitting_leaves_the_terminal_as_it_was", ending::quitting_leaves_the_terminal_as_it_was),
        ("ending::a_signal_leaves_the_terminal_as_it_was", ending::a_signal_leaves_the_terminal_as_it_was),
        ("ending::a_panic_leaves_the_terminal_as_it_was", ending::a_panic_leaves_the_terminal_as_it_was),
        (
            "ending::a_signal_ends_plain_lines_with_a_summary",
            ending::a_signal_ends_plain_lines_with_a_summary,
        ),
        ("ending::lines_that_nobody_reads_are_an_end", ending::lines_that_nobody_reads_are_an_end),
        ("ending::what_cannot_be_is_one_line", ending::what_cannot_be_is_one_line),
        ("inside::kubernetes_clients_come_in", inside::kubernetes_clients_come_in),
        ("inside::metrics_and_probes_are_served", inside::metrics_and_probes_are_served),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}
