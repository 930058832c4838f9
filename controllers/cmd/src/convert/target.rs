//! What is scaled: others' references as a CronHPA makes them.
//!
//! Responsible for versions that are gone and for kinds that a CronHPA cannot aim at. Knows no rule.

use fedscaler_crds::{GROUP, ScaleTargetRef, VERSION};
use fedscaler_karmada::types::FederatedHPA;
use kube::Resource as _;

use super::{
    manifest::Draft,
    tree::{Flaw, Node},
};

/// What kind of target it is: what can be set of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// An exact count.
    Workload,
    /// Bounds.
    Hpa,
    /// Bounds, in a FedHPA that is still to be made.
    FedHpa,
}

/// A target.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) aim: Aim,
    pub(super) reference: ScaleTargetRef,
    /// Where it is named.
    line: u64,
    /// As it was.
    before: ScaleTargetRef,
}

impl Target {
    /// The target that a reference names.
    pub(super) fn of(node: &Node) -> Result<Self, Flaw> {
        let text = |field: &str| Ok(node.required_text(field)?.value.to_owned());
        let before =
            ScaleTargetRef { api_version: text("apiVersion")?, kind: text("kind")?, name: text("name")? };
        let (group, version) = before.api_version.split_once('/').unwrap_or(("", &before.api_version));
        let (aim, api_version) = match (group, before.kind.as_str()) {
            (group, "FederatedHPA") if group == FederatedHPA::group(&()) => {
                (Aim::FedHpa, format!("{GROUP}/{VERSION}"))
            }
            ("autoscaling", "HorizontalPodAutoscaler") => (Aim::Hpa, "autoscaling/v2".to_owned()),
            ("apps" | "extensions", "Deployment" | "StatefulSet") => (Aim::Workload, "apps/v1".to_owned()),
            _ => (Aim::Workload, [group, version].join("/").trim_start_matches('/').to_owned()),
        };
        let kind = if aim == Aim::FedHpa { "FedHPA".to_owned() } else { before.kind.clone() };
        let reference = ScaleTargetRef { api_version, kind, name: before.name.clone() };
        Ok(Self { aim, reference, line: node.line, before })
    }

    /// Says in what the reference differs.
    pub(super) fn tell(&self, draft: &mut Draft) {
        let Self { reference, before, line, .. } = self;
        if self.aim == Aim::FedHpa {
            draft.say(
                *line,
                format!(
                    "a FederatedHPA has no equal: the target is a FedHPA of its \
                name. Make FedHPA {name} (its scaleTargetRef, minReplicas, maxReplicas, metrics \
                and behavior are called the same) and delete FederatedHPA {name}, for two \
                autoscalers on one workload block each other",
                    name = before.name
                ),
            );
        } else if reference.api_version != before.api_version {
            draft.say(*line, format!("{} becomes {}", before.api_version, reference.api_version));
        }
    }
}
