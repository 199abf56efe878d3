//! Floor 2: the engine. `handle(now, event, &mut commands)` and nothing else: no clock, no lock, no I/O, no randomness, no crate.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod agent;
pub mod call;
pub mod checkpoint;
pub mod command;
pub mod config;
pub mod event;
pub mod fact;
pub mod figures;
pub mod record;
pub mod view;

pub use agent::{AgentState, NotReadyReason};
pub use call::{Refusal, WithdrawWhy};
pub use command::{Command, EndWhy, Purpose};
pub use config::Config;
pub use event::{Event, LegEnd};
pub use fact::Fact;
pub use record::CallRecord;
pub use view::View;

use crate::model::Time;

/// The centre: every call, queue, agent, offer and counter.
pub struct Acd {}

impl Acd {
    pub fn new(_config: Config) -> Acd {
        Acd {}
    }
    /// Applies one event at `now`. Deadlines due before `now` are applied first, each at its own time.
    pub fn handle(&mut self, _now: Time, _event: Event, _out: &mut Vec<Command>) {}
    /// When to call `handle` next if nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }
    /// What screens need, and nothing that can change the core.
    pub fn view(&self, now: Time) -> View {
        View { at: now, ..View::default() }
    }
    /// The state as a list of events that builds it again in an empty core.
    pub fn checkpoint(&self) -> Vec<Event> {
        Vec::new()
    }
    /// Panics if the state contradicts itself.
    pub fn check_invariants(&self) {}
}
