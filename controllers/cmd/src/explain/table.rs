//! An explanation as text: reasons first, then numbers.
//!
//! Responsible for the order of things and for columns. Knows nothing of what the numbers mean.

use anstyle::Style;
use chrono::SecondsFormat;
use fedscaler_core::{
    fedhpa::{decision::Phase, policy::Bounds, split::total},
    reading::Dark,
};

use super::{
    account::{Account, ClusterAccount, ConditionAccount, Totals, TurnAccount},
    page::{BAD, CAUTION, FAINT, GAP, GOOD, INDENT, Page, Paper},
    supposed::Supposed,
    words::range,
};

/// The explanation as text that ends in a line break.
pub(super) fn render(account: &Account, paper: Paper) -> String {
    let mut page = Page::on(paper);
    page.heading(&heading(account));
    page.section("Why", &account.reasons);
    page.section("Totals", &totals(&account.totals));
    write_clusters(&mut page, &account.clusters);
    let writes: Vec<String> = account.writes.iter().map(|write| write.words.clone()).collect();
    page.section("Would be written", &or(writes, "nothing: all bounds and numbers are as decided"));
    page.section("Conditions", &[]);
    account.conditions.iter().for_each(|condition| write_condition(&mut page, condition));
    if !account.to_come.is_empty() {
        page.section("By time alone", &account.to_come.iter().map(turn).collect::<Vec<_>>());
    }
    if let Some(supposed) = &account.what_if {
        write_supposed(&mut page, supposed);
    }
    page.text()
}

fn heading(account: &Account) -> String {
    let observed = account.observed.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("FedHPA {}/{} as observed at {observed}", account.fed_hpa.namespace, account.fed_hpa.name)
}

fn or(lines: Vec<String>, nothing: &str) -> Vec<String> {
    if lines.is_empty() { vec![nothing.to_owned()] } else { lines }
}

fn totals(totals: &Totals) -> Vec<String> {
    let by = |rule: &Option<String>| rule.clone().unwrap_or_else(|| "the spec".to_owned());
    let mut lines = Vec::new();
    match totals.in_force {
        Some(Bounds { min, max }) => {
            lines.push(format!(
                "min {min} by {}, max {max} by {}",
                by(&totals.min_rule),
                by(&totals.max_rule)
            ));
        }
        None => lines.push("nothing is divided".to_owned()),
    }
    if let Some(shares) = totals.shares {
        lines.push(format!("shares {}, unplaced {}", range(shares), totals.unplaced));
    }
    lines.push(format!("current {}, desired {}", totals.current, totals.desired));
    if totals.possible_overshoot > 0 {
        lines.push(format!("unreachable clusters may run up to {} besides", totals.possible_overshoot));
    }
    lines
}

fn write_condition(page: &mut Page, condition: &ConditionAccount) {
    let ConditionAccount { kind, status, reason, message } = condition;
    let is_promise = ["Ready", "Distributed", "Synchronized"].contains(&kind.as_str());
    let style = match (status.as_str(), is_promise) {
        ("True", true) => GOOD,
        ("True", false) => CAUTION,
        ("False", false) => FAINT,
        _ => BAD,
    };
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    page.led_paragraph(INDENT, (&format!("{kind} {status}"), style), &format!("{reason}{message}"));
}

fn turn(turn: &TurnAccount) -> String {
    format!("{}: {}", when(turn), turn.reasons.join("; "))
}

fn when(turn: &TurnAccount) -> String {
    if turn.after_seconds == 0 { "at once".to_owned() } else { format!("after {} s", turn.after_seconds) }
}

fn write_clusters(page: &mut Page, clusters: &[ClusterAccount]) {
    page.section("Clusters", &[]);
    if clusters.is_empty() {
        return page.paragraph(INDENT, "none");
    }
    let rows: Vec<Vec<String>> = clusters.iter().map(row).collect();
    let grid = Grid::of(&HEADER, &rows, page.width());
    page.painted(FAINT, &grid.line(&HEADER.map(str::to_owned)));
    for (cluster, row) in clusters.iter().zip(&rows) {
        grid.write(page, row_style(cluster), row);
        page.paragraph(&INDENT.repeat(2), &cluster.why);
    }
}

fn row_style(cluster: &ClusterAccount) -> Style {
    match cluster.phase {
        Some(Phase::Frozen | Phase::Evicting) => BAD,
        Some(Phase::Dormant) => FAINT,
        Some(_) if cluster.saturated => CAUTION,
        Some(Phase::Active | Phase::Waking | Phase::Donating) | None => Style::new(),
    }
}

fn write_supposed(page: &mut Page, supposed: &Supposed) {
    page.section(&format!("What if {}", supposed.what_ifs.join(" ")), &[]);
    if supposed.course.is_empty() {
        for reason in &supposed.reasons {
            page.paragraph(INDENT, reason);
        }
    }
    for line in supposed.course.iter().map(turn).chain(supposed.notes.iter().cloned()) {
        page.paragraph(INDENT, &line);
    }
    if !supposed.rests {
        page.paragraph(INDENT, "the split does not come to rest; this is as far as it was followed");
    }
    let (header, rows) = (supposed_header(supposed), supposed_rows(supposed));
    let grid = Grid::of(&header.iter().map(String::as_str).collect::<Vec<_>>(), &rows, page.width());
    page.painted(FAINT, &grid.line(&header));
    for row in &rows {
        grid.write(page, Style::new(), row);
    }
}

const HEADER: [&str; 11] =
    ["NAME", "PHASE", "MIN", "MAX", "CURRENT", "DESIRED", "READY", "ROOM", "BY", "FRAG", "SAT"];

/// Turns between now and the end that have a column of their own: the first ones.
const TURNS_BETWEEN: usize = 3;

/// All turns but the last, whose shares are those of the end.
fn between(supposed: &Supposed) -> impl Iterator<Item = &TurnAccount> {
    supposed.course.split_last().map_or(&[][..], |(_, turns)| turns).iter().take(TURNS_BETWEEN)
}

fn supposed_header(supposed: &Supposed) -> Vec<String> {
    let last = supposed.course.last().map_or_else(|| "then".to_owned(), when);
    let columns = between(supposed).map(when).chain([last]).map(|column| column.to_uppercase());
    ["NAME", "SHARE NOW"].map(str::to_owned).into_iter().chain(columns).collect()
}

fn supposed_rows(supposed: &Supposed) -> Vec<Vec<String>> {
    let row = |name: &str, now: String, turned: &dyn Fn(&TurnAccount) -> String, then: String| {
        let turns = between(supposed).map(turned);
        [name.to_owned(), now].into_iter().chain(turns).chain([then]).collect::<Vec<_>>()
    };
    let clusters = supposed.clusters.iter().map(|moved| {
        let share = |turn: &TurnAccount| range(turn.shares.get(&moved.name).copied().unwrap_or_default());
        row(&moved.name, range(moved.now), &share, range(moved.then))
    });
    let (totals, unplaced) = (supposed.totals, supposed.unplaced);
    let sum = |turn: &TurnAccount| range(total(&turn.shares));
    let left = |turn: &TurnAccount| turn.unplaced.to_string();
    let all = row("all together", range(totals.now), &sum, range(totals.then));
    let left = row("unplaced", unplaced.now.to_string(), &left, unplaced.then.to_string());
    clusters.chain([all, left]).collect()
}

fn row(cluster: &ClusterAccount) -> Vec<String> {
    let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), short);
    vec![
        cluster.name.clone(),
        cluster.phase.map_or("-", phase).to_owned(),
        number(cluster.bounds.map(|bounds| bounds.min)),
        number(cluster.bounds.map(|bounds| bounds.max)),
        number(cluster.current),
        number(cluster.desired),
        number(cluster.ready),
        number(cluster.room),
        source(cluster),
        cluster.fragmentation_percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent}%")),
        if cluster.saturated { "yes" } else { "no" }.to_owned(),
    ]
}

/// Nobody counts pods in millions: such a room limits nothing.
fn short(number: u32) -> String {
    if number > 999_999 { ">999999".to_owned() } else { number.to_string() }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Active => "Active",
        Phase::Dormant => "Dormant",
        Phase::Waking => "Waking",
        Phase::Donating => "Donating",
        Phase::Frozen => "Frozen",
        Phase::Evicting => "Evicting",
    }
}

/// Where the room was read and how long ago, or why it is not known.
fn source(cluster: &ClusterAccount) -> String {
    match (cluster.room_source, cluster.room_age_seconds, cluster.room_unknown) {
        (Some(source), None | Some(0), _) => source.as_str().to_owned(),
        (Some(source), Some(age), _) => format!("{} -{}", source.as_str(), span(age)),
        (None, _, Some(Dark::NotYetReported)) => "not yet".to_owned(),
        (None, _, Some(Dark::Unreachable)) => "unreachable".to_owned(),
        (None, _, Some(Dark::Unusable)) => "unusable".to_owned(),
        (None, _, Some(Dark::NoSource)) => "no source".to_owned(),
        (None, _, None) => "-".to_owned(),
    }
}

/// Seconds, in few characters.
fn span(seconds: u64) -> String {
    match seconds {
        0..100 => format!("{seconds}s"),
        100..6000 => format!("{}m", seconds / 60),
        6000..360_000 => format!("{}h", seconds / 3600),
        360_000.. => format!("{}d", seconds / 86_400),
    }
}

/// Widths of columns: names to the left, all else to the right.
struct Grid(Vec<usize>);

impl Grid {
    /// Names get what the numbers leave of the line.
    fn of(header: &[&str], rows: &[Vec<String>], width: usize) -> Self {
        let cells =
            |at: usize| rows.iter().filter_map(move |row| row.get(at)).map(|cell| cell.chars().count());
        let widest = |at: usize| cells(at).chain([header[at].len()]).max().unwrap_or_default();
        let numbers: Vec<usize> = (1..header.len()).map(widest).collect();
        let taken: usize = INDENT.len() + numbers.iter().map(|width| GAP.len() + width).sum::<usize>();
        let fitting = cells(0).filter(|name| taken + name <= width);
        let names = fitting.chain([header[0].len()]).max().unwrap_or_default();
        Self([vec![names], numbers].concat())
    }

    /// A row. A name that does not fit stands above its numbers.
    fn write(&self, page: &mut Page, style: Style, row: &[String]) {
        let names = self.0.first().copied().unwrap_or_default();
        match row.split_first().filter(|(name, _)| name.chars().count() > names) {
            Some((name, numbers)) => {
                page.painted(style, &format!("{INDENT}{name}"));
                page.painted(style, &self.line(&[&[String::new()], numbers].concat()));
            }
            None => page.painted(style, &self.line(row)),
        }
    }

    fn line(&self, cells: &[String]) -> String {
        let padded = cells.iter().zip(&self.0).enumerate().map(|(at, (cell, width))| {
            if at < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("{INDENT}{}", padded.collect::<Vec<_>>().join(GAP))
    }
}

#[cfg(test)]
mod tests;
