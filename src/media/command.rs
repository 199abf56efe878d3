//! What a worker can be told to do.

use super::library::Sound;
use super::session::Sockets;
use super::tape::Sink;
use crate::leg::negotiate::Agreed;
use crate::model::{CallId, Hearing, LegId, OfferId, PlayId};
use std::net::IpAddr;
use std::sync::Arc;

/// What `Media` asks of a worker, in the order asked.
pub enum Command {
    Open {
        call: CallId,
        leg: LegId,
        sockets: Sockets,
    },
    Negotiate {
        leg: LegId,
        negotiated: Agreed,
        signalled: IpAddr,
    },
    Play {
        leg: LegId,
        play: PlayId,
        sounds: Vec<Arc<Sound>>,
    },
    StopPlay {
        leg: LegId,
        play: PlayId,
    },
    StartMusic {
        leg: LegId,
        track: Arc<Sound>,
    },
    StopMusic {
        leg: LegId,
    },
    /// What a leg that was in no queue hears while the other side holds.
    HoldMusic {
        track: Option<Arc<Sound>>,
    },
    Hear {
        call: CallId,
        hearing: Hearing,
        offer: Option<OfferId>,
    },
    Record {
        call: CallId,
        sides: [LegId; 2],
        sink: Box<dyn Sink>,
    },
    PauseRecording {
        call: CallId,
        paused: bool,
    },
    StopRecording {
        call: CallId,
    },
    Close {
        leg: LegId,
    },
    Stop,
    /// Makes the leg's next tick panic, to show what becomes of the others.
    #[cfg(test)]
    Break {
        leg: LegId,
    },
}
