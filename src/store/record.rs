//! A call's record as it is kept: names instead of numbers of the configuration, words instead of variants, so that a record outlives
//! both the configuration and the program that wrote it.

use crate::acd::call::{Deflection, Disposition, Failure, Segment, Stage, VisitOutcome, Withdrawal};
use crate::acd::record::{OfferRecord, VisitRecord};
use crate::acd::{CallRecord, Config};
use crate::model::{Destination, Phi, PhoneNumber, QueueId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the configuration calls things.
#[derive(Clone, Debug, Default)]
pub struct Names {
    queues: BTreeMap<QueueId, Arc<str>>,
}

impl Names {
    pub fn of(config: &Config) -> Names {
        Names { queues: config.queues.iter().map(|(id, queue)| (*id, queue.name.clone())).collect() }
    }

    /// Takes further names, and other ones; what is gone is still called what it was.
    pub fn add(&mut self, config: &Config) {
        self.queues.extend(Names::of(config).queues);
    }

    fn queue(&self, id: QueueId) -> String {
        self.queues.get(&id).map_or_else(|| format!("queue-{id}"), |name| name.to_string())
    }
}

/// One closed call. Times are microseconds since the Unix epoch, spans are microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredCall {
    pub call: u64,
    #[serde(with = "phi")]
    pub from: PhoneNumber,
    #[serde(with = "phi")]
    pub to: PhoneNumber,
    pub did: String,
    pub language: String,
    pub arrived_at: u64,
    pub answered_at: Option<u64>,
    pub ended_at: u64,
    /// `Disposition::label`.
    pub disposition: String,
    /// What the disposition leaves open: the failure, where the call was diverted to (never a number).
    pub detail: Option<String>,
    pub wrap_up_code: Option<String>,
    pub visits: Vec<StoredVisit>,
    pub segments: Vec<StoredSegment>,
    #[serde(flatten)]
    pub sounds: Sounds,
}

/// What a call sounded like, leg by leg, and the files of its recording, part by part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sounds {
    pub legs: Vec<StoredSound>,
    pub recordings: Vec<String>,
}

/// One leg's sound, as we received it and as its party says that it arrived there. Scores are mean opinion scores from 1 to 4.4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredSound {
    /// `None`: the caller's.
    pub agent: Option<u64>,
    /// Packets.
    pub received: u64,
    pub lost: u64,
    pub jitter: u64,
    pub score: Option<f64>,
    pub sent: u64,
    pub lost_there: Option<u64>,
    pub jitter_there: Option<u64>,
    pub score_there: Option<f64>,
    pub round_trip: Option<u64>,
}

/// One stay in one queue, in the order entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVisit {
    pub queue: String,
    pub language: String,
    pub entered_at: u64,
    pub left_at: u64,
    /// `waiting`, `ringing`, `connecting`: the stage at which it ended.
    pub stage: String,
    /// `answered`, `abandoned`, `overflowed`, `deflected`, `failed`, `withdrawn`.
    pub outcome: String,
    /// `callback` or `voicemail`; `elsewhere` or `moved`.
    pub detail: Option<String>,
    pub offers: Vec<StoredOffer>,
}

/// One attempt to give the call to one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOffer {
    pub agent: u64,
    pub rung_at: u64,
    pub ended_at: u64,
    /// `OfferOutcome::label`.
    pub outcome: String,
}

/// One agent's time with the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSegment {
    pub agent: u64,
    pub queue: Option<String>,
    pub from: u64,
    pub to: Option<u64>,
    pub held: u64,
    pub wrap_up: Option<u64>,
    pub transferred: bool,
}

impl StoredCall {
    pub fn new(record: &CallRecord, names: &Names, sounds: Sounds) -> StoredCall {
        StoredCall {
            call: record.call.0,
            from: record.from.clone(),
            to: record.to.clone(),
            did: record.did.to_string(),
            language: record.language.to_string(),
            arrived_at: record.arrived_at.0,
            answered_at: record.answered_at.map(|time| time.0),
            ended_at: record.ended_at.0,
            disposition: record.disposition.label().into(),
            detail: disposition_detail(&record.disposition, names),
            wrap_up_code: record.wrap_up_code.clone().map(|code| code.0),
            visits: record.visits.iter().map(|visit| StoredVisit::new(visit, names)).collect(),
            segments: record.segments.iter().map(|segment| StoredSegment::new(segment, names)).collect(),
            sounds,
        }
    }
}

impl StoredVisit {
    fn new(visit: &VisitRecord, names: &Names) -> StoredVisit {
        let (outcome, detail) = visit_words(visit.outcome);
        StoredVisit {
            queue: names.queue(visit.queue),
            language: visit.language.to_string(),
            entered_at: visit.entered_at.0,
            left_at: visit.left_at.0,
            stage: stage_word(visit.stage).into(),
            outcome: outcome.into(),
            detail: detail.map(String::from),
            offers: visit.offers.iter().map(StoredOffer::new).collect(),
        }
    }
}

impl StoredOffer {
    fn new(offer: &OfferRecord) -> StoredOffer {
        StoredOffer { agent: offer.agent.0, rung_at: offer.rung_at.0, ended_at: offer.ended_at.0, outcome: offer.outcome.label().into() }
    }
}

impl StoredSegment {
    fn new(segment: &Segment, names: &Names) -> StoredSegment {
        StoredSegment {
            agent: segment.agent.0,
            queue: segment.queue.map(|id| names.queue(id)),
            from: segment.from.0,
            to: segment.to.map(|time| time.0),
            held: micros(segment.held),
            wrap_up: segment.wrap_up.map(micros),
            transferred: segment.transferred,
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Ringing => "ringing",
        Stage::Connecting => "connecting",
    }
}

fn visit_words(outcome: VisitOutcome) -> (&'static str, Option<&'static str>) {
    match outcome {
        VisitOutcome::Answered => ("answered", None),
        VisitOutcome::Abandoned(_) => ("abandoned", None),
        VisitOutcome::Overflowed => ("overflowed", None),
        VisitOutcome::Deflected(Deflection::Callback) => ("deflected", Some("callback")),
        VisitOutcome::Deflected(Deflection::Voicemail) => ("deflected", Some("voicemail")),
        VisitOutcome::Failed => ("failed", None),
        VisitOutcome::Withdrawn(Withdrawal::Elsewhere) => ("withdrawn", Some("elsewhere")),
        VisitOutcome::Withdrawn(Withdrawal::Moved) => ("withdrawn", Some("moved")),
    }
}

fn disposition_detail(disposition: &Disposition, names: &Names) -> Option<String> {
    match disposition {
        Disposition::Diverted(Destination::Queue(id)) => Some(format!("queue {}", names.queue(*id))),
        Disposition::Diverted(Destination::Agent(id)) => Some(format!("agent {id}")),
        Disposition::Diverted(Destination::Flow(name)) => Some(format!("flow {name}")),
        Disposition::Diverted(Destination::Number(_)) => Some("number".into()),
        Disposition::Diverted(Destination::Voicemail(name)) => Some(format!("voicemail {name}")),
        Disposition::Failed(Failure::LegLost) => Some("leg_lost".into()),
        Disposition::Failed(Failure::MediaLost) => Some("media_lost".into()),
        Disposition::Failed(Failure::FlowFault) => Some("flow_fault".into()),
        Disposition::Failed(Failure::NodeLost) => Some("node_lost".into()),
        _ => None,
    }
}

/// A number's form in a sealed chunk, and nowhere else.
mod phi {
    use super::{Phi, PhoneNumber};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &PhoneNumber, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&number.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PhoneNumber, D::Error> {
        String::deserialize(deserializer).map(Phi)
    }
}
