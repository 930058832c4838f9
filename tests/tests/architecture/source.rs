//! The source files of the workspace, line by line: what is code, what is text in it, and what is there for tests only.
//!
//! Responsible for telling these apart without a compiler. Knows no rule.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// A file, whatever it holds.
pub(crate) struct File {
    /// Path from the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A source file.
pub(crate) struct Source {
    /// Path from the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
}

/// A line of a source file.
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: usize,
    /// As it is in the file.
    pub(crate) whole: String,
    /// Without comments.
    pub(crate) code: String,
    /// Without comments and without what is between quotes.
    pub(crate) bare: String,
    /// It is compiled for tests only.
    pub(crate) is_test: bool,
}

impl Source {
    /// The package it belongs to, without the prefix that all share.
    pub(crate) fn package(&self) -> &str {
        let mut parts = self.path.split('/');
        match (parts.next(), parts.next()) {
            (Some("controllers"), Some(package)) | (Some(package), _) => package,
            (None, _) => "",
        }
    }

    /// The name of its module.
    pub(crate) fn module(&self) -> &str {
        let stem = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        stem.rsplit('/').next().unwrap_or_default()
    }

    /// The lines that are in the product.
    pub(crate) fn product(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.is_test)
    }

    /// How a line is told to a reader.
    pub(crate) fn place(&self, line: &Line) -> String {
        format!("{}:{}: {}", self.path, line.number, line.whole.trim())
    }
}

/// The lines of the product for which `is_bad` says so, as places.
pub(crate) fn product_places(is_bad: impl Fn(&Source, &Line) -> bool) -> Vec<String> {
    places(|source, line| !line.is_test && is_bad(source, line))
}

/// The lines for which `is_bad` says so, as places.
pub(crate) fn places(is_bad: impl Fn(&Source, &Line) -> bool) -> Vec<String> {
    let bad = |source: &'static Source| {
        let lines = source.lines.iter().filter(|line| is_bad(source, line));
        lines.map(|line| source.place(line)).collect::<Vec<_>>()
    };
    sources().iter().flat_map(bad).collect()
}

/// Whether `word` is in `text`, and is not a part of a longer name there.
pub(crate) fn names(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let begins = !word.starts_with(is_part) || !before.is_some_and(is_part);
        begins && (!word.ends_with(is_part) || !after.is_some_and(is_part))
    })
}

/// Where the workspace is.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Every file of the project but what builds leave behind.
pub(crate) fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut files = Vec::new();
        collect(&root(), &root(), &mut files);
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    })
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry of a folder").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [".git", "target"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(bytes) = fs::read(&path) {
            let path = path.strip_prefix(root).expect("a path below the root");
            files.push(File {
                path: path.to_string_lossy().replace('\\', "/"),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
    }
}

/// Every Rust file of the workspace.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let rust = files()
            .iter()
            .filter(|file| Path::new(&file.path).extension().is_some_and(|extension| extension == "rs"));
        let mut sources: Vec<Source> =
            rust.map(|file| Source { path: file.path.clone(), lines: read(&file.text) }).collect();
        let test_modules: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
        for source in &mut sources {
            if is_of_tests(&source.path, &test_modules) {
                source.lines.iter_mut().for_each(|line| line.is_test = true);
            }
        }
        sources
    })
}

fn is_of_tests(path: &str, test_modules: &BTreeSet<String>) -> bool {
    let in_test_target = path.starts_with("tests/") || (path.contains("/tests/") && !path.contains("/src/"));
    let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
    in_test_target
        || test_modules.iter().any(|module| {
            stem.strip_prefix(module.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// The modules that a file declares for tests only, as paths without `.rs`.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = match source.path.rsplit_once('/') {
        Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder,
        _ => source.path.trim_end_matches(".rs"),
    };
    let declarations = source.lines.iter().filter(|line| line.is_test);
    let names = declarations.filter_map(|line| line.bare.split_once("mod ")?.1.trim().strip_suffix(';'));
    names.map(|name| format!("{folder}/{name}")).collect()
}

/// Takes a file apart.
fn read(text: &str) -> Vec<Line> {
    let (code, bare) = stripped(text);
    let parts = text.lines().zip(code.lines().zip(bare.lines()));
    let mut lines: Vec<Line> = parts
        .enumerate()
        .map(|(index, (whole, (code, bare)))| Line {
            number: index + 1,
            whole: whole.to_owned(),
            code: code.to_owned(),
            bare: bare.to_owned(),
            is_test: false,
        })
        .collect();
    mark_tests(&mut lines);
    lines
}

/// Marks the items that `#[cfg(test)]` stands before.
fn mark_tests(lines: &mut [Line]) {
    let mut at = 0;
    while at < lines.len() {
        let begins = lines[at].bare.trim_start().starts_with("#[cfg(test)]");
        let end = if begins { end_of_item(lines, at) } else { at };
        if begins {
            lines[at..=end].iter_mut().for_each(|line| line.is_test = true);
        }
        at = end + 1;
    }
}

/// The last line of the item that begins at `from`: where its braces close, or its semicolon.
fn end_of_item(lines: &[Line], from: usize) -> usize {
    let mut depth = 0_i32;
    for (index, line) in lines.iter().enumerate().skip(from) {
        for letter in line.bare.chars() {
            match letter {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (letter == ';' || letter == '}') {
                return index;
            }
        }
    }
    lines.len() - 1
}

/// Where the reader of a file stands.
enum Within {
    Code,
    LineComment,
    /// How many are open: they nest.
    BlockComment(u32),
    /// Text that `\` escapes.
    Text,
    /// Text that ends at a quote and as many `#`.
    RawText(usize),
}

/// The file without comments, and without what is between quotes as well; both with the same lines.
#[expect(
    clippy::too_many_lines,
    reason = "one state machine: what a letter is depends on all that it may be within"
)]
fn stripped(text: &str) -> (String, String) {
    let letters: Vec<char> = text.chars().collect();
    let (mut code, mut bare) = (String::with_capacity(text.len()), String::with_capacity(text.len()));
    let mut within = Within::Code;
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let next = letters.get(at + 1).copied();
        let (step, in_code, in_bare) = match &mut within {
            Within::Code => match (letter, next) {
                ('/', Some('/')) => {
                    within = Within::LineComment;
                    (2, false, false)
                }
                ('/', Some('*')) => {
                    within = Within::BlockComment(1);
                    (2, false, false)
                }
                ('"', _) => {
                    within = quote(&letters[..at]);
                    (1, true, true)
                }
                ('\'', _) => (character(&letters[at..]), true, true),
                _ => (1, true, true),
            },
            Within::LineComment => {
                if letter == '\n' {
                    within = Within::Code;
                }
                (1, false, false)
            }
            Within::BlockComment(open) => match (letter, next) {
                ('/', Some('*')) => {
                    *open += 1;
                    (2, false, false)
                }
                ('*', Some('/')) => {
                    *open -= 1;
                    if *open == 0 {
                        within = Within::Code;
                    }
                    (2, false, false)
                }
                _ => (1, false, false),
            },
            Within::Text if letter == '\\' => (2, true, false),
            Within::Text if letter == '"' => {
                within = Within::Code;
                (1, true, true)
            }
            Within::RawText(hashes) if letter == '"' && ends_raw(&letters[at + 1..], *hashes) => {
                let hashes = *hashes;
                within = Within::Code;
                (1 + hashes, true, true)
            }
            Within::Text | Within::RawText(_) => (1, true, false),
        };
        for &letter in letters.iter().skip(at).take(step) {
            if in_code || letter == '\n' {
                code.push(letter);
            }
            if in_bare || letter == '\n' {
                bare.push(letter);
            }
        }
        at += step;
    }
    (code, bare)
}

/// What a quote opens, by what stands before it.
fn quote(before: &[char]) -> Within {
    let hashes = before.iter().rev().take_while(|letter| **letter == '#').count();
    let prefix = &before[..before.len() - hashes];
    let word: String =
        prefix.iter().rev().take_while(|letter| letter.is_alphanumeric() || **letter == '_').collect();
    if ["r", "rb", "rc"].contains(&word.as_str()) { Within::RawText(hashes) } else { Within::Text }
}

fn ends_raw(after: &[char], hashes: usize) -> bool {
    after.len() >= hashes && after[..hashes].iter().all(|letter| *letter == '#')
}

/// How long a character in quotes is; 1 for a lifetime.
fn character(from: &[char]) -> usize {
    match from {
        [_, '\\', _, rest @ ..] => 3 + rest.iter().take_while(|letter| **letter != '\'').count() + 1,
        [_, _, '\'', ..] => 3,
        _ => 1,
    }
}

#[test]
fn comments_and_texts_are_told_from_code() {
    let lines = read(concat!(
        "let a = \"x // \\\" no comment\"; // a comment \"with a quote\n",
        "let b = r#\"a \"quoted\" thing\"#; /* one\n",
        "two /* nested */ */ let c = '\"'; let d: &'static str = b\"y\";\n",
    ));
    let code: Vec<&str> = lines.iter().map(|line| line.code.as_str()).collect();
    let bare: Vec<&str> = lines.iter().map(|line| line.bare.as_str()).collect();
    assert_eq!(
        code,
        [
            "let a = \"x // \\\" no comment\"; ",
            "let b = r#\"a \"quoted\" thing\"#; ",
            " let c = '\"'; let d: &'static str = b\"y\";"
        ]
    );
    assert_eq!(bare, ["let a = \"\"; ", "let b = r#\"\"#; ", " let c = '\"'; let d: &'static str = b\"\";"]);
}

#[test]
fn what_is_for_tests_only_is_told_from_the_product() {
    let lines = read(
        "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod more {\n    fn c() { \"}\"; }\n}\nfn d() {}\n",
    );
    let product: Vec<usize> = lines.iter().filter(|line| !line.is_test).map(|line| line.number).collect();
    assert_eq!(product, [1, 4, 9]);
}

#[test]
fn every_package_has_a_product_and_only_it_is_judged_as_one() {
    let product = |source: &&Source| source.product().next().is_some();
    let packages: BTreeSet<&str> = sources().iter().filter(product).map(Source::package).collect();
    let expected = ["cmd", "core", "crds", "cronhpa", "fedhpa", "karmada", "runtime", "sandbox"];
    assert_eq!(packages.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_name_is_found_only_as_a_whole() {
    assert!(names("let x: HashMap<A, B>;", "HashMap"));
    assert!(!names("let x: IndexHashMapping;", "HashMap"));
    assert!(names("a.unwrap()", ".unwrap()"));
    assert!(!names("a.try_expect(", ".expect("));
}
