//! The one timer table of the stack, on the time that it is told.

use super::api::DialogId;
use super::key::{ClientKey, ServerKey};
use crate::model::Time;
use std::collections::BTreeSet;
use std::time::Duration;

/// RFC 3261 table 4.
pub const T1: Duration = Duration::from_millis(500);
pub const T2: Duration = Duration::from_secs(4);
pub const T4: Duration = Duration::from_secs(5);
/// Timers B, D, F, H, J, L, M, and the wait for an ACK.
pub const T1_X64: Duration = Duration::from_secs(32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// When to send a request again (A, E).
    ClientResend(ClientKey),
    /// When a client transaction gives up or is forgotten (B, F, D, K, M).
    ClientEnd(ClientKey),
    /// When to send a final response again (G).
    ServerResend(ServerKey),
    /// When a server transaction gives up or is forgotten (H, I, J, L).
    ServerEnd(ServerKey),
    /// When to send a 2xx to INVITE again (RFC 3261 §13.3.1.4).
    AnswerResend(DialogId),
    /// When no ACK is coming any more.
    AnswerEnd(DialogId),
    /// When a trunk's peer or a station that has said nothing is taken to be dead.
    Patience(DialogId),
    /// When a session is refreshed, or ends.
    Session(DialogId),
    /// When a provisional answer that must arrive is sent again.
    ReliableResend(DialogId),
    /// When no PRACK is coming any more.
    ReliableEnd(DialogId),
}

#[derive(Debug, Default)]
pub struct Timers(BTreeSet<(Time, Timer)>);

impl Timers {
    /// Moves a timer from where `slot` says it stands to `at`.
    pub fn set(&mut self, slot: &mut Option<Time>, at: Option<Time>, timer: Timer) {
        if let Some(old) = slot.take() {
            let stood = self.0.remove(&(old, timer));
            debug_assert!(stood, "a slot and the table agree");
        }
        if let Some(at) = at {
            self.0.insert((at, timer));
        }
        *slot = at;
    }

    pub fn next(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the first timer that is due; its slot still says when it stood.
    pub fn due(&mut self, now: Time) -> Option<Timer> {
        let (at, _) = self.0.first()?;
        if *at > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
