//! Wire types of FedHPA and CronHPA, and the CustomResourceDefinitions rendered from them.
//!
//! The types say what may be written and what absence means; defaults, limits and CEL rules travel in the rendered
//! schema. What the fields *do* is not known here: controllers turn these types into domain types of their own.

#[expect(unreachable_pub, reason = "KubeSchema repeats each struct, `pub` and all, inside a function")]
#[expect(
    clippy::duplicated_attributes,
    reason = "printer columns have attributes of the same name and value"
)]
pub mod cronhpa;
#[expect(unreachable_pub, reason = "KubeSchema repeats each struct, `pub` and all, inside a function")]
#[expect(
    clippy::duplicated_attributes,
    reason = "printer columns have attributes of the same name and value"
)]
pub mod fedhpa;
pub mod render;
mod schema;
pub mod target;

pub use cronhpa::{CronHpa, CronHpaSpec, CronHpaStatus};
pub use fedhpa::{FedHpa, FedHpaSpec, FedHpaStatus};
pub use target::ScaleTargetRef;

/// API group of both kinds.
pub const GROUP: &str = "autoscaling.fedscaler.io";

/// The version of the API group that is served and stored.
pub const VERSION: &str = "v1alpha1";
