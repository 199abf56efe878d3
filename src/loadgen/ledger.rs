//! What the virtual callers and agents saw, each step with its time: the story to hold against the server's.

use crate::model::Time;
use std::time::Duration;

/// Everything that the clients of one run saw.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub callers: Vec<CallerEntry>,
    pub offers: Vec<OfferEntry>,
    /// Datagrams that rsip could not read, or that fit no transaction: each is a fault of one of the two sides.
    pub unreadable: u64,
    /// From when to when nobody could do anything: the machine had no time for them.
    pub pauses: Vec<(Time, Time)>,
}

/// One call, as its caller lived it.
#[derive(Clone, Debug)]
pub struct CallerEntry {
    /// The number it came from: unique within a run.
    pub from: String,
    pub dialled: String,
    /// The language that the caller chose, or that the dialled number speaks.
    pub language: String,
    /// The queue that the chosen keys lead to; `None` for a caller who never meant to wait.
    pub queue: Option<String>,
    /// So long after the answer the chosen keys have surely led there.
    pub joins_after: Duration,
    /// The queue asked for by a key while waiting.
    pub changed_to: Option<String>,
    /// The number of the tone that this caller sends.
    pub tone: usize,
    pub steps: Vec<(Time, CallerStep)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerStep {
    InviteSent,
    /// A provisional response with this code.
    Progress(u16),
    Established,
    KeyPressed(char),
    /// The tone of this agent, known with certainty for the first time.
    HeardAgent(u64),
    /// A tone that no agent has: somebody else's call.
    HeardStranger(usize),
    CancelSent,
    /// A final refusal of the INVITE.
    Refused(u16),
    /// A 200 that crossed our CANCEL: acknowledged, then ended by our BYE.
    LateAnswer,
    ByeSent,
    ByeReceived,
    /// Our last request was answered, or the other side's BYE: nothing follows.
    Over,
    /// No answer to our requests: the server vanished.
    Lost,
}

/// One INVITE that an agent's station received, to its end.
#[derive(Clone, Debug)]
pub struct OfferEntry {
    pub agent: u64,
    /// What the station showed.
    pub shown: String,
    pub steps: Vec<(Time, OfferStep)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferStep {
    InviteReceived,
    /// It came while another call was there.
    RungWhileBusy,
    RingingSent,
    AnswerSent,
    /// A final refusal: 486 busy, 603 declined.
    RefusalSent(u16),
    Cancelled,
    /// The ACK to our 200.
    Acknowledged,
    /// The tone of the caller with this number.
    HeardCaller(usize),
    ByeSent,
    ByeReceived,
    Over,
    Lost,
}

impl CallerEntry {
    pub fn when(&self, step: CallerStep) -> Option<Time> {
        self.steps.iter().find(|(_, s)| *s == step).map(|(at, _)| *at)
    }
    pub fn heard(&self) -> Option<(Time, u64)> {
        self.steps.iter().find_map(|(at, s)| if let CallerStep::HeardAgent(agent) = s { Some((*at, *agent)) } else { None })
    }
    pub fn refused(&self) -> Option<(Time, u16)> {
        self.steps.iter().find_map(|(at, s)| if let CallerStep::Refused(code) = s { Some((*at, *code)) } else { None })
    }
    pub fn keys(&self) -> usize {
        self.steps.iter().filter(|(_, s)| matches!(s, CallerStep::KeyPressed(_))).count()
    }
    /// The caller's own goodbye: BYE or CANCEL, whichever came first.
    pub fn left(&self) -> Option<Time> {
        self.steps.iter().find(|(_, s)| matches!(s, CallerStep::ByeSent | CallerStep::CancelSent)).map(|(at, _)| *at)
    }
}

impl OfferEntry {
    pub fn when(&self, step: OfferStep) -> Option<Time> {
        self.steps.iter().find(|(_, s)| *s == step).map(|(at, _)| *at)
    }
    pub fn heard(&self) -> Option<(Time, usize)> {
        self.steps.iter().find_map(|(at, s)| if let OfferStep::HeardCaller(tone) = s { Some((*at, *tone)) } else { None })
    }
    pub fn refused(&self) -> Option<(Time, u16)> {
        self.steps.iter().find_map(|(at, s)| if let OfferStep::RefusalSent(code) = s { Some((*at, *code)) } else { None })
    }
}
