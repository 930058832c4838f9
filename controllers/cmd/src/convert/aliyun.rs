//! From kubernetes-cronhpa-controller's `CronHorizontalPodAutoscaler`.
//!
//! Responsible for what its jobs mean, as its source has it: `pkg/controller/cronjob.go` scales, `ringtail/go-cron`
//! reads the times. Knows nothing of files.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use fedscaler_core::schedule::BadSchedule;

use super::{
    Terms,
    days::{self, Weekdays},
    go_cron::{self, Fields, Schedule},
    manifest::{Draft, Head, Rule},
    target::{Aim, Target},
    tree::{At, Flaw, Node},
};

/// Its API group.
pub(super) const GROUP: &str = "autoscaling.alibabacloud.com";

/// Its kind.
pub(super) const KIND: &str = "CronHorizontalPodAutoscaler";

/// The zone that its own manifests and chart give the controller.
const ZONE: &str = "Asia/Shanghai";

/// The CronHPA that does what the object did.
pub(super) fn converted(object: &Node, terms: &Terms) -> Result<Draft, Flaw> {
    let head = Head::of(object)?;
    let spec = object.required("spec")?;
    let target = Target::of(spec.required("scaleTargetRef")?)?;
    let mut draft = Draft::new(head, target.reference.clone());
    draft.leave_out_unknown(spec, &["scaleTargetRef", "jobs", "excludeDates"]);
    target.tell(&mut draft);
    zone(spec, terms, &mut draft);
    if target.aim == Aim::Hpa {
        let line = spec.required("jobs")?.line;
        draft.say(
            line,
            "targetSize of an HPA becomes minReplicas. Over there a job set the min \
            only if fewer ran or the min was above it, and raised the max for good where it was \
            below; here each rule's min holds until the next rule, and the max moves only as \
            long as the min is above it",
        );
    }
    let done = done(object)?;
    let jobs = spec.list("jobs")?.iter().map(|job| Job::of(job, &done, terms, &mut draft));
    let jobs = jobs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let jobs = exclude(spec.list("excludeDates")?, jobs, terms, &mut draft)?;
    for job in jobs {
        let rule = job.rule(&target, &mut draft);
        draft.spec.rules.push(rule);
    }
    Ok(draft)
}

/// Names of the jobs that came to an end, as the status of an object that was in use has them.
fn done(object: &Node) -> Result<BTreeSet<&str>, Flaw> {
    let Some(status) = object.field("status") else { return Ok(BTreeSet::new()) };
    let mut done = BTreeSet::new();
    for condition in status.list("conditions")? {
        let state = condition.text("state")?.map(|state| state.value);
        if matches!(state, Some("Succeed" | "Failed")) {
            done.extend(condition.text("name")?.map(|name| name.value));
        }
    }
    Ok(done)
}

fn zone(spec: &Node, terms: &Terms, draft: &mut Draft) {
    draft.spec.time_zone = Some(terms.zone_or(ZONE));
    if terms.time_zone.is_none() {
        draft.say(
            spec.line,
            format!(
                "times were read in the zone of the controller's process; \
            {ZONE} is what its own manifests set: if yours had another, convert with \
            --time-zone"
            ),
        );
    }
}

/// A job that can be followed.
struct Job<'a> {
    name: At<&'a str>,
    schedule: At<Schedule>,
    size: At<i32>,
    /// Whether it runs no second time.
    once: bool,
    /// When it may run at the earliest, where its schedule comes before the date that it is for.
    waits_until: Option<DateTime<Utc>>,
}

impl<'a> Job<'a> {
    fn of(
        job: &'a Node,
        done: &BTreeSet<&str>,
        terms: &Terms,
        draft: &mut Draft,
    ) -> Result<Option<Self>, Flaw> {
        draft.leave_out_unknown(job, &["name", "schedule", "targetSize", "runOnce"]);
        let name = job.required_text("name")?;
        let text = job.required_text("schedule")?;
        let size = job.required("targetSize")?;
        let size = job.replicas("targetSize")?.ok_or_else(|| size.flaw("targetSize is missing"))?;
        let flaw = |words: String| Flaw { line: text.line, words: format!("job {}: {words}", name.value) };
        let schedule = go_cron::read(text.value).map_err(flaw)?;
        let is_once = job.flag("runOnce")? || matches!(schedule, Schedule::Once(..));
        let left_out = match (schedule.pattern(), &schedule) {
            (Some(Err(BadSchedule::Never { .. })), _) => Some("no date matches its schedule"),
            (Some(Err(bad)), _) => return Err(flaw(bad.to_string())),
            (_, Schedule::Once(_, date)) if *date < terms.today => Some("its @date is over"),
            (Some(Ok(_)), _) if is_once && done.contains(name.value) => {
                Some("it was to run once, and its status says that it has")
            }
            (Some(Ok(_)), _) => None,
            (None, _) => Some(
                "@every counts from the start of the controller; write the times as a cron \
                    expression, such as 0 */30 * * * *",
            ),
        };
        if let Some(why) = left_out {
            draft.leave_out(text.line, format!("job {} is left out: {why}", name.value));
            return Ok(None);
        }
        let waits_until = waits_until(&schedule, terms.today);
        let schedule = At { line: text.line, value: schedule };
        Ok(Some(Self { name, schedule, size, once: is_once, waits_until }))
    }

    /// The job's times, without these weekdays. `None`: its schedule cannot leave them out.
    fn without(&self, off: &Weekdays) -> Option<(Weekdays, Fields)> {
        let Schedule::Fields(fields) = &self.schedule.value else { return None };
        if !fields.is_any_day_of_month() {
            return None;
        }
        let left: Weekdays = days::weekdays(fields.weekday())?.difference(off).copied().collect();
        let field = left.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        Some((left, fields.clone().on(field)))
    }

    fn rule(&self, target: &Target, draft: &mut Draft) -> Rule {
        let line = self.schedule.line;
        let name = draft.rule_name(self.name.line, self.name.value);
        if let Schedule::Fields(fields) | Schedule::Once(fields, _) = &self.schedule.value
            && fields.is_both_days()
        {
            draft.say(
                line,
                format!(
                    "rule {name}: over there a day had to match day of month and \
                weekday, for one of them begins with *; here one of the two is enough: write \
                the days out"
                ),
            );
        }
        let mut rule = Rule {
            name,
            schedule: self.schedule.value.expression().unwrap_or_default(),
            run_once: self.once,
            suspend_until: self.waits_until,
            ..Rule::default()
        };
        match target.aim {
            Aim::Workload => rule.target_replicas = Some(self.size.value),
            Aim::Hpa | Aim::FedHpa => {
                rule.min_replicas = Some(self.size.value);
                if self.size.value == 0 {
                    draft.say(
                        self.size.line,
                        format!(
                            "rule {}: a min of 0 needs an HPA with an Object or External metric",
                            rule.name
                        ),
                    );
                }
            }
        }
        rule
    }
}

/// A schedule has no year: what is for a date that is a year away or more waits for it, whatever the zone.
fn waits_until(schedule: &Schedule, today: NaiveDate) -> Option<DateTime<Utc>> {
    let Schedule::Once(_, date) = schedule else { return None };
    let eve = date.checked_sub_days(Days::new(2)).filter(|_| (*date - today).num_days() >= 365)?;
    Some(eve.and_time(NaiveTime::MIN).and_utc())
}

/// Days off: weekdays leave the schedules, if all of them can do without; other days are written out as dates.
fn exclude<'a>(
    excluded: &[Node],
    jobs: Vec<Job<'a>>,
    terms: &Terms,
    draft: &mut Draft,
) -> Result<Vec<Job<'a>>, Flaw> {
    let mut weekdays = Weekdays::new();
    let mut by_weekday = Vec::new();
    let mut by_date = Vec::new();
    for node in excluded {
        let text = node.as_text()?;
        let schedule = go_cron::read(text);
        let Some(Ok(pattern)) = schedule.as_ref().ok().and_then(Schedule::pattern) else {
            draft.leave_out(
                node.line,
                format!(
                    "{text:?} is left out: it cannot be read as days, and was not heeded over \
                        there either"
                ),
            );
            continue;
        };
        match schedule {
            Ok(Schedule::Fields(fields)) if fields.is_by_weekday() => {
                tell_times(node, &fields, draft);
                weekdays.extend(days::weekdays(fields.weekday()).unwrap_or_default());
                by_weekday.push((node.line, pattern));
            }
            Ok(Schedule::Fields(fields) | Schedule::Once(fields, _)) => {
                tell_times(node, &fields, draft);
                by_date.push((node.line, pattern));
            }
            Ok(Schedule::Nickname(_) | Schedule::Every) | Err(_) => by_date.push((node.line, pattern)),
        }
    }
    let jobs = match by_weekday.first() {
        Some((line, _)) if jobs.iter().all(|job| job.without(&weekdays).is_some()) => {
            draft.say(*line, "these weekdays are left out of the schedules themselves");
            without_weekdays(jobs, &weekdays, draft)
        }
        _ => {
            by_date.append(&mut by_weekday);
            jobs
        }
    };
    let lines: BTreeSet<u64> = by_date.iter().map(|(line, _)| *line).collect();
    let patterns: Vec<_> = by_date.into_iter().map(|(_, pattern)| pattern).collect();
    let dates = days::dates(&patterns, terms.today);
    for line in lines {
        draft.say(
            line,
            format!(
                "these days have no year, and a CronHPA excludes dates: they are \
            written out from {} to {}; add later ones in time",
                terms.today, dates.until
            ),
        );
    }
    draft.spec.exclude.dates = dates.texts;
    Ok(jobs)
}

fn tell_times(node: &Node, fields: &Fields, draft: &mut Draft) {
    if fields.has_times() {
        draft.say(node.line, "whole days are excluded, whatever the time says");
    }
}

fn without_weekdays<'a>(jobs: Vec<Job<'a>>, off: &Weekdays, draft: &mut Draft) -> Vec<Job<'a>> {
    let narrowed = jobs.into_iter().filter_map(|mut job| {
        let (left, fields) = job.without(off)?;
        if left.is_empty() {
            let name = job.name.value;
            draft.leave_out(
                job.schedule.line,
                format!(
                    "job {name} is left out: all its days are \
                excluded"
                ),
            );
            return None;
        }
        job.schedule.value = Schedule::Fields(fields);
        Some(job)
    });
    narrowed.collect()
}
