//! Reads manifests as an API server would take them.
//!
//! Responsible for defaults, limits and rules of the definition holding offline too: an API server of its own, in this
//! process and with nothing else in it, is asked. Knows nothing of what the manifest means.

use std::{fmt::Debug, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use fedscaler_core::fedhpa::facts_file::{FactsFile, Subject};
use fedscaler_crds::FedHpa;
use fedscaler_runtime::client;
use fedscaler_sandbox::{apiserver::ApiServer, clock::TokioClock};
use kube::{Api, Resource, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;
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
    accepted(&written, &facts.fed_hpa, facts.facts.now).await.map_err(|why| refuse(&why))
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
    Ok(written(object, wanted))
}

/// The object as an API server would have it after such a manifest.
pub(super) async fn accepted<K>(written: &Value, subject: &Subject, at: DateTime<Utc>) -> Result<K, Refusal>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let server = ApiServer::new("manifest", Arc::new(TokioClock::starting_at(at)));
    let Subject { namespace, name } = subject;
    server.local("fedscaler").ensure_namespace(namespace).map_err(Refusal::new)?;
    let client = client_of(&server);
    for definition in fedscaler_crds::render::render().map_err(Refusal::new)?.values() {
        install::apply(&client, definition).await?;
    }
    install::apply(&client, &written.to_string()).await?;
    let api: Api<K> = Api::namespaced(client, namespace);
    client::within(fedscaler_fedhpa::context::CALL_BUDGET, api.get(name)).await.map_err(Refusal::new)
}

/// What a user writes of an object: that it may come from `kubectl get -o yaml` changes nothing.
pub(super) fn written(object: &Value, subject: &Subject) -> Value {
    json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": {"namespace": subject.namespace, "name": subject.name},
        "spec": object["spec"],
    })
}
