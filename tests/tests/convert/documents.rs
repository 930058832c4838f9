//! The examples in the documents are what is made of them.

use std::{fs, path::Path};

use super::{TODAY, aliyun, conversion, karmada};
use fedscaler_cmd::convert::{Terms, converted};

const EXAMPLES: &str = "../docs/examples/convert";

#[tokio::test]
async fn the_examples_are_converted_as_the_documents_show() {
    for name in ["aliyun", "karmada", "list"] {
        let folder = Path::new(EXAMPLES);
        let text = fs::read_to_string(folder.join(format!("{name}.yaml"))).expect("an example");
        let shown = fs::read_to_string(folder.join(format!("{name}.cronhpas.yaml"))).unwrap_or_default();
        assert!(
            conversion(&text).await.manifests == shown,
            "docs/examples/convert/{name}.cronhpas.yaml is not what `convert` makes: run `cargo run -- convert \
             docs/examples/convert/{name}.yaml --from {TODAY} > docs/examples/convert/{name}.cronhpas.yaml`, and \
             judge it"
        );
    }
}

#[tokio::test]
async fn what_becomes_no_cronhpa_is_told_line_by_line() {
    let text = fs::read_to_string(Path::new(EXAMPLES).join("karmada.yaml")).expect("an example");
    let conversion = conversion(&text).await;
    let told: Vec<&str> = conversion.told.iter().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "document 1, line 2: FederatedHPA default/nginx-fhpa is passed by: write a FedHPA of its name, whose \
             fields are called the same",
            "document 4, line 76: rule up is left out: an HPA has bounds and no count, so that it cannot have worked \
             over there; write minReplicas and maxReplicas, or name the workload",
            "document 4, line 66: CronFederatedHPA on-hpa is left out: it has no rule that has an equal",
            "2 CronHPAs with 7 comments: read them before you apply",
        ]
    );
    assert_eq!(conversion.left_out, 3, "the rule on an HPA, its object, and @every");
}

#[tokio::test]
async fn the_zone_of_the_old_controller_is_for_times_that_name_none() {
    let terms = Terms { time_zone: Some("Europe/Paris".parse().unwrap()), today: TODAY.parse().unwrap() };
    let named = r#"name: a, schedule: "0 8 * * *", targetReplicas: 1, timeZone: Asia/Tokyo"#;
    let unnamed = r#"name: b, schedule: "0 9 * * *", targetReplicas: 2"#;
    let made = converted(&karmada(&[named, unnamed]), &terms).await.unwrap().manifests;
    assert!(
        made.contains("\n  timeZone: Europe/Paris\n") && made.contains("\n    timeZone: Asia/Tokyo\n"),
        "{made}"
    );
    assert!(!made.contains("--time-zone"), "{made}");
    let made = conversion(&karmada(&[named])).await.manifests;
    assert!(!made.contains("\n  timeZone:"), "no rule needs a zone of the object's: {made}");
}

#[tokio::test]
async fn a_job_that_ran_its_only_time_is_not_run_again() {
    let jobs = [
        r#"name: done, schedule: "0 0 8 * * *", targetSize: 1, runOnce: true"#,
        r#"name: waits, schedule: "0 0 9 * * *", targetSize: 2, runOnce: true"#,
        r#"name: daily, schedule: "0 0 10 * * *", targetSize: 3"#,
    ];
    let status = "status: {conditions: [{name: done, state: Succeed}, {name: waits, state: Submitted}, \
                  {name: daily, state: Succeed}]}\n";
    let made = conversion(&(aliyun(&jobs) + status)).await;
    assert!(
        made.manifests.contains("# line 6: job done is left out: it was to run once"),
        "{}",
        made.manifests
    );
    assert!(!made.manifests.contains("name: done") && made.manifests.contains("name: waits"));
    assert!(made.manifests.contains("name: daily"));
    assert_eq!(made.manifests.matches("runOnce: true").count(), 1);
    assert_eq!(made.left_out, 1);
}

#[tokio::test]
async fn a_job_for_a_date_waits_for_its_year() {
    let jobs = [
        r#"name: soon, schedule: "@date 2026-12-24 18:00:00", targetSize: 1"#,
        r#"name: later, schedule: "@date 2028-12-24 18:00:00", targetSize: 2"#,
    ];
    let made = conversion(&aliyun(&jobs)).await.manifests;
    assert_eq!(made.matches("runOnce: true").count(), 2, "{made}");
    assert_eq!(made.matches("suspendUntil:").count(), 1, "{made}");
    assert!(made.contains("suspendUntil: \"2028-12-22T00:00:00Z\""), "{made}");
}

#[tokio::test]
async fn what_others_write_cannot_end_a_comment() {
    let job = r#"name: "a\nkind: Evil", schedule: "0 0 8 * * *", targetSize: 1"#;
    let made = conversion(&aliyun(&[job])).await.manifests;
    assert!(made.lines().all(|line| !line.starts_with("kind: Evil")), "{made}");
    assert!(made.contains("name: a-kind--evil"), "{made}");
}
