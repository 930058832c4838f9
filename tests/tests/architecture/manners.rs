//! How code is written: what the compiler and clippy do not see.

use crate::{
    none_may,
    source::{Source, names, places, product_places, sources},
};

/// Who may use maps without an order, and why; nobody does at present.
const MAY_USE_HASH_MAPS: [(&str, &str); 0] = [];

/// The most lines of code that a file may have.
const FILE_LIMIT: usize = 500;

#[test]
fn lints_are_expected_and_never_allowed() {
    none_may(
        "a lint is switched off by #[expect(LINT, reason = \"...\")], which tells when it is no longer needed",
        "write expect and the reason, or mend what the lint says",
        &places(|_, line| ["#[allow(", "#![allow("].iter().any(|allow| line.bare.contains(allow))),
    );
}

#[test]
fn every_expected_lint_says_why() {
    let silent = sources().iter().flat_map(|source| {
        let marks = (0..source.lines.len()).filter(|at| {
            let bare = &source.lines[*at].bare;
            (bare.contains("#[expect(") || bare.contains("#![expect("))
                && !attribute(source, *at).contains("reason")
        });
        marks.map(|at| source.place(&source.lines[at])).collect::<Vec<_>>()
    });
    none_may(
        "every #[expect] has a reason",
        "add reason = \"...\": what would be worse without it",
        &silent.collect::<Vec<_>>(),
    );
}

/// The attribute that begins on a line, to the line where it ends.
fn attribute(source: &Source, from: usize) -> String {
    let mut text = String::new();
    for line in &source.lines[from..] {
        text.push_str(&line.bare);
        if line.bare.trim_end().ends_with(")]") {
            break;
        }
    }
    text
}

#[test]
fn the_product_does_not_panic_on_purpose() {
    let panics = [
        ".unwrap()",
        ".expect(",
        ".unwrap_err()",
        ".expect_err(",
        "panic!",
        "todo!",
        "unimplemented!",
        "unreachable!()",
    ];
    none_may(
        "outside tests nothing unwraps, expects or panics: a bad object affects itself alone",
        "return the error, or make the state impossible",
        &product_places(|_, line| {
            !is_constant(&line.bare) && panics.iter().any(|panic| names(&line.bare, panic))
        }),
    );
}

/// What panics while it is compiled never panics while it runs.
fn is_constant(bare: &str) -> bool {
    bare.trim_start().starts_with("const ") || bare.contains(" const ") && !bare.contains("const fn")
}

#[test]
fn maps_have_an_order() {
    let may = |path: &str| MAY_USE_HASH_MAPS.iter().any(|(listed, _)| *listed == path);
    none_may(
        "no decision depends on iteration order: no HashMap and no HashSet",
        "use BTreeMap or BTreeSet",
        &product_places(|source, line| {
            !may(&source.path) && ["HashMap", "HashSet"].iter().any(|map| names(&line.bare, map))
        }),
    );
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent = sources()
        .iter()
        .filter(|source| !source.lines.first().is_some_and(|line| line.whole.starts_with("//! ")));
    none_may(
        "a module opens with `//!`: what it is responsible for and what it does not know",
        "write that on its first line",
        &silent.map(|source| format!("{}:1", source.path)).collect::<Vec<_>>(),
    );
}

#[test]
fn no_module_is_a_drawer() {
    let drawers =
        ["common", "data", "helper", "helpers", "info", "manager", "managers", "misc", "util", "utils"];
    let files = sources().iter().filter(|source| drawers.contains(&source.module()));
    let mut found: Vec<String> = files.map(|source| format!("{}:1", source.path)).collect();
    found.extend(places(|_, line| {
        let declared = line.bare.trim_start().trim_start_matches("pub ").strip_prefix("mod ");
        let name = declared.and_then(|rest| rest.split([' ', ';', '{']).next());
        name.is_some_and(|name| drawers.contains(&name))
    }));
    none_may(
        "a module is named for its part in the domain, never for being a drawer of things",
        "name what it is about, or move each function to those who use it",
        &found,
    );
}

#[test]
fn files_are_of_a_size_that_can_be_read_at_one_sitting() {
    let long = sources().iter().filter_map(|source| {
        let lines = source.product().filter(|line| !line.code.trim().is_empty()).count();
        (lines > FILE_LIMIT).then(|| format!("{}:{FILE_LIMIT}: {lines} lines of code", source.path))
    });
    none_may(
        "a file has at most 500 lines of code, tests and comments aside",
        "find the second responsibility in it and give that a module",
        &long.collect::<Vec<_>>(),
    );
}

#[test]
fn functions_are_kept_short_by_clippy() {
    let clippy = include_str!("../../../clippy.toml");
    let limit = "too-many-lines-threshold = 60";
    assert!(clippy.contains(limit), "clippy.toml no longer says `{limit}`: functions have at most 60 lines");
    let ci = include_str!("../../../.ci/run");
    assert!(
        ci.contains("clippy") && ci.contains("-D warnings"),
        ".ci/run no longer denies what clippy warns about"
    );
}

#[test]
fn every_select_has_an_order() {
    let unordered = sources().iter().flat_map(|source| {
        let lines = &source.lines;
        let selects =
            (0..lines.len()).filter(|at| names(&lines[*at].bare, "select!") && !is_biased(lines, *at));
        selects.map(|at| source.place(&lines[at])).collect::<Vec<_>>()
    });
    none_may(
        "each select! begins with `biased;`: without it, what comes first is drawn by lot",
        "write `biased;` and put the branches into the order that is meant",
        &unordered.collect::<Vec<_>>(),
    );
}

/// Whether the first thing in the braces that open on a line is `biased;`.
fn is_biased(lines: &[crate::source::Line], at: usize) -> bool {
    let opened = lines[at]
        .bare
        .split_once("select!")
        .map_or("", |(_, rest)| rest)
        .trim_start()
        .trim_start_matches('{');
    let rest = lines[at + 1..].iter().map(|line| line.bare.as_str());
    let first = std::iter::once(opened).chain(rest).map(str::trim).find(|text| !text.is_empty());
    first.is_some_and(|text| text.starts_with("biased;"))
}
