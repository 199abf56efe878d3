//! The one table of timers: nothing in the core ends by itself but through here.

use crate::model::{AgentId, CallId, OfferId, QueueId, Time};
use std::collections::BTreeSet;

/// Why a deadline was set. What is due at the same time is applied in this order: first all that lifts a hold, so that whoever is matched
/// at that moment is matched without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// When an agent and a call are kept apart no longer.
    HoldEnds(AgentId, CallId),
    /// When a call whose offer we could not place may be offered again.
    PauseEnds(CallId),
    /// When a call is kept for one agent no longer.
    Preferred(CallId),
    /// When a caller's leg should have been established.
    Answer(CallId),
    /// When the flow's timer comes.
    FlowStep(CallId),
    /// When an agent's station has rung long enough.
    Ring(OfferId),
    /// When an answered offer should have been bridged.
    Bridge(OfferId),
    /// When one more agent rings.
    Progressive(CallId, QueueId),
    /// When after-call work is over.
    WrapUp(AgentId),
    /// When the next of ladder, comfort and longest wait comes.
    Visit(CallId, QueueId),
    /// When the far side of an agent's own call, or then the station itself, should be there.
    Own(CallId),
}

impl Deadline {
    /// Lifts a hold, and does nothing else.
    pub fn lifts_a_hold(self) -> bool {
        matches!(self, Deadline::HoldEnds(..) | Deadline::PauseEnds(_) | Deadline::Preferred(_))
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deadlines {
    due: BTreeSet<(Time, Deadline)>,
}

impl Deadlines {
    pub fn next(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    pub fn set(&mut self, at: Time, deadline: Deadline) {
        let new = self.due.insert((at, deadline));
        assert!(new, "{deadline:?} was set twice");
    }

    /// Whoever set it knows when it is due.
    pub fn clear(&mut self, at: Time, deadline: Deadline) {
        let known = self.due.remove(&(at, deadline));
        assert!(known, "{deadline:?} was not set");
    }

    /// As `clear`, for one that may be what brought us here.
    pub fn forget(&mut self, at: Time, deadline: Deadline) {
        self.due.remove(&(at, deadline));
    }

    /// Takes the first if it is due by `now`.
    pub fn take_due(&mut self, now: Time) -> Option<(Time, Deadline)> {
        if self.due.first()?.0 > now {
            return None;
        }
        self.due.pop_first()
    }

    pub fn iter(&self) -> impl Iterator<Item = &(Time, Deadline)> {
        self.due.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_in_order_of_time() {
        let mut deadlines = Deadlines::default();
        deadlines.set(Time(20), Deadline::WrapUp(AgentId(1)));
        deadlines.set(Time(10), Deadline::WrapUp(AgentId(2)));
        deadlines.set(Time(10), Deadline::Ring(OfferId(3)));
        deadlines.clear(Time(20), Deadline::WrapUp(AgentId(1)));
        assert_eq!(deadlines.take_due(Time(9)), None);
        assert_eq!(deadlines.take_due(Time(30)), Some((Time(10), Deadline::Ring(OfferId(3)))));
        assert_eq!(deadlines.take_due(Time(30)), Some((Time(10), Deadline::WrapUp(AgentId(2)))));
        assert_eq!(deadlines.next(), None);
    }
}
