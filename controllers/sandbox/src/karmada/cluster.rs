//! Joined members as Cluster objects: their resources every 10 s, and whether they can be reached. While a member cannot
//! be reached its numbers stay what they were.

use super::kinds::{CLUSTERS, WORKS};
use super::names::{self, NOT_READY_TAINT, UNREACHABLE_TAINT};
use super::{Desk, Plane, Post, Way, set_condition};
use crate::apiserver::kinds::{api_version, built_in};
use crate::apiserver::{ApiError, Local};
use crate::fields::{deleting, items, name, put, stamp, text};
use crate::member::{Amounts, Fleet};
use crate::quantity::{binary_text, decimal_text};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a cluster's status is looked at.
const PERIOD: Duration = Duration::from_secs(10);
/// For how long a member must answer, or not answer, before its condition follows.
const THRESHOLD: TimeDelta = TimeDelta::seconds(30);

/// The least cpu (cores) and memory (GiB) of each grade of Karmada's default models.
const GRADES: [(i64, i64); 9] =
    [(0, 0), (1, 4), (2, 16), (4, 32), (8, 64), (16, 128), (32, 256), (64, 512), (128, 1024)];

/// Joins a member: its Cluster, and the namespace for its Works.
pub(super) fn join(
    api: &Local,
    name: &str,
    labels: &BTreeMap<String, String>,
    taints: &[Value],
) -> Result<(), ApiError> {
    api.ensure_namespace(&names::execution_namespace(name))?;
    let mut cluster = json!({
        "metadata": {"name": name, "labels": labels, "finalizers": ["karmada.io/cluster-controller"]},
        "spec": {"id": name, "syncMode": "Push", "resourceModels": models()},
    });
    if !taints.is_empty() {
        cluster["spec"]["taints"] = taints.into();
    }
    api.create(&CLUSTERS, cluster).map(|_| ())
}

fn models() -> Value {
    let grade = |index: usize| {
        let (cpu, memory) = GRADES[index];
        let above = GRADES.get(index + 1);
        let most = |unit: &str, value: Option<i64>| {
            value.map_or_else(|| i64::MAX.to_string(), |value| format!("{value}{unit}"))
        };
        let memory_text = |gib: i64| if gib == 0 { "0".to_owned() } else { binary_text(gib << 30) };
        json!({"grade": index, "ranges": [
            {"name": "cpu", "min": cpu.to_string(), "max": most("", above.map(|above| above.0))},
            {"name": "memory", "min": memory_text(memory),
                "max": above.map_or_else(|| most("", None), |above| memory_text(above.1))},
        ]})
    };
    (0..GRADES.len()).map(grade).collect()
}

/// What is said of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Ready,
    NotReady,
}

impl Standing {
    fn of(way: Way) -> Self {
        match way {
            Way::Open => Self::Ready,
            Way::Cut => Self::NotReady,
        }
    }
}

/// How a member answered lately.
#[derive(Debug, Clone, Copy)]
struct Watched {
    way: Way,
    since: Option<DateTime<Utc>>,
    said: Option<Standing>,
    /// The fleet's revision at the last report.
    reported: Option<u64>,
}

pub(super) struct ClusterStatus {
    desk: Desk,
    posts: Vec<(Post, Watched)>,
}

impl ClusterStatus {
    pub(super) fn new(desk: Desk, posts: Vec<Post>) -> Self {
        let unknown = Watched { way: Way::Open, since: None, said: None, reported: None };
        Self { desk, posts: posts.into_iter().map(|post| (post, unknown)).collect() }
    }

    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // What this watches it does not need to hear of.
            while self.desk.changes.ready().is_some() {}
            if self.posts.iter().any(|(post, _)| post.links.plane() == Plane::Stopped) {
                continue;
            }
            let now = self.desk.clock.now();
            let mut posts = std::mem::take(&mut self.posts);
            for (post, watched) in &mut posts {
                self.look(post, watched, now);
            }
            self.posts = posts;
        }
    }

    /// A Cluster that is deleted goes when its last Work has gone.
    fn let_go(&self, cluster: &Value) {
        let left = self.desk.api.list(&WORKS, Some(&names::execution_namespace(name(cluster))));
        if !left.is_empty() {
            return;
        }
        let mut object = cluster.clone();
        put(&mut object, &["metadata", "finalizers"], json!([]));
        if let Err(error) = self.desk.api.update(&CLUSTERS, object) {
            tracing::debug!(%error, "cluster not let go");
        }
    }

    fn look(&self, post: &Post, watched: &mut Watched, now: DateTime<Utc>) {
        let Some(cluster) = self.desk.api.get(&CLUSTERS, "", &post.name) else { return };
        if deleting(&cluster) {
            self.let_go(&cluster);
            return;
        }
        let way = post.way();
        if watched.since.is_none() || watched.way != way {
            *watched = Watched { way, since: Some(now), ..*watched };
        }
        let steady = watched.since.is_some_and(|since| now - since >= THRESHOLD);
        let standing = match watched.said {
            Some(said) if !steady => said,
            Some(_) | None => Standing::of(way),
        };
        let revision = post.fleet.lock().revision();
        let news = way == Way::Open && watched.reported != Some(revision);
        if watched.said == Some(standing) && !news {
            return;
        }
        if self.write(post, standing, now) {
            watched.said = Some(standing);
            watched.reported = if way == Way::Open { Some(revision) } else { watched.reported };
        }
    }

    fn write(&self, post: &Post, standing: Standing, now: DateTime<Utc>) -> bool {
        let Some(found) = self.desk.api.get(&CLUSTERS, "", &post.name) else { return false };
        let mut object = (*found).clone();
        let (status, reason, message) = match standing {
            Standing::Ready => ("True", "ClusterReady", "cluster is healthy and ready to accept workloads"),
            Standing::NotReady => ("False", "ClusterNotReachable", "cluster is not reachable"),
        };
        set_condition(&mut object, "Ready", status, reason, (message, stamp(now)));
        match post.way() {
            Way::Open => {
                put(&mut object, &["status", "kubernetesVersion"], json!(post.kubernetes_version));
                put(&mut object, &["status", "apiEnablements"], enablements());
                describe(&mut object, &post.fleet.lock());
            }
            Way::Cut => {}
        }
        let written = self.desk.api.update_status(&CLUSTERS, object).and_then(|written| {
            let tainted = with_taints(&written, standing, now);
            if tainted == *written { Ok(written) } else { self.desk.api.update(&CLUSTERS, tainted) }
        });
        if let Err(error) = &written {
            tracing::debug!(cluster = post.name, %error, "cluster not written");
        }
        written.is_ok()
    }
}

/// What a member serves: the kinds built into it. CustomResourceDefinitions applied to a member are not listed.
fn enablements() -> Value {
    let mut groups = BTreeMap::<String, Vec<Value>>::new();
    for kind in built_in() {
        let served = json!({"name": kind.plural, "kind": kind.kind});
        groups.entry(api_version(&kind.group, &kind.version)).or_default().push(served);
    }
    let group =
        |(version, served): (String, Vec<Value>)| json!({"groupVersion": version, "resources": served});
    groups.into_iter().map(group).collect()
}

fn with_taints(cluster: &Value, standing: Standing, now: DateTime<Utc>) -> Value {
    let mut object = cluster.clone();
    let before = items(cluster, "/spec/taints");
    let ours = |taint: &&Value| matches!(text(taint, "/key"), NOT_READY_TAINT | UNREACHABLE_TAINT);
    let taints: Vec<_> = match standing {
        Standing::Ready => before.iter().filter(|taint| !ours(taint)).cloned().collect(),
        Standing::NotReady if before.iter().any(|taint| ours(&taint)) => before.to_vec(),
        Standing::NotReady => {
            let taint = json!({"key": NOT_READY_TAINT, "effect": "NoSchedule", "timeAdded": stamp(now)});
            before.iter().cloned().chain([taint]).collect()
        }
    };
    if taints != before {
        put(&mut object, &["spec", "taints"], taints.into());
    }
    object
}

/// Writes a member's resources. As in the real one, all nodes count as allocatable, and the histogram stops at the
/// first node without a free pod slot.
fn describe(object: &mut Value, fleet: &Fleet) {
    let nodes = fleet.nodes();
    let sum = |part: fn(&crate::member::Node) -> Amounts| {
        nodes.values().fold(Amounts::default(), |sum, node| sum.plus(part(node)))
    };
    let ready = nodes.values().filter(|node| node.ready).count();
    let mut summary = json!({
        "allocatable": amounts(sum(|node| node.allocatable)),
        "allocating": amounts(fleet.unbound()),
        "allocated": amounts(sum(|node| node.used)),
    });
    summary["allocatableModelings"] = histogram(fleet);
    put(object, &["status", "resourceSummary"], summary);
    let counted = crate::fields::counts(&[
        ("totalNum", i64::try_from(nodes.len()).unwrap_or(i64::MAX)),
        ("readyNum", i64::try_from(ready).unwrap_or(i64::MAX)),
    ]);
    put(object, &["status", "nodeSummary"], counted.into());
}

fn amounts(amounts: Amounts) -> Value {
    json!({
        "cpu": decimal_text(amounts.cpu),
        "memory": binary_text(amounts.memory),
        "pods": amounts.pods.to_string(),
    })
}

fn histogram(fleet: &Fleet) -> Value {
    let mut counts = [0_u64; GRADES.len()];
    for free in fleet.nodes().values().map(crate::member::Node::free).take_while(|free| free.pods > 0) {
        if let Some(count) = grade(free).and_then(|grade| counts.get_mut(grade)) {
            *count += 1;
        }
    }
    counts.iter().enumerate().map(|(grade, count)| json!({"grade": grade, "count": count})).collect()
}

/// The highest grade whose least a node still has, in cpu and memory both.
fn grade(free: Amounts) -> Option<usize> {
    let by = |has: &dyn Fn((i64, i64)) -> bool| GRADES.iter().rposition(|grade| has(*grade));
    let cpu = by(&|(cores, _)| free.cpu >= cores * 1000)?;
    let memory = by(&|(_, gib)| free.memory >= gib << 30)?;
    Some(cpu.min(memory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_of_the_lower_of_its_two_grades() {
        let free = |cpu: i64, gib: i64| Amounts { cpu, memory: gib << 30, pods: 1 };
        assert_eq!(grade(free(999, 500)), Some(0));
        assert_eq!(grade(free(8000, 20)), Some(2));
        assert_eq!(grade(free(200_000, 2000)), Some(8));
        assert_eq!(grade(free(-1, 5)), None);
    }

    #[test]
    fn the_default_models_are_karmadas() {
        let models = models();
        assert_eq!(models[0]["ranges"][1], json!({"name": "memory", "min": "0", "max": "4Gi"}));
        assert_eq!(models[2]["ranges"][0], json!({"name": "cpu", "min": "2", "max": "4"}));
        assert_eq!(models[8]["ranges"][1]["max"], json!(i64::MAX.to_string()));
    }

    #[test]
    fn a_lost_cluster_is_tainted_and_a_found_one_is_not() {
        let now = DateTime::from_timestamp(0, 0).unwrap();
        let cluster = json!({"spec": {"taints": [{"key": "own", "effect": "NoSchedule"}]}});
        let lost = with_taints(&cluster, Standing::NotReady, now);
        assert_eq!(items(&lost, "/spec/taints").len(), 2);
        assert_eq!(with_taints(&lost, Standing::NotReady, now), lost);
        assert_eq!(with_taints(&lost, Standing::Ready, now), cluster);
    }
}
