//! A converted rule comes when the old controller's job came: held against a port of that controller's own matching,
//! minute by minute.

use chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, Timelike as _, Utc};
use fedscaler_cmd::convert::{Terms, converted};
use fedscaler_core::schedule::{DaysOff, Pattern, Schedule, Zone};
use fedscaler_crds::CronHpa;
use proptest::prelude::*;
use tokio::runtime::Builder;

use super::{TODAY, aliyun};

/// So long each rule is followed.
const DAYS: i64 = 400;

/// A field as ringtail/go-cron reads it (`parser.go`): the values that match, and whether it says `*`.
fn field(text: &str, least: u32, most: u32) -> (Vec<u32>, bool) {
    let (mut values, mut star) = (Vec::new(), false);
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (from, to) = match range.split_once('-') {
            _ if matches!(range, "*" | "?") => {
                star = true;
                (least, most)
            }
            Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            None if step.is_some() => (range.parse().unwrap(), most),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        values.extend((from..=to).step_by(step.map_or(1, |step| step.parse().unwrap())));
    }
    (values, star)
}

/// Whether an expression of the old controller matches a minute (`spec.go`).
struct Old([(Vec<u32>, bool); 5]);

impl Old {
    fn of(text: &str) -> Self {
        let fields: Vec<&str> = text.split(' ').chain(["*"]).take(6).collect();
        let bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        Self(std::array::from_fn(|index| field(fields[index + 1], bounds[index].0, bounds[index].1)))
    }

    fn matches(&self, wall: NaiveDateTime) -> bool {
        let [minute, hour, ..] = &self.0;
        minute.0.contains(&wall.minute()) && hour.0.contains(&wall.hour()) && self.is_on(wall)
    }

    fn is_on(&self, wall: NaiveDateTime) -> bool {
        let [_, _, day, month, weekday] = &self.0;
        let by_day = day.0.contains(&wall.day());
        let by_weekday = weekday.0.contains(&wall.weekday().num_days_from_sunday());
        let both = day.1 || weekday.1;
        month.0.contains(&wall.month()) && if both { by_day && by_weekday } else { by_day || by_weekday }
    }
}

fn of(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

fn expression() -> impl Strategy<Value = String> {
    let minute = of(&["0", "30", "5/20", "10-40/15"]);
    let hour = of(&["9", "*/6", "8-10", "1,23", "*"]);
    let day = of(&["*", "?", "1", "10-12", "*/2", "15/5", "*/1"]);
    let month = of(&["*", "1-6", "11,12", "*/3"]);
    let weekday = of(&["*", "?", "1-5", "0", "0,6", "*/2", ""]);
    (minute, hour, day, month, weekday).prop_map(|(minute, hour, day, month, weekday)| {
        format!("0 {minute} {hour} {day} {month} {weekday}").trim_end().to_owned()
    })
}

/// Days off: weekdays, dates, or both.
fn excluded() -> impl Strategy<Value = Vec<&'static str>> {
    let one =
        of(&["* * * * * 5", "* * * * * 0,6", "* * * 24-26 12 *", "* * * 1 1", "* * * 13 * 2", "@yearly"]);
    prop::collection::vec(one, 0..3)
}

fn is_off(excluded: &[&str], wall: NaiveDateTime) -> bool {
    let fields = |text: &str| if text == "@yearly" { "0 0 0 1 1 *".to_owned() } else { text.to_owned() };
    excluded.iter().any(|text| Old::of(&fields(text)).is_on(wall))
}

/// The CronHPA that is made, and what is said about it.
fn made(text: &str) -> Option<(CronHpa, String)> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let terms = Terms { time_zone: Some(Zone::UTC), today: TODAY.parse().unwrap() };
    let conversion = runtime.block_on(converted(text, &terms)).unwrap();
    let made = (!conversion.manifests.is_empty()).then_some(conversion.manifests)?;
    Some((serde_saphyr::from_str(&made).unwrap(), made))
}

fn slots(object: &CronHpa, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut days_off = DaysOff::NONE;
    for dates in &object.spec.exclude.dates {
        days_off.add(dates).unwrap();
    }
    let pattern = Pattern::parse(object.spec.rules[0].schedule.as_ref().unwrap()).unwrap();
    let schedule = Schedule::new(pattern, object.spec.time_zone.parse().unwrap());
    let slots = schedule.oldest(after, until, usize::MAX).times;
    slots.into_iter().filter(|slot| !schedule.is_off(*slot, &days_off)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_converted_rule_comes_when_the_job_came(expression in expression(), excluded in excluded()) {
        let mut text = aliyun(&[&format!("name: a, schedule: \"{expression}\", targetSize: 1")]);
        if !excluded.is_empty() {
            text = format!("{text}  excludeDates: {excluded:?}\n");
        }
        let after: DateTime<Utc> = format!("{TODAY}T00:00:00Z").parse().unwrap();
        let after = after - TimeDelta::seconds(1);
        let until = after + TimeDelta::days(DAYS);
        let minutes = (0..DAYS * 24 * 60).map(|minute| after + TimeDelta::seconds(1) + TimeDelta::minutes(minute));
        let old = Old::of(&expression);
        let came: Vec<_> = minutes
            .filter(|time| old.matches(time.naive_utc()) && !is_off(&excluded, time.naive_utc()))
            .collect();
        let Some((object, words)) = made(&text) else {
            prop_assert!(came.is_empty(), "{expression} {excluded:?} is left out but came");
            return Ok(());
        };
        let comes = slots(&object, after, until);
        if comes != came {
            prop_assert!(words.contains("a day had to match"), "{expression} {excluded:?} differs silently:\n{words}");
        }
    }
}
