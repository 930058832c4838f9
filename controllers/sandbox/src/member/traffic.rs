//! Demand meets pods: a load balancer above all members, and the books on what was served and what it took.
//! Knows counts of pods and no pod; time is given to it.
//!
//! Between two looks (every change of a count, every autoscaler sync, every 15 s) demand is taken as constant.

use crate::demand::Trace;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A workload by its namespace and name; all members' objects of that name serve the same demand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Workload {
    /// A workload's name.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// How the balancer spreads demand over the members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Balance {
    /// By each member's ready pods, so that all pods carry the same.
    #[default]
    ReadyPods,
    /// By fixed weights, as regions with users of their own have. A member without ready pods serves nobody.
    Weights(BTreeMap<String, u32>),
}

/// The demand on one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Whose.
    pub workload: Workload,
    /// How much, from the moment at which it is set.
    pub trace: Trace,
    /// How much of the trace there is, in percent.
    pub percent: u32,
    /// Where it goes.
    pub balance: Balance,
    /// The cpu utilisation of a pod that carries one replica's worth of load, in percent of its request.
    pub unit_percent: u32,
    /// The utilisation above which a pod carries no more, in percent of its request: what is over is unmet.
    pub cap_percent: u32,
}

impl Demand {
    /// Demand spread by ready pods; one unit is 80 percent of a pod's request, and a pod carries up to 200 percent.
    #[must_use]
    pub fn new(workload: Workload, trace: Trace) -> Self {
        Self {
            workload,
            trace,
            percent: 100,
            balance: Balance::ReadyPods,
            unit_percent: 80,
            cap_percent: 200,
        }
    }
}

/// A member's pods of one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PodCount {
    /// Ready ones.
    pub ready: u32,
    /// Those that fit on no node.
    pub pending: u32,
    /// All of them.
    pub total: u32,
}

/// What a workload has served and what it took, since its first pod or its demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Demand, in thousandths of a replica times seconds.
    pub demand_milli_seconds: u64,
    /// Demand that no pod carried, in thousandths of a replica times seconds.
    pub unmet_milli_seconds: u64,
    /// Ready replicas times seconds.
    pub replica_seconds: u64,
    /// Pods that fitted nowhere, times seconds.
    pub pending_pod_seconds: u64,
}

/// The balancer and the books, shared by all members.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Mutex<BTreeMap<Workload, Account>>>);

#[derive(Debug, Default)]
struct Account {
    demand: Option<(Demand, DateTime<Utc>)>,
    members: BTreeMap<String, PodCount>,
    seen: Option<DateTime<Utc>>,
    sums: Sums,
}

/// Totals in milliseconds, so that short steps lose nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    demand: u128,
    unmet: u128,
    replicas: u128,
    pending: u128,
}

impl Traffic {
    fn accounts(&self) -> MutexGuard<'_, BTreeMap<Workload, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the demand on a workload; its trace starts now.
    pub fn set_demand(&self, demand: Demand, now: DateTime<Utc>) {
        let mut accounts = self.accounts();
        let account = accounts.entry(demand.workload.clone()).or_default();
        account.advance(now);
        account.demand = Some((demand, now));
    }

    /// Lets so many percent of a workload's trace come from now on. The trace goes on where it is.
    pub fn scale_demand(&self, workload: &Workload, percent: u32, now: DateTime<Utc>) {
        let mut accounts = self.accounts();
        let Some(account) = accounts.get_mut(workload) else { return };
        account.advance(now);
        if let Some((demand, _)) = &mut account.demand {
            demand.percent = percent;
        }
    }

    /// Takes a member's count of a workload's pods.
    pub fn report(&self, member: &str, workload: &Workload, count: PodCount, now: DateTime<Utc>) {
        let mut accounts = self.accounts();
        let account = accounts.entry(workload.clone()).or_default();
        account.advance(now);
        account.members.insert(member.to_owned(), count);
    }

    /// Brings all books up to now.
    pub fn advance(&self, now: DateTime<Utc>) {
        self.accounts().values_mut().for_each(|account| account.advance(now));
    }

    /// The cpu that a ready pod of the workload uses in this member, in thousandths of its request. A workload
    /// without demand idles.
    #[must_use]
    pub fn utilisation(&self, member: &str, workload: &Workload, now: DateTime<Utc>) -> u32 {
        let mut accounts = self.accounts();
        let Some(account) = accounts.get_mut(workload) else { return 0 };
        account.advance(now);
        account.utilisation(member, now)
    }

    /// The demand on a workload now, in thousandths of a replica.
    #[must_use]
    pub fn demand(&self, workload: &Workload, now: DateTime<Utc>) -> i64 {
        self.accounts().get(workload).map_or(0, |account| account.demanded(now))
    }

    /// A workload's pods, member by member.
    #[must_use]
    pub fn pods(&self, workload: &Workload) -> BTreeMap<String, PodCount> {
        self.accounts().get(workload).map(|account| account.members.clone()).unwrap_or_default()
    }

    /// A workload's books up to now.
    #[must_use]
    pub fn totals(&self, workload: &Workload, now: DateTime<Utc>) -> Totals {
        let mut accounts = self.accounts();
        let Some(account) = accounts.get_mut(workload) else { return Totals::default() };
        account.advance(now);
        account.sums.totals()
    }
}

impl Account {
    fn demanded(&self, now: DateTime<Utc>) -> i64 {
        let Some((demand, since)) = &self.demand else { return 0 };
        demand.trace.at((now - *since).to_std().unwrap_or(Duration::ZERO)) * i64::from(demand.percent) / 100
    }

    fn ready(&self) -> u32 {
        self.members.values().map(|count| count.ready).sum()
    }

    /// The part of a demand that goes to a member.
    fn part(&self, demand: &Demand, demanded: i64, member: &str) -> i64 {
        let (weight, sum) = match &demand.balance {
            Balance::ReadyPods => (self.members.get(member).map_or(0, |count| count.ready), self.ready()),
            Balance::Weights(weights) => {
                (weights.get(member).copied().unwrap_or_default(), weights.values().sum())
            }
        };
        if sum == 0 { 0 } else { demanded * i64::from(weight) / i64::from(sum) }
    }

    fn utilisation(&self, member: &str, now: DateTime<Utc>) -> u32 {
        let Some((demand, _)) = &self.demand else { return 0 };
        let ready = i64::from(self.members.get(member).map_or(0, |count| count.ready));
        if ready == 0 {
            return 0;
        }
        let part = self.part(demand, self.demanded(now), member);
        // Thousandths of a replica, each worth `unit_percent`, over the pods: in thousandths of a request.
        let used = part * i64::from(demand.unit_percent) / (ready * 100);
        let cap = demand.cap_percent.saturating_mul(10);
        u32::try_from(used).unwrap_or(u32::MAX).min(cap)
    }

    /// What no pod carries, in thousandths of a replica.
    fn unmet(&self, demanded: i64) -> i64 {
        let Some((demand, _)) = &self.demand else { return 0 };
        let each = i64::from(demand.cap_percent) * 1000 / i64::from(demand.unit_percent.max(1));
        match &demand.balance {
            Balance::ReadyPods => (demanded - i64::from(self.ready()) * each).max(0),
            Balance::Weights(weights) => {
                let over = |member: &String| {
                    let ready = i64::from(self.members.get(member).map_or(0, |count| count.ready));
                    (self.part(demand, demanded, member) - ready * each).max(0)
                };
                weights.keys().map(over).sum()
            }
        }
    }

    fn advance(&mut self, now: DateTime<Utc>) {
        let Some(seen) = self.seen.replace(now) else { return };
        let Ok(step) = u128::try_from((now - seen).num_milliseconds()) else { return };
        if step == 0 {
            return;
        }
        let demanded = self.demanded(seen);
        let pending: u32 = self.members.values().map(|count| count.pending).sum();
        self.sums.demand += step * u128::try_from(demanded).unwrap_or_default();
        self.sums.unmet += step * u128::try_from(self.unmet(demanded)).unwrap_or_default();
        self.sums.replicas += step * u128::from(self.ready());
        self.sums.pending += step * u128::from(pending);
    }
}

impl Sums {
    fn totals(self) -> Totals {
        let seconds = |milliseconds: u128| u64::try_from(milliseconds / 1000).unwrap_or(u64::MAX);
        Totals {
            demand_milli_seconds: seconds(self.demand),
            unmet_milli_seconds: seconds(self.unmet),
            replica_seconds: seconds(self.replicas),
            pending_pod_seconds: seconds(self.pending),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn web() -> Workload {
        Workload::new("default", "web")
    }

    fn count(ready: u32, pending: u32) -> PodCount {
        PodCount { ready, pending, total: ready + pending }
    }

    fn traffic(milli: i64, balance: Balance) -> Traffic {
        let traffic = Traffic::default();
        let demand = Demand { balance, ..Demand::new(web(), Trace::constant(milli)) };
        traffic.set_demand(demand, at(0));
        traffic.report("a", &web(), count(1, 0), at(0));
        traffic.report("b", &web(), count(3, 2), at(0));
        traffic
    }

    #[test]
    fn demand_equal_to_the_pods_brings_all_of_them_to_the_target() {
        let traffic = traffic(4000, Balance::ReadyPods);
        assert_eq!(traffic.utilisation("a", &web(), at(1)), 800);
        assert_eq!(traffic.utilisation("b", &web(), at(1)), 800);
    }

    #[test]
    fn fixed_weights_load_members_whatever_runs_there() {
        let weights = Balance::Weights([("a".to_owned(), 1), ("b".to_owned(), 1)].into());
        let traffic = traffic(3000, weights);
        assert_eq!(traffic.utilisation("a", &web(), at(1)), 1200);
        assert_eq!(traffic.utilisation("b", &web(), at(1)), 400);
    }

    #[test]
    fn a_pod_carries_no_more_than_its_cap_and_the_rest_is_unmet() {
        let traffic = traffic(15_000, Balance::ReadyPods);
        assert_eq!(traffic.utilisation("a", &web(), at(10)), 2000);
        // Four pods carry 2.5 units each.
        let totals = traffic.totals(&web(), at(10));
        assert_eq!((totals.demand_milli_seconds, totals.unmet_milli_seconds), (150_000, 50_000));
        assert_eq!((totals.replica_seconds, totals.pending_pod_seconds), (40, 20));
    }

    #[test]
    fn scaled_demand_counts_from_then_on_and_its_trace_goes_on() {
        let traffic = Traffic::default();
        let rising = Trace::new([(0, 0.0), (100, 100.0)], crate::demand::Interpolation::Linear).unwrap();
        traffic.set_demand(Demand::new(web(), rising), at(0));
        traffic.report("a", &web(), count(50, 0), at(0));
        traffic.advance(at(10));
        traffic.scale_demand(&web(), 150, at(20));
        assert_eq!(traffic.demand(&web(), at(20)), 30_000);
        assert_eq!(traffic.demand(&web(), at(40)), 60_000);
        let totals = traffic.totals(&web(), at(30));
        // Nothing until the first look, then 10 for ten seconds, then 30.
        assert_eq!(totals.demand_milli_seconds, 100_000 + 300_000);
    }

    #[test]
    fn the_books_follow_each_change_of_a_count() {
        let traffic = traffic(1000, Balance::ReadyPods);
        traffic.report("b", &web(), count(0, 0), at(10));
        traffic.report("a", &web(), count(0, 0), at(20));
        let totals = traffic.totals(&web(), at(30));
        assert_eq!((totals.replica_seconds, totals.pending_pod_seconds), (50, 20));
        assert_eq!(totals.unmet_milli_seconds, 10_000);
    }
}
