//! Looks at a FedHPA through the API server, once.
//!
//! Responsible for waiting until everything has been seen, and for saying what cannot be. Observes with the code of the
//! controller; has no right to write.

use std::{fmt::Debug, time::Duration};

use fedscaler_core::fedhpa::facts_file::Subject;
use fedscaler_crds::FedHpa;
use fedscaler_fedhpa::{
    admit::admit, context::CALL_BUDGET, held::first_things_first, observe::observe, sight::Sight,
};
use fedscaler_runtime::{
    client::{self, CallError},
    clock::SharedClock,
    metrics::Metrics,
    readiness::{Readiness, WatchState},
};
use kube::{Api, Client, Resource, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use super::Case;
use crate::{Refusal, suite::build};

/// How long all lists together may take.
const SYNC_BUDGET: Duration = Duration::from_mins(2);

/// How often is looked whether they have come.
const SYNC_STEP: Duration = Duration::from_millis(20);

/// Everything that the controller would decide about this FedHPA from, now.
pub async fn observed(
    client: Client,
    clock: SharedClock,
    namespace: &str,
    name: &str,
) -> Result<Case, Refusal> {
    let object: FedHpa = get(&client, namespace, name).await?;
    let admitted = admit(&object).map_err(|why| {
        Refusal::new(format!("FedHPA {namespace}/{name} cannot be acted on as it is written: {why}"))
    })?;
    let sight = seen(client, clock).await?;
    let admitted = first_things_first(&sight, &object, admitted);
    let observed = observe(&sight, &object, &admitted).await;
    let observed = observed.map_err(|why| Refusal::new(format!("cannot read the scale target: {why}")))?;
    let fed_hpa = Subject { namespace: namespace.to_owned(), name: name.to_owned() };
    Ok(Case { fed_hpa, policy: admitted.policy, facts: observed.facts })
}

/// An object, or why there is none to look at.
pub(super) async fn get<K>(client: &Client, namespace: &str, name: &str) -> Result<K, Refusal>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let (kind, plural) = (K::kind(&()), K::plural(&()));
    let found = client::within(CALL_BUDGET, api.get(name)).await;
    found.map_err(|error| match &error {
        CallError::NotFound(status) if status.details.as_ref().is_some_and(|of| !of.name.is_empty()) => {
            Refusal::new(format!(
                "there is no {kind} {name} in namespace {namespace}: `kubectl get {plural} -A` lists them, -n NAMESPACE chooses"
            ))
        }
        CallError::NotFound(_) => Refusal::new(format!(
            "the API server does not know {kind}s: is this Karmada's, and was `kubectl apply -k deploy/karmada` run?"
        )),
        CallError::Timeout(_)
        | CallError::Conflict(_)
        | CallError::AlreadyExists(_)
        | CallError::Forbidden(_)
        | CallError::Invalid(_)
        | CallError::Gone(_)
        | CallError::Throttled { .. }
        | CallError::Unavailable(_)
        | CallError::NotLeading
        | CallError::Other(_) => Refusal::new(format!(
            "cannot read {kind} {namespace}/{name}: {error}; check --kubeconfig and --context"
        )),
    })
}

/// All that there is to see, once it has been seen.
async fn seen(client: Client, clock: SharedClock) -> Result<Sight, Refusal> {
    let (readiness, metrics) = (Readiness::default(), Metrics::new(build()).map_err(Refusal::new)?);
    let sight = Sight::open(client, clock, &readiness, &metrics);
    match timeout(SYNC_BUDGET, synced(&readiness)).await {
        Ok(synced) => synced.map(|()| sight),
        Err(_elapsed) => Err(Refusal::new(format!(
            "not everything could be listed within {} s: {}",
            SYNC_BUDGET.as_secs(),
            amiss(&readiness).join("; ")
        ))),
    }
}

async fn synced(readiness: &Readiness) -> Result<(), Refusal> {
    while !readiness.is_ready() {
        let failing = readiness.states().into_iter().find(|(_, state)| match state {
            WatchState::Absent | WatchState::Failing(_) => true,
            WatchState::Syncing | WatchState::Synced => false,
        });
        if let Some((watch, state)) = failing {
            return Err(Refusal::new(format!("cannot list {watch}: {state}")));
        }
        sleep(SYNC_STEP).await;
    }
    Ok(())
}

fn amiss(readiness: &Readiness) -> Vec<String> {
    let states = readiness.states().into_iter().filter(|(_, state)| *state != WatchState::Synced);
    states.map(|(watch, state)| format!("{watch}: {state}")).collect()
}
