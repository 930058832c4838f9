//! Bodies in Kubernetes' protobuf as JSON values.
//!
//! Responsible for what kubectl sends in that form and in no other: what `kubectl create` and `kubectl autoscale` make of
//! kinds that are served here. It knows the fields of these messages as far as kubectl fills them; a field that it does
//! not know is a refusal, never a loss. The numbers are those of `generated.proto` in `k8s.io/api`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::errors::ApiError;

/// The media type.
pub(super) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// What each body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// A field: its number, its name in JSON and what it holds.
type Field = (u64, &'static str, Shape);

/// The known fields of a message.
type Message = &'static [Field];

/// What a field holds. Go writes fields that are no pointers even if they are empty: those are absent in JSON.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Texts,
    /// Absent if it is 0.
    Number,
    /// A pointer: 0 is said.
    Count,
    /// Absent if it is false.
    Flag,
    /// Seconds since 1970; an empty one is absent.
    Time,
    Quantity,
    TextMap,
    BytesMap,
    One(Message),
    Many(Message),
}

use Shape::{BytesMap, Count, Flag, Many, Number, One, Quantity, Text, TextMap, Texts, Time};

const OBJECT_META: Message = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (4, "selfLink", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (7, "generation", Number),
    (8, "creationTimestamp", Time),
    (11, "labels", TextMap),
    (12, "annotations", TextMap),
    (14, "finalizers", Texts),
];

const SELECTOR_TERM: Message = &[(1, "key", Text), (2, "operator", Text), (3, "values", Texts)];

const LABEL_SELECTOR: Message = &[(1, "matchLabels", TextMap), (2, "matchExpressions", Many(SELECTOR_TERM))];

const CONTAINER: Message = &[
    (1, "name", Text),
    (2, "image", Text),
    (3, "command", Texts),
    (4, "args", Texts),
    (5, "workingDir", Text),
    (
        6,
        "ports",
        Many(&[
            (1, "name", Text),
            (2, "hostPort", Number),
            (3, "containerPort", Number),
            (4, "protocol", Text),
            (5, "hostIP", Text),
        ]),
    ),
    (7, "env", Many(&[(1, "name", Text), (2, "value", Text)])),
    (8, "resources", One(&[])),
    (13, "terminationMessagePath", Text),
    (14, "imagePullPolicy", Text),
    (16, "stdin", Flag),
    (17, "stdinOnce", Flag),
    (18, "tty", Flag),
    (20, "terminationMessagePolicy", Text),
];

const POD_SPEC: Message = &[
    (2, "containers", Many(CONTAINER)),
    (3, "restartPolicy", Text),
    (4, "terminationGracePeriodSeconds", Count),
    (6, "dnsPolicy", Text),
    (7, "nodeSelector", TextMap),
    (8, "serviceAccountName", Text),
    (9, "serviceAccount", Text),
    (10, "nodeName", Text),
    (11, "hostNetwork", Flag),
    (12, "hostPID", Flag),
    (13, "hostIPC", Flag),
    (16, "hostname", Text),
    (17, "subdomain", Text),
    (19, "schedulerName", Text),
    (24, "priorityClassName", Text),
];

const DEPLOYMENT: Message = &[
    (1, "metadata", One(OBJECT_META)),
    (
        2,
        "spec",
        One(&[
            (1, "replicas", Count),
            (2, "selector", One(LABEL_SELECTOR)),
            (3, "template", One(&[(1, "metadata", One(OBJECT_META)), (2, "spec", One(POD_SPEC))])),
            (4, "strategy", One(&[(1, "type", Text)])),
            (5, "minReadySeconds", Number),
            (6, "revisionHistoryLimit", Count),
            (7, "paused", Flag),
            (9, "progressDeadlineSeconds", Count),
        ]),
    ),
    (
        3,
        "status",
        One(&[
            (1, "observedGeneration", Number),
            (2, "replicas", Number),
            (3, "updatedReplicas", Number),
            (4, "availableReplicas", Number),
            (5, "unavailableReplicas", Number),
            (7, "readyReplicas", Number),
        ]),
    ),
];

const NAMESPACE: Message = &[
    (1, "metadata", One(OBJECT_META)),
    (2, "spec", One(&[(1, "finalizers", Texts)])),
    (3, "status", One(&[(1, "phase", Text)])),
];

const CONFIG_MAP: Message = &[
    (1, "metadata", One(OBJECT_META)),
    (2, "data", TextMap),
    (3, "binaryData", BytesMap),
    (4, "immutable", Flag),
];

const SECRET: Message = &[
    (1, "metadata", One(OBJECT_META)),
    (2, "data", BytesMap),
    (3, "type", Text),
    (4, "stringData", TextMap),
    (5, "immutable", Flag),
];

const SCALE_TARGET: Message = &[(1, "kind", Text), (2, "name", Text), (3, "apiVersion", Text)];

const METRIC: Message = &[
    (1, "type", Text),
    (
        4,
        "resource",
        One(&[
            (1, "name", Text),
            (
                2,
                "target",
                One(&[
                    (1, "type", Text),
                    (2, "value", Quantity),
                    (3, "averageValue", Quantity),
                    (4, "averageUtilization", Count),
                ]),
            ),
        ]),
    ),
];

const AUTOSCALER_STATUS: Message = &[(3, "currentReplicas", Number), (4, "desiredReplicas", Number)];

const AUTOSCALER: Message = &[
    (1, "metadata", One(OBJECT_META)),
    (
        2,
        "spec",
        One(&[
            (1, "scaleTargetRef", One(SCALE_TARGET)),
            (2, "minReplicas", Count),
            (3, "maxReplicas", Number),
            (4, "metrics", Many(METRIC)),
        ]),
    ),
    (3, "status", One(AUTOSCALER_STATUS)),
];

const DELETE_OPTIONS: Message = &[
    (1, "gracePeriodSeconds", Count),
    (2, "preconditions", One(&[(1, "uid", Text), (2, "resourceVersion", Text)])),
    (4, "propagationPolicy", Text),
    (5, "dryRun", Texts),
];

/// The envelope of each body.
const TYPE_META: Message = &[(1, "apiVersion", Text), (2, "kind", Text)];

fn message(api_version: &str, kind: &str) -> Option<Message> {
    match (api_version, kind) {
        ("v1", "Namespace") => Some(NAMESPACE),
        ("v1", "ConfigMap") => Some(CONFIG_MAP),
        ("v1", "Secret") => Some(SECRET),
        ("apps/v1", "Deployment") => Some(DEPLOYMENT),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => Some(AUTOSCALER),
        (_, "DeleteOptions") => Some(DELETE_OPTIONS),
        _ => None,
    }
}

/// A body that was sent as protobuf.
pub(super) fn read(body: &[u8]) -> Result<Value, ApiError> {
    let unknown = || ApiError::bad_request("the body is no protobuf of Kubernetes");
    let envelope = body.strip_prefix(MAGIC).and_then(fields).ok_or_else(unknown)?;
    let (mut types, mut raw) = (Map::new(), &[][..]);
    for field in envelope {
        match field {
            (1, Wire::Bytes(bytes)) => types = object(bytes, TYPE_META, "TypeMeta")?,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let stated = |name: &str| types.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (stated("apiVersion"), stated("kind"));
    let known = message(api_version, kind).ok_or_else(|| unreadable(&format!("{kind} of {api_version}")))?;
    let mut read = object(raw, known, kind)?;
    read.extend(types);
    Ok(Value::Object(read))
}

fn unreadable(what: &str) -> ApiError {
    ApiError::unsupported_protobuf(&format!(
        "the sandbox does not read {what} as protobuf: give it as JSON or YAML, as in \
         kubectl create ... --dry-run=client -o yaml | kubectl apply -f -"
    ))
}

fn object(bytes: &[u8], message: Message, within: &str) -> Result<Map<String, Value>, ApiError> {
    let mut object = Map::new();
    let broken = || ApiError::bad_request(format!("{within} is broken off or no protobuf"));
    for (number, wire) in fields(bytes).ok_or_else(broken)? {
        let known = message.iter().find(|(known, ..)| *known == number);
        let (_, name, shape) = known.ok_or_else(|| unreadable(&format!("field {number} of {within}")))?;
        let value = match (shape, wire) {
            (Number | Count | Flag, Wire::Varint(value)) => scalar(*shape, value),
            (Text | Texts, Wire::Bytes(bytes)) => text(*shape, bytes),
            (Time, Wire::Bytes(bytes)) => time(bytes),
            (Quantity, Wire::Bytes(bytes)) => {
                self::object(bytes, &[(1, "string", Text)], name)?.remove("string")
            }
            (TextMap | BytesMap, Wire::Bytes(bytes)) => {
                let (key, value) = entry(bytes, *shape).ok_or_else(broken)?;
                part(&mut object, name, json!({}))[key] = value;
                None
            }
            (One(message) | Many(message), Wire::Bytes(bytes)) => {
                Some(self::object(bytes, message, name)?.into())
            }
            (_, Wire::Varint(_) | Wire::Bytes(_)) => return Err(broken()),
        };
        let Some(value) = value else { continue };
        match shape {
            Texts | Many(_) => {
                if let Value::Array(items) = part(&mut object, name, json!([])) {
                    items.push(value);
                }
            }
            _ => *part(&mut object, name, Value::Null) = value,
        }
    }
    Ok(object)
}

fn part<'a>(object: &'a mut Map<String, Value>, name: &str, empty: Value) -> &'a mut Value {
    object.entry(name).or_insert(empty)
}

fn scalar(shape: Shape, value: u64) -> Option<Value> {
    match shape {
        Flag => (value != 0).then_some(Value::Bool(true)),
        Count => Some(json!(value.cast_signed())),
        _ => (value != 0).then(|| json!(value.cast_signed())),
    }
}

fn text(shape: Shape, bytes: &[u8]) -> Option<Value> {
    let stated = !bytes.is_empty() || matches!(shape, Texts);
    stated.then(|| json!(String::from_utf8_lossy(bytes)))
}

fn time(bytes: &[u8]) -> Option<Value> {
    let seconds = fields(bytes)?.into_iter().find_map(|field| match field {
        (1, Wire::Varint(seconds)) => Some(seconds.cast_signed()),
        _ => None,
    })?;
    Some(json!(crate::fields::stamp(chrono::DateTime::from_timestamp(seconds, 0)?)))
}

/// An entry of a map, which is a message of its own: 1 is the key and 2 the value.
fn entry(bytes: &[u8], shape: Shape) -> Option<(String, Value)> {
    let (mut key, mut value) = (String::new(), &[][..]);
    for field in fields(bytes)? {
        match field {
            (1, Wire::Bytes(bytes)) => key = String::from_utf8_lossy(bytes).into_owned(),
            (2, Wire::Bytes(bytes)) => value = bytes,
            _ => return None,
        }
    }
    let value = match shape {
        BytesMap => json!(BASE64_STANDARD.encode(value)),
        _ => json!(String::from_utf8_lossy(value)),
    };
    Some((key, value))
}

/// A value on the wire. Kubernetes has no others in these messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message by number, in the order in which they come; none if they are broken off.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Wire<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let wire = match tag & 7 {
            0 => Wire::Varint(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Wire::Bytes(value)
            }
            _ => return None,
        };
        found.push((tag >> 3, wire));
    }
    Some(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kubectl create deployment web2 --image=x` of kubectl 1.36, byte for byte.
    const DEPLOYMENT: &str = "
        6b 38 73 00 0a 15 0a 07 61 70 70 73 2f 76 31 12 0a 44 65 70 6c 6f 79 6d 65 6e 74 12 a7 01 0a 21
        0a 04 77 65 62 32 12 00 1a 00 22 00 2a 00 32 00 38 00 42 00 5a 0b 0a 03 61 70 70 12 04 77 65 62
        32 12 74 08 01 12 0d 0a 0b 0a 03 61 70 70 12 04 77 65 62 32 1a 59 0a 1d 0a 00 12 00 1a 00 22 00
        2a 00 32 00 38 00 42 00 5a 0b 0a 03 61 70 70 12 04 77 65 62 32 12 38 12 1a 0a 01 78 12 01 78 2a
        00 42 00 6a 00 72 00 80 01 00 88 01 00 90 01 00 a2 01 00 1a 00 32 00 42 00 4a 00 52 00 58 00 60
        00 68 00 82 01 00 8a 01 00 9a 01 00 c2 01 00 22 02 0a 00 28 00 38 00 1a 0c 08 00 10 00 18 00 20
        00 28 00 38 00 1a 00 22 00";

    fn bytes(hex: &str) -> Vec<u8> {
        hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    #[test]
    fn what_kubectl_creates_is_what_it_would_say_in_json() {
        let expected = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web2", "labels": {"app": "web2"}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web2"}},
                "strategy": {},
                "template": {
                    "metadata": {"labels": {"app": "web2"}},
                    "spec": {"containers": [{"name": "x", "image": "x", "resources": {}}]},
                },
            },
            "status": {},
        });
        assert_eq!(read(&bytes(DEPLOYMENT)).unwrap(), expected);
    }

    #[test]
    fn what_is_broken_off_is_refused_at_every_byte() {
        let whole = bytes(DEPLOYMENT);
        for length in 0..whole.len() {
            let Err(error) = read(&whole[..length]) else { continue };
            assert!([400, 415].contains(&error.code().as_u16()), "{length}: {error}");
        }
        assert!(read(&whole[..200]).is_err());
    }

    #[test]
    fn a_field_that_is_not_known_is_refused_and_never_lost() {
        // A ConfigMap with a field 9.
        let body = bytes("6b 38 73 00 0a 0f 0a 02 76 31 12 09 43 6f 6e 66 69 67 4d 61 70 12 02 48 01");
        let error = read(&body).unwrap_err();
        assert_eq!(error.code().as_u16(), 415);
        assert!(error.to_string().contains("field 9 of ConfigMap"), "{error}");
    }
}
