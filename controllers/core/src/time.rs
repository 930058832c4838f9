//! How instants look in schemas.
//!
//! Responsible for one word: on paper an instant is RFC 3339 text. Knows no clock and no instant.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Stands for a `DateTime<Utc>` in a JSON Schema: `#[schemars(with = "Time")]`.
pub struct Time;

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}
