//! A contact with the centre, its parties and its stays in queues.

use crate::ivr::Session;
use crate::model::{
    AgentId, CallId, Class, Destination, Hearing, Language, LegId, OfferId, Phi, PhoneNumber, PlayId, QueueId, RequirementClass, Time,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A contact, not a telephone line: it may wait with no leg (callback, message) or have three (consult).
/// There is no `Ended`: a call that ends leaves the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub contact: Contact,
    pub arrived_at: Time,
    pub from: PhoneNumber,
    pub to: PhoneNumber,
    /// The configured number that was dialled; a label of the figures.
    pub did: Arc<str>,
    pub language: Language,
    /// The flow's session lives beside the visits: a waiting caller can press keys, a caller left by the agent can answer a survey.
    pub flow: Option<Session>,
    /// The session of a caller whom an agent serves, where they waited: it goes on if they must wait again.
    pub parked: Option<Session>,
    /// Open stays in queues; the first was entered first.
    pub visits: Vec<Visit>,
    /// Offers alive.
    pub offers: Vec<OfferId>,
    pub parties: BTreeMap<LegId, Party>,
    pub hearing: Hearing,
    pub segments: Vec<Segment>,
    /// 200 OK to the caller.
    pub answered_at: Option<Time>,
    /// When we give up that 200.
    pub answer_due: Option<Time>,
    /// When the flow's timer comes.
    pub flow_due: Option<Time>,
    /// The flow's newest play, while it lasts.
    pub play: Option<PlayId>,
    /// An announcement of the queue's own, while it lasts.
    pub announcement: Option<PlayId>,
    /// The queue whose music plays.
    pub treatment: Option<QueueId>,
    /// The conversation is written down; it stops with the conversation, whatever becomes of the queue's setting meanwhile.
    pub recorded: bool,
    /// Kept for this agent alone until then.
    pub preferred: Option<(AgentId, Time)>,
    /// Offered to nobody before: we could not place its last offer.
    pub paused: Option<Time>,
    /// Agents that a hold keeps this call from.
    pub held_from: Vec<AgentId>,
    /// Sent to this agent's own hands.
    pub direct: Option<AgentId>,
    /// The flow waits for a transfer of its own to fail or to succeed.
    pub transferring: bool,
    /// How the visit ranked that was answered last: what the caller goes back to if the agent is lost.
    pub served_as: Option<(QueueId, RequirementClass, Class, Place)>,
    /// Visits that are over.
    pub past: Vec<VisitRecord>,
    /// Agents whose after-call work for this call is under way.
    pub wrapping: u32,
    /// The caller is gone: when, and how the call ended. It closes with its last wrap-up.
    pub over: Option<(Time, Disposition)>,
    pub wrap_up_code: Option<Phi<String>>,
    /// The position that was said last.
    pub said_position: Option<u32>,
    /// Steps and timers in the last instant that had any: too many, and the call runs in a circle.
    pub steps: (Time, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    Inbound(LegId),
    Callback,
    Message,
    Outbound,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    Caller,
    Agent { agent: AgentId, since: Time, held: bool },
    Supervisor(AgentId, MonitorMode),
    Outside,
}

/// One agent's time with the caller; it ends when that agent leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub agent: AgentId,
    /// `None`: a call sent to the agent directly, or placed by them.
    pub queue: Option<QueueId>,
    pub from: Time,
    pub to: Option<Time>,
    pub held: Duration,
    /// Set when the wrap-up that followed is over; zero where there was none.
    pub wrap_up: Option<Duration>,
    pub transferred: bool,
}

/// A call's stay in one queue: the unit of queue statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub queue: QueueId,
    pub language: Language,
    pub needs: RequirementClass,
    pub class: Class,
    pub place: Place,
    pub entered_at: Time,
    pub stage: Stage,
    /// The next rung of the ladder.
    pub rung: usize,
    /// Comfort announcements made.
    pub comforts: u32,
    /// The longest wait ends.
    pub leave_at: Time,
    /// What is next of ladder, comfort and longest wait: its deadline.
    pub due: Option<Time>,
    /// Progressive: how many may ring at once, and when one more may.
    pub rings: u32,
    pub next_ring: Option<Time>,
    /// Offers made through this visit that are over.
    pub offers: Vec<OfferRecord>,
}

/// Connecting: the agent has answered, the whisper plays, the sound is not joined yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Waiting,
    Ringing,
    Connecting,
}

/// How a visit ended; exactly one a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VisitOutcome {
    Answered,
    /// The caller hung up, and at which stage.
    Abandoned(Stage),
    /// A rule of the queue sent the call on: longest wait, nobody, full, escalation.
    Overflowed,
    /// The caller chose a callback or voicemail.
    Deflected(Deflection),
    Failed,
    Withdrawn(Withdrawal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deflection {
    Callback,
    Voicemail,
}

/// Why a visit is in no ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Withdrawal {
    /// Answered, or abandoned, through another visit of the same call.
    Elsewhere,
    /// By the caller's key or by a member of staff, to another place in the centre.
    Moved,
}

/// Arrival in the centre (µs) minus the credit of its priority. Given once and never changed, comparable across queues: a refused
/// offer costs no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// One attempt to give one call to one agent. Ring-all has several for one visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub call: CallId,
    /// `None`: a call sent to this agent directly.
    pub queue: Option<QueueId>,
    pub agent: AgentId,
    pub leg: LegId,
    pub rung_at: Time,
    pub accepted_at: Option<Time>,
    pub stage: OfferStage,
    /// The ring, then the bridge, must be over by then.
    pub due: Time,
    /// The whisper to the agent, while it lasts.
    pub whisper: Option<PlayId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferStage {
    Dialled,
    Alerting,
    /// The agent's station has answered; the whisper plays or the sound is being joined.
    Accepted,
}

/// How a call's life in the centre ended. Exactly one a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    Answered,
    /// The caller hung up while waiting or while an agent's station rang.
    Abandoned,
    AbandonedInFlow,
    CompletedInFlow,
    /// Sent out of the centre: another site, an external number, the on-call nurse.
    Diverted(Destination),
    CallbackBooked,
    Voicemail,
    /// Refused on arrival: closed, full, blocked.
    Refused,
    /// We failed the caller. Every one of these is an incident.
    Failed(Failure),
    /// Placed by an agent: the far side answered.
    Reached,
    /// Placed by an agent: nobody answered, or the agent gave up.
    NotReached,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    LegLost,
    MediaLost,
    FlowFault,
    NodeLost,
}

impl Disposition {
    /// How an agent's own call ends.
    pub const LABELS_PLACED: [&'static str; 4] = ["reached", "not_reached", "refused", "failed"];
    /// How a caller's call ends.
    pub const LABELS: [&'static str; 9] = [
        "answered",
        "abandoned",
        "abandoned_in_flow",
        "completed_in_flow",
        "diverted",
        "callback_booked",
        "voicemail",
        "refused",
        "failed",
    ];

    pub fn label(&self) -> &'static str {
        match self {
            Disposition::Answered => "answered",
            Disposition::Abandoned => "abandoned",
            Disposition::AbandonedInFlow => "abandoned_in_flow",
            Disposition::CompletedInFlow => "completed_in_flow",
            Disposition::Diverted(_) => "diverted",
            Disposition::CallbackBooked => "callback_booked",
            Disposition::Voicemail => "voicemail",
            Disposition::Refused => "refused",
            Disposition::Failed(_) => "failed",
            Disposition::Reached => "reached",
            Disposition::NotReached => "not_reached",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MonitorMode {
    Listen,
    Whisper,
    Barge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// 603, 480, 486 with a decline: the agent said no.
    Declined,
    /// Rang out (RONA).
    NoAnswer,
    /// 486: the station is in another call.
    Busy,
    /// No response, 404, 503, no usable sound, no working dialog.
    Unreachable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithdrawWhy {
    /// Another agent was faster: the station need not list a missed call (RFC 3326).
    AnsweredElsewhere,
    CallerLeft,
    /// Rang out.
    NoAnswer,
    /// Moved, escalated, or the agent is gone.
    Moved,
    /// We could not place it.
    Shortage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    Blind,
    Consult,
    Complete,
    Cancel,
    Join,
}

/// How an offer ended; exactly one an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferOutcome {
    Accepted,
    Refused(Refusal),
    Withdrawn(WithdrawWhy),
}

impl OfferOutcome {
    pub const LABELS: [&'static str; 9] =
        ["accepted", "declined", "no_answer", "busy", "unreachable", "answered_elsewhere", "caller_left", "moved", "shortage"];

    /// The label `outcome` of `offers_total`. An offer that we let ring out is `no_answer`, whoever noticed first.
    pub fn label(self) -> &'static str {
        match self {
            OfferOutcome::Accepted => "accepted",
            OfferOutcome::Refused(Refusal::Declined) => "declined",
            OfferOutcome::Refused(Refusal::NoAnswer) | OfferOutcome::Withdrawn(WithdrawWhy::NoAnswer) => "no_answer",
            OfferOutcome::Refused(Refusal::Busy) => "busy",
            OfferOutcome::Refused(Refusal::Unreachable) => "unreachable",
            OfferOutcome::Withdrawn(WithdrawWhy::AnsweredElsewhere) => "answered_elsewhere",
            OfferOutcome::Withdrawn(WithdrawWhy::CallerLeft) => "caller_left",
            OfferOutcome::Withdrawn(WithdrawWhy::Moved) => "moved",
            OfferOutcome::Withdrawn(WithdrawWhy::Shortage) => "shortage",
        }
    }
}

/// A visit, written down.
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

/// What a station dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placed {
    /// A number outside, through a trunk, by a rule of the configuration.
    Outward,
    /// 911: from any station, whoever is logged in there and whatever they do.
    Emergency,
    /// A code that the house itself serves: no leg goes out, no record is kept, and the shell answers and ends it.
    InHouse,
}

impl Placed {
    /// Those that are counted and written down.
    pub const LABELS: [&'static str; 2] = ["outward", "emergency"];

    /// The label `kind` of `calls_placed_total`, and what a record has for the number dialled by a caller.
    pub fn label(self) -> &'static str {
        match self {
            Placed::Outward => "outward",
            Placed::Emergency => "emergency",
            Placed::InHouse => "in_house",
        }
    }
}

/// A call that a station placed, while it lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnCall {
    pub kind: Placed,
    /// `None`: an emergency call from a station where nobody works.
    pub agent: Option<AgentId>,
    pub to: PhoneNumber,
    pub station: LegId,
    /// The leg that we dialled; none in the house.
    pub far: Option<LegId>,
    pub placed_at: Time,
    /// When the far side answered.
    pub reached_at: Option<Time>,
    /// When what we wait for must have come: the far side's answer, then the station's leg. `None`: both are there.
    pub due: Option<Time>,
    /// The queue whose music the far side hears, and since when it is held.
    pub held: Option<(Option<QueueId>, Time)>,
    pub held_for: Duration,
}
