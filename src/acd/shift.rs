//! An agent's day: log-in, ready, not ready, after-call work, log-out, and a station that comes and goes.

use super::Acd;
use super::agent::{AgentState, Missed, NextState, NotReadyReason};
use super::call::{OfferStage, Placed, Refusal, Segment};
use super::command::Command;
use super::deadline::Deadline;
use super::desk::Seat;
use super::fact::Fact;
use crate::model::{AgentId, CallId, Phi, Time};
use std::time::Duration;

/// The span over which occupancy is measured.
const LATELY: Duration = Duration::from_secs(1800);

impl Acd {
    /// The one place where an agent's state changes.
    pub fn change_agent(&mut self, seat: Seat, to: AgentState, out: &mut Vec<Command>) {
        let from = self.desks[seat].agent.state;
        assert!(from != to, "a change changes something");
        assert!(allowed(from, to), "an agent cannot go from {} to {}", from.label(), to.label());
        if from == AgentState::Ready {
            self.unindex_agent(seat);
            self.count_reserve(seat, false);
        }
        if let AgentState::WrapUp { until, .. } = from {
            self.deadlines.forget(until, Deadline::WrapUp(self.desks[seat].id));
        }
        if let AgentState::WrapUp { until, .. } = to {
            self.deadlines.set(until, Deadline::WrapUp(self.desks[seat].id));
        }
        if from == AgentState::LoggedOut {
            self.count_logged_in(seat, true);
        }
        let now = self.now;
        let agent = &mut self.desks[seat].agent;
        let since = std::mem::replace(&mut agent.since, now);
        agent.state = to;
        account_busy(agent, from, to, now);
        if to == AgentState::Ready {
            let returned = matches!(from, AgentState::Offered(_) | AgentState::Connecting(_));
            if !returned {
                agent.idle_since = now;
            }
            self.measure(seat);
            self.count_reserve(seat, true);
            self.todo.free.push(seat);
        }
        self.note(Fact::Agent { agent: self.desks[seat].id, from, to, since }, out);
        if to == AgentState::LoggedOut {
            self.left_the_shift(seat, out);
        }
    }

    fn count_reserve(&mut self, seat: Seat, ready: bool) {
        for queue in &self.desks[seat].reserved_by {
            let slot = self.routing.queues.entry(*queue).or_default();
            assert!(ready || slot.reserve_ready > 0, "who stops being ready was counted");
            slot.reserve_ready = if ready { slot.reserve_ready + 1 } else { slot.reserve_ready - 1 };
        }
    }

    fn count_logged_in(&mut self, seat: Seat, here: bool) {
        for member in &self.desks[seat].member {
            let count = &mut self.routing.groups[member.group as usize].logged_in;
            assert!(here || *count > 0, "who logs out was logged in");
            *count = if here { *count + 1 } else { *count - 1 };
        }
    }

    /// After a log-out: calls kept for this agent go to all, and who can be served by nobody any more leaves.
    fn left_the_shift(&mut self, seat: Seat, out: &mut Vec<Command>) {
        self.count_logged_in(seat, false);
        let kept: Vec<CallId> = self.desks[seat].preferred.iter().map(|(_, _, call)| *call).collect();
        for call in kept {
            self.give_to_all(call);
        }
        let mut lost: Vec<(CallId, crate::model::QueueId)> = Vec::new();
        for member in &self.desks[seat].member {
            let group = &self.routing.groups[member.group as usize];
            if group.logged_in == 0 {
                lost.extend(group.waiting.iter().map(|(_, _, call)| (*call, group.queue)));
            }
        }
        lost.sort_unstable();
        for (call, queue) in lost {
            self.leave_for_want_of_agents(call, queue, out);
        }
    }

    /// How busy the agent was lately; fixed until the agent is ready the next time.
    fn measure(&mut self, seat: Seat) {
        if !self.desks[seat].measured {
            return;
        }
        let now = self.now;
        let desk = &mut self.desks[seat];
        let from = now - LATELY;
        while desk.agent.busy.front().is_some_and(|(_, to)| *to <= from) {
            desk.agent.busy.pop_front();
        }
        let busy: Duration = desk.agent.busy.iter().map(|(start, end)| end.since((*start).max(from))).sum();
        let span = now.since(desk.agent.logged_in_at.max(from)).as_micros().max(1);
        desk.occupancy = u64::try_from(busy.as_micros() * 1_000_000 / span).unwrap_or(u64::MAX);
    }

    /// Whatever kept the agent busy is over: on to what they asked for, else ready.
    pub fn agent_is_free(&mut self, seat: Seat, out: &mut Vec<Command>) {
        let desk = &mut self.desks[seat];
        if !desk.agent.own.is_empty() {
            return self.change_agent(seat, AgentState::OwnCall, out);
        }
        let next = desk.agent.next.take();
        let to = match next {
            _ if !desk.known => AgentState::LoggedOut,
            Some(NextState::LoggedOut) => AgentState::LoggedOut,
            Some(NextState::NotReady(reason)) => AgentState::NotReady(reason),
            Some(NextState::Ready) | None if desk.agent.reachable => AgentState::Ready,
            Some(NextState::Ready) | None => AgentState::NotReady(NotReadyReason::StationLost),
        };
        self.change_agent(seat, to, out);
    }

    fn is_busy(&self, seat: Seat) -> bool {
        !matches!(self.desks[seat].agent.state, AgentState::LoggedOut | AgentState::NotReady(_) | AgentState::Ready)
    }

    /// What an agent asked for and has to wait for, since a caller or after-call work comes first. `None`: nothing, or it is done as soon
    /// as the code of the house is over by which it was asked.
    pub fn wish(&self, agent: AgentId) -> Option<NextState> {
        let agent = &self.desks.by_id(agent)?.agent;
        let placed = |id: &CallId| self.own_calls.get(*id).is_some_and(|own| own.kind != Placed::InHouse);
        match agent.state {
            AgentState::LoggedOut | AgentState::NotReady(_) | AgentState::Ready => None,
            AgentState::OwnCall if !agent.own.iter().any(placed) => None,
            _ => agent.next,
        }
    }

    /// Offers to this agent that rang out, the oldest first; to be asked before the agent's word that they are ready, which clears them.
    pub fn missed(&self, agent: AgentId) -> impl Iterator<Item = &Missed> {
        self.desks.by_id(agent).into_iter().flat_map(|desk| &desk.agent.missed)
    }

    /// The agent of an event; one who is not of this centre is nobody.
    fn known_agent(&mut self, agent: AgentId, event: &'static str, out: &mut Vec<Command>) -> Option<Seat> {
        let seat = self.desks.seat(agent).filter(|seat| self.desks[*seat].known);
        if seat.is_none() {
            self.obsolete(event, out);
        }
        seat
    }

    pub fn agent_logged_in(&mut self, agent: AgentId, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "agent_logged_in", out) else { return };
        let now = self.now;
        let agent = &mut self.desks[seat].agent;
        if agent.state != AgentState::LoggedOut {
            if agent.next == Some(NextState::LoggedOut) {
                // Thought better of it before it took effect.
                agent.next = (agent.state == AgentState::OwnCall).then_some(NextState::NotReady(NotReadyReason::LoggedIn));
                return;
            }
            return self.obsolete("agent_logged_in", out);
        }
        (agent.logged_in_at, agent.calls_since_login, agent.no_answers, agent.next) = (now, 0, 0, None);
        agent.busy.clear();
        agent.missed.clear();
        self.change_agent(seat, AgentState::NotReady(NotReadyReason::LoggedIn), out);
        if !self.desks[seat].agent.own.is_empty() {
            self.go_on_own_call(seat, out);
        }
    }

    pub fn agent_logged_out(&mut self, agent: AgentId, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "agent_logged_out", out) else { return };
        match self.desks[seat].agent.state {
            AgentState::LoggedOut => self.obsolete("agent_logged_out", out),
            AgentState::Ready | AgentState::NotReady(_) => {
                self.desks[seat].agent.next = None;
                self.change_agent(seat, AgentState::LoggedOut, out);
            }
            AgentState::Offered(offer) => {
                // Who leaves is not rung a moment longer.
                self.desks[seat].agent.next = Some(NextState::LoggedOut);
                self.take_back(offer, out);
            }
            _ => self.desks[seat].agent.next = Some(NextState::LoggedOut),
        }
    }

    pub fn agent_ready(&mut self, agent: AgentId, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "agent_ready", out) else { return };
        self.desks[seat].agent.missed.clear();
        if self.is_busy(seat) {
            self.desks[seat].agent.next = Some(NextState::Ready);
            return;
        }
        match self.desks[seat].agent.state {
            AgentState::NotReady(_) if self.desks[seat].agent.reachable => self.change_agent(seat, AgentState::Ready, out),
            AgentState::NotReady(reason) if reason != NotReadyReason::StationLost => {
                self.change_agent(seat, AgentState::NotReady(NotReadyReason::StationLost), out);
            }
            _ => self.obsolete("agent_ready", out),
        }
    }

    pub fn agent_not_ready(&mut self, agent: AgentId, reason: NotReadyReason, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "agent_not_ready", out) else { return };
        let unknown = matches!(reason, NotReadyReason::Code(code) if !self.config.rules.not_ready_codes.contains(&code));
        let reason = if unknown { NotReadyReason::Other } else { reason };
        let state = self.desks[seat].agent.state;
        match state {
            AgentState::LoggedOut => self.obsolete("agent_not_ready", out),
            AgentState::NotReady(now) if now == reason => self.obsolete("agent_not_ready", out),
            AgentState::Ready | AgentState::NotReady(_) => self.change_agent(seat, AgentState::NotReady(reason), out),
            _ => self.desks[seat].agent.next = Some(NextState::NotReady(reason)),
        }
    }

    pub fn agent_seated(&mut self, agent: AgentId, station: AgentId, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "agent_seated", out) else { return };
        self.desks[seat].agent.station = Some(station).filter(|station| *station != agent);
    }

    pub fn station_lost(&mut self, agent: AgentId, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "station_lost", out) else { return };
        if !std::mem::replace(&mut self.desks[seat].agent.reachable, false) {
            return self.obsolete("station_lost", out);
        }
        match self.desks[seat].agent.state {
            AgentState::Ready => self.change_agent(seat, AgentState::NotReady(NotReadyReason::StationLost), out),
            AgentState::Offered(offer) => {
                assert!(self.offers.get(offer).is_some_and(|own| own.stage != OfferStage::Accepted), "an offered agent has not answered");
                self.give_up(offer, Refusal::Unreachable, out);
            }
            _ => {}
        }
    }

    pub fn station_found(&mut self, agent: AgentId, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "station_found", out) else { return };
        if std::mem::replace(&mut self.desks[seat].agent.reachable, true) {
            return self.obsolete("station_found", out);
        }
        if self.desks[seat].agent.state == AgentState::NotReady(NotReadyReason::StationLost) {
            self.change_agent(seat, AgentState::Ready, out);
        }
    }

    /// The agent leaves a conversation: after-call work, if the queue gives time for it.
    pub fn begin_wrap_up(&mut self, seat: Seat, id: CallId, segment: Segment, out: &mut Vec<Command>) {
        assert!(segment.to.is_some() && segment.wrap_up.is_none(), "after-call work follows a segment that is over");
        let span = segment.queue.and_then(|queue| self.config.queues.get(&queue)).map_or(Duration::ZERO, |own| own.wrap_up);
        self.calls.get_mut(id).expect("the call is alive").wrapping += 1;
        self.desks[seat].agent.wrapping = Some((id, segment, Duration::ZERO));
        if span.is_zero() {
            self.book_segment(seat, Duration::ZERO, out);
            return self.agent_is_free(seat, out);
        }
        self.change_agent(seat, AgentState::WrapUp { call: id, until: self.now + span }, out);
    }

    pub fn wrap_up_done(&mut self, agent: AgentId, code: Option<Phi<String>>, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "wrap_up_done", out) else { return };
        match self.desks[seat].agent.state {
            AgentState::WrapUp { call, .. } => {
                let own = self.calls.get_mut(call).expect("a call is open while somebody wraps it up");
                own.wrap_up_code = code.or(own.wrap_up_code.take());
                self.wrap_up_over(seat, out);
            }
            _ => self.obsolete("wrap_up_done", out),
        }
    }

    pub fn wrap_up_extended(&mut self, agent: AgentId, by: Duration, out: &mut Vec<Command>) {
        let Some(seat) = self.known_agent(agent, "wrap_up_extended", out) else { return };
        let AgentState::WrapUp { call, until } = self.desks[seat].agent.state else {
            return self.obsolete("wrap_up_extended", out);
        };
        let (_, segment, extended) = self.desks[seat].agent.wrapping.as_mut().expect("who wraps up has a segment");
        let queue = segment.queue.and_then(|queue| self.config.queues.get(&queue));
        let by = by.min(queue.map_or(Duration::ZERO, |own| own.wrap_up_extension_max).saturating_sub(*extended));
        if by.is_zero() {
            return self.obsolete("wrap_up_extended", out);
        }
        *extended += by;
        self.deadlines.clear(until, Deadline::WrapUp(agent));
        self.deadlines.set(until + by, Deadline::WrapUp(agent));
        self.desks[seat].agent.state = AgentState::WrapUp { call, until: until + by };
    }

    /// By the deadline, or early by the agent's word.
    pub fn wrap_up_over(&mut self, seat: Seat, out: &mut Vec<Command>) {
        let agent = &self.desks[seat].agent;
        assert!(matches!(agent.state, AgentState::WrapUp { .. }), "only after-call work ends as such");
        let span = self.now.since(agent.since);
        self.book_segment(seat, span, out);
        self.agent_is_free(seat, out);
    }

    /// Counts a segment whose wrap-up is over, and closes the call if that was the last thing open.
    fn book_segment(&mut self, seat: Seat, wrap_up: Duration, out: &mut Vec<Command>) {
        let (id, mut segment, _) = self.desks[seat].agent.wrapping.take().expect("who wraps up has a segment");
        let call = self.calls.get_mut(id).expect("a call is open while somebody wraps it up");
        assert!(call.wrapping > 0, "agent and call agree on who wraps up");
        call.wrapping -= 1;
        segment.wrap_up = Some(wrap_up);
        let booked = call.segments.iter_mut().find(|own| (own.agent, own.from) == (segment.agent, segment.from));
        booked.expect("a segment is part of its call").wrap_up = Some(wrap_up);
        let language = call.language;
        self.note(Fact::SegmentEnded { call: id, language, segment }, out);
        self.close_if_done(id, out);
    }
}

/// Which changes of state there are.
fn allowed(from: AgentState, to: AgentState) -> bool {
    use AgentState::*;
    match (from, to) {
        (LoggedOut, NotReady(_)) => true,
        (NotReady(_), NotReady(_) | Ready | LoggedOut) => true,
        (Ready, NotReady(_) | LoggedOut | Offered(_)) => true,
        (Offered(one), Connecting(same)) => one == same,
        (Offered(_) | Connecting(_) | WrapUp { .. } | OwnCall, NotReady(_) | Ready | LoggedOut) => true,
        (Ready | NotReady(_) | Offered(_) | Connecting(_) | Talking(_) | WrapUp { .. }, OwnCall) => true,
        (Connecting(_), Talking(_)) => true,
        (Talking(call), WrapUp { call: same, .. }) => call == same,
        (Talking(_), NotReady(_) | Ready | LoggedOut) => true,
        _ => false,
    }
}

/// Keeps the spans on calls: ringing counts where it was answered or rang out.
fn account_busy(agent: &mut super::agent::Agent, from: AgentState, to: AgentState, now: Time) {
    match to {
        AgentState::Offered(_) => agent.busy_from = Some(now),
        AgentState::OwnCall if matches!(from, AgentState::Offered(_)) => agent.busy_from = Some(now),
        AgentState::OwnCall => agent.busy_from = agent.busy_from.or(Some(now)),
        AgentState::Ready | AgentState::NotReady(_) | AgentState::LoggedOut => {
            let rang_out = to == AgentState::NotReady(NotReadyReason::RingNoAnswer);
            if let Some(start) = agent.busy_from.take().filter(|_| rang_out || !matches!(from, AgentState::Offered(_))) {
                agent.busy.push_back((start, now));
            }
        }
        _ => {}
    }
    while agent.busy.len() > 1000 {
        agent.busy.pop_front();
    }
}
