//! Which worker each call lives with. Packets that come or leave at one waking cost less than those that each wake a thread, so calls are
//! not spread over all workers as long as one has room.

use crate::model::{CallId, LegId};
use std::collections::BTreeMap;

/// Legs of one worker before the next takes calls: if all of them speak, a quarter of a core's time.
const FULL: usize = 512;

pub struct Homes {
    /// Open legs of each worker.
    loads: Vec<usize>,
    legs: BTreeMap<LegId, CallId>,
    /// The worker of each call that has open legs, and how many it has.
    calls: BTreeMap<CallId, (usize, usize)>,
}

impl Homes {
    pub fn new(workers: usize) -> Homes {
        Homes { loads: vec![0; workers], legs: BTreeMap::new(), calls: BTreeMap::new() }
    }

    /// The worker for a new leg: its call's own; for a new call the first that is not full, or the one with the fewest legs.
    pub fn enter(&mut self, call: CallId, leg: LegId) -> usize {
        assert!(self.legs.insert(leg, call).is_none(), "leg {leg} is opened once");
        let roomy = self.loads.iter().position(|load| *load < FULL);
        let next = roomy.or_else(|| (0..self.loads.len()).min_by_key(|worker| self.loads[*worker])).expect("there is a worker");
        let (worker, legs) = self.calls.entry(call).or_insert((next, 0));
        *legs += 1;
        self.loads[*worker] += 1;
        *worker
    }

    /// The worker that a leg lived with; `None` if it was never open, or is closed.
    pub fn leave(&mut self, leg: LegId) -> Option<usize> {
        let call = self.legs.remove(&leg)?;
        let (worker, legs) = self.calls.get_mut(&call)?;
        let worker = *worker;
        self.loads[worker] -= 1;
        *legs -= 1;
        if *legs == 0 {
            self.calls.remove(&call);
        }
        Some(worker)
    }

    pub fn of_leg(&self, leg: LegId) -> Option<usize> {
        self.of_call(*self.legs.get(&leg)?)
    }

    pub fn of_call(&self, call: CallId) -> Option<usize> {
        self.calls.get(&call).map(|(worker, _)| *worker)
    }

    /// Open legs.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_filled_before_the_next_and_a_calls_legs_stay_together() {
        let mut homes = Homes::new(2);
        let (first, second) = (CallId(1), CallId(2));
        for leg in 0..FULL as u64 {
            assert_eq!(homes.enter(if leg == 0 { first } else { CallId(1000 + leg) }, LegId(leg)), 0);
        }
        assert_eq!(homes.enter(second, LegId(9_001)), 1);
        assert_eq!(homes.enter(first, LegId(9_002)), 0, "with its call, full or not");
        assert_eq!((homes.of_leg(LegId(9_002)), homes.of_call(second), homes.legs()), (Some(0), Some(1), FULL + 2));
        assert_eq!((homes.leave(LegId(0)), homes.of_call(first)), (Some(0), Some(0)));
        assert_eq!((homes.leave(LegId(9_002)), homes.of_call(first), homes.leave(LegId(9_002))), (Some(0), None, None));
        assert_eq!(homes.enter(first, LegId(0)), 0, "there is room again, and a call that has no leg has no home");
    }

    #[test]
    fn where_all_are_full_the_emptiest_takes_a_call() {
        let mut homes = Homes::new(3);
        for leg in 0..3 * FULL as u64 {
            homes.enter(CallId(leg), LegId(leg));
        }
        assert_eq!(homes.loads, [FULL; 3]);
        homes.enter(CallId(0), LegId(9_000));
        homes.enter(CallId(FULL as u64), LegId(9_001));
        assert_eq!(homes.enter(CallId(9_002), LegId(9_002)), 2);
        for leg in 0..3 * FULL as u64 {
            homes.leave(LegId(leg));
        }
        assert_eq!((&homes.loads[..], homes.legs()), (&[1, 1, 1][..], 3));
    }
}
