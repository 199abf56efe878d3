//! What a flow's session is told and what it asks for.

use crate::model::{AgentId, Class, Destination, Language, PhoneNumber, Prompt, QueueId, RequirementClass, Time};
use std::sync::Arc;
use std::time::Duration;

/// A flow, or a step, by its name in the flow files.
pub type FlowName = Arc<str>;
pub type StepName = Arc<str>;

/// What the flow may know of the caller when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub from: PhoneNumber,
    /// The configured number that was dialled.
    pub did: Arc<str>,
    pub language: Language,
    pub arrived_at: Time,
}

/// What a session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The play that was asked for last has been heard to its end.
    PlayDone,
    /// One key.
    Key(char),
    /// The time of the last [`Action::WaitFor`] has come.
    Timeout,
    /// The call is out of the queue (every queue of its last [`Action::Enter`]) without an answer.
    QueueLeft(QueueExit),
    TransferFailed,
    /// The agent has left, and the caller is still there.
    AgentLeft,
}

/// Why a queue let a caller go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueExit {
    /// Longest wait reached.
    Timeout,
    /// The queue already held as many calls as it may.
    Full,
    /// Nobody who is logged in could ever serve this call.
    Nobody,
    /// Closed by calendar or by a supervisor.
    Closed,
    Failed,
}

impl QueueExit {
    pub const ALL: [QueueExit; 5] = [QueueExit::Timeout, QueueExit::Full, QueueExit::Nobody, QueueExit::Closed, QueueExit::Failed];
}

/// What a session asks for. Times are spans from the `now` that was passed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Plays, in this order. At most one play is under way: a new one ends the one before.
    Play(Vec<Prompt>),
    /// Ends the play under way: a key has interrupted it. No `PlayDone` follows.
    StopPlay,
    /// Sets the session's one timer, in place of any before.
    WaitFor(Duration),
    /// The caller's language from here on.
    Language(Language),
    /// Waits in queues; hold music and announcements are the queue's affair until `QueueLeft`, an answer or [`Action::Leave`].
    Enter(QueueEntry),
    /// A key took the caller out of the queue. What follows says where to.
    Leave(LeaveWhy),
    Transfer(Destination),
    /// The spoken goodbye is over.
    HangUp,
    /// Counted in `flow_steps_total`.
    Step {
        flow: FlowName,
        step: StepName,
        outcome: StepOutcome,
    },
}

/// What a key that ended a wait leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaveWhy {
    /// On to another step: a menu, another queue.
    Moved,
    Callback,
    Voicemail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepOutcome {
    /// Went on as written.
    Done,
    NoInput,
    Invalid,
    /// Left by a global key, or back by `*`.
    Key,
    Failed,
}

impl StepOutcome {
    pub const ALL: [StepOutcome; 5] =
        [StepOutcome::Done, StepOutcome::NoInput, StepOutcome::Invalid, StepOutcome::Key, StepOutcome::Failed];

    /// The label of `flow_steps_total`.
    pub fn label(self) -> &'static str {
        match self {
            StepOutcome::Done => "done",
            StepOutcome::NoInput => "no_input",
            StepOutcome::Invalid => "invalid",
            StepOutcome::Key => "key",
            StepOutcome::Failed => "failed",
        }
    }
}

/// What a `queue` step asks of the centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// The queues to wait in at once, the first one first; never empty. The requirement is the step's, for the caller's language.
    pub queues: Vec<(QueueId, RequirementClass)>,
    pub class: Class,
    /// Served as if arrived so much earlier, within the class.
    pub credit: Duration,
    /// In place of the first queue's own longest wait.
    pub max_wait: Option<Duration>,
    /// Offered to this agent alone for so long, then to all.
    pub agent_first: Option<(AgentId, Duration)>,
}
