//! What the swarm counted: calls, offers, times, packets, and the server's process beside them.

use super::process::Sample;
use std::collections::BTreeMap;
use std::time::Duration;

/// Durations, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<u32>);

impl Spread {
    pub fn add(&mut self, duration: Duration) {
        self.0.push(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn over(&self, most: Duration) -> usize {
        self.0.iter().filter(|micros| u128::from(**micros) > most.as_micros()).count()
    }

    /// The smallest value that so many of a hundred do not exceed, in milliseconds; NaN of nothing.
    pub fn percentile(&mut self, percent: f64) -> f64 {
        self.0.sort_unstable();
        let rank = (self.0.len() as f64 * percent / 100.0).ceil() as usize;
        self.0.get(rank.max(1) - 1).map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }

    fn json(&mut self) -> serde_json::Value {
        serde_json::json!({
            "count": self.count(), "p50": self.percentile(50.0), "p95": self.percentile(95.0), "p99": self.percentile(99.0),
            "max": self.percentile(100.0),
        })
    }
}

/// What callers and agents saw from the first call to the last.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    pub dialled: u64,
    /// Got our 200.
    pub established: u64,
    /// Ended by the other side: served, in a centre where only agents hang up.
    pub completed: u64,
    /// Hung up by the caller, out of patience.
    pub abandoned: u64,
    /// Alive when the run ended, and hung up therefore.
    pub dismissed: u64,
    /// Refused with this code.
    pub refused: BTreeMap<u16, u64>,
    /// No answer to our requests, or still there when everybody should have gone.
    pub lost: u64,
    /// INVITEs at agents' stations, by Call-ID; those that came with a Call-ID seen before, or to an agent who was busy.
    pub offers: u64,
    pub offers_repeated: u64,
    pub offers_while_busy: u64,
    pub offers_withdrawn: u64,
    /// Talks that the caller ended.
    pub offers_left: u64,
    /// Talks that an agent ended after the ACK.
    pub served: u64,
    /// Offers that ended otherwise: the agent's station got no ACK, or no answer to its goodbye.
    pub offers_lost: u64,
    /// Messages that rsip could not read or that fit nothing.
    pub unreadable: u64,
    pub resent: u64,
    pub repeated: u64,
    /// Times that the server asked whether a silent party is there.
    pub probed: u64,
}

/// SIP messages and bytes, as our sockets saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub sent: u64,
    pub received: u64,
    pub bytes: u64,
}

impl Traffic {
    pub fn less(self, before: Traffic) -> Traffic {
        Traffic { sent: self.sent - before.sent, received: self.received - before.received, bytes: self.bytes - before.bytes }
    }
}

/// What happened in the window alone.
#[derive(Clone, Debug, Default)]
pub struct Window {
    pub seconds: f64,
    pub completed: u64,
    pub offers: u64,
    /// INVITE to 200, of callers.
    pub answer: Spread,
    /// An agent's goodbye to the next INVITE at the same station, both as the station's phone sees them.
    pub dispatch: Spread,
    /// Agents' share of time with a call, from its INVITE to its goodbye.
    pub agents_busy: f64,
    pub traffic: Traffic,
    /// The server's process at both ends.
    pub server: Option<(Sample, Sample)>,
}

/// What the sound thread heard in the window.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub sent: u64,
    pub packets: u64,
    /// Packets of a party of ours, and how old they were.
    pub forwarded: u64,
    pub delay: Spread,
    /// The rest is music and speech: how much later than 20 ms after the one before each came.
    pub late: Spread,
}

/// A whole run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub calls: Calls,
    pub window: Window,
    pub heard: Heard,
    /// The server before the first call, and from then on, with the calls completed.
    pub samples: Vec<(f64, u64, Sample)>,
    /// Why the run could not go on.
    pub trouble: Option<String>,
}

impl Report {
    /// Everything that should not have been; empty in a good run.
    pub fn losses(&self) -> Vec<String> {
        let calls = &self.calls;
        let mut losses: Vec<String> = self.trouble.iter().cloned().collect();
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                losses.push(format!("{count} {what}"));
            }
        };
        say(calls.lost, "calls lost");
        say(calls.offers_lost, "offers lost");
        say(calls.offers_repeated, "offers with a Call-ID seen before");
        say(calls.offers_while_busy, "offers to an agent who was busy");
        say(calls.unreadable, "messages that could not be read");
        say(calls.completed.saturating_sub(calls.served), "callers cut off without an agent's goodbye");
        for (code, count) in &calls.refused {
            say(*count, &format!("calls refused with {code}"));
        }
        losses
    }

    pub fn json(&mut self) -> serde_json::Value {
        let losses = self.losses();
        let sample = |s: &Sample| serde_json::json!({"cpu_ms": s.cpu_ms, "rss_kib": s.rss_kib, "files": s.files, "threads": s.threads});
        let (calls, window, heard) = (&self.calls, &mut self.window, &mut self.heard);
        let server = window.server.as_ref().map(|(before, after)| serde_json::json!([sample(before), sample(after)]));
        let samples: Vec<_> = self.samples.iter().map(|(at, completed, s)| serde_json::json!([at, completed, sample(s)])).collect();
        let late = Duration::from_millis(20);
        serde_json::json!({
            "calls": {
                "dialled": calls.dialled, "established": calls.established, "completed": calls.completed, "abandoned": calls.abandoned,
                "dismissed": calls.dismissed, "refused": calls.refused, "lost": calls.lost,
            },
            "offers": {
                "made": calls.offers, "served": calls.served, "withdrawn": calls.offers_withdrawn, "left": calls.offers_left, "lost": calls.offers_lost,
                "repeated": calls.offers_repeated, "while_busy": calls.offers_while_busy,
            },
            "sip": {"resent": calls.resent, "repeated": calls.repeated, "probed": calls.probed, "unreadable": calls.unreadable},
            "window": {
                "seconds": window.seconds, "completed": window.completed, "offers": window.offers, "agents_busy": window.agents_busy,
                "answer_ms": window.answer.json(), "dispatch_ms": window.dispatch.json(), "server": server,
                "sip": {"sent": window.traffic.sent, "received": window.traffic.received, "bytes": window.traffic.bytes},
            },
            "rtp": {
                "sent": heard.sent, "heard": heard.packets, "forwarded": heard.forwarded, "delay_ms": heard.delay.json(),
                "late_ms": heard.late.json(), "late_over_20_ms": heard.late.over(late),
            },
            "samples": samples,
            "losses": losses,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let mut spread = Spread::default();
        assert!(spread.percentile(50.0).is_nan());
        for ms in (1..=100).rev() {
            spread.add(Duration::from_millis(ms));
        }
        let told = [1.0, 50.0, 95.0, 99.0, 99.5, 100.0].map(|p| spread.percentile(p));
        assert_eq!(told, [1.0, 50.0, 95.0, 99.0, 100.0, 100.0]);
        assert_eq!(spread.over(Duration::from_millis(98)), 2);
    }

    #[test]
    fn a_loss_is_told() {
        let calls = Calls { completed: 7, served: 7, ..Calls::default() };
        let mut report = Report { calls, ..Report::default() };
        assert_eq!(report.losses(), Vec::<String>::new());
        report.calls.completed = 9;
        report.calls.refused.insert(503, 4);
        assert_eq!(report.losses(), ["2 callers cut off without an agent's goodbye", "4 calls refused with 503"]);
    }
}
