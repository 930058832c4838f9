//! The form of the text. What it says is held against `docs/explain.md`.

use fedscaler_core::{
    fedhpa::facts_file::FactsFile,
    fedhpa::policy::{
        Adoption, ClusterRule, Distribution, Policy, Rebalance, RebalanceMode, Selects, Strategy, Terms,
    },
    reading::Reading,
};

use super::*;
use crate::explain::Case;

fn case() -> Case {
    let file: FactsFile =
        serde_json::from_str(include_str!("../../../../../docs/examples/web.facts.json")).unwrap();
    let policy = Policy {
        bounds: Bounds { min: 6, max: 60 },
        distribution: Distribution { strategy: Strategy::Capacity, rules: Vec::new() },
        rebalance: Rebalance {
            mode: RebalanceMode::Auto,
            cooldown: std::time::Duration::from_mins(5),
            tolerance_percent: 10,
        },
        reserve_percent: 0,
        write_back_interval: std::time::Duration::from_secs(15),
        adoption: Adoption::Never,
        suspended: false,
    };
    Case { fed_hpa: file.fed_hpa, policy, facts: file.facts }
}

fn rendered(case: &Case, what_ifs: &[&str]) -> String {
    let what_ifs: Vec<_> = what_ifs.iter().map(|text| text.parse().unwrap()).collect();
    render(&Account::of(case, &what_ifs).unwrap(), Paper::PLAIN)
}

#[test]
fn lines_fit_though_names_are_long_and_numbers_are_large() {
    let mut case = case();
    let long = "a-cluster-whose-name-has-all-of-the-48-characters";
    let mut cluster = case.facts.clusters["cloud"].clone();
    if let Reading::Fresh(free) = cluster.free {
        let large = fedscaler_core::room::Free { fit: u32::MAX, naive: u32::MAX, ..free };
        cluster.free = Reading::Stale { value: large, age_seconds: 5999 };
    }
    case.facts.clusters.insert(long.to_owned(), cluster);
    case.policy.bounds.max = 99_999;
    case.policy.distribution.rules =
        vec![ClusterRule { selects: Selects::Labels(Vec::new()), terms: Terms::default() }];
    let text = rendered(&case, &["min=12", &format!("lost={long}")]);
    for line in text.lines() {
        assert!(line.chars().count() <= Paper::PLAIN.width, "{line}\n{text}");
        assert_eq!(line.trim_end(), line);
    }
    let at = text.lines().position(|line| line.trim() == long).expect("a line of its own");
    assert!(text.lines().nth(at + 1).is_some_and(|line| line.contains(">999999")), "{text}");
}

#[test]
fn reasons_come_first_and_every_part_has_its_title() {
    let text = rendered(&case(), &["lost=cloud"]);
    let titles: Vec<&str> =
        text.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with(' ')).collect();
    assert_eq!(titles[..5], ["Why", "Totals", "Clusters", "Would be written", "Conditions"]);
    assert_eq!(titles.last(), Some(&"What if lost=cloud"));
}

#[test]
fn a_room_that_is_not_known_says_why() {
    let mut case = case();
    if let Some(cluster) = case.facts.clusters.get_mut("cloud") {
        cluster.free = Reading::Dark(Dark::Unusable);
    }
    let text = rendered(&case, &[]);
    let row = text.lines().find(|line| line.starts_with("  cloud")).unwrap();
    assert!(row.contains("  unusable  ") && row.contains("  -  "), "{row}");
}

#[test]
fn long_times_are_short() {
    let spans = [0, 99, 100, 5999, 6000, 359_999, 360_000].map(span);
    assert_eq!(spans, ["0s", "99s", "1m", "99m", "1h", "99h", "4d"]);
}
