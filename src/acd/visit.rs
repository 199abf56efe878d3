//! Stays in queues: the door, the line, and every way out but the answer.

use super::Acd;
use super::call::{Call, Deflection, Place, Stage, Visit, VisitOutcome, VisitRecord, WithdrawWhy, Withdrawal};
use super::command::Command;
use super::deadline::Deadline;
use super::fact::Fact;
use super::todo::Step;
use crate::ivr::{Input, LeaveWhy, QueueEntry, QueueExit};
use crate::model::{AgentId, CallId, Class, OfferId, QueueId, RequirementClass, Time};
use std::time::Duration;

/// What a call asks for at a queue's door.
#[derive(Clone, Copy, Debug)]
pub struct Asks {
    pub queue: QueueId,
    pub needs: RequirementClass,
    pub class: Class,
    pub place: Place,
    pub max_wait: Option<Duration>,
}

impl Acd {
    /// Why this queue takes no such call now.
    pub fn door(&mut self, queue: QueueId, needs: RequirementClass) -> Result<(), QueueExit> {
        let Some(own) = self.config.queues.get(&queue) else { return Err(QueueExit::Failed) };
        if own.closed || self.retired.contains(&queue) {
            return Err(QueueExit::Closed);
        }
        if self.routing.queues.get(&queue).is_some_and(|slot| slot.open >= own.calls_max) {
            return Err(QueueExit::Full);
        }
        let group = self.group(queue, needs);
        if self.routing.groups[group as usize].logged_in == 0 { Err(QueueExit::Nobody) } else { Ok(()) }
    }

    /// The flow's `queue` step: one visit for each queue that takes the call; `QueueLeft` at once if none does.
    pub fn enter(&mut self, id: CallId, entry: &QueueEntry, out: &mut Vec<Command>) {
        assert!(!entry.queues.is_empty(), "a queue step names a queue");
        let Some(call) = self.calls.get_mut(id) else { return };
        call.transferring = false;
        let place = place_of(call, entry.credit);
        let mut refused = None;
        for (index, (queue, needs)) in entry.queues.iter().enumerate() {
            let max_wait = entry.max_wait.filter(|_| index == 0);
            let asks = Asks { queue: *queue, needs: *needs, class: entry.class, place, max_wait };
            match self.door(*queue, *needs) {
                Ok(()) => self.open_visit(id, asks, out),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        let call = self.calls.get(id).expect("the call is alive");
        let Some(first) = call.visits.first() else {
            let why = refused.expect("a door that did not open says why");
            return self.todo.steps.push_back((id, Step::Input(Input::QueueLeft(why))));
        };
        let remembered = self.config.queues.get(&first.queue).and_then(|own| own.last_agent);
        let remembered = remembered.and_then(|span| self.last_agents.of(&call.from).map(|agent| (agent, span)));
        if let Some((agent, span)) = entry.agent_first.or(remembered) {
            self.keep_for(id, agent, span);
        }
        self.start_waiting(id, out);
    }

    /// Keeps a call for one agent, if that agent is here and could serve it at all.
    fn keep_for(&mut self, id: CallId, agent: AgentId, span: Duration) {
        let call = self.calls.get(id).expect("the call is alive");
        let Some(desk) = self.desks.by_id(agent) else { return };
        let serves = call.visits.iter().any(|visit| desk.fit(visit.needs).meets && desk.queues.contains_key(&visit.queue));
        if !serves || desk.agent.state == super::AgentState::LoggedOut || span.is_zero() || desk.is_held_from(id) {
            return;
        }
        let until = self.now + span;
        self.calls.get_mut(id).expect("the call is alive").preferred = Some((agent, until));
        self.deadlines.set(until, Deadline::Preferred(id));
    }

    /// The call is kept for nobody any longer; it must stand in no line at this moment.
    pub fn release_preferred(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if let Some((_, until)) = call.preferred.take() {
            self.deadlines.forget(until, Deadline::Preferred(id));
        }
    }

    /// Whoever fits may have it now; it leaves the queues whose last such agent went while it was kept for one.
    pub fn give_to_all(&mut self, id: CallId) {
        self.unindex_call(id);
        self.release_preferred(id);
        if !self.is_in_line(id) {
            return;
        }
        self.index_call(id);
        self.todo.waiting.push(id);
    }

    /// Asked of every call that begins to wait anew.
    pub fn leave_where_nobody_is(&mut self, id: CallId, out: &mut Vec<Command>) {
        let visits: Vec<_> = self.calls.get(id).map_or(Vec::new(), |call| call.visits.iter().map(|v| (v.queue, v.needs)).collect());
        for (queue, needs) in visits {
            let group = self.group(queue, needs);
            if self.routing.groups[group as usize].logged_in == 0 {
                self.leave_for_want_of_agents(id, queue, out);
            }
        }
    }

    /// Opens a visit; the door has been asked.
    pub fn open_visit(&mut self, id: CallId, asks: Asks, out: &mut Vec<Command>) {
        let Asks { queue, needs, class, place, max_wait } = asks;
        let limit = self.config.rules.wait_max;
        let own = max_wait.or(self.config.queues.get(&queue).and_then(|own| own.max_wait)).unwrap_or(limit);
        let call = self.calls.get_mut(id).expect("the call is alive");
        if call.visits.iter().any(|visit| visit.queue == queue) {
            return;
        }
        let visit = Visit {
            queue,
            language: call.language,
            needs,
            class,
            place,
            entered_at: self.now,
            stage: Stage::Waiting,
            rung: 0,
            comforts: 0,
            leave_at: self.now + own.min(limit),
            due: None,
            rings: 0,
            next_ring: None,
            offers: Vec::new(),
        };
        let language = visit.language;
        call.visits.push(visit);
        self.routing.queues.entry(queue).or_default().open += 1;
        self.note(Fact::VisitEntered { call: id, queue, language, needs, class, place }, out);
        self.schedule_visit(id, queue);
    }

    /// Music, and into the lines as soon as it may be offered.
    pub fn start_waiting(&mut self, id: CallId, out: &mut Vec<Command>) {
        self.start_music(id, out);
        if self.is_in_line(id) {
            self.index_call(id);
            self.todo.waiting.push(id);
        }
    }

    pub fn start_music(&mut self, id: CallId, out: &mut Vec<Command>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let Some(queue) = call.visits.first().map(|visit| visit.queue) else { return };
        if let (None, Some(leg)) = (call.treatment, super::offer::caller_of(call)) {
            call.treatment = Some(queue);
            out.push(Command::StartTreatment { leg, queue });
        }
    }

    /// Nothing of the call rings any longer: it waits where it stood, unless its time had come meanwhile.
    pub fn wait_again(&mut self, id: CallId, out: &mut Vec<Command>) {
        let Some(call) = self.calls.get(id) else { return };
        assert!(call.offers.is_empty(), "a call that rings does not wait");
        let queues: Vec<QueueId> = call.visits.iter().map(|visit| visit.queue).collect();
        for queue in &queues {
            self.set_stage(id, *queue, Stage::Waiting, out);
            self.watch_ringing(id, *queue);
        }
        self.start_music(id, out);
        for queue in queues {
            while self.overdue(id, queue) {
                self.visit_due(id, queue, out);
            }
            if self.visit(id, queue).is_some_and(|visit| visit.due.is_none()) {
                self.schedule_visit(id, queue);
            }
        }
        self.leave_where_nobody_is(id, out);
        if self.is_in_line(id) {
            self.unindex_call(id);
            self.index_call(id);
            self.todo.waiting.push(id);
        }
    }

    /// A deadline that came while the call rang was put off until now.
    fn overdue(&self, id: CallId, queue: QueueId) -> bool {
        let free = self.calls.get(id).is_some_and(|call| call.offers.is_empty());
        free && self.visit(id, queue).is_some_and(|visit| visit.due.is_none() && self.next_of_visit(visit).0 <= self.now)
    }

    pub fn visit(&self, id: CallId, queue: QueueId) -> Option<&Visit> {
        self.calls.get(id)?.visits.iter().find(|visit| visit.queue == queue)
    }

    pub fn set_stage(&mut self, id: CallId, queue: QueueId, to: Stage, out: &mut Vec<Command>) {
        let call = self.calls.get_mut(id).expect("the call is alive");
        let Some(visit) = call.visits.iter_mut().find(|visit| visit.queue == queue) else { return };
        let from = std::mem::replace(&mut visit.stage, to);
        let language = visit.language;
        if from != to {
            self.note(Fact::VisitStage { call: id, queue, language, from, to }, out);
        }
    }

    /// Ends one visit, whatever becomes of the call.
    pub fn end_visit(&mut self, id: CallId, queue: QueueId, outcome: VisitOutcome, out: &mut Vec<Command>) {
        self.unindex_call(id);
        let now = self.now;
        let call = self.calls.get_mut(id).expect("the call is alive");
        let index = call.visits.iter().position(|visit| visit.queue == queue).expect("a visit ends once");
        let visit = call.visits.remove(index);
        let Visit { language, entered_at, stage, .. } = visit;
        let record = VisitRecord { queue, language, entered_at, left_at: now, stage, outcome, offers: visit.offers };
        assert!(record.entered_at <= record.left_at, "nobody leaves before they enter");
        call.past.push(record);
        let (arrived_at, rank) = (call.arrived_at, (visit.class, visit.place, id));
        if let Some(due) = visit.due {
            self.deadlines.forget(due, Deadline::Visit(id, queue));
        }
        if let Some(at) = visit.next_ring {
            self.deadlines.forget(at, Deadline::Progressive(id, queue));
        }
        let slot = self.routing.queues.entry(queue).or_default();
        assert!(slot.open > 0, "a queue counts its visits");
        slot.open -= 1;
        slot.ringing.remove(&rank);
        self.note(Fact::VisitEnded { call: id, queue, language, stage, outcome, entered_at, arrived_at }, out);
        // A call that a rule sends on, or that is out of the queues, is kept for nobody any longer.
        if outcome == VisitOutcome::Overflowed || self.calls.get(id).is_some_and(|call| call.visits.is_empty()) {
            self.release_preferred(id);
        }
        if self.is_in_line(id) {
            self.index_call(id);
            self.todo.waiting.push(id);
        }
    }

    /// Ends every visit that is left.
    pub fn end_visits(&mut self, id: CallId, outcome: VisitOutcome, out: &mut Vec<Command>) {
        while let Some(queue) = self.calls.get(id).and_then(|call| call.visits.first()).map(|visit| visit.queue) {
            self.end_visit(id, queue, outcome, out);
        }
    }

    /// A rule of the queue sends the call on. With its last visit it is out of the queues, for `why`.
    pub fn overflow_visit(&mut self, id: CallId, queue: QueueId, why: QueueExit, out: &mut Vec<Command>) {
        assert!(self.calls.get(id).is_some_and(|call| call.offers.is_empty()), "a call that rings is not sent away");
        self.end_visit(id, queue, VisitOutcome::Overflowed, out);
        if self.calls.get(id).is_some_and(|call| call.visits.is_empty()) {
            self.out_of_queues(id, why, out);
        }
    }

    pub fn leave_for_want_of_agents(&mut self, id: CallId, queue: QueueId, out: &mut Vec<Command>) {
        if self.visit(id, queue).is_some() && self.calls.get(id).is_some_and(|call| call.offers.is_empty()) {
            self.overflow_visit(id, queue, QueueExit::Nobody, out);
        }
    }

    /// The flow goes on; a caller without one (left by an agent, or sent here by hand) begins again at the number's flow.
    pub fn out_of_queues(&mut self, id: CallId, why: QueueExit, out: &mut Vec<Command>) {
        self.silence(id, out);
        let call = self.calls.get_mut(id).expect("the call is alive");
        let step = match (&call.flow, std::mem::take(&mut call.transferring)) {
            (Some(_), true) => Step::Input(Input::TransferFailed),
            (Some(_), false) => Step::Input(Input::QueueLeft(why)),
            (None, _) => Step::Again,
        };
        self.todo.steps.push_back((id, step));
    }

    /// The caller's key took the call out of the queues.
    pub fn leave(&mut self, id: CallId, why: LeaveWhy, out: &mut Vec<Command>) {
        let outcome = match why {
            LeaveWhy::Moved => VisitOutcome::Withdrawn(Withdrawal::Moved),
            LeaveWhy::Callback => VisitOutcome::Deflected(Deflection::Callback),
            LeaveWhy::Voicemail => VisitOutcome::Deflected(Deflection::Voicemail),
        };
        self.pull_out(id, outcome, out);
    }

    /// Ends all that rings and all visits; the caller hears nothing of the queue any more. Of several visits the first entered counts.
    pub fn pull_out(&mut self, id: CallId, outcome: VisitOutcome, out: &mut Vec<Command>) {
        self.withdraw_all(id, WithdrawWhy::Moved, out);
        self.silence(id, out);
        if let Some(queue) = self.calls.get(id).and_then(|call| call.visits.first()).map(|visit| visit.queue) {
            self.end_visit(id, queue, outcome, out);
        }
        self.end_visits(id, VisitOutcome::Withdrawn(Withdrawal::Elsewhere), out);
        if let Some(call) = self.calls.get_mut(id) {
            call.direct = None;
            if !std::mem::take(&mut call.hearing).is_empty() {
                out.push(Command::Hear { call: id, matrix: Default::default(), bridged: None });
            }
        }
    }

    pub fn withdraw_all(&mut self, id: CallId, why: WithdrawWhy, out: &mut Vec<Command>) {
        while let Some(offer) = self.calls.get(id).and_then(|call| call.offers.first().copied()) {
            self.withdraw(offer, why, out);
        }
    }

    /// The agent is gone while their station rang: the call goes on to others, without blame.
    pub fn take_back(&mut self, offer: OfferId, out: &mut Vec<Command>) {
        let own = self.offers.get(offer).expect("an offered agent has an offer");
        let (id, queue) = (own.call, own.queue);
        self.withdraw(offer, WithdrawWhy::Moved, out);
        self.offer_fell_through(id, queue, out);
    }

    /// Where the line stands: 1 is next. Counted up to 61.
    pub fn position(&self, id: CallId, queue: QueueId) -> Option<u32> {
        let visit = self.visit(id, queue)?;
        let rank = (visit.class, visit.place, id);
        let slot = self.routing.queues.get(&queue)?;
        let ahead = |group: &u32| self.routing.groups[*group as usize].waiting.range(..rank).take(60).count();
        Some(1 + slot.groups.iter().map(ahead).sum::<usize>().min(60) as u32)
    }
}

/// Arrival minus credit.
pub fn place_of(call: &Call, credit: Duration) -> Place {
    let Time(place) = call.arrived_at - credit;
    Place(place)
}
