//! When something is open, compiled to what a search can answer.

use crate::model::Time;

/// Sorted spans of UTC; each starts at its first instant and ends before its second. Beyond `known_until` everything is closed: the
/// configuration compiles 400 days and renews them daily.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    pub open: Vec<(Time, Time)>,
    /// Whole days, in the calendar's own zone, on which the centre would be open but for a holiday.
    pub holidays: Vec<(Time, Time)>,
    pub known_until: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    Open,
    Closed,
    Holiday,
}

impl Calendar {
    pub fn hours(&self, now: Time) -> Hours {
        if within(&self.open, now) {
            Hours::Open
        } else if within(&self.holidays, now) {
            Hours::Holiday
        } else {
            Hours::Closed
        }
    }
}

fn within(spans: &[(Time, Time)], now: Time) -> bool {
    let after = spans.partition_point(|(from, _)| *from <= now);
    after > 0 && now < spans[after - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_holds_its_start_and_not_its_end() {
        let calendar = Calendar {
            open: vec![(Time(10), Time(20)), (Time(30), Time(40))],
            holidays: vec![(Time(20), Time(25))],
            known_until: Time(50),
        };
        let hours = [
            (9, Hours::Closed),
            (10, Hours::Open),
            (19, Hours::Open),
            (20, Hours::Holiday),
            (25, Hours::Closed),
            (30, Hours::Open),
            (40, Hours::Closed),
        ];
        for (at, expected) in hours {
            assert_eq!(calendar.hours(Time(at)), expected, "at {at}");
        }
    }
}
