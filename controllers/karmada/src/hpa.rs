//! The native HPA in a member: the spec that it is given and what is seen of it.
//!
//! Responsible for filling in a spec as the member's API server would, and for reading back what Karmada
//! reflects. Knows nothing of the Work around it, nor of how bounds are chosen.

use fedscaler_core::reading::{Dark, Reading};
use serde_json::{Map, Value, json};

/// An `autoscaling/v2` spec with everything filled in that a member's API server would fill in; a spec that leaves
/// something out differs from what it became in the member, so that Karmada would write at each sync. Fields that
/// are unknown here are kept.
#[must_use]
pub fn defaulted(mut spec: Value) -> Value {
    let Some(fields) = spec.as_object_mut() else {
        return spec;
    };
    drop_nulls(fields);
    fields.entry("minReplicas").or_insert(json!(1));
    if fields.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        fields.insert("metrics".to_owned(), default_metrics());
    }
    if let Some(behavior) = fields.get_mut("behavior").and_then(Value::as_object_mut) {
        fill(behavior, "scaleUp", &scale_up());
        fill(behavior, "scaleDown", &scale_down());
    }
    spec
}

/// What Kubernetes scales by where no metric is named.
fn default_metrics() -> Value {
    json!([{
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }])
}

fn scale_up() -> Value {
    json!({
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ],
    })
}

/// The stabilisation window of scaling down is not filled in: its default is a flag of the member's controller.
fn scale_down() -> Value {
    json!({
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    })
}

fn fill(behavior: &mut Map<String, Value>, direction: &str, defaults: &Value) {
    let rules = behavior.entry(direction).or_insert_with(|| json!({}));
    if let (Some(rules), Some(defaults)) = (rules.as_object_mut(), defaults.as_object()) {
        for (field, default) in defaults {
            rules.entry(field).or_insert_with(|| default.clone());
        }
    }
}

/// Drops fields that are null, at any depth: the API server does not tell them from absent ones.
pub(crate) fn drop_nulls(fields: &mut Map<String, Value>) {
    fields.retain(|_, value| !value.is_null());
    fields.values_mut().for_each(drop_nulls_within);
}

fn drop_nulls_within(value: &mut Value) {
    match value {
        Value::Object(fields) => drop_nulls(fields),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls_within),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Why an HPA does not get what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// It wants more than its max.
    TooMany,
    /// It wants less than its min.
    TooFew,
    /// It goes as fast as its behavior lets it, or is held for another reason.
    Otherwise,
}

/// What a member's HPA reports.
///
/// Bounds and conditions are there only if the status customization of `deploy/karmada` is installed: Karmada by
/// itself reflects the two counts alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberHpa {
    /// The min that it works with.
    pub min: Option<u32>,
    /// The max that it works with. This, not an applied Work, proves that a new bound has arrived.
    pub max: Option<u32>,
    /// The count of its target at the start of its last sync.
    pub current: u32,
    /// The count that it wants; `None` where what it says cannot be used: a broken HPA wants 0 of something that
    /// runs, unless its min is 0 and it says that it is active.
    pub desired: Option<u32>,
    /// Whether it can compute a count at all. `False` at 0 replicas: it is disabled.
    pub scaling_active: Option<bool>,
    /// Whether it can read and write its target's scale.
    pub able_to_scale: Option<bool>,
    /// Why it does not get what it wants, if it does not.
    pub limited: Option<Limited>,
}

impl MemberHpa {
    /// The count that it wants, where it is known to be at work.
    pub fn trusted_desired(&self) -> Option<u32> {
        let at_work = self.scaling_active == Some(true) && self.able_to_scale == Some(true);
        self.desired.filter(|_| at_work)
    }

    /// Reads the status that Karmada reflected, as if it were fresh: the caller knows how old it is. Absent and
    /// empty are not known, and so is the blank status of an HPA that has not synced yet.
    pub(crate) fn read(status: Option<&Value>) -> Reading<Self> {
        let fields = match status {
            None | Some(Value::Null) => return Reading::Dark(Dark::NotYetReported),
            Some(Value::Object(fields)) if fields.is_empty() => return Reading::Dark(Dark::NotYetReported),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Reading::Dark(Dark::Unusable),
        };
        let Ok(hpa) = Self::from_fields(fields) else {
            return Reading::Dark(Dark::Unusable);
        };
        if hpa.is_blank() { Reading::Dark(Dark::NotYetReported) } else { Reading::Fresh(hpa) }
    }

    fn from_fields(fields: &Map<String, Value>) -> Result<Self, NoCount> {
        let (current, desired) = (number(fields, "currentReplicas")?, number(fields, "desiredReplicas")?);
        let min = optional_number(fields, "minReplicas")?;
        let scaling_active = condition(fields, "ScalingActive").map(is_true);
        let wants_zero = min == Some(0) && scaling_active == Some(true);
        let is_usable = desired > 0 || current == 0 || wants_zero;
        Ok(Self {
            min,
            max: optional_number(fields, "maxReplicas")?,
            current,
            desired: is_usable.then_some(desired),
            scaling_active,
            able_to_scale: condition(fields, "AbleToScale").map(is_true),
            limited: condition(fields, "ScalingLimited").filter(|it| is_true(it)).map(limited),
        })
    }

    /// All zero and not a word about itself: it has not synced yet.
    fn is_blank(&self) -> bool {
        let says_nothing = self.scaling_active.is_none() && self.able_to_scale.is_none();
        says_nothing && self.current == 0 && self.desired.unwrap_or(0) == 0
    }
}

/// A field that holds something else than a count.
pub(crate) struct NoCount;

/// A count, 0 where it is absent: that is how 0 is written in a status that is there.
pub(crate) fn number(fields: &Map<String, Value>, name: &str) -> Result<u32, NoCount> {
    Ok(optional_number(fields, name)?.unwrap_or(0))
}

fn optional_number(fields: &Map<String, Value>, name: &str) -> Result<Option<u32>, NoCount> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().and_then(|count| u32::try_from(count).ok()).map(Some).ok_or(NoCount),
    }
}

fn condition<'a>(fields: &'a Map<String, Value>, type_: &str) -> Option<&'a Value> {
    fields.get("conditions")?.as_array()?.iter().find(|condition| condition["type"] == type_)
}

fn is_true(condition: &Value) -> bool {
    condition["status"] == "True"
}

fn limited(condition: &Value) -> Limited {
    match condition["reason"].as_str() {
        Some("TooManyReplicas") => Limited::TooMany,
        Some("TooFewReplicas") => Limited::TooFew,
        Some(_) | None => Limited::Otherwise,
    }
}

#[cfg(test)]
mod tests;
