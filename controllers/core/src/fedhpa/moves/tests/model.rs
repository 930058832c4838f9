//! Members that behave as badly as they may: HPAs see an edit late and act on it a sync period later, pods take
//! their time, the process dies between any two writes. Every second the model is asked whether the totals hold.

use super::*;

const SYNC: i64 = 15;

/// Random numbers from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn upto(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % (u64::from(most) + 1)).unwrap()
    }

    pub(super) fn seconds(&mut self, most: u32) -> i64 {
        i64::from(self.upto(most))
    }
}

/// An HPA: what its Work says, what has arrived in the member, what it last acted on.
#[derive(Clone, Debug)]
pub(super) struct Hpa {
    work: Bounds,
    before: Bounds,
    since: i64,
    on_the_way: Vec<(i64, Bounds)>,
    arrived: Option<Bounds>,
    acted_on: Option<Bounds>,
    report: Option<(u32, u32)>,
    gone_at: Option<i64>,
}

/// A member cluster.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// What its HPA would run if nothing bounded it.
    pub(super) wish: u32,
    /// Whether its HPA's spec is reflected.
    pub(super) tells: bool,
    /// The second of its HPA's first sync.
    pub(super) phase: i64,
    /// How long its pods take at most.
    pub(super) slowness: u32,
    pub(super) entry: u32,
    pub(super) prepared_at: i64,
    /// When each pod is ready.
    pub(super) pods: Vec<i64>,
    pub(super) hpa: Option<Hpa>,
}

impl Member {
    pub(super) fn asleep(wish: u32) -> Self {
        let pods = Vec::new();
        Self { wish, tells: true, phase: 0, slowness: 0, entry: 0, prepared_at: 0, pods, hpa: None }
    }

    /// At rest with these bounds.
    pub(super) fn settled(wish: u32, bounds: Bounds) -> Self {
        let mut member = Self::asleep(wish);
        let replicas = wish.clamp(bounds.min, bounds.max);
        member.pods = vec![0; usize::try_from(replicas).unwrap()];
        member.entry = replicas;
        member.hpa = Some(Hpa {
            work: bounds,
            before: bounds,
            since: -1000,
            on_the_way: Vec::new(),
            arrived: Some(bounds),
            acted_on: Some(bounds),
            report: Some((replicas, replicas)),
            gone_at: None,
        });
        member
    }

    pub(super) fn found(replicas: u32) -> Self {
        let mut member = Self::asleep(replicas);
        member.entry = replicas;
        member.pods = vec![0; usize::try_from(replicas).unwrap()];
        member
    }

    fn running(&self) -> u32 {
        u32::try_from(self.pods.len()).unwrap()
    }

    fn ready(&self, now: i64) -> u32 {
        u32::try_from(self.pods.iter().filter(|ready| **ready <= now).count()).unwrap()
    }

    fn scale(&mut self, to: u32, now: i64, dice: &mut Dice) {
        // A ReplicaSet gives up pods that are not ready before those that are.
        self.pods.sort_unstable();
        self.pods.truncate(usize::try_from(to).unwrap());
        while self.running() < to {
            let ready = now + dice.seconds(self.slowness);
            self.pods.push(ready);
        }
    }

    fn tick(&mut self, now: i64, dice: &mut Dice) {
        let Some(mut hpa) = self.hpa.take() else {
            if now >= self.prepared_at && self.running() != self.entry {
                self.scale(self.entry, now, dice);
            }
            return;
        };
        if hpa.gone_at.is_some_and(|gone| gone <= now) {
            self.entry = self.running();
            return;
        }
        while let Some((_, bounds)) = hpa.on_the_way.first().copied().filter(|(at, _)| *at <= now) {
            hpa.arrived = Some(bounds);
            hpa.on_the_way.remove(0);
        }
        if let Some(bounds) = hpa.arrived.filter(|_| (now + self.phase) % SYNC == 0) {
            let wanted = self.wish.clamp(bounds.min, bounds.max);
            hpa.report = Some((self.running(), wanted));
            hpa.acted_on = Some(bounds);
            self.scale(wanted, now, dice);
        }
        self.entry = self.running();
        self.hpa = Some(hpa);
    }

    /// The most it may run before anybody can change that.
    pub(super) fn max_in_effect(&self) -> u32 {
        let by_hpa = self.hpa.as_ref().and_then(|hpa| hpa.arrived).map_or(0, |bounds| bounds.max);
        by_hpa.max(self.running()).max(if self.hpa.is_none() { self.entry } else { 0 })
    }

    /// The least it is sure to keep.
    pub(super) fn min_in_effect(&self, now: i64) -> u32 {
        let kept = match &self.hpa {
            Some(hpa) if hpa.gone_at.is_some() => 0,
            Some(hpa) => hpa.acted_on.map_or(self.entry, |bounds| bounds.min),
            None => self.entry,
        };
        kept.min(self.ready(now))
    }

    pub(super) fn bounds(&self) -> Option<Bounds> {
        self.hpa.as_ref().filter(|hpa| hpa.gone_at.is_none()).map(|hpa| hpa.work)
    }

    pub(super) fn standing(&self, now: i64) -> Standing {
        let presence = match &self.hpa {
            Some(hpa) if hpa.gone_at.is_some() => Presence::Leaving(hpa.seen(self.tells)),
            Some(hpa) => Presence::Hpa(hpa.seen(self.tells)),
            None if self.entry == 0 => Presence::Absent,
            None => Presence::Entry { prepared: now > self.prepared_at },
        };
        let report = self.hpa.as_ref().and_then(|hpa| hpa.report);
        let load = report.map_or(self.entry, |(current, desired)| current.max(desired));
        // The numbers are written back at once.
        let entry = if self.hpa.is_some() { self.running() } else { self.entry };
        Standing { presence, entry, load, homeward: false, ready: self.ready(now) }
    }
}

impl Hpa {
    fn seen(&self, tells: bool) -> Installed {
        Installed {
            bounds: self.work,
            before: self.before,
            since: at(self.since),
            confirmed: self.arrived.filter(|_| tells),
            within: self.report.is_some_and(|(current, desired)| current.max(desired) <= self.work.max),
        }
    }
}

/// A fleet under `next_step`.
#[derive(Clone)]
pub(super) struct World {
    pub(super) totals: Bounds,
    pub(super) target: Shares,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) now: i64,
    pub(super) dice: Dice,
    /// One in so many runs of the process dies half way; 0 for never.
    pub(super) crashes: u32,
    /// The surge that was reported last.
    pub(super) surge: u32,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "second {}, {:?}, surge {}", self.now, self.totals, self.surge)?;
        for (name, member) in &self.members {
            writeln!(f, "{name} towards {:?}: {member:?}", self.target.get(name))?;
        }
        Ok(())
    }
}

impl World {
    pub(super) fn new(totals: Bounds, target: Shares, members: BTreeMap<String, Member>, seed: u64) -> Self {
        Self { totals, target, members, now: 0, dice: Dice(seed), crashes: 0, surge: 0 }
    }

    pub(super) fn max_in_effect(&self) -> u32 {
        self.members.values().map(Member::max_in_effect).sum()
    }

    pub(super) fn min_in_effect(&self) -> u32 {
        self.members.values().map(|member| member.min_in_effect(self.now)).sum()
    }

    pub(super) fn shares(&self) -> Shares {
        let share = |(name, member): (&String, &Member)| Some((name.clone(), member.bounds()?));
        self.members.iter().filter_map(share).collect()
    }

    pub(super) fn arrived(&self) -> bool {
        let empty =
            self.members.iter().all(|(name, member)| self.target.contains_key(name) || member.entry == 0);
        empty && self.shares() == self.target
    }

    pub(super) fn plan(&self) -> Step {
        let standings =
            self.members.iter().map(|(name, member)| (name.clone(), member.standing(self.now))).collect();
        next_step(self.totals, Groups::ANY, &self.target, &standings, at(self.now))
    }

    /// One second: members act, and now and then the process does.
    pub(super) fn second(&mut self) {
        self.now += 1;
        for member in self.members.values_mut() {
            member.tick(self.now, &mut self.dice);
        }
        if self.dice.upto(4) == 0 {
            let step = self.plan();
            self.judge(&step);
            self.carry_out(&step);
        }
    }

    /// Nothing is lowered below what runs unless the total is exceeded or the cluster is to leave.
    fn judge(&self, step: &Step) {
        let works: u32 =
            self.members.values().map(|member| member.bounds().map_or(member.entry, |b| b.max)).sum();
        for (name, install) in &step.install {
            let member = &self.members[name];
            let load = member.standing(self.now).load;
            let lowered = member.bounds().is_some_and(|bounds| install.bounds.max < bounds.max);
            let excused = works > self.totals.max || !self.target.contains_key(name);
            assert!(
                !lowered || install.bounds.max >= load || excused,
                "{name} is cut to {install:?} at load {load}"
            );
            assert!(
                install.bounds.min >= 1 && install.bounds.min <= install.bounds.max,
                "{name}: {install:?}"
            );
        }
        for name in &step.remove {
            assert_eq!(self.members[name].bounds(), Some(Bounds::pinned(1)), "{name} is removed");
        }
        for name in &step.vacate {
            assert!(self.members[name].hpa.is_none(), "{name} is vacated under its HPA");
        }
    }

    fn carry_out(&mut self, step: &Step) {
        self.surge = step.surge;
        let writes = step.install.len() + step.remove.len() + step.wake.len() + step.vacate.len();
        let dies = self.crashes > 0 && self.dice.upto(self.crashes - 1) == 0;
        let mut left = if dies { self.dice.upto(u32::try_from(writes).unwrap()) } else { u32::MAX };
        let mut alive = || {
            let alive = left > 0;
            left = left.saturating_sub(1);
            alive
        };
        for (name, install) in step.install.iter().filter(|_| alive()) {
            let arrives = self.now + self.dice.seconds(3);
            self.members.get_mut(name).unwrap().install(*install, self.now, arrives);
        }
        let woken = step.wake.iter().map(|(name, entry)| (name, *entry));
        for (name, entry) in woken.chain(step.vacate.iter().map(|name| (name, 0))).filter(|_| alive()) {
            let there = self.now + self.dice.seconds(8);
            let member = self.members.get_mut(name).unwrap();
            member.entry = entry;
            member.prepared_at = there;
            if entry == 0 {
                member.pods.clear();
            }
        }
        for name in step.remove.iter().filter(|_| alive()) {
            let gone = self.now + self.dice.seconds(8);
            self.members.get_mut(name).unwrap().hpa.as_mut().unwrap().gone_at = Some(gone);
        }
    }
}

impl Member {
    fn install(&mut self, install: Install, now: i64, arrives: i64) {
        let report = self.hpa.as_ref().and_then(|hpa| hpa.report);
        let hpa = self.hpa.get_or_insert(Hpa {
            work: install.bounds,
            before: install.before,
            since: now,
            on_the_way: Vec::new(),
            arrived: None,
            acted_on: None,
            report,
            gone_at: None,
        });
        // What is on the way already does not overtake.
        let arrives = hpa.on_the_way.last().map_or(arrives, |(at, _)| arrives.max(*at));
        (hpa.work, hpa.before, hpa.since) = (install.bounds, install.before, now);
        hpa.on_the_way.push((arrives, install.bounds));
    }
}
