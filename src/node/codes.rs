//! The calls of codes that are alive, and when each wants to be woken.

use super::pins::Pins;
use crate::leg::code::{CodeCall, Plan};
use crate::model::{AgentId, CallId, Language, LegId, PlayId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Calls of codes that are alive.
#[derive(Default)]
pub struct Codes {
    pub calls: BTreeMap<LegId, Line>,
    pub due: BTreeSet<(Time, LegId)>,
    pub pins: Pins,
    /// What is dialled for each.
    pub plan: Plan,
}

/// One of them.
pub struct Line {
    pub machine: CodeCall,
    pub call: CallId,
    /// The station's owner.
    pub station: AgentId,
    /// Spoken to whoever dials.
    pub language: Language,
    /// The newest of what is spoken.
    pub play: PlayId,
}

impl Codes {
    pub fn new(pins: Pins, plan: Plan) -> Codes {
        Codes { pins, plan, ..Codes::default() }
    }

    /// When the switchboard's `codes_due` must be called.
    pub fn next(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The machine of this leg has moved on; before, it was due at `was`.
    pub fn renew(&mut self, leg: LegId, was: Time) {
        let Some(line) = self.calls.get(&leg) else { return };
        self.due.remove(&(was, leg));
        self.due.insert((line.machine.due(), leg));
    }
}
