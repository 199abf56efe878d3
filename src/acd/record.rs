//! One call, written down once.

use super::call::{Disposition, Segment, Stage, VisitOutcome};
use super::fact::OfferOutcome;
use crate::model::{AgentId, CallId, Language, PhoneNumber, QueueId, Time};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    pub call: CallId,
    pub from: PhoneNumber,
    pub to: PhoneNumber,
    pub did: Arc<str>,
    /// The caller's last language.
    pub language: Language,
    pub arrived_at: Time,
    /// The flow began: 200 OK.
    pub answered_at: Option<Time>,
    /// The caller's leg ended.
    pub ended_at: Time,
    pub visits: Vec<VisitRecord>,
    pub segments: Vec<Segment>,
    pub disposition: Disposition,
    pub wrap_up_code: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct VisitRecord {
    pub queue: QueueId,
    pub language: Language,
    pub entered_at: Time,
    pub left_at: Time,
    pub stage: Stage,
    pub outcome: VisitOutcome,
    pub offers: Vec<OfferRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRecord {
    pub agent: AgentId,
    pub rung_at: Time,
    pub ended_at: Time,
    pub outcome: OfferOutcome,
}
