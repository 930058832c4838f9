//! What the documents show of `explain` is what it says and takes.

use std::path::Path;

use fedscaler_cmd::{
    cli::{Form, Shape},
    explain::{cronhpa, offline, page::Paper, schema, told, what_ifs},
};
use serde_json::Value;

const GUIDE: &str = include_str!("../../../docs/explain.md");
const FACTS: &str = include_str!("../../../docs/examples/web.facts.json");

/// The blocks of the guide that show a command and its output, as (words, output).
fn shown() -> Vec<(Vec<&'static str>, String)> {
    let blocks = GUIDE.split("```").skip(1).step_by(2).map(|block| block.trim_start_matches('\n'));
    let asked = blocks.filter_map(|block| {
        let (command, output) = block.strip_prefix("$ fedscaler explain fedhpa ")?.split_once('\n')?;
        Some((command.split(' ').collect(), output.to_owned()))
    });
    asked.collect()
}

async fn answer(words: &[&str], form: Form) -> String {
    let after = |flag: &str| {
        let at = words.iter().enumerate().filter(|(_, word)| **word == flag);
        at.map(|(at, _)| words[at + 1].to_owned()).collect::<Vec<_>>()
    };
    let path = |flag: &str| Path::new("..").join(&after(flag)[0]);
    let case = offline::read(&path("-f"), &path("--facts")).await.expect("the example can be read");
    told(&case, &what_ifs(&after("--what-if")).expect("what-ifs"), (form, Paper::PLAIN))
        .expect("an explanation")
}

#[tokio::test(start_paused = true)]
async fn the_guide_shows_what_explain_says() {
    let shown = shown();
    assert_eq!(shown.len(), 2, "one block as it is and one with a what-if");
    for (words, output) in shown {
        let said = answer(&words, Form::Table).await;
        assert!(
            said == output,
            "docs/explain.md shows another output of `fedscaler explain fedhpa {}`: run it with `cargo run --`, judge it, and put it there:\n{said}",
            words.join(" ")
        );
    }
}

/// What `explain cronhpa` says to these words of the guide.
async fn answer_cron(words: &[&str], form: Form) -> String {
    let after = |flag: &str| words.iter().position(|word| *word == flag).map(|at| words[at + 1]);
    let path = Path::new("..").join(after("-f").expect("a file"));
    let time = |flag: &str| after(flag).expect("a time").parse().expect("RFC 3339");
    let span = cronhpa::Span { from: time("--from"), to: time("--to") };
    let case = cronhpa::offline::read(&path, None, span.from).await.expect("the example can be read");
    cronhpa::told(&case, span, (form, Paper::PLAIN)).expect("an answer")
}

/// The same blocks, of CronHPAs.
fn shown_cron() -> Vec<(Vec<&'static str>, String)> {
    let blocks = GUIDE.split("```").skip(1).step_by(2).map(|block| block.trim_start_matches('\n'));
    let asked = blocks.filter_map(|block| {
        let (command, output) = block.strip_prefix("$ fedscaler explain cronhpa ")?.split_once('\n')?;
        Some((command.split(' ').collect(), output.to_owned()))
    });
    asked.collect()
}

#[tokio::test(start_paused = true)]
async fn the_guide_shows_what_explain_says_about_a_cronhpa() {
    let shown = shown_cron();
    assert_eq!(shown.len(), 1, "one block");
    for (words, output) in shown {
        let said = answer_cron(&words, Form::Table).await;
        assert!(
            said == output,
            "docs/explain.md shows another output of `fedscaler explain cronhpa {}`: run it with `cargo run --`, judge it, and put it there:\n{said}",
            words.join(" ")
        );
        let json = answer_cron(&words, Form::Json).await;
        assert_eq!(judged(&file("slots.schema.json"), &json), Ok(()));
    }
}

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new("../docs").join(name)).expect("a schema in docs")
}

#[test]
fn the_schemas_are_those_of_the_types() {
    for (name, of, word) in [
        ("facts.schema.json", Shape::Facts, "facts"),
        ("explanation.schema.json", Shape::Explanation, "explanation"),
        ("slots.schema.json", Shape::Slots, "slots"),
    ] {
        assert!(
            file(name) == schema::text(of).unwrap(),
            "docs/{name} is not what the types say: run `cargo run -- explain schema {word} > docs/{name}`"
        );
    }
}

fn judged(schema: &str, instance: &str) -> Result<(), String> {
    let (schema, instance): (Value, Value) =
        (serde_json::from_str(schema).expect("JSON"), serde_json::from_str(instance).expect("JSON"));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator.validate(&instance).map_err(|error| format!("{}: {error}", error.instance_path()))
}

#[test]
fn the_example_facts_are_valid_by_the_schema_and_a_misspelt_field_is_not() {
    assert_eq!(judged(&file("facts.schema.json"), FACTS), Ok(()));
    let misspelt = FACTS.replacen("\"fit\"", "\"fitt\"", 1);
    assert!(judged(&file("facts.schema.json"), &misspelt).is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_printed_as_json_is_valid_by_its_schema() {
    for (words, _) in shown() {
        let json = answer(&words, Form::Json).await;
        assert_eq!(judged(&file("explanation.schema.json"), &json), Ok(()));
    }
}
