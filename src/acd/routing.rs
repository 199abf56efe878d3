//! Who is offered what: waiting calls and ready agents, indexed so that a decision looks at heads only.

use super::Acd;
use super::config::{Config, Strategy};
use super::desk::{Desk, Line, Seat, needs_skill};
use crate::model::{AgentId, CallId, Class, QueueId, RequirementClass, SkillId, Term, Time};
use std::collections::{BTreeMap, BTreeSet};

/// A ready agent in a group; the least is offered a call first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// 2: has a scarce skill that these calls do not need. 1: lacks what they prefer.
    pub tier: u8,
    /// The strategy's own.
    pub key: u64,
    pub idle_since: Time,
    pub agent: AgentId,
    pub seat: Seat,
}

/// All calls of one requirement class in one queue, and the agents who could serve them.
#[derive(Clone, Debug)]
pub struct Group {
    pub queue: QueueId,
    pub class: RequirementClass,
    pub strategy: Strategy,
    /// Nobody without a scarce skill could serve such a call.
    pub scarce: bool,
    /// The queue keeps so many who have the skill free, and these calls do not need it.
    pub reserve: Option<(SkillId, u32)>,
    pub waiting: Line,
    pub ready: BTreeSet<Candidate>,
    /// Agents who could serve and are logged in, whatever they do.
    pub logged_in: u32,
}

/// What routing remembers of a queue.
#[derive(Clone, Debug, Default)]
pub struct QueueSlot {
    /// Visits that are open.
    pub open: u32,
    /// Ready agents who have the skill that the queue reserves.
    pub reserve_ready: u32,
    pub last_offered: Option<AgentId>,
    /// Calls that ring and would ring one more agent.
    pub ringing: Line,
    pub groups: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
pub struct Routing {
    pub groups: Vec<Group>,
    pub by_key: BTreeMap<(QueueId, RequirementClass), u32>,
    pub queues: BTreeMap<QueueId, QueueSlot>,
}

impl Group {
    fn new(queue: QueueId, class: RequirementClass, config: &Config) -> Group {
        let needs = config.classes.get(class.0 as usize).map(|own| &own.needs);
        let asks = |skill: SkillId| needs.is_some_and(|needs| needs_skill(needs, skill).is_some());
        let is_scarce = |term: &Term| matches!(term, Term::AtLeast(skill, _) if config.skills.get(skill).is_some_and(|own| own.scarce));
        let settings = config.queues.get(&queue);
        Group {
            queue,
            class,
            strategy: settings.map_or(Strategy::LongestIdle, |own| own.strategy),
            scarce: needs.is_some_and(|needs| !needs.any_of.is_empty() && needs.any_of.iter().all(|terms| terms.iter().any(is_scarce))),
            reserve: settings.and_then(|own| own.reserve).filter(|(skill, _)| !asks(*skill)),
            waiting: Line::new(),
            ready: BTreeSet::new(),
            logged_in: 0,
        }
    }

    /// The candidates, best first.
    pub fn in_order(&self, last: Option<AgentId>) -> Vec<Candidate> {
        match (self.strategy, last) {
            (Strategy::RoundRobin, Some(last)) => {
                let mut all: Vec<Candidate> = self.ready.iter().copied().collect();
                all.sort_by_key(|one| (one.tier, one.agent <= last, one.agent));
                all
            }
            _ => self.ready.iter().copied().collect(),
        }
    }

    /// The best candidate that `fits`.
    fn first(&self, last: Option<AgentId>, fits: impl Fn(&Candidate) -> bool) -> Option<Seat> {
        let (Strategy::RoundRobin, Some(last)) = (self.strategy, last) else {
            return self.ready.iter().find(|one| fits(one)).map(|one| one.seat);
        };
        let at = |tier, key| Candidate { tier, key, idle_since: Time(0), agent: AgentId(0), seat: Seat(0) };
        let after = last.0.saturating_add(1);
        (0..4u8).find_map(|tier| {
            let mut turn = self.ready.range(at(tier, after)..at(tier + 1, 0)).chain(self.ready.range(at(tier, 0)..at(tier, after)));
            turn.find(|one| fits(one)).map(|one| one.seat)
        })
    }
}

impl Desk {
    pub fn candidate(&self, seat: Seat, strategy: Strategy, class: RequirementClass) -> Candidate {
        let fit = self.fit(class);
        let key = match strategy {
            Strategy::LongestIdle | Strategy::RingAll | Strategy::Progressive => 0,
            Strategy::LeastOccupied => self.occupancy,
            Strategy::MostProficient => u64::from(u16::MAX - fit.skill),
            Strategy::FewestCalls => self.agent.calls_since_login,
            Strategy::RoundRobin | Strategy::Linear => self.id.0,
        };
        let tier = u8::from(fit.kept) * 2 + u8::from(!fit.prefers);
        Candidate { tier, key, idle_since: self.agent.idle_since, agent: self.id, seat }
    }
}

/// A call's rank for one agent; less is served first. What follows the call's id only makes the order full.
type CallRank = (Class, u8, bool, super::call::Place, CallId, QueueId, RequirementClass);

impl Acd {
    /// The group's number; makes it when a queue first sees such a call.
    pub fn group(&mut self, queue: QueueId, class: RequirementClass) -> u32 {
        if let Some(group) = self.routing.by_key.get(&(queue, class)) {
            return *group;
        }
        let number = self.routing.groups.len() as u32;
        let mut group = Group::new(queue, class, &self.config);
        for seat in self.desks.seats() {
            let desk = &mut self.desks[seat];
            let fit = desk.fit(class);
            let Some(preference) = desk.queues.get(&queue).copied().filter(|_| fit.meets) else { continue };
            desk.member.push(super::desk::Member { group: number, preference, fit });
            if desk.agent.state != super::AgentState::LoggedOut {
                group.logged_in += 1;
            }
            if desk.indexed {
                group.ready.insert(desk.candidate(seat, group.strategy, class));
            }
        }
        self.routing.groups.push(group);
        self.routing.by_key.insert((queue, class), number);
        self.routing.queues.entry(queue).or_default().groups.push(number);
        number
    }

    /// Lists a ready agent for the calls to come.
    pub fn index_agent(&mut self, seat: Seat) {
        let desk = &mut self.desks[seat];
        assert!(desk.is_ready() && !desk.indexed, "only a ready agent is listed, once");
        desk.indexed = true;
        let desk = &self.desks[seat];
        for member in &desk.member {
            let group = &mut self.routing.groups[member.group as usize];
            group.ready.insert(desk.candidate(seat, group.strategy, group.class));
        }
    }

    /// Before anything changes that ranks the agent.
    pub fn unindex_agent(&mut self, seat: Seat) {
        if !self.desks[seat].indexed {
            return;
        }
        self.desks[seat].indexed = false;
        let desk = &self.desks[seat];
        for member in &desk.member {
            let group = &mut self.routing.groups[member.group as usize];
            let was = group.ready.remove(&desk.candidate(seat, group.strategy, group.class));
            assert!(was, "a listed agent stands where its keys say");
        }
    }

    /// Whether a call waits with nothing of it ringing, and may be offered: it is in the lines.
    pub fn is_in_line(&self, call: CallId) -> bool {
        let waits = |call: &super::call::Call| !call.visits.is_empty() && call.offers.is_empty() && call.over.is_none();
        self.calls.get(call).is_some_and(|call| waits(call) && call.paused.is_none())
    }

    /// Puts a waiting call into its queues' lines, or into that of the one agent it is kept for.
    pub fn index_call(&mut self, id: CallId) {
        assert!(self.is_in_line(id), "only a waiting call stands in line");
        let call = self.calls.get(id).expect("the call is alive");
        let visits: Vec<_> = call.visits.iter().map(|visit| (visit.queue, visit.needs, (visit.class, visit.place, id))).collect();
        let preferred = call.preferred;
        for (queue, needs, rank) in visits {
            match preferred.and_then(|(agent, _)| self.desks.seat(agent)) {
                Some(seat) => {
                    self.desks[seat].preferred.insert(rank);
                }
                None => {
                    let group = self.group(queue, needs);
                    self.routing.groups[group as usize].waiting.insert(rank);
                }
            }
        }
    }

    /// Takes a call out of every line; nothing happens if it stands in none.
    pub fn unindex_call(&mut self, id: CallId) {
        let Some(call) = self.calls.get(id) else { return };
        for visit in &call.visits {
            let rank = (visit.class, visit.place, id);
            if let Some(group) = self.routing.by_key.get(&(visit.queue, visit.needs)) {
                self.routing.groups[*group as usize].waiting.remove(&rank);
            }
            if let Some(seat) = call.preferred.and_then(|(agent, _)| self.desks.seat(agent)) {
                self.desks[seat].preferred.remove(&rank);
            }
        }
    }

    /// The agent is one of the last of those that the queue keeps free for other calls.
    pub fn is_reserved(&self, desk: &Desk, group: &Group) -> bool {
        group.reserve.is_some_and(|(skill, keep)| {
            desk.skills.contains_key(&skill) && self.routing.queues.get(&group.queue).is_none_or(|slot| slot.reserve_ready <= keep)
        })
    }

    /// The waiting call that this agent should have.
    pub fn best_call(&self, seat: Seat) -> Option<(CallId, QueueId)> {
        let desk = &self.desks[seat];
        let mut best: Option<CallRank> = None;
        for member in &desk.member {
            let group = &self.routing.groups[member.group as usize];
            let Some(first) = group.waiting.first() else { continue };
            let free = if desk.holds.is_empty() { Some(first) } else { group.waiting.iter().find(|one| !desk.is_held_from(one.2)) };
            let Some((class, place, call)) = free.copied() else { continue };
            let rank = (class, member.preference, !group.scarce, place, call, group.queue, group.class);
            if best.is_none_or(|best| rank < best) && !self.is_reserved(desk, group) {
                best = Some(rank);
            }
        }
        for (class, place, call) in &desk.preferred {
            let visits = self.calls.get(*call).map_or(&[][..], |call| &call.visits);
            for visit in visits.iter().filter(|visit| (visit.class, visit.place) == (*class, *place) && !desk.is_held_from(*call)) {
                let Some(number) = self.routing.by_key.get(&(visit.queue, visit.needs)) else { continue };
                let Some(member) = desk.member_of(*number) else { continue };
                let group = &self.routing.groups[*number as usize];
                let rank = (*class, member.preference, !group.scarce, *place, *call, visit.queue, visit.needs);
                if best.is_none_or(|best| rank < best) && !self.is_reserved(desk, group) {
                    best = Some(rank);
                }
            }
        }
        best.map(|rank| (rank.4, rank.5))
    }

    /// The ready agent who should have this waiting call.
    pub fn best_agent(&self, id: CallId) -> Option<Seat> {
        let call = self.calls.get(id)?;
        let only = call.preferred.and_then(|(agent, _)| self.desks.seat(agent));
        call.visits.iter().find_map(|visit| {
            let number = *self.routing.by_key.get(&(visit.queue, visit.needs))?;
            let group = &self.routing.groups[number as usize];
            let fits = |seat: Seat| {
                let desk = &self.desks[seat];
                !desk.is_held_from(id) && !self.is_reserved(desk, group)
            };
            match only {
                Some(seat) => {
                    let desk = &self.desks[seat];
                    (desk.indexed && desk.member_of(number).is_some() && fits(seat)).then_some(seat)
                }
                None => group.first(self.routing.queues.get(&visit.queue)?.last_offered, |one| fits(one.seat)),
            }
        })
    }

    /// Brings together whoever became free and whoever began to wait during this event. Every agent gets the best call for them,
    /// every call goes to its best agent unless that one has a better call.
    pub fn match_all(&mut self, out: &mut Vec<super::Command>) {
        let free = std::mem::take(&mut self.todo.free);
        let mut waiting = std::mem::take(&mut self.todo.waiting);
        for call in &waiting {
            self.leave_where_nobody_is(*call, out);
        }
        for seat in &free {
            if self.desks[*seat].is_ready() && !self.desks[*seat].indexed {
                if free.len() == 1 && waiting.is_empty() {
                    // The usual case: nobody else could serve what waits, or it would not.
                    if let Some((call, queue)) = self.best_call(*seat) {
                        return self.offer_call(call, queue, *seat, out);
                    }
                }
                self.index_agent(*seat);
            }
        }
        for seat in &free {
            while let Some((call, queue)) = self.best_call(*seat).filter(|_| self.desks[*seat].is_ready()) {
                let other = self.best_agent(call).unwrap_or(*seat);
                let (call, queue) = self.best_call(other).unwrap_or((call, queue));
                self.offer_call(call, queue, other, out);
            }
        }
        waiting.retain(|call| self.is_in_line(*call));
        waiting.sort_by_key(|call| self.calls.get(*call).and_then(|own| own.visits.iter().map(|v| (v.class, v.place)).min()));
        for call in waiting {
            while self.is_in_line(call) {
                let Some(seat) = self.best_agent(call) else { break };
                let (call, queue) = self.best_call(seat).expect("an agent who fits this call has a best call");
                self.offer_call(call, queue, seat, out);
            }
        }
        for seat in free {
            if self.desks[seat].is_ready() {
                self.spend_reserve(seat, out);
                self.join_ringing(seat, out);
            }
        }
    }

    /// One more who has a reserved skill is ready: somebody of them may be free for other calls now.
    fn spend_reserve(&mut self, seat: Seat, out: &mut Vec<super::Command>) {
        let reserves = |group: &Group, desk: &Desk| group.reserve.is_some_and(|(skill, _)| desk.skills.contains_key(&skill));
        let desk = &self.desks[seat];
        let numbers: Vec<u32> =
            desk.queues.keys().filter_map(|queue| self.routing.queues.get(queue)).flat_map(|slot| slot.groups.clone()).collect();
        for number in numbers {
            let group = &self.routing.groups[number as usize];
            if group.waiting.is_empty() || !reserves(group, desk_of(self, seat)) {
                continue;
            }
            let holders = |one: &Candidate| reserves(group, desk_of(self, one.seat));
            let seats: Vec<Seat> = group.ready.iter().filter(|one| holders(one)).map(|one| one.seat).collect();
            for seat in seats {
                if let Some((call, queue)) = self.best_call(seat).filter(|_| self.desks[seat].is_ready()) {
                    self.offer_call(call, queue, seat, out);
                }
            }
        }
    }

    /// A ready agent for whom nothing waits may join what rings at several.
    fn join_ringing(&mut self, seat: Seat, out: &mut Vec<super::Command>) {
        let desk = &self.desks[seat];
        let mut best: Option<CallRank> = None;
        for (queue, preference) in &desk.queues {
            let Some(slot) = self.routing.queues.get(queue) else { continue };
            for (class, place, call) in &slot.ringing {
                let visit = self.calls.get(*call).and_then(|call| call.visits.iter().find(|visit| visit.queue == *queue));
                let Some(visit) = visit.filter(|_| !desk.is_held_from(*call)) else { continue };
                let Some(number) = self.routing.by_key.get(&(*queue, visit.needs)) else { continue };
                let group = &self.routing.groups[*number as usize];
                let rank = (*class, *preference, !group.scarce, *place, *call, *queue, visit.needs);
                if desk.member_of(*number).is_some() && !self.is_reserved(desk, group) && best.is_none_or(|best| rank < best) {
                    best = Some(rank);
                }
            }
        }
        if let Some(rank) = best {
            self.take_offer(rank.4, Some(rank.5), seat, out);
        }
    }

    /// Offers a waiting call to its agent, and to more where the strategy rings several.
    pub fn offer_call(&mut self, call: CallId, queue: QueueId, seat: Seat, out: &mut Vec<super::Command>) {
        self.take_offer(call, Some(queue), seat, out);
        self.ring_others(call, queue, out);
    }

    /// Rings whoever else may be rung for this call now.
    pub fn ring_others(&mut self, call: CallId, queue: QueueId, out: &mut Vec<super::Command>) {
        while let Some(visit) = self.calls.get(call).and_then(|own| own.visits.iter().find(|visit| visit.queue == queue)) {
            if !self.routing.queues.get(&queue).is_some_and(|slot| slot.ringing.contains(&(visit.class, visit.place, call))) {
                return;
            }
            let group = &self.routing.groups[self.routing.by_key[&(queue, visit.needs)] as usize];
            let fits = |one: &Candidate| {
                let desk = &self.desks[one.seat];
                !desk.is_held_from(call) && !self.is_reserved(desk, group) && self.best_call(one.seat).is_none()
            };
            let last = self.routing.queues.get(&queue).and_then(|slot| slot.last_offered);
            let Some(seat) = group.first(last, fits) else { return };
            self.take_offer(call, Some(queue), seat, out);
        }
    }
}

fn desk_of(acd: &Acd, seat: Seat) -> &Desk {
    &acd.desks[seat]
}
