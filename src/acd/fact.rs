//! What became true, one by one: the figures are a fold over this list.

use super::agent::AgentState;
pub use super::call::OfferOutcome;
use super::call::{Disposition, Place, Placed, Refusal, Segment, Stage, TransferKind, VisitOutcome};
use crate::ivr::{FlowName, StepName, StepOutcome};
use crate::model::{AgentId, CallId, Class, Language, OfferId, QueueId, RequirementClass, Time};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    CallArrived {
        call: CallId,
        did: Arc<str>,
    },
    /// Every call ends once; its record follows at once.
    CallEnded {
        call: CallId,
        did: Arc<str>,
        disposition: Disposition,
        arrived_at: Time,
    },
    /// A station placed it: no caller's call, and in none of their figures.
    CallPlaced {
        call: CallId,
        agent: Option<AgentId>,
        kind: Placed,
    },
    /// Its record follows at once.
    PlacedEnded {
        call: CallId,
        kind: Placed,
        disposition: Disposition,
        placed_at: Time,
    },
    FlowStep {
        flow: FlowName,
        step: StepName,
        outcome: StepOutcome,
    },

    VisitEntered {
        call: CallId,
        queue: QueueId,
        language: Language,
        /// How it ranks from now on; a witness outside the core holds every offer against this.
        needs: RequirementClass,
        class: Class,
        place: Place,
    },
    VisitStage {
        call: CallId,
        queue: QueueId,
        language: Language,
        from: Stage,
        to: Stage,
    },
    VisitEnded {
        call: CallId,
        queue: QueueId,
        language: Language,
        stage: Stage,
        outcome: VisitOutcome,
        entered_at: Time,
        arrived_at: Time,
    },
    /// The ladder, a supervisor or a key changed what a waiting call needs or how it ranks.
    VisitRanked {
        call: CallId,
        queue: QueueId,
        needs: RequirementClass,
        class: Class,
    },

    OfferMade {
        offer: OfferId,
        call: CallId,
        queue: Option<QueueId>,
        agent: AgentId,
    },
    OfferEnded {
        offer: OfferId,
        call: CallId,
        queue: Option<QueueId>,
        agent: AgentId,
        outcome: OfferOutcome,
        rung_at: Time,
        /// When the agent's station answered, if it did.
        accepted_at: Option<Time>,
    },
    /// This agent and this call are kept apart until then.
    Held {
        agent: AgentId,
        call: CallId,
        until: Time,
        why: Refusal,
    },

    /// The state before lasted from `since` to now.
    Agent {
        agent: AgentId,
        from: AgentState,
        to: AgentState,
        since: Time,
    },
    /// Booked when the wrap-up that followed is over.
    SegmentEnded {
        call: CallId,
        language: Language,
        segment: Segment,
    },
    Transferred {
        queue: Option<QueueId>,
        kind: TransferKind,
        done: bool,
    },
    /// An event came too late to matter.
    Obsolete {
        event: &'static str,
    },
}
