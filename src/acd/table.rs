//! A table by id: a slab behind an open-addressing index. Looked up by id only; whoever walks it sorts the ids first, so that the
//! order never depends on the table's history.

use crate::model::{AgentId, CallId, LegId, OfferId};

pub trait Id: Copy + Ord + std::fmt::Debug {
    fn raw(self) -> u64;
}

macro_rules! raw { ($($id:ident),*) => { $(impl Id for $id { fn raw(self) -> u64 { self.0 } })* } }
raw!(AgentId, CallId, LegId, OfferId);

#[derive(Clone, Debug)]
pub struct Table<K, V> {
    /// A power of two of cells, at most half of them taken: 0 is free, else a slot's number plus one.
    index: Vec<u32>,
    slots: Vec<Option<(K, V)>>,
    free: Vec<u32>,
}

impl<K: Id, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { index: vec![0; 16], slots: Vec::new(), free: Vec::new() }
    }
}

impl<K: Id, V> Table<K, V> {
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fibonacci hashing: ids are counters, the high bits of the product spread them.
    fn home(&self, key: K) -> usize {
        (key.raw().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - self.index.len().trailing_zeros())) as usize
    }

    /// The cell that holds `key`, or the free one where it would go.
    fn cell(&self, key: K) -> usize {
        let mask = self.index.len() - 1;
        let mut cell = self.home(key);
        loop {
            match self.index[cell] {
                0 => return cell,
                slot if self.key_of(slot) == key => return cell,
                _ => cell = (cell + 1) & mask,
            }
        }
    }

    fn key_of(&self, slot: u32) -> K {
        self.slots[slot as usize - 1].as_ref().expect("the index points at full slots only").0
    }

    pub fn get(&self, key: K) -> Option<&V> {
        match self.index[self.cell(key)] {
            0 => None,
            slot => self.slots[slot as usize - 1].as_ref().map(|(_, value)| value),
        }
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        match self.index[self.cell(key)] {
            0 => None,
            slot => self.slots[slot as usize - 1].as_mut().map(|(_, value)| value),
        }
    }

    pub fn contains(&self, key: K) -> bool {
        self.index[self.cell(key)] != 0
    }

    /// `key` must be new.
    pub fn insert(&mut self, key: K, value: V) {
        if (self.len() + 1) * 2 > self.index.len() {
            self.grow();
        }
        let cell = self.cell(key);
        assert!(self.index[cell] == 0, "{key:?} is in the table already");
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len() as u32 - 1
            }
        };
        self.slots[slot as usize] = Some((key, value));
        self.index[cell] = slot + 1;
    }

    pub fn remove(&mut self, key: K) -> Option<V> {
        let mut hole = self.cell(key);
        let slot = self.index[hole].checked_sub(1)?;
        let (_, value) = self.slots[slot as usize].take().expect("the index points at full slots only");
        self.free.push(slot);
        self.index[hole] = 0;
        let mask = self.index.len() - 1;
        let mut next = (hole + 1) & mask;
        while self.index[next] != 0 {
            let home = self.home(self.key_of(self.index[next]));
            // Moves back whoever the hole would cut off from its home.
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.index[hole] = self.index[next];
                self.index[next] = 0;
                hole = next;
            }
            next = (next + 1) & mask;
        }
        Some(value)
    }

    fn grow(&mut self) {
        self.index = vec![0; self.index.len() * 2];
        for slot in 0..self.slots.len() {
            if let Some((key, _)) = &self.slots[slot] {
                let cell = self.cell(*key);
                self.index[cell] = slot as u32 + 1;
            }
        }
    }

    /// In the order of ids.
    pub fn ids(&self) -> Vec<K> {
        let mut ids: Vec<K> = self.slots.iter().flatten().map(|(key, _)| *key).collect();
        ids.sort_unstable();
        ids
    }

    /// In no order that means anything: only for what does not depend on one, such as counting.
    pub fn unordered(&self) -> impl Iterator<Item = (K, &V)> {
        self.slots.iter().flatten().map(|(key, value)| (*key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn does_what_a_map_does() {
        let (mut table, mut map, mut seed) = (Table::default(), BTreeMap::new(), 7u64);
        for round in 0..20_000u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = CallId((seed >> 33) % 300);
            if seed & (1 << 20) == 0 {
                assert_eq!(table.remove(key), map.remove(&key));
            } else if !table.contains(key) {
                table.insert(key, round);
                map.insert(key, round);
            }
            assert_eq!(table.get(key), map.get(&key));
            assert_eq!(table.len(), map.len());
        }
        assert_eq!(table.ids(), map.keys().copied().collect::<Vec<_>>());
        assert!(map.iter().all(|(key, value)| table.get(*key) == Some(value)));
    }
}
