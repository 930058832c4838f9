//! `fedscaler convert`: what it makes of others' manifests, and how it refuses those that it cannot read.

mod documents;
mod refusals;
mod times;

use fedscaler_cmd::convert::{Conversion, Terms, converted};

/// The day on which the examples were converted.
const TODAY: &str = "2026-11-23";

fn terms() -> Terms {
    Terms { time_zone: None, today: TODAY.parse().expect("a date") }
}

async fn conversion(text: &str) -> Conversion {
    converted(text, &terms()).await.expect("a text that can be converted")
}

async fn refusal(text: &str) -> String {
    let why = converted(text, &terms()).await.expect_err("a refusal").to_string();
    assert!(!why.contains('\n'), "{why}");
    why
}

/// A `CronHorizontalPodAutoscaler` with these jobs, one a line from line 6 on.
fn aliyun(jobs: &[&str]) -> String {
    let jobs = lines(jobs);
    format!(
        "apiVersion: autoscaling.alibabacloud.com/v1beta1\nkind: CronHorizontalPodAutoscaler\n\
         metadata: {{name: web, namespace: shop}}\nspec:\n  jobs:\n{jobs}  \
         scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n"
    )
}

/// A CronFederatedHPA on a Deployment with these rules, one a line from line 6 on.
fn karmada(rules: &[&str]) -> String {
    let rules = lines(rules);
    format!(
        "apiVersion: autoscaling.karmada.io/v1alpha1\nkind: CronFederatedHPA\n\
         metadata: {{name: web, namespace: shop}}\nspec:\n  rules:\n{rules}  \
         scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}\n"
    )
}

fn lines(entries: &[&str]) -> String {
    let lines: Vec<String> = entries.iter().map(|entry| format!("  - {{{entry}}}\n")).collect();
    lines.concat()
}
