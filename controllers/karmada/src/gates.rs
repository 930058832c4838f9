//! What a member's Kubernetes is too old for.
//!
//! Responsible for leaving out of an HPA what the member's API server would drop or refuse: a dropped field makes
//! Karmada write at each sync, a refused object never arrives. Knows nothing of clusters but their version.

use std::fmt;

use serde_json::Value;

/// A version of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1.
    pub major: u32,
    /// Such as 36.
    pub minor: u32,
}

/// From here on `ContainerResource` metrics are on (`HPAContainerMetrics`: beta in 1.27, for good in 1.30).
const CONTAINER_RESOURCE: Version = Version { major: 1, minor: 27 };
/// From here on `behavior.*.tolerance` is on (`HPAConfigurableTolerance`: alpha and off in 1.33, beta in 1.35).
const TOLERANCE: Version = Version { major: 1, minor: 35 };

/// From here on an HPA's min may be 0 (`HPAScaleToZero`: alpha and off since 1.16, beta in 1.37).
const SCALE_TO_ZERO: Version = Version { major: 1, minor: 37 };

impl Version {
    /// Reads `v1.36.1`, `v1.29.3-eks-1234` or `1.30+`; `None` where it is nothing of the kind.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?;
        let digits = minor.find(|c: char| !c.is_ascii_digit()).map_or(minor, |end| &minor[..end]);
        Some(Self { major, minor: digits.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kubernetes {}.{}", self.major, self.minor)
    }
}

/// An HPA spec that a member understands.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The spec, without what the member is too old for.
    pub spec: Value,
    /// What was left out, in words.
    pub left_out: Vec<String>,
    /// Every metric was left out: with such a spec the member would scale on something that nobody asked for.
    pub has_no_metric: bool,
}

/// The `autoscaling/v2` spec for a member of this version. Where the version is not known nothing is left out: it is
/// taken to be a recent one.
pub fn fit(mut spec: Value, version: Option<Version>) -> Fitted {
    let mut left_out = Vec::new();
    let mut has_no_metric = false;
    if let Some(version) = version.filter(|version| *version < CONTAINER_RESOURCE)
        && let Some(metrics) = spec.get_mut("metrics").and_then(Value::as_array_mut)
    {
        let before = metrics.len();
        metrics.retain(|metric| metric["type"] != "ContainerResource");
        if metrics.len() < before {
            left_out.push(format!("{version} knows no ContainerResource metrics: left out"));
            has_no_metric = metrics.is_empty();
        }
    }
    if let Some(version) = version.filter(|version| *version < TOLERANCE)
        && without_tolerance(&mut spec)
    {
        left_out.push(format!("{version} knows no tolerance: left out"));
    }
    Fitted { spec, left_out, has_no_metric }
}

/// Whether an HPA with these metrics may have a min of 0: that takes a metric which there is without any pod. Where the
/// version is not known it may not: one that is refused never arrives.
pub fn scales_to_zero(metrics: &[Value], version: Option<Version>) -> bool {
    let there_without_pods = |metric: &Value| metric["type"] == "Object" || metric["type"] == "External";
    version.is_some_and(|version| version >= SCALE_TO_ZERO) && metrics.iter().any(there_without_pods)
}

/// Drops the tolerances; whether there were any.
fn without_tolerance(spec: &mut Value) -> bool {
    let rules = ["scaleUp", "scaleDown"].map(|direction| {
        let rules = spec.pointer_mut(&format!("/behavior/{direction}")).and_then(Value::as_object_mut);
        rules.and_then(|rules| rules.remove("tolerance")).is_some()
    });
    rules.contains(&true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource() -> Value {
        json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}})
    }

    fn container() -> Value {
        json!({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app",
            "target": {"type": "Utilization", "averageUtilization": 80}}})
    }

    #[test]
    fn versions_are_read_as_distributions_write_them() {
        let cases = [
            ("v1.36.1", Some((1, 36))),
            ("v1.29.3-eks-1234", Some((1, 29))),
            ("v1.30+", Some((1, 30))),
            ("1.27.0+k3s1", Some((1, 27))),
            ("", None),
            ("latest", None),
            ("v1", None),
        ];
        for (text, expected) in cases {
            let read = Version::parse(text).map(|version| (version.major, version.minor));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn each_version_gets_what_it_knows() {
        // Version, metrics that stay, whether the tolerance stays, how many things are told.
        let cases = [
            (Some("v1.26.9"), vec!["Resource"], false, 2),
            (Some("v1.27.0"), vec!["Resource", "ContainerResource"], false, 1),
            (Some("v1.30.2"), vec!["Resource", "ContainerResource"], false, 1),
            (Some("v1.33.0"), vec!["Resource", "ContainerResource"], false, 1),
            (Some("v1.34.5"), vec!["Resource", "ContainerResource"], false, 1),
            (Some("v1.35.0"), vec!["Resource", "ContainerResource"], true, 0),
            (Some("v2.0.0"), vec!["Resource", "ContainerResource"], true, 0),
            (None, vec!["Resource", "ContainerResource"], true, 0),
        ];
        for (version, types, tolerance, told) in cases {
            let spec = json!({"metrics": [resource(), container()],
                "behavior": {"scaleUp": {"tolerance": "0.05", "selectPolicy": "Max"}}});
            let fitted = fit(spec, version.and_then(Version::parse));
            let kept: Vec<_> =
                fitted.spec["metrics"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect();
            assert_eq!(kept, types, "{version:?}");
            let rules = fitted.spec["behavior"]["scaleUp"].as_object().unwrap();
            assert_eq!(
                (rules.contains_key("tolerance"), rules.contains_key("selectPolicy")),
                (tolerance, true)
            );
            assert_eq!(fitted.left_out.len(), told, "{version:?}: {:?}", fitted.left_out);
            assert!(!fitted.has_no_metric);
        }
    }

    #[test]
    fn a_min_of_0_takes_a_recent_version_and_a_metric_that_is_there_without_pods() {
        let queue = json!({"type": "External", "external": {"metric": {"name": "queue"}}});
        let (both, cpu) = (vec![resource(), queue], vec![resource()]);
        assert!(scales_to_zero(&both, Version::parse("v1.37.0")));
        assert!(!scales_to_zero(&both, Version::parse("v1.36.4")));
        assert!(!scales_to_zero(&both, None));
        assert!(!scales_to_zero(&cpu, Version::parse("v1.38.0")));
    }

    #[test]
    fn a_spec_that_loses_its_only_metric_says_so() {
        let fitted = fit(json!({"metrics": [container()]}), Version::parse("v1.26.0"));
        assert!(fitted.has_no_metric);
        assert!(
            !fit(json!({"metrics": []}), Version::parse("v1.26.0")).has_no_metric,
            "that means the default"
        );
    }
}
