//! Floor 2: the engine. `handle(now, event, &mut commands)` and nothing else: no clock, no lock, no I/O, no randomness, no crate.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod agent;
pub mod call;
pub mod checkpoint;
pub mod command;
pub mod config;
pub mod event;
pub mod explain;
pub mod fact;
pub mod figures;
pub mod record;
pub mod view;
pub mod window;

pub use agent::{AgentState, NotReadyReason};
pub use call::{Refusal, WithdrawWhy};
pub use command::{Command, EndWhy, Purpose};
pub use config::Config;
pub use event::{Event, LegEnd};
pub use explain::{WhyChosen, WhyIdle, WhyWaiting};
pub use fact::Fact;
pub use figures::Figures;
pub use record::CallRecord;
pub use view::View;

use crate::model::{AgentId, CallId, OfferId, Time};

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
    /// Why is this caller waiting? `None`: no such call, or it waits nowhere.
    pub fn why_waiting(&self, _call: CallId) -> Option<WhyWaiting> {
        None
    }
    /// Why is this agent idle? `None`: no such agent.
    pub fn why_idle(&self, _agent: AgentId) -> Option<WhyIdle> {
        None
    }
    /// Why was this agent chosen? `None`: no such offer is alive.
    pub fn why_chosen(&self, _offer: OfferId) -> Option<WhyChosen> {
        None
    }
    /// The state as a list of events that builds it again in an empty core.
    pub fn checkpoint(&self) -> Vec<Event> {
        Vec::new()
    }
    /// Panics with the rule's name if the state contradicts itself.
    pub fn check_invariants(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "invariant violated: {violations:?}");
    }
    /// The rules that the state breaks, each with what breaks it, for `invariant_violations_total{rule}`.
    pub fn violations(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
