//! Who wrote which field.
//!
//! Responsible for reading the managers of a target's bounds or count out of its managed fields. Knows nothing of
//! what follows from it.

use fedscaler_core::cronhpa::facts::Writers;
use fedscaler_karmada::labels::CRONHPA_MANAGER;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

/// What is said of a field that nobody manages: the server may not keep track.
const UNKNOWN: &str = "unknown";

/// Who manages an HPA's bounds, if not us.
pub fn of_bounds(fields: &[ManagedFieldsEntry]) -> Writers {
    Writers { min: of_field(fields, "f:minReplicas"), max: of_field(fields, "f:maxReplicas") }
}

/// Who manages a workload's count, if not us.
pub fn of_count(fields: &[ManagedFieldsEntry]) -> Writers {
    let by = of_field(fields, "f:replicas");
    Writers { min: by.clone(), max: by }
}

/// A field that several manage was set to the same by all of them, so that it is ours if we are among them.
fn of_field(fields: &[ManagedFieldsEntry], field: &str) -> Option<String> {
    let owns = |entry: &&ManagedFieldsEntry| {
        let set = entry.fields_v1.as_ref();
        set.is_some_and(|set| set.0.get("f:spec").is_some_and(|spec| spec.get(field).is_some()))
    };
    let owners: Vec<_> = fields.iter().filter(owns).collect();
    let manager = |entry: &ManagedFieldsEntry| entry.manager.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    if owners.iter().any(|entry| manager(entry) == CRONHPA_MANAGER) {
        return None;
    }
    // Of several the latest, and of equals the last name.
    let latest =
        owners.into_iter().max_by_key(|entry| (entry.time.as_ref().map(|time| time.0), manager(entry)));
    let by = latest.map_or_else(|| UNKNOWN.to_owned(), manager);
    Some(by.chars().take(128).collect())
}
