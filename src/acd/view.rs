//! What screens need.

use super::agent::{AgentState, Missed, NextState};
use super::call::Stage;
use super::figures::Figures;
use crate::model::{AgentId, CallId, Class, Language, QueueId, Time};
use std::collections::BTreeMap;

/// The centre at one moment. Built at most every 100 ms, only when something changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    pub at: Time,
    pub queues: BTreeMap<QueueId, QueueView>,
    pub agents: BTreeMap<AgentId, AgentView>,
    /// Calls in the centre, by what they are in: the flow, a queue, a conversation.
    pub in_flow: u64,
    pub in_queue: u64,
    pub talking: u64,
    /// In wrap-up only: the caller is gone, the record is open.
    pub wrapping: u64,
    /// Agents' own calls.
    pub placed: u64,
    pub figures: Figures,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueView {
    /// Waiting, ringing and connecting.
    pub open: u64,
    /// When the longest-waiting visit entered.
    pub longest_since: Option<Time>,
    /// Of those who serve this queue.
    pub agents_ready: u64,
    /// By state, in the order of `AgentState::LABELS`.
    pub agents: [u64; 8],
    /// The first 50 by rank.
    pub first: Vec<WaitingView>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct WaitingView {
    pub call: CallId,
    pub language: Language,
    pub class: Class,
    pub stage: Stage,
    pub entered_at: Time,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AgentView {
    pub state: AgentState,
    pub since: Time,
    pub reachable: bool,
    /// Where they work: the station's owner.
    pub station: AgentId,
    /// As `Acd::wish` says it.
    pub wish: Option<NextState>,
    /// Offers that rang out since the agent was last ready by their own word, the oldest first.
    pub missed: Vec<Missed>,
}
