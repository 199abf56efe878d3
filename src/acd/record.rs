//! One call, written down once: a caller's, or one that an agent placed.

use super::call::{Disposition, Segment};
pub use super::call::{OfferRecord, VisitRecord};
use crate::model::{CallId, Language, Phi, PhoneNumber, Time};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    pub call: CallId,
    /// Empty for a call that an agent placed: its segment names them.
    pub from: PhoneNumber,
    pub to: PhoneNumber,
    /// The configured number that was dialled; `Placed::label` of a call that an agent placed.
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
    pub wrap_up_code: Option<Phi<String>>,
}
