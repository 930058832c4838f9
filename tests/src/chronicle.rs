//! What happens on a stage, told as it happens.
//!
//! Responsible for the lines that `FEDSCALER_TELL=1` prints: each change of the numbers of `web`, of its members' HPAs and
//! of what its FedHPA says. Judges nothing.

use std::env;

use serde_json::Value;

use crate::stage::{BINDINGS, FED_HPAS, Stage, condition};

/// Tells of changes, if that is asked for.
#[derive(Default)]
pub struct Chronicle {
    asked: bool,
    told: Vec<String>,
}

impl Chronicle {
    /// One that tells if `FEDSCALER_TELL` is set.
    pub fn if_asked() -> Self {
        Self { asked: env::var_os("FEDSCALER_TELL").is_some(), told: Vec::new() }
    }

    /// Tells what is new on the stage.
    pub fn look(&mut self, stage: &Stage) {
        if !self.asked {
            return;
        }
        let now = account(stage);
        for line in now.iter().filter(|line| !self.told.contains(line)) {
            eprintln!("{}  {line}", stage.clock.now().format("%T%.3f"));
        }
        self.told = now;
    }
}

/// How things stand, in a few lines.
pub fn account(stage: &Stage) -> Vec<String> {
    let shares = |shares: std::collections::BTreeMap<String, (u64, u64)>| {
        let texts = shares.iter().map(|(name, (min, max))| format!("{name} {min}..{max}"));
        texts.collect::<Vec<_>>().join(", ")
    };
    let mut lines = Vec::new();
    if let Some(numbers) = stage.numbers_if_any("web") {
        lines.push(format!(
            "template {}, binding {} = {:?}, members {:?}",
            numbers.template, numbers.binding, numbers.clusters, numbers.members
        ));
    }
    if let Some(binding) = stage.object(&BINDINGS, "web-deployment") {
        let held = binding.pointer("/spec/suspension/scheduling").is_some_and(|held| held == true);
        let word = if held { "held" } else { "free" };
        lines.push(format!("scheduling {word}, divided {} times while we held it", stage.reschedules()));
    }
    lines.push(format!("HPAs {}", shares(stage.hpas())));
    let Some(fed_hpa) = stage.object(&FED_HPAS, "web") else {
        lines.push("no FedHPA".to_owned());
        return lines;
    };
    for kind in ["Ready", "Distributed", "Synchronized", "Contested", "Invalid"] {
        if let Some((status, reason, message)) = condition(&fed_hpa, kind) {
            lines.push(format!("{kind}={status} {reason}: {message}"));
        }
    }
    let text =
        |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned();
    for cluster in fed_hpa.pointer("/status/clusters").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!(
            "{} {}: {} of room {}, wants {}; {}",
            text(cluster, "/name"),
            text(cluster, "/phase"),
            cluster["currentReplicas"],
            cluster["room"],
            cluster["desiredReplicas"],
            text(cluster, "/why")
        ));
    }
    if let Some(reasons) = fed_hpa.pointer("/status/lastDecision") {
        lines.push(format!("decided: {reasons}"));
    }
    lines
}
