//! What a phone has to send and has seen: its words to the person who holds it.

use super::transaction::DialogId;
use std::collections::VecDeque;

/// What is to be sent, and what has been seen.
#[derive(Debug, Default)]
pub struct Output {
    pub send: Vec<Vec<u8>>,
    pub seen: VecDeque<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Registered,
    RegistrationRefused(u16),

    Progress {
        dialog: DialogId,
        code: u16,
    },
    Established {
        dialog: DialogId,
        sdp: Vec<u8>,
    },
    Refused {
        dialog: DialogId,
        code: u16,
    },
    /// A 200 crossed our CANCEL; it has been acknowledged, and BYE sent.
    LateAnswer {
        dialog: DialogId,
    },

    Incoming {
        dialog: DialogId,
        shown: String,
        sdp: Vec<u8>,
    },
    Cancelled {
        dialog: DialogId,
    },
    Acknowledged {
        dialog: DialogId,
    },

    ByeReceived {
        dialog: DialogId,
    },
    ByeAnswered {
        dialog: DialogId,
    },
    Lost {
        dialog: DialogId,
    },
}

/// What `hang_up` had to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    Bye,
    Cancel,
    /// Nothing is left to end.
    Nothing,
}
