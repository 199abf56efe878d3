//! What media reports.

use crate::model::{LegId, OfferId, PlayId};
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// Nothing, neither RTP nor RTCP, was received for so long as `Settings::silence` says, where sound was agreed; reported again each
    /// time that it has lasted so long.
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
    /// The party has reported what it received of us: the next two are its words.
    pub reported: bool,
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

impl Stats {
    /// How good the sound was that we received, as a mean opinion score from 1 to 4.4: the E-model (ITU-T G.107) for G.711 with concealment
    /// of losses (G.113: Bpl 25.1), with half the round trip and a buffer of twice the jitter as its delay. `None` if nothing was received.
    pub fn mos(&self) -> Option<f64> {
        (self.received > 0).then(|| score(self.lost, self.received + self.lost, self.jitter, self.round_trip))
    }

    /// The same of the sound that the party received, by its own reports; `None` if it reported nothing.
    pub fn mos_there(&self) -> Option<f64> {
        (self.reported && self.sent > 0).then(|| score(self.lost_there, self.sent, self.jitter_there, self.round_trip))
    }
}

fn score(lost: u64, expected: u64, jitter: Duration, round_trip: Option<Duration>) -> f64 {
    let loss = 100.0 * lost.min(expected) as f64 / expected as f64;
    let delay = 1000.0 * (round_trip.unwrap_or_default().as_secs_f64() / 2.0 + 2.0 * jitter.as_secs_f64()) + 20.0;
    let late = 0.024 * delay + 0.11 * (delay - 177.3).max(0.0);
    let r = (93.2 - late - 95.0 * loss / (loss + 25.1)).clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
}

/// Counters of all legs, which only grow. Read at any time, from any thread.
#[derive(Debug, Default)]
pub struct Totals {
    sent: AtomicU64,
    received: AtomicU64,
    strangers: AtomicU64,
}

impl Totals {
    /// RTP packets sent to parties.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Valid RTP packets received from parties.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Packets from others than the parties, dropped.
    pub fn strangers(&self) -> u64 {
        self.strangers.load(Ordering::Relaxed)
    }

    pub(super) fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_stranger(&self) {
        self.strangers.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(received: u64, lost: u64, jitter: u64, round_trip: u64) -> f64 {
        let stats = Stats {
            received,
            lost,
            jitter: Duration::from_millis(jitter),
            round_trip: Some(Duration::from_millis(round_trip)),
            ..Stats::default()
        };
        stats.mos().unwrap()
    }

    /// R is 92.7, 76.9 and 50.6: G.107's annex B gives 4.4, 3.9 and 2.6 there.
    #[test]
    fn the_score_falls_with_loss_and_delay() {
        assert!((heard(1000, 0, 0, 0) - 4.40).abs() < 0.01, "{}", heard(1000, 0, 0, 0));
        assert!((heard(950, 50, 0, 0) - 3.90).abs() < 0.01, "{}", heard(950, 50, 0, 0));
        assert!((heard(800, 200, 0, 0) - 2.61).abs() < 0.01, "{}", heard(800, 200, 0, 0));
        assert!(heard(1000, 0, 0, 600) < heard(1000, 0, 0, 200));
        assert!(heard(1000, 0, 60, 0) < heard(1000, 0, 5, 0));
        assert!((1.0..1.2).contains(&heard(1, 1_000_000, 500, 2000)));
        assert_eq!((Stats::default().mos(), Stats::default().mos_there()), (None, None));
    }
}
