//! Holds a run against its invariants.
//!
//! Responsible for looking, from outside and at every moment, at the objects of the control plane and of the members,
//! and for saying where they broke a promise. Knows nothing of how the controllers work: it reads only what any user
//! could read, straight from the API servers.

pub mod slots;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use fedscaler_crds::{CronHpa, FedHpa, fedhpa::FedHpaStatus};
use fedscaler_sandbox::{
    apiserver::{
        ApiServer, Local,
        kinds::{DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, Kind},
    },
    karmada::kinds::{CLUSTERS, RESOURCE_BINDINGS},
};
use serde::Deserialize as _;
use serde_json::Value;

const FED_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "fedhpas");
const CRON_HPAS: Kind = Kind::new("autoscaling.fedscaler.io", "v1alpha1", "cronhpas");

/// How long numbers may take to follow: a coalescing interval, a round, and the lags on the way.
const FOLLOWS_WITHIN: TimeDelta = TimeDelta::seconds(60);

/// How long the numbers may be untrue, or share under way, without being stuck. A move waits for a sync of the donor and
/// for the receiver's pods; then comes the next step.
const STUCK_AFTER: TimeDelta = TimeDelta::minutes(15);

/// Whether the controllers can do their work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attendance {
    /// They run and reach the control plane.
    Present,
    /// They do not: only what holds without them is looked at.
    Hindered,
}

/// What hindered controllers need to catch up once nothing is in their way: their longest pause between two tries, and
/// then what numbers take to follow.
const CATCHES_UP_WITHIN: TimeDelta = TimeDelta::minutes(3);

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
    /// FedHPAs by their uid: one that is made again is another one.
    watched: BTreeMap<String, Watched>,
    violations: Vec<Violation>,
    looks: u64,
    attendance: Attendance,
    /// When the controllers were last hindered.
    hindered: Option<DateTime<Utc>>,
    /// When each member was last seen cut off from the control plane.
    cut_off: BTreeMap<String, DateTime<Utc>>,
}

/// What is remembered of one FedHPA.
#[derive(Default)]
struct Watched {
    /// The FedHPA as it was stored, and what it says: at most looks it is the same object as at the look before.
    known: Option<(Arc<Value>, Arc<FedHpa>)>,
    /// Recent totals in force.
    bounds: Recent<Vec<(u32, u32)>>,
    /// Recent floors and caps of named clusters.
    limits: Recent<BTreeMap<String, (u32, u32)>>,
    /// What was lent beyond the max lately: a member gives it back a sync after its HPA is told to.
    lent: Recent<u32>,
    /// Since when it is looked at without a pause.
    seen_since: Option<DateTime<Utc>>,
    /// Recent counts by member.
    counts: BTreeMap<String, Recent<u32>>,
    /// Since when its numbers are not said to be true.
    untrue_since: Option<DateTime<Utc>>,
    /// Since when template, binding and its clusters differ though they are said to agree.
    apart_since: Option<DateTime<Utc>>,
    /// Whether the members have had their shares once.
    settled_once: bool,
    /// Whether any member has run a replica.
    ran_once: bool,
    /// Whether all floors fit beside what runs, lately. Where they do not, they yield.
    floors_fit: Recent<bool>,
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
        self.see_for(FOLLOWS_WITHIN, now, value);
    }

    /// As [`Recent::see`], with a recent past of another length.
    fn see_for(&mut self, recent: TimeDelta, now: DateTime<Utc>, value: T) {
        if self.0.back().is_none_or(|(_, last)| *last != value) {
            self.0.push_back((now, value));
        }
        // A value held until the next one began: it is recent while that is.
        while self.0.get(1).is_some_and(|(began, _)| now - *began > recent) {
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
            attendance: Attendance::Present,
            hindered: None,
            cut_off: BTreeMap::new(),
        }
    }

    /// What was broken so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Tells whether the controllers can do their work from now on.
    pub fn attended(&mut self, attendance: Attendance) {
        self.attendance = attendance;
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
        let hearing = self.hearing(now);
        let fed_hpas = self.control_plane.list(&FED_HPAS, None);
        let uids: BTreeSet<_> = fed_hpas.iter().map(|object| text(object, "/metadata/uid")).collect();
        self.watched.retain(|uid, _| uids.contains(uid.as_str()));
        for object in &fed_hpas {
            let name = format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/metadata/name"));
            let watched = self.watched.entry(text(object, "/metadata/uid").to_owned()).or_default();
            let Some(fed_hpa) = watched.read(object) else { continue };
            let Some(scene) = Scene::of(&fed_hpa, &self.control_plane, &self.members) else {
                watched.pause();
                continue;
            };
            watched.see(&scene, &hearing, now);
            let broken = watched.broken_promises(&scene, &hearing, now);
            for (promise, seen) in &broken {
                if !watched.broken.contains(promise) {
                    let seen = seen.clone();
                    self.violations.push(Violation { at: now, object: name.clone(), promise, seen });
                }
            }
            watched.broken = broken.into_iter().map(|(promise, _)| promise).collect();
        }
    }

    /// Who is heard at this moment.
    fn hearing(&mut self, now: DateTime<Utc>) -> Hearing {
        if self.attendance == Attendance::Hindered {
            self.hindered = Some(now);
        }
        let unready = |cluster: &&Arc<Value>| !is_ready(cluster);
        let clusters = self.control_plane.list(&CLUSTERS, None);
        let silent = clusters.iter().filter(unready).map(|cluster| text(cluster, "/metadata/name"));
        self.cut_off.extend(silent.map(|name| (name.to_owned(), now)));
        self.cut_off.retain(|_, last| now - *last < CATCHES_UP_WITHIN);
        Hearing {
            controllers: self.hindered.is_none_or(|last| now - last >= CATCHES_UP_WITHIN),
            unsteady: self.cut_off.keys().cloned().collect(),
        }
    }
}

/// Who is heard at a moment.
struct Hearing {
    /// The controllers have had time to do their work.
    controllers: bool,
    /// Members that are cut off or were a moment ago.
    unsteady: BTreeSet<String>,
}

fn is_ready(cluster: &Value) -> bool {
    let conditions = cluster.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|held| text(held, "/type") == "Ready" && text(held, "/status") == "True")
}

fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Everything about one FedHPA at one moment.
struct Scene {
    /// The totals that the status says are in force, and those of a spec that it does not speak of yet.
    bounds: Vec<(u32, u32)>,
    distributed: bool,
    /// It says that a cluster is to give up replicas which fit nowhere else: nobody can help that but its user.
    without_place: bool,
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
    /// Clusters with a share.
    sharing: BTreeSet<String>,
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
        let stated = (unsigned(bounds.min_replicas), unsigned(bounds.max_replicas));
        let wanted = (unsigned(fed_hpa.spec.min_replicas), unsigned(fed_hpa.spec.max_replicas));
        // What fits nowhere at all cannot be held as a min either.
        let placed = stated.1.saturating_sub(status.unplaced.map_or(0, unsigned));
        let stated = (stated.0.min(placed), stated.1);
        let unheard = status.observed_generation != metadata.generation;
        Some(Self {
            bounds: [stated].into_iter().chain(unheard.then_some(wanted)).collect(),
            distributed: holds("Distributed"),
            without_place: status.conditions.iter().any(|held| held.reason == "NoPlace")
                && status.unplaced.is_some_and(|replicas| replicas > 0),
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
            sharing: sharing(status),
        })
    }

    fn adds_up(&self) -> bool {
        self.template == self.binding && self.binding == self.entries.values().sum::<u32>()
    }

    /// The sum of what members surely keep: the min of their HPA, or all that runs where nothing scales it.
    fn kept(&self) -> u32 {
        let keeps = |(member, running): (&String, &u32)| self.hpas.get(member).map_or(*running, |hpa| hpa.0);
        self.running.iter().map(keeps).sum()
    }

    /// What may be installed beyond the max for a while: where a donor has come down to its min, the receiver's min
    /// goes up before the donor's goes down. Of clusters that leave every min is taken over.
    fn lent(&self, min: u32) -> u32 {
        let pinned: u32 = self.hpas.values().filter(|(min, max)| min == max).map(|(_, max)| *max).sum();
        let leaving = self.hpas.iter().filter(|(member, _)| !self.sharing.contains(*member));
        self.kept().saturating_sub(min).min(pinned).max(leaving.map(|(_, (min, _))| *min).sum())
    }

    /// What runs in each member, at least its floor.
    fn floors_and_running(&self) -> u32 {
        let floor = |member: &String| self.limits.get(member).map_or(0, |(floor, _)| *floor);
        self.running.iter().map(|(member, count)| (*count).max(floor(member))).sum()
    }

    fn running_sum(&self) -> u32 {
        self.running.values().sum()
    }
}

fn sharing(status: &FedHpaStatus) -> BTreeSet<String> {
    let shares = status.split.iter().flat_map(|split| &split.shares);
    shares.filter(|share| share.max_replicas > 0).map(|share| share.cluster.clone()).collect()
}

fn limits(fed_hpa: &FedHpa) -> BTreeMap<String, (u32, u32)> {
    // A floor yields to room, which only the status tells.
    let reported = fed_hpa.status.iter().flat_map(|status| &status.clusters);
    let rooms: BTreeMap<&str, u32> =
        reported.filter_map(|cluster| Some((cluster.name.as_str(), unsigned(cluster.room?)))).collect();
    let rules = fed_hpa.spec.distribution.clusters.iter();
    let named = rules.filter_map(|rule| {
        let cap = rule.max_replicas.map_or(u32::MAX, unsigned);
        let name = rule.name.clone()?;
        let room = rooms.get(name.as_str()).copied().unwrap_or(u32::MAX);
        Some((name, (unsigned(rule.min_replicas).min(room), cap)))
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
    /// What the object says, read again only if it is another one than at the look before.
    fn read(&mut self, stored: &Arc<Value>) -> Option<Arc<FedHpa>> {
        if let Some((known, read)) = &self.known
            && Arc::ptr_eq(known, stored)
        {
            return Some(Arc::clone(read));
        }
        let read = Arc::new(FedHpa::deserialize(stored.as_ref()).ok()?);
        self.known = Some((Arc::clone(stored), Arc::clone(&read)));
        Some(read)
    }

    fn see(&mut self, scene: &Scene, hearing: &Hearing, now: DateTime<Utc>) {
        self.seen_since.get_or_insert(now);
        // Controllers that were away in the middle of a change of totals have not forgotten where it began.
        let recent = if hearing.controllers { FOLLOWS_WITHIN } else { STUCK_AFTER };
        self.bounds.see_for(recent, now, scene.bounds.clone());
        // A cluster comes under a lower cap, or above a higher floor, as fast as share moves.
        self.limits.see_for(STUCK_AFTER, now, scene.limits.clone());
        if let Some((min, _)) = self.widest() {
            self.lent.see_for(recent, now, scene.lent(min));
        }
        // A cluster that sleeps begins anew when it wakes.
        self.counts.retain(|member, _| scene.running.contains_key(member));
        for (member, count) in &scene.running {
            self.counts.entry(member.clone()).or_default().see(now, *count);
        }
        self.ran_once |= scene.running_sum() > 0;
        if let Some((_, max)) = self.widest() {
            self.floors_fit.see_for(STUCK_AFTER, now, scene.floors_and_running() <= max);
        }
        self.settled_once |= scene.distributed && self.in_place(scene);
        let judged = hearing.controllers;
        let apart = judged && scene.synchronized && !scene.adds_up();
        self.apart_since = if apart { self.apart_since.or(Some(now)) } else { None };
        let is_true = scene.synchronized && (scene.distributed || scene.without_place);
        self.untrue_since = if is_true || !judged { None } else { self.untrue_since.or(Some(now)) };
    }

    /// Whether the members have shares within the totals. The status says so as soon as their Works do.
    fn in_place(&self, scene: &Scene) -> bool {
        let Some(&(min, max)) = scene.bounds.first() else { return false };
        let sum = scene.hpas.values().fold((0, 0), |sum, share| (sum.0 + share.0, sum.1 + share.1));
        let sums = min <= sum.0 && sum.1 <= max && scene.running_sum() <= max;
        sums && self.outside(scene.hpas.iter()).is_none()
    }

    /// Nothing is promised for a while: everything starts anew after it.
    fn pause(&mut self) {
        self.settled_once = false;
        self.seen_since = None;
        self.floors_fit = Recent::default();
        self.bounds = Recent::default();
        self.limits = Recent::default();
        self.lent = Recent::default();
        self.apart_since = None;
        self.untrue_since = None;
        self.counts.clear();
        self.broken.clear();
    }

    fn broken_promises(
        &self,
        scene: &Scene,
        hearing: &Hearing,
        now: DateTime<Utc>,
    ) -> Vec<(&'static str, String)> {
        let checks = [
            ("the total max is never exceeded", self.max_exceeded(scene, hearing)),
            ("the total min is never undercut", self.min_undercut(scene)),
            ("each member stays within its floor and cap", self.out_of_limits(scene, hearing)),
            ("template, binding and members agree", self.disagreement(scene, hearing, now)),
            ("nothing stays untrue", self.stuck(now)),
            ("nothing scales to zero by accident", nothing_left(scene).filter(|_| self.ran_once)),
        ];
        checks.into_iter().filter_map(|(promise, seen)| Some((promise, seen?))).collect()
    }

    /// Bounds that changed a moment ago need a moment to arrive: the widest of the recent ones count. What members
    /// run that are cut off, or were until a moment ago, is beyond anybody's reach.
    fn max_exceeded(&self, scene: &Scene, hearing: &Hearing) -> Option<String> {
        let (_, max) = self.widest()?;
        let lent = self.lent.values().copied().max().unwrap_or(0);
        let allowed = max.saturating_add(lent);
        let reached = |member: &String| !hearing.unsteady.contains(member);
        let hpas = scene.hpas.iter().filter(|(member, _)| reached(member));
        let installed: u32 = hpas.map(|(_, (_, max))| *max).sum();
        let running: u32 =
            scene.running.iter().filter(|(member, _)| reached(member)).map(|(_, count)| *count).sum();
        if self.settled_once && installed > allowed {
            return Some(format!(
                "maxes of the members sum to {installed}, {allowed} are allowed: {:?}",
                scene.hpas
            ));
        }
        (self.settled_once && running > allowed)
            .then(|| format!("{running} replicas run, {allowed} are allowed"))
    }

    fn out_of_limits(&self, scene: &Scene, hearing: &Hearing) -> Option<String> {
        let mut reached = scene.hpas.iter().filter(|(member, _)| !hearing.unsteady.contains(*member));
        let (member, bounds) = self.outside(&mut reached).filter(|_| self.settled_once)?;
        Some(format!("{member} has {bounds:?} with floor and cap {:?}", scene.limits.get(member)))
    }

    /// Who has bounds that no recent floors and caps allow.
    fn outside<'a>(
        &self,
        mut hpas: impl Iterator<Item = (&'a String, &'a (u32, u32))>,
    ) -> Option<(&'a String, &'a (u32, u32))> {
        let floors_fit = self.floors_fit.values().all(|fit| *fit);
        let fits = |member: &String, (min, max): (u32, u32)| {
            self.limits.values().any(|limits| {
                let (floor, cap) = limits.get(member).copied().unwrap_or((0, u32::MAX));
                let floor = if floors_fit { floor } else { 0 };
                floor <= min && min <= max && max <= cap
            })
        };
        hpas.find(|(member, bounds)| !fits(member, **bounds))
    }

    /// The widest of the recent totals.
    fn widest(&self) -> Option<(u32, u32)> {
        let bounds = || self.bounds.values().flatten();
        Some((bounds().map(|(min, _)| *min).min()?, bounds().map(|(_, max)| *max).max()?))
    }

    fn min_undercut(&self, scene: &Scene) -> Option<String> {
        let (needed, _) = self.widest()?;
        let kept = scene.kept();
        (self.settled_once && kept < needed)
            .then(|| format!("mins of the members sum to {kept}, {needed} are needed: {:?}", scene.hpas))
    }

    /// Only while the FedHPA says that the numbers are true, and after the moment that a round takes: the status comes
    /// last, so it speaks of a moment ago.
    fn disagreement(&self, scene: &Scene, hearing: &Hearing, now: DateTime<Utc>) -> Option<String> {
        // What was the case before is not known for a moment after a pause.
        let known = self.seen_since.is_some_and(|since| now - since > FOLLOWS_WITHIN);
        if !known || !scene.synchronized || !hearing.controllers {
            return None;
        }
        if self.apart_since.is_some_and(|since| now - since > FOLLOWS_WITHIN) {
            let stated: u32 = scene.entries.values().sum();
            return Some(format!(
                "template {}, binding {}, its clusters {stated}",
                scene.template, scene.binding
            ));
        }
        let known = self
            .counts
            .iter()
            .filter(|(member, _)| scene.entries.contains_key(*member) && !hearing.unsteady.contains(*member));
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

fn nothing_left(scene: &Scene) -> Option<String> {
    (scene.bounds.iter().all(|(min, _)| *min > 0) && scene.running_sum() == 0)
        .then(|| "no member runs a replica".to_owned())
}
