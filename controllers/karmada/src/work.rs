//! The Work that carries a native HPA to a member.
//!
//! Responsible for building it so that Karmada dispatches it, reports on it and cleans up after it; for telling
//! whether the one that is there says the same; and for writing and deleting it. Knows nothing of how the HPA's
//! bounds are chosen.

use chrono::{DateTime, Utc};
use fedscaler_core::{fedhpa::policy::Bounds, reading::Reading};
use fedscaler_runtime::{
    client::CallError,
    leadership::Term,
    time::{from_wire, to_wire},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Preconditions},
};
use serde_json::{Value, json};

use crate::{
    error::WriteError,
    freshness::Health,
    hpa::{self, MemberHpa},
    labels::{
        BINDING_NAME, BINDING_PERMANENT_ID, BOUNDS_BEFORE, BOUNDS_SINCE, CONFLICT_RESOLUTION,
        EXECUTION_FINALIZER, FEDHPA, MANAGED, OVERWRITE, OWNER_UID, TEMPLATE_UID, TRUE, WORK_NAME,
        WORK_NAMESPACE,
    },
    names::{self, HPA_KIND},
    plane::ControlPlane,
    types::Work,
};

/// What Karmada says, in lower case, of an object in a member that it did not make.
const EXISTS: &str = "karmada will not manage this resource";

/// What to do about an HPA of that name that a member already has and that Karmada did not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone: the Work is not applied, and says so.
    Refuse,
    /// Take it over, and leave it in the member when the Work goes: it was there before.
    Adopt,
}

impl Existing {
    /// Where the user wants HPAs to be adopted, only what is in the way is, so that what was never the member's own goes
    /// with its Work. An HPA that was adopted once stays so, whatever is wanted by now.
    pub fn of(there: Option<&Work>, wanted: Self) -> Self {
        let adopted = |work: &Work| work.spec.preserve_resources_on_deletion == Some(true);
        let in_the_way = |work: &Work| wanted == Self::Adopt && applied(work) == Applied::Exists;
        if there.is_some_and(|work| adopted(work) || in_the_way(work)) { Self::Adopt } else { Self::Refuse }
    }
}

/// A Work as it should be, for one HPA in one member.
#[derive(Clone, Debug, PartialEq)]
pub struct HpaWork {
    namespace: String,
    name: String,
    owner_uid: String,
    body: Value,
}

/// The HPA that a member is to have.
#[derive(Clone, Debug)]
pub struct WantedHpa<'a> {
    /// The member.
    pub cluster: &'a str,
    /// The HPA's namespace in the member.
    pub namespace: &'a str,
    /// The HPA's name.
    pub name: &'a str,
    /// Its `autoscaling/v2` spec; what is left out is filled in.
    pub spec: Value,
    /// The uid of the FedHPA that it is for.
    pub owner_uid: &'a str,
    /// The name of the FedHPA, which is in the same namespace.
    pub owner_name: &'a str,
    /// What to do about one that is there already.
    pub existing: Existing,
}

impl HpaWork {
    /// The Work for this HPA.
    pub fn build(wanted: WantedHpa<'_>) -> Self {
        let namespace = names::execution_namespace(wanted.cluster);
        let name = names::work_name(HPA_KIND, wanted.name, wanted.namespace);
        let owner_uid = wanted.owner_uid.to_owned();
        let existing = wanted.existing;
        let mut body = json!({
            "apiVersion": "work.karmada.io/v1alpha1",
            "kind": "Work",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {OWNER_UID: owner_uid},
                "annotations": {FEDHPA: format!("{}/{}", wanted.namespace, wanted.owner_name)},
                "finalizers": [EXECUTION_FINALIZER],
            },
            "spec": {"workload": {"manifests": [manifest(wanted, &namespace, &name)]}},
        });
        match existing {
            Existing::Refuse => {}
            Existing::Adopt => body["spec"]["preserveResourcesOnDeletion"] = json!(true),
        }
        Self { namespace, name, owner_uid, body }
    }

    /// Its namespace, which is the member's execution namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole object as it is applied.
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// How the Work that is there relates to this one. Only what is ours is compared: Karmada adds labels,
    /// annotations and prunes.
    pub fn compare(&self, there: Option<&Work>) -> Comparison {
        let Some(there) = there else {
            return Comparison::Absent;
        };
        let fed_hpa = self.body["metadata"]["annotations"][FEDHPA].as_str().unwrap_or_default();
        if let Some(by) = foreign(there, &self.owner_uid, fed_hpa) {
            return Comparison::Foreign(by);
        }
        if there.metadata.deletion_timestamp.is_some() {
            return Comparison::Deleting;
        }
        if self.says_the_same_as(there) { Comparison::Same } else { Comparison::Differs }
    }

    fn says_the_same_as(&self, there: &Work) -> bool {
        let metadata = &self.body["metadata"];
        let ours = &self.body["spec"]["workload"]["manifests"][0];
        let [theirs] = there.spec.workload.manifests.as_slice() else {
            return false;
        };
        let has_finalizer = there.finalizers().iter().any(|finalizer| finalizer == EXECUTION_FINALIZER);
        let annotation = there.annotations().get(FEDHPA).map(String::as_str);
        let preserved = there.spec.preserve_resources_on_deletion == Some(true);
        has_finalizer
            && there.labels().get(OWNER_UID) == Some(&self.owner_uid)
            && preserved == (self.body["spec"]["preserveResourcesOnDeletion"] == true)
            && annotation == metadata["annotations"][FEDHPA].as_str()
            && ours["apiVersion"] == theirs["apiVersion"]
            && ours["kind"] == theirs["kind"]
            && includes(&theirs["metadata"], &ours["metadata"])
            && theirs["metadata"]["annotations"][CONFLICT_RESOLUTION]
                == ours["metadata"]["annotations"][CONFLICT_RESOLUTION]
            && hpa::defaulted(theirs["spec"].clone()) == ours["spec"]
    }
}

fn manifest(wanted: WantedHpa<'_>, work_namespace: &str, work_name: &str) -> Value {
    let mut annotations = json!({
        WORK_NAMESPACE: work_namespace,
        WORK_NAME: work_name,
        TEMPLATE_UID: wanted.owner_uid,
    });
    match wanted.existing {
        Existing::Refuse => {}
        Existing::Adopt => annotations[CONFLICT_RESOLUTION] = json!(OVERWRITE),
    }
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": HPA_KIND,
        "metadata": {
            "name": wanted.name,
            "namespace": wanted.namespace,
            "labels": {MANAGED: TRUE, OWNER_UID: wanted.owner_uid},
            "annotations": annotations,
        },
        "spec": hpa::defaulted(wanted.spec),
    })
}

/// How the Work that is there relates to the one that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// There is none.
    Absent,
    /// It says the same: nothing is to be written.
    Same,
    /// It is ours and says something else.
    Differs,
    /// It is ours and being deleted: to be waited for.
    Deleting,
    /// It belongs to someone else, and is not to be touched.
    Foreign(Foreign),
}

/// Whose Work stands where ours should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Karmada made it for a binding: the user also propagates an HPA of the same name.
    Binding(Option<String>),
    /// Another FedHPA's, by uid.
    Owner(String),
    /// Nobody is named.
    Unknown,
}

/// Who else the Work belongs to, if it does not belong to the FedHPA of uid `owner_uid` and key `fed_hpa`. What an earlier
/// FedHPA of that key has left behind (it was restored from a backup, or its finalizer was taken off by hand) belongs to
/// the one that bears it now.
pub fn foreign(work: &Work, owner_uid: &str, fed_hpa: &str) -> Option<Foreign> {
    let binding = work.annotations().get(BINDING_NAME);
    if binding.is_some() || work.labels().contains_key(BINDING_PERMANENT_ID) {
        return Some(Foreign::Binding(binding.cloned()));
    }
    match work.labels().get(OWNER_UID) {
        Some(owner) if owner == owner_uid => None,
        Some(_predecessor) if work.annotations().get(FEDHPA).is_some_and(|key| key == fed_hpa) => None,
        Some(owner) => Some(Foreign::Owner(owner.clone())),
        None => Some(Foreign::Unknown),
    }
}

/// Whether every field of `part` is in `whole` with the same value.
fn includes(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|there| includes(there, value)))
        }
        (whole, part) => whole == part,
    }
}

/// Whether the member took what is in a Work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It did.
    Yes,
    /// It has an object of that name that Karmada did not make.
    Exists,
    /// It did not for another reason; what Karmada says about it.
    No(String),
    /// Karmada has not said yet.
    NotYet,
}

/// Whether the member took what is in a Work. That it did proves nothing about what was done with it.
pub fn applied(work: &Work) -> Applied {
    match work.status.conditions.iter().find(|condition| condition.type_ == "Applied") {
        Some(condition) if condition.status == "True" => Applied::Yes,
        Some(condition) if condition.message.to_lowercase().contains(EXISTS) => Applied::Exists,
        Some(condition) => Applied::No(condition.message.clone()),
        None => Applied::NotYet,
    }
}

/// The HPA in the member, as a Work of ours shows it in a cluster of this health at `now`.
pub fn member_hpa(work: &Work, health: Health, now: DateTime<Utc>) -> Reading<MemberHpa> {
    health.age(MemberHpa::read(reflected(work)), now)
}

/// The status that Karmada reflected of the one object in a Work.
pub(crate) fn reflected(work: &Work) -> Option<&Value> {
    work.status.manifest_statuses.first()?.status.as_ref()
}

/// The bounds of a Work, and what may still act from before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// What the manifest says.
    pub bounds: Bounds,
    /// What the member's HPA may still work with: an HPA acts on an edit up to a sync period later.
    pub before: Bounds,
    /// When the manifest's bounds were last changed.
    pub since: DateTime<Utc>,
}

/// The bounds of a Work of ours; `None` where it has no manifest with bounds. Without our notes in the annotations,
/// the bounds are as old as the Work.
pub fn tenure(work: &Work) -> Option<Tenure> {
    let bounds = bounds_of(&work.spec.workload.manifests.first()?["spec"])?;
    let noted = |name| work.annotations().get(name);
    let since = noted(BOUNDS_SINCE).and_then(|text| text.parse().ok());
    Some(Tenure {
        bounds,
        before: noted(BOUNDS_BEFORE).and_then(|text| parse_bounds(text)).unwrap_or(bounds),
        since: since.or_else(|| work.creation_timestamp().as_ref().map(from_wire)).unwrap_or_default(),
    })
}

fn bounds_of(hpa_spec: &Value) -> Option<Bounds> {
    let count = |name: &str| u32::try_from(hpa_spec[name].as_u64()?).ok();
    Some(Bounds { min: count("minReplicas").unwrap_or(1), max: count("maxReplicas")? })
}

fn parse_bounds(text: &str) -> Option<Bounds> {
    let (min, max) = text.split_once('-')?;
    Some(Bounds { min: min.parse().ok()?, max: max.parse().ok()? })
}

/// Makes the Work or brings it up to date at `now`. `there` is the one that the decision was made on, if there was
/// one: its version guards against writing over something newer. Where there was none, a Work of someone else that
/// turns up is a conflict. If the bounds change, `before` is noted as what the member's HPA may still work with.
pub async fn apply(
    plane: &ControlPlane,
    term: &Term,
    wanted: &HpaWork,
    there: Option<&Work>,
    before: Bounds,
    now: DateTime<Utc>,
) -> Result<Work, WriteError> {
    let api: Api<Work> = Api::namespaced(plane.client().clone(), &wanted.namespace);
    let body = apply_body(wanted, there, before, now);
    Ok(match there {
        Some(_) => plane.apply(term, &api, &wanted.name, &body).await?,
        None => plane.introduce(term, &api, &wanted.name, &body).await?,
    })
}

fn apply_body(wanted: &HpaWork, there: Option<&Work>, before: Bounds, now: DateTime<Utc>) -> Value {
    let mut body = wanted.body.clone();
    if let Some(there) = there {
        body["metadata"]["uid"] = json!(there.metadata.uid);
        body["metadata"]["resourceVersion"] = json!(there.metadata.resource_version);
    }
    let new = bounds_of(&wanted.body["spec"]["workload"]["manifests"][0]["spec"]);
    let kept = there.and_then(tenure).filter(|tenure| Some(tenure.bounds) == new);
    let (before, since) = kept.map_or((before, now), |tenure| (tenure.before, tenure.since));
    body["metadata"]["annotations"][BOUNDS_BEFORE] = json!(format!("{}-{}", before.min, before.max));
    body["metadata"]["annotations"][BOUNDS_SINCE] = json!(to_wire(since));
    body
}

/// What has become of a Work that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone, and the object in the member before it.
    Gone,
    /// It stays until Karmada has deleted the object in the member.
    Pending,
}

/// Deletes a Work of ours, exactly the one that was looked at.
pub async fn delete(plane: &ControlPlane, term: &Term, there: &Work) -> Result<Deletion, WriteError> {
    if there.metadata.deletion_timestamp.is_some() {
        return Ok(Deletion::Pending);
    }
    let api: Api<Work> = Api::namespaced(plane.client().clone(), &there.namespace().unwrap_or_default());
    match plane.write(term, api.delete(&there.name_any(), &exactly(there))).await {
        Ok(answer) => Ok(answer.either(|_stays| Deletion::Pending, |_gone| Deletion::Gone)),
        Err(CallError::NotFound(_)) => Ok(Deletion::Gone),
        Err(error) => Err(error.into()),
    }
}

fn exactly(there: &Work) -> DeleteParams {
    DeleteParams::default().preconditions(Preconditions {
        uid: there.metadata.uid.clone(),
        resource_version: there.metadata.resource_version.clone(),
    })
}

#[cfg(test)]
mod tests;
