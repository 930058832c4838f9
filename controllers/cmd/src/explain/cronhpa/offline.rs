//! Reads a CronHPA and its calendar from a file.
//!
//! Responsible for saying where the file is wrong. As there is no status, the rules are taken as first seen at the
//! beginning of what is asked for.

use std::{fmt::Display, path::Path};

use chrono::{DateTime, Utc};
use fedscaler_core::{
    cronhpa::{course::Start, facts::Memory},
    fedhpa::facts_file::Subject,
};
use fedscaler_crds::{CronHpa, cronhpa::CalendarRef};
use fedscaler_cronhpa::{
    admit::admit,
    calendars::{self, Calendars, NoCalendar},
};
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

use super::{
    super::{manifest, offline::text},
    Case,
};
use crate::Refusal;

/// What the file says about the CronHPA of this name, or about the only one that is in it.
pub async fn read(path: &Path, name: Option<&str>, from: DateTime<Utc>) -> Result<Case, Refusal> {
    let refuse = |why: &dyn Display| Refusal::new(format!("{}: {why}", path.display()));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text(path)?).map_err(|why| refuse(&why))?;
    let (object, cron_hpa) = chosen(&documents, name).map_err(|why| refuse(&why))?;
    let written = manifest::written(object, &cron_hpa);
    let object: CronHpa = manifest::accepted(&written, &cron_hpa, from).await.map_err(|why| refuse(&why))?;
    let mut admitted = admit(&object).map_err(|why| refuse(&why))?;
    if let Some(wanted) = &object.spec.exclude.calendar_ref {
        let found = config_map(&documents, &cron_hpa.namespace, wanted).map_err(|why| refuse(&why))?;
        let found = found.ok_or_else(|| NoCalendar::Missing(wanted.name.clone()));
        let found = found.and_then(|map| Calendars::default().read(&cron_hpa.namespace, &map, wanted));
        calendars::add(&mut admitted, wanted, found, None, from);
    }
    let start = Start { memory: Memory::default(), at: from };
    Ok(Case { cron_hpa, policy: admitted.policy, start, notes: Vec::new() })
}

fn chosen<'a>(documents: &'a [Value], name: Option<&str>) -> Result<(&'a Value, Subject), String> {
    let all = documents.iter().filter(|document| document["kind"] == "CronHPA");
    let all: Vec<_> = all.map(|document| (document, subject(document))).collect();
    let there = all.iter().map(|(_, subject)| subject.name.clone()).collect::<Vec<_>>().join(", ");
    let wanted: Vec<_> =
        all.iter().filter(|(_, subject)| name.is_none_or(|name| subject.name == name)).cloned().collect();
    match (<[_; 1]>::try_from(wanted), name) {
        (Ok([one]), _) => Ok(one),
        (Err(_), _) if all.is_empty() => Err("there is no CronHPA in it".to_owned()),
        (Err(_), Some(name)) => Err(format!("it has not one CronHPA {name}; it has {there}")),
        (Err(_), None) => Err(format!("it has more than one CronHPA: give the NAME, one of {there}")),
    }
}

fn subject(document: &Value) -> Subject {
    let text = |field: &str| document["metadata"][field].as_str().map(str::to_owned);
    let name = text("name").unwrap_or_default();
    Subject { namespace: text("namespace").unwrap_or_else(|| "default".to_owned()), name }
}

fn config_map(
    documents: &[Value],
    namespace: &str,
    wanted: &CalendarRef,
) -> Result<Option<ConfigMap>, serde_json::Error> {
    let is_wanted = |document: &&Value| {
        let there = subject(document);
        document["kind"] == "ConfigMap" && there.namespace == namespace && there.name == wanted.name
    };
    documents.iter().find(is_wanted).cloned().map(serde_json::from_value).transpose()
}
