//! An agent at work: what they are doing, and what they asked to do next.

use super::call::Segment;
use crate::model::{AgentId, CallId, OfferId, QueueId, Time};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentState {
    LoggedOut,
    NotReady(NotReadyReason),
    /// Idle and able to be offered a call.
    Ready,
    Offered(OfferId),
    /// Has answered; the whisper plays or the sound is being joined.
    Connecting(OfferId),
    Talking(CallId),
    /// After-call work.
    WrapUp {
        call: CallId,
        until: Time,
    },
    /// On a call of their own (`Agent::own`), who would be ready or not ready without it: any leg makes an agent busy, queue call or not.
    OwnCall,
}

impl AgentState {
    pub const LABELS: [&'static str; 8] = ["logged_out", "not_ready", "ready", "offered", "connecting", "talking", "wrap_up", "own_call"];

    /// The label `state` of `agents` and `agent_state_seconds_total`.
    pub fn label(self) -> &'static str {
        match self {
            AgentState::LoggedOut => "logged_out",
            AgentState::NotReady(_) => "not_ready",
            AgentState::Ready => "ready",
            AgentState::Offered(_) => "offered",
            AgentState::Connecting(_) => "connecting",
            AgentState::Talking(_) => "talking",
            AgentState::WrapUp { .. } => "wrap_up",
            AgentState::OwnCall => "own_call",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotReadyReason {
    LoggedIn,
    Break,
    Meal,
    Training,
    Other,
    RingNoAnswer,
    StationLost,
    Code(u16),
}

impl NotReadyReason {
    /// The label `reason`; every configured code is `code`.
    pub fn label(self) -> &'static str {
        match self {
            NotReadyReason::LoggedIn => "logged_in",
            NotReadyReason::Break => "break",
            NotReadyReason::Meal => "meal",
            NotReadyReason::Training => "training",
            NotReadyReason::Other => "other",
            NotReadyReason::RingNoAnswer => "ring_no_answer",
            NotReadyReason::StationLost => "station_lost",
            NotReadyReason::Code(_) => "code",
        }
    }
}

/// So many missed calls are remembered of an agent.
pub const MISSED_MAX: usize = 60;

/// An offer that rang out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// When it began to ring.
    pub at: Time,
    /// `None`: a call for this agent's own hands.
    pub queue: Option<QueueId>,
}

/// What the core remembers of an agent. Its configuration is beside it, in `Config::agents`.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    pub state: AgentState,
    /// When the present state began.
    pub since: Time,
    /// Asked for during a call or wrap-up, or what an own call interrupted: takes effect when that ends.
    pub next: Option<NextState>,
    /// Calls that the agent's station placed and that last, the oldest first; beside any state but ready and not ready.
    pub own: Vec<CallId>,
    /// The station answers; a ready agent whose station is lost is not ready (`StationLost`) and ready again when it is found.
    pub reachable: bool,
    /// The station at which they work, by its owner; `None`: their own.
    pub station: Option<AgentId>,
    /// Offers in a row that rang out.
    pub no_answers: u32,
    /// Offers that rang out since the agent last said that they are ready, or logged in; the newest [`MISSED_MAX`], the oldest first.
    pub missed: std::collections::VecDeque<Missed>,
    pub logged_in_at: Time,
    pub calls_since_login: u64,
    pub idle_since: Time,
    /// When the present offer, or what came of it, began.
    pub busy_from: Option<Time>,
    /// Busy spans that ended, for occupancy over the last 30 minutes.
    pub busy: std::collections::VecDeque<(Time, Time)>,
    /// The segment whose wrap-up is under way.
    pub wrapping: Option<(CallId, Segment, Duration)>,
}

impl Agent {
    pub fn miss(&mut self, missed: Missed) {
        self.missed.push_back(missed);
        if self.missed.len() > MISSED_MAX {
            self.missed.pop_front();
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextState {
    Ready,
    NotReady(NotReadyReason),
    LoggedOut,
}
