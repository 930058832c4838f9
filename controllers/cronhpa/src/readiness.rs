//! How many replicas of the workload behind a target are ready.
//!
//! Responsible for finding that workload among what is watched. Asks no server: nothing depends on the answer but what
//! people are told.

use fedscaler_core::cronhpa::policy::Aim;
use fedscaler_runtime::key::ObjectKey;

use crate::{admit::Admitted, context::Context};

/// The replicas that are ready at least; `None` if nobody knows what the target scales.
pub fn of_target(cx: &Context, admitted: &Admitted) -> Option<u32> {
    let (kind, name) = workload(cx, admitted)?;
    Some(cx.karmada.ready(&admitted.namespace, &kind, &name))
}

/// What the target scales, or the target itself.
fn workload(cx: &Context, admitted: &Admitted) -> Option<(String, String)> {
    let target = &admitted.target;
    let key = ObjectKey::within(&admitted.namespace, &target.name);
    match admitted.policy.aim {
        Aim::Workload => Some((target.kind.clone(), target.name.clone())),
        Aim::FedHpa => {
            let scaled = &cx.fed_hpas.get(&key)?.spec.scale_target_ref;
            Some((scaled.kind.clone(), scaled.name.clone()))
        }
        Aim::Hpa => {
            let scaled = &cx.hpas.get(&key)?.spec.scale_target_ref;
            Some((scaled.kind.clone(), scaled.name.clone()))
        }
    }
}
