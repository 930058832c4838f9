//! Reads the manifest of a FedHPA as an API server would take it.
//!
//! Responsible for defaults, limits and rules of the definition holding offline too: an API server of its own, in this
//! process and with nothing else in it, is asked. Knows nothing of what the manifest means.

use std::{path::Path, sync::Arc};

use fedscaler_core::fedhpa::facts_file::{FactsFile, Subject};
use fedscaler_crds::FedHpa;
use fedscaler_runtime::client;
use fedscaler_sandbox::{apiserver::ApiServer, clock::TokioClock};
use kube::Api;
use serde_json::{Value, json};

use super::offline::text;
use crate::{
    Refusal,
    sandbox::{client_of, install},
};

/// The FedHPA of a manifest that the facts are about. Only what a user writes of it counts: that it may come from
/// `kubectl get -o yaml` changes nothing.
pub(super) async fn read(path: &Path, facts: &FactsFile) -> Result<FedHpa, Refusal> {
    let refuse = |why: &dyn std::fmt::Display| Refusal::new(format!("{}: {why}", path.display()));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text(path)?).map_err(|why| refuse(&why))?;
    let written = chosen(&documents, &facts.fed_hpa).map_err(|why| refuse(&why))?;
    accepted(&written, facts).await.map_err(|why| refuse(&why))
}

/// The one document that is the FedHPA in question.
fn chosen(documents: &[Value], wanted: &Subject) -> Result<Value, String> {
    let fed_hpas: Vec<&Value> = documents.iter().filter(|document| document["kind"] == "FedHPA").collect();
    let text = |object: &Value, field: &str| object["metadata"][field].as_str().map(str::to_owned);
    let is_wanted = |object: &&&Value| {
        let namespace = text(object, "namespace").unwrap_or_else(|| wanted.namespace.clone());
        namespace == wanted.namespace && text(object, "name").as_ref() == Some(&wanted.name)
    };
    let Some(object) = fed_hpas.iter().find(is_wanted) else {
        let Subject { namespace, name } = wanted;
        let there = fed_hpas
            .iter()
            .map(|object| text(object, "name").unwrap_or_else(|| "one without a name".to_owned()));
        let there: Vec<String> = there.collect();
        let there = if there.is_empty() { "no FedHPA".to_owned() } else { there.join(", ") };
        return Err(format!("the facts are about FedHPA {namespace}/{name}, and the manifest has {there}"));
    };
    Ok(json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": {"namespace": wanted.namespace, "name": wanted.name},
        "spec": object["spec"],
    }))
}

async fn accepted(written: &Value, facts: &FactsFile) -> Result<FedHpa, Refusal> {
    let clock = Arc::new(TokioClock::starting_at(facts.facts.now));
    let server = ApiServer::new("manifest", clock);
    let Subject { namespace, name } = &facts.fed_hpa;
    server.local("fedscaler").ensure_namespace(namespace).map_err(Refusal::new)?;
    let client = client_of(&server);
    for definition in fedscaler_crds::render::render().map_err(Refusal::new)?.values() {
        install::apply(&client, definition).await?;
    }
    install::apply(&client, &written.to_string()).await?;
    let api: Api<FedHpa> = Api::namespaced(client, namespace);
    client::within(fedscaler_fedhpa::context::CALL_BUDGET, api.get(name)).await.map_err(Refusal::new)
}
