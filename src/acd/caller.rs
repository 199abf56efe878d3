//! A caller's way through the centre: arrival, flow, keys, leaving, and the one place where a call closes.

use super::Acd;
use super::agent::AgentState;
use super::call::{Call, Contact, Disposition, Failure, Party, Refusal, Stage, TransferKind, VisitOutcome, WithdrawWhy, Withdrawal};
use super::command::{Command, EndWhy};
use super::deadline::Deadline;
use super::event::{LEGS_OF_THE_CORE, LegEnd};
use super::fact::Fact;
use super::offer::caller_of;
use super::record::CallRecord;
use super::todo::Step;
use crate::ivr::{Action, Context, Input, Session, World};
use crate::model::{CallId, Destination, Digits, Hearing, LegId, PhoneNumber, PlayId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A flow that does more than this without waiting for anything runs in a circle.
const ACTIONS_MAX: usize = 100;

impl Acd {
    pub fn call_arrived(&mut self, id: CallId, leg: LegId, from: PhoneNumber, to: PhoneNumber, out: &mut Vec<Command>) {
        assert!(leg.0 < LEGS_OF_THE_CORE, "the shell's legs have numbers below those of the core");
        if self.calls.contains(id) || self.legs.contains(leg) || self.own_calls.contains(id) || self.own_legs.contains(leg) {
            return self.obsolete("call_arrived", out);
        }
        let number = self.config.numbers.get_key_value(to.0.as_str()).map(|(did, number)| (did.clone(), number.language));
        let full = self.calls.len() >= self.config.rules.calls_max as usize;
        let first = self.config.languages.keys().next().copied();
        let (did, language) = match &number {
            Some((did, language)) => (did.clone(), Some(*language)),
            None => (Arc::from("other"), first),
        };
        let language = language.or(first).unwrap_or_else(|| crate::model::Language::new("en").expect("a tag"));
        let call = new_call(self.now, leg, (from, to), did.clone(), language);
        self.calls.insert(id, call);
        self.legs.insert(leg, id);
        self.note(Fact::CallArrived { call: id, did }, out);
        if number.is_none() || full {
            let why = if full { EndWhy::Full } else { EndWhy::NotFound };
            return self.end_call(id, Disposition::Refused, Some(why), out);
        }
        let due = self.now + self.config.rules.answer_timeout;
        self.calls.get_mut(id).expect("the call is alive").answer_due = Some(due);
        self.deadlines.set(due, Deadline::Answer(id));
        out.push(Command::Answer { leg });
    }

    pub fn leg_established(&mut self, leg: LegId, out: &mut Vec<Command>) {
        if self.own_leg_established(leg, out) {
            return;
        }
        let now = self.now;
        let waits = self.legs.get(leg).copied().filter(|id| self.calls.get(*id).is_some_and(|call| call.answer_due.is_some()));
        let Some(id) = waits else { return self.obsolete("leg_established", out) };
        let call = self.calls.get_mut(id).expect("a leg's call is alive");
        call.answered_at = Some(now);
        let due = call.answer_due.take().expect("just seen");
        self.deadlines.forget(due, Deadline::Answer(id));
        self.todo.steps.push_back((id, Step::Again));
    }

    pub fn play_done(&mut self, leg: LegId, play: PlayId, out: &mut Vec<Command>) {
        let Some(id) = self.legs.get(leg).copied() else { return self.obsolete("play_done", out) };
        let call = self.calls.get_mut(id).expect("a leg's call is alive");
        if leg.0 >= LEGS_OF_THE_CORE {
            let offer = crate::model::OfferId(leg.0 - LEGS_OF_THE_CORE);
            return self.whisper_done(offer, play, out);
        }
        if call.announcement == Some(play) {
            call.announcement = None;
        } else if call.play == Some(play) {
            call.play = None;
            self.todo.steps.push_back((id, Step::Input(Input::PlayDone)));
        } else {
            self.obsolete("play_done", out);
        }
    }

    pub fn digits_entered(&mut self, leg: LegId, digits: &Digits, out: &mut Vec<Command>) {
        let id = self.legs.get(leg).copied().filter(|_| leg.0 < LEGS_OF_THE_CORE);
        let Some(id) = id.filter(|id| self.calls.get(*id).is_some_and(|call| call.flow.is_some())) else {
            return self.obsolete("digits_entered", out);
        };
        self.todo.steps.extend(digits.0.chars().map(|key| (id, Step::Input(Input::Key(key)))));
    }

    pub fn flow_timer(&mut self, id: CallId) {
        let call = self.calls.get_mut(id).expect("a deadline's call is alive");
        call.flow_due = None;
        self.todo.steps.push_back((id, Step::Input(Input::Timeout)));
    }

    pub fn clear_flow_timer(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if let Some(due) = call.flow_due.take() {
            self.deadlines.forget(due, Deadline::FlowStep(id));
        }
    }

    /// Lets a call's flow take one step.
    pub fn step_flow(&mut self, id: CallId, step: Step, out: &mut Vec<Command>) {
        let Some(call) = self.calls.get_mut(id).filter(|call| call.over.is_none()) else { return };
        let world = World { flows: &self.config.flows, calendars: &self.config.calendars };
        let mut actions = std::mem::take(&mut self.actions);
        assert!(actions.is_empty(), "what one step asked for was done before the next");
        let known = match step {
            Step::Input(input) => {
                if let Some(flow) = call.flow.as_mut() {
                    flow.handle(&world, self.now, input, &mut actions);
                }
                true
            }
            Step::Start(_) | Step::Again => {
                let own = self.config.numbers.get(&call.did).map(|number| number.flow.clone());
                let name = if let Step::Start(name) = step { Some(name) } else { own };
                let context =
                    Context { from: call.from.clone(), did: call.did.clone(), language: call.language, arrived_at: call.arrived_at };
                match name.filter(|name| self.config.flows.contains_key(name)) {
                    Some(name) => {
                        call.parked = None;
                        call.flow = Some(Session::start(&world, self.now, &name, context, &mut actions));
                        true
                    }
                    None => false,
                }
            }
        };
        if !known || actions.len() > ACTIONS_MAX {
            actions.clear();
            self.actions = actions;
            return self.flow_fault(id, out);
        }
        for action in actions.drain(..) {
            self.act(id, action, out);
        }
        self.actions = actions;
    }

    pub fn flow_fault(&mut self, id: CallId, out: &mut Vec<Command>) {
        self.end_call(id, Disposition::Failed(Failure::FlowFault), Some(EndWhy::Failed), out);
    }

    fn act(&mut self, id: CallId, action: Action, out: &mut Vec<Command>) {
        let Some(call) = self.calls.get_mut(id).filter(|call| call.over.is_none()) else { return };
        let leg = caller_of(call);
        match action {
            Action::Play(prompts) => {
                let Some(leg) = leg else { return };
                call.announcement = None;
                let play = self.next_play();
                self.calls.get_mut(id).expect("the call is alive").play = Some(play);
                out.push(Command::Play { leg, play, prompts });
            }
            Action::StopPlay => {
                if let (Some(leg), Some(play)) = (leg, call.play.take()) {
                    out.push(Command::StopPlay { leg, play });
                }
            }
            Action::WaitFor(span) => {
                self.clear_flow_timer(id);
                let due = self.now + span;
                self.calls.get_mut(id).expect("the call is alive").flow_due = Some(due);
                self.deadlines.set(due, Deadline::FlowStep(id));
            }
            Action::Language(language) => call.language = language,
            Action::Enter(entry) => {
                if !call.visits.is_empty() || !call.offers.is_empty() {
                    self.pull_out(id, VisitOutcome::Withdrawn(Withdrawal::Moved), out);
                }
                self.enter(id, &entry, out);
            }
            Action::Leave(why) => self.leave(id, why, out),
            Action::Transfer(to) => self.transfer_from_flow(id, to, out),
            Action::HangUp => {
                let done = if call.segments.is_empty() { Disposition::CompletedInFlow } else { Disposition::Answered };
                self.end_call(id, done, Some(EndWhy::Done), out);
            }
            Action::Step { flow, step, outcome } => self.note(Fact::FlowStep { flow, step, outcome }, out),
        }
    }

    fn transfer_from_flow(&mut self, id: CallId, to: Destination, out: &mut Vec<Command>) {
        let done = self.send_to(id, &to, out);
        self.note(Fact::Transferred { queue: None, kind: TransferKind::Blind, done }, out);
        if done && let Some(call) = self.calls.get_mut(id) {
            call.transferring = true;
        } else {
            self.todo.steps.push_back((id, Step::Input(Input::TransferFailed)));
        }
    }

    pub fn leg_ended(&mut self, leg: LegId, cause: LegEnd, out: &mut Vec<Command>) {
        if self.own_leg_ended(leg, cause, out) {
            return;
        }
        let Some(id) = self.legs.get(leg).copied() else { return self.obsolete("leg_ended", out) };
        let call = self.calls.get(id).expect("a leg's call is alive");
        if let Some(offer) = call.offers.iter().copied().find(|offer| self.offers.get(*offer).is_some_and(|own| own.leg == leg)) {
            let refusal = if cause == LegEnd::HungUp { Refusal::Declined } else { Refusal::Unreachable };
            return self.offer_refused(offer, refusal, out);
        }
        match call.parties.get(&leg) {
            Some(Party::Caller) => self.caller_left(id, cause, out),
            Some(Party::Agent { .. }) => self.agent_left(id, leg, cause, out),
            _ => self.obsolete("leg_ended", out),
        }
    }

    fn caller_left(&mut self, id: CallId, cause: LegEnd, out: &mut Vec<Command>) {
        let call = self.calls.get(id).expect("the call is alive");
        let talking = call.parties.values().any(|party| matches!(party, Party::Agent { .. })) && call.offers.is_empty();
        let queued = !call.visits.is_empty() || !call.offers.is_empty();
        let served = !call.segments.is_empty();
        let disposition = match cause {
            LegEnd::Lost if !talking => Disposition::Failed(Failure::LegLost),
            _ if talking => Disposition::Answered,
            _ if queued => Disposition::Abandoned,
            _ if served => Disposition::Answered,
            _ => Disposition::AbandonedInFlow,
        };
        self.end_call(id, disposition, None, out);
    }

    /// The caller is no longer there: everything of the call ends but after-call work.
    pub fn end_call(&mut self, id: CallId, disposition: Disposition, hang_up: Option<EndWhy>, out: &mut Vec<Command>) {
        assert!(self.calls.get(id).is_some_and(|call| call.over.is_none()), "a caller leaves once");
        self.stop_recording(id, out);
        let call = self.calls.get(id).expect("the call is alive");
        let furthest = call.visits.iter().map(|visit| visit.stage).max().unwrap_or(Stage::Waiting);
        let failed = matches!(disposition, Disposition::Failed(_));
        let outcome = if failed { VisitOutcome::Failed } else { VisitOutcome::Abandoned(furthest) };
        self.unindex_call(id);
        self.calls.get_mut(id).expect("the call is alive").over = Some((self.now, disposition));
        self.withdraw_all(id, WithdrawWhy::CallerLeft, out);
        if let Some(queue) = self.calls.get(id).and_then(|call| call.visits.first()).map(|visit| visit.queue) {
            self.end_visit(id, queue, outcome, out);
        }
        self.end_visits(id, VisitOutcome::Withdrawn(Withdrawal::Elsewhere), out);
        self.release_holds(id);
        self.release_preferred(id);
        self.end_pause(id);
        self.clear_flow_timer(id);
        let call = self.calls.get_mut(id).expect("the call is alive");
        if let Some(due) = call.answer_due.take() {
            self.deadlines.forget(due, Deadline::Answer(id));
        }
        (call.flow, call.parked, call.direct) = (None, None, None);
        (call.play, call.announcement, call.treatment) = (None, None, None);
        call.hearing = Hearing::new();
        if let Some(leg) = caller_of(call) {
            call.parties.remove(&leg);
            self.legs.remove(leg);
            if let Some(why) = hang_up {
                out.push(Command::EndLeg { leg, why });
            }
        }
        let agents: Vec<LegId> = self.calls.get(id).expect("the call is alive").parties.keys().copied().collect();
        for leg in agents {
            out.push(Command::EndLeg { leg, why: EndWhy::Done });
            self.end_segment(id, leg, false, out);
        }
        self.close_if_done(id, out);
    }

    /// An agent's leg is gone from the conversation. Hung up: the conversation is over. Lost: the caller waits again.
    fn agent_left(&mut self, id: CallId, leg: LegId, cause: LegEnd, out: &mut Vec<Command>) {
        if cause == LegEnd::HungUp {
            let call = self.calls.get_mut(id).expect("the call is alive");
            let since = self.now;
            call.over = Some((since, Disposition::Answered));
            call.parked = None;
            self.release_holds(id);
            self.end_pause(id);
            self.end_segment(id, leg, false, out);
            return self.finish_after_agent(id, out);
        }
        let call = self.calls.get(id).expect("the call is alive");
        let Some(Party::Agent { agent, .. }) = call.parties.get(&leg) else { return };
        let seat = self.desks.seat(*agent).expect("a party's agent is known");
        self.desks[seat].agent.reachable = false;
        self.end_segment(id, leg, false, out);
        if self.calls.contains(id) {
            self.return_to_queue(id, out);
            self.apologize(id, out);
        }
    }

    /// The rest of a conversation that its agent ended.
    fn finish_after_agent(&mut self, id: CallId, out: &mut Vec<Command>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.hearing = Hearing::new();
        (call.treatment, call.play, call.announcement) = (None, None, None);
        if let Some(leg) = caller_of(call) {
            call.parties.remove(&leg);
            self.legs.remove(leg);
            out.push(Command::EndLeg { leg, why: EndWhy::Done });
        }
        self.close_if_done(id, out);
    }

    /// Ends an agent's time with the caller; the leg is gone or about to be.
    pub fn end_segment(&mut self, id: CallId, leg: LegId, transferred: bool, out: &mut Vec<Command>) {
        let now = self.now;
        self.stop_recording(id, out);
        let call = self.calls.get_mut(id).expect("the call is alive");
        let Some(Party::Agent { agent, since, held }) = call.parties.remove(&leg) else { return };
        self.legs.remove(leg);
        call.hearing = Hearing::new();
        let segment = call.segments.iter_mut().find(|own| own.agent == agent && own.to.is_none()).expect("who talks has a segment");
        if held {
            segment.held += now.since(since);
        }
        (segment.to, segment.transferred) = (Some(now), transferred);
        assert!(segment.held <= now.since(segment.from), "nobody holds longer than they talk");
        let segment = segment.clone();
        let seat = self.desks.seat(agent).expect("a party's agent is known");
        assert!(self.desks[seat].agent.state == AgentState::Talking(id), "agent and call agree");
        self.begin_wrap_up(seat, id, segment, out);
    }

    /// Closes a call that is over and of which nobody is left.
    pub fn close_if_done(&mut self, id: CallId, out: &mut Vec<Command>) {
        let done = self.calls.get(id).is_some_and(|call| call.over.is_some() && call.wrapping == 0 && call.parties.is_empty());
        if done {
            self.close_call(id, out);
        }
    }

    /// The one place where a call closes: once, with one disposition and one record.
    fn close_call(&mut self, id: CallId, out: &mut Vec<Command>) {
        let call = self.calls.remove(id).expect("a call closes once");
        assert!(call.visits.is_empty() && call.offers.is_empty(), "a call that closes waits nowhere");
        assert!(!call.recorded, "a call that closes is written down no longer");
        assert!(call.held_from.is_empty() && call.preferred.is_none(), "a call that closes is held from nobody");
        assert!(call.flow_due.is_none() && call.answer_due.is_none() && call.paused.is_none(), "a call that closes has no deadline");
        let (ended_at, disposition) = call.over.expect("a call that closes is over");
        assert!(call.arrived_at <= ended_at, "nobody leaves before they arrive");
        self.note(Fact::CallEnded { call: id, did: call.did.clone(), disposition: disposition.clone(), arrived_at: call.arrived_at }, out);
        out.push(Command::CloseRecord(Box::new(CallRecord {
            call: id,
            from: call.from,
            to: call.to,
            did: call.did,
            language: call.language,
            arrived_at: call.arrived_at,
            answered_at: call.answered_at,
            ended_at,
            visits: call.past,
            segments: call.segments,
            disposition,
            wrap_up_code: call.wrap_up_code,
        })));
    }
}

fn new_call(
    now: crate::model::Time,
    leg: LegId,
    (from, to): (PhoneNumber, PhoneNumber),
    did: Arc<str>,
    language: crate::model::Language,
) -> Call {
    Call {
        contact: Contact::Inbound(leg),
        arrived_at: now,
        from,
        to,
        did,
        language,
        flow: None,
        parked: None,
        visits: Vec::new(),
        offers: Vec::new(),
        parties: BTreeMap::from([(leg, Party::Caller)]),
        hearing: Hearing::new(),
        segments: Vec::new(),
        answered_at: None,
        answer_due: None,
        flow_due: None,
        play: None,
        announcement: None,
        treatment: None,
        recorded: false,
        preferred: None,
        paused: None,
        held_from: Vec::new(),
        direct: None,
        transferring: false,
        served_as: None,
        past: Vec::new(),
        wrapping: 0,
        over: None,
        wrap_up_code: None,
        said_position: None,
        steps: (now, 0),
    }
}
