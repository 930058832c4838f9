//! The wire types of Karmada that are read and written, reduced to the fields that are used.
//!
//! Responsible for reading what is on the wire as it is: everything may be absent, and a number of value 0 is.
//! Knows nothing of what the fields mean; the readers in the other modules do.
//!
//! Objects are never written back as a whole, because the fields that are not here would be lost: writers send
//! patches.

mod binding;
mod cluster;
mod customization;
mod federated;
mod work;

pub use binding::*;
pub use cluster::*;
pub use customization::*;
pub use federated::*;
pub use work::*;

/// Makes a type a Kubernetes kind.
macro_rules! kind {
    ($kind:ident, $scope:ident, $group:literal, $version:literal, $plural:literal) => {
        impl kube::Resource for $kind {
            type DynamicType = ();
            type Scope = kube::core::$scope;

            fn kind((): &()) -> std::borrow::Cow<'_, str> {
                stringify!($kind).into()
            }

            fn group((): &()) -> std::borrow::Cow<'_, str> {
                $group.into()
            }

            fn version((): &()) -> std::borrow::Cow<'_, str> {
                $version.into()
            }

            fn plural((): &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &kube::core::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut kube::core::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
use kind;
