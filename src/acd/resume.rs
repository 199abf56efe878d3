//! Out of a core and into another: the state as a list of events.

use super::Acd;
use super::agent::AgentState;
use super::call::{Disposition, Failure, OfferStage, Refusal};
use super::checkpoint::Rest;
use super::command::Command;
use super::deadline::Deadline;
use super::event::{Event, LegEnd, Restored};
use super::offer::caller_of;
use super::todo::{Ids, LastAgents};
use crate::model::{CallId, LegId, OfferId};
use std::collections::BTreeSet;

impl Acd {
    /// The state as a list of events that builds it again in an empty core, given at one time, none earlier than this core's.
    pub fn checkpoint(&self) -> Vec<Event> {
        let piece = |piece| Event::Restored(Box::new(piece));
        let mut events = vec![Event::ConfigChanged(Box::new(self.config.clone())), piece(Restored::Rest(Box::new(self.rest())))];
        for seat in self.desks.sorted() {
            let desk = &self.desks[seat];
            events.push(piece(Restored::Agent(desk.id, Box::new(desk.agent.clone()))));
        }
        for id in self.calls.ids() {
            events.push(piece(Restored::Call(id, Box::new(self.calls.get(id).expect("just listed").clone()))));
        }
        for id in self.offers.ids() {
            events.push(piece(Restored::Offer(id, self.offers.get(id).expect("just listed").clone())));
        }
        for id in self.own_calls.ids() {
            events.push(piece(Restored::OwnCall(id, Box::new(self.own_calls.get(id).expect("just listed").clone()))));
        }
        events.push(piece(Restored::Figures(Box::new(self.figures.clone()))));
        events
    }

    fn rest(&self) -> Rest {
        let seats = self.desks.sorted();
        Rest {
            now: self.now,
            offers: self.ids.offers,
            plays: self.ids.plays,
            facts: self.ids.facts,
            holds: seats.iter().flat_map(|seat| self.desks[*seat].holds.iter().map(|hold| (self.desks[*seat].id, *hold))).collect(),
            last_offered: self.routing.queues.iter().filter_map(|(queue, slot)| Some((*queue, slot.last_offered?))).collect(),
            occupancy: seats.iter().map(|seat| (self.desks[*seat].id, self.desks[*seat].occupancy)).filter(|(_, o)| *o > 0).collect(),
            last_agents: self.last_agents.list(),
            retired: self.retired.clone(),
        }
    }

    /// Takes one piece; with the last of a checkpoint the core is whole and its indexes stand.
    pub fn restore(&mut self, piece: Restored) {
        match piece {
            Restored::Rest(rest) => self.restore_rest(*rest),
            Restored::Agent(id, agent) => {
                let seat = self.desks.add(id);
                if let AgentState::WrapUp { until, .. } = agent.state {
                    self.deadlines.set(until, Deadline::WrapUp(id));
                }
                self.desks[seat].known = self.config.agents.contains_key(&id);
                self.desks[seat].agent = *agent;
            }
            Restored::Call(id, call) => self.restore_call(id, *call),
            Restored::Offer(id, offer) => {
                assert!(self.calls.contains(offer.call), "calls come before their offers");
                let deadline = if offer.stage == OfferStage::Accepted { Deadline::Bridge(id) } else { Deadline::Ring(id) };
                self.deadlines.set(offer.due, deadline);
                self.legs.remove(offer.leg);
                self.legs.insert(offer.leg, offer.call);
                self.offers.insert(id, offer);
            }
            Restored::OwnCall(id, own) => {
                if let Some(due) = own.due {
                    self.deadlines.set(due, Deadline::Own(id));
                }
                for leg in [Some(own.station), own.far].into_iter().flatten() {
                    self.own_legs.insert(leg, id);
                }
                self.own_calls.insert(id, *own);
            }
            Restored::Figures(figures) => {
                self.figures = *figures;
                self.finish_restoring();
            }
        }
    }

    fn restore_rest(&mut self, rest: Rest) {
        assert!(self.calls.is_empty() && self.offers.is_empty(), "a checkpoint is for an empty core");
        self.ids = Ids { offers: rest.offers, plays: rest.plays, facts: rest.facts };
        for (agent, hold) in rest.holds {
            let seat = self.desks.add(agent);
            self.deadlines.set(hold.until, Deadline::HoldEnds(agent, hold.call));
            self.desks[seat].holds.push(hold);
        }
        for (queue, agent) in rest.last_offered {
            self.routing.queues.entry(queue).or_default().last_offered = Some(agent);
        }
        for (agent, occupancy) in rest.occupancy {
            let seat = self.desks.add(agent);
            self.desks[seat].occupancy = occupancy;
        }
        self.last_agents = LastAgents::default();
        for (number, agent) in rest.last_agents {
            self.last_agents.remember(number, agent, usize::MAX);
        }
        self.retired = rest.retired;
    }

    fn restore_call(&mut self, id: CallId, call: super::call::Call) {
        for leg in call.parties.keys() {
            self.legs.insert(*leg, id);
        }
        if let Some(due) = call.answer_due {
            self.deadlines.set(due, Deadline::Answer(id));
        }
        if let Some(due) = call.flow_due {
            self.deadlines.set(due, Deadline::FlowStep(id));
        }
        if let Some(until) = call.paused {
            self.deadlines.set(until, Deadline::PauseEnds(id));
        }
        if let Some((_, until)) = call.preferred {
            self.deadlines.set(until, Deadline::Preferred(id));
        }
        for visit in &call.visits {
            if let Some(due) = visit.due {
                self.deadlines.set(due, Deadline::Visit(id, visit.queue));
            }
            if let Some(at) = visit.next_ring {
                self.deadlines.set(at, Deadline::Progressive(id, visit.queue));
            }
            self.routing.queues.entry(visit.queue).or_default().open += 1;
        }
        self.calls.insert(id, call);
    }

    /// Whatever stands on a leg that is gone with the edge ends: calls whose caller is not held were cut by us; an agent whose station is
    /// not held leaves a caller who is as one who was lost.
    pub fn edge_resumed(&mut self, held: &BTreeSet<LegId>, out: &mut Vec<Command>) {
        for id in self.calls.ids() {
            let Some(call) = self.calls.get(id).filter(|call| call.over.is_none()) else { continue };
            let gone: Vec<LegId> = call.parties.keys().filter(|leg| !held.contains(leg)).copied().collect();
            if caller_of(call).is_none_or(|leg| !held.contains(&leg)) {
                self.end_call(id, Disposition::Failed(Failure::NodeLost), None, out);
                continue;
            }
            let offers: Vec<OfferId> = call.offers.clone();
            for offer in offers {
                if self.offers.get(offer).is_some_and(|own| !held.contains(&own.leg)) {
                    self.offer_refused(offer, Refusal::Unreachable, out);
                }
            }
            for leg in gone {
                if self.legs.contains(leg) {
                    self.leg_ended(leg, LegEnd::Lost, out);
                }
            }
        }
        self.cut_own_calls(held, out);
    }

    /// Nobody is offered anything here: what stood side by side before may do so again.
    fn finish_restoring(&mut self) {
        self.index_again();
        self.todo.waiting.clear();
        for seat in std::mem::take(&mut self.todo.free) {
            self.index_agent(seat);
        }
    }
}
