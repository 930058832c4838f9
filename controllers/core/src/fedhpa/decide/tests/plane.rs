//! A small model of the objects: template, binding, Works and members, with the detector's lag, HPAs that sync
//! every 15 s and pods that take a while. Enough to run decisions against until all is quiet.

use std::time::Duration;

use super::*;
use crate::{
    fedhpa::{
        bounds::Published,
        facts::{MemberWorkload, Memory, Round},
        policy::{Adoption, ClusterRule, Distribution, Rebalance, RebalanceMode, Selects, Strategy, Terms},
    },
    reading::{Dark, Reading},
    room::{Free, RoomSource},
};

/// A second of the test's time.
pub(super) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

pub(super) fn policy(min: u32, max: u32) -> Policy {
    Policy {
        bounds: Bounds { min, max },
        distribution: Distribution { strategy: Strategy::Capacity, rules: Vec::new() },
        rebalance: Rebalance {
            mode: RebalanceMode::Auto,
            cooldown: Duration::from_mins(5),
            tolerance_percent: 10,
        },
        reserve_percent: 0,
        write_back_interval: Duration::from_secs(15),
        adoption: Adoption::Never,
        suspended: false,
    }
}

pub(super) fn rule(name: &str, terms: Terms) -> ClusterRule {
    ClusterRule { selects: Selects::Name(name.to_owned()), terms }
}

#[derive(Clone, Debug)]
pub(super) struct HpaWork {
    pub(super) install: Install,
    pub(super) since: i64,
    pub(super) acts: Bounds,
    pub(super) report: Option<(u32, u32)>,
    pub(super) gone_at: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    /// What its HPA would run if nothing bounded it.
    pub(super) wish: u32,
    pub(super) capacity: u32,
    pub(super) candidacy: Candidacy,
    pub(super) lost: Option<i64>,
    /// When each pod is ready.
    pub(super) pods: Vec<i64>,
    pub(super) deployed: bool,
    pub(super) retained: bool,
    pub(super) hpa: Option<HpaWork>,
    last_report: Option<(u32, u32)>,
}

impl Member {
    pub(super) fn running(&self) -> u32 {
        u32::try_from(self.pods.len()).unwrap()
    }

    /// The most it may run before anybody can change that.
    pub(super) fn max_in_effect(&self) -> u32 {
        self.running().max(self.hpa.as_ref().map_or(0, |hpa| hpa.acts.max))
    }

    fn scale(&mut self, to: u32, now: i64) {
        let to = usize::try_from(to.min(self.capacity)).unwrap();
        self.pods.resize(to, now + 5);
    }

    /// The Work's replicas count while nothing is retained; an HPA acts at its sync.
    fn tick(&mut self, entry: Option<u32>, label: bool, now: i64) {
        let Some(entry) = entry else {
            self.deployed = false;
            self.pods.clear();
            self.retained = false;
            return self.sync(now);
        };
        if !self.deployed || !self.retained || (self.running() == 0 && entry > 0) {
            self.scale(entry, now);
        }
        self.deployed = true;
        self.retained = label;
        self.sync(now);
    }

    fn sync(&mut self, now: i64) {
        if self.lost.is_none()
            && self.hpa.as_ref().is_some_and(|hpa| hpa.gone_at.is_some_and(|gone| gone <= now))
        {
            self.hpa = None;
        }
        let (running, wish) = (self.running(), self.wish);
        let Some(hpa) = self.hpa.as_mut() else { return };
        if now % 15 == 0 && running > 0 {
            let wanted = wish.clamp(hpa.acts.min, hpa.acts.max);
            hpa.report = Some((running, wanted));
            hpa.acts = hpa.install.bounds;
            self.scale(wanted, now);
        }
    }

    fn facts(&self, now: i64) -> Cluster {
        let fresh =
            |age: Option<i64>| age.map(|since| Duration::from_secs(u64::try_from(now - since).unwrap()));
        let age = fresh(self.lost);
        let ready = u32::try_from(self.pods.iter().filter(|ready| **ready <= now).count()).unwrap();
        let workload = MemberWorkload { replicas: self.running(), ready };
        let workload =
            if self.deployed { Reading::Fresh(workload) } else { Reading::Dark(Dark::NotYetReported) };
        let fit = self.capacity.saturating_sub(self.running());
        let free = Reading::Fresh(Free { fit, naive: fit, unbound: 0, source: RoomSource::Models });
        let aged = |reading: Reading<HpaReport>| age.map_or(reading.clone(), |age| reading.aged(age));
        Cluster {
            labels: BTreeMap::new(),
            candidacy: self.candidacy.clone(),
            lost: self.lost.map(at),
            free: age.map_or(free.clone(), |age| free.aged(age)),
            workload: age.map_or(workload.clone(), |age| workload.aged(age)),
            retained: self.retained,
            to_zero: false,
            left_out: Vec::new(),
            hpa: self.hpa.as_ref().map(|hpa| MemberHpa {
                bounds: hpa.install.bounds,
                before: hpa.install.before,
                since: at(hpa.since),
                leaving: hpa.gone_at.is_some(),
                report: aged(hpa.seen(if self.lost.is_some() { self.last_report } else { hpa.report })),
                blocked: None,
            }),
        }
    }
}

impl HpaWork {
    fn seen(&self, report: Option<(u32, u32)>) -> Reading<HpaReport> {
        report.map_or(Reading::Dark(Dark::NotYetReported), |(current, desired)| {
            Reading::Fresh(HpaReport {
                current,
                desired,
                bounds: Some(self.acts),
                scaling_active: Some(true),
                able_to_scale: Some(true),
                capped: None,
            })
        })
    }
}

/// The objects of one FedHPA.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub(super) policy: Policy,
    pub(super) now: i64,
    pub(super) deleting: Option<i64>,
    pub(super) finalized: bool,
    pub(super) released: bool,
    /// What the last decision said may be exceeded.
    pub(super) surge: u32,
    pub(super) holder: Option<String>,
    pub(super) published: Option<Published>,
    pub(super) superseded_by: Option<String>,
    pub(super) let_go: bool,
    pub(super) retention: Customization,
    pub(super) reflection: Customization,
    pub(super) target: Target,
    pub(super) binding: Option<Binding>,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) memory: Memory,
    versions: u64,
    /// What the detector will bring, and when.
    on_the_way: Option<(i64, u32, String)>,
}

impl Plane {
    /// A running workload: what each cluster runs, and how much it can hold in all.
    pub(super) fn running(policy: Policy, clusters: &[(&str, u32, u32)]) -> Self {
        let member = |(name, replicas, capacity): &(&str, u32, u32)| {
            let member = Member {
                wish: *replicas,
                capacity: *capacity,
                candidacy: Candidacy::Candidate,
                lost: None,
                pods: vec![0; usize::try_from(*replicas).unwrap()],
                deployed: *replicas > 0,
                retained: false,
                hpa: None,
                last_report: None,
            };
            ((*name).to_owned(), member)
        };
        let entries = clusters.iter().filter(|(_, replicas, _)| *replicas > 0);
        let entries: BTreeMap<String, u32> =
            entries.map(|(name, replicas, _)| ((*name).to_owned(), *replicas)).collect();
        let replicas = entries.values().sum();
        let template =
            Template { version: "1".into(), replicas, retained: false, to_zero: false, no_requests: None };
        let binding = Binding {
            version: "1".into(),
            replicas,
            clusters: entries,
            template_version: "1".into(),
            scheduling: Scheduling::Free,
            placement: Placement::Divided,
            divided: None,
            min_groups: None,
            max_groups: None,
        };
        Self {
            policy,
            now: 0,
            deleting: None,
            finalized: false,
            released: false,
            surge: 0,
            holder: None,
            published: None,
            superseded_by: None,
            let_go: false,
            retention: Customization::InForce,
            reflection: Customization::InForce,
            target: Target::Found(template),
            binding: Some(binding),
            members: clusters.iter().map(member).collect(),
            memory: Memory::default(),
            versions: 1,
            on_the_way: None,
        }
    }

    pub(super) fn member(&mut self, name: &str) -> &mut Member {
        self.members.get_mut(name).unwrap()
    }

    pub(super) fn template(&mut self) -> &mut Template {
        match &mut self.target {
            Target::Found(template) => template,
            Target::Missing | Target::Unfit(_) => panic!("there is no template"),
        }
    }

    /// Somebody writes the template's replicas; the detector follows a second later.
    pub(super) fn scale(&mut self, replicas: u32) {
        self.versions += 1;
        let version = self.versions.to_string();
        let template = self.template();
        if template.replicas != replicas {
            (template.replicas, template.version) = (replicas, version.clone());
            self.on_the_way = Some((self.now + 1, replicas, version));
        }
    }

    pub(super) fn lose(&mut self, name: &str) {
        let now = self.now;
        let member = self.member(name);
        member.lost = Some(now);
        member.last_report = member.hpa.as_ref().and_then(|hpa| hpa.report);
    }

    /// The same, as if it had begun so many seconds earlier: a multiple of the sync period.
    pub(super) fn rewind(&mut self, seconds: i64) {
        let back = chrono::TimeDelta::seconds(seconds);
        self.now -= seconds;
        for member in self.members.values_mut() {
            member.pods.iter_mut().for_each(|ready| *ready -= seconds);
            if let Some(hpa) = &mut member.hpa {
                hpa.since -= seconds;
            }
        }
        if let Some(split) = &mut self.memory.split {
            split.adopted -= back;
        }
        if let Some(round) = &mut self.memory.round {
            round.started -= back;
        }
    }

    pub(super) fn facts(&self) -> Facts {
        Facts {
            now: at(self.now),
            deleting: self.deleting.map(at),
            finalized: self.finalized,
            superseded_by: self.superseded_by.clone(),
            target: self.target.clone(),
            retention: self.retention.clone(),
            reflection: self.reflection.clone(),
            binding: self.binding.clone(),
            holder: self.holder.clone(),
            rivals: Vec::new(),
            published: self.published.clone(),
            clusters: self
                .members
                .iter()
                .map(|(name, member)| (name.clone(), member.facts(self.now)))
                .collect(),
            memory: self.memory.clone(),
        }
    }

    pub(super) fn decide(&self) -> Decision {
        decide(&self.policy, &self.facts())
    }

    pub(super) fn second(&mut self) {
        self.now += 1;
        if let Some((_, replicas, version)) = self.on_the_way.take_if(|(due, _, _)| *due <= self.now)
            && let Some(binding) = &mut self.binding
        {
            (binding.replicas, binding.template_version) = (replicas, version);
        }
        let label = matches!(&self.target, Target::Found(template) if template.retained);
        let entries = self.binding.as_ref().map(|binding| binding.clusters.clone()).unwrap_or_default();
        for (name, member) in &mut self.members {
            member.tick(entries.get(name).copied(), label, self.now);
        }
    }

    /// Carries out a decision, but no more than so many effective writes; the status is written last. Says what was written.
    pub(super) fn act(&mut self, decision: &Decision, writes: usize) -> Vec<String> {
        let mut said = Vec::new();
        let surge =
            |reason: &Reason| if let Reason::Surge { replicas } = reason { Some(*replicas) } else { None };
        self.surge = decision.trail.reasons().iter().find_map(surge).unwrap_or(0);
        let mut round = decision.round.clone();
        for write in &decision.writes {
            if said.len() >= writes {
                return said;
            }
            said.extend(self.write(write, &mut round, writes - said.len()));
        }
        if said.len() < writes {
            self.memory = Memory {
                split: decision.split.clone(),
                round,
                resets: decision.resets,
                releasing_since: decision.releasing_since,
            };
            self.let_go |= decision.let_go;
        }
        said
    }

    fn write(&mut self, write: &Write, round: &mut Option<Round>, left: usize) -> Vec<String> {
        let now = self.now;
        let one = |effective: bool, words: String| if effective { vec![words] } else { Vec::new() };
        match write {
            Write::AddFinalizer => one(!std::mem::replace(&mut self.finalized, true), "finalizer on".into()),
            Write::RemoveFinalizer => {
                self.released = true;
                one(std::mem::take(&mut self.finalized), "finalizer off".into())
            }
            Write::HoldScheduling => self.schedule(Scheduling::HeldByUs, "hold scheduling"),
            Write::ResumeScheduling => self.schedule(Scheduling::Free, "resume scheduling"),
            Write::Retain { to_zero } => {
                self.template().to_zero = *to_zero;
                one(!std::mem::replace(&mut self.template().retained, true), "retain".into())
            }
            Write::Unretain => one(std::mem::take(&mut self.template().retained), "unretain".into()),
            Write::EnsureHpa { cluster, install, .. } => {
                let hpa = &mut self.member(cluster).hpa;
                let bounds = install.bounds;
                if hpa.as_ref().is_some_and(|hpa| hpa.install.bounds == bounds || hpa.gone_at.is_some()) {
                    return Vec::new();
                }
                let acts = hpa.as_ref().map_or(bounds, |hpa| hpa.acts);
                let report = hpa.as_ref().and_then(|hpa| hpa.report);
                *hpa = Some(HpaWork { install: *install, since: now, acts, report, gone_at: None });
                vec![format!("HPA of {cluster} {}..{}", bounds.min, bounds.max)]
            }
            Write::RemoveHpa { cluster } => {
                let hpa = self.member(cluster).hpa.as_mut().filter(|hpa| hpa.gone_at.is_none());
                one(hpa.map(|hpa| hpa.gone_at = Some(now + 2)).is_some(), format!("no HPA of {cluster}"))
            }
            Write::WriteBack { clusters, replicas, .. } => self.write_back(clusters, *replicas, round, left),
        }
    }

    fn schedule(&mut self, scheduling: Scheduling, words: &str) -> Vec<String> {
        let binding = self.binding.as_mut().unwrap();
        let before = std::mem::replace(&mut binding.scheduling, scheduling);
        if before == scheduling { Vec::new() } else { vec![words.to_owned()] }
    }

    fn write_back(
        &mut self,
        clusters: &BTreeMap<String, u32>,
        replicas: u32,
        round: &mut Option<Round>,
        left: usize,
    ) -> Vec<String> {
        let entries: Vec<String> = clusters.iter().map(|(name, entry)| format!("{name} {entry}")).collect();
        let mut said = Vec::new();
        let binding = self.binding.as_mut().unwrap();
        if binding.clusters != *clusters || binding.replicas != replicas {
            (binding.clusters, binding.replicas) = (clusters.clone(), replicas);
            said.push(format!("binding {}", entries.join(", ")));
        }
        if said.len() >= left {
            return said;
        }
        if self.template().replicas != replicas {
            self.scale(replicas);
            said.push(format!("scale {replicas}"));
        }
        let template_version = self.template().version.clone();
        *round = Some(Round { template_version, replicas, started: at(self.now), acknowledged: None });
        said
    }
}
