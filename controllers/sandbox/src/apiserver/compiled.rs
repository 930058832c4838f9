//! Schemas that were compiled before in this process.
//!
//! Responsible for compiling a schema once, however many servers serve it: regular expressions and CEL cost far more
//! than what they are then asked. What is remembered follows from the schema's text alone and never changes, so no
//! server sees another through it. Knows nothing of kinds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use super::{errors::Cause, rules::Rules, schema::SchemaError, structural};

/// How many schemas are remembered before all are forgotten: far more than a world has, and not without end.
const REMEMBERED: usize = 256;

static RULES: Memo<Result<Arc<Rules>, SchemaError>> = Memo::new();
static FINDINGS: Memo<Vec<Cause>> = Memo::new();

/// The rules of a whole object's schema.
pub(super) fn rules(raw: &Value) -> Result<Arc<Rules>, SchemaError> {
    RULES.recall(raw.to_string(), || Rules::compile(raw).map(Arc::new))
}

/// What keeps the schema `raw`, which stands at `path`, from being used in a definition.
pub(super) fn schema_violations(raw: &Value, path: &str) -> Vec<Cause> {
    FINDINGS.recall(format!("{path} {raw}"), || structural::schema_violations(raw, path))
}

/// Answers by the text that they follow from.
struct Memo<T>(Mutex<BTreeMap<String, T>>);

impl<T: Clone> Memo<T> {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Two who ask for the same at once both work it out: nobody waits for another's schema.
    fn recall(&self, text: String, work_out: impl FnOnce() -> T) -> T {
        if let Some(known) = self.with(|known| known.get(&text).cloned()) {
            return known;
        }
        let answer = work_out();
        self.with(|known| {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(text, answer.clone());
        });
        answer
    }

    fn with<A>(&self, act: impl FnOnce(&mut BTreeMap<String, T>) -> A) -> A {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_compiled_once() {
        let schema = json!({"type": "object", "properties": {"once": {"type": "string", "pattern": "^a+$"}}});
        assert!(Arc::ptr_eq(&rules(&schema).unwrap(), &rules(&schema.clone()).unwrap()));
    }

    #[test]
    fn what_is_wrong_is_told_with_the_place_that_was_asked_for() {
        let schema = json!({"type": "object", "properties": {"a": {}}});
        let fields = |path: &str| {
            schema_violations(&schema, path).into_iter().map(|cause| cause.field).collect::<Vec<_>>()
        };
        assert_eq!(fields("one"), ["one.properties[a].type"]);
        assert_eq!(fields("other"), ["other.properties[a].type"]);
    }

    #[test]
    fn memory_has_an_end() {
        let memo = Memo::new();
        for text in 0..=REMEMBERED {
            assert_eq!(memo.recall(text.to_string(), || text), text);
        }
        assert_eq!(memo.with(|known| known.len()), 1);
    }
}
