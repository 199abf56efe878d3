//! Everything that can be asked of the outside.

use super::call::{MonitorMode, Placed, WithdrawWhy};
use super::fact::Fact;
use super::record::CallRecord;
use crate::model::{CallId, Destination, Hearing, Language, LegId, LookupId, OfferId, Phi, PlayId, Prompt, QueueId, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// 200 OK to the caller, or to the station that dialled; `LegEstablished` follows.
    Answer {
        leg: LegId,
    },
    /// Plays once, in this order, over anything that the leg hears; `PlayDone` follows unless stopped or replaced.
    Play {
        leg: LegId,
        play: PlayId,
        prompts: Vec<Prompt>,
    },
    StopPlay {
        leg: LegId,
        play: PlayId,
    },
    Lookup {
        call: CallId,
        lookup: LookupId,
        name: String,
        input: BTreeMap<String, Phi<String>>,
        timeout: Duration,
    },
    /// Hold music, until told otherwise; a `Play` interrupts it and it goes on afterwards.
    StartTreatment {
        leg: LegId,
        queue: QueueId,
    },
    StopTreatment {
        leg: LegId,
    },

    /// Makes every leg there is: offer, consult, transfer, callback, reminder, the far side of an agent's own call.
    Dial {
        leg: LegId,
        call: CallId,
        target: Destination,
        purpose: Purpose,
        show: Show,
    },
    /// The offer is over: cancel the leg, or end it if it was answered meanwhile. Nothing is heard of the offer again.
    Withdraw {
        offer: OfferId,
        leg: LegId,
        why: WithdrawWhy,
    },
    /// Who hears whom: bridge, hold, whisper, conference. For an offer's bridge, `Bridged` follows.
    Hear {
        call: CallId,
        matrix: Hearing,
        bridged: Option<OfferId>,
    },
    /// BYE, or the refusal of an INVITE that was not answered. Nothing is heard of the leg again.
    EndLeg {
        leg: LegId,
        why: EndWhy,
    },
    /// Help was not reached: tells the station what else to do, and ends its leg; `LegEnded` follows.
    Unreached {
        leg: LegId,
    },
    /// Writes down what caller and agent say to each other, or does so no longer. Start comes once they are bridged and Stop before
    /// anything else that ends the conversation; in between, Pause and Resume follow the agent's hold in turn.
    Record {
        call: CallId,
        action: RecordAction,
    },
    /// Out of the centre, through a trunk.
    Divert {
        call: CallId,
        leg: LegId,
        to: Destination,
    },

    /// Once a call, last: after its last wrap-up is over.
    CloseRecord(Box<CallRecord>),
    /// Numbered and lossless: folded into the figures, appended to the journal. `at` is the time of the fact, which a late deadline
    /// keeps.
    Note {
        number: u64,
        at: Time,
        fact: Fact,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Offer(OfferId),
    Consult,
    Transfer,
    Callback,
    Reminder,
    Monitor(MonitorMode),
    /// What a station dialled: `LegEstablished` or `LegEnded` follows.
    Placed(Placed),
}

/// What the ringing station may show: the queue's name and the caller's language, never the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    pub queue: Option<Arc<str>>,
    pub language: Language,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndWhy {
    /// The conversation, or the flow, is over.
    Done,
    /// Not a number of ours (404).
    NotFound,
    /// Too many calls (503).
    Full,
    /// We failed (500).
    Failed,
    /// A station dials while it is rung or in another call (486).
    Busy,
    /// A station dials where nobody is logged in (403).
    Forbidden,
    /// The far side was not reached (480, or what it said).
    NotReached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordAction {
    Start,
    Pause,
    Resume,
    Stop,
}
