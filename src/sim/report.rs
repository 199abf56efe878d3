//! The report of a simulated time: the core's own figures, beside what the people saw.

use super::ledger::{Count, Ledger};
use crate::acd::figures::{Figures, Histogram, QueueFigures};
use crate::model::{Language, QueueId, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The visits of one queue, one language, or all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    pub offered: u64,
    pub answered: u64,
    pub abandoned: u64,
    /// Of the abandoned, those within the queue's shortest wait.
    pub short: u64,
    pub in_target: u64,
    /// Overflowed, deflected, failed, withdrawn.
    pub moved: u64,
    pub wait_answered: Duration,
    pub wait_abandoned: Duration,
    /// Σ (left − entered) over the visits that ended.
    pub visit_time: Duration,
    /// ∫ (waiting + ringing + connecting) dt.
    pub integral: Duration,
    pub handled: u64,
    pub handle: Duration,
}

impl Sums {
    fn of(queue: &QueueFigures, now: Time) -> Sums {
        let [answered, abandoned, ..] = &queue.wait;
        Sums {
            offered: queue.offered,
            answered: queue.answered,
            abandoned: queue.abandoned_all(),
            short: queue.abandoned_short(),
            in_target: queue.answered_in_target,
            moved: queue.overflowed + queue.failed + queue.deflected.iter().chain(&queue.withdrawn).sum::<u64>(),
            wait_answered: sum(answered),
            wait_abandoned: sum(abandoned),
            visit_time: queue.visit_time,
            integral: Duration::from_micros(u64::try_from(queue.integral(now)).expect("a simulation's integral fits 64 bits")),
            handled: queue.handle.count,
            handle: queue.handle.sum,
        }
    }

    fn combine(&self, other: &Sums, count: impl Fn(u64, u64) -> u64, time: impl Fn(Duration, Duration) -> Duration) -> Sums {
        Sums {
            offered: count(self.offered, other.offered),
            answered: count(self.answered, other.answered),
            abandoned: count(self.abandoned, other.abandoned),
            short: count(self.short, other.short),
            in_target: count(self.in_target, other.in_target),
            moved: count(self.moved, other.moved),
            wait_answered: time(self.wait_answered, other.wait_answered),
            wait_abandoned: time(self.wait_abandoned, other.wait_abandoned),
            visit_time: time(self.visit_time, other.visit_time),
            integral: time(self.integral, other.integral),
            handled: count(self.handled, other.handled),
            handle: time(self.handle, other.handle),
        }
    }

    pub fn plus(&self, other: &Sums) -> Sums {
        self.combine(other, |a, b| a + b, |a, b| a + b)
    }

    /// What came after `earlier`.
    pub fn since(&self, earlier: &Sums) -> Sums {
        self.combine(earlier, |a, b| a - b, |a, b| a - b)
    }

    /// Average speed of answer in seconds; not a number if nobody was answered.
    pub fn asa(&self) -> f64 {
        self.wait_answered.as_secs_f64() / self.answered as f64
    }

    /// Mean wait in seconds of the answered and the abandoned.
    pub fn mean_wait(&self) -> f64 {
        (self.wait_answered + self.wait_abandoned).as_secs_f64() / (self.answered + self.abandoned) as f64
    }

    pub fn abandonment(&self) -> f64 {
        (self.abandoned - self.short) as f64 / (self.offered - self.short) as f64
    }

    pub fn service_level(&self) -> f64 {
        self.in_target as f64 / (self.answered + self.abandoned - self.short) as f64
    }

    /// Mean handle time in seconds.
    pub fn handle_time(&self) -> f64 {
        self.handle.as_secs_f64() / self.handled as f64
    }

    pub fn mean_queue(&self, span: Duration) -> f64 {
        self.integral.as_secs_f64() / span.as_secs_f64()
    }
}

fn sum(histogram: &Histogram) -> Duration {
    histogram.sum
}

/// The figures at one moment, ready to be compared with those of another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub from: Time,
    pub to: Time,
    pub queues: BTreeMap<QueueId, Sums>,
    pub languages: BTreeMap<Language, Sums>,
    /// By state, of the agents who were logged in; the order of `Figures::STATES`.
    pub agent_time: Vec<Duration>,
    /// Of it, ringing that counts as idle.
    pub ring_uncounted: Duration,
    pub seen: Ledger,
}

impl Report {
    /// Everything since the centre opened, at `start`.
    pub fn new(start: Time, now: Time, figures: &Figures, seen: &Ledger) -> Report {
        let mut report = Report { from: start, to: now, seen: seen.clone(), ring_uncounted: figures.ring_uncounted, ..Report::default() };
        for ((queue, language), counts) in &figures.queues {
            let sums = Sums::of(counts, now);
            for total in [report.queues.entry(*queue).or_default(), report.languages.entry(*language).or_default()] {
                *total = total.plus(&sums);
            }
        }
        report.agent_time = figures.agents.iter().map(|state| state.total(now)).collect();
        report
    }

    /// What came after `earlier`.
    pub fn since(&self, earlier: &Report) -> Report {
        let mut report = Report { from: earlier.to, seen: self.seen.since(&earlier.seen), ..self.clone() };
        for (queue, sums) in &mut report.queues {
            *sums = sums.since(&earlier.queues.get(queue).copied().unwrap_or_default());
        }
        for (language, sums) in &mut report.languages {
            *sums = sums.since(&earlier.languages.get(language).copied().unwrap_or_default());
        }
        for (time, before) in report.agent_time.iter_mut().zip(&earlier.agent_time) {
            *time -= *before;
        }
        report.ring_uncounted -= earlier.ring_uncounted;
        report
    }

    pub fn span(&self) -> Duration {
        self.to.since(self.from)
    }

    pub fn total(&self) -> Sums {
        self.queues.values().fold(Sums::default(), |sum, queue| sum.plus(queue))
    }

    pub fn logged_in(&self) -> Duration {
        self.agent_time.iter().sum()
    }

    /// Share of the time in which agents were not "not ready" that went into calls: ringing, connecting, talk, wrap-up.
    pub fn occupancy(&self) -> f64 {
        let [ready, offered, connecting, talking, wrap_up, ..] = self.agent_time[..] else { return f64::NAN };
        let busy = (offered + connecting + talking + wrap_up).saturating_sub(self.ring_uncounted);
        busy.as_secs_f64() / (ready + offered + connecting + talking + wrap_up).as_secs_f64()
    }

    /// Share of callers who waited at all, as the people saw it.
    pub fn waited(&self) -> f64 {
        let seen = self.seen.total();
        seen.waited as f64 / seen.over().0 as f64
    }

    /// Where the core's figures and the people's own differ: how many were answered and how many gave up, in each language. A caller in
    /// several lines at once counts as one.
    pub fn contradictions(&self) -> Vec<String> {
        self.compare(|sums, seen| {
            vec![("answered", sums.answered.into(), seen.answered.into()), ("abandoned", sums.abandoned.into(), seen.abandoned.into())]
        })
    }

    /// The same to the microsecond; each caller must have been in one line at a time. Both must be of the whole time.
    pub fn contradictions_in_time(&self) -> Vec<String> {
        self.compare(|sums, seen| {
            vec![
                ("offered", sums.offered.into(), seen.entered.into()),
                ("answered", sums.answered.into(), seen.answered.into()),
                ("abandoned", sums.abandoned.into(), seen.abandoned.into()),
                ("moved", sums.moved.into(), seen.moved.into()),
                ("µs waited by the answered", sums.wait_answered.as_micros(), seen.wait_answered.as_micros()),
                ("µs waited by the abandoned", sums.wait_abandoned.as_micros(), seen.wait_abandoned.as_micros()),
                ("µs spent in queues", sums.visit_time.as_micros(), seen.over().1.as_micros()),
                ("integral of those in queues", sums.integral.as_micros(), seen.waiting.sum.as_micros()),
            ]
        })
    }

    fn compare(&self, pairs: impl Fn(&Sums, &Count) -> Vec<(&'static str, u128, u128)>) -> Vec<String> {
        let mut found = Vec::new();
        for language in self.languages.keys().chain(self.seen.languages.keys()).collect::<BTreeSet<_>>() {
            let sums = self.languages.get(language).copied().unwrap_or_default();
            let seen = self.seen.languages.get(language).copied().unwrap_or_default();
            let differ = pairs(&sums, &seen).into_iter().filter(|(_, core, people)| core != people);
            found.extend(differ.map(|(what, core, people)| format!("{language}: {what}: the core says {core}, the people {people}")));
        }
        found
    }
}
