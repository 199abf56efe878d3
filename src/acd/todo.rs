//! What one event leaves to be done before it is over.

use super::desk::Seat;
use crate::ivr::{FlowName, Input};
use crate::model::{AgentId, CallId, PhoneNumber};
use std::collections::{BTreeMap, VecDeque};

/// Emptied before `handle` returns.
#[derive(Clone, Debug, Default)]
pub struct Todo {
    /// What flows are told, in order.
    pub steps: VecDeque<(CallId, Step)>,
    /// Calls that began to wait.
    pub waiting: Vec<CallId>,
    /// Agents who became free, or free for more.
    pub free: Vec<Seat>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Start(FlowName),
    /// The flow of the number that was dialled, from its start.
    Again,
    Input(Input),
}

/// The numbers given last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids {
    pub offers: u64,
    pub plays: u64,
    pub facts: u64,
}

/// Callers and the agent each spoke to last; the oldest is forgotten first.
#[derive(Clone, Debug, Default)]
pub struct LastAgents {
    by_number: BTreeMap<PhoneNumber, (u64, AgentId)>,
    by_age: BTreeMap<u64, PhoneNumber>,
    newest: u64,
}

impl LastAgents {
    pub fn of(&self, number: &PhoneNumber) -> Option<AgentId> {
        self.by_number.get(number).map(|(_, agent)| *agent)
    }

    pub fn remember(&mut self, number: PhoneNumber, agent: AgentId, max: usize) {
        if number.0.is_empty() || max == 0 {
            return;
        }
        self.newest += 1;
        if let Some((age, _)) = self.by_number.insert(number.clone(), (self.newest, agent)) {
            self.by_age.remove(&age);
        }
        self.by_age.insert(self.newest, number);
        while self.by_age.len() > max {
            let (_, oldest) = self.by_age.pop_first().expect("there is an oldest");
            self.by_number.remove(&oldest);
        }
        assert!(self.by_age.len() == self.by_number.len(), "every number has one age");
    }

    /// The oldest first.
    pub fn list(&self) -> Vec<(PhoneNumber, AgentId)> {
        self.by_age.values().map(|number| (number.clone(), self.by_number[number].1)).collect()
    }
}
