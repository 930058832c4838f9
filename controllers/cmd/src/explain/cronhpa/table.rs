//! What holds and what is to come as text.
//!
//! Responsible for lines that a terminal can show. Knows nothing of what the numbers mean.

use anstyle::Style;
use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    super::page::{BAD, FAINT, GAP, INDENT, Page, Paper},
    account::{Account, Bounds, ClockShift, Readiness, Side, SlotAccount},
};

const HEADER: [&str; 5] = ["LOCAL", "UTC", "RULE", "RESULT", "IN FORCE"];

/// The answer as text that ends in a line break.
pub(super) fn render(account: &Account, paper: Paper) -> String {
    let mut page = Page::on(paper);
    let subject = &account.cron_hpa;
    page.heading(&format!("CronHPA {}/{} at {}", subject.namespace, subject.name, written(account.from)));
    page.section("Why", &account.reasons);
    if !account.faults.is_empty() {
        page.section("Invalid", &account.faults);
    }
    if !account.notes.is_empty() {
        page.section("Notes", &account.notes);
    }
    if !account.ready.is_empty() {
        page.section("Ready", &account.ready.iter().map(readiness).collect::<Vec<_>>());
    }
    page.section(&format!("Slots until {}", written(account.to)), &[]);
    if account.slots.is_empty() {
        page.paragraph(INDENT, "none");
        return page.text();
    }
    let rows: Vec<[String; 5]> = account.slots.iter().map(row).collect();
    let header = HEADER.map(str::to_owned);
    let widths: [usize; 5] = std::array::from_fn(|at| {
        let cells = rows.iter().chain([&header]).map(|row| row[at].chars().count());
        cells.max().unwrap_or_default()
    });
    let line = |row: &[String; 5]| {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{INDENT}{}", padded.collect::<Vec<_>>().join(GAP))
    };
    page.painted(FAINT, &line(&header));
    for (row, slot) in rows.iter().zip(&account.slots) {
        page.painted(row_style(slot), &line(row));
        for note in notes(slot) {
            page.paragraph(&INDENT.repeat(2), &note);
        }
    }
    page.text()
}

/// By what becomes of it.
fn row_style(slot: &SlotAccount) -> Style {
    match slot.result.as_str() {
        "Missed" | "Failed" => BAD,
        "Excluded" | "Suspended" | "Superseded" => FAINT,
        _ => Style::new(),
    }
}

fn written(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn readiness(seen: &Readiness) -> String {
    let Readiness { rule, utc, acted, ready_after_seconds, took_seconds } = seen;
    let at = |seconds: i64| match seconds {
        0 => "at it".to_owned(),
        1.. => format!("{seconds} s after it"),
        _ => format!("{} s before it", -seconds),
    };
    let (acted, ready) = (at((*acted - *utc).num_seconds()), at(*ready_after_seconds));
    format!("{rule} of {}: acted {acted}, ready {ready}: it took {took_seconds} s", written(*utc))
}

fn row(slot: &SlotAccount) -> [String; 5] {
    let side = match slot.edge {
        None => "",
        Some(Side::Start) => " opens",
        Some(Side::End) => " closes",
    };
    [
        slot.local.clone(),
        written(slot.utc),
        format!("{}{side}", slot.rule),
        slot.result.clone(),
        in_force(&slot.in_force),
    ]
}

fn in_force(bounds: &Bounds) -> String {
    let Bounds { min_replicas, min_rule, max_replicas, max_rule, replicas } = bounds;
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut rules: Vec<&str> = [min_rule, max_rule].into_iter().flatten().map(String::as_str).collect();
    rules.dedup();
    let numbers = match (replicas, min_replicas, max_replicas) {
        (Some(count), _, _) => count.to_string(),
        (None, None, None) => return "-".to_owned(),
        (None, min, max) => format!("{}..{}", number(*min), number(*max)),
    };
    if rules.is_empty() { numbers } else { format!("{numbers} by {}", rules.join(", ")) }
}

/// What stands below a slot, a line each.
fn notes(slot: &SlotAccount) -> Vec<String> {
    let clock = slot.clock.map(|shift| match shift {
        ClockShift::Skipped => "the clock skips its time: the first instant after the gap",
        ClockShift::FirstPass => "the clock shows its time twice: the first of the two",
        ClockShift::SecondPass => "the clock shows its time twice: the second of the two",
    });
    let led = (slot.acts < slot.utc).then(|| format!("acts at {}", written(slot.acts)));
    let said = Some(slot.message.clone()).filter(|said| !said.is_empty());
    clock.map(str::to_owned).into_iter().chain(led).chain(said).collect()
}
