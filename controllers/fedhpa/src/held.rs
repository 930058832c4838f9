//! Which workload a FedHPA is to deal with now.
//!
//! Responsible for a target that the spec no longer names being given back before the new one is touched. The status
//! says which one is held, and is written before anything of ours is on a new one; where it says nothing, the objects
//! do. Knows nothing of how a target is given back.

use fedscaler_crds::{FedHpa, ScaleTargetRef};
use fedscaler_karmada::caches::Subject;

use crate::{
    admit::{Admitted, Target},
    finalizer,
    sight::Sight,
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
    /// Whether a reference names this object: the group and not the version makes a kind.
    pub fn is_named_by(&self, wire: &ScaleTargetRef) -> bool {
        let group = |api_version: &str| api_version.split_once('/').map_or(0, |(group, _)| group.len());
        let (ours, theirs) = (group(&self.api_version), group(&wire.api_version));
        self.name == wire.name
            && self.kind == wire.kind
            && self.api_version[..ours] == wire.api_version[..theirs]
    }
}

/// The target that a FedHPA holds, as its status says.
pub fn recorded(object: &FedHpa) -> Option<&ScaleTargetRef> {
    object.status.as_ref()?.target.as_ref()
}

/// The same FedHPA, about the target that it has to deal with first.
pub fn first_things_first(sight: &Sight, object: &FedHpa, admitted: Admitted) -> Admitted {
    match superseded(sight, object, &admitted) {
        Some(held) => {
            let next_target = Some(admitted.target);
            Admitted { target: held, next_target, ..admitted }
        }
        None => admitted,
    }
}

/// A target that is still held though the spec names another.
fn superseded(sight: &Sight, object: &FedHpa, admitted: &Admitted) -> Option<Target> {
    // Nothing of ours exists before the finalizer.
    if !finalizer::is_on(object) {
        return None;
    }
    if let Some(recorded) = recorded(object) {
        return Some(Target::from(recorded)).filter(|_| !admitted.target.is_named_by(recorded));
    }
    let held = sight.karmada.held_for(&admitted.namespace, &admitted.uid);
    held.into_iter().map(Target::from).find(|held| !held.is_named_by(&object.spec.scale_target_ref))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(api_version: &str, kind: &str, name: &str) -> ScaleTargetRef {
        ScaleTargetRef { api_version: api_version.into(), kind: kind.into(), name: name.into() }
    }

    #[test]
    fn another_version_of_the_same_kind_is_the_same_target() {
        let web = Target::from(&wire("apps/v1", "Deployment", "web"));
        assert!(web.is_named_by(&wire("apps/v1beta1", "Deployment", "web")));
        assert!(!web.is_named_by(&wire("apps/v1", "Deployment", "api")));
        assert!(!web.is_named_by(&wire("apps/v1", "StatefulSet", "web")));
        let set = Target::from(&wire("apps/v1", "StatefulSet", "web"));
        assert!(!set.is_named_by(&wire("apps.kruise.io/v1beta1", "StatefulSet", "web")));
        assert!(Target::from(&wire("v1", "Thing", "web")).is_named_by(&wire("v2", "Thing", "web")));
    }
}
