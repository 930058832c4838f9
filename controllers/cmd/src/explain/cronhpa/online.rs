//! Looks at a CronHPA and its calendar through the API server, once.
//!
//! Responsible for beginning where the status stands. Has no right to write.

use chrono::{DateTime, Utc};
use fedscaler_core::{
    cronhpa::{course::Start, facts::Memory},
    fedhpa::facts_file::Subject,
};
use fedscaler_crds::CronHpa;
use fedscaler_cronhpa::{
    admit::admit,
    calendars::{self, Calendars},
    memory::recall,
};
use kube::Client;

use super::{super::online::get, Case};
use crate::Refusal;

/// What is known of this CronHPA now. A span that begins in the past is told by the rules alone.
pub async fn observed(
    client: &Client,
    namespace: &str,
    name: &str,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Case, Refusal> {
    let object: CronHpa = get(client, namespace, name).await?;
    let mut admitted = admit(&object).map_err(|why| {
        Refusal::new(format!("CronHPA {namespace}/{name} cannot be acted on as it is written: {why}"))
    })?;
    let status = object.status.as_ref();
    if let Some(wanted) = &object.spec.exclude.calendar_ref {
        let found = Calendars::default().find(client, namespace, wanted).await;
        let remembered = status.and_then(|status| status.calendar.as_ref());
        calendars::add(&mut admitted, wanted, found, remembered, now);
    }
    let mut notes = Vec::new();
    if let Some(holder) = status.and_then(|status| status.holder.as_ref()) {
        notes.push(format!(
            "{} {} holds the target: until it goes, nothing of this is done",
            holder.kind, holder.name
        ));
    }
    let start = if from < now {
        notes.push(
            "this begins in the past: it is told by the rules alone; the status has what became of slots"
                .to_owned(),
        );
        Start { memory: Memory::default(), at: from }
    } else {
        Start { memory: status.map(|status| recall(status, &admitted)).unwrap_or_default(), at: now }
    };
    let cron_hpa = Subject { namespace: namespace.to_owned(), name: name.to_owned() };
    Ok(Case { cron_hpa, policy: admitted.policy, start, notes })
}
