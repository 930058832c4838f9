//! Who knows what: Karmada's names, clients, Kubernetes.

use crate::{
    none_may,
    source::{names, product_places},
};

/// Who may make clients and configurations out of nothing, apart from the runtime, and why.
const MAY_BUILD_CLIENTS: [(&str, &str); 1] =
    [("controllers/cmd/src/sandbox/mod.rs", "it puts a client on the sandbox in its own process")];

#[test]
fn only_the_karmada_package_knows_karmadas_names() {
    none_may(
        "labels, names and wire types of Karmada are in fedscaler-karmada alone (and in the sandbox, which is the other side)",
        "take the name from fedscaler_karmada, or add it there",
        &product_places(|source, line| {
            !["karmada", "sandbox"].contains(&source.package()) && line.code.contains("karmada.io")
        }),
    );
}

#[test]
fn only_the_runtime_builds_clients() {
    let builders = [
        "Client::new",
        "Client::try_from",
        "Client::try_default",
        "ClientBuilder",
        "Config::infer",
        "Config::incluster",
        "Config::from_kubeconfig",
        "Config::from_custom_kubeconfig",
        "Kubeconfig::read",
        "Kubeconfig::read_from",
    ];
    let may = |path: &str| MAY_BUILD_CLIENTS.iter().any(|(listed, _)| *listed == path);
    none_may(
        "only fedscaler-runtime builds clients: time budgets and the one TLS provider are set there",
        "call fedscaler_runtime::client::connect, or take the client from the context",
        &product_places(|source, line| {
            source.package() != "runtime"
                && !may(&source.path)
                && builders.iter().any(|builder| names(&line.bare, builder))
        }),
    );
}

#[test]
fn the_wire_types_have_no_behaviour() {
    none_may(
        "fedscaler-crds holds wire types: it calls nobody and waits for nothing",
        "put the behaviour into a controller or the core",
        &product_places(|source, line| {
            source.package() == "crds"
                && ["async", "await", "Client", "Api"].iter().any(|word| names(&line.bare, word))
        }),
    );
}

#[test]
fn the_core_waits_for_nothing() {
    none_may(
        "fedscaler-core is pure: it waits for nothing, starts nothing, reads nothing and prints nothing",
        "do it in observe or act",
        &product_places(|source, line| {
            let words =
                ["async", "await", "spawn", "std::fs", "std::env", "std::net", "println!", "eprintln!"];
            source.package() == "core" && words.iter().any(|word| names(&line.bare, word))
        }),
    );
}
