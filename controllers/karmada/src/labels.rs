//! The labels, annotations, finalizers and field managers that are read and written.
//!
//! Responsible for each key having one name and one explanation. Knows nothing of the objects that carry them.

/// Ours, on the template of a workload: its replicas belong to the members. The customizations in
/// `deploy/karmada` look for it in the Work's manifest. Value: [`TRUE`].
pub const RETAIN_REPLICAS: &str = "autoscaling.fedscaler.io/retain-replicas";

/// Ours, an annotation on the template: a member may run it at 0 on purpose, so that an observed 0 is retained
/// too. Without it an observed 0 under a wanted count above 0 is put right, because a native HPA is disabled at 0.
/// Value: [`TRUE`].
pub const SCALES_TO_ZERO: &str = "autoscaling.fedscaler.io/scales-to-zero";

/// Ours, on HPA Works and on the HPAs inside them: the uid of the FedHPA that they were made for. Its presence
/// is what selects our Works, and what makes the status customization reflect more than Karmada does.
pub const OWNER_UID: &str = "autoscaling.fedscaler.io/owner-uid";

/// Ours, an annotation on HPA Works: `namespace/name` of the FedHPA, for people. No label, because a slash is
/// not allowed in a label's value.
pub const FEDHPA: &str = "autoscaling.fedscaler.io/fedhpa";

/// Ours, an annotation on HPA Works: the bounds, as `min-max`, that the member's HPA may still work with from
/// before the Work's bounds were last changed.
pub const BOUNDS_BEFORE: &str = "autoscaling.fedscaler.io/bounds-before";

/// Ours, an annotation on HPA Works: when the Work's bounds were last changed.
pub const BOUNDS_SINCE: &str = "autoscaling.fedscaler.io/bounds-since";

/// Ours, an annotation on a binding whose scheduling we suspended: the uid of the FedHPA that holds it.
pub const HOLDS_SCHEDULING: &str = "autoscaling.fedscaler.io/holds-scheduling";

/// The field manager of everything that the FedHPA controller writes.
pub const FEDHPA_MANAGER: &str = "fedscaler-fedhpa";

/// The field manager of everything that the CronHPA controller writes.
pub const CRONHPA_MANAGER: &str = "fedscaler-cronhpa";

/// Karmada's own retention label, which it honours on `apps/v1` Deployments only and which wakes two of its
/// controllers. We read it, but never set it. Value: [`TRUE`].
pub const KARMADA_RETAIN_REPLICAS: &str = "resourcetemplate.karmada.io/retain-replicas";

/// On an object in a member: Karmada made it. Without this label in a manifest, Karmada refuses every later
/// update and delete of the object. Value: [`TRUE`].
pub const MANAGED: &str = "karmada.io/managed";

/// The annotation in a manifest that leads from the member's object back to its Work: the Work's namespace.
/// Without it the object's status is never collected.
pub const WORK_NAMESPACE: &str = "work.karmada.io/namespace";

/// As [`WORK_NAMESPACE`]: the Work's name.
pub const WORK_NAME: &str = "work.karmada.io/name";

/// An annotation in a manifest: the uid of the template. It spares Karmada a log line at each sync.
pub const TEMPLATE_UID: &str = "resourcetemplate.karmada.io/uid";

/// An annotation in a manifest: what to do with an object that already is in the member. [`OVERWRITE`] adopts it.
pub const CONFLICT_RESOLUTION: &str = "work.karmada.io/conflict-resolution";

/// The value of [`CONFLICT_RESOLUTION`] that adopts.
pub const OVERWRITE: &str = "overwrite";

/// The label on a Work that a binding made. A Work of ours must not bear it: Karmada would collect it as an orphan.
pub const BINDING_PERMANENT_ID: &str = "resourcebinding.karmada.io/permanent-id";

/// The annotation on a Work that names the binding it was made for.
pub const BINDING_NAME: &str = "resourcebinding.karmada.io/name";

/// The finalizer that lets Karmada delete the member's object before the Work goes. Nobody adds it for us, and
/// without it the object stays behind.
pub const EXECUTION_FINALIZER: &str = "karmada.io/execution-controller";

/// The taint of a cluster that is not ready.
pub const TAINT_NOT_READY: &str = "cluster.karmada.io/not-ready";

/// The taint of a cluster that cannot be reached.
pub const TAINT_UNREACHABLE: &str = "cluster.karmada.io/unreachable";

/// The value of labels and annotations that say yes.
pub const TRUE: &str = "true";
