//! Every zone of the database, at every shift of its clock in twenty years, held against the oracle.

use std::collections::BTreeSet;

use chrono_tz::TZ_VARIANTS;

use super::*;

fn offset(zone: Tz, instant: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc()
}

/// When the clock of the zone is shifted from 2006 to 2026, and from which offset to which.
fn shifts(zone: Tz) -> Vec<(DateTime<Utc>, i32, i32)> {
    let first = at("2006-01-01T00:00:00Z");
    let days = (0..20 * 366).map(|day| first + TimeDelta::days(day));
    let shifted = days.filter_map(|day| {
        let (before, after) = (offset(zone, day), offset(zone, day + TimeDelta::days(1)));
        let moves = |minute: &i64| offset(zone, day + TimeDelta::minutes(*minute)) != before;
        let minute = (before != after).then(|| (1..=1440).find(moves)).flatten()?;
        Some((day + TimeDelta::minutes(minute), before, after))
    });
    shifted.collect()
}

/// Fixed times around the hours at which clocks are moved.
fn fixed() -> Fields {
    let hours = Field::List(vec![0, 1, 2, 3, 4, 22, 23]);
    Fields([Field::List(vec![0, 30]), hours, Field::Any, Field::Any, Field::Any])
}

/// An interval that meets no fixed time.
fn interval() -> Fields {
    Fields([Field::From(7, 20), Field::Any, Field::Any, Field::Any, Field::Any])
}

fn schedule_of(fields: &Fields, zone: Tz) -> Schedule {
    schedule(&fields.text(), zone.name())
}

#[test]
fn in_every_zone_at_every_shift_slots_and_windows_are_those_of_the_oracle() {
    let (fixed, interval) = (fixed(), interval());
    let (mut seen, mut zones) = (BTreeSet::new(), 0);
    for zone in TZ_VARIANTS {
        // Zones that are links to others, and years that zones share, are looked at once.
        let news: Vec<_> = shifts(zone).into_iter().filter(|shift| seen.insert(*shift)).collect();
        zones += u32::from(!news.is_empty());
        for (shift, before, after) in news {
            let (from, until) = (shift - TimeDelta::hours(27), shift + TimeDelta::hours(27));
            let told = format!("{} at {shift}, from {before} to {after}", zone.name());
            let (starts, ends) = (fixed.slots(zone, from, until), interval.slots(zone, from, until));
            let (start, end) = (schedule_of(&fixed, zone), schedule_of(&interval, zone));
            assert_eq!(start.oldest(from, until, 1000).times, starts, "{told}");
            assert_eq!(end.oldest(from, until, 1000).times, ends, "{told}");
            assert_eq!(start.newest(from, until, 1000).times, starts, "{told}");
            let counted = [start.count(from, until), end.count(from, until)]
                .map(|count| usize::try_from(count).unwrap());
            assert_eq!(counted, [starts.len(), ends.len()], "{told}");
            let window = Window { start, end };
            for probe in starts.iter().chain(&ends).flat_map(|slot| [*slot, *slot + TimeDelta::minutes(1)]) {
                let latest = |slots: &[DateTime<Utc>]| slots.iter().rfind(|slot| **slot <= probe).copied();
                if let Some(began) = latest(&starts) {
                    let is_open = latest(&ends).is_none_or(|ended| ended <= began);
                    assert_eq!(window.at(probe, &DaysOff::NONE).is_some(), is_open, "{told}: {probe}");
                }
            }
        }
    }
    assert!(zones > 50 && seen.len() > 1000, "{zones} zones and {} shifts are too few", seen.len());
}
