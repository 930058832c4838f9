//! The right to write.
//!
//! Responsible for the token that each writing function asks for, and for keeping the Lease that makes one process of
//! several the one that writes. The rules of the Lease are [`fedscaler_core::lease`]'s; here they are carried out. Knows
//! nothing of what is written.
//!
//! A token is no fence: every write also carries the resourceVersion that it was decided on.

use std::time::Duration;

use fedscaler_core::lease::{self, Record, Sighting, Step, Terms};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use tokio::{sync::watch, time::Instant};

use crate::{
    client::{CallError, within},
    clock::SharedClock,
    time::{from_wire_micros, to_wire_micros},
};

/// Proof that this process was made leader, and for how long that holds. Only this module can make one.
#[derive(Clone, Debug)]
pub struct Term {
    until: watch::Receiver<Until>,
}

/// Until when a term holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// It has not begun.
    NotBegun,
    /// As long as it is not renewed, until this moment.
    Renewed(Instant),
    /// For as long as the process lives: it is the only one.
    Sole,
    /// It is over.
    Over,
}

impl Term {
    /// Resolves when this process leads; at once if it does.
    pub async fn began(mut self) {
        let leads = |until: &Until| matches!(until, Until::Renewed(_) | Until::Sole);
        let is_in_vain = self.until.wait_for(leads).await.is_err();
        if is_in_vain {
            // Nobody is left who could make this process leader.
            std::future::pending::<()>().await;
        }
    }

    /// The outcome of a call that writes, if it comes within `budget`. Nothing is sent if the term may end before.
    ///
    /// # Errors
    /// [`CallError::NotLeading`] if this process does not lead, or perhaps not for that long.
    pub async fn write<T>(
        &self,
        budget: Duration,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, CallError> {
        if !self.outlives(budget) {
            return Err(CallError::NotLeading);
        }
        within(budget, call).await
    }

    /// Whether something that begins now and takes as long as this ends within the term.
    #[must_use]
    pub fn outlives(&self, budget: Duration) -> bool {
        match *self.until.borrow() {
            Until::Renewed(until) => Instant::now() + budget < until,
            Until::Sole => true,
            Until::NotBegun | Until::Over => false,
        }
    }
}

/// The term of a process that is the only one there is: one replica, replaced by `Recreate`, so that the old
/// one is gone before the new one starts.
#[must_use]
pub fn sole() -> Term {
    // A receiver keeps its last value when the sender is gone.
    Term { until: watch::channel(Until::Sole).1 }
}

/// One of several processes that want to lead.
pub struct Candidate {
    api: Api<Lease>,
    namespace: String,
    name: String,
    identity: String,
    clock: SharedClock,
    terms: Terms,
    started: Instant,
    seen: Option<Sighting>,
    until: watch::Sender<Until>,
}

/// Which Lease, in whose name, and how long its times are.
#[derive(Clone, Debug)]
pub struct Election {
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The name of this process, different from that of every other, one that bore the same host name before included.
    pub identity: String,
    /// How long its times are.
    pub terms: Terms,
}

impl Candidate {
    /// A candidate, and the term that it will have.
    #[must_use]
    pub fn new(client: Client, clock: SharedClock, election: Election) -> (Self, Term) {
        let (until, term) = watch::channel(Until::NotBegun);
        let candidate = Self {
            api: Api::namespaced(client, &election.namespace),
            namespace: election.namespace,
            name: election.name,
            identity: election.identity,
            clock,
            terms: election.terms,
            started: Instant::now(),
            seen: None,
            until,
        };
        (candidate, Term { until: term })
    }

    /// Stands for election until elected, then renews. Resolves when the Lease is lost: the term is over, and the
    /// process has to start anew.
    pub async fn lead(&mut self) {
        loop {
            let began = Instant::now();
            match self.step().await {
                Ok(None) => self.renewed(began),
                Ok(Some(wait)) => {
                    if self.has_lost(true) {
                        return;
                    }
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(lease = self.name, namespace = self.namespace, %error, "the Lease can be neither read nor renewed");
                    // Whether it was renewed is not known: it has to be read.
                    self.seen.take_if(|seen| is_held_by(seen, &self.identity));
                    if self.has_lost(false) {
                        return;
                    }
                }
            }
            tokio::time::sleep(self.terms.period).await;
        }
    }

    /// Gives the Lease back, so that the next leader need not wait for its end. To be called when nothing writes any
    /// more.
    pub async fn give_back(mut self) {
        let before = self.until.send_replace(Until::Over);
        if !matches!(before, Until::Renewed(_)) {
            return;
        }
        match self.release().await {
            Ok(()) => tracing::info!(lease = self.name, "given back"),
            Err(error) => {
                tracing::warn!(lease = self.name, %error, "not given back: others wait for its end");
            }
        }
    }

    /// What was seen last may be older than the last renewal, whose answer nobody waited for.
    async fn release(&mut self) -> Result<(), CallError> {
        self.look().await?;
        let Some(seen) = self.seen.take_if(|seen| is_held_by(seen, &self.identity)) else {
            return Ok(());
        };
        self.write(&lease::given_back(&seen.record, self.clock.now()), &seen.version).await
    }

    /// One look at the Lease. How long to wait if another holds it.
    async fn step(&mut self) -> Result<Option<Duration>, CallError> {
        if !self.seen.as_ref().is_some_and(|seen| is_held_by(seen, &self.identity)) {
            self.look().await?;
        }
        let steady = self.started.elapsed();
        match lease::step(&self.identity, &self.terms, self.seen.as_ref(), steady, self.clock.now()) {
            Step::Create(record) => self.create(&record).await.map(|()| None),
            Step::Renew(record, version) | Step::Take(record, version) => {
                self.write(&record, &version).await.map(|()| None)
            }
            Step::Wait(wait) => Ok(Some(wait)),
        }
    }

    async fn look(&mut self) -> Result<(), CallError> {
        let found = within(self.terms.period, self.api.get_opt(&self.name)).await?;
        let steady = self.started.elapsed();
        self.seen = found.map(|lease| {
            let version = lease.resource_version().unwrap_or_default();
            Sighting::after(self.seen.take(), record(&lease), version, steady)
        });
        Ok(())
    }

    async fn create(&mut self, record: &Record) -> Result<(), CallError> {
        let lease = self.lease(record, None);
        let made = within(self.terms.period, self.api.create(&PostParams::default(), &lease)).await?;
        self.written(record, &made);
        Ok(())
    }

    async fn write(&mut self, record: &Record, version: &str) -> Result<(), CallError> {
        let lease = self.lease(record, Some(version));
        let by = PostParams::default();
        let made = within(self.terms.period, self.api.replace(&self.name, &by, &lease)).await?;
        self.written(record, &made);
        Ok(())
    }

    fn written(&mut self, record: &Record, made: &Lease) {
        let version = made.resource_version().unwrap_or_default();
        self.seen = Some(Sighting { record: record.clone(), version, since: self.started.elapsed() });
    }

    fn lease(&self, record: &Record, version: Option<&str>) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                resource_version: version.map(str::to_owned),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(record.holder.clone().unwrap_or_default()),
                lease_duration_seconds: Some(i32::try_from(record.duration.as_secs()).unwrap_or(i32::MAX)),
                acquire_time: Some(to_wire_micros(record.acquired)),
                renew_time: Some(to_wire_micros(record.renewed)),
                lease_transitions: Some(i32::try_from(record.transitions).unwrap_or(i32::MAX)),
                ..LeaseSpec::default()
            }),
        }
    }

    /// The term is counted from before the call: the server may have written at once.
    fn renewed(&self, began: Instant) {
        let until = Until::Renewed(began + self.terms.deadline);
        if !matches!(self.until.send_replace(until), Until::Renewed(_)) {
            tracing::info!(lease = self.name, identity = self.identity, "leads");
        }
    }

    /// Whether this process led and does so no longer.
    fn has_lost(&self, is_held_by_other: bool) -> bool {
        let until = *self.until.borrow();
        let lost = matches!(until, Until::Renewed(until) if is_held_by_other || Instant::now() >= until);
        if lost {
            self.until.send_replace(Until::Over);
            tracing::error!(lease = self.name, "lost");
        }
        lost
    }
}

fn is_held_by(seen: &Sighting, identity: &str) -> bool {
    seen.record.holder.as_deref() == Some(identity)
}

/// What a Lease says. What it leaves out counts as long past.
fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or_default();
    Record {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: Duration::from_secs(seconds),
        acquired: spec.acquire_time.map(|time| from_wire_micros(&time)).unwrap_or_default(),
        renewed: spec.renew_time.map(|time| from_wire_micros(&time)).unwrap_or_default(),
        transitions: u32::try_from(spec.lease_transitions.unwrap_or_default()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
