//! Reads everything that a decision about one FedHPA needs.
//!
//! Responsible for turning objects into facts, each as fresh as it is. Writes nothing, decides nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use fedscaler_core::{
    fedhpa::{
        bounds::{Published, Set},
        facts::{
            self, Blocked, Candidacy, Cluster, Customization, Facts, HpaReport, MemberHpa, MemberWorkload,
            Placement, Scheduling,
        },
        policy::Bounds,
    },
    reading::{Dark, Reading},
    room::{Amounts, Free},
};
use fedscaler_crds::{CronHpa, FedHpa, fedhpa::CapacitySource};
use fedscaler_karmada::{
    binding::{self, Binding, Division},
    customizations::InForce,
    error::{ReadError, Unreadable},
    freshness::Health,
    hpa::Limited,
    labels::KARMADA_RETAIN_REPLICAS,
    placement::{self, Exclusion},
    room::{self, ReadsRoom},
    template::{self, KindError, Retained, Template, Workload, WorkloadKind},
    types,
    work::{self, Applied, Tenure},
    workload::MemberWorkload as MemberReading,
};
use fedscaler_runtime::time::from_wire;
use kube::{Resource, ResourceExt as _};

use crate::{
    admit::{Admitted, Target},
    finalizer, held, memory,
    sight::Sight,
};

/// What was seen: the facts, and the objects that writes are decided on.
#[derive(Debug)]
pub struct Observed {
    /// What is decided from.
    pub facts: Facts,
    /// The workload, if its kind can be worked with.
    pub workload: Option<Workload>,
    /// Its template.
    pub template: Option<Template>,
    /// Its binding.
    pub binding: Option<Binding>,
    /// The HPA Works of that name, by cluster: ours and, where two FedHPAs compete, another's.
    pub hpa_works: BTreeMap<String, Arc<types::Work>>,
}

/// Observes. Fails only where an API server does not answer: what is missing or cannot be used is a fact.
pub async fn observe(sight: &Sight, object: &FedHpa, admitted: &Admitted) -> Result<Observed, ReadError> {
    let now = sight.clock.now();
    let (workload, template, target) = target(sight, admitted).await?;
    let binding = match workload.as_ref().and_then(|workload| sight.karmada.binding(workload)) {
        Some(binding) => Some(Binding::read(&binding)?),
        None => None,
    };
    let scene = Scene {
        sight,
        admitted,
        now,
        workload: workload.as_ref(),
        template: template.as_ref(),
        binding: binding.as_ref(),
        hpa_works: sight.karmada.hpa_works(&admitted.namespace, &admitted.target.name),
    };
    let facts = Facts {
        now,
        deleting: object.meta().deletion_timestamp.as_ref().map(from_wire),
        finalized: finalizer::is_on(object),
        target,
        binding: binding.as_ref().map(binding_facts),
        superseded_by: admitted.next_target.as_ref().map(|next| format!("{} {}", next.kind, next.name)),
        retention: customization(
            workload.as_ref().map_or(InForce::Yes, |it| sight.karmada.retention(&it.kind)),
        ),
        reflection: customization(sight.karmada.reflection()),
        holder: holder(sight, object, admitted, binding.as_ref()),
        rivals: scene.rivals(),
        published: published(sight, admitted),
        clusters: scene.clusters(),
        memory: memory::recall(object.status.as_ref()),
    };
    let hpa_works = scene.hpa_works;
    Ok(Observed { facts, workload, template, binding, hpa_works })
}

async fn target(
    sight: &Sight,
    admitted: &Admitted,
) -> Result<(Option<Workload>, Option<Template>, facts::Target), ReadError> {
    let Target { api_version, kind, name } = &admitted.target;
    let kind = match WorkloadKind::discover(&sight.plane, api_version, kind).await {
        Ok(kind) => kind,
        Err(KindError::Call(error)) => return Err(error.into()),
        Err(error) => return Ok((None, None, facts::Target::Unfit(error.to_string()))),
    };
    let workload = Workload { kind, namespace: admitted.namespace.clone(), name: name.clone() };
    let template = match template::get(&sight.plane, &workload).await {
        Ok(template) => template,
        Err(error) if error.is_absence() => return Ok((Some(workload), None, facts::Target::Missing)),
        Err(error) => return Err(error),
    };
    let replicas = match template.replicas {
        Some(replicas) => replicas,
        None => template::read_scale(&sight.plane, &workload).await?.replicas,
    };
    let fact = facts::Target::Found(facts::Template {
        version: template.resource_version.clone(),
        replicas,
        retained: template.retained != Retained::No,
        to_zero: template.retained == Retained::ZeroToo,
        no_requests: template.requests.as_ref().err().map(ToString::to_string),
    });
    Ok((Some(workload), Some(template), fact))
}

fn binding_facts(binding: &Binding) -> facts::Binding {
    let limits = placement::group_limits(&binding.placement);
    facts::Binding {
        version: binding.resource_version.clone(),
        replicas: binding.replicas,
        clusters: binding.clusters.clone(),
        template_version: binding.template_resource_version.clone().unwrap_or_default(),
        scheduling: match binding.scheduling {
            binding::Scheduling::Free => Scheduling::Free,
            binding::Scheduling::HeldByUs => Scheduling::HeldByUs,
            binding::Scheduling::HeldByOther => Scheduling::HeldByOthers,
        },
        placement: match binding.division {
            Division::Divided => Placement::Divided,
            Division::Duplicated => Placement::Duplicated,
            Division::Components => Placement::Components,
        },
        divided: binding.last_scheduled,
        min_groups: Some(limits.min),
        max_groups: limits.max,
    }
}

fn customization(in_force: InForce) -> Customization {
    match in_force {
        InForce::Yes => Customization::InForce,
        InForce::Foreign(words) => Customization::Foreign(words),
        InForce::No(words) => Customization::Missing(words),
    }
}

/// The oldest FedHPA of a target holds it; among equals the first by name. One that has another target by now holds it
/// until it has given it back. What is only given back is held by whom the binding says.
fn holder(sight: &Sight, object: &FedHpa, admitted: &Admitted, binding: Option<&Binding>) -> Option<String> {
    if admitted.next_target.is_some() {
        let other =
            binding.and_then(|binding| binding.holder.as_ref()).filter(|uid| **uid != admitted.uid)?;
        return Some(format!("of uid {other}"));
    }
    let age = |object: &FedHpa| {
        let created = object.creation_timestamp().map(|created| from_wire(&created));
        (created.unwrap_or(DateTime::<Utc>::MAX_UTC), object.name_any())
    };
    let mine = age(object);
    let rivals = sight.fed_hpas.within(&admitted.namespace);
    let others = || rivals.iter().filter(|rival| rival.uid().as_deref() != Some(&admitted.uid));
    let aims = |rival: &FedHpa| admitted.target.is_named_by(&rival.spec.scale_target_ref);
    let holds = |rival: &FedHpa| held::recorded(rival).is_some_and(|held| admitted.target.is_named_by(held));
    let leaves = |rival: &FedHpa| holds(rival) && !aims(rival) && finalizer::is_on(rival);
    let leaving = others().find(|rival| leaves(rival));
    let older = others().filter(|rival| aims(rival) && age(rival) < mine);
    let first = leaving.or_else(|| older.min_by_key(|rival| age(rival)))?;
    Some(format!("{}/{}", admitted.namespace, first.name_any()))
}

/// The bounds that the CronHPA which owns this FedHPA publishes: the oldest that aims at it.
fn published(sight: &Sight, admitted: &Admitted) -> Option<Published> {
    let aims = |cron: &&Arc<CronHpa>| {
        let target = &cron.spec.scale_target_ref;
        target.kind == "FedHPA" && target.name == admitted.name && cron.metadata.deletion_timestamp.is_none()
    };
    let crons = sight.cron_hpas.within(&admitted.namespace);
    let owner = crons.iter().filter(aims).min_by_key(|cron| {
        let created = cron.creation_timestamp().map(|created| from_wire(&created));
        (created.unwrap_or(DateTime::<Utc>::MAX_UTC), cron.name_any())
    })?;
    let active = owner.status.as_ref()?.active.as_ref()?;
    let set = |replicas: Option<i32>, rule: &Option<String>| {
        Some(Set { replicas: u32::try_from(replicas?).ok()?, rule: rule.clone().unwrap_or_default() })
    };
    Some(Published {
        cron_hpa: owner.name_any(),
        min: set(active.min_replicas, &active.min_rule),
        max: set(active.max_replicas, &active.max_rule),
    })
}

struct Scene<'a> {
    sight: &'a Sight,
    admitted: &'a Admitted,
    now: DateTime<Utc>,
    workload: Option<&'a Workload>,
    template: Option<&'a Template>,
    binding: Option<&'a Binding>,
    hpa_works: BTreeMap<String, Arc<types::Work>>,
}

impl Scene<'_> {
    fn rivals(&self) -> Vec<String> {
        let mut rivals = Vec::new();
        let works =
            self.sight.karmada.foreign_hpa_works(&self.admitted.namespace, &self.admitted.target.name);
        if !works.is_empty() {
            let clusters: Vec<_> = works.into_keys().collect();
            rivals.push(format!(
                "an HPA named {} is propagated to {}: it bounds each member and fights with this FedHPA; remove it",
                self.admitted.target.name,
                clusters.join(", ")
            ));
        }
        rivals.extend(
            self.workload.into_iter().flat_map(|workload| self.sight.karmada.federated_rivals(workload)),
        );
        if self.template.is_some_and(|template| template.marked_by_karmada) {
            rivals.push(format!(
                "the template bears {KARMADA_RETAIN_REPLICAS}: Karmada's deploymentReplicasSyncer and hpaScaleTargetMarker, \
                 where they are on, write the same replicas; remove the label and the HPA template behind it"
            ));
        }
        rivals
    }

    fn clusters(&self) -> BTreeMap<String, Cluster> {
        let clusters = self.sight.karmada.clusters.all();
        let candidacy = match self.binding {
            Some(binding) => placement::candidates(binding, clusters.iter().map(AsRef::as_ref)),
            None => BTreeMap::new(),
        };
        let works =
            self.workload.map(|workload| self.sight.karmada.workload_works(workload)).unwrap_or_default();
        let named = self.named();
        let hpas: BTreeMap<_, _> = self.ours().collect();
        let concerned = clusters.iter().filter(|cluster| {
            let name = cluster.name_any();
            named.contains(&name) || candidacy.get(&name) == Some(&placement::Candidacy::In)
        });
        concerned
            .map(|cluster| {
                let name = cluster.name_any();
                let facts =
                    self.cluster(cluster, candidacy.get(&name), works.get(&name), hpas.get(&name).copied());
                (name, facts)
            })
            .collect()
    }

    /// Works of that name that are this FedHPA's own.
    fn ours(&self) -> impl Iterator<Item = (&String, &Arc<types::Work>)> {
        let fed_hpa = self.admitted.key.to_string();
        self.hpa_works
            .iter()
            .filter(move |(_, work)| work::foreign(work, &self.admitted.uid, &fed_hpa).is_none())
    }

    /// Clusters that have something of this workload, candidates or not.
    fn named(&self) -> BTreeSet<String> {
        let entries =
            self.binding.into_iter().flat_map(|binding| binding.clusters.keys().chain(&binding.evicting));
        entries.chain(self.ours().map(|(cluster, _)| cluster)).cloned().collect()
    }

    fn cluster(
        &self,
        cluster: &types::Cluster,
        candidacy: Option<&placement::Candidacy>,
        workload: Option<&Arc<types::Work>>,
        hpa: Option<&Arc<types::Work>>,
    ) -> Cluster {
        let health = Health::of(cluster);
        let workload = workload.map(|work| MemberReading::read(work, health, self.now));
        let fitted = self.admitted.metrics.fitted(cluster);
        Cluster {
            labels: cluster.labels().clone(),
            candidacy: match candidacy {
                Some(placement::Candidacy::In) if fitted.has_no_metric => {
                    Candidacy::Unfit(format!("{}, and no metric is left", fitted.left_out.join("; ")))
                }
                Some(placement::Candidacy::In) => Candidacy::Candidate,
                Some(placement::Candidacy::Out(Exclusion::Evicting)) => Candidacy::Evicting,
                Some(placement::Candidacy::Out(exclusion)) => Candidacy::Excluded(exclusion.to_string()),
                None => Candidacy::Excluded("no binding".to_owned()),
            },
            to_zero: self.admitted.metrics.scale_to_zero(cluster),
            left_out: fitted.left_out,
            lost: lost_since(health, self.now),
            free: self.free(cluster),
            retained: workload.as_ref().is_some_and(|workload| workload.labelled_for_retention),
            workload: workload.map_or(Reading::Dark(Dark::NoSource), |workload| {
                workload
                    .counts
                    .map(|counts| MemberWorkload { replicas: counts.replicas, ready: counts.ready })
            }),
            hpa: hpa.and_then(|work| member_hpa(work, health, self.now)),
        }
    }

    /// Room cannot be counted without knowing what a replica requests.
    fn free(&self, cluster: &types::Cluster) -> Reading<Free> {
        let empty = Amounts::new();
        let requests = match self.template.map(|template| &template.requests) {
            Some(Ok(requests)) if *requests != empty => requests,
            Some(Ok(_) | Err(Unreadable::Missing { .. } | Unreadable::Quantity { .. })) | None => {
                return Reading::Dark(Dark::NoSource);
            }
        };
        self.source().free(cluster, requests, self.now)
    }

    fn source(&self) -> &'static dyn ReadsRoom {
        match self.admitted.room {
            CapacitySource::Auto => &room::Auto,
            CapacitySource::Models => &room::Models,
            CapacitySource::Summary => &room::Summary,
        }
    }
}

/// Since when nothing new can come from a cluster, nor anything be done there.
fn lost_since(health: Health, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match health {
        Health::Ready => None,
        Health::NotReady { since } | Health::Unreachable { since } => Some(since),
        Health::Unheard => Some(now),
    }
}

fn member_hpa(work: &types::Work, health: Health, now: DateTime<Utc>) -> Option<MemberHpa> {
    let Tenure { bounds, before, since } = work::tenure(work)?;
    Some(MemberHpa {
        bounds,
        before,
        since,
        leaving: work.metadata.deletion_timestamp.is_some(),
        report: work::member_hpa(work, health, now).map(|hpa| HpaReport {
            current: hpa.current,
            // What a broken HPA wants is not known; what it runs is the best that is.
            desired: hpa.desired.unwrap_or(hpa.current),
            bounds: hpa.min.zip(hpa.max).map(|(min, max)| Bounds { min, max }),
            scaling_active: hpa.scaling_active,
            able_to_scale: hpa.able_to_scale,
            capped: hpa.scaling_active.map(|_| hpa.limited == Some(Limited::TooMany)),
        }),
        blocked: match work::applied(work) {
            Applied::Exists => Some(Blocked::Exists),
            Applied::No(why) => Some(Blocked::Refused(why)),
            Applied::Yes | Applied::NotYet => None,
        },
    })
}
