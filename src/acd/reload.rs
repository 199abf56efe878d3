//! A new configuration under a running centre: no call, no place and no counter is lost.

use super::Acd;
use super::agent::AgentState;
use super::command::Command;
use super::config::Config;
use super::desk::Member;
use super::routing::Routing;
use crate::ivr::QueueExit;
use crate::model::{CallId, QueueId, RequirementClass};

impl Acd {
    pub fn reload(&mut self, mut config: Config, out: &mut Vec<Command>) {
        self.keep_what_is_in_use(&mut config);
        let old = std::mem::replace(&mut self.config, config);
        self.renumber_classes(&old);
        for id in self.config.agents.keys().copied().collect::<Vec<_>>() {
            self.desks.add(id);
        }
        for seat in self.desks.sorted() {
            let id = self.desks[seat].id;
            match self.config.agents.get(&id) {
                Some(own) => self.desks[seat].configure(own, &self.config),
                None => self.desks[seat].retire(),
            }
        }
        self.figures.configure(&self.config);
        self.index_again();
        for id in self.calls.ids() {
            let visits = self.calls.get(id).map_or(&[][..], |call| &call.visits);
            let set: Vec<QueueId> = visits.iter().filter(|visit| visit.due.is_some()).map(|visit| visit.queue).collect();
            set.into_iter().for_each(|queue| self.schedule_visit(id, queue));
        }
        self.log_out_the_removed(out);
        self.empty_closed_queues(out);
    }

    /// Queues where somebody waits and agents who are at work stay until they are free of that.
    fn keep_what_is_in_use(&mut self, config: &mut Config) {
        self.retired.retain(|queue| !config.queues.contains_key(queue));
        for (queue, slot) in &self.routing.queues {
            let Some(own) = self.config.queues.get(queue).filter(|_| slot.open > 0 && !config.queues.contains_key(queue)) else { continue };
            self.retired.insert(*queue);
            let mut own = own.clone();
            own.closed = false;
            config.queues.insert(*queue, own);
            for (agent, new) in &mut config.agents {
                if let Some(preference) = self.config.agents.get(agent).and_then(|old| old.queues.get(queue)) {
                    new.queues.insert(*queue, *preference);
                }
            }
        }
        self.retired.retain(|queue| config.queues.contains_key(queue));
    }

    /// Visits name requirement classes by number: the same requirement may have another number now.
    fn renumber_classes(&mut self, old: &Config) {
        if old.classes == self.config.classes {
            return;
        }
        let mut renumber = |class: &mut RequirementClass| {
            let Some(own) = old.classes.get(class.0 as usize) else { return };
            let now = self.config.classes.iter().position(|other| (&other.needs, &other.prefers) == (&own.needs, &own.prefers));
            let now = now.unwrap_or_else(|| {
                self.config.classes.push(own.clone());
                self.config.classes.len() - 1
            });
            *class = RequirementClass(u16::try_from(now).expect("requirement classes are few"));
        };
        for id in self.calls.ids() {
            let call = self.calls.get_mut(id).expect("just listed");
            call.visits.iter_mut().for_each(|visit| renumber(&mut visit.needs));
            if let Some((_, needs, _, _)) = call.served_as.as_mut() {
                renumber(needs);
            }
        }
    }

    /// Builds every index anew from calls and agents.
    pub fn index_again(&mut self) {
        let slots = std::mem::take(&mut self.routing).queues;
        self.routing = Routing::default();
        for (queue, slot) in slots {
            let keep = self.routing.queues.entry(queue).or_default();
            (keep.open, keep.last_offered) = (slot.open, slot.last_offered);
        }
        for seat in self.desks.sorted() {
            let desk = &mut self.desks[seat];
            desk.member = Vec::<Member>::new();
            desk.indexed = false;
            desk.preferred.clear();
            if desk.is_ready() {
                self.todo.free.push(seat);
                for queue in &self.desks[seat].reserved_by {
                    self.routing.queues.entry(*queue).or_default().reserve_ready += 1;
                }
            }
        }
        for id in self.calls.ids() {
            let queues: Vec<(QueueId, RequirementClass)> =
                self.calls.get(id).expect("just listed").visits.iter().map(|visit| (visit.queue, visit.needs)).collect();
            for (queue, needs) in &queues {
                self.group(*queue, *needs);
                self.watch_ringing(id, *queue);
            }
            if self.is_in_line(id) {
                self.index_call(id);
                self.todo.waiting.push(id);
            }
        }
    }

    /// Who is busy is logged out when that is over, unless they are in the list again by then.
    fn log_out_the_removed(&mut self, out: &mut Vec<Command>) {
        for seat in self.desks.sorted() {
            let idle = matches!(self.desks[seat].agent.state, AgentState::Ready | AgentState::NotReady(_));
            if idle && !self.desks[seat].known {
                self.change_agent(seat, AgentState::LoggedOut, out);
            }
        }
    }

    /// Who waits where it is closed now goes on; who can be served by nobody any more too.
    fn empty_closed_queues(&mut self, out: &mut Vec<Command>) {
        for id in self.calls.ids() {
            self.leave_closed(id, out);
        }
    }

    fn leave_closed(&mut self, id: CallId, out: &mut Vec<Command>) {
        let visits: Vec<(QueueId, RequirementClass)> =
            self.calls.get(id).map_or(Vec::new(), |call| call.visits.iter().map(|visit| (visit.queue, visit.needs)).collect());
        for (queue, needs) in visits {
            if self.calls.get(id).is_none_or(|call| !call.offers.is_empty()) {
                return;
            }
            let group = self.group(queue, needs);
            if self.config.queues.get(&queue).is_none_or(|own| own.closed) {
                self.overflow_visit(id, queue, QueueExit::Closed, out);
            } else if self.routing.groups[group as usize].logged_in == 0 {
                self.overflow_visit(id, queue, QueueExit::Nobody, out);
            }
        }
    }
}
