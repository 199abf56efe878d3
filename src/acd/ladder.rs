//! What time in a queue changes: announcements, class, relaxed needs, more queues, overflow, and the longest wait.

use super::Acd;
use super::call::{Stage, Visit, VisitOutcome};
use super::command::Command;
use super::config::{Announcement, Config, Escalation};
use super::deadline::Deadline;
use super::desk::needs_skill;
use super::fact::Fact;
use super::offer::caller_of;
use super::todo::Step;
use super::visit::Asks;
use crate::ivr::QueueExit;
use crate::model::{CallId, Class, Destination, Language, LegId, Prompt, QueueId, RequirementClass, Time};
use std::sync::Arc;
use std::time::Duration;

/// The prompt for a caller whose agent's telephone vanished.
pub const APOLOGY: &str = "apology";

/// What comes next for a visit; at the same time the first of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    Rung,
    Comfort,
    Leave,
}

impl Acd {
    pub fn next_of_visit(&self, visit: &Visit) -> (Time, Next) {
        let mut next = (visit.leave_at, Next::Leave);
        if let Some(own) = self.config.queues.get(&visit.queue) {
            if let Some((after, _)) = own.escalation.get(visit.rung) {
                next = next.min((visit.entered_at + *after, Next::Rung));
            }
            if let Some(comfort) = own.comfort.as_ref().filter(|comfort| !comfort.say.is_empty()) {
                let every = comfort.every.max(Duration::from_secs(1)).saturating_mul(visit.comforts);
                next = next.min((visit.entered_at + comfort.first + every, Next::Comfort));
            }
        }
        next
    }

    /// Sets the visit's deadline to what comes next.
    pub fn schedule_visit(&mut self, id: CallId, queue: QueueId) {
        let Some(visit) = self.visit(id, queue) else { return };
        let (due, _) = self.next_of_visit(visit);
        let call = self.calls.get_mut(id).expect("the call is alive");
        let visit = call.visits.iter_mut().find(|visit| visit.queue == queue).expect("the visit is open");
        if let Some(before) = visit.due.replace(due) {
            self.deadlines.forget(before, Deadline::Visit(id, queue));
        }
        self.deadlines.set(due, Deadline::Visit(id, queue));
    }

    /// Applies the one thing that is due. What would take a ringing call away waits until it rings no longer.
    pub fn visit_due(&mut self, id: CallId, queue: QueueId, out: &mut Vec<Command>) {
        let Some(visit) = self.visit(id, queue) else { return };
        let (at, next) = self.next_of_visit(visit);
        assert!(at <= self.now, "a visit's deadline comes when something is due");
        let rung = self.config.queues.get(&queue).and_then(|own| own.escalation.get(visit.rung)).map(|(_, step)| step.clone());
        let rings = self.calls.get(id).is_some_and(|call| !call.offers.is_empty());
        let leaves = next == Next::Leave || next == Next::Rung && matches!(rung, Some(Escalation::Overflow(_)));
        let call = self.calls.get_mut(id).expect("the call is alive");
        let visit = call.visits.iter_mut().find(|visit| visit.queue == queue).expect("the visit is open");
        visit.due = None;
        if rings && leaves {
            return;
        }
        match next {
            Next::Rung => visit.rung += 1,
            Next::Comfort => visit.comforts += 1,
            Next::Leave => {}
        }
        let said = visit.comforts;
        match next {
            Next::Leave => return self.overflow_visit(id, queue, QueueExit::Timeout, out),
            Next::Rung => self.climb(id, queue, rung.expect("a rung that is due is on the ladder"), out),
            Next::Comfort => {
                let say = self.config.queues.get(&queue).and_then(|own| own.comfort.as_ref()).map(|comfort| comfort.say.clone());
                let say = say.expect("a comfort that is due is configured");
                self.announce(id, queue, &say[(said as usize - 1) % say.len()], out);
            }
        }
        self.schedule_if_unset(id, queue);
    }

    fn schedule_if_unset(&mut self, id: CallId, queue: QueueId) {
        if self.visit(id, queue).is_some_and(|visit| visit.due.is_none()) {
            self.schedule_visit(id, queue);
        }
    }

    fn climb(&mut self, id: CallId, queue: QueueId, step: Escalation, out: &mut Vec<Command>) {
        match step {
            Escalation::Announce(announcement) => self.announce(id, queue, &announcement, out),
            Escalation::RaiseClass(class) => {
                self.raise_class(id, Some(queue), class, out);
            }
            Escalation::Relax(map) => self.relax(id, queue, &map, out),
            Escalation::Widen(other) => self.widen(id, queue, other, out),
            Escalation::Overflow(to) => self.overflow(id, queue, to, out),
        }
    }

    /// What the queue says, unless the flow or an agent is being heard.
    fn announce(&mut self, id: CallId, queue: QueueId, announcement: &Announcement, out: &mut Vec<Command>) {
        let position = self.position(id, queue);
        let call = self.calls.get_mut(id).expect("the call is alive");
        let connecting = call.visits.iter().any(|visit| visit.stage == Stage::Connecting);
        let Some(leg) = caller_of(call).filter(|_| call.play.is_none() && !connecting) else { return };
        let names: Vec<Arc<str>> = match announcement {
            Announcement::Prompts(names) => names.clone(),
            Announcement::Position => {
                let Some(position) = position.filter(|n| *n <= 60 && call.said_position.is_none_or(|said| *n < said)) else { return };
                call.said_position = Some(position);
                vec![Arc::from("caller_number"), Arc::from(format!("n{position}"))]
            }
        };
        self.speak_over(id, leg, &names, out);
    }

    /// To a caller whose agent was lost, over the music of the queue they are back in.
    pub fn apologize(&mut self, id: CallId, out: &mut Vec<Command>) {
        let waits = self.calls.get(id).filter(|call| !call.visits.is_empty() && call.over.is_none());
        if let Some(leg) = waits.and_then(caller_of) {
            self.speak_over(id, leg, &[Arc::from(APOLOGY)], out);
        }
    }

    /// Plays over the music, in the caller's language.
    fn speak_over(&mut self, id: CallId, leg: LegId, names: &[Arc<str>], out: &mut Vec<Command>) {
        if names.is_empty() {
            return;
        }
        let call = self.calls.get(id).expect("the call is alive");
        let prompts = names.iter().map(|name| Prompt { language: call.language, name: name.clone(), entered: false }).collect();
        let play = self.next_play();
        self.calls.get_mut(id).expect("the call is alive").announcement = Some(play);
        out.push(Command::Play { leg, play, prompts });
    }

    /// A class only rises. Says whether it did, for any visit.
    pub fn raise_class(&mut self, id: CallId, only: Option<QueueId>, class: Class, out: &mut Vec<Command>) -> bool {
        self.rerank(id, only, |visit| visit.class = visit.class.min(class), out)
    }

    fn relax(
        &mut self,
        id: CallId,
        queue: QueueId,
        map: &std::collections::BTreeMap<RequirementClass, RequirementClass>,
        out: &mut Vec<Command>,
    ) {
        let Some(from) = self.visit(id, queue).map(|visit| visit.needs) else { return };
        let Some(to) = map.get(&from).copied().filter(|to| keeps_licences(&self.config, from, *to)) else { return };
        if !self.rerank(id, Some(queue), |visit| visit.needs = to, out) {
            return;
        }
        let group = self.group(queue, to);
        if self.routing.groups[group as usize].logged_in == 0 {
            self.leave_for_want_of_agents(id, queue, out);
        } else if self.is_in_line(id) {
            self.todo.waiting.push(id);
        }
    }

    /// Changes how visits rank, keeping every line in order.
    fn rerank(&mut self, id: CallId, only: Option<QueueId>, change: impl Fn(&mut Visit), out: &mut Vec<Command>) -> bool {
        self.unindex_call(id);
        let Some(call) = self.calls.get_mut(id) else { return false };
        let mut changed = Vec::new();
        for visit in call.visits.iter_mut().filter(|visit| only.is_none_or(|only| visit.queue == only)) {
            let before = (visit.class, visit.needs);
            let rank = (visit.class, visit.place, id);
            change(visit);
            assert!(visit.class <= before.0, "a class only rises");
            if before != (visit.class, visit.needs) {
                if let Some(slot) = self.routing.queues.get_mut(&visit.queue)
                    && slot.ringing.remove(&rank)
                {
                    slot.ringing.insert((visit.class, visit.place, id));
                }
                changed.push((visit.queue, visit.needs, visit.class));
            }
        }
        for (queue, needs, class) in &changed {
            self.note(Fact::VisitRanked { call: id, queue: *queue, needs: *needs, class: *class }, out);
            self.group(*queue, *needs);
        }
        if self.is_in_line(id) {
            self.index_call(id);
        }
        !changed.is_empty()
    }

    /// Waits in another queue as well, if that takes the call.
    fn widen(&mut self, id: CallId, queue: QueueId, other: QueueId, out: &mut Vec<Command>) {
        let Some(visit) = self.visit(id, queue) else { return };
        let (class, place, language) = (visit.class, visit.place, visit.language);
        let Some(needs) = self.needs_of(other, language) else { return };
        if self.visit(id, other).is_some() || self.door(other, needs).is_err() {
            return;
        }
        self.unindex_call(id);
        self.open_visit(id, Asks { queue: other, needs, class, place, max_wait: None }, out);
        if self.is_in_line(id) {
            self.index_call(id);
            self.todo.waiting.push(id);
        }
    }

    /// What a call of this language needs in a queue that it comes to without its flow's own word.
    pub fn needs_of(&self, queue: QueueId, language: Language) -> Option<RequirementClass> {
        self.config.queues.get(&queue)?.needs.get(&language).copied()
    }

    /// Leaves for another place in the centre and keeps its place in line. A place that does not take the call changes nothing.
    fn overflow(&mut self, id: CallId, queue: QueueId, to: Destination, out: &mut Vec<Command>) {
        let Some(visit) = self.visit(id, queue) else { return };
        let (class, place, language) = (visit.class, visit.place, visit.language);
        match to {
            Destination::Queue(other) => {
                let Some(needs) = self.needs_of(other, language) else { return };
                let already = self.visit(id, other).is_some();
                if other == queue || !already && self.door(other, needs).is_err() {
                    return;
                }
                self.end_visit(id, queue, VisitOutcome::Overflowed, out);
                self.unindex_call(id);
                if !already {
                    self.open_visit(id, Asks { queue: other, needs, class, place, max_wait: None }, out);
                }
                if self.is_in_line(id) {
                    self.index_call(id);
                    self.todo.waiting.push(id);
                }
            }
            Destination::Agent(agent) => {
                let seat = self.desks.seat(agent).filter(|seat| self.desks[*seat].is_ready());
                let Some(seat) = seat else { return };
                self.pull_out(id, VisitOutcome::Overflowed, out);
                self.offer_directly(id, seat, out);
            }
            Destination::Flow(flow) => {
                if !self.config.flows.contains_key(&flow) {
                    return;
                }
                self.pull_out(id, VisitOutcome::Overflowed, out);
                self.todo.steps.push_back((id, Step::Start(flow)));
            }
            // Out of the centre: not without trunks of our own.
            Destination::Number(_) | Destination::Voicemail(_) => self.obsolete("overflow", out),
        }
    }
}

/// A licence is never relaxed: what `from` asks of every agent in licensed skills, `to` asks too.
pub fn keeps_licences(config: &Config, from: RequirementClass, to: RequirementClass) -> bool {
    let needs = |class: RequirementClass| config.classes.get(class.0 as usize).map(|own| &own.needs);
    let (Some(from), Some(to)) = (needs(from), needs(to)) else { return false };
    config.skills.iter().filter(|(_, own)| own.licence).all(|(skill, _)| needs_skill(to, *skill) >= needs_skill(from, *skill))
}
