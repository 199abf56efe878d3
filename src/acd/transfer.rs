//! Sending a call elsewhere in the centre: from a flow, by an agent, by a supervisor, or because an agent was lost.

use super::Acd;
use super::agent::AgentState;
use super::call::{Party, Place, TransferKind, VisitOutcome, Withdrawal};
use super::command::{Command, EndWhy, RecordAction};
use super::desk::Seat;
use super::fact::Fact;
use super::todo::Step;
use super::visit::{Asks, place_of};
use crate::ivr::Input;
use crate::model::{CallId, Class, Destination, Hearing, LegId, QueueId};
use std::time::Duration;

impl Acd {
    /// Whether a call could be sent there at this moment.
    fn takes(&mut self, id: CallId, to: &Destination) -> bool {
        let Some(call) = self.calls.get(id) else { return false };
        match to {
            Destination::Queue(queue) => {
                let language = call.language;
                self.needs_of(*queue, language).is_some_and(|needs| self.door(*queue, needs).is_ok())
            }
            Destination::Agent(agent) => self.desks.by_id(*agent).is_some_and(|desk| desk.is_ready() && desk.known),
            Destination::Flow(flow) => self.config.flows.contains_key(flow),
            // Out of the centre: not without trunks of our own.
            Destination::Number(_) | Destination::Voicemail(_) => false,
        }
    }

    /// Sends a call that waits nowhere and talks to nobody. Says whether the place takes it; if not, nothing has changed.
    pub fn send_to(&mut self, id: CallId, to: &Destination, out: &mut Vec<Command>) -> bool {
        if !self.takes(id, to) {
            return false;
        }
        let call = self.calls.get(id).expect("the call is alive");
        assert!(call.visits.is_empty() && call.offers.is_empty(), "a call that is sent waits nowhere");
        match to {
            Destination::Queue(queue) => {
                let (class, place) =
                    call.served_as.map_or((Class::Normal, place_of(call, Duration::ZERO)), |(_, _, class, place)| (class, place));
                let language = call.language;
                let needs = self.needs_of(*queue, language).expect("a queue that takes the call knows what it needs");
                self.open_visit(id, Asks { queue: *queue, needs, class, place, max_wait: None }, out);
                self.start_waiting(id, out);
            }
            Destination::Agent(agent) => {
                let seat = self.desks.seat(*agent).expect("an agent who takes the call is known");
                self.offer_directly(id, seat, out);
            }
            Destination::Flow(flow) => self.todo.steps.push_back((id, Step::Start(flow.clone()))),
            Destination::Number(_) | Destination::Voicemail(_) => unreachable!("no such place takes a call"),
        }
        true
    }

    /// Rings one agent and nobody else; music from a queue that the agent serves.
    pub fn offer_directly(&mut self, id: CallId, seat: Seat, out: &mut Vec<Command>) {
        let music = self.desks[seat].queues.keys().next().copied();
        let call = self.calls.get_mut(id).expect("the call is alive");
        call.direct = Some(self.desks[seat].id);
        if let (None, Some(queue), Some(leg)) = (call.treatment, music, super::offer::caller_of(call)) {
            call.treatment = Some(queue);
            out.push(Command::StartTreatment { leg, queue });
        }
        self.take_offer(id, None, seat, out);
    }

    /// The one agent it was sent to did not take it: the flow says what next; a caller without one goes back to the last queue.
    pub fn direct_failed(&mut self, id: CallId, out: &mut Vec<Command>) {
        self.silence(id, out);
        let Some(call) = self.calls.get_mut(id) else { return };
        call.direct = None;
        if call.flow.is_some() {
            call.transferring = false;
            self.todo.steps.push_back((id, Step::Input(Input::TransferFailed)));
        } else {
            self.return_to_queue(id, out);
        }
    }

    /// A caller whose agent was lost waits again, at the place of their arrival; whom nobody can serve begins again.
    pub fn return_to_queue(&mut self, id: CallId, out: &mut Vec<Command>) {
        let call = self.calls.get_mut(id).expect("the call is alive");
        if call.over.is_some() {
            return;
        }
        if !std::mem::take(&mut call.hearing).is_empty() {
            out.push(Command::Hear { call: id, matrix: Hearing::new(), bridged: None });
        }
        let Some((queue, needs, class, place)) = call.served_as else {
            return self.out_of_queues(id, crate::ivr::QueueExit::Failed, out);
        };
        match self.door(queue, needs) {
            // Who was in already is not turned away for a full queue.
            Ok(()) | Err(crate::ivr::QueueExit::Full) => {
                self.open_visit(id, Asks { queue, needs, class, place, max_wait: None }, out);
                let call = self.calls.get_mut(id).expect("the call is alive");
                call.flow = call.parked.take();
                self.silence(id, out);
                self.start_waiting(id, out);
            }
            Err(why) => self.out_of_queues(id, why, out),
        }
    }

    /// An agent's wish. Only the blind kind exists so far.
    pub fn transfer_asked(&mut self, by: LegId, to: Destination, kind: TransferKind, out: &mut Vec<Command>) {
        let id = self.legs.get(by).copied();
        let agent = id.and_then(|id| self.calls.get(id)).and_then(|call| match call.parties.get(&by) {
            Some(Party::Agent { agent, .. }) if call.offers.is_empty() => Some(*agent),
            _ => None,
        });
        let (Some(id), Some(agent), TransferKind::Blind) = (id, agent, kind) else {
            return self.obsolete("transfer_asked", out);
        };
        let call = self.calls.get(id).expect("a leg's call is alive");
        let queue = call.segments.iter().rev().find(|own| own.agent == agent && own.to.is_none()).and_then(|own| own.queue);
        let done = to != Destination::Agent(agent) && self.takes(id, &to);
        self.note(Fact::Transferred { queue, kind, done }, out);
        if !done {
            return;
        }
        self.stop_recording(id, out);
        out.push(Command::Hear { call: id, matrix: Hearing::new(), bridged: None });
        self.silence(id, out);
        out.push(Command::EndLeg { leg: by, why: EndWhy::Done });
        self.end_segment(id, by, true, out);
        let sent = self.send_to(id, &to, out);
        if !sent {
            // The agent who left was the last who could have taken it.
            self.return_to_queue(id, out);
        }
    }

    /// A supervisor's wish, for a caller who waits or is in a flow.
    pub fn call_moved(&mut self, id: CallId, to: Destination, out: &mut Vec<Command>) {
        let Some(call) = self.calls.get(id) else { return self.obsolete("call_moved", out) };
        let connecting = call.parties.values().any(|party| matches!(party, Party::Agent { .. }));
        let here = matches!(to, Destination::Queue(queue) if call.visits.iter().any(|visit| visit.queue == queue));
        let gone = call.over.is_some() || call.answered_at.is_none();
        let rank = call.visits.first().map(|visit| (visit.class, visit.place));
        if connecting || here || gone || !self.takes(id, &to) {
            return self.obsolete("call_moved", out);
        }
        self.pull_out(id, VisitOutcome::Withdrawn(Withdrawal::Moved), out);
        self.clear_flow_timer(id);
        let call = self.calls.get_mut(id).expect("the call is alive");
        (call.flow, call.parked, call.transferring) = (None, None, false);
        if !self.takes(id, &to) {
            return self.out_of_queues(id, crate::ivr::QueueExit::Failed, out);
        }
        match (&to, rank) {
            (Destination::Queue(queue), Some((class, place))) => self.move_to(id, *queue, class, place, out),
            _ => {
                self.send_to(id, &to, out);
            }
        }
    }

    fn move_to(&mut self, id: CallId, queue: QueueId, class: Class, place: Place, out: &mut Vec<Command>) {
        let language = self.calls.get(id).expect("the call is alive").language;
        let needs = self.needs_of(queue, language).expect("a queue that takes the call knows what it needs");
        self.open_visit(id, Asks { queue, needs, class, place, max_wait: None }, out);
        self.start_waiting(id, out);
    }

    pub fn class_raised(&mut self, id: CallId, class: Class, out: &mut Vec<Command>) {
        if !self.raise_class(id, None, class, out) {
            self.obsolete("class_raised", out);
        }
    }

    /// Music for the caller while the agent holds; the time counts as hold.
    pub fn leg_held(&mut self, leg: LegId, hold: bool, out: &mut Vec<Command>) {
        if self.own_leg_held(leg, hold, out) {
            return;
        }
        let now = self.now;
        let Some(id) = self.legs.get(leg).copied() else { return self.obsolete("leg_held", out) };
        let call = self.calls.get_mut(id).expect("a leg's call is alive");
        let caller = super::offer::caller_of(call);
        let Some(Party::Agent { agent, since, held }) = call.parties.get_mut(&leg) else { return self.obsolete("leg_held", out) };
        let segment = call.segments.iter_mut().find(|own| own.agent == *agent && own.to.is_none());
        let Some(segment) = segment.filter(|_| *held != hold) else { return self.obsolete("leg_held", out) };
        if !hold {
            segment.held += now.since(*since);
        }
        let queue = segment.queue;
        (*since, *held) = (now, hold);
        let seat = self.desks.seat(*agent).expect("a party's agent is known");
        assert!(self.desks[seat].agent.state == AgentState::Talking(id), "agent and call agree");
        let music = queue.or(self.desks[seat].queues.keys().next().copied());
        if call.recorded {
            let action = if hold { RecordAction::Pause } else { RecordAction::Resume };
            out.push(Command::Record { call: id, action });
        }
        match (hold, caller, music) {
            (true, Some(leg), Some(queue)) => {
                call.treatment = Some(queue);
                out.push(Command::StartTreatment { leg, queue });
            }
            (false, Some(leg), _) if call.treatment.take().is_some() => out.push(Command::StopTreatment { leg }),
            _ => {}
        }
    }
}
