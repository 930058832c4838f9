//! From policy and facts to a decision: reads top to bottom as the life of a FedHPA.
//!
//! Responsible for the order of things and for what is said about them; every number comes from a sibling.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    bounds::{self, InForce, Yielded},
    claims::{self, Roll, Rolled},
    counts::{Count, count},
    cover::{self, Cover, steerable},
    decision::{Decision, FedHpaCondition as Condition, Part, Write},
    facts::{
        Binding, Candidacy, Cluster, Customization, Facts, HpaReport, MemberHpa, Placement, Scheduling,
        Target, Template,
    },
    homing,
    moves::{self, Install, Installed, Presence, Standing, Step},
    policy::{Bounds, Policy},
    rebalance::{self, InForceSplit, Verdict},
    release, report,
    split::{self, Claim, Floors, Groups, Shares},
    trail::{Change, Reason, Trail},
    write_back::{self, Answer},
};
use crate::conditions::Finding;

/// Decides. Pure and total: the same facts give the same decision.
pub fn decide(policy: &Policy, facts: &Facts) -> Decision {
    let mut decision = Decision::carrying(facts);
    if let Some(since) = facts.deleting {
        release::decide(facts, since, &mut decision);
        return decision;
    }
    if policy.suspended {
        report::suspended(facts, &mut decision);
        return decision;
    }
    if facts.superseded_by.is_some() {
        let since = facts.memory.releasing_since.unwrap_or(facts.now);
        decision.releasing_since = Some(since);
        release::decide(facts, since, &mut decision);
        return decision;
    }
    match Stage::reached(facts) {
        Stage::Refused(finding) => refuse(facts, finding, &mut decision),
        Stage::Waits(why) => report::waiting(facts, why, &mut decision),
        Stage::Holds { template, binding } => {
            Steady { policy, facts, template, binding }.decide(&mut decision);
        }
    }
    decision
}

impl Decision {
    /// What stays if nothing else is decided.
    fn carrying(facts: &Facts) -> Self {
        Self {
            split: facts.memory.split.clone(),
            round: facts.memory.round.clone(),
            resets: facts.memory.resets,
            ..Self::default()
        }
    }

    pub(super) fn look_again_by(&mut self, at: Option<DateTime<Utc>>) {
        self.look_again = [self.look_again, at].into_iter().flatten().min();
    }
}

/// How far things have come.
enum Stage<'a> {
    Refused(Finding<Condition>),
    Waits(&'static str),
    Holds { template: &'a Template, binding: &'a Binding },
}

impl<'a> Stage<'a> {
    fn reached(facts: &'a Facts) -> Self {
        if let Some(holder) = &facts.holder {
            let message = format!("FedHPA {holder} is older and has the same target; this one does nothing");
            return Self::Refused(Finding::new(Condition::Contested, true, "TargetHeld", message));
        }
        let invalid =
            |reason, message: String| Self::Refused(Finding::new(Condition::Invalid, true, reason, message));
        let template = match &facts.target {
            Target::Missing => {
                return invalid("TargetNotFound", "the scale target does not exist".to_owned());
            }
            Target::Unfit(why) => return invalid("TargetUnfit", why.clone()),
            Target::Found(template) => template,
        };
        match &facts.retention {
            Customization::InForce => {}
            Customization::Foreign(words) => return invalid("ForeignCustomization", words.clone()),
            Customization::Missing(words) => return invalid("RetentionMissing", words.clone()),
        }
        let Some(binding) = &facts.binding else {
            return Self::Waits(if has_hpa(facts) { report::BINDING_GONE } else { report::NO_BINDING });
        };
        if binding.scheduling == Scheduling::HeldByOthers {
            let message = "someone else has suspended scheduling of the ResourceBinding; resume it first";
            return invalid("ForeignSuspension", message.to_owned());
        }
        match binding.placement {
            Placement::Duplicated => invalid("DuplicatedPlacement", report::duplicated(facts)),
            Placement::Components => invalid(
                "SeveralComponents",
                "the workload has several components with counts of their own; there is no one total"
                    .to_owned(),
            ),
            Placement::Divided
                if binding.clusters.values().all(|replicas| *replicas == 0) && !has_hpa(facts) =>
            {
                Self::Waits("no cluster has replicas of the target yet: not scheduled, or scaled to zero")
            }
            Placement::Divided => Self::Holds { template, binding },
        }
    }
}

pub(super) fn has_hpa(facts: &Facts) -> bool {
    facts.clusters.values().any(|cluster| cluster.hpa.is_some())
}

/// Nothing is decided for an object that cannot be acted on; but HPAs whose target is gone scale nothing.
fn refuse(facts: &Facts, finding: Finding<Condition>, decision: &mut Decision) {
    if matches!(facts.target, Target::Missing) {
        decision.writes.extend(release::remove_hpas(facts));
    }
    report::refused(facts, finding, decision);
}

/// What is divided at this moment.
struct Divided {
    totals: Bounds,
    fingerprint: String,
    claims: BTreeMap<String, Claim>,
}

/// A split that replaces the one in force.
struct Adopted {
    floors: Floors,
    change: Change,
    clusters: Vec<String>,
    cover: Option<Cover>,
}

/// The steady course: target, binding and policy are there and can be worked with.
struct Steady<'a> {
    policy: &'a Policy,
    facts: &'a Facts,
    template: &'a Template,
    binding: &'a Binding,
}

impl Steady<'_> {
    fn decide(&self, decision: &mut Decision) {
        self.prepare(decision);
        let in_force = self.totals(decision);
        let counts = self.counts();
        let (split, homeward) = self.split(&in_force, &counts, decision);
        let step = self.step(in_force.bounds, &split.shares, &counts, &homeward);
        self.retain(&split, decision);
        self.distribute(&split, &step, decision);
        let answer = self.write_back(&step, &counts, decision);
        let scene =
            report::Scene { facts: self.facts, counts: &counts, split: &split, step: &step, answer: &answer };
        scene.describe(self.policy, in_force.bounds, decision);
        decision.look_again_by(step.check_at);
        decision.in_force = Some(in_force);
        decision.split = Some(split);
    }

    /// Finalizer, then hold scheduling, then retention: only after these may an HPA exist.
    fn prepare(&self, decision: &mut Decision) {
        if !self.facts.finalized {
            decision.writes.push(Write::AddFinalizer);
        }
        if self.binding.scheduling == Scheduling::Free {
            decision.writes.push(Write::HoldScheduling);
        }
    }

    /// Members keep what they run; a 0 only where an HPA may bring it about.
    fn retain(&self, split: &InForceSplit, decision: &mut Decision) {
        let to_zero = split.shares.values().any(|share| share.min == 0 && share.max > 0);
        if !self.template.retained || self.template.to_zero != to_zero {
            decision.writes.push(Write::Retain { to_zero });
        }
    }

    fn totals(&self, decision: &mut Decision) -> InForce {
        let in_force = bounds::in_force(self.policy.bounds, self.facts.published.as_ref());
        let Bounds { min, max } = in_force.bounds;
        decision.trail.note(Reason::Totals {
            bounds: in_force.bounds,
            min_rule: in_force.min_rule.clone(),
            max_rule: in_force.max_rule.clone(),
        });
        match in_force.yielded {
            Some(Yielded::Min(from)) => decision.trail.note(Reason::MinLowered { from, to: min }),
            Some(Yielded::Max(from)) => decision.trail.note(Reason::MaxRaised { from, to: max }),
            None => {}
        }
        in_force
    }

    fn counts(&self) -> BTreeMap<String, Count> {
        let entry = |name: &String| self.binding.clusters.get(name).copied();
        let counted =
            |(name, cluster): (&String, &Cluster)| Some((name.clone(), count(cluster, entry(name))?));
        self.facts.clusters.iter().filter_map(counted).collect()
    }

    fn split(
        &self,
        in_force: &InForce,
        counts: &BTreeMap<String, Count>,
        decision: &mut Decision,
    ) -> (InForceSplit, BTreeSet<String>) {
        decision.saturated = claims::saturated(self.facts);
        let Rolled { claims, unknown } = self.roll(counts).call(in_force.bounds.max, &decision.saturated);
        if !unknown.is_empty() {
            decision.trail.note(Reason::RoomUnknown { clusters: unknown });
        }
        let mut divided = Divided { totals: in_force.bounds, fingerprint: fingerprint(self.policy), claims };
        match &self.facts.memory.split {
            None => {
                let (floors, change) = (Floors::UnderWhatRuns, Change::First);
                let adopted = Adopted { floors, change, clusters: Vec::new(), cover: None };
                (self.adopt(divided, adopted, decision), BTreeSet::new())
            }
            Some(previous) => {
                let homeward = homing::homeward(divided.totals.max, &mut divided.claims);
                (self.reconsider(previous, divided, counts, decision), homeward)
            }
        }
    }

    fn roll<'b>(&'b self, counts: &'b BTreeMap<String, Count>) -> Roll<'b> {
        Roll { policy: self.policy, facts: self.facts, binding: self.binding, counts }
    }

    /// Keeps the split in force or takes the ideal.
    fn reconsider(
        &self,
        previous: &InForceSplit,
        divided: Divided,
        counts: &BTreeMap<String, Count>,
        decision: &mut Decision,
    ) -> InForceSplit {
        let left = cover::left(previous.cover, self.facts);
        let ideal = split::covering(
            divided.totals,
            left.map_or(0, |cover| cover.min),
            groups(self.binding),
            &divided.claims,
            Floors::ByWeight,
            &mut Trail::default(),
        );
        let above = claims::above(previous, self.facts);
        let question = rebalance::Question {
            previous,
            ideal: &ideal,
            totals: divided.totals,
            fingerprint: &divided.fingerprint,
            claims: &divided.claims,
            saturated: &decision.saturated,
            above: &above,
            cover: left,
            now: self.facts.now,
        };
        match rebalance::verdict(&question, &self.policy.rebalance) {
            Verdict::Keep { drift, within_tolerance, until } => {
                if drift > 0 {
                    decision.trail.note(Reason::Kept { drift, within_tolerance });
                }
                decision.look_again_by(until);
                decision.unplaced = divided.totals.max.saturating_sub(split::total(&previous.shares).max);
                note_cover(left, decision);
                previous.clone()
            }
            Verdict::Adopt { change, clusters } => {
                let stay = divided.claims.keys();
                let cover = cover::after_loss(&clusters, stay, left, divided.totals, self.facts, counts);
                let adopted = Adopted { floors: Floors::ByWeight, change, clusters, cover };
                self.adopt(divided, adopted, decision)
            }
        }
    }

    fn adopt(
        &self,
        divided: Divided,
        Adopted { floors, change, clusters, cover }: Adopted,
        decision: &mut Decision,
    ) -> InForceSplit {
        decision.trail.note(Reason::Adopted { change, clusters });
        note_cover(cover, decision);
        let covered = cover.map_or(0, |cover| cover.min);
        let (groups, trail) = (groups(self.binding), &mut decision.trail);
        let ideal = split::covering(divided.totals, covered, groups, &divided.claims, floors, trail);
        decision.unplaced = ideal.unplaced;
        let share = |name: String| {
            let share = ideal.shares.get(&name).copied().unwrap_or_default();
            (name, share)
        };
        InForceSplit {
            shares: divided.claims.into_keys().map(share).collect(),
            totals: divided.totals,
            fingerprint: divided.fingerprint,
            adopted: self.facts.now,
            change,
            cover,
        }
    }

    fn step(
        &self,
        totals: Bounds,
        shares: &Shares,
        counts: &BTreeMap<String, Count>,
        homeward: &BTreeSet<String>,
    ) -> Step {
        let reachable = self.facts.clusters.iter().filter(|(_, cluster)| steerable(cluster));
        let standings = reachable
            .map(|(name, cluster)| {
                let standing = self.standing(name, cluster, counts.get(name));
                (name.clone(), Standing { homeward: homeward.contains(name), ..standing })
            })
            .collect();
        moves::next_step(totals, groups(self.binding), shares, &standings, self.facts.now)
    }

    fn standing(&self, name: &str, cluster: &Cluster, count: Option<&Count>) -> Standing {
        let entry = self.binding.clusters.get(name).copied().unwrap_or(0);
        let presence = match &cluster.hpa {
            Some(hpa) if hpa.leaving => Presence::Leaving(installed(hpa)),
            Some(hpa) => Presence::Hpa(installed(hpa)),
            None if entry == 0 => Presence::Absent,
            None => Presence::Entry { prepared: self.prepared(cluster) },
        };
        let ready = cluster.workload.known().map_or(0, |workload| workload.ready);
        let load = count.map_or(entry, |count| claims::held_load(self.policy, name, cluster, count));
        Standing { presence, entry, load, homeward: false, ready }
    }

    /// An HPA would work there, scheduling is held, and the workload was seen there under a Work that retains its
    /// replicas.
    fn prepared(&self, cluster: &Cluster) -> bool {
        if matches!(cluster.candidacy, Candidacy::Unfit(_)) {
            return false;
        }
        let held = self.binding.scheduling == Scheduling::HeldByUs && self.facts.finalized;
        held && self.template.retained && cluster.retained && cluster.workload.fresh().is_some()
    }

    /// The HPAs that are to be in the members: those that stay and those that change.
    fn distribute(&self, split: &InForceSplit, step: &Step, decision: &mut Decision) {
        let whole = split::total(&split.shares).max.max(1);
        let mut next = 0_u32;
        for (name, cluster) in &self.facts.clusters {
            let before = next;
            let share = split.shares.get(name).map_or(0, |share| share.max);
            next = next.saturating_add(share);
            if step.remove.contains(name) {
                decision.writes.push(Write::RemoveHpa { cluster: name.clone() });
                continue;
            }
            let kept = cluster.hpa.as_ref().filter(|hpa| !hpa.leaving && steerable(cluster));
            let kept = kept.map(|hpa| Install { bounds: hpa.bounds, before: hpa.before });
            if let Some(install) = step.install.get(name).copied().or(kept) {
                let part = Part { share: share.max(1), before, whole };
                decision.writes.push(Write::EnsureHpa { cluster: name.clone(), install, part });
            }
        }
    }

    fn write_back(&self, step: &Step, counts: &BTreeMap<String, Count>, decision: &mut Decision) -> Answer {
        let wanted = self.wanted(step, counts);
        let question = write_back::Question {
            counts: &wanted,
            binding: self.binding,
            template: self.template,
            round: self.facts.memory.round.as_ref(),
            resets: self.facts.memory.resets,
            interval: self.policy.write_back_interval,
            now: self.facts.now,
        };
        acknowledge(self.binding, self.template, self.facts.now, decision);
        let nothing = write_back::sum(&wanted) == 0 && !self.may_be_nothing(&wanted);
        let answer = if nothing { Answer::True } else { write_back::answer(&question) };
        match &answer {
            Answer::True => {}
            Answer::Wait { until, .. } => decision.look_again_by(Some(*until)),
            Answer::Write { repairs_reset } => {
                if *repairs_reset {
                    decision.resets = write_back::one_more(decision.resets, self.facts.now);
                }
                decision.writes.push(write(&question));
            }
        }
        answer
    }

    /// Whether no replica at all is a number to be written: every cluster has an HPA that may go that far and did.
    fn may_be_nothing(&self, wanted: &BTreeMap<String, u32>) -> bool {
        let may = |name: &String| self.facts.clusters.get(name).is_some_and(goes_to_zero);
        !wanted.is_empty() && wanted.keys().all(may)
    }

    /// The number that each cluster should have in the binding.
    fn wanted(&self, step: &Step, counts: &BTreeMap<String, Count>) -> BTreeMap<String, u32> {
        let mut wanted = self.binding.clusters.clone();
        for (name, cluster) in &self.facts.clusters {
            // What Karmada takes away is not put back.
            let ours = cluster.candidacy == Candidacy::Candidate && cluster.lost.is_none();
            if let (Some(_), Some(count), true) =
                (&cluster.hpa, counts.get(name), ours || wanted.contains_key(name))
            {
                wanted.insert(name.clone(), count.replicas.max(u32::from(!goes_to_zero(cluster))));
            }
        }
        wanted.extend(step.wake.iter().map(|(name, replicas)| (name.clone(), *replicas)));
        wanted.retain(|name, _| !step.vacate.contains(name));
        wanted
    }
}

/// Whether the HPA there may be at 0. Any other is disabled at 0, where an entry of 0 would keep it.
fn goes_to_zero(cluster: &Cluster) -> bool {
    cluster.to_zero && cluster.hpa.as_ref().is_some_and(|hpa| hpa.bounds.min == 0)
}

fn note_cover(cover: Option<Cover>, decision: &mut Decision) {
    if let Some(cover) = cover {
        decision.trail.note(Reason::Covering { min: cover.min });
        decision.look_again_by(Some(cover.until));
    }
}

fn installed(hpa: &MemberHpa) -> Installed {
    let within = |report: &HpaReport| report.current.max(report.desired) <= hpa.bounds.max;
    Installed {
        bounds: hpa.bounds,
        before: hpa.before,
        since: hpa.since,
        confirmed: hpa.report.known().and_then(|report| report.bounds),
        within: hpa.report.fresh().is_some_and(within),
    }
}

/// How many clusters the policy's spread constraints allow.
fn groups(binding: &Binding) -> Groups {
    Groups { fewest: binding.min_groups.unwrap_or(0), most: binding.max_groups.unwrap_or(u32::MAX) }
}

/// Notes that the binding has caught up with the last round.
pub(super) fn acknowledge(
    binding: &Binding,
    template: &Template,
    now: DateTime<Utc>,
    decision: &mut Decision,
) {
    let Some(round) = decision.round.as_mut().filter(|round| round.acknowledged.is_none()) else { return };
    if write_back::acknowledged(round, binding, template, now) {
        round.acknowledged = Some(now);
    } else {
        let until = write_back::acknowledged_by(round, now);
        decision.look_again_by(Some(until));
    }
}

/// The round that makes the question's numbers true.
pub(super) fn write(question: &write_back::Question<'_>) -> Write {
    let replicas = write_back::sum(question.counts);
    Write::WriteBack {
        clusters: question.counts.clone(),
        replicas,
        binding_agrees: question.binding.clusters == *question.counts
            && question.binding.replicas == replicas,
        binding_version: question.binding.version.clone(),
        template_version: question.template.version.clone(),
    }
}

/// Identifies what a split was made under, so that an edit is told from a change of facts (FNV-1a, 64 bit).
fn fingerprint(policy: &Policy) -> String {
    let text = format!("{:?} {}", policy.distribution, policy.reserve_percent);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests;
