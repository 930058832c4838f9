//! Writes in words.
//!
//! Responsible for saying what would be written, and for leaving out what is so already. Decides nothing.

use std::collections::BTreeMap;

use fedscaler_core::fedhpa::{
    decision::{Decision, Write},
    facts::Facts,
    policy::Bounds,
};

use super::account::WriteAccount;

/// What would be written, in order.
pub(super) fn writes(facts: &Facts, decision: &Decision) -> Vec<WriteAccount> {
    let told = decision.writes.iter().filter_map(|write| {
        let words = words(facts, write)?;
        Some(WriteAccount { words, write: Some(write.clone()) })
    });
    told.chain(remembered(facts, decision)).collect()
}

/// `None` where it is so already.
fn words(facts: &Facts, write: &Write) -> Option<String> {
    Some(match write {
        Write::AddFinalizer => "put our finalizer on the FedHPA".to_owned(),
        Write::HoldScheduling => {
            "suspend scheduling on the ResourceBinding, so that nothing is divided by others".to_owned()
        }
        Write::Retain { to_zero } => {
            let zero = if *to_zero { ", 0 included" } else { "" };
            format!("label the workload's template, so that members keep the replicas they have{zero}")
        }
        Write::EnsureHpa { cluster, install, .. } => return ensured(facts, cluster, install.bounds),
        Write::RemoveHpa { cluster } => format!("delete the HPA of {cluster}"),
        Write::WriteBack { clusters, replicas, binding_agrees, .. } => {
            written_back(clusters, *replicas, *binding_agrees)
        }
        Write::Unretain => "take our label off the workload's template".to_owned(),
        Write::ResumeScheduling => "resume scheduling on the ResourceBinding".to_owned(),
        Write::RemoveFinalizer => "take our finalizer off the FedHPA".to_owned(),
    })
}

fn ensured(facts: &Facts, cluster: &str, bounds: Bounds) -> Option<String> {
    let there = facts.clusters.get(cluster).and_then(|cluster| cluster.hpa.as_ref());
    match there.filter(|hpa| !hpa.leaving).map(|hpa| hpa.bounds) {
        Some(before) if before == bounds => None,
        Some(before) => {
            Some(format!("change the HPA of {cluster} from {} to {}", range(before), range(bounds)))
        }
        None => Some(format!("create an HPA of {} in {cluster}", range(bounds))),
    }
}

fn written_back(clusters: &BTreeMap<String, u32>, replicas: u32, binding_agrees: bool) -> String {
    let parts: Vec<String> = clusters.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let whereto = if binding_agrees { "the template" } else { "the binding and the template" };
    format!("write {replicas} replicas back to {whereto}: {}", parts.join(", "))
}

/// What the next decision needs is kept in the status.
fn remembered(facts: &Facts, decision: &Decision) -> Option<WriteAccount> {
    let split = decision.split.as_ref().filter(|split| facts.memory.split.as_ref() != Some(split))?;
    let shares = split.shares.iter().filter(|(_, share)| share.max > 0);
    let shares: Vec<String> = shares.map(|(name, share)| format!("{name} {}", range(*share))).collect();
    let words = format!("remember the split in the status: {}", shares.join(", "));
    Some(WriteAccount { words, write: None })
}

/// Bounds as they are shown everywhere.
pub(super) fn range(bounds: Bounds) -> String {
    format!("{}..{}", bounds.min, bounds.max)
}
