//! The numbers of one workload, which have to be the same everywhere.

use std::collections::BTreeMap;

use serde_json::Value;

/// The numbers of one workload at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The template's replicas.
    pub template: u64,
    /// The binding's replicas.
    pub binding: u64,
    /// The binding's clusters.
    pub clusters: BTreeMap<String, u64>,
    /// What each member's workload asks for.
    pub members: BTreeMap<String, u64>,
}

impl Numbers {
    /// What template and binding say, and each member's workload.
    pub fn read(template: &Value, binding: &Value, members: BTreeMap<String, u64>) -> Self {
        let clusters = binding.pointer("/spec/clusters").and_then(Value::as_array).into_iter().flatten();
        let entry = |cluster: &Value| {
            (cluster["name"].as_str().unwrap_or_default().to_owned(), number(cluster, "/replicas"))
        };
        Self {
            template: number(template, "/spec/replicas"),
            binding: number(binding, "/spec/replicas"),
            clusters: clusters.map(entry).collect(),
            members,
        }
    }

    /// Template, binding, its clusters and the members say the same.
    pub fn agree(&self) -> bool {
        let sum: u64 = self.clusters.values().sum();
        self.template == self.binding && self.binding == sum && self.clusters == self.members
    }
}

/// A number at a path of an object; absent is 0, as on the wire.
pub fn number(object: &Value, path: &str) -> u64 {
    object.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}
