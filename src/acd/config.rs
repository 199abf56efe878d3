//! What the core is told of the centre: compiled, checked and free of files.

use super::call::Refusal;
use crate::ivr::{Calendar, Flow, FlowName};
use crate::model::{AgentId, Class, Destination, Language, Proficiency, QueueId, Requirement, RequirementClass, SkillId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub queues: BTreeMap<QueueId, QueueConfig>,
    pub agents: BTreeMap<AgentId, AgentConfig>,
    pub skills: BTreeMap<SkillId, SkillConfig>,
    /// Every language of the centre, and the skill of speaking it.
    pub languages: BTreeMap<Language, SkillId>,
    /// The requirement classes; [`RequirementClass`] is an index. At most 256.
    pub classes: Vec<ClassConfig>,
    /// The numbers that callers dial.
    pub numbers: BTreeMap<Arc<str>, NumberConfig>,
    pub flows: BTreeMap<FlowName, Arc<Flow>>,
    pub calendars: BTreeMap<Arc<str>, Calendar>,
    pub rules: Rules,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberConfig {
    pub flow: FlowName,
    pub language: Language,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkillConfig {
    pub name: Arc<str>,
    /// Few have it: calls that need it come first for those who do, and those who have it are offered other calls last.
    pub scarce: bool,
    /// Never relaxed by an escalation (a licence).
    pub licence: bool,
}

/// One requirement, and what it prefers among those who meet it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassConfig {
    /// As it was written, for `explain`.
    pub text: Arc<str>,
    pub needs: Requirement,
    /// Only ranks.
    pub prefers: Option<Requirement>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct QueueConfig {
    pub name: Arc<str>,
    /// What a call of each language needs that comes by transfer, overflow or widening, without a flow's own word.
    pub needs: BTreeMap<Language, RequirementClass>,
    pub strategy: Strategy,
    /// How long an agent's station rings (RONA after that).
    pub ring_timeout: Duration,
    pub wrap_up: Duration,
    /// An agent may extend one wrap-up by so much altogether.
    pub wrap_up_extension_max: Duration,
    /// T of the service level.
    pub service_level: Duration,
    /// An abandonment within this wait (inclusive) is short.
    pub short_abandon: Duration,
    /// After so long in the queue, so; sorted by time.
    pub escalation: Vec<(Duration, Escalation)>,
    /// Spoken over the music, again and again.
    pub comfort: Option<Comfort>,
    /// Longest wait, then the flow goes on with `on_timeout`.
    pub max_wait: Option<Duration>,
    /// Longest queue: one more is `on_full`.
    pub calls_max: u32,
    /// Keeps so many who have the skill free of calls that do not need it.
    pub reserve: Option<(SkillId, u32)>,
    /// A returning caller waits so long for the agent they spoke to last.
    pub last_agent: Option<Duration>,
    /// Progressive: one more agent rings after each such span.
    pub progressive_step: Duration,
    /// Speaks queue and language to the agent before the bridge.
    pub whisper: bool,
    pub record: bool,
    /// Supervisors' closing: callers go on with `on_closed`.
    pub closed: bool,
}

/// Who is offered a call first, among those who fit. Every order ends with: idle since, then agent id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    LongestIdle,
    /// Least occupied over the last 30 minutes.
    LeastOccupied,
    MostProficient,
    /// Fewest calls since log-in.
    FewestCalls,
    /// The next id after the one who was offered a call last.
    RoundRobin,
    /// Always the lowest id first.
    Linear,
    /// All who fit ring at once; the first to answer has the call.
    RingAll,
    /// As longest idle, and one more rings after each step.
    Progressive,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Escalation {
    Announce(Announcement),
    RaiseClass(Class),
    /// Drops, lowers or adds skills: from each class to another. A class that is not named stays.
    Relax(BTreeMap<RequirementClass, RequirementClass>),
    /// Waits in this queue as well.
    Widen(QueueId),
    /// Leaves for another place in the centre, keeping its place in line.
    Overflow(Destination),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comfort {
    pub first: Duration,
    pub every: Duration,
    /// Taken in turn.
    pub say: Vec<Announcement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// Prompts by name, in the caller's language.
    Prompts(Vec<Arc<str>>),
    /// "You are caller number …": said only if it is below the last one said, and at most 60.
    Position,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    pub name: Arc<str>,
    pub skills: BTreeMap<SkillId, Proficiency>,
    /// The queues that the agent serves, each with the agent's own preference: 1 is served first.
    pub queues: BTreeMap<QueueId, u8>,
    /// The language of whispers and confirmations.
    pub language: Option<Language>,
}

/// The centre's rules and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// After this refusal the call is not offered to the same agent for so long.
    pub holds: BTreeMap<Refusal, Duration>,
    /// So many offers in a row that ring out make an agent not ready.
    pub no_answers_max: u32,
    /// A call for an agent's own hands (transfer) rings so long.
    pub direct_ring: Duration,
    pub calls_max: u32,
    /// How long a leg may take to be established before we give it up.
    pub answer_timeout: Duration,
    /// Each connecting offer must be bridged within this.
    pub bridge_timeout: Duration,
    /// Returning callers that are remembered for `last_agent`.
    pub last_agents_max: u32,
    /// Known reasons for `NotReadyReason::Code`.
    pub not_ready_codes: BTreeSet<u16>,
    /// No caller waits longer in one queue, whatever the queue says.
    pub wait_max: Duration,
    /// Local midnights, sorted: where a day of the figures begins. Empty: at midnight UTC.
    pub midnights: Arc<[crate::model::Time]>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            holds: BTreeMap::from([(Refusal::Declined, Duration::from_secs(10)), (Refusal::Busy, Duration::from_secs(5))]),
            no_answers_max: 1,
            direct_ring: Duration::from_secs(20),
            calls_max: 10_000,
            answer_timeout: Duration::from_secs(40),
            bridge_timeout: Duration::from_secs(10),
            last_agents_max: 100_000,
            not_ready_codes: BTreeSet::new(),
            wait_max: Duration::from_secs(24 * 3600),
            midnights: Arc::from([]),
        }
    }
}
