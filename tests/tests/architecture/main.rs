//! The rules of ARCHITECTURE.md that a machine can check: who depends on whom, who knows what, and how code is written.

mod boundaries;
mod graph;
mod manners;
mod source;
mod time;
mod traces;

/// Fails with every place that breaks a rule, and with what to do about it.
#[track_caller]
fn none_may(rule: &str, remedy: &str, places: &[String]) {
    assert!(
        places.is_empty(),
        "{} against this rule: {rule}\n  {}\nWhat to do: {remedy}\n",
        match places.len() {
            1 => "1 place is".to_owned(),
            many => format!("{many} places are"),
        },
        places.join("\n  ")
    );
}
