//! What of a journal is about people, so that a copy can go out with invented ones.
//!
//! Whatever stands in [`Phi`] is exchanged. A bare text has no way of its own: the list that names its field names its way too (`name: person`
//! or `name: house`), so that a text which is added to a type does not compile until somebody has said whose it is.

use crate::model::Phi;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Puts invented people in place of real ones: for the same text always the same.
pub trait Invent {
    /// A number, digits that were entered, an answer of a system outside.
    fn phi(&mut self, text: &mut String);
    /// Who works here.
    fn person(&mut self, name: &mut Arc<str>);
}

/// Says which of its parts are about people.
pub trait Disguise {
    fn disguise(&mut self, by: &mut dyn Invent);
}

/// One field of a list: in its own way, or in the one that is named.
macro_rules! disguised {
    ($field:ident, $by:ident) => {
        crate::store::wire::Disguise::disguise($field, $by)
    };
    ($field:ident, $by:ident, $how:ident) => {
        crate::store::wire::disguise::$how($field, $by)
    };
}

/// Types that hold numbers and flags of the house only.
macro_rules! says_nothing { ($($name:ty),* $(,)?) => { $(
    impl crate::store::wire::Disguise for $name {
        fn disguise(&mut self, _: &mut dyn crate::store::wire::Invent) {}
    }
)* } }

pub(crate) use {disguised, says_nothing};

/// Words of the house, as its configuration has them: queues, flows, steps, the numbers that callers dial.
pub fn house<T>(_: &mut T, _: &mut dyn Invent) {}

/// The name of somebody who works here.
pub fn person(name: &mut Arc<str>, by: &mut dyn Invent) {
    by.person(name);
}

/// A map whose keys are words of the house.
pub fn values<K, V: Disguise>(map: &mut BTreeMap<K, V>, by: &mut dyn Invent) {
    map.values_mut().for_each(|value| value.disguise(by));
}

/// What a system outside answered, by the names of its fields.
pub fn answer<E>(answer: &mut Result<BTreeMap<String, Phi<String>>, E>, by: &mut dyn Invent) {
    if let Ok(fields) = answer {
        values(fields, by);
    }
}

impl Disguise for Phi<String> {
    fn disguise(&mut self, by: &mut dyn Invent) {
        by.phi(&mut self.0);
    }
}

// A `&'static str` is a word of the program.
says_nothing!(bool, u8, u16, u32, u64, u128, usize, Duration, &'static str);

impl<T: Disguise> Disguise for Option<T> {
    fn disguise(&mut self, by: &mut dyn Invent) {
        self.iter_mut().for_each(|value| value.disguise(by));
    }
}

impl<T: Disguise> Disguise for Box<T> {
    fn disguise(&mut self, by: &mut dyn Invent) {
        (**self).disguise(by);
    }
}

impl<T: Disguise, const N: usize> Disguise for [T; N] {
    fn disguise(&mut self, by: &mut dyn Invent) {
        self.iter_mut().for_each(|item| item.disguise(by));
    }
}

impl<T: Disguise> Disguise for Vec<T> {
    fn disguise(&mut self, by: &mut dyn Invent) {
        self.iter_mut().for_each(|item| item.disguise(by));
    }
}

impl<T: Disguise> Disguise for VecDeque<T> {
    fn disguise(&mut self, by: &mut dyn Invent) {
        self.iter_mut().for_each(|item| item.disguise(by));
    }
}

impl<T: Disguise + Ord> Disguise for BTreeSet<T> {
    fn disguise(&mut self, by: &mut dyn Invent) {
        let other = |mut item: T| {
            item.disguise(by);
            item
        };
        *self = std::mem::take(self).into_iter().map(other).collect();
    }
}

impl<K: Disguise + Ord, V: Disguise> Disguise for BTreeMap<K, V> {
    fn disguise(&mut self, by: &mut dyn Invent) {
        let other = |(mut key, mut value): (K, V)| {
            key.disguise(by);
            value.disguise(by);
            (key, value)
        };
        *self = std::mem::take(self).into_iter().map(other).collect();
    }
}

macro_rules! disguise_tuple { ($($name:ident $index:tt),*) => {
    impl<$($name: Disguise),*> Disguise for ($($name,)*) {
        fn disguise(&mut self, by: &mut dyn Invent) {
            $(self.$index.disguise(by);)*
        }
    }
} }
disguise_tuple!(A 0, B 1);
disguise_tuple!(A 0, B 1, C 2);
disguise_tuple!(A 0, B 1, C 2, D 3);
