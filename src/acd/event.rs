//! Everything that can happen.

use super::agent::{Agent, NotReadyReason};
use super::call::{Call, MonitorMode, Offer, OwnCall, Placed, Refusal, TransferKind};
use super::config::Config;
use super::figures::Figures;
use crate::model::{AgentId, CallId, Class, Destination, Digits, EdgeId, LegId, LookupId, OfferId, Phi, PhoneNumber, PlayId, QueueId};
use std::collections::BTreeMap;
use std::time::Duration;

/// The least number of a leg that the core dials; the shell numbers the legs that it sees arrive below this.
pub const LEGS_OF_THE_CORE: u64 = 1 << 62;

/// One thing that happened outside, in the words of whoever saw it. An event that comes too late is normal and changes nothing but a
/// fact; an event that cannot be is a bug of the shell and fails an assertion.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    // ── the caller ──
    /// An INVITE for the configured number `to` from a trunk. `call` and `leg` are new; `leg` is below [`LEGS_OF_THE_CORE`], from which
    /// on the core numbers the legs that it dials itself.
    CallArrived {
        call: CallId,
        leg: LegId,
        from: PhoneNumber,
        to: PhoneNumber,
    },
    /// The caller's leg has been answered, or a leg that was dialled for another purpose than an offer is up.
    LegEstablished {
        leg: LegId,
    },
    /// A station dials: `agent` is who works there, if they are configured. `call` and `leg` (the station's, ringing) are new, as in
    /// `CallArrived`. Its end is `LegEnded`, of any kind of call.
    CallPlaced {
        call: CallId,
        leg: LegId,
        agent: Option<AgentId>,
        to: PhoneNumber,
        kind: Placed,
    },
    /// Any party's leg is gone, by its own wish or by loss. Nothing is heard of this leg again.
    LegEnded {
        leg: LegId,
        cause: LegEnd,
    },

    // ── the flow's hands and eyes ──
    PlayDone {
        leg: LegId,
        play: PlayId,
    },
    /// One key or several, in the order pressed; sent as soon as each is known.
    DigitsEntered {
        leg: LegId,
        digits: Digits,
    },
    LookupDone {
        call: CallId,
        lookup: LookupId,
        answer: Result<BTreeMap<String, Phi<String>>, LookupError>,
    },

    // ── an offer, as the agent's leg saw it ──
    OfferAlerting {
        offer: OfferId,
    },
    OfferAccepted {
        offer: OfferId,
    },
    /// The leg is gone: no `LegEnded` follows.
    OfferRefused {
        offer: OfferId,
        refusal: Refusal,
    },
    /// The offer could not be placed for a reason of our own (no port, no memory): nobody is to blame. There is no leg.
    OfferFailed {
        offer: OfferId,
    },
    /// Sound is joined both ways: only now is the caller answered.
    Bridged {
        offer: OfferId,
    },

    // ── a conversation ──
    LegHeld {
        leg: LegId,
        held: bool,
    },
    TransferAsked {
        by: LegId,
        to: Destination,
        kind: TransferKind,
    },

    // ── the agent ──
    /// Logged in and not ready.
    AgentLoggedIn {
        agent: AgentId,
    },
    AgentLoggedOut {
        agent: AgentId,
    },
    AgentReady {
        agent: AgentId,
    },
    /// The agent works at the station of this owner from now on: there their calls ring.
    AgentSeated {
        agent: AgentId,
        station: AgentId,
    },
    AgentNotReady {
        agent: AgentId,
        reason: NotReadyReason,
    },
    /// After-call work is done early, with what the agent says it was about.
    WrapUpDone {
        agent: AgentId,
        code: Option<Phi<String>>,
    },
    WrapUpExtended {
        agent: AgentId,
        by: Duration,
    },
    StationLost {
        agent: AgentId,
    },
    StationFound {
        agent: AgentId,
    },

    // ── the supervisor ──
    MonitorAsked {
        call: CallId,
        supervisor: AgentId,
        mode: MonitorMode,
    },
    CallMoved {
        call: CallId,
        to: Destination,
    },
    /// A class only rises; a lower one than the call has is obsolete.
    ClassRaised {
        call: CallId,
        class: Class,
    },

    // ── the house ──
    ConfigChanged(Box<Config>),
    EstimateReady {
        queue: QueueId,
        median: Duration,
        p80: Duration,
    },
    /// A piece of a checkpoint: together they build the state again in an empty core.
    Restored(Box<Restored>),
    /// An edge tells every leg that it holds: on start, after a failover or a fault of ours. Who is held loses nothing; the calls of
    /// callers who are not were cut by us.
    EdgeResumed {
        edge: EdgeId,
        legs: Vec<LegId>,
    },
    EdgeLost {
        edge: EdgeId,
    },
    /// `next_deadline` has come.
    DeadlineReached,
}

impl Event {
    /// Every name, for whoever counts from zero.
    pub const NAMES: [&'static str; 32] = [
        "call_arrived",
        "leg_established",
        "call_placed",
        "leg_ended",
        "play_done",
        "digits_entered",
        "lookup_done",
        "offer_alerting",
        "offer_accepted",
        "offer_refused",
        "offer_failed",
        "bridged",
        "leg_held",
        "transfer_asked",
        "agent_logged_in",
        "agent_logged_out",
        "agent_ready",
        "agent_seated",
        "agent_not_ready",
        "wrap_up_done",
        "wrap_up_extended",
        "station_lost",
        "station_found",
        "monitor_asked",
        "call_moved",
        "class_raised",
        "config_changed",
        "estimate_ready",
        "restored",
        "edge_resumed",
        "edge_lost",
        "deadline_reached",
    ];

    /// The label of `core_events_total`; never anything of a caller.
    pub fn name(&self) -> &'static str {
        match self {
            Event::CallArrived { .. } => "call_arrived",
            Event::LegEstablished { .. } => "leg_established",
            Event::CallPlaced { .. } => "call_placed",
            Event::LegEnded { .. } => "leg_ended",
            Event::PlayDone { .. } => "play_done",
            Event::DigitsEntered { .. } => "digits_entered",
            Event::LookupDone { .. } => "lookup_done",
            Event::OfferAlerting { .. } => "offer_alerting",
            Event::OfferAccepted { .. } => "offer_accepted",
            Event::OfferRefused { .. } => "offer_refused",
            Event::OfferFailed { .. } => "offer_failed",
            Event::Bridged { .. } => "bridged",
            Event::LegHeld { .. } => "leg_held",
            Event::TransferAsked { .. } => "transfer_asked",
            Event::AgentLoggedIn { .. } => "agent_logged_in",
            Event::AgentLoggedOut { .. } => "agent_logged_out",
            Event::AgentReady { .. } => "agent_ready",
            Event::AgentSeated { .. } => "agent_seated",
            Event::AgentNotReady { .. } => "agent_not_ready",
            Event::WrapUpDone { .. } => "wrap_up_done",
            Event::WrapUpExtended { .. } => "wrap_up_extended",
            Event::StationLost { .. } => "station_lost",
            Event::StationFound { .. } => "station_found",
            Event::MonitorAsked { .. } => "monitor_asked",
            Event::CallMoved { .. } => "call_moved",
            Event::ClassRaised { .. } => "class_raised",
            Event::ConfigChanged(_) => "config_changed",
            Event::EstimateReady { .. } => "estimate_ready",
            Event::Restored(_) => "restored",
            Event::EdgeResumed { .. } => "edge_resumed",
            Event::EdgeLost { .. } => "edge_lost",
            Event::DeadlineReached => "deadline_reached",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// BYE, or CANCEL before the answer.
    HungUp,
    /// No answer to our requests, no media, no ACK.
    Lost,
    /// A leg that we dialled for another purpose than an offer was refused.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupError {
    Timeout,
    NotFound,
    Unavailable,
}

/// One piece of the state. A checkpoint lists the configuration first.
#[derive(Clone, Debug, PartialEq)]
pub enum Restored {
    Call(CallId, Box<Call>),
    Offer(OfferId, Offer),
    OwnCall(CallId, Box<OwnCall>),
    Agent(AgentId, Box<Agent>),
    /// Everything else that the core remembers, in one piece: counters, timers, holds, figures.
    Rest(Box<super::checkpoint::Rest>),
    Figures(Box<Figures>),
}
