//! The wire form of everything that the journal holds: compact, binary, written field by field.
//!
//! Pure types know nothing of it. Each is listed here by destructuring, so that a field or a variant that is added to a type and not to the
//! list does not compile. Numbers are LEB128, a text is its length and its bytes, a variant is a byte that never changes its meaning: what
//! changes raises [`VERSION`], and a journal of another version is not read.
//!
//! The same lists say what is about people ([`Disguise`]): a text without a word on that does not compile either.

mod config;
mod disguise;
mod event;
mod figures;
mod model;
mod state;

pub use disguise::{Disguise, Invent};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Of the forms in this module.
pub const VERSION: u32 = 1;

/// Has a wire form.
pub trait Wire: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(input: &mut Input) -> Result<Self, Broken>;
}

/// What is read is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// The rest of what is being read.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn byte(&mut self) -> Result<u8, Broken> {
        let (first, rest) = self.0.split_first().ok_or(Broken)?;
        self.0 = rest;
        Ok(*first)
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// How many elements follow; each has a byte at least, so that a broken count asks for no memory.
    fn count(&mut self) -> Result<usize, Broken> {
        let count = usize::take(self)?;
        if count > self.0.len() { Err(Broken) } else { Ok(count) }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lists the fields of structs, in the order in which they are written.
macro_rules! wire_struct { ($($name:ident { $($field:ident $(: $how:ident)?),* $(,)? })*) => { $(
    crate::store::wire::form_struct! { $name { $($field),* } }
    impl crate::store::wire::Disguise for $name {
        fn disguise(&mut self, by: &mut dyn crate::store::wire::Invent) {
            let $name { $($field),* } = self;
            $(crate::store::wire::disguised!($field, by $(, $how)?);)*
        }
    }
)* } }

/// Lists the variants of enums, each with its byte and its fields.
macro_rules! wire_enum { ($($name:ident {
    $($tag:literal $variant:ident $({ $($field:ident $(: $how:ident)?),* $(,)? })? $(( $($item:ident $(: $item_how:ident)?),* ))? ),* $(,)?
})*) => { $(
    crate::store::wire::form_enum! { $name { $($tag $variant $({ $($field),* })? $(( $($item),* ))? ),* } }
    impl crate::store::wire::Disguise for $name {
        fn disguise(&mut self, by: &mut dyn crate::store::wire::Invent) {
            let _ = &by;
            match self { $(
                $name::$variant $({ $($field),* })? $(( $($item),* ))? => {
                    $($(crate::store::wire::disguised!($field, by $(, $how)?);)*)?
                    $($(crate::store::wire::disguised!($item, by $(, $item_how)?);)*)?
                }
            )* }
        }
    }
)* } }

/// As [`wire_struct`], for what is never part of an export as it is.
macro_rules! form_struct { ($($name:ident { $($field:ident),* $(,)? })*) => { $(
    impl crate::store::wire::Wire for $name {
        fn put(&self, out: &mut Vec<u8>) {
            let $name { $($field),* } = self;
            $($field.put(out);)*
        }
        fn take(input: &mut Input) -> Result<Self, Broken> {
            Ok($name { $($field: crate::store::wire::Wire::take(input)?),* })
        }
    }
)* } }

/// As [`wire_enum`], for what is never part of an export as it is.
macro_rules! form_enum { ($($name:ident { $($tag:literal $variant:ident $({ $($field:ident),* $(,)? })? $(( $($item:ident),* ))? ),* $(,)? })*) => { $(
    impl crate::store::wire::Wire for $name {
        fn put(&self, out: &mut Vec<u8>) {
            match self { $(
                $name::$variant $({ $($field),* })? $(( $($item),* ))? => {
                    out.push($tag);
                    $($($field.put(out);)*)?
                    $($($item.put(out);)*)?
                }
            )* }
        }
        fn take(input: &mut Input) -> Result<Self, Broken> {
            Ok(match input.byte()? {
                $($tag => $name::$variant
                    $({ $($field: crate::store::wire::Wire::take(input)?),* })?
                    $(( $({ let $item = crate::store::wire::Wire::take(input)?; $item }),* ))?,)*
                _ => return Err(Broken),
            })
        }
    }
)* } }

/// Numbers with a name.
macro_rules! wire_newtype { ($($name:ident),* $(,)?) => { $(
    impl Wire for $name {
        fn put(&self, out: &mut Vec<u8>) {
            self.0.put(out);
        }
        fn take(input: &mut Input) -> Result<Self, Broken> {
            Ok($name(Wire::take(input)?))
        }
    }
    crate::store::wire::says_nothing!($name);
)* } }

pub(crate) use disguise::{disguised, says_nothing};
pub(crate) use {form_enum, form_struct, wire_enum, wire_newtype, wire_struct};

impl Wire for u128 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        let mut number = 0;
        for shift in (0..128).step_by(7) {
            let byte = input.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken)
    }
}

impl Wire for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        u64::try_from(u128::take(input)?).map_err(|_| Broken)
    }
}

macro_rules! wire_small { ($($int:ty),*) => { $(
    impl Wire for $int {
        fn put(&self, out: &mut Vec<u8>) {
            (*self as u64).put(out);
        }
        fn take(input: &mut Input) -> Result<Self, Broken> {
            <$int>::try_from(u64::take(input)?).map_err(|_| Broken)
        }
    }
)* } }
wire_small!(u16, u32, usize);

impl Wire for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        input.byte()
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Broken),
        }
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        take_text(input).map(String::from)
    }
}

impl Wire for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        take_text(input).map(Arc::from)
    }
}

/// A word of the program. One that this version does not know any more is kept for good: there are a few dozen, read once a start.
impl Wire for &'static str {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        let word = take_text(input)?;
        let known = figures::WORDS.iter().find(|known| **known == word);
        Ok(known.copied().unwrap_or_else(|| String::leak(word.to_string())))
    }
}

pub fn put_text(text: &str, out: &mut Vec<u8>) {
    text.len().put(out);
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(input: &mut Input<'a>) -> Result<&'a str, Broken> {
    let length = usize::take(input)?;
    std::str::from_utf8(input.bytes(length)?).map_err(|_| Broken)
}

impl Wire for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_secs().put(out);
        self.subsec_nanos().put(out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        let (seconds, nanos) = <(u64, u32)>::take(input)?;
        if nanos < 1_000_000_000 { Ok(Duration::new(seconds, nanos)) } else { Err(Broken) }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        Ok(if bool::take(input)? { Some(T::take(input)?) } else { None })
    }
}

impl<T: Wire, E: Wire> Wire for Result<T, E> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_ok().put(out);
        match self {
            Ok(value) => value.put(out),
            Err(error) => error.put(out),
        }
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        Ok(if bool::take(input)? { Ok(T::take(input)?) } else { Err(E::take(input)?) })
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (**self).put(out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        T::take(input).map(Box::new)
    }
}

impl<T: Wire, const N: usize> Wire for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.put(out));
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        let items: Vec<T> = (0..N).map(|_| T::take(input)).collect::<Result<_, _>>()?;
        items.try_into().map_err(|_| Broken)
    }
}

macro_rules! wire_list { ($($list:ty: $($bound:ident)?),* $(,)?) => { $(
    impl<T: Wire $(+ $bound)?> Wire for $list {
        fn put(&self, out: &mut Vec<u8>) {
            self.len().put(out);
            self.iter().for_each(|item| item.put(out));
        }
        fn take(input: &mut Input) -> Result<Self, Broken> {
            let count = input.count()?;
            (0..count).map(|_| T::take(input)).collect()
        }
    }
)* } }
wire_list!(Vec<T>:, VecDeque<T>:, BTreeSet<T>: Ord, Arc<[T]>:);

impl<K: Wire + Ord, V: Wire> Wire for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        let count = input.count()?;
        (0..count).map(|_| <(K, V)>::take(input)).collect()
    }
}

macro_rules! wire_tuple { ($($name:ident $index:tt),*) => {
    impl<$($name: Wire),*> Wire for ($($name,)*) {
        fn put(&self, out: &mut Vec<u8>) {
            $(self.$index.put(out);)*
        }
        fn take(input: &mut Input) -> Result<Self, Broken> {
            Ok(($($name::take(input)?,)*))
        }
    }
} }
wire_tuple!(A 0, B 1);
wire_tuple!(A 0, B 1, C 2);
wire_tuple!(A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acd::event::Restored;
    use crate::acd::{Acd, Config, Event, storm};

    fn there_and_back(event: &Event) -> Event {
        let mut bytes = Vec::new();
        event.put(&mut bytes);
        let mut input = Input(&bytes);
        let back = Event::take(&mut input).unwrap_or_else(|Broken| panic!("{} does not come back", event.name()));
        assert!(input.is_empty(), "{} leaves bytes over", event.name());
        for cut in [bytes.len() / 2, bytes.len() - 1] {
            assert!(Event::take(&mut Input(&bytes[..cut])).is_err(), "half of {} is taken for the whole", event.name());
        }
        back
    }

    /// The flows and the calendars come from the sources.
    fn without_flows(event: &Event) -> Event {
        match event {
            Event::ConfigChanged(config) => {
                Event::ConfigChanged(Box::new(Config { flows: BTreeMap::new(), calendars: BTreeMap::new(), ..(**config).clone() }))
            }
            other => other.clone(),
        }
    }

    #[test]
    fn every_event_and_every_checkpoint_of_a_storm_comes_back() {
        let mut seen = BTreeSet::new();
        for seed in 1..=3 {
            let mut step = 0;
            storm::watched(seed, 1_000, true, &mut |event: &Event, acd: &Acd| {
                assert_eq!(there_and_back(event), without_flows(event), "seed {seed}, step {step}");
                seen.insert(event.name());
                if step % 50 == 0 {
                    for piece in acd.checkpoint() {
                        assert_eq!(there_and_back(&piece), without_flows(&piece), "seed {seed}, step {step}");
                        seen.insert(match &piece {
                            Event::Restored(piece) => match **piece {
                                Restored::Call(..) => "a call",
                                Restored::Offer(..) => "an offer",
                                Restored::Agent(..) => "an agent",
                                Restored::OwnCall(..) => "an own call",
                                Restored::Rest(_) => "the rest",
                                Restored::Figures(_) => "the figures",
                            },
                            other => other.name(),
                        });
                    }
                }
                step += 1;
            });
        }
        for name in [
            "a call",
            "an offer",
            "an agent",
            "an own call",
            "the rest",
            "the figures",
            "config_changed",
            "transfer_asked",
            "wrap_up_extended",
        ] {
            assert!(seen.contains(name), "the storm never reached {name}: {seen:?}");
        }
    }

    #[test]
    fn numbers_of_every_size_come_back() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            (number, u128::from(number) << 60).put(&mut bytes);
            assert_eq!(<(u64, u128)>::take(&mut Input(&bytes)), Ok((number, u128::from(number) << 60)));
        }
        assert_eq!(u16::take(&mut Input(&[0xff, 0xff, 0x7f])), Err(Broken));
        assert_eq!(Vec::<u64>::take(&mut Input(&[0xff, 0xff, 0x7f, 1])), Err(Broken), "a count beyond the bytes that are there");
    }
}
