//! What media reports.

use crate::model::{LegId, OfferId, PlayId};
use std::time::Duration;

/// Something that happened to a leg's sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The last packet of the last prompt has been sent. Not reported for a play that was stopped or replaced.
    PlayDone { leg: LegId, play: PlayId },
    /// A key was pressed (`0`–`9`, `*`, `#`, `A`–`D`); reported once, at its start.
    Key { leg: LegId, key: char },
    /// The `hear` of this offer is in force: sound flows.
    Joined { offer: OfferId },
    /// Nothing was received for ten seconds where sound was agreed; reported once for each such silence.
    Silent { leg: LegId },
    /// The leg's sockets are closed. Nothing is reported of it after this.
    Closed { leg: LegId, stats: Stats },
}

/// What a leg's sound was like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// RTP packets sent to the party.
    pub sent: u64,
    /// Valid RTP packets received from the party.
    pub received: u64,
    /// Packets that the sequence numbers say were sent to us and never came.
    pub lost: u64,
    /// Interarrival jitter as it last was (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// Packets of ours that the party's reports miss.
    pub lost_there: u64,
    /// The party's own jitter, as it last reported.
    pub jitter_there: Duration,
    /// Round trip by the last RTCP report; `None` if there was none.
    pub round_trip: Option<Duration>,
    /// Packets dropped because they came from elsewhere than the party's address.
    pub strangers: u64,
    /// Packets dropped because they were no RTP, or of a payload type that was not agreed.
    pub discarded: u64,
    /// Packets of ours that the kernel refused.
    pub unsent: u64,
}
