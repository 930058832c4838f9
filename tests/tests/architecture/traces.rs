//! What a stranger to this project's machines should never find in it.

use crate::{none_may, source::files};

/// Words that mean a machine or an account and not the project. Put together here, so that this file has none.
fn traces() -> Vec<String> {
    let places = [
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("/Us", "ers/"),
        ("/tmp/b", "ash"),
        ("/tmp/br", "ief"),
    ];
    let words = [("sub", "agent"), ("issues ", "show"), ("local", "host.localdomain"), ("CLA", "UDE.md")];
    places.iter().chain(&words).map(|(one, other)| format!("{one}{other}")).collect()
}

#[test]
fn no_file_names_the_place_it_was_written_at() {
    let traces = traces();
    let found = files().iter().filter(|file| file.path != "Cargo.lock").flat_map(|file| {
        let lines = file.text.lines().enumerate();
        let bad = lines.filter(|(_, line)| traces.iter().any(|trace| line.contains(trace.as_str())));
        bad.map(|(index, line)| format!("{}:{}: {}", file.path, index + 1, line.trim())).collect::<Vec<_>>()
    });
    none_may(
        "no file of the project names a folder, host or tool of the machine it was written on",
        "use a path relative to the project, or a variable of the environment",
        &found.collect::<Vec<_>>(),
    );
}
