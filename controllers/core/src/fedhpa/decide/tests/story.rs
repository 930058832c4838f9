//! Renders a course as text that can be read aloud: one line for each moment at which something was written or
//! said.

use super::{plane::Plane, *};
use crate::conditions::{ConditionKind, Truth};

/// A course and what was told of it.
pub(super) struct Story {
    pub(super) plane: Plane,
    lines: Vec<String>,
    last: String,
}

impl Story {
    pub(super) fn new(plane: Plane) -> Self {
        Self { plane, lines: Vec::new(), last: String::new() }
    }

    /// Something happens that is not ours.
    pub(super) fn then(mut self, words: &str, happens: impl FnOnce(&mut Plane)) -> Self {
        self.lines.push(format!("-- {words}"));
        happens(&mut self.plane);
        self
    }

    /// So many seconds pass; a decision is taken every five.
    pub(super) fn passes(mut self, seconds: i64) -> Self {
        for _ in 0..seconds {
            if self.plane.now % 5 == 0 {
                self.moment();
            }
            self.plane.second();
        }
        self
    }

    fn moment(&mut self) {
        if self.plane.released || self.plane.let_go {
            return;
        }
        let decision = self.plane.decide();
        let said = self.plane.act(&decision, usize::MAX);
        let state = told(&decision);
        if said.is_empty() && state == self.last {
            return;
        }
        let now = self.plane.now;
        self.lines
            .push(format!("{now:>4} s  {}", if said.is_empty() { "-".to_owned() } else { said.join("; ") }));
        if state != self.last {
            self.lines.push(format!("        {}", state.replace('\n', "\n        ")));
        }
        self.last = state;
    }

    /// The whole text, with what stands at the end.
    pub(super) fn text(mut self) -> String {
        let facts = self.plane.facts();
        let mut end = vec!["== at the end".to_owned()];
        for (name, member) in &self.plane.members {
            let hpa = member.hpa.as_ref().map_or("no HPA".to_owned(), |hpa| {
                format!("HPA {}..{}", hpa.install.bounds.min, hpa.install.bounds.max)
            });
            let entry = facts.binding.as_ref().and_then(|binding| binding.clusters.get(name));
            let entry = entry.map_or("not in the binding".to_owned(), |entry| format!("entry {entry}"));
            end.push(format!("   {name} runs {}, {hpa}, {entry}", member.running()));
        }
        if let (Target::Found(template), Some(binding)) = (&facts.target, &facts.binding) {
            end.push(format!("   template {}, binding {}", template.replicas, binding.replicas));
        }
        self.lines.extend(end);
        self.lines.join("\n")
    }
}

/// The reasons, and the conditions that are not as they are at rest.
fn told(decision: &Decision) -> String {
    let reasons = decision.trail.lines().join("; ");
    let mut lines: Vec<String> =
        decision.findings.iter().filter(|finding| is_news(finding)).map(said).collect();
    if lines.is_empty() {
        lines = decision.findings.iter().map(said).collect();
    }
    if !reasons.is_empty() {
        lines.insert(0, reasons);
    }
    lines.join("\n")
}

fn said(finding: &Finding<Condition>) -> String {
    let (kind, status) = (finding.kind.name(), finding.status.as_str());
    format!("{kind}={status} {}: {}", finding.reason, finding.message)
}

/// That it is not ready is only told where nothing else says why.
fn is_news(finding: &Finding<Condition>) -> bool {
    match finding.kind {
        Condition::Ready => finding.status == Truth::True,
        Condition::Distributed | Condition::Synchronized => finding.status != Truth::True,
        Condition::CapacityLimited
        | Condition::ScalingLimited
        | Condition::Contested
        | Condition::Suspended
        | Condition::Invalid => finding.status != Truth::False,
    }
}
