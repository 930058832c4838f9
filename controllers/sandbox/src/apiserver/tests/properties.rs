//! Properties of patches and ownership against oracles that know nothing of field sets.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::apiserver::{
    fields::{self, FieldSet},
    kinds,
    ownership::{Claim, Conflicts, Manager, Managers, Operation, OwnedScope},
};

/// What a handful of managers do to flat data, one after the other.
#[derive(Debug, Clone)]
enum Deed {
    Apply(usize, BTreeMap<String, String>),
    Force(usize, BTreeMap<String, String>),
    Update(usize, String, Option<String>),
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["1", "2"]).prop_map(str::to_owned)
}

fn deed() -> impl Strategy<Value = Deed> {
    let stated = || prop::collection::btree_map(key(), value(), 0..4);
    prop_oneof![
        (0..2_usize, stated()).prop_map(|(who, stated)| Deed::Apply(who, stated)),
        (0..2_usize, stated()).prop_map(|(who, stated)| Deed::Force(who, stated)),
        (2..4_usize, key(), prop::option::of(value()))
            .prop_map(|(who, key, value)| Deed::Update(who, key, value)),
    ]
}

/// The rules of ownership for flat data, said in the plainest way: per key its value and its owners.
#[derive(Debug, Default)]
struct Oracle {
    values: BTreeMap<String, String>,
    owners: BTreeMap<String, Vec<usize>>,
}

impl Oracle {
    fn owned_by(&self, who: usize) -> Vec<String> {
        self.owners.iter().filter(|(_, owners)| owners.contains(&who)).map(|(key, _)| key.clone()).collect()
    }

    fn set(&mut self, who: usize, key: &str, value: &str) {
        if self.values.get(key).is_none_or(|now| now != value) {
            self.owners.insert(key.to_owned(), vec![who]);
            self.values.insert(key.to_owned(), value.to_owned());
        } else if !self.owners[key].contains(&who) {
            self.owners.get_mut(key).unwrap().push(who);
        }
    }

    fn apply(&mut self, who: usize, stated: &BTreeMap<String, String>) {
        for key in self.owned_by(who).into_iter().filter(|key| !stated.contains_key(key)) {
            let owners = self.owners.get_mut(&key).unwrap();
            owners.retain(|owner| *owner != who);
            if owners.is_empty() {
                self.owners.remove(&key);
                self.values.remove(&key);
            }
        }
        for (key, value) in stated {
            self.set(who, key, value);
        }
    }

    fn conflicts(&self, who: usize, stated: &BTreeMap<String, String>) -> bool {
        stated.iter().any(|(key, value)| {
            self.values.get(key).is_some_and(|now| now != value)
                && self.owners[key].iter().any(|owner| *owner != who)
        })
    }

    fn update(&mut self, who: usize, key: &str, value: Option<&String>) {
        match value {
            // An update that changes nothing takes nothing.
            Some(value) if self.values.get(key) == Some(value) => {}
            Some(value) => self.set(who, key, value),
            None => {
                self.values.remove(key);
                self.owners.remove(key);
            }
        }
    }
}

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn owned_keys(object: &Value, who: &str) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mine = entries.filter(|entry| entry["manager"] == who);
    let keys = mine.flat_map(|entry| entry["fieldsV1"]["f:data"].as_object().into_iter().flatten());
    keys.filter(|(key, _)| *key != ".").map(|(key, _)| key.trim_start_matches("f:").to_owned()).collect()
}

async fn act(api: &Api, oracle: &mut Oracle, deed: &Deed) -> Result<(), TestCaseError> {
    let path = format!("{CONFIG_MAPS}/shared");
    let configuration = |stated: &BTreeMap<String, String>| {
        let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}});
        if !stated.is_empty() {
            map["data"] = json!(stated);
        }
        map
    };
    match deed {
        Deed::Apply(who, stated) => {
            let answer = api.apply(&path, NAMES[*who], configuration(stated)).await;
            let conflicts = oracle.conflicts(*who, stated);
            prop_assert_eq!(answer.code == StatusCode::CONFLICT, conflicts, "{:?}", answer);
            if !conflicts {
                oracle.apply(*who, stated);
            }
        }
        Deed::Force(who, stated) => {
            api.force(&path, NAMES[*who], configuration(stated)).await.ok();
            oracle.apply(*who, stated);
        }
        Deed::Update(who, key, value) => {
            let path = format!("{path}?fieldManager={}", NAMES[*who]);
            api.merge(&path, json!({"data": {key: value}})).await.ok();
            oracle.update(*who, key, value.as_ref());
        }
    }
    Ok(())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        (0..3).prop_map(|number| json!(number)),
        value().prop_map(|text| json!(text))
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn json_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(key(), json_value(), 0..4)
        .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ownership_of_flat_fields_follows_the_plain_rules(deeds in prop::collection::vec(deed(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let api = Api::new();
            let local = api.server.local("setup");
            // With something in it that is always there: the map itself would have an owner too, and an object of which
            // nobody owns anything notes no owners.
            let kept = json!({"metadata": {"namespace": "default", "name": "shared"}, "data": {"kept": "1"}});
            local.create(&kinds::CONFIG_MAPS, kept).unwrap();
            let mut oracle = Oracle::default();
            for deed in &deeds {
                act(&api, &mut oracle, deed).await?;
                let object = local.get(&kinds::CONFIG_MAPS, "default", "shared").unwrap();
                let mut values = object["data"].clone();
                values.as_object_mut().unwrap().remove("kept");
                prop_assert_eq!(values, json!(oracle.values), "after {:?}", deed);
                for (index, who) in NAMES.iter().enumerate() {
                    prop_assert_eq!(owned_keys(&object, who), oracle.owned_by(index), "{} after {:?}", who, deed);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn field_sets_survive_the_wire(object in json_object()) {
        let set = fields::stated(&object, None);
        prop_assert_eq!(FieldSet::from_wire(&set.to_wire()), set);
    }

    #[test]
    fn a_difference_is_empty_only_between_equals(old in json_object(), new in json_object()) {
        let difference = fields::compare(&old, &new, None);
        prop_assert_eq!(difference.changed.is_empty() && difference.removed.is_empty(), old == new);
    }

    #[test]
    fn what_was_applied_is_there_and_applying_it_again_changes_nothing(live in json_object(), stated in json_object()) {
        let manager = Manager { name: "a".into(), operation: Operation::Apply, api_version: "v1".into(), subresource: "" };
        let claim = Claim { manager: &manager, time: "now", conflicts: Conflicts::Forced, scope: OwnedScope::All };
        let first = Managers::of(&live).apply(&live, &stated, None, &claim).unwrap();
        prop_assert_eq!(fields::merged(&first.object, &stated, None), first.object.clone());
        let again = first.managers.clone().apply(&first.object, &stated, None, &claim).unwrap();
        prop_assert_eq!(again.object, first.object);
        prop_assert_eq!(again.managers, first.managers);
    }

    #[test]
    fn letting_go_of_all_that_was_applied_leaves_the_rest(live in json_object(), stated in json_object()) {
        let manager = Manager { name: "a".into(), operation: Operation::Apply, api_version: "v1".into(), subresource: "" };
        let claim = Claim { manager: &manager, time: "now", conflicts: Conflicts::Forced, scope: OwnedScope::All };
        let first = Managers::of(&live).apply(&live, &stated, None, &claim).unwrap();
        let last = first.managers.apply(&first.object, &json!({}), None, &claim).unwrap();
        let untouched: Vec<&String> = live.as_object().unwrap().keys().filter(|key| stated.get(*key).is_none()).collect();
        let left: Vec<&String> = last.object.as_object().unwrap().keys().filter(|key| stated.get(*key).is_none()).collect();
        prop_assert_eq!(left, untouched);
        for key in stated.as_object().unwrap().keys() {
            prop_assert!(last.object.get(key).is_none(), "{} was the applier's and is still there", key);
        }
    }
}
