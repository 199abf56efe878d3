//! Who has a turn in which slot of the clock, and who may send something in it: the rest need no turn in time.

/// Slots of the clock: few, so that many packets leave at one waking; enough that those of one slot, half a millisecond's work for a full
/// worker, keep no packet waiting that is to be forwarded.
pub const SLOTS: u64 = 5;
/// Who sends nothing is looked at once in so many rounds of the clock, for their reports and their silence.
const LOOK_EVERY: u64 = 8;

#[derive(Default)]
pub struct Rota {
    slots: [Vec<u32>; SLOTS as usize],
    /// Of each slot, how many may send.
    busy_in: [u32; SLOTS as usize],
    /// By index: its slot, and whether it may send. A free index is not busy.
    places: Vec<(u8, bool)>,
}

impl Rota {
    /// Gives an index a turn, in the slot with the fewest.
    pub fn enter(&mut self, index: u32) {
        let slot = (0..self.slots.len()).min_by_key(|slot| self.slots[*slot].len()).expect("there are some");
        self.slots[slot].push(index);
        self.places.resize(self.places.len().max(index as usize + 1), (0, false));
        self.places[index as usize] = (slot as u8, false);
    }

    pub fn leave(&mut self, index: u32) {
        self.mark(index, false);
        self.slots[usize::from(self.places[index as usize].0)].retain(|other| *other != index);
    }

    /// Whether the index may send something in its next turn.
    pub fn mark(&mut self, index: u32, busy: bool) {
        let (slot, was) = &mut self.places[index as usize];
        let count = &mut self.busy_in[usize::from(*slot)];
        *count = *count + u32::from(busy) - u32::from(*was);
        *was = busy;
    }

    /// The `at`th of the slot, and whether it has a turn now.
    pub fn turn(&self, slot: u64, at: usize) -> Option<(u32, bool)> {
        let index = *self.slots[(slot % SLOTS) as usize].get(at)?;
        let look = (slot / SLOTS + u64::from(index)).is_multiple_of(LOOK_EVERY);
        Some((index, look || self.places[index as usize].1))
    }

    /// The first slot from this one on in which somebody may send.
    pub fn next_busy(&self, from: u64) -> Option<u64> {
        (from..from + SLOTS).find(|slot| self.busy_in[(slot % SLOTS) as usize] > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_send_has_a_turn_each_round_and_the_rest_now_and_then() {
        let mut rota = Rota::default();
        for index in 0..40 {
            rota.enter(index);
        }
        let each = 40 / SLOTS as usize;
        assert_eq!(rota.next_busy(3), None);
        rota.mark(25, true);
        rota.mark(25, true);
        let slot = (0..SLOTS).find(|slot| (0..each).any(|at| rota.turn(*slot, at).unwrap().0 == 25)).unwrap();
        assert_eq!(rota.next_busy(slot + 1), Some(slot + SLOTS));
        let mut turns = [0; 40];
        for slot in 0..SLOTS * LOOK_EVERY {
            for (index, _) in (0..each).map(|at| rota.turn(slot, at).unwrap()).filter(|(_, turn)| *turn) {
                turns[index as usize] += 1;
            }
        }
        let due: Vec<u64> = (0..40).map(|index| if index == 25 { LOOK_EVERY } else { 1 }).collect();
        assert_eq!(turns[..], due[..]);
        rota.leave(25);
        assert_eq!(rota.next_busy(0), None);
        assert!((0..SLOTS).all(|slot| (0..each).all(|at| rota.turn(slot, at).is_none_or(|(index, _)| index != 25))));
        rota.enter(25);
        assert_eq!(rota.next_busy(0), None, "an index that comes again begins quiet");
    }
}
