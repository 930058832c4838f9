//! The JSON Schemas of what `explain` reads and prints.
//!
//! Responsible for rendering them; `docs/` has them as files, which a test holds against this.

use fedscaler_core::fedhpa::facts_file::FactsFile;
use schemars::{SchemaGenerator, generate::SchemaSettings};

use super::{account::Account, cronhpa};
use crate::{Refusal, cli::Shape};

/// The schema as text.
pub fn text(of: Shape) -> Result<String, Refusal> {
    let schema = match of {
        Shape::Facts => FactsFile::schema(),
        Shape::Explanation => printed().into_root_schema_for::<Account>(),
        Shape::Slots => printed().into_root_schema_for::<cronhpa::account::Account>(),
    };
    serde_json::to_string_pretty(&schema).map(|json| json + "\n").map_err(Refusal::new)
}

fn printed() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}
