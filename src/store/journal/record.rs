//! One entry of the journal.

use crate::acd::Event;
use crate::model::{Sources, Time};
use crate::store::wire::{Broken, Input, VERSION, Wire, form_enum, form_struct};
use std::net::SocketAddr;

/// A file is its head, the sources, the contacts, the INVITEs of late and the pieces of a checkpoint, [`Record::Whole`], then what happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Head(Head),
    /// From here on calendars are around `at`; `None`: of the same sources as before.
    Configured {
        at: Time,
        sources: Option<Box<Sources>>,
    },
    /// Where a station can be rung from here on; none: nowhere.
    Contacts {
        user: String,
        contacts: Vec<Contact>,
    },
    /// The call that follows began with this INVITE of a trunk's, which may come again for a while.
    Invited(Invited),
    /// A piece of the checkpoint.
    Piece(Event),
    /// The checkpoint is whole.
    Whole,
    /// The core that wrote this could not bear what it is told next: no fact came of it.
    Unborne,
    /// What the core was told at a time, and how many facts came of it.
    Told {
        at: Time,
        event: Event,
        facts: u64,
    },
}

/// What every file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub version: u32,
    /// Of the file; they count on.
    pub number: u64,
    /// Of the checkpoint.
    pub at: Time,
    /// The next call's number.
    pub next_call: u64,
}

/// A registration over UDP: it outlives the process, since the station notices nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub uri: String,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub expires: Time,
    pub call_id: Vec<u8>,
    pub cseq: u32,
    pub instance: Option<Vec<u8>>,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As its writer meant it to.
    Closed,
    /// By a crash, or it is still being written: what came before is whole.
    Torn,
    /// By something that was not written so: what came before is whole.
    Altered,
}

form_enum! {
    Record {
        1 Configured { at, sources },
        2 Contacts { user, contacts },
        3 Piece(event),
        4 Whole,
        5 Told { at, event, facts },
        6 Unborne,
        7 Invited(invited),
        // Stays first in every version: it says which one it is.
        0 Head(head),
    }
}

/// What stays the same however often an INVITE is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    pub at: Time,
    pub call_id: Vec<u8>,
    pub from_tag: Vec<u8>,
    pub cseq: u32,
}

form_struct! {
    Invited { at, call_id, from_tag, cseq }
    Contact { uri, local, remote, expires, call_id, cseq, instance }
}

impl Wire for Head {
    fn put(&self, out: &mut Vec<u8>) {
        let Head { version, number, at, next_call } = self;
        version.put(out);
        number.put(out);
        at.put(out);
        next_call.put(out);
    }
    /// Of another version nothing but that is read.
    fn take(input: &mut Input) -> Result<Self, Broken> {
        let version = u32::take(input)?;
        if version != VERSION {
            *input = Input(&[]);
            return Ok(Head { version, number: 0, at: Time(0), next_call: 0 });
        }
        Ok(Head { version, number: Wire::take(input)?, at: Wire::take(input)?, next_call: Wire::take(input)? })
    }
}

/// The first half of a [`Record::Told`]; the count of facts follows when the core has answered.
pub fn put_told(at: Time, event: &Event, out: &mut Vec<u8>) {
    out.push(5);
    at.put(out);
    event.put(out);
}
