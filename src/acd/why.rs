//! Answers to: why is this caller waiting, why is this agent idle, why was this agent chosen. Computed from the state, never kept.

use super::Acd;
use super::agent::AgentState;
use super::desk::{Desk, Seat};
use super::explain::{Excluded, IdleIn, Rank, Standing, WaitingIn, WhyChosen, WhyIdle, WhyWaiting};
use super::routing::Group;
use crate::model::{AgentId, CallId, OfferId, QueueId, RequirementClass};
use std::sync::Arc;

impl Acd {
    /// Why is this caller waiting? `None`: no such call, or it waits nowhere.
    pub fn why_waiting(&self, call: CallId) -> Option<WhyWaiting> {
        let own = self.calls.get(call).filter(|own| !own.visits.is_empty())?;
        let text = |class: RequirementClass| self.config.classes.get(class.0 as usize).map_or(Arc::from(""), |own| own.text.clone());
        let visits = own.visits.iter().map(|visit| WaitingIn {
            queue: visit.queue,
            class: visit.class,
            needs: text(visit.needs),
            stage: visit.stage,
            since: visit.entered_at,
            position: self.position(call, visit.queue).unwrap_or(1),
            agents: self.standings(call, visit.queue, visit.needs, None),
        });
        Some(WhyWaiting { call, visits: visits.collect(), preferred: own.preferred })
    }

    /// Why is this agent idle? `None`: no such agent.
    pub fn why_idle(&self, agent: AgentId) -> Option<WhyIdle> {
        let desk = self.desks.by_id(agent)?;
        let queues = desk.queues.keys().map(|queue| {
            let groups: Vec<&Group> = self.groups_of(*queue).collect();
            let mine = |group: &&&Group| desk.fit(group.class).meets;
            let first = groups.iter().filter(mine).filter_map(|group| group.waiting.first().map(|rank| (*rank, group.class))).min();
            IdleIn {
                queue: *queue,
                waiting: groups.iter().map(|group| group.waiting.len()).sum(),
                fitting: groups.iter().filter(mine).map(|group| group.waiting.len()).sum(),
                first: first.map(|((_, _, call), needs)| (call, self.standing(desk, call, *queue, needs, false))),
            }
        });
        let state = &desk.agent;
        Some(WhyIdle { agent, state: state.state, since: state.since, reachable: state.reachable, queues: queues.collect() })
    }

    /// Why was this agent chosen? `None`: no such offer is alive.
    pub fn why_chosen(&self, offer: OfferId) -> Option<WhyChosen> {
        let own = self.offers.get(offer)?;
        let chosen = self.desks.seat(own.agent);
        let needs = own.queue.and_then(|queue| self.visit(own.call, queue)).map(|visit| visit.needs);
        let agents = match (own.queue, needs) {
            (Some(queue), Some(needs)) => self.standings(own.call, queue, needs, chosen),
            _ => Vec::new(),
        };
        Some(WhyChosen { offer, call: own.call, agent: own.agent, queue: own.queue, agents })
    }

    fn groups_of(&self, queue: QueueId) -> impl Iterator<Item = &Group> {
        let numbers = self.routing.queues.get(&queue).map_or(&[][..], |slot| &slot.groups);
        numbers.iter().map(|number| &self.routing.groups[*number as usize])
    }

    /// Everyone who serves the queue; `as_idle` is looked at as if it had not been chosen yet.
    fn standings(&self, call: CallId, queue: QueueId, needs: RequirementClass, as_idle: Option<Seat>) -> Vec<(AgentId, Standing)> {
        let here = self.desks.seats().filter(|seat| self.desks[*seat].queues.contains_key(&queue));
        let mut all: Vec<(AgentId, Standing)> = here
            .map(|seat| {
                let desk = &self.desks[seat];
                (desk.id, self.standing(desk, call, queue, needs, as_idle == Some(seat)))
            })
            .collect();
        all.sort_by_key(|(agent, standing)| match standing {
            Standing::Candidate(rank) => (0, Some(*rank), *agent),
            Standing::Excluded(_) => (1, None, *agent),
        });
        all
    }

    fn standing(&self, desk: &Desk, call: CallId, queue: QueueId, needs: RequirementClass, as_idle: bool) -> Standing {
        let excluded = match desk.agent.state {
            AgentState::LoggedOut => Some(Excluded::LoggedOut),
            _ if !desk.fit(needs).meets => Some(Excluded::LacksSkills),
            _ if as_idle => None,
            AgentState::NotReady(_) if !desk.agent.reachable => Some(Excluded::Unreachable),
            AgentState::NotReady(reason) => Some(Excluded::NotReady(reason)),
            AgentState::Ready => self.kept_apart(desk, call, queue, needs),
            busy => Some(Excluded::Busy(busy)),
        };
        if let Some(excluded) = excluded {
            return Standing::Excluded(excluded);
        }
        let strategy = self.config.queues.get(&queue).map_or(super::config::Strategy::LongestIdle, |own| own.strategy);
        let candidate = desk.candidate(Seat(0), strategy, needs);
        Standing::Candidate(Rank {
            kept_for_others: candidate.tier >= 2,
            not_preferred: candidate.tier % 2 == 1,
            key: candidate.key,
            idle_since: candidate.idle_since,
            agent: desk.id,
        })
    }

    /// The named hold between a ready agent who fits and a call.
    pub fn kept_apart(&self, desk: &Desk, call: CallId, queue: QueueId, needs: RequirementClass) -> Option<Excluded> {
        if let Some(hold) = desk.holds.iter().find(|hold| hold.call == call) {
            return Some(Excluded::Refused(hold.why, hold.until));
        }
        let own = self.calls.get(call)?;
        if let Some(until) = own.paused {
            return Some(Excluded::Paused(until));
        }
        if let Some((agent, until)) = own.preferred.filter(|(agent, _)| *agent != desk.id) {
            return Some(Excluded::Preferred(agent, until));
        }
        let group = self.routing.by_key.get(&(queue, needs)).map(|number| &self.routing.groups[*number as usize])?;
        if self.is_reserved(desk, group) {
            return Some(Excluded::Reserved);
        }
        let visit = own.visits.iter().find(|visit| visit.queue == queue)?;
        (!own.offers.is_empty()).then_some(Excluded::Progressive(visit.next_ring))
    }
}
