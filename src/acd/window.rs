//! What the windows know: the visits that ended lately, slid by the time at which they ended.

use crate::model::{Language, QueueId, Time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What one visit adds to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub key: (QueueId, Language),
    /// Its place in `Figures::WAIT_OUTCOMES`.
    pub outcome: u8,
    pub wait: Duration,
    pub in_target: bool,
    pub short: bool,
}

/// One queue in one language within one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSums {
    pub ended: u64,
    pub answered: u64,
    pub answered_in_target: u64,
    pub answered_wait: Duration,
    pub abandoned: u64,
    pub abandoned_short: u64,
    pub abandoned_in_target: u64,
    /// In no ratio.
    pub withdrawn: u64,
}

impl WindowSums {
    fn add(&mut self, visit: &Ended) {
        let [answered, abandoned] = [visit.outcome == 0, visit.outcome == 1];
        self.ended += 1;
        self.answered += u64::from(answered);
        self.answered_in_target += u64::from(answered && visit.in_target);
        self.abandoned += u64::from(abandoned);
        self.abandoned_short += u64::from(abandoned && visit.short);
        self.abandoned_in_target += u64::from(abandoned && visit.in_target);
        self.withdrawn += u64::from(visit.outcome == 5);
        if answered {
            self.answered_wait += visit.wait;
        }
    }

    fn sub(&mut self, visit: &Ended) {
        let mut one = WindowSums::default();
        one.add(visit);
        self.ended -= one.ended;
        self.answered -= one.answered;
        self.answered_in_target -= one.answered_in_target;
        self.answered_wait -= one.answered_wait;
        self.abandoned -= one.abandoned;
        self.abandoned_short -= one.abandoned_short;
        self.abandoned_in_target -= one.abandoned_in_target;
        self.withdrawn -= one.withdrawn;
    }

    /// Average speed of answer.
    pub fn speed_of_answer(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.answered_wait.as_secs_f64() / self.answered as f64)
    }
    /// (abandoned − short) ÷ (ended − short), withdrawn apart.
    pub fn abandonment(&self) -> Option<f64> {
        ratio(self.abandoned - self.abandoned_short, self.ended - self.withdrawn - self.abandoned_short)
    }
    /// Answered in target ÷ (answered + abandoned − short).
    pub fn service_level(&self) -> Option<f64> {
        ratio(self.answered_in_target, self.answered + self.abandoned - self.abandoned_short)
    }
    /// Answered in target ÷ answered.
    pub fn service_level_of_answered(&self) -> Option<f64> {
        ratio(self.answered_in_target, self.answered)
    }
    /// (Answered + abandoned, in target) ÷ (answered + abandoned).
    pub fn service_level_with_abandoned(&self) -> Option<f64> {
        ratio(self.answered_in_target + self.abandoned_in_target, self.answered + self.abandoned)
    }
    /// Answered in target ÷ all that ended, withdrawn apart.
    pub fn service_level_of_offered(&self) -> Option<f64> {
        ratio(self.answered_in_target, self.ended - self.withdrawn)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

const SPANS: [Duration; 2] = [Duration::from_secs(300), Duration::from_secs(1800)];
const DAY_US: u64 = 86_400_000_000;
/// Beyond so many visits in half an hour the oldest leave the windows early.
const RECENT_MAX: usize = 500_000;

/// Visits of the last 30 minutes, oldest first, and the sums over three windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    pub ended: VecDeque<(Time, Ended)>,
    /// How many at the front have left the 5-minute window already.
    pub left_short: usize,
    pub sums: BTreeMap<(QueueId, Language), [WindowSums; 3]>,
    /// When the present day began.
    pub day: Time,
    /// Local midnights to come, sorted; without any a day is a UTC day.
    pub midnights: Arc<[Time]>,
}

impl Recent {
    pub fn midnights(&mut self, midnights: &Arc<[Time]>) {
        assert!(midnights.is_sorted(), "midnights come in order");
        self.midnights = midnights.clone();
    }

    pub fn ended(&mut self, at: Time, visit: Ended) {
        self.slide(at);
        if self.ended.len() >= RECENT_MAX {
            self.drop_oldest();
        }
        let sums = self.sums.entry(visit.key).or_default();
        for window in sums.iter_mut() {
            window.add(&visit);
        }
        self.ended.push_back((at, visit));
    }

    /// Lets go of what has left the windows by `now`.
    fn slide(&mut self, now: Time) {
        while let Some((at, visit)) = self.ended.get(self.left_short) {
            if now.since(*at) < SPANS[0] {
                break;
            }
            self.sums.get_mut(&visit.key).expect("what was added has its sums")[0].sub(visit);
            self.left_short += 1;
        }
        while self.ended.front().is_some_and(|(at, _)| now.since(*at) >= SPANS[1]) {
            self.drop_oldest();
        }
        let day = self.day_of(now);
        if day != self.day {
            self.day = day;
            for sums in self.sums.values_mut() {
                sums[2] = WindowSums::default();
            }
        }
    }

    fn drop_oldest(&mut self) {
        let (_, visit) = self.ended.pop_front().expect("there is an oldest");
        let sums = self.sums.get_mut(&visit.key).expect("what was added has its sums");
        sums[1].sub(&visit);
        match self.left_short.checked_sub(1) {
            Some(left) => self.left_short = left,
            None => sums[0].sub(&visit),
        }
    }

    fn day_of(&self, now: Time) -> Time {
        match self.midnights.partition_point(|midnight| *midnight <= now) {
            0 => Time(now.0 - now.0 % DAY_US),
            next => self.midnights[next - 1],
        }
    }

    /// The sums as they stand at `now`; nothing slides, so any reader may ask.
    pub fn sums(&self, now: Time) -> BTreeMap<(QueueId, Language), [WindowSums; 3]> {
        let mut sums = self.sums.clone();
        for (span, (window, from)) in SPANS.iter().zip([(0, self.left_short), (1, 0)]) {
            for (at, visit) in self.ended.range(from..).take_while(|(at, _)| now.since(*at) >= *span) {
                debug_assert!(*at <= now, "visits end before they are read");
                sums.get_mut(&visit.key).expect("what was added has its sums")[window].sub(visit);
            }
        }
        if self.day_of(now) != self.day {
            for sums in sums.values_mut() {
                sums[2] = WindowSums::default();
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_slide_by_the_end_of_the_visit() {
        let key = (QueueId(1), Language::new("en").unwrap());
        let visit = |secs| Ended { key, outcome: 0, wait: Duration::from_secs(secs), in_target: secs <= 20, short: false };
        let at = |secs: u64| Time(secs * 1_000_000);
        let mut recent = Recent::default();
        recent.ended(at(0), visit(10));
        recent.ended(at(200), visit(30));
        let answered = |now| recent.sums(at(now))[&key].map(|window| window.answered);
        assert_eq!(answered(200), [2, 2, 2]);
        assert_eq!(answered(299), [2, 2, 2]);
        assert_eq!(answered(300), [1, 2, 2]);
        assert_eq!(answered(500), [0, 2, 2]);
        assert_eq!(answered(1800), [0, 1, 2]);
        assert_eq!(answered(86_400), [0, 0, 0]);
        assert_eq!(recent.sums(at(200))[&key][0].speed_of_answer(), Some(20.0));
        assert_eq!(recent.sums(at(200))[&key][0].service_level(), Some(0.5));
        assert_eq!(recent.sums(at(600))[&key][0].service_level(), None);
    }
}
