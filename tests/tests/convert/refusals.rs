//! What cannot be read is refused in one line that names the document and the line, and nothing is made of the rest.

use super::{aliyun, karmada, refusal};

#[tokio::test]
async fn a_flaw_is_told_with_its_document_and_line() {
    let good = aliyun(&[r#"name: a, schedule: "0 0 8 * * *", targetSize: 1"#]);
    for (job, words) in [
        (
            r#"name: b, schedule: "0 61 8 * * *", targetSize: 1"#,
            "job b: \"0 61 8 * * *\": the field minute cannot",
        ),
        (r#"name: b, schedule: "0 8 * *", targetSize: 1"#, "job b: \"0 8 * *\" has 4 fields"),
        (r#"name: b, schedule: "@someday", targetSize: 1"#, "job b: \"@someday\" is not known"),
        (r#"name: b, schedule: "@date soon", targetSize: 1"#, "job b: \"@date soon\": write @date 20"),
        (r#"name: b, schedule: "0 0 8 * * *""#, "targetSize is missing"),
        (r#"name: b, schedule: "0 0 8 * * *", targetSize: -1"#, "targetSize has to be a whole number from 0"),
        (
            r#"name: b, schedule: "0 0 8 * * *", targetSize: many"#,
            "targetSize has to be a whole number from 0",
        ),
        (r#"name: 7, schedule: "0 0 8 * * *", targetSize: 1"#, "name has to be a text"),
        (r#"schedule: "0 0 8 * * *", targetSize: 1"#, "name is missing"),
        (
            r#"name: b, schedule: "0 0 8 * * *", targetSize: 1, runOnce: "yes""#,
            "runOnce has to be true or false",
        ),
    ] {
        let text =
            format!("{good}---\n{}", aliyun(&[r#"name: a, schedule: "0 0 8 * * *", targetSize: 1"#, job]));
        let why = refusal(&text).await;
        let place = "document 2 (CronHorizontalPodAutoscaler shop/web), line 15: ";
        assert!(why.starts_with(&format!("{place}{words}")), "{job}: {why}");
    }
}

#[tokio::test]
async fn karmadas_rules_are_read_as_karmada_reads_them() {
    for (rule, words) in [
        (r#"name: a, schedule: "0 0 8 * * *", targetReplicas: 1"#, "rule a: \"0 0 8 * * *\" has 6 fields"),
        (r#"name: a, schedule: "0 25 * * *", targetReplicas: 1"#, "rule a: \"0 25 * * *\": the field hour"),
        (r#"name: a, schedule: "0 8 * * *", targetMinReplicas: 1"#, "targetReplicas is missing"),
        (
            r#"name: a, schedule: "0 8 * * *", targetReplicas: 1, timeZone: Local"#,
            "timeZone: \"Local\" is no time zone",
        ),
    ] {
        let why = refusal(&karmada(&[rule])).await;
        assert!(
            why.starts_with(&format!("document 1 (CronFederatedHPA shop/web), line 6: {words}")),
            "{why}"
        );
    }
}

#[tokio::test]
async fn what_an_api_server_would_not_take_is_refused() {
    let many: Vec<String> =
        (0..101).map(|n| format!(r#"name: r{n}, schedule: "0 0 8 * * *", targetSize: 1"#)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let why = refusal(&aliyun(&many)).await;
    assert!(why.starts_with("document 1 (CronHorizontalPodAutoscaler shop/web), line 1: "), "{why}");
    assert!(why.contains("spec.rules") && why.contains("100"), "{why}");
}

#[tokio::test]
async fn two_of_one_name_are_refused() {
    let one = aliyun(&[r#"name: a, schedule: "0 0 8 * * *", targetSize: 1"#]);
    let other = karmada(&[r#"name: a, schedule: "0 8 * * *", targetReplicas: 1"#]);
    let why = refusal(&format!("{one}---\n{other}")).await;
    assert_eq!(
        why,
        "document 2 (CronFederatedHPA shop/web), line 9: a CronHPA of this name is made of document 1, line 1 \
         already: give one of the two another name"
    );
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let good = aliyun(&[r#"name: a, schedule: "0 0 8 * * *", targetSize: 1"#]);
    let why = refusal(&format!("{good}---\nkind: [\n---\n")).await;
    assert!(why.starts_with("document 2, line 9: this is no YAML: "), "{why}");
    let why = refusal(&format!("{good}---\njust words\n")).await;
    assert_eq!(why, "document 2, line 9: kind is missing");
    assert_eq!(
        refusal("").await,
        "there is nothing to convert: no CronHorizontalPodAutoscaler and no CronFederatedHPA"
    );
}
