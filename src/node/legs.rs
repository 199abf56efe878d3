//! The legs alive in this node: which dialog and which offer each belongs to.

use crate::leg::Leg;
use crate::model::{AgentId, CallId, LegId, OfferId};
use crate::sip::DialogId;
use std::collections::BTreeMap;

/// Why a leg exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who called us through a trunk.
    Caller,
    Offer(OfferId, AgentId),
    /// A station that dialled a code of the house.
    Code,
    /// A station that calls out.
    Station,
    /// Whom it calls.
    Far(CallId),
}

/// One leg, with what the switchboard must know to pass things on.
pub struct Entry {
    pub machine: Leg,
    pub role: Role,
    /// `None` until the INVITE to a station has been sent.
    pub dialog: Option<DialogId>,
}

#[derive(Default)]
pub struct Legs {
    entries: BTreeMap<LegId, Entry>,
    dialogs: BTreeMap<DialogId, LegId>,
    /// How many legs each agent's station has.
    agents: BTreeMap<AgentId, u32>,
}

impl Legs {
    pub fn insert(&mut self, leg: LegId, entry: Entry) {
        if let Some(dialog) = entry.dialog {
            self.dialogs.insert(dialog, leg);
        }
        if let Role::Offer(_, agent) = entry.role {
            *self.agents.entry(agent).or_default() += 1;
        }
        let before = self.entries.insert(leg, entry);
        assert!(before.is_none(), "leg {leg} exists twice");
    }

    pub fn set_dialog(&mut self, leg: LegId, dialog: DialogId) {
        if let Some(entry) = self.entries.get_mut(&leg) {
            entry.dialog = Some(dialog);
            self.dialogs.insert(dialog, leg);
        }
    }

    pub fn of_dialog(&self, dialog: DialogId) -> Option<LegId> {
        self.dialogs.get(&dialog).copied()
    }

    pub fn get(&self, leg: LegId) -> Option<&Entry> {
        self.entries.get(&leg)
    }

    pub fn get_mut(&mut self, leg: LegId) -> Option<&mut Entry> {
        self.entries.get_mut(&leg)
    }

    pub fn remove(&mut self, leg: LegId) -> Option<Role> {
        let entry = self.entries.remove(&leg)?;
        if let Some(dialog) = entry.dialog {
            self.dialogs.remove(&dialog);
        }
        if let Role::Offer(_, agent) = entry.role {
            let legs = self.agents.get_mut(&agent).expect("counted when it came");
            *legs -= 1;
            if *legs == 0 {
                self.agents.remove(&agent);
            }
        }
        Some(entry.role)
    }

    /// Whether a leg to this agent's station is not over yet: rung, spoken with, or cancelled and still to confirm it.
    pub fn engages(&self, agent: AgentId) -> bool {
        self.agents.contains_key(&agent)
    }

    pub fn ids(&self) -> Vec<LegId> {
        self.entries.keys().copied().collect()
    }

    pub fn is_code(&self, leg: LegId) -> bool {
        self.entries.get(&leg).is_some_and(|entry| entry.role == Role::Code)
    }

    /// Whether the core is told of the keys that are pressed there.
    pub fn has_keys(&self, leg: LegId) -> bool {
        self.entries.get(&leg).is_some_and(|entry| matches!(entry.role, Role::Caller | Role::Offer(..)))
    }

    /// The leg is served as a code from now on.
    pub fn make_code(&mut self, leg: LegId) {
        if let Some(entry) = self.entries.get_mut(&leg) {
            entry.role = Role::Code;
        }
    }

    /// Of those who called us.
    pub fn callers(&self) -> Vec<LegId> {
        self.entries.iter().filter(|(_, entry)| !matches!(entry.role, Role::Offer(..) | Role::Far(_))).map(|(leg, _)| *leg).collect()
    }
}
