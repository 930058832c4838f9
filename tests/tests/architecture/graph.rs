//! Who depends on whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::{none_may, source};

/// Who may depend on whom; what is not here is forbidden.
const MAY_DEPEND_ON: [(&str, &[&str]); 9] = [
    (
        "fedscaler-tests",
        &[
            "fedscaler-cmd",
            "fedscaler-core",
            "fedscaler-crds",
            "fedscaler-cronhpa",
            "fedscaler-fedhpa",
            "fedscaler-karmada",
            "fedscaler-runtime",
            "fedscaler-sandbox",
        ],
    ),
    (
        "fedscaler-cmd",
        &[
            "fedscaler-core",
            "fedscaler-crds",
            "fedscaler-cronhpa",
            "fedscaler-fedhpa",
            "fedscaler-karmada",
            "fedscaler-runtime",
            "fedscaler-sandbox",
        ],
    ),
    ("fedscaler-fedhpa", &["fedscaler-core", "fedscaler-crds", "fedscaler-karmada", "fedscaler-runtime"]),
    ("fedscaler-cronhpa", &["fedscaler-core", "fedscaler-crds", "fedscaler-karmada", "fedscaler-runtime"]),
    ("fedscaler-karmada", &["fedscaler-core", "fedscaler-runtime"]),
    ("fedscaler-runtime", &["fedscaler-core"]),
    ("fedscaler-crds", &[]),
    ("fedscaler-core", &[]),
    ("fedscaler-sandbox", &[]),
];

/// All that the pure core may use.
const CORE_MAY_USE: [&str; 6] = ["chrono", "chrono-tz", "croner", "schemars", "serde", "thiserror"];

/// Our packages, by name.
fn packages() -> BTreeMap<String, Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(source::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("the workspace can be read");
    metadata.packages.into_iter().map(|package| (package.name.to_string(), package)).collect()
}

/// What a package needs outside its own tests.
fn needs(package: &Package) -> BTreeSet<String> {
    let product = package.dependencies.iter().filter(|needed| needed.kind != DependencyKind::Development);
    product.map(|needed| needed.name.clone()).collect()
}

/// A package that is locked: its version, and the names of what it needs.
struct Locked {
    version: String,
    needs: Vec<String>,
}

/// `Cargo.lock`: every package of that name.
fn locked() -> BTreeMap<String, Vec<Locked>> {
    let text = fs::read_to_string(source::root().join("Cargo.lock")).expect("a Cargo.lock");
    let mut packages: BTreeMap<String, Vec<Locked>> = BTreeMap::new();
    for block in text.split("[[package]]").skip(1) {
        let value = |field: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(" = "));
            line.unwrap_or_default().trim_matches('"').to_owned()
        };
        let needed = block.lines().filter_map(|line| line.strip_prefix(" \"")?.split(['"', ' ']).next());
        let locked = Locked { version: value("version"), needs: needed.map(str::to_owned).collect() };
        packages.entry(value("name")).or_default().push(locked);
    }
    packages
}

/// All that a package stands on, at any depth.
fn stands_on(package: &str) -> BTreeSet<String> {
    let locked = locked();
    let mut open: Vec<String> = needs(&packages()[package]).into_iter().collect();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if found.insert(name.clone()) {
            open.extend(locked[&name].iter().flat_map(|package| package.needs.clone()));
        }
    }
    found
}

#[test]
fn the_table_of_who_may_depend_on_whom_is_of_the_packages_there_are() {
    let listed: BTreeSet<String> = MAY_DEPEND_ON.iter().map(|(package, _)| (*package).to_owned()).collect();
    let there: BTreeSet<String> = packages().into_keys().collect();
    assert_eq!(
        there, listed,
        "a package came or went: decide who may depend on whom and say so in MAY_DEPEND_ON"
    );
}

#[test]
fn packages_depend_only_on_those_they_may() {
    let packages = packages();
    let forbidden = MAY_DEPEND_ON.iter().flat_map(|(name, may)| {
        let ours = needs(&packages[*name]).into_iter().filter(|needed| needed.starts_with("fedscaler-"));
        let forbidden = ours.filter(|needed| !may.contains(&needed.as_str()));
        forbidden.map(|needed| format!("{}: {needed}", packages[*name].manifest_path)).collect::<Vec<_>>()
    });
    none_may(
        "packages depend on each other only as ARCHITECTURE.md says",
        "move the code to where the dependency is allowed, or turn the dependency around",
        &forbidden.collect::<Vec<_>>(),
    );
}

#[test]
fn the_core_uses_nothing_but_its_allow_list() {
    let used = needs(&packages()["fedscaler-core"]);
    let places: Vec<String> = used
        .iter()
        .filter(|name| !CORE_MAY_USE.contains(&name.as_str()))
        .map(|name| format!("controllers/core/Cargo.toml: {name}"))
        .collect();
    none_may(
        "fedscaler-core is pure: it uses only chrono, chrono-tz, croner, schemars, serde and thiserror",
        "do the reading in observe, the parsing in admit, and hand the core values",
        &places,
    );
}

#[test]
fn nothing_under_the_core_does_input_or_output() {
    let forbidden = ["kube", "k8s-openapi", "tokio", "tracing", "rand", "rand_core", "hyper"];
    let under = stands_on("fedscaler-core");
    let places: Vec<String> = forbidden
        .iter()
        .filter(|name| under.contains(**name))
        .map(|name| format!("Cargo.lock: {name}"))
        .collect();
    none_may(
        "fedscaler-core stands on nothing that does I/O, logs, or makes up numbers, at any depth",
        "find who brings it with `cargo tree -p fedscaler-core -i NAME` and turn that feature off",
        &places,
    );
}

#[test]
fn the_sandbox_shares_nothing_with_the_other_side() {
    let under = stands_on("fedscaler-sandbox");
    let shared = under.iter().filter(|name| {
        name.starts_with("fedscaler-")
            || ["kube", "kube-core", "kube-client", "kube-runtime", "k8s-openapi"].contains(&name.as_str())
    });
    none_may(
        "fedscaler-sandbox depends on no package of ours and on no Kubernetes client: it is an oracle only while it shares nothing with what it judges",
        "write it again in the sandbox, from the facts",
        &shared.map(|name| format!("controllers/sandbox/Cargo.toml: {name}")).collect::<Vec<_>>(),
    );
}

#[test]
fn there_is_one_version_of_what_must_not_be_there_twice() {
    let locked = locked();
    let single = ["cel", "json-patch", "k8s-openapi", "kube", "kube-cel", "rustls", "schemars", "tokio"];
    let places = single.iter().filter_map(|name| {
        let versions: Vec<&str> = locked.get(*name)?.iter().map(|package| package.version.as_str()).collect();
        (versions.len() != 1).then(|| format!("Cargo.lock: {name} {}", versions.join(", ")))
    });
    none_may(
        "one version each: types of two versions do not fit, and two TLS stacks panic at the first use",
        "find who brings the other with `cargo tree -i NAME@VERSION` and bring the two together",
        &places.collect::<Vec<_>>(),
    );
}

#[test]
fn ring_is_the_one_provider_of_cryptography() {
    let locked = locked();
    let others = ["aws-lc-rs", "aws-lc-sys", "boring", "native-tls", "openssl", "openssl-sys"];
    let places = others.iter().filter(|name| locked.contains_key(**name));
    none_may(
        "TLS is rustls with ring, and nothing else is in the graph",
        "find who brings it with `cargo tree -i NAME` and turn its default features off",
        &places.map(|name| format!("Cargo.lock: {name}")).collect::<Vec<_>>(),
    );
    assert!(locked.contains_key("ring") && locked.contains_key("rustls"), "TLS is rustls with ring");
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    // Nothing but tests, where what cannot be is a panic; cargo takes a table of the workspace whole or not at all.
    let product = packages().into_values().filter(|package| package.name.as_str() != "fedscaler-tests");
    let without = product.filter(|package| {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        !manifest.contains("[lints]\nworkspace = true")
    });
    none_may(
        "lints are configured once, for all",
        "end the manifest with `[lints]` and `workspace = true`",
        &without.map(|package| package.manifest_path.to_string()).collect::<Vec<_>>(),
    );
}

#[test]
fn versions_of_dependencies_are_said_once() {
    let own = packages().into_values().flat_map(|package| {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        let dependencies = manifest.split("\n[").filter(|table| table.contains("dependencies]\n"));
        let lines = dependencies.flat_map(|table| table.lines().skip(1)).filter(|line| line.contains('='));
        let own = lines.filter(|line| !line.contains("workspace = true"));
        own.map(|line| format!("{}: {line}", package.manifest_path)).collect::<Vec<_>>()
    });
    none_may(
        "versions and features of dependencies are those of the workspace",
        "give it a line in [workspace.dependencies] and write `NAME.workspace = true` here",
        &own.collect::<Vec<_>>(),
    );
}
