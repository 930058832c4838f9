//! What Kubernetes' own kinds show, column by column.
//!
//! Source: `pkg/printers/internalversion/printers.go` of Kubernetes. It knows fields of objects, not where they come from.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    super::kinds::GroupResource,
    words::{plain, since},
};

/// A column and how its cell comes about.
#[derive(Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    shape: &'static str,
    format: &'static str,
    priority: i64,
    pub(super) cell: fn(&Value, DateTime<Utc>) -> Value,
}

impl Column {
    pub(super) fn definition(&self) -> Value {
        json!({
            "name": self.name, "type": self.shape, "format": self.format, "description": "",
            "priority": self.priority,
        })
    }
}

type Cell = fn(&Value, DateTime<Utc>) -> Value;

const fn text(name: &'static str, cell: Cell) -> Column {
    Column { name, shape: "string", format: "", priority: 0, cell }
}

const fn count(name: &'static str, cell: Cell) -> Column {
    Column { name, shape: "integer", format: "", priority: 0, cell }
}

const fn wide(column: Column) -> Column {
    Column { priority: 1, ..column }
}

const NAME: Column =
    Column { format: "name", ..text("Name", |object, _| object["metadata"]["name"].clone()) };
const AGE: Column = text("Age", |object, now| age(&object["metadata"]["creationTimestamp"], now));
const CONTAINERS: Column = wide(text("Containers", |object, _| each_container(object, "name")));
const IMAGES: Column = wide(text("Images", |object, _| each_container(object, "image")));
const SELECTOR: Column =
    wide(text("Selector", |object, _| labels(&object["spec"]["selector"]["matchLabels"])));

/// The columns of a kind. A kind without a printer shows its name and when it was made.
pub(super) fn columns(kind: &GroupResource) -> &'static [Column] {
    match (kind.group.as_ref(), kind.plural.as_ref()) {
        ("", "namespaces") => NAMESPACES,
        ("", "configmaps") => CONFIG_MAPS,
        ("", "secrets") => SECRETS,
        ("", "nodes") => NODES,
        ("", "pods") => PODS,
        ("" | "events.k8s.io", "events") => EVENTS,
        ("apps", "deployments") => DEPLOYMENTS,
        ("apps", "statefulsets") => STATEFUL_SETS,
        ("apps", "replicasets") => REPLICA_SETS,
        ("autoscaling", "horizontalpodautoscalers") => AUTOSCALERS,
        ("coordination.k8s.io", "leases") => LEASES,
        _ => OTHERS,
    }
}

const OTHERS: &[Column] = &[
    NAME,
    Column {
        shape: "date",
        ..text("Created At", |object, _| object["metadata"]["creationTimestamp"].clone())
    },
];

const NAMESPACES: &[Column] = &[NAME, text("Status", |object, _| object["status"]["phase"].clone()), AGE];

const CONFIG_MAPS: &[Column] =
    &[NAME, text("Data", |object, _| json!(size(&object["data"]) + size(&object["binaryData"]))), AGE];

const SECRETS: &[Column] = &[
    NAME,
    text("Type", |object, _| object["type"].clone()),
    text("Data", |object, _| json!(size(&object["data"]))),
    AGE,
];

const LEASES: &[Column] =
    &[NAME, text("Holder", |object, _| json!(stated(&object["spec"]["holderIdentity"]))), AGE];

const NODES: &[Column] = &[
    NAME,
    text("Status", |object, _| json!(node_status(object))),
    text("Roles", |object, _| json!(node_roles(object))),
    AGE,
    text("Version", |object, _| json!(stated(&object["status"]["nodeInfo"]["kubeletVersion"]))),
    wide(text("Internal-IP", |object, _| json!(node_address(object, "InternalIP")))),
    wide(text("External-IP", |object, _| json!(node_address(object, "ExternalIP")))),
    wide(text("OS-Image", |object, _| json!(known(&object["status"]["nodeInfo"]["osImage"])))),
    wide(text("Kernel-Version", |object, _| json!(known(&object["status"]["nodeInfo"]["kernelVersion"])))),
    wide(text("Container-Runtime", |object, _| {
        json!(known(&object["status"]["nodeInfo"]["containerRuntimeVersion"]))
    })),
];

const PODS: &[Column] = &[
    NAME,
    text("Ready", |object, _| json!(pod_ready(object))),
    text("Status", |object, _| json!(pod_status(object))),
    text("Restarts", |object, _| json!(restarts(object).to_string())),
    AGE,
    wide(text("IP", |object, _| json!(none_if_empty(&object["status"]["podIP"])))),
    wide(text("Node", |object, _| json!(none_if_empty(&object["spec"]["nodeName"])))),
    wide(text("Nominated Node", |object, _| json!(none_if_empty(&object["status"]["nominatedNodeName"])))),
    wide(text("Readiness Gates", |_, _| json!("<none>"))),
];

const DEPLOYMENTS: &[Column] = &[
    NAME,
    text("Ready", |object, _| json!(ready_of_wanted(object))),
    count("Up-to-date", |object, _| json!(number(&object["status"]["updatedReplicas"]))),
    count("Available", |object, _| json!(number(&object["status"]["availableReplicas"]))),
    AGE,
    CONTAINERS,
    IMAGES,
    wide(text("Selector", |object, _| labels(&object["spec"]["selector"]["matchLabels"]))),
];

const STATEFUL_SETS: &[Column] =
    &[NAME, text("Ready", |object, _| json!(ready_of_wanted(object))), AGE, CONTAINERS, IMAGES];

const REPLICA_SETS: &[Column] = &[
    NAME,
    count("Desired", |object, _| json!(number(&object["spec"]["replicas"]))),
    count("Current", |object, _| json!(number(&object["status"]["replicas"]))),
    count("Ready", |object, _| json!(number(&object["status"]["readyReplicas"]))),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

const AUTOSCALERS: &[Column] = &[
    NAME,
    text("Reference", |object, _| {
        let target = &object["spec"]["scaleTargetRef"];
        json!(format!("{}/{}", stated(&target["kind"]), stated(&target["name"])))
    }),
    text("Targets", |object, _| json!(targets(object))),
    text("MinPods", |object, _| {
        object["spec"]["minReplicas"].as_i64().map_or_else(|| json!("<unset>"), |min| json!(min.to_string()))
    }),
    count("MaxPods", |object, _| json!(number(&object["spec"]["maxReplicas"]))),
    count("Replicas", |object, _| json!(number(&object["status"]["currentReplicas"]))),
    AGE,
];

const EVENTS: &[Column] = &[
    text("Last Seen", last_seen),
    text("Type", |object, _| object["type"].clone()),
    text("Reason", |object, _| object["reason"].clone()),
    text("Object", |object, _| {
        let about = &object["involvedObject"];
        json!(format!("{}/{}", stated(&about["kind"]).to_lowercase(), stated(&about["name"])))
    }),
    wide(text("Subobject", |object, _| json!(stated(&object["involvedObject"]["fieldPath"])))),
    wide(text("Source", |object, _| json!(event_source(object)))),
    text("Message", |object, _| json!(stated(&object["message"]).trim())),
    wide(text("First Seen", first_seen)),
    wide(count("Count", |object, _| json!(event_count(object)))),
    wide(NAME),
];

fn age(timestamp: &Value, now: DateTime<Utc>) -> Value {
    json!(since(timestamp.as_str(), now))
}

fn stated(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn known(value: &Value) -> &str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("<unknown>")
}

fn none_if_empty(value: &Value) -> &str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("<none>")
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn size(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn each_container(object: &Value, field: &str) -> Value {
    let containers = rows(&object["spec"]["template"]["spec"]["containers"]);
    json!(containers.iter().map(|container| stated(&container[field])).collect::<Vec<_>>().join(","))
}

fn labels(value: &Value) -> Value {
    let pairs = value.as_object().into_iter().flatten();
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={}", stated(value))).collect();
    json!(if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") })
}

fn ready_of_wanted(object: &Value) -> String {
    format!("{}/{}", number(&object["status"]["readyReplicas"]), number(&object["spec"]["replicas"]))
}

fn node_status(object: &Value) -> String {
    let mut conditions = rows(&object["status"]["conditions"]).iter();
    let ready = conditions.find(|condition| condition["type"] == "Ready");
    let mut status = match ready {
        Some(ready) if ready["status"] == "True" => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if object["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn node_roles(object: &Value) -> String {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    let roles = labels.filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"));
    let roles: Vec<&str> = roles.filter(|role| !role.is_empty()).collect();
    if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
}

fn node_address<'a>(object: &'a Value, kind: &str) -> &'a str {
    let mut addresses = rows(&object["status"]["addresses"]).iter();
    let found = addresses.find(|address| address["type"] == kind);
    found.map_or("<none>", |address| stated(&address["address"]))
}

fn pod_ready(object: &Value) -> String {
    let ready = rows(&object["status"]["containerStatuses"]).iter().filter(|status| status["ready"] == true);
    format!("{}/{}", ready.count(), rows(&object["spec"]["containers"]).len())
}

fn pod_status(object: &Value) -> String {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating".to_owned();
    }
    let reason = object["status"]["reason"].as_str().filter(|reason| !reason.is_empty());
    reason.or(object["status"]["phase"].as_str()).unwrap_or("Unknown").to_owned()
}

fn restarts(object: &Value) -> i64 {
    rows(&object["status"]["containerStatuses"]).iter().map(|status| number(&status["restartCount"])).sum()
}

/// What each metric has and wants, the first two of them.
fn targets(object: &Value) -> String {
    let specs = rows(&object["spec"]["metrics"]);
    let statuses = rows(&object["status"]["currentMetrics"]);
    let nothing = Value::Null;
    let all =
        specs.iter().enumerate().map(|(index, spec)| target(spec, statuses.get(index).unwrap_or(&nothing)));
    let all: Vec<String> = all.collect();
    match all.as_slice() {
        [] => "<none>".to_owned(),
        [first, second, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second} + {} more...", rest.len())
        }
        few => few.join(", "),
    }
}

fn target(spec: &Value, status: &Value) -> String {
    let (field, is_named, is_average_told) = match stated(&spec["type"]) {
        "Resource" => ("resource", true, false),
        "ContainerResource" => ("containerResource", true, false),
        "Pods" => ("pods", false, false),
        "Object" => ("object", false, true),
        "External" => ("external", false, true),
        _ => return "<unknown type>".to_owned(),
    };
    let (wanted, current) = (&spec[field]["target"], &status[field]["current"]);
    let name = if is_named { format!("{}: ", stated(&spec[field]["name"])) } else { String::new() };
    let told = |value: &Value, unit: &str| {
        if value.is_null() { "<unknown>".to_owned() } else { format!("{}{unit}", plain(value)) }
    };
    if !wanted["averageValue"].is_null() {
        let average = if is_average_told { " (avg)" } else { "" };
        return format!(
            "{name}{}/{}{average}",
            told(&current["averageValue"], ""),
            plain(&wanted["averageValue"])
        );
    }
    if is_named {
        let wanted = wanted["averageUtilization"]
            .as_i64()
            .map_or("<auto>".to_owned(), |percent| format!("{percent}%"));
        return format!("{name}{}/{wanted}", told(&current["averageUtilization"], "%"));
    }
    format!("{}/{}", told(&current["value"], ""), plain(&wanted["value"]))
}

fn first_seen(event: &Value, now: DateTime<Utc>) -> Value {
    let first =
        if event["firstTimestamp"].is_null() { &event["eventTime"] } else { &event["firstTimestamp"] };
    age(first, now)
}

fn last_seen(event: &Value, now: DateTime<Utc>) -> Value {
    let series = &event["series"]["lastObservedTime"];
    if !series.is_null() {
        return age(series, now);
    }
    if event["lastTimestamp"].is_null() { first_seen(event, now) } else { age(&event["lastTimestamp"], now) }
}

fn event_count(event: &Value) -> i64 {
    let series = event["series"]["count"].as_i64();
    series.or(event["count"].as_i64()).filter(|count| *count > 0).unwrap_or(1)
}

fn event_source(event: &Value) -> String {
    let (component, host) = (stated(&event["source"]["component"]), stated(&event["source"]["host"]));
    let (component, host) = if component.is_empty() {
        (stated(&event["reportingComponent"]), stated(&event["reportingInstance"]))
    } else {
        (component, host)
    };
    if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") }
}
