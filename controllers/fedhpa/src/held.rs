//! Which workload a FedHPA is to deal with now.
//!
//! Responsible for a target that the spec no longer names being given back before the new one is touched. The status
//! says which one is held, and is written before anything of ours is on a new one; where it says nothing, the objects
//! do. Knows nothing of how a target is given back.

use fedscaler_crds::{FedHpa, FedHpaStatus, ScaleTargetRef};
use fedscaler_karmada::caches::Subject;

use crate::{
    admit::{Admitted, Target},
    context::Context,
    finalizer,
};

impl From<&ScaleTargetRef> for Target {
    fn from(wire: &ScaleTargetRef) -> Self {
        Self { api_version: wire.api_version.clone(), kind: wire.kind.clone(), name: wire.name.clone() }
    }
}

impl From<Subject> for Target {
    fn from(subject: Subject) -> Self {
        Self { api_version: subject.api_version, kind: subject.kind, name: subject.name }
    }
}

impl Target {
    /// Whether both name the same object: the group and not the version makes a kind.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.kind == other.kind && self.group() == other.group()
    }

    fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

/// The target that a FedHPA holds, as its status says.
pub fn recorded(status: Option<&FedHpaStatus>) -> Option<Target> {
    status.and_then(|status| status.target.as_ref()).map(Target::from)
}

/// The same FedHPA, about the target that it has to deal with first.
pub fn first_things_first(cx: &Context, object: &FedHpa, admitted: Admitted) -> Admitted {
    match superseded(cx, object, &admitted) {
        Some(held) => {
            let next_target = Some(admitted.target);
            Admitted { target: held, next_target, ..admitted }
        }
        None => admitted,
    }
}

/// A target that is still held though the spec names another.
fn superseded(cx: &Context, object: &FedHpa, admitted: &Admitted) -> Option<Target> {
    // Nothing of ours exists before the finalizer.
    if !finalizer::is_on(object) {
        return None;
    }
    if let Some(recorded) = recorded(object.status.as_ref()) {
        return Some(recorded).filter(|held| !held.is_same(&admitted.target));
    }
    let held = cx.karmada.held_for(&admitted.namespace, &admitted.uid);
    held.into_iter().map(Target::from).find(|held| !held.is_same(&admitted.target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(api_version: &str, kind: &str, name: &str) -> Target {
        Target { api_version: api_version.into(), kind: kind.into(), name: name.into() }
    }

    #[test]
    fn another_version_of_the_same_kind_is_the_same_target() {
        let web = target("apps/v1", "Deployment", "web");
        assert!(web.is_same(&target("apps/v1beta1", "Deployment", "web")));
        assert!(!web.is_same(&target("apps/v1", "Deployment", "api")));
        assert!(!web.is_same(&target("apps/v1", "StatefulSet", "web")));
        assert!(!target("apps/v1", "StatefulSet", "web").is_same(&target(
            "apps.kruise.io/v1beta1",
            "StatefulSet",
            "web"
        )));
    }
}
