//! Why: what can be asked of a core without changing it.

use super::agent::{AgentState, NotReadyReason};
use super::call::{Refusal, Stage};
use crate::model::{AgentId, CallId, Class, OfferId, QueueId, Time};
use std::sync::Arc;

/// Why is this caller waiting?
#[derive(Clone, Debug, PartialEq)]
pub struct WhyWaiting {
    pub call: CallId,
    pub visits: Vec<WaitingIn>,
    /// Kept for one agent alone until then.
    pub preferred: Option<(AgentId, Time)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct WaitingIn {
    pub queue: QueueId,
    pub class: Class,
    /// What the call needs, as it was written.
    pub needs: Arc<str>,
    pub stage: Stage,
    pub since: Time,
    /// 1: nobody of this queue is before it.
    pub position: u32,
    /// Everyone who serves the queue, with what stands between; those who could be offered the call come first, best first.
    pub agents: Vec<(AgentId, Standing)>,
}

/// How an agent stands to a call in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Could be offered the call; how they rank among those who could.
    Candidate(Rank),
    Excluded(Excluded),
}

/// What ranks an agent for a call, compared in this order; less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Has a scarce skill that the call does not need.
    pub kept_for_others: bool,
    /// Lacks what the call prefers.
    pub not_preferred: bool,
    /// The strategy's key.
    pub key: u64,
    pub idle_since: Time,
    pub agent: AgentId,
}

/// What keeps an agent from a call; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excluded {
    LoggedOut,
    NotReady(NotReadyReason),
    Unreachable,
    /// In another call, rung by one, or in after-call work.
    Busy(AgentState),
    LacksSkills,
    /// After a refusal.
    Refused(Refusal, Time),
    /// The agent is one of those kept free for calls that need a scarce skill.
    Reserved,
    /// The call is kept for another agent.
    Preferred(AgentId, Time),
    /// We could not place the call's last offer: it is offered to nobody until then.
    Paused(Time),
    /// Rings one more agent only then.
    Progressive(Option<Time>),
}

/// Why is this agent idle (or not)?
#[derive(Clone, Debug, PartialEq)]
pub struct WhyIdle {
    pub agent: AgentId,
    pub state: AgentState,
    pub since: Time,
    pub reachable: bool,
    /// Each queue that the agent serves: how many wait there, how many of them the agent could serve, and what stands between the agent
    /// and the best-ranked of those.
    pub queues: Vec<IdleIn>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct IdleIn {
    pub queue: QueueId,
    pub waiting: usize,
    pub fitting: usize,
    pub first: Option<(CallId, Standing)>,
}

/// Why was this agent chosen for the offer that is alive?
#[derive(Clone, Debug, PartialEq)]
pub struct WhyChosen {
    pub offer: OfferId,
    pub call: CallId,
    pub agent: AgentId,
    /// `None`: the call was sent to this agent's own hands.
    pub queue: Option<QueueId>,
    /// The chosen agent as if still idle, and everyone else as they stand now; the best first.
    pub agents: Vec<(AgentId, Standing)>,
}
