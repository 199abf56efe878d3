//! Floor 2: the engine. `handle(now, event, &mut commands)` and nothing else: no clock, no lock, no I/O, no randomness, no crate.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod agent;
pub mod call;
mod caller;
pub mod checkpoint;
pub mod command;
pub mod config;
mod deadline;
mod desk;
pub mod event;
pub mod explain;
pub mod fact;
pub mod figures;
pub mod invariants;
mod ladder;
mod offer;
mod own;
pub mod record;
mod reload;
mod resume;
mod routing;
mod screen;
mod shift;
#[cfg(test)]
pub mod storm;
mod table;
mod todo;
mod transfer;
pub mod view;
mod visit;
mod why;
pub mod window;

pub use agent::{AgentState, NotReadyReason};
pub use call::{Placed, Refusal, WithdrawWhy};
pub use command::{Command, EndWhy, Purpose};
pub use config::Config;
pub use event::{Event, LegEnd};
pub use explain::{WhyChosen, WhyIdle, WhyWaiting};
pub use fact::Fact;
pub use figures::Figures;
pub use ladder::APOLOGY;
pub use record::CallRecord;
pub use view::View;

use crate::ivr::{Action, Session};
use crate::model::{AgentId, CallId, LegId, OfferId, PlayId, QueueId, Time};
use deadline::{Deadline, Deadlines};
use std::collections::BTreeSet;

/// Beyond so many steps and timers of one caller within one instant, the configuration sends them round in a circle.
const STEPS_MAX: u32 = 100;

/// The centre: every call, queue, agent, offer and counter.
#[derive(Clone, Debug)]
pub struct Acd {
    /// The time of whatever is being applied; it never falls.
    now: Time,
    config: Config,
    calls: table::Table<CallId, call::Call>,
    legs: table::Table<LegId, CallId>,
    offers: table::Table<OfferId, call::Offer>,
    own_calls: table::Table<CallId, call::OwnCall>,
    own_legs: table::Table<LegId, CallId>,
    desks: desk::Desks,
    routing: routing::Routing,
    deadlines: Deadlines,
    figures: Figures,
    ids: todo::Ids,
    last_agents: todo::LastAgents,
    /// Queues that are gone from the configuration and serve who still waits.
    retired: BTreeSet<QueueId>,
    todo: todo::Todo,
    /// What a flow asked for; kept for its room only.
    actions: Vec<Action>,
}

impl Acd {
    pub fn new(config: Config) -> Acd {
        let mut acd = Acd {
            now: Time(0),
            config: Config::default(),
            calls: Default::default(),
            legs: Default::default(),
            offers: Default::default(),
            own_calls: Default::default(),
            own_legs: Default::default(),
            desks: Default::default(),
            routing: Default::default(),
            deadlines: Default::default(),
            figures: Default::default(),
            ids: Default::default(),
            last_agents: Default::default(),
            retired: BTreeSet::new(),
            todo: Default::default(),
            actions: Vec::new(),
        };
        acd.reload(config, &mut Vec::new());
        acd
    }

    /// Applies one event at `now`. Deadlines due before `now` are applied first, each at its own time.
    pub fn handle(&mut self, now: Time, event: Event, out: &mut Vec<Command>) {
        assert!(now >= self.now, "time never falls");
        if !matches!(event, Event::Restored(_)) {
            while let Some((at, deadline)) = self.deadlines.take_due(now) {
                self.now = at.max(self.now);
                self.deadline_came(deadline, out);
                // Nobody is matched before every hold that ends at this moment has ended.
                if !deadline.lifts_a_hold() || self.deadlines.next() != Some(at) {
                    self.settle(out);
                }
            }
        }
        self.now = now;
        self.apply(event, out);
        self.settle(out);
    }

    /// The time of the last event, or of the deadline that came of it.
    pub fn time(&self) -> Time {
        self.now
    }

    /// When to call `handle` next if nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// `None`: not an agent of this centre.
    pub fn agent_state(&self, agent: AgentId) -> Option<AgentState> {
        self.desks.by_id(agent).filter(|desk| desk.known).map(|desk| desk.agent.state)
    }

    /// Whether an agent's station answers, as far as is known.
    pub fn is_reachable(&self, agent: AgentId) -> bool {
        self.desks.by_id(agent).is_some_and(|desk| desk.agent.reachable)
    }

    /// The station at which an agent works, by its owner.
    pub fn station_of(&self, agent: AgentId) -> AgentId {
        self.desks.by_id(agent).and_then(|desk| desk.agent.station).unwrap_or(agent)
    }

    /// Who is logged in at this owner's station; who stays, rather than who leaves it as soon as a call is over.
    pub fn agent_at(&self, station: AgentId) -> Option<AgentId> {
        let here = |desk: &&desk::Desk| desk.agent.state != AgentState::LoggedOut && desk.agent.station.unwrap_or(desk.id) == station;
        self.desks.iter().filter(here).map(|desk| (self.is_leaving(desk.id), desk.id)).min().map(|(_, agent)| agent)
    }

    /// Whether the agent is logged out as soon as what keeps them is over.
    pub fn is_leaving(&self, agent: AgentId) -> bool {
        self.desks.by_id(agent).is_some_and(|desk| !desk.known || desk.agent.next == Some(agent::NextState::LoggedOut))
    }

    /// A call that a station has placed and that lasts.
    pub fn own_call(&self, call: CallId) -> Option<&call::OwnCall> {
        self.own_calls.get(call)
    }

    /// Calls that the agent's station has placed and that last, codes of the house among them.
    pub fn own_calls(&self, agent: AgentId) -> usize {
        self.desks.by_id(agent).map_or(0, |desk| desk.agent.own.len())
    }

    /// Whether the core knows a leg: a party of a call, an offer's, or one of a call that a station placed.
    pub fn knows(&self, leg: LegId) -> bool {
        self.legs.contains(leg) || self.own_legs.contains(leg)
    }

    /// Where the caller with this leg stands in a flow.
    pub fn session(&self, leg: LegId) -> Option<&Session> {
        self.calls.get(*self.legs.get(leg)?)?.flow.as_ref().filter(|_| leg.0 < event::LEGS_OF_THE_CORE)
    }

    /// The calls whose record is not closed yet.
    pub fn calls(&self) -> Vec<CallId> {
        self.calls.ids()
    }

    /// How many they are.
    pub fn calls_alive(&self) -> usize {
        self.calls.len()
    }

    /// The figures up to the last event.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    fn apply(&mut self, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::CallArrived { call, leg, from, to } => self.call_arrived(call, leg, from, to, out),
            Event::CallPlaced { call, leg, agent, to, kind } => self.call_placed(call, leg, (agent, kind), to, out),
            Event::LegEstablished { leg } => self.leg_established(leg, out),
            Event::LegEnded { leg, cause } => self.leg_ended(leg, cause, out),
            Event::PlayDone { leg, play } => self.play_done(leg, play, out),
            Event::DigitsEntered { leg, digits } => self.digits_entered(leg, &digits, out),
            Event::OfferAlerting { offer } => self.offer_alerting(offer, out),
            Event::OfferAccepted { offer } => self.offer_accepted(offer, out),
            Event::OfferRefused { offer, refusal } => self.offer_refused(offer, refusal, out),
            Event::OfferFailed { offer } => self.offer_failed(offer, out),
            Event::Bridged { offer } => self.bridged(offer, out),
            Event::LegHeld { leg, held } => self.leg_held(leg, held, out),
            Event::TransferAsked { by, to, kind } => self.transfer_asked(by, to, kind, out),
            Event::AgentLoggedIn { agent } => self.agent_logged_in(agent, out),
            Event::AgentLoggedOut { agent } => self.agent_logged_out(agent, out),
            Event::AgentReady { agent } => self.agent_ready(agent, out),
            Event::AgentSeated { agent, station } => self.agent_seated(agent, station, out),
            Event::AgentNotReady { agent, reason } => self.agent_not_ready(agent, reason, out),
            Event::WrapUpDone { agent, code } => self.wrap_up_done(agent, code, out),
            Event::WrapUpExtended { agent, by } => self.wrap_up_extended(agent, by, out),
            Event::StationLost { agent } => self.station_lost(agent, out),
            Event::StationFound { agent } => self.station_found(agent, out),
            Event::CallMoved { call, to } => self.call_moved(call, to, out),
            Event::ClassRaised { call, class } => self.class_raised(call, class, out),
            Event::ConfigChanged(config) => self.reload(*config, out),
            Event::Restored(piece) => self.restore(*piece),
            Event::EdgeResumed { legs, .. } => self.edge_resumed(&legs.into_iter().collect(), out),
            Event::DeadlineReached => {}
            // Parts of the centre that do not exist yet.
            Event::LookupDone { .. } | Event::MonitorAsked { .. } | Event::EstimateReady { .. } | Event::EdgeLost { .. } => {
                self.obsolete(event.name(), out)
            }
        }
    }

    fn deadline_came(&mut self, deadline: Deadline, out: &mut Vec<Command>) {
        match deadline {
            Deadline::Answer(call) => {
                self.calls.get_mut(call).expect("a deadline's call is alive").answer_due = None;
                self.end_call(call, call::Disposition::Failed(call::Failure::LegLost), Some(EndWhy::Failed), out);
            }
            Deadline::FlowStep(call) | Deadline::Visit(call, _) if self.runs_in_a_circle(call) => self.flow_fault(call, out),
            Deadline::FlowStep(call) => self.flow_timer(call),
            Deadline::Ring(offer) => self.give_up(offer, Refusal::NoAnswer, out),
            Deadline::Bridge(offer) => self.give_up(offer, Refusal::Unreachable, out),
            Deadline::Progressive(call, queue) => self.ring_one_more(call, queue, out),
            Deadline::WrapUp(agent) => {
                let seat = self.desks.seat(agent).expect("a deadline's agent is known");
                self.wrap_up_over(seat, out);
            }
            Deadline::HoldEnds(agent, call) => self.hold_ends(agent, call),
            Deadline::PauseEnds(call) => self.pause_ends(call, out),
            Deadline::Preferred(call) => self.give_to_all(call),
            Deadline::Visit(call, queue) => self.visit_due(call, queue, out),
            Deadline::Own(call) => self.own_call_due(call, out),
        }
    }

    /// Does what the event left to be done: flows take their steps, then whoever is free meets whoever waits.
    fn settle(&mut self, out: &mut Vec<Command>) {
        loop {
            if let Some((call, step)) = self.todo.steps.pop_front() {
                if self.runs_in_a_circle(call) {
                    self.flow_fault(call, out);
                } else {
                    self.step_flow(call, step, out);
                }
            } else if !self.todo.free.is_empty() || !self.todo.waiting.is_empty() {
                self.match_all(out);
            } else {
                return;
            }
        }
    }

    /// Counts one more step or timer of this call; whether there were too many in this instant.
    fn runs_in_a_circle(&mut self, id: CallId) -> bool {
        let now = self.now;
        let Some(call) = self.calls.get_mut(id).filter(|call| call.over.is_none()) else { return false };
        let (at, steps) = call.steps;
        call.steps = (now, if at == now { steps + 1 } else { 1 });
        call.steps.1 > STEPS_MAX
    }

    fn note(&mut self, fact: Fact, out: &mut Vec<Command>) {
        self.ids.facts += 1;
        self.figures.apply(self.now, &fact);
        out.push(Command::Note { number: self.ids.facts, at: self.now, fact });
    }

    fn obsolete(&mut self, event: &'static str, out: &mut Vec<Command>) {
        self.note(Fact::Obsolete { event }, out);
    }

    fn next_play(&mut self) -> PlayId {
        self.ids.plays += 1;
        PlayId(self.ids.plays)
    }
}
