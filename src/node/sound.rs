//! What each call sounded like and where it is recorded, until its record is written.

use super::legs::Role;
use crate::acd::CallRecord;
use crate::media::{self, tape};
use crate::model::{CallId, Hearing, LegId, Time};
use crate::store::recording::Outcomes;
use crate::store::{Recorder, Recording, Sounds, StoredSound};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub struct Sound {
    recorder: Recorder,
    calls: BTreeMap<CallId, Heard>,
    /// The media sessions that are open: whose call each is, and who is at its other end once it ends.
    legs: BTreeMap<LegId, (CallId, Option<Role>)>,
}

#[derive(Default)]
struct Heard {
    open: BTreeSet<LegId>,
    sounds: Sounds,
    /// The call is closed: its record waits for the last leg's figures.
    record: Option<Box<CallRecord>>,
}

/// A recording takes what the media tapes.
struct Reel(Recording);

impl tape::Sink for Reel {
    fn chunk(&mut self, bytes: Vec<u8>) {
        self.0.write(bytes);
    }
}

/// A record that can be written.
pub type Ready = Option<(Box<CallRecord>, Sounds)>;

impl Sound {
    /// `left` is what a crash left of calls whose record is still to come.
    pub fn new(recorder: Recorder, left: BTreeMap<CallId, Sounds>) -> Sound {
        let heard = |sounds| Heard { sounds, ..Heard::default() };
        let calls = left.into_iter().map(|(call, sounds)| (call, heard(sounds))).collect();
        Sound { recorder, calls, legs: BTreeMap::new() }
    }

    pub fn outcomes(&self) -> Outcomes {
        self.recorder.outcomes()
    }

    pub fn opened(&mut self, call: CallId, leg: LegId) {
        self.legs.insert(leg, (call, None));
        self.calls.entry(call).or_default().open.insert(leg);
    }

    /// A leg that was set up ends: what it sounded like belongs to this party. A code of the house has no record to keep it.
    pub fn closing(&mut self, leg: LegId, role: Role) {
        if let Some((_, whose)) = self.legs.get_mut(&leg) {
            *whose = Some(role).filter(|role| *role != Role::Code);
        }
    }

    /// A leg's media session has ended.
    pub fn closed(&mut self, leg: LegId, stats: &media::Stats) -> Ready {
        let (call, role) = self.legs.remove(&leg)?;
        let heard = self.calls.get_mut(&call)?;
        heard.open.remove(&leg);
        if let Some(role) = role.filter(|_| stats.sent + stats.received > 0) {
            heard.sounds.legs.push(stored(role, stats));
        }
        if heard.open.is_empty() && (heard.record.is_some() || heard.sounds == Sounds::default()) {
            // A call that was refused at the door has no record: it is forgotten with its only leg.
            let heard = self.calls.remove(&call).expect("it was there a moment ago");
            return heard.record.map(|record| (record, heard.sounds));
        }
        None
    }

    /// A call is closed: its record, if all of it is known already.
    pub fn record(&mut self, record: Box<CallRecord>) -> Ready {
        match self.calls.get_mut(&record.call) {
            Some(heard) if !heard.open.is_empty() => {
                heard.record = Some(record);
                None
            }
            Some(_) => {
                let heard = self.calls.remove(&record.call).expect("it was there a moment ago");
                Some((record, heard.sounds))
            }
            // Nothing was heard of it.
            None => Some((record, Sounds::default())),
        }
    }

    /// Whether a call is closed whose record waits.
    pub fn waits(&self) -> bool {
        self.calls.values().any(|heard| heard.record.is_some())
    }

    /// What will not be known any more is left out: the records that still wait.
    pub fn rest(&mut self) -> Vec<(Box<CallRecord>, Sounds)> {
        let calls = std::mem::take(&mut self.calls);
        calls.into_values().filter_map(|heard| Some((heard.record?, heard.sounds))).collect()
    }

    /// The next part of a call's recording.
    pub fn begin(&mut self, call: CallId, now: Time) -> Box<dyn tape::Sink> {
        let files = &mut self.calls.entry(call).or_default().sounds.recordings;
        let (recording, file) = self.recorder.begin(call, files.len() as u32 + 1, now);
        files.push(file);
        Box::new(Reel(recording))
    }
}

/// The two who hear each other, the caller first.
pub fn pair(hearing: &Hearing, is_caller: impl Fn(LegId) -> bool) -> Option<[LegId; 2]> {
    let legs: Vec<LegId> = hearing.keys().copied().collect();
    match legs[..] {
        [one, other] if is_caller(one) => Some([one, other]),
        [one, other] if is_caller(other) => Some([other, one]),
        _ => None,
    }
}

fn stored(role: Role, stats: &media::Stats) -> StoredSound {
    let micros = |span: Duration| span.as_micros() as u64;
    let there = |value: u64| stats.reported.then_some(value);
    StoredSound {
        agent: match role {
            Role::Offer(_, agent) => Some(agent.0),
            Role::Caller | Role::Code | Role::Station | Role::Far(_) => None,
        },
        received: stats.received,
        lost: stats.lost,
        jitter: micros(stats.jitter),
        score: stats.mos(),
        sent: stats.sent,
        lost_there: there(stats.lost_there),
        jitter_there: there(micros(stats.jitter_there)),
        score_there: stats.mos_there(),
        round_trip: stats.round_trip.map(micros),
    }
}
