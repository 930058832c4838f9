//! Reads a manifest and a facts file: the same decision where there is no API server.
//!
//! Responsible for saying where a file is wrong. Decides nothing.

use std::{fs, path::Path};

use fedscaler_core::fedhpa::facts_file::FactsFile;
use fedscaler_fedhpa::admit::admit;

use super::{Case, manifest};
use crate::Refusal;

/// The case that a manifest and the facts about it make.
pub async fn read(manifest: &Path, facts: &Path) -> Result<Case, Refusal> {
    let file = facts_file(facts)?;
    let object = manifest::read(manifest, &file).await?;
    let admitted = admit(&object).map_err(|why| Refusal::new(format!("{}: {why}", manifest.display())))?;
    Ok(Case { fed_hpa: file.fed_hpa, policy: admitted.policy, facts: file.facts })
}

fn facts_file(path: &Path) -> Result<FactsFile, Refusal> {
    parse(&text(path)?).map_err(|why| Refusal::new(format!("{}: {why}", path.display())))
}

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String, Refusal> {
    fs::read_to_string(path)
        .map_err(|why| Refusal::new(format!("cannot read {}: {why}; is the path right?", path.display())))
}

/// Reads facts; what is wrong is told with its path in the file.
fn parse(json: &str) -> Result<FactsFile, String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let file = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        if matches!(path.as_str(), "." | "?") {
            error.inner().to_string()
        } else {
            format!("{path}: {}", error.inner())
        }
    })?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = include_str!("../../../../docs/examples/web.facts.json");

    fn refused(from: &str, to: &str) -> String {
        assert!(FACTS.contains(from), "{from}");
        parse(&FACTS.replacen(from, to, 1)).unwrap_err()
    }

    #[test]
    fn the_example_reads_back_as_it_is_written() {
        let file = parse(FACTS).unwrap();
        assert_eq!(serde_json::to_string_pretty(&file).unwrap() + "\n", FACTS);
    }

    #[test]
    fn what_is_wrong_in_a_facts_file_is_told_with_its_path() {
        for (from, to, beginning) in [
            ("\"v1alpha1\"", "\"v9\"", "version: unknown variant `v9`, expected `v1alpha1`"),
            (
                "\"fit\": ",
                "\"fits\": ",
                "facts.clusters.cloud.free.fresh.fits: unknown field `fits`, expected ",
            ),
            ("\"fit\": ", "\"fit\": -", "facts.clusters.cloud.free.fresh.fit: invalid value: integer `-"),
            ("\"fresh\": {", "\"ripe\": {", "facts.clusters.cloud.free: unknown variant `ripe`, expected "),
            (
                "\"finalized\": true",
                "\"finalized\": \"yes\"",
                "facts.finalized: invalid type: string \"yes\"",
            ),
            ("{\n", "{{\n", "key must be a string at line 1"),
        ] {
            let why = refused(from, to);
            assert!(why.starts_with(beginning) && why.contains(" at line ") && !why.contains('\n'), "{why}");
        }
    }

    #[test]
    fn a_file_that_ends_early_or_goes_on_is_refused() {
        assert!(parse("").unwrap_err().starts_with("EOF"));
        assert!(parse(&format!("{FACTS}{FACTS}")).unwrap_err().starts_with("trailing characters at line "));
    }
}
