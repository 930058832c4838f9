//! Kinds that Kubernetes has of itself: their defaults, and what they refuse.

use serde_json::{Value, json};

use crate::{
    bodies::{AUTOSCALERS, DEPLOYMENTS, STATEFUL_SETS, autoscaler, deployment, workload},
    case::cases,
    server::Server,
};

cases! { ApiServer:
    deployments_get_their_defaults,
    stateful_sets_get_their_defaults,
    workloads_select_the_pods_they_make,
    autoscalers_get_their_defaults,
    autoscalers_refuse_bounds_that_make_no_sense,
    autoscalers_have_a_status_of_their_own,
    leases_are_taken_by_whoever_is_first,
    events_are_one_under_two_names,
}

async fn deployments_get_their_defaults(server: &Server) {
    let mut web = deployment("web");
    web["spec"].as_object_mut().unwrap().remove("replicas");
    web["spec"]["paused"] = json!(true);
    let spec = &server.post(&server.path(DEPLOYMENTS), web).await.created()["spec"];
    assert_eq!(
        (&spec["replicas"], &spec["revisionHistoryLimit"], &spec["progressDeadlineSeconds"]),
        (&json!(1), &json!(10), &json!(600))
    );
    assert_eq!(
        spec["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    );
    let pod = &spec["template"]["spec"];
    assert_eq!((&pod["restartPolicy"], &pod["dnsPolicy"]), (&json!("Always"), &json!("ClusterFirst")));
    assert_eq!(
        (&pod["schedulerName"], &pod["terminationGracePeriodSeconds"]),
        (&json!("default-scheduler"), &json!(30))
    );
    assert_eq!(pod["containers"][0]["resources"], json!({}));
    assert_eq!(pod["containers"][0]["imagePullPolicy"], "IfNotPresent");
}

async fn stateful_sets_get_their_defaults(server: &Server) {
    let spec =
        &server.post(&server.path(STATEFUL_SETS), workload("StatefulSet", "db")).await.created()["spec"];
    assert_eq!(
        (&spec["podManagementPolicy"], &spec["revisionHistoryLimit"]),
        (&json!("OrderedReady"), &json!(10))
    );
    assert_eq!(spec["updateStrategy"], json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
}

async fn workloads_select_the_pods_they_make(server: &Server) {
    let mut other = deployment("web");
    other["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
    let says = [
        "spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`",
    ];
    server.post(&server.path(DEPLOYMENTS), other).await.refused_with(422, "Invalid", &says);
    let mut none = deployment("web");
    none["spec"].as_object_mut().unwrap().remove("selector");
    server.post(&server.path(DEPLOYMENTS), none).await.refused_with(
        422,
        "Invalid",
        &["spec.selector: Required value"],
    );
    let mut negative = deployment("web");
    negative["spec"]["replicas"] = json!(-1);
    let says = ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"];
    server.post(&server.path(DEPLOYMENTS), negative).await.refused_with(422, "Invalid", &says);
}

async fn autoscalers_get_their_defaults(server: &Server) {
    let spec = &server.post(&server.path(AUTOSCALERS), autoscaler("web")).await.created()["spec"];
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(1), &json!(5)));
    assert_eq!(
        spec["metrics"],
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}])
    );
    assert_eq!(spec.get("behavior"), None);
    let mut shaped = autoscaler("shaped");
    shaped["spec"]["behavior"] = json!({"scaleDown": {"stabilizationWindowSeconds": 60}});
    let behavior = &server.post(&server.path(AUTOSCALERS), shaped).await.created()["spec"]["behavior"];
    assert_eq!(
        behavior["scaleDown"],
        json!({"stabilizationWindowSeconds": 60, "selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]})
    );
    assert_eq!(
        behavior["scaleUp"],
        json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15},
        ]})
    );
}

async fn autoscalers_refuse_bounds_that_make_no_sense(server: &Server) {
    let bounds = |least: Value, most: Value| {
        let mut hpa = autoscaler("web");
        hpa["spec"]["minReplicas"] = least;
        hpa["spec"]["maxReplicas"] = most;
        hpa
    };
    let refusals: [(Value, Value, &str); 3] = [
        (
            json!(6),
            json!(5),
            "spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`",
        ),
        (json!(-1), json!(5), "spec.minReplicas: Invalid value: -1: must be greater than or equal to "),
        (json!(1), json!(0), "spec.maxReplicas: Required value: must be set and greater than 0"),
    ];
    for (least, most, says) in refusals {
        let refused = server.post(&server.path(AUTOSCALERS), bounds(least, most)).await;
        refused.refused_with(
            422,
            "Invalid",
            &["HorizontalPodAutoscaler.autoscaling \"web\" is invalid: ", says],
        );
    }
}

async fn autoscalers_have_a_status_of_their_own(server: &Server) {
    server.post(&server.path(AUTOSCALERS), autoscaler("web")).await.created();
    let path = format!("{}/web", server.path(AUTOSCALERS));
    let status = json!({"status": {"currentReplicas": 2, "desiredReplicas": 3}, "spec": {"maxReplicas": 9}});
    let changed = server.merge(&format!("{path}/status"), status).await.ok();
    assert_eq!(
        (&changed["status"]["desiredReplicas"], &changed["spec"]["maxReplicas"]),
        (&json!(3), &json!(5))
    );
}

async fn leases_are_taken_by_whoever_is_first(server: &Server) {
    let leases = server.path("coordination.k8s.io/v1/leases");
    let lease = |holder: &str| {
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-03-02T00:00:00.000000Z"}})
    };
    let first = server.post(&leases, lease("one")).await.created();
    server.post(&leases, lease("two")).await.refused(409, "AlreadyExists");
    let mut renewed = first.clone();
    renewed["spec"]["renewTime"] = json!("2026-03-02T00:00:10.000000Z");
    server.put(&format!("{leases}/leader"), renewed).await.ok();
    let mut stolen = first;
    stolen["spec"]["holderIdentity"] = json!("two");
    server.put(&format!("{leases}/leader"), stolen).await.refused(409, "Conflict");
    let mut endless = lease("one");
    endless["metadata"]["name"] = json!("endless");
    endless["spec"]["leaseDurationSeconds"] = json!(0);
    server.post(&leases, endless).await.refused_with(
        422,
        "Invalid",
        &["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    );
}

async fn events_are_one_under_two_names(server: &Server) {
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "told"},
        "eventTime": "2026-03-02T00:00:00.000000Z", "reportingController": "example.com/tests", "reportingInstance": "one",
        "action": "Tell", "reason": "Told", "type": "Normal", "note": "hello",
        "regarding": {"apiVersion": "v1", "kind": "ConfigMap", "name": "one", "namespace": server.namespace},
    });
    let made = server.post(&server.path("events.k8s.io/v1/events"), event).await.created();
    assert_eq!(made["note"], "hello");
    let query = format!("{}?fieldSelector=involvedObject.name%3Done", server.path("v1/events"));
    let core = server.get(&query).await.ok();
    assert_eq!(
        (&core["items"][0]["message"], &core["items"][0]["involvedObject"]["kind"]),
        (&json!("hello"), &json!("ConfigMap"))
    );
}
