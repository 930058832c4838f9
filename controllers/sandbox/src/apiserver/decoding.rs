//! Bodies of requests as JSON values.
//!
//! It knows JSON and YAML, not what is said in them.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::errors::ApiError;

/// A body that was sent as JSON.
pub(super) fn json(text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text)
        .map_err(|error| ApiError::bad_request(format!("the object provided is unrecognized: {error}")))
}

/// A body that was sent as YAML. Clients send JSON under that name, and reading it as what it is takes a fraction of
/// the time; what is no JSON, or says a name twice, is for the YAML reader to judge.
pub(super) fn yaml(text: &str) -> Result<Value, ApiError> {
    if let Ok(Plain(value)) = serde_json::from_str(text) {
        return Ok(value);
    }
    serde_saphyr::from_str(text)
        .map_err(|error| ApiError::bad_request(format!("error converting YAML to JSON: {error}")))
}

/// JSON in which no object says a name twice.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Plain(value))) = entries.next_entry::<String, Plain>()? {
            if map.insert(name, value).is_some() {
                return Err(de::Error::custom("a name is said twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_under_the_name_of_yaml_is_read_as_it_is() {
        let value = json!({"a": [1, -2, 2.5, true, null, "yes", "1e3"], "b": {"c": {}}, "": 18_446_744_073_709_551_615_u64});
        assert_eq!(yaml(&value.to_string()).unwrap(), value);
        assert_eq!(serde_saphyr::from_str::<Value>(&value.to_string()).unwrap(), value);
    }

    #[test]
    fn yaml_that_is_no_json_is_read_as_well() {
        assert_eq!(yaml("a: [x, 1]\n").unwrap(), json!({"a": ["x", 1]}));
    }

    #[test]
    fn a_name_that_is_said_twice_is_refused() {
        assert!(yaml("{\"a\": 1, \"a\": 2}").is_err());
    }
}
