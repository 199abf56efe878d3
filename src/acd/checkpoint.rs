//! What a checkpoint holds beside calls, offers, agents and figures.

use super::call::Refusal;
use crate::model::{AgentId, CallId, PhoneNumber, QueueId, Time};
use std::collections::BTreeSet;

/// Everything else that the core remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rest {
    pub now: Time,
    /// The newest number given to an offer (and its leg), a play and a fact.
    pub offers: u64,
    pub plays: u64,
    pub facts: u64,
    pub holds: Vec<(AgentId, Hold)>,
    /// Who was offered a call last, for round robin.
    pub last_offered: Vec<(QueueId, AgentId)>,
    /// How busy agents were when they became ready last, in millionths.
    pub occupancy: Vec<(AgentId, u64)>,
    /// Returning callers and the agent they spoke to, the oldest first.
    pub last_agents: Vec<(PhoneNumber, AgentId)>,
    /// Queues that are gone from the configuration and serve who still waits.
    pub retired: BTreeSet<QueueId>,
}

/// This agent is not offered this call until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub call: CallId,
    pub until: Time,
    pub why: Refusal,
}
