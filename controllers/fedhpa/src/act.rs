//! Writes what was decided.
//!
//! Responsible for order and for what a failure stops: a write about one member stops nothing else, any other stops
//! what comes after it. Every write is idempotent and carries the version that it was decided on, so that the
//! process may die between any two. Decides nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use fedscaler_core::{
    conditions::Finding,
    fedhpa::{
        decision::{Decision, FedHpaCondition, Part, Write},
        facts::Round,
        moves::Install,
        policy::Adoption,
    },
};
use fedscaler_crds::FedHpa;
use fedscaler_karmada::{
    binding::{self, Counts},
    error::WriteError,
    template::{self, Retained},
    work::{self, Comparison, Deletion, Existing, HpaWork, WantedHpa},
};
use fedscaler_runtime::{client::CallError, leadership::Term};

use crate::{admit::Admitted, context::Context, finalizer, member_hpa, observe::Observed};

/// What came of the writes.
#[derive(Debug)]
pub struct Outcome {
    /// The FedHPA after our writes to it.
    pub object: Arc<FedHpa>,
    /// The write-back round that was started.
    pub round: Option<Round>,
    /// What was found out by writing.
    pub findings: Vec<Finding<FedHpaCondition>>,
    /// The finalizer is off: there is nothing left to report to.
    pub released: bool,
    /// The first thing that went wrong.
    pub failure: Option<WriteError>,
    /// How many objects were written.
    pub written: usize,
}

/// Carries a decision out.
pub async fn act(
    cx: &Context,
    term: &Term,
    object: &Arc<FedHpa>,
    admitted: &Admitted,
    observed: &Observed,
    decision: &Decision,
) -> Outcome {
    let outcome = Outcome {
        object: Arc::clone(object),
        round: None,
        findings: Vec::new(),
        released: false,
        failure: None,
        written: 0,
    };
    let mut hands = Hands { cx, term, admitted, observed, now: observed.facts.now, outcome };
    for write in &decision.writes {
        if let Err(error) = hands.carry_out(write).await {
            tracing::warn!(fedhpa = %admitted.key, ?write, %error, "write failed");
            let stops = !concerns_one_member(write);
            hands.failed(write, error);
            if stops {
                break;
            }
        }
    }
    hands.outcome
}

fn concerns_one_member(write: &Write) -> bool {
    match write {
        Write::EnsureHpa { .. } | Write::RemoveHpa { .. } => true,
        Write::AddFinalizer
        | Write::HoldScheduling
        | Write::Retain { .. }
        | Write::WriteBack { .. }
        | Write::Unretain
        | Write::ResumeScheduling
        | Write::RemoveFinalizer => false,
    }
}

struct Hands<'a> {
    cx: &'a Context,
    term: &'a Term,
    admitted: &'a Admitted,
    observed: &'a Observed,
    now: DateTime<Utc>,
    outcome: Outcome,
}

impl Hands<'_> {
    async fn carry_out(&mut self, write: &Write) -> Result<(), WriteError> {
        match write {
            Write::AddFinalizer => {
                let object = finalizer::add(self.cx, self.term, &self.outcome.object).await?;
                self.cx.sight.fed_hpas.wrote(&object);
                self.outcome.object = Arc::new(object);
                self.outcome.written += 1;
            }
            Write::HoldScheduling => self.hold_scheduling().await?,
            Write::Retain { to_zero: false } => self.mark(Retained::AboveZero).await?,
            Write::Retain { to_zero: true } => self.mark(Retained::ZeroToo).await?,
            Write::EnsureHpa { cluster, install, part } => self.ensure_hpa(cluster, *install, *part).await?,
            Write::RemoveHpa { cluster } => self.remove_hpa(cluster).await?,
            Write::WriteBack { clusters, replicas, binding_agrees, .. } => {
                let outcome = self.write_back(clusters, *replicas, *binding_agrees).await;
                self.cx.metrics.wrote_back(outcome.as_ref().map(|_written| ()).map_err(|_error| ()));
                outcome?;
            }
            Write::Unretain => self.mark(Retained::No).await?,
            Write::ResumeScheduling => self.resume_scheduling().await?,
            Write::RemoveFinalizer => {
                finalizer::remove(self.cx, self.term, &self.outcome.object).await?;
                self.outcome.released = true;
                self.outcome.written += 1;
            }
        }
        Ok(())
    }

    async fn hold_scheduling(&mut self) -> Result<(), WriteError> {
        if let Some(binding) = &self.observed.binding {
            let uid = &self.admitted.uid;
            let held = binding::hold_scheduling(&self.cx.plane, self.term, binding, uid).await?;
            self.cx.sight.karmada.bindings.wrote(&held);
            self.outcome.written += 1;
        }
        Ok(())
    }

    async fn resume_scheduling(&mut self) -> Result<(), WriteError> {
        if let Some(binding) = &self.observed.binding {
            if let Some(free) = binding::resume_scheduling(&self.cx.plane, self.term, binding).await? {
                self.cx.sight.karmada.bindings.wrote(&free);
            }
            self.outcome.written += 1;
        }
        Ok(())
    }

    async fn mark(&mut self, retained: Retained) -> Result<(), WriteError> {
        if let (Some(workload), Some(template)) = (&self.observed.workload, &self.observed.template) {
            template::mark(&self.cx.plane, self.term, workload, template, retained).await?;
            self.outcome.written += 1;
        }
        Ok(())
    }

    async fn ensure_hpa(&mut self, cluster: &str, install: Install, part: Part) -> Result<(), WriteError> {
        let there = self.observed.hpa_works.get(cluster).map(AsRef::as_ref);
        let member = self.cx.sight.karmada.cluster(cluster);
        let admitted = self.admitted;
        let metrics = &admitted.metrics;
        let existing = match admitted.policy.adoption {
            Adoption::Never => Existing::Refuse,
            Adoption::Existing => Existing::Adopt,
        };
        let wanted = HpaWork::build(WantedHpa {
            cluster,
            namespace: &self.admitted.namespace,
            name: &self.admitted.target.name,
            spec: member_hpa::spec(&admitted.target, metrics, install.bounds, part, member.as_deref()),
            owner_uid: &self.admitted.uid,
            owner_name: &self.admitted.name,
            existing: Existing::of(there, existing),
        });
        match wanted.compare(there) {
            Comparison::Same | Comparison::Deleting => Ok(()),
            Comparison::Absent | Comparison::Differs => {
                let (plane, before) = (&self.cx.plane, install.before);
                let work = work::apply(plane, self.term, &wanted, there, before, self.now).await?;
                self.cx.sight.karmada.hpa_works.wrote(&work);
                self.outcome.written += 1;
                Ok(())
            }
            Comparison::Foreign(_) => {
                let message = format!(
                    "the HPA Work in {cluster} belongs to someone else: do not propagate an HPA named {}",
                    self.admitted.target.name
                );
                self.outcome.findings.push(Finding::new(
                    FedHpaCondition::Contested,
                    true,
                    "ForeignWork",
                    message,
                ));
                Ok(())
            }
        }
    }

    async fn remove_hpa(&mut self, cluster: &str) -> Result<(), WriteError> {
        if let Some(there) = self.observed.hpa_works.get(cluster) {
            let (Deletion::Gone | Deletion::Pending) = work::delete(&self.cx.plane, self.term, there).await?;
            self.outcome.written += 1;
        }
        Ok(())
    }

    /// The binding in one patch, and at once the template's scale.
    async fn write_back(
        &mut self,
        clusters: &std::collections::BTreeMap<String, u32>,
        replicas: u32,
        binding_agrees: bool,
    ) -> Result<(), WriteError> {
        let (Some(binding), Some(workload), Some(template)) =
            (&self.observed.binding, &self.observed.workload, &self.observed.template)
        else {
            return Ok(());
        };
        let started =
            Round { template_version: String::new(), replicas, started: self.now, acknowledged: None };
        if !binding_agrees {
            let counts = Counts::new(clusters.clone());
            let told = binding::write_counts(&self.cx.plane, self.term, binding, &counts).await?;
            self.cx.sight.karmada.bindings.wrote(&told);
            self.outcome.written += 1;
        }
        let version = &template.resource_version;
        let scale = template::write_scale(&self.cx.plane, self.term, workload, version, replicas).await?;
        self.outcome.written += 1;
        self.outcome.round = Some(Round { template_version: scale.resource_version, ..started });
        Ok(())
    }

    fn failed(&mut self, write: &Write, error: WriteError) {
        if let Write::WriteBack { .. } = write
            && let WriteError::Call(call) = &error
            && let Some(quota) = fedscaler_karmada::error::quota_refusal(call)
        {
            let message = format!("the control plane refuses the true numbers: {quota}");
            self.outcome.findings.push(Finding::new(
                FedHpaCondition::Synchronized,
                false,
                "QuotaExceeded",
                message,
            ));
        }
        if let Write::EnsureHpa { cluster, .. } | Write::RemoveHpa { cluster } = write {
            let message = format!("{cluster}: {error}");
            self.outcome.findings.push(Finding::new(
                FedHpaCondition::Distributed,
                false,
                "WriteFailed",
                message,
            ));
        }
        self.outcome.failure.get_or_insert(error);
    }
}

/// A conflict is not a failure: something is newer than what was read, and a new decision is due.
pub fn is_conflict(error: &WriteError) -> bool {
    matches!(error, WriteError::Call(CallError::Conflict(_)))
}
