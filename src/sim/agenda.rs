//! What is going to happen to the virtual people, in the order of time.

use super::people::AgentDoes;
use crate::acd::Refusal;
use crate::model::{AgentId, CallId, LegId, LookupId, OfferId, PlayId, Time};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// One thing that somebody will do. Whoever is gone by then does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// A caller of this kind dials; the next one is drawn then.
    Arrive(usize),
    /// As above, but drawn with a whole half hour.
    ArriveOnce(usize),
    /// The arrivals of the next half hour of the day are drawn.
    HalfHour(usize),
    Established(LegId),
    PlayDone(LegId, PlayId),
    Key(LegId, char),
    LookupFailed(CallId, LookupId),
    /// Patience is over.
    GiveUp(CallId),
    Alerting(OfferId),
    Accept(OfferId),
    Refuse(OfferId, Refusal),
    Bridged(OfferId),
    /// Enough said.
    TalkDone(CallId, OfferId),
    DialRefused(LegId),
    Agent(AgentId, AgentDoes),
}

/// A list by time; what is for now is kept apart, so that a centre without delays never touches the heap.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    now: VecDeque<Happening>,
    later: BinaryHeap<Reverse<(Time, u64, Happening)>>,
    /// Things for the same time happen in the order in which they were written down.
    written: u64,
}

impl Agenda {
    /// Writes down what happens at `at`, not before `now`.
    pub fn add(&mut self, now: Time, at: Time, what: Happening) {
        assert!(at >= now, "{what:?} is written down for {at:?}, which is past at {now:?}");
        if at == now {
            self.now.push_back(what);
        } else {
            self.written += 1;
            self.later.push(Reverse((at, self.written, what)));
        }
    }

    /// When the next thing happens.
    pub fn next_time(&self, now: Time) -> Option<Time> {
        match self.now.is_empty() {
            false => Some(now),
            true => self.later.peek().map(|Reverse((at, ..))| *at),
        }
    }

    /// Takes the next thing; `now` has to be the time that [`Agenda::next_time`] gave. What was written down earlier for this very time
    /// comes before what follows from it.
    pub fn take(&mut self, now: Time) -> Option<Happening> {
        let due = self.later.peek().is_some_and(|Reverse((at, ..))| *at <= now);
        if self.now.is_empty() || !due { self.now.pop_front().or_else(|| self.pop(due)) } else { self.pop(due) }
    }

    fn pop(&mut self, due: bool) -> Option<Happening> {
        if !due {
            return None;
        }
        self.later.pop().map(|Reverse((_, _, what))| what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_by_time_then_as_written() {
        let mut agenda = Agenda::default();
        let at = |second: u64| Time(second * 1_000_000);
        agenda.add(at(0), at(5), Happening::GiveUp(CallId(5)));
        agenda.add(at(0), at(3), Happening::GiveUp(CallId(3)));
        agenda.add(at(0), at(3), Happening::GiveUp(CallId(4)));
        agenda.add(at(0), at(0), Happening::GiveUp(CallId(0)));
        let mut seen = Vec::new();
        let mut now = at(0);
        while let Some(next) = agenda.next_time(now) {
            now = next;
            let Some(Happening::GiveUp(call)) = agenda.take(now) else { panic!("nothing at {now:?}") };
            if call == CallId(3) {
                agenda.add(now, now, Happening::GiveUp(CallId(30)));
            }
            seen.push((now, call.0));
        }
        assert_eq!(seen, [(at(0), 0), (at(3), 3), (at(3), 4), (at(3), 30), (at(5), 5)]);
    }
}
