//! What the virtual people saw by their own watches, without asking the centre.

use crate::model::{AgentId, Language, Time};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    pub languages: BTreeMap<Language, Count>,
    /// In conversation, by agent.
    pub talking: BTreeMap<AgentId, Stopwatch>,
    /// Calls whose record was written.
    pub records: u64,
}

/// Callers of one language. Times are of those who are no longer waiting, except for `waiting`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    pub dialled: u64,
    pub entered: u64,
    pub answered: u64,
    pub abandoned: u64,
    /// Sent elsewhere out of the queue.
    pub moved: u64,
    /// Answered or gone after more than no time.
    pub waited: u64,
    /// Answered within the target.
    pub in_target: u64,
    pub wait_answered: Duration,
    pub wait_abandoned: Duration,
    pub wait_moved: Duration,
    /// How many wait, and the sum of their time.
    pub waiting: Stopwatch,
}

/// A number of things going on, and the sum of their times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stopwatch {
    pub running: u64,
    pub since: Time,
    pub sum: Duration,
}

impl Stopwatch {
    pub fn start(&mut self, now: Time) {
        self.read(now);
        self.running += 1;
    }

    pub fn stop(&mut self, now: Time) {
        self.read(now);
        self.running = self.running.checked_sub(1).expect("what stops has started");
    }

    /// The sum so far.
    pub fn read(&mut self, now: Time) -> Duration {
        self.sum += times(now.since(self.since), self.running);
        self.since = now;
        self.sum
    }
}

fn times(span: Duration, count: u64) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).expect("a span of a simulation fits 64 bits") * count)
}

impl Ledger {
    pub fn of(&mut self, language: Language) -> &mut Count {
        self.languages.entry(language).or_default()
    }

    /// Brings every open sum up to `now`.
    pub fn read(&mut self, now: Time) {
        for watch in self.languages.values_mut().map(|count| &mut count.waiting).chain(self.talking.values_mut()) {
            watch.read(now);
        }
    }

    /// Every language together.
    pub fn total(&self) -> Count {
        self.languages.values().fold(Count::default(), |sum, count| sum.plus(count))
    }

    /// What happened since `earlier`; both have been read.
    pub fn since(&self, earlier: &Ledger) -> Ledger {
        let mut result = self.clone();
        for (language, count) in &earlier.languages {
            let later = result.of(*language);
            *later = later.minus(count);
        }
        for (agent, watch) in &earlier.talking {
            result.talking.entry(*agent).or_default().sum -= watch.sum;
        }
        result.records -= earlier.records;
        result
    }
}

impl Count {
    fn plus(&self, other: &Count) -> Count {
        Count {
            dialled: self.dialled + other.dialled,
            entered: self.entered + other.entered,
            answered: self.answered + other.answered,
            abandoned: self.abandoned + other.abandoned,
            moved: self.moved + other.moved,
            waited: self.waited + other.waited,
            in_target: self.in_target + other.in_target,
            wait_answered: self.wait_answered + other.wait_answered,
            wait_abandoned: self.wait_abandoned + other.wait_abandoned,
            wait_moved: self.wait_moved + other.wait_moved,
            waiting: Stopwatch {
                running: self.waiting.running + other.waiting.running,
                since: self.waiting.since.max(other.waiting.since),
                sum: self.waiting.sum + other.waiting.sum,
            },
        }
    }

    fn minus(&self, earlier: &Count) -> Count {
        Count {
            dialled: self.dialled - earlier.dialled,
            entered: self.entered - earlier.entered,
            answered: self.answered - earlier.answered,
            abandoned: self.abandoned - earlier.abandoned,
            moved: self.moved - earlier.moved,
            waited: self.waited - earlier.waited,
            in_target: self.in_target - earlier.in_target,
            wait_answered: self.wait_answered - earlier.wait_answered,
            wait_abandoned: self.wait_abandoned - earlier.wait_abandoned,
            wait_moved: self.wait_moved - earlier.wait_moved,
            waiting: Stopwatch { sum: self.waiting.sum - earlier.waiting.sum, ..self.waiting },
        }
    }

    /// Those whose wait is over, and the sum of their waits.
    pub fn over(&self) -> (u64, Duration) {
        (self.answered + self.abandoned + self.moved, self.wait_answered + self.wait_abandoned + self.wait_moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopwatch_adds_what_runs() {
        let at = |second: u64| Time(second * 1_000_000);
        let mut watch = Stopwatch::default();
        watch.start(at(10));
        watch.start(at(12));
        watch.stop(at(15));
        assert_eq!(watch.read(at(20)), Duration::from_secs(2 + 2 * 3 + 5));
    }
}
