//! Agents' own calls: what a station dials instead of being rung. Apart from the callers' calls, with which they share no table, no queue
//! and no figure: all that the two have in common is the agent, whom an own call makes busy.

use super::Acd;
use super::agent::{AgentState, NextState, NotReadyReason};
use super::call::{Disposition, Failure, OwnCall, Placed, Segment};
use super::command::{Command, EndWhy, Purpose, Show};
use super::deadline::Deadline;
use super::desk::Seat;
use super::event::LegEnd;
use super::fact::Fact;
use super::record::CallRecord;
use crate::model::{AgentId, CallId, Destination, Language, LegId, OfferId, PhoneNumber, hearing};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the far side may ring: Timer C of RFC 3261 §16.6.
const RINGS_MAX: Duration = Duration::from_secs(180);

impl Acd {
    /// A station dials. Refused outright: an agent who is rung, in another call, or logged out, and a full centre; but nobody is refused an
    /// emergency, for which a station that rings is freed at once.
    pub fn call_placed(
        &mut self,
        id: CallId,
        leg: LegId,
        (agent, kind): (Option<AgentId>, Placed),
        to: PhoneNumber,
        out: &mut Vec<Command>,
    ) {
        assert!(leg.0 < super::event::LEGS_OF_THE_CORE, "the shell's legs have numbers below those of the core");
        if self.calls.contains(id) || self.legs.contains(leg) || self.own_calls.contains(id) || self.own_legs.contains(leg) {
            return self.obsolete("call_placed", out);
        }
        let seat = agent.and_then(|agent| self.desks.seat(agent)).filter(|seat| self.desks[*seat].known);
        let agent = seat.map(|seat| self.desks[seat].id);
        let refused = self.refuses(seat, kind);
        let (now, due) = (self.now, self.now + RINGS_MAX);
        let (reached_at, held, held_for) = (None, None, Duration::ZERO);
        let mut own =
            OwnCall { kind, agent, to: to.clone(), station: leg, far: None, placed_at: now, reached_at, due: None, held, held_for };
        if kind != Placed::InHouse {
            self.note(Fact::CallPlaced { call: id, agent, kind }, out);
        }
        if let Some(why) = refused {
            out.push(Command::EndLeg { leg, why });
            return self.write_down(id, own, Disposition::Refused, out);
        }
        if kind != Placed::InHouse {
            self.ids.offers += 1;
            let far = super::offer::leg_of(OfferId(self.ids.offers));
            (own.far, own.due) = (Some(far), Some(due));
            self.own_legs.insert(far, id);
            self.deadlines.set(due, Deadline::Own(id));
            let show = Show { queue: None, language: self.first_language() };
            out.push(Command::Dial { leg: far, call: id, target: Destination::Number(to), purpose: Purpose::Placed(kind), show });
        }
        self.own_legs.insert(leg, id);
        self.own_calls.insert(id, own);
        if let Some(seat) = seat {
            self.engage(seat, id, kind, out);
        }
    }

    fn refuses(&self, seat: Option<Seat>, kind: Placed) -> Option<EndWhy> {
        if kind == Placed::Emergency {
            return None;
        }
        if self.calls.len() + self.own_calls.len() >= self.config.rules.calls_max as usize {
            return Some(EndWhy::Full);
        }
        if kind == Placed::InHouse {
            return None;
        }
        let agent = &self.desks[seat?].agent;
        let outside = agent.own.iter().any(|own| self.own_calls.get(*own).is_some_and(|own| own.kind != Placed::InHouse));
        match agent.state {
            AgentState::LoggedOut => Some(EndWhy::Forbidden),
            AgentState::Offered(_) | AgentState::Connecting(_) | AgentState::Talking(_) => Some(EndWhy::Busy),
            _ => outside.then_some(EndWhy::Busy),
        }
    }

    /// The agent is on a call of their own from now on; what they were before, they are again when it is over.
    fn engage(&mut self, seat: Seat, id: CallId, kind: Placed, out: &mut Vec<Command>) {
        let agent = &mut self.desks[seat].agent;
        agent.own.push(id);
        // Whoever dials has a station that works.
        agent.reachable = true;
        match agent.state {
            AgentState::Offered(offer) | AgentState::Connecting(offer) if kind == Placed::Emergency => self.take_back(offer, out),
            AgentState::Ready | AgentState::NotReady(_) => self.go_on_own_call(seat, out),
            _ => {}
        }
    }

    /// From ready or not ready, to be the same again afterwards.
    pub fn go_on_own_call(&mut self, seat: Seat, out: &mut Vec<Command>) {
        let agent = &mut self.desks[seat].agent;
        agent.next = match agent.state {
            // Ready again by itself, if the station is there.
            AgentState::NotReady(NotReadyReason::StationLost) => None,
            AgentState::NotReady(reason) => Some(NextState::NotReady(reason)),
            _ => None,
        };
        self.change_agent(seat, AgentState::OwnCall, out);
    }

    /// `false`: not a leg of an own call.
    pub fn own_leg_established(&mut self, leg: LegId, out: &mut Vec<Command>) -> bool {
        let Some(id) = self.own_legs.get(leg).copied() else { return false };
        let (now, answer_timeout) = (self.now, self.config.rules.answer_timeout);
        let own = self.own_calls.get_mut(id).expect("an own leg's call is alive");
        let (station, far) = (own.station, own.far);
        let Some(was_due) = own.due.filter(|_| (far == Some(leg)) == own.reached_at.is_none()) else {
            self.obsolete("leg_established", out);
            return true;
        };
        self.deadlines.forget(was_due, Deadline::Own(id));
        let own = self.own_calls.get_mut(id).expect("just seen");
        if far == Some(leg) {
            (own.reached_at, own.due) = (Some(now), Some(now + answer_timeout));
            self.deadlines.set(now + answer_timeout, Deadline::Own(id));
            out.push(Command::Answer { leg: station });
        } else {
            own.due = None;
            let matrix = hearing::bridge(station, far.expect("somebody was reached"));
            out.push(Command::Hear { call: id, matrix, bridged: None });
        }
        true
    }

    /// `false`: not a leg of an own call. Either side's end is the other's, but for help that was not reached: the station hears that first.
    pub fn own_leg_ended(&mut self, leg: LegId, cause: LegEnd, out: &mut Vec<Command>) -> bool {
        let Some(id) = self.own_legs.get(leg).copied() else { return false };
        let own = self.own_calls.get(id).expect("an own leg's call is alive");
        let lost = own.agent.filter(|_| own.station == leg && cause == LegEnd::Lost);
        if let Some(seat) = lost.and_then(|agent| self.desks.seat(agent)) {
            self.desks[seat].agent.reachable = false;
        }
        if !self.help_unreached(id, Some(leg), out) {
            self.end_own_call(id, |other| other == leg, false, out);
        }
        true
    }

    /// The far side rang too long, or the station did not take our answer, or still hears what we say.
    pub fn own_call_due(&mut self, id: CallId, out: &mut Vec<Command>) {
        let far = self.own_calls.get(id).and_then(|own| own.far);
        if self.help_unreached(id, far, out) {
            out.extend(far.map(|leg| Command::EndLeg { leg, why: EndWhy::Done }));
        } else {
            self.end_own_call(id, |_| false, false, out);
        }
    }

    /// An emergency call has lost its far side, `leg`, before that was reached: the station is told, and its agent is busy until it has
    /// heard that. `false`: nothing of the kind.
    fn help_unreached(&mut self, id: CallId, leg: Option<LegId>, out: &mut Vec<Command>) -> bool {
        let due = self.now + RINGS_MAX;
        let own = self.own_calls.get_mut(id).expect("an own call is alive");
        if leg.is_none() || own.far != leg || own.kind != Placed::Emergency || own.reached_at.is_some() {
            return false;
        }
        let (station, was_due) = (own.station, own.due.replace(due).expect("whoever rings has a deadline"));
        self.own_legs.remove(own.far.take().expect("just seen"));
        self.deadlines.forget(was_due, Deadline::Own(id));
        self.deadlines.set(due, Deadline::Own(id));
        out.push(Command::Unreached { leg: station });
        true
    }

    /// Whatever has a leg that is gone with its edge was cut by us.
    pub fn cut_own_calls(&mut self, held: &BTreeSet<LegId>, out: &mut Vec<Command>) {
        for id in self.own_calls.ids() {
            let own = self.own_calls.get(id).expect("just listed");
            if [Some(own.station), own.far].into_iter().flatten().any(|leg| !held.contains(&leg)) {
                self.end_own_call(id, |leg| !held.contains(&leg), true, out);
            }
        }
    }

    fn end_own_call(&mut self, id: CallId, gone: impl Fn(LegId) -> bool, cut: bool, out: &mut Vec<Command>) {
        let own = self.own_calls.remove(id).expect("an own call ends once");
        if let Some(due) = own.due {
            self.deadlines.forget(due, Deadline::Own(id));
        }
        for leg in [Some(own.station), own.far].into_iter().flatten() {
            self.own_legs.remove(leg);
            if !gone(leg) {
                let unreached = leg == own.station && own.reached_at.is_none();
                let why = if unreached { EndWhy::NotReached } else { EndWhy::Done };
                out.push(Command::EndLeg { leg, why });
            }
        }
        let agent = own.agent;
        let disposition = match own.reached_at {
            _ if cut => Disposition::Failed(Failure::NodeLost),
            Some(_) => Disposition::Reached,
            None => Disposition::NotReached,
        };
        if own.kind != Placed::InHouse {
            self.write_down(id, own, disposition, out);
        }
        let Some(seat) = agent.and_then(|agent| self.desks.seat(agent)) else { return };
        let agent = &mut self.desks[seat].agent;
        let before = agent.own.len();
        agent.own.retain(|other| *other != id);
        assert!(agent.own.len() + 1 == before, "agent and own call name each other");
        if agent.own.is_empty() && agent.state == AgentState::OwnCall {
            self.agent_is_free(seat, out);
        }
    }

    /// One record a call, whatever became of it; its segment names the agent and lasts as long as somebody was reached.
    fn write_down(&mut self, id: CallId, own: OwnCall, disposition: Disposition, out: &mut Vec<Command>) {
        if own.kind == Placed::InHouse {
            return;
        }
        let now = self.now;
        let held = own.held_for + own.held.map_or(Duration::ZERO, |(_, since)| now.since(since));
        let from = own.reached_at.unwrap_or(now);
        let segment = own.agent.map(|agent| {
            let (to, wrap_up) = (Some(now), Some(Duration::ZERO));
            Segment { agent, queue: None, from, to, held, wrap_up, transferred: false }
        });
        self.note(Fact::PlacedEnded { call: id, kind: own.kind, disposition: disposition.clone(), placed_at: own.placed_at }, out);
        out.push(Command::CloseRecord(Box::new(CallRecord {
            call: id,
            from: crate::model::Phi(String::new()),
            to: own.to,
            did: own.kind.label().into(),
            language: self.first_language(),
            arrived_at: own.placed_at,
            answered_at: own.reached_at,
            ended_at: now,
            visits: Vec::new(),
            segments: segment.into_iter().collect(),
            disposition,
            wrap_up_code: None,
        })));
    }

    /// `false`: not a leg of an own call. Music for the far side while the agent holds; none for an emergency.
    pub fn own_leg_held(&mut self, leg: LegId, hold: bool, out: &mut Vec<Command>) -> bool {
        let Some(id) = self.own_legs.get(leg).copied() else { return false };
        let now = self.now;
        let own = self.own_calls.get_mut(id).expect("an own leg's call is alive");
        let Some(far) = own.far.filter(|_| leg == own.station && own.due.is_none() && own.held.is_some() != hold) else {
            self.obsolete("leg_held", out);
            return true;
        };
        if let Some((music, since)) = own.held.take() {
            own.held_for += now.since(since);
            if music.is_some() {
                out.push(Command::StopTreatment { leg: far });
            }
            return true;
        }
        let desk = own.agent.filter(|_| own.kind == Placed::Outward).and_then(|agent| self.desks.by_id(agent));
        let music = desk.and_then(|desk| desk.queues.keys().next().copied());
        own.held = Some((music, now));
        if let Some(queue) = music {
            out.push(Command::StartTreatment { leg: far, queue });
        }
        true
    }

    fn first_language(&self) -> Language {
        self.config.languages.keys().next().copied().unwrap_or_else(|| Language::new("en").expect("a tag"))
    }
}
