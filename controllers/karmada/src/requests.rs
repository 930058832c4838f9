//! What one replica asks of a node.
//!
//! Responsible for adding up the requests of a pod template as the scheduler in a member does. Knows nothing of
//! the kind that the template belongs to.

use std::collections::BTreeMap;

use fedscaler_core::room::Amounts;
use k8s_openapi::{
    api::core::v1::{Container, PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use serde_json::Value;

use crate::{
    error::Unreadable,
    quantity::{self, BadQuantity, Round},
};

const FIELD: &str = "spec.template.spec";

/// The effective requests of a pod made from `pod_spec` (the `spec.template.spec` of a workload).
///
/// As Kubernetes computes them: the larger of what the containers (and the init containers that keep running)
/// request together and of what each init container needs while it runs; requests of the pod as a whole take
/// precedence; the runtime class's overhead is added; a limit without a request is a request.
pub fn of_pod_spec(pod_spec: &Value) -> Result<Amounts, Unreadable> {
    let spec: PodSpec = serde_json::from_value(pod_spec.clone())
        .map_err(|_| Unreadable::Missing { object: "the template", field: FIELD })?;
    effective(&spec).map_err(|bad| Unreadable::Quantity { field: FIELD, bad })
}

fn effective(spec: &PodSpec) -> Result<Amounts, BadQuantity> {
    let mut total = containers(spec)?;
    if let Some(whole) = &spec.resources {
        total.extend(requested(whole)?);
    }
    if let Some(overhead) = &spec.overhead {
        add(&mut total, quantity::amounts(overhead, Round::Up)?);
    }
    Ok(total)
}

fn containers(spec: &PodSpec) -> Result<Amounts, BadQuantity> {
    let mut running = Amounts::new();
    for container in &spec.containers {
        add(&mut running, of_container(container)?);
    }
    let (sidecars, peak) = starting(spec.init_containers.as_deref().unwrap_or_default())?;
    add(&mut running, sidecars);
    raise(&mut running, &peak);
    Ok(running)
}

/// What the init containers that keep running request together, and the most that is needed while starting.
fn starting(init_containers: &[Container]) -> Result<(Amounts, Amounts), BadQuantity> {
    let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
    for container in init_containers {
        let mut needed = of_container(container)?;
        add(&mut needed, sidecars.clone());
        raise(&mut peak, &needed);
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars = needed;
        }
    }
    Ok((sidecars, peak))
}

fn of_container(container: &Container) -> Result<Amounts, BadQuantity> {
    container.resources.as_ref().map_or_else(|| Ok(Amounts::new()), requested)
}

fn requested(resources: &ResourceRequirements) -> Result<Amounts, BadQuantity> {
    let mut requests: BTreeMap<String, Quantity> = resources.limits.clone().unwrap_or_default();
    requests.extend(resources.requests.clone().unwrap_or_default());
    quantity::amounts(&requests, Round::Up)
}

fn add(to: &mut Amounts, more: Amounts) {
    for (name, amount) in more {
        let sum = to.entry(name).or_default();
        *sum = sum.saturating_add(amount);
    }
}

fn raise(to: &mut Amounts, at_least: &Amounts) {
    for (name, amount) in at_least {
        let current = to.entry(name.clone()).or_default();
        *current = (*current).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asks(cpu: &str) -> Value {
        json!({"name": "c", "resources": {"requests": {"cpu": cpu}}})
    }

    fn cpu(spec: &Value) -> u64 {
        of_pod_spec(spec).unwrap()["cpu"]
    }

    #[test]
    fn containers_add_up_and_a_limit_without_a_request_is_a_request() {
        let limited = json!({"name": "l", "resources": {"limits": {"cpu": "1", "nvidia.com/gpu": "2"}}});
        let total = of_pod_spec(&json!({"containers": [asks("250m"), limited]})).unwrap();
        assert_eq!((total["cpu"], total["nvidia.com/gpu"]), (1250, 2));
    }

    #[test]
    fn an_init_container_counts_only_where_it_needs_more_than_what_runs_later() {
        let small = json!({"containers": [asks("1")], "initContainers": [asks("500m")]});
        let large = json!({"containers": [asks("1")], "initContainers": [asks("3"), asks("2")]});
        assert_eq!((cpu(&small), cpu(&large)), (1000, 3000));
    }

    #[test]
    fn an_init_container_that_keeps_running_counts_all_along() {
        let mut sidecar = asks("200m");
        sidecar["restartPolicy"] = json!("Always");
        assert_eq!(cpu(&json!({"containers": [asks("1")], "initContainers": [sidecar]})), 1200);
        let start = json!({"containers": [asks("1")], "initContainers": [sidecar, asks("2")]});
        assert_eq!(cpu(&start), 2200);
    }

    #[test]
    fn requests_of_the_whole_pod_take_precedence_and_overhead_is_added() {
        let spec = json!({
            "containers": [asks("1")],
            "resources": {"requests": {"cpu": "1500m"}},
            "overhead": {"cpu": "100m"},
        });
        assert_eq!(cpu(&spec), 1600);
    }

    #[test]
    fn a_template_that_requests_nothing_asks_for_nothing() {
        assert_eq!(of_pod_spec(&json!({"containers": [{"name": "c"}]})).unwrap(), Amounts::new());
    }

    #[test]
    fn a_template_that_cannot_be_read_is_an_error_and_not_a_small_request() {
        assert!(of_pod_spec(&json!({"containers": [asks("a lot")]})).is_err());
        assert!(of_pod_spec(&json!({"containers": "none"})).is_err());
    }
}
