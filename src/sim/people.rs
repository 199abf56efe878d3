//! The virtual people: who calls and how they behave, who answers and how.

use super::draw::{Law, Random};
use crate::model::{AgentId, Language, Prompt, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Everybody, and the clock by which they live.
#[derive(Clone, Debug)]
pub struct People {
    /// When the virtual clock starts; half hours of [`Rate::Day`] count from here.
    pub start: Time,
    pub callers: Vec<Callers>,
    /// They log in at the start and are ready.
    pub agents: Vec<AgentId>,
    pub habits: Habits,
    pub prompts: PromptTimes,
}

/// One kind of caller.
#[derive(Clone, Debug)]
pub struct Callers {
    /// The number that they dial.
    pub to: Arc<str>,
    /// What they speak, whatever the centre believes.
    pub language: Language,
    pub rate: Rate,
    /// From the centre's answer until their line is up.
    pub connects: Law,
    /// At this prompt they press this key, after a while.
    pub keys: BTreeMap<Arc<str>, char>,
    pub key_delay: Law,
    pub patience: Patience,
    pub talk: Law,
    /// Of those who gave up, so many try again after so long.
    pub again: (f64, Law),
    /// They present a number; otherwise they are anonymous.
    pub shown: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Rate {
    /// A Poisson process, in calls per second.
    Steady(f64),
    /// A Poisson process with these mean counts in each half hour of a day, evenly spread within it; again each day.
    Day(Box<[f64; 48]>),
}

/// How long somebody waits in a queue, from its first music.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    pub law: Law,
    /// So many leave at once.
    pub hasty: (f64, Law),
    /// So many leave at the end of an announcement while they wait.
    pub at_announcement: f64,
}

impl Patience {
    pub fn of(law: Law) -> Patience {
        Patience { law, hasty: (0.0, Law::ZERO), at_announcement: 0.0 }
    }

    pub fn draw(&self, random: &mut Random) -> Option<Duration> {
        let hasty = self.hasty.0 > 0.0 && random.chance(self.hasty.0);
        if hasty { self.hasty.1.draw(random) } else { self.law.draw(random) }
    }
}

/// How agents treat their telephones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habits {
    /// From the first ring to the answer.
    pub ring: Law,
    /// So many offers are left to ring out, and so many declined.
    pub ring_out: f64,
    pub decline: f64,
    /// Work after a call; the queue's limit on it holds.
    pub wrap_up: Law,
    /// An agent whose telephone rang out is ready again after so long.
    pub back: Law,
    /// So many conversations are ended by the agent.
    pub agent_ends: f64,
}

impl Habits {
    /// Answers at once, always.
    pub const PROMPT: Habits =
        Habits { ring: Law::ZERO, ring_out: 0.0, decline: 0.0, wrap_up: Law::Never, back: Law::ZERO, agent_ends: 0.0 };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentDoes {
    LogIn,
    GetReady,
    EndWrapUp,
    ExtendWrapUp(Duration),
}

/// How long each prompt plays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptTimes {
    pub known: BTreeMap<Prompt, Duration>,
    /// Of every other.
    pub other: Duration,
}

impl PromptTimes {
    pub fn of(&self, prompts: &[Prompt]) -> Duration {
        prompts.iter().map(|prompt| self.known.get(&prompt.recording()).copied().unwrap_or(self.other)).sum()
    }
}
