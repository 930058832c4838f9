//! Holds a run against its invariants.
//!
//! Responsible for looking, from outside and at every moment, at the objects of the control plane and of the members,
//! and for saying where they broke a promise. Knows nothing of how the controllers work: it reads only what any user
//! could read, straight from the API servers.

mod slots;

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_crds::{CronHpa, FedHpa};
use fedscaler_sandbox::{
    apiserver::{
        ApiServer, Local,
        kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, Kind},
    },
    karmada::kinds::RESOURCE_BINDINGS,
};
use serde_json::Value;

const FED_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "fedhpas");
const CRON_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "cronhpas");

/// How long numbers may take to follow: a coalescing interval, a round, and the lags on the way.
const FOLLOWS_WITHIN: TimeDelta = TimeDelta::seconds(60);

/// How long the numbers may be untrue, or share under way, without being stuck. A move waits for a sync of the donor and
/// for the receiver's pods; then comes the next step.
const STUCK_AFTER: TimeDelta = TimeDelta::minutes(15);

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it was first seen.
    pub at: DateTime<Utc>,
    /// Which FedHPA.
    pub object: String,
    /// Which promise, a name from a closed set.
    pub promise: &'static str,
    /// What was seen.
    pub seen: String,
}

/// The auditor of a run.
pub struct Audit {
    control_plane: Local,
    members: BTreeMap<String, Local>,
    watched: BTreeMap<String, Watched>,
    violations: Vec<Violation>,
    looks: u64,
}

/// What is remembered of one FedHPA.
#[derive(Default)]
struct Watched {
    /// Recent totals in force.
    bounds: Recent<(u32, u32)>,
    /// Recent sums over the members.
    sums: Recent<u32>,
    /// Recent counts by member.
    counts: BTreeMap<String, Recent<u32>>,
    /// Since when its numbers are not said to be true.
    untrue_since: Option<DateTime<Utc>>,
    /// Since when template, binding and its clusters differ though they are said to agree.
    apart_since: Option<DateTime<Utc>>,
    /// Whether the members have had their shares once.
    settled_once: bool,
    /// Promises that are broken at the moment: told once, not at every look.
    broken: Vec<&'static str>,
}

/// Values of the recent past, the present one last.
struct Recent<T>(VecDeque<(DateTime<Utc>, T)>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: PartialEq + Clone> Recent<T> {
    fn see(&mut self, now: DateTime<Utc>, value: T) {
        if self.0.back().is_none_or(|(_, last)| *last != value) {
            self.0.push_back((now, value));
        }
        // A value held until the next one began: it is recent while that is.
        while self.0.get(1).is_some_and(|(began, _)| now - *began > FOLLOWS_WITHIN) {
            self.0.pop_front();
        }
    }

    fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl Audit {
    /// An auditor of these API servers, the members by name.
    pub fn new<'a>(
        control_plane: &ApiServer,
        members: impl IntoIterator<Item = (&'a str, &'a ApiServer)>,
    ) -> Self {
        let members = members.into_iter().map(|(name, server)| (name.to_owned(), server.local("auditor")));
        Self {
            control_plane: control_plane.local("auditor"),
            members: members.collect(),
            watched: BTreeMap::new(),
            violations: Vec::new(),
            looks: 0,
        }
    }

    /// What was broken so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How often it looked.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// Looks at the accounts of every CronHPA. Costs as much as there were slots: for the end of a run.
    pub fn look_at_slots(&mut self, now: DateTime<Utc>) {
        for object in self.control_plane.list(&CRON_HPAS, None) {
            let Ok(cron_hpa) = serde_json::from_value::<CronHpa>(Value::clone(&object)) else { continue };
            if let Some(seen) = slots::unaccounted(&cron_hpa, now) {
                let object = cron_hpa.metadata.name.unwrap_or_default();
                let promise = "every slot is accounted for once";
                self.violations.push(Violation { at: now, object, promise, seen });
            }
        }
    }

    /// Looks at everything but the slots once.
    pub fn look(&mut self, now: DateTime<Utc>) {
        self.looks += 1;
        for object in self.control_plane.list(&FED_HPAS, None) {
            let Ok(fed_hpa) = serde_json::from_value::<FedHpa>(Value::clone(&object)) else { continue };
            let Some(scene) = Scene::of(&fed_hpa, &self.control_plane, &self.members) else { continue };
            let watched = self.watched.entry(scene.name.clone()).or_default();
            watched.see(&scene, now);
            let broken = watched.broken_promises(&scene, now);
            for (promise, seen) in &broken {
                if !watched.broken.contains(promise) {
                    let seen = seen.clone();
                    self.violations.push(Violation { at: now, object: scene.name.clone(), promise, seen });
                }
            }
            watched.broken = broken.into_iter().map(|(promise, _)| promise).collect();
        }
    }
}

/// Everything about one FedHPA at one moment.
struct Scene {
    name: String,
    bounds: (u32, u32),
    overshoot: u32,
    distributed: bool,
    synchronized: bool,
    template: u32,
    binding: u32,
    entries: BTreeMap<String, u32>,
    /// Replicas that each member's Deployment asks for.
    running: BTreeMap<String, u32>,
    /// Bounds of each member's HPA.
    hpas: BTreeMap<String, (u32, u32)>,
    /// Floors and caps of named clusters.
    limits: BTreeMap<String, (u32, u32)>,
}

impl Scene {
    /// `None` before the FedHPA has begun, while it is being deleted or suspended, or with something missing.
    fn of(fed_hpa: &FedHpa, control_plane: &Local, members: &BTreeMap<String, Local>) -> Option<Self> {
        let metadata = &fed_hpa.metadata;
        let (namespace, status) = (metadata.namespace.as_deref()?, fed_hpa.status.as_ref()?);
        if metadata.deletion_timestamp.is_some() || fed_hpa.spec.suspend {
            return None;
        }
        let target = &fed_hpa.spec.scale_target_ref.name;
        let template = control_plane.get(&DEPLOYMENTS, namespace, target)?;
        let binding = control_plane.get(&RESOURCE_BINDINGS, namespace, &format!("{target}-deployment"))?;
        let bounds = status.bounds.as_ref()?;
        let holds =
            |name: &str| status.conditions.iter().any(|held| held.type_ == name && held.status == "True");
        let in_members = |kind: &Kind, read: &dyn Fn(&Value) -> Option<u32>| {
            let found = members.iter().filter_map(|(member, local)| {
                Some((member.clone(), read(local.get(kind, namespace, target)?.as_ref())?))
            });
            found.collect::<BTreeMap<_, _>>()
        };
        let min = in_members(&HORIZONTAL_POD_AUTOSCALERS, &|hpa| number(hpa, "/spec/minReplicas"));
        let max = in_members(&HORIZONTAL_POD_AUTOSCALERS, &|hpa| number(hpa, "/spec/maxReplicas"));
        Some(Self {
            name: format!("{namespace}/{}", metadata.name.as_deref()?),
            bounds: (unsigned(bounds.min_replicas), unsigned(bounds.max_replicas)),
            overshoot: status.possible_overshoot.map_or(0, unsigned),
            distributed: holds("Distributed"),
            synchronized: holds("Synchronized"),
            template: number(&template, "/spec/replicas")?,
            binding: number(&binding, "/spec/replicas").unwrap_or(0),
            entries: entries(&binding),
            running: in_members(&DEPLOYMENTS, &|deployment| number(deployment, "/spec/replicas")),
            hpas: min
                .into_iter()
                .filter_map(|(member, min)| Some((member.clone(), (min, *max.get(&member)?))))
                .collect(),
            limits: limits(fed_hpa),
        })
    }

    fn adds_up(&self) -> bool {
        self.template == self.binding && self.binding == self.entries.values().sum::<u32>()
    }

    fn running_sum(&self) -> u32 {
        self.running.values().sum()
    }
}

fn limits(fed_hpa: &FedHpa) -> BTreeMap<String, (u32, u32)> {
    let rules = fed_hpa.spec.distribution.clusters.iter();
    let named = rules.filter_map(|rule| {
        let cap = rule.max_replicas.map_or(u32::MAX, unsigned);
        Some((rule.name.clone()?, (unsigned(rule.min_replicas), cap)))
    });
    named.collect()
}

fn entries(binding: &Value) -> BTreeMap<String, u32> {
    let clusters = binding.pointer("/spec/clusters").and_then(Value::as_array);
    let entry = |cluster: &Value| {
        Some((cluster.get("name")?.as_str()?.to_owned(), number(cluster, "/replicas").unwrap_or(0)))
    };
    clusters.into_iter().flatten().filter_map(entry).collect()
}

fn number(object: &Value, path: &str) -> Option<u32> {
    object.pointer(path).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
}

fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

impl Watched {
    fn see(&mut self, scene: &Scene, now: DateTime<Utc>) {
        self.bounds.see(now, scene.bounds);
        self.sums.see(now, scene.running_sum());
        for (member, count) in &scene.running {
            self.counts.entry(member.clone()).or_default().see(now, *count);
        }
        self.settled_once |= scene.distributed;
        let apart = scene.synchronized && !scene.adds_up();
        self.apart_since = if apart { self.apart_since.or(Some(now)) } else { None };
        let is_true = scene.synchronized && scene.distributed;
        self.untrue_since = if is_true { None } else { self.untrue_since.or(Some(now)) };
    }

    fn broken_promises(&self, scene: &Scene, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
        let checks = [
            ("the total max is never exceeded", self.max_exceeded(scene)),
            ("the total min is never undercut", self.min_undercut(scene)),
            ("each member stays within its floor and cap", out_of_limits(scene)),
            ("template, binding and members agree", self.disagreement(scene, now)),
            ("nothing stays untrue", self.stuck(now)),
            ("nothing scales to zero by accident", nothing_left(scene)),
        ];
        checks.into_iter().filter_map(|(promise, seen)| Some((promise, seen?))).collect()
    }

    /// Bounds that changed a moment ago need a moment to arrive: the widest of the recent ones count.
    fn max_exceeded(&self, scene: &Scene) -> Option<String> {
        let allowed = self.bounds.values().map(|(_, max)| *max).max()?.saturating_add(scene.overshoot);
        let installed: u32 = scene.hpas.values().map(|(_, max)| *max).sum();
        let running = scene.running_sum();
        let adopted = self.settled_once;
        if adopted && installed > allowed {
            return Some(format!(
                "maxes of the members sum to {installed}, {allowed} are allowed: {:?}",
                scene.hpas
            ));
        }
        (adopted && running > allowed).then(|| format!("{running} replicas run, {allowed} are allowed"))
    }

    fn min_undercut(&self, scene: &Scene) -> Option<String> {
        let needed = self.bounds.values().map(|(min, _)| *min).min()?;
        let installed: u32 = scene.hpas.values().map(|(min, _)| *min).sum();
        (self.settled_once && installed < needed)
            .then(|| format!("mins of the members sum to {installed}, {needed} are needed: {:?}", scene.hpas))
    }

    /// Only while the FedHPA says that the numbers are true, and after the moment that a round takes: the status comes
    /// last, so it speaks of a moment ago.
    fn disagreement(&self, scene: &Scene, now: DateTime<Utc>) -> Option<String> {
        if !scene.synchronized {
            return None;
        }
        if self.apart_since.is_some_and(|since| now - since > FOLLOWS_WITHIN) {
            let stated: u32 = scene.entries.values().sum();
            return Some(format!(
                "template {}, binding {}, its clusters {stated}",
                scene.template, scene.binding
            ));
        }
        let known = self.counts.iter().filter(|(member, _)| scene.entries.contains_key(*member));
        let off = known.into_iter().find(|(member, recent)| {
            let stated = scene.entries.get(*member).copied().unwrap_or(0);
            recent.values().all(|count| *count != stated)
        });
        off.map(|(member, recent)| {
            let seen: Vec<_> = recent.values().collect();
            format!(
                "the binding says {:?} of {member}, which has had {seen:?} lately",
                scene.entries.get(member)
            )
        })
    }

    fn stuck(&self, now: DateTime<Utc>) -> Option<String> {
        let since = self.untrue_since.filter(|since| now - *since > STUCK_AFTER)?;
        Some(format!("shares or numbers have not been in place since {since}"))
    }
}

fn out_of_limits(scene: &Scene) -> Option<String> {
    let (member, bounds) = scene.hpas.iter().find(|(member, (min, max))| {
        let (floor, cap) = scene.limits.get(*member).copied().unwrap_or((0, u32::MAX));
        min < &floor || max > &cap || min > max
    })?;
    Some(format!("{member} has {bounds:?} with floor and cap {:?}", scene.limits.get(member)))
}

fn nothing_left(scene: &Scene) -> Option<String> {
    (scene.bounds.0 > 0 && scene.running_sum() == 0).then(|| "no member runs a replica".to_owned())
}
