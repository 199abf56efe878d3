//! Opening hours, compiled from a zone's wall clock to spans of UTC.

use crate::ivr::Calendar;
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;
use crate::model::{Problem, Spot, Time};
use jiff::civil::{Date, Time as Clock, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const FIELDS: &[Field] = &[
    Field::required("zone", Kind::Text, "the IANA time zone: America/Chicago"),
    Field::required("open", Kind::List, "weekdays and hours: mon-fri 08:00-17:00; an end before the start is on the next day"),
    Field::optional("holidays", Kind::List, "days on which it is closed: 2026-11-26, or 12-25 for every year"),
    Field::optional("special", Kind::List, "days with hours of their own, in place of the week's: 2026-12-24 08:00-12:00"),
];

/// So many days ahead are known.
const DAYS_AHEAD: i32 = 400;
/// And so many behind, for a span that began yesterday and for tests of a flow.
const DAYS_BEHIND: i32 = 2;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// A calendar as written; it compiles for any time.
#[derive(Clone, Debug)]
pub struct Plan {
    zone: TimeZone,
    weekly: Vec<(BTreeSet<i8>, Span)>,
    holidays: BTreeSet<Date>,
    yearly: BTreeSet<(i8, i8)>,
    special: BTreeMap<Date, Vec<Span>>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    from: Clock,
    /// Midnight is the day's end.
    to: Clock,
}

impl Plan {
    pub fn read(node: &Node, what: &str, problems: &mut Vec<Problem>) -> Option<Plan> {
        let before = problems.len();
        let reader = Reader::open(node, what, FIELDS, problems)?;
        let zone = reader.text("zone", problems).and_then(|text| {
            let at = reader.node("zone").map_or(&node.at, |node| &node.at);
            zone(text, at, problems)
        });
        let mut plan =
            Plan { zone: zone?, weekly: Vec::new(), holidays: BTreeSet::new(), yearly: BTreeSet::new(), special: BTreeMap::new() };
        for (text, at) in reader.texts("open", problems) {
            match weekly(text) {
                Some(hours) => plan.weekly.push(hours),
                None => {
                    problems.push(at.choose(format!("`{text}` is not weekdays and hours"), ["mon-fri 08:00-17:00", "sat,sun 09:00-12:00"]))
                }
            }
        }
        for (text, at) in reader.texts("holidays", problems) {
            match (text.parse::<Date>(), yearly(text)) {
                (Ok(date), _) => drop(plan.holidays.insert(date)),
                (_, Some(day)) => drop(plan.yearly.insert(day)),
                _ => problems.push(at.choose(format!("`{text}` is not a day"), ["2026-11-26", "12-25"])),
            }
        }
        for (text, at) in reader.texts("special", problems) {
            match text.split_once(' ').and_then(|(date, hours)| Some((date.parse().ok()?, span(hours)?))) {
                Some((date, span)) => plan.special.entry(date).or_default().push(span),
                None => problems.push(at.choose(format!("`{text}` is not a day and hours"), ["2026-12-24 08:00-12:00"])),
            }
        }
        (problems.len() == before).then_some(plan)
    }

    /// The spans around `now`.
    pub fn compile(&self, now: Time) -> Calendar {
        let today = timestamp(now).to_zoned_datetime(self.zone.clone()).date();
        let mut calendar = Calendar::default();
        let mut date = today.saturating_sub(DAYS_BEHIND.days());
        let end = today.saturating_add(DAYS_AHEAD.days());
        while date < end {
            let holiday = self.holidays.contains(&date) || self.yearly.contains(&(date.month(), date.day()));
            let special = self.special.get(&date);
            let week = self.weekly.iter().filter(|(days, _)| days.contains(&date.weekday().to_monday_zero_offset())).map(|(_, span)| *span);
            let spans: Vec<Span> = match special {
                Some(special) => special.clone(),
                None if holiday => Vec::new(),
                None => week.collect(),
            };
            calendar.open.extend(spans.iter().map(|span| self.utc(date, *span)));
            if holiday {
                calendar.holidays.push((self.instant(date, Clock::midnight()), self.instant(next_day(date), Clock::midnight())));
            }
            date = next_day(date);
        }
        calendar.open = merged(calendar.open);
        calendar.known_until = self.instant(end, Clock::midnight());
        calendar
    }

    fn utc(&self, date: Date, span: Span) -> (Time, Time) {
        let end_date = if span.to <= span.from { next_day(date) } else { date };
        (self.instant(date, span.from), self.instant(end_date, span.to))
    }

    /// A wall clock's time. What a change of the clock skips is taken as the same distance after it; of two, the first.
    fn instant(&self, date: Date, clock: Clock) -> Time {
        let zoned = self.zone.to_ambiguous_timestamp(date.to_datetime(clock)).compatible();
        zoned.map_or(Time(0), |timestamp| Time(u64::try_from(timestamp.as_microsecond()).unwrap_or(0)))
    }
}

/// Reads every calendar of the configuration.
pub fn read(root: &Node, problems: &mut Vec<Problem>) -> BTreeMap<Arc<str>, Plan> {
    let entries = root.get("calendars").and_then(|node| node.expect_map(problems)).unwrap_or(&[]);
    let plans = entries.iter().filter_map(|entry| {
        let plan = Plan::read(&entry.node, &format!("[calendars.{}]", entry.key), problems);
        Some((entry.key.as_str().into(), plan?))
    });
    plans.collect()
}

/// A zone's plain days, for its midnights.
pub fn days(zone_name: &str, at: &Spot, problems: &mut Vec<Problem>) -> Option<Plan> {
    let zone = zone(zone_name, at, problems)?;
    Some(Plan { zone, weekly: Vec::new(), holidays: BTreeSet::new(), yearly: BTreeSet::new(), special: BTreeMap::new() })
}

/// The midnights around `now`.
pub fn midnights(days: &Plan, now: Time) -> Arc<[Time]> {
    let today = timestamp(now).to_zoned_datetime(days.zone.clone()).date();
    let around = (-DAYS_BEHIND..=DAYS_AHEAD).map(|day| today.saturating_add(day.days()));
    around.map(|date| days.instant(date, Clock::midnight())).collect()
}

/// `2026-03-02T10:00 America/Chicago`, as the flows' tests say it.
pub fn instant(text: &str, at: &Spot, problems: &mut Vec<Problem>) -> Option<Time> {
    let (clock, zone_name) = text.split_once(' ').unwrap_or((text, "UTC"));
    let Ok(clock) = clock.parse::<jiff::civil::DateTime>() else {
        problems.push(at.choose(format!("`{text}` is not a time and a zone"), ["2026-03-02T10:00 America/Chicago"]));
        return None;
    };
    let zone = zone(zone_name.trim(), at, problems)?;
    let timestamp = zone.to_ambiguous_timestamp(clock).compatible().ok()?;
    u64::try_from(timestamp.as_microsecond()).ok().map(Time)
}

fn zone(name: &str, at: &Spot, problems: &mut Vec<Problem>) -> Option<TimeZone> {
    let zone = TimeZone::get(name).ok();
    if zone.is_none() {
        problems.push(at.choose(format!("there is no time zone `{name}`"), ["America/Chicago", "America/New_York", "UTC"]));
    }
    zone
}

fn timestamp(time: Time) -> Timestamp {
    let micros = i64::try_from(time.0).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

fn next_day(date: Date) -> Date {
    date.tomorrow().unwrap_or(Date::MAX)
}

/// `mon-fri 08:00-17:00`, `sat,sun 09:00-12:00`; a range may go over the week's end.
fn weekly(text: &str) -> Option<(BTreeSet<i8>, Span)> {
    let (days, hours) = text.split_once(' ')?;
    let day = |name: &str| DAYS.iter().find(|(known, _)| *known == name).map(|(_, day)| day.to_monday_zero_offset());
    let mut set = BTreeSet::new();
    for part in days.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        set.extend((0..=(last - first).rem_euclid(7)).map(|step| (first + step) % 7));
    }
    Some((set, span(hours)?))
}

fn span(text: &str) -> Option<Span> {
    let (from, to) = text.trim().split_once('-')?;
    let clock = |text: &str| if text == "24:00" { Some(Clock::midnight()) } else { text.parse::<Clock>().ok() };
    Some(Span { from: clock(from)?, to: clock(to)? })
}

/// `12-25`.
fn yearly(text: &str) -> Option<(i8, i8)> {
    let (month, day) = text.split_once('-')?;
    let date: Date = format!("2024-{month}-{day}").parse().ok()?;
    Some((date.month(), date.day()))
}

/// Sorted, and what touches joined.
fn merged(mut spans: Vec<(Time, Time)>) -> Vec<(Time, Time)> {
    spans.sort();
    let mut joined: Vec<(Time, Time)> = Vec::new();
    for (from, to) in spans.into_iter().filter(|(from, to)| from < to) {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ivr::Hours;

    fn hours(plan: &str, at: &str) -> Hours {
        let file: Arc<str> = "f".into();
        let tree = crate::config::read::toml(&file, plan).unwrap();
        let mut problems = Vec::new();
        let plan = Plan::read(&tree, "a calendar", &mut problems);
        let at = instant(at, &Spot::new(&file, 1, 1), &mut problems);
        assert_eq!(problems, []);
        plan.unwrap().compile(at.unwrap()).hours(at.unwrap())
    }

    const OFFICE: &str = "zone = 'America/Chicago'\nopen = ['mon-fri 08:00-17:00']\nholidays = ['12-25', '2026-11-26']\nspecial = ['2026-12-24 08:00-12:00']";

    #[test]
    fn hours_follow_the_zone_and_its_holidays() {
        let cases = [
            ("2026-03-02T08:00", Hours::Open),
            ("2026-03-02T07:59:59", Hours::Closed),
            ("2026-03-02T17:00", Hours::Closed),
            ("2026-03-07T10:00", Hours::Closed),
            // The clocks change on 8 March and on 1 November: the office opens at eight all the same.
            ("2026-03-09T08:00", Hours::Open),
            ("2026-03-09T07:59", Hours::Closed),
            ("2026-11-02T08:00", Hours::Open),
            ("2026-11-26T10:00", Hours::Holiday),
            ("2026-12-25T10:00", Hours::Holiday),
            ("2027-12-25T10:00", Hours::Holiday),
            ("2026-12-24T11:59", Hours::Open),
            ("2026-12-24T12:00", Hours::Closed),
        ];
        for (at, expected) in cases {
            assert_eq!(hours(OFFICE, &format!("{at} America/Chicago")), expected, "{at}");
        }
        assert_eq!(hours(OFFICE, "2026-03-02T14:00 UTC"), Hours::Open);
        assert_eq!(hours(OFFICE, "2026-03-09T13:00 UTC"), Hours::Open);
    }

    #[test]
    fn a_night_line_is_open_over_midnight() {
        let night = "zone = 'America/New_York'\nopen = ['sat-mon 20:00-06:00']";
        for (at, expected) in [("2026-03-08T01:00", Hours::Open), ("2026-03-10T05:59", Hours::Open), ("2026-03-10T20:00", Hours::Closed)] {
            assert_eq!(hours(night, &format!("{at} America/New_York")), expected, "{at}");
        }
    }
}
