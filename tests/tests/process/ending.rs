//! How it ends, and what is left.

use fedscaler_cmd::sandbox::live::screen::Screen;

use crate::terminal::{Lines, Terminal, kubeconfig};

const USUAL: (u16, u16) = (80, 24);

/// The usual screen, a cursor, and keys that are not swallowed.
fn assert_restored(terminal: &Terminal) {
    terminal.look(|screen| {
        assert!(!screen.alternate_screen(), "it is the usual screen again");
        assert!(!screen.hide_cursor(), "there is a cursor");
    });
}

pub(crate) fn quitting_leaves_the_terminal_as_it_was() {
    for (name, key) in [("quit", "q"), ("interrupted", "\u{3}")] {
        let mut terminal = Terminal::sandbox(name, &[], USUAL, &[]);
        terminal.wait_for(&["Active"]);
        terminal.look(|screen| assert!(screen.alternate_screen() && screen.hide_cursor()));
        assert!(kubeconfig(name).is_file());
        terminal.press(key);
        assert!(terminal.end().success());
        assert_restored(&terminal);
        let text = terminal.text();
        assert!(text.contains("replica-minutes") && text.contains("violations           0 in"), "{text}");
        assert!(!kubeconfig(name).exists());
    }
}

pub(crate) fn a_signal_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::sandbox("terminated", &[], USUAL, &[]);
    terminal.wait_for(&["Active"]);
    terminal.signal("TERM");
    assert!(terminal.end().success());
    assert_restored(&terminal);
    assert!(!kubeconfig("terminated").exists());
}

/// Panics while it has the terminal.
pub(crate) fn panic_on_a_screen() -> ! {
    let mut screen = Screen::take().expect("a terminal");
    screen.draw(|frame| frame.render_widget("something", frame.area())).expect("it can be drawn on");
    panic!("this is what went wrong");
}

pub(crate) fn a_panic_leaves_the_terminal_as_it_was() {
    let mut terminal = Terminal::start(&["panic-on-a-screen"], USUAL, &[("RUST_BACKTRACE", "0")]);
    assert_eq!(terminal.end().code(), Some(101));
    assert_restored(&terminal);
    let text = terminal.text();
    assert!(text.contains("this is what went wrong") && !text.contains("something"), "{text}");
}

pub(crate) fn a_signal_ends_plain_lines_with_a_summary() {
    for (name, signal) in [("lines-terminated", "TERM"), ("lines-interrupted", "INT")] {
        let mut lines = Lines::sandbox(name, &[]);
        lines.wait_for("FedHPA/web");
        assert!(kubeconfig(name).is_file());
        lines.signal(signal);
        let (status, told) = lines.end();
        assert!(status.success() && told.contains("violations           0 in"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told}");
        assert!(!kubeconfig(name).exists());
    }
}

pub(crate) fn what_cannot_be_is_one_line() {
    let mut small = Terminal::sandbox("small", &[], (59, 24), &[]);
    assert_eq!(small.end().code(), Some(2));
    let text = small.text().replace('\n', "");
    assert_eq!(
        text,
        "fedscaler: the terminal is 59x24 and the live view needs 60x18: enlarge it, or give --plain"
    );
    let dumb = Terminal::sandbox("dumb", &[], (59, 24), &[("TERM", "dumb")]);
    dumb.wait_for(&["sandbox"]);
    let plain = Terminal::sandbox("asked", &["--plain"], USUAL, &[]);
    plain.wait_for(&["Mon 02 Mar 00:00:00  sandbox"]);
    plain.look(|screen| assert!(!screen.alternate_screen()));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let mut refused = Terminal::sandbox("taken", &["--plain", "--admin-address", &address], (200, 24), &[]);
    assert_eq!(refused.end().code(), Some(2));
    let text = refused.text();
    assert!(text.starts_with(&format!("fedscaler: cannot listen on {address}")), "{text}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
}

pub(crate) fn lines_that_nobody_reads_are_an_end() {
    let mut lines = Lines::sandbox("unread", &["--speed", "max"]);
    lines.wait_for("FedHPA/web");
    lines.close();
    let (status, _told) = lines.end();
    assert_eq!(status.code(), Some(2));
    assert!(!kubeconfig("unread").exists());
}
