//! The centre as screens show it.

use super::Acd;
use super::agent::AgentState;
use super::call::{Party, Place, Visit};
use super::view::{AgentView, QueueView, View, WaitingView};
use crate::model::{CallId, Class, QueueId, Time};

/// How many waiting calls a screen lists for a queue.
const LISTED: usize = 50;

impl Acd {
    /// What screens need, and nothing that can change the core.
    pub fn view(&self, now: Time) -> View {
        let mut view = View { at: now, figures: self.figures.snapshot(now), ..View::default() };
        for queue in self.config.queues.keys() {
            view.queues.insert(*queue, QueueView::default());
        }
        for (_, call) in self.calls.unordered() {
            let talking = call.offers.is_empty() && call.parties.values().any(|party| matches!(party, Party::Agent { .. }));
            let queued = !call.visits.is_empty() || !call.offers.is_empty();
            match (call.over.is_some(), talking, queued) {
                (true, _, _) => view.wrapping += 1,
                (_, true, _) => view.talking += 1,
                (_, _, true) => view.in_queue += 1,
                _ => view.in_flow += 1,
            }
            for visit in &call.visits {
                let queue = view.queues.entry(visit.queue).or_default();
                queue.open += 1;
                queue.longest_since = Some(queue.longest_since.map_or(visit.entered_at, |since| since.min(visit.entered_at)));
            }
        }
        view.placed = self.own_calls.len() as u64;
        for desk in self.desks.iter() {
            let agent = &desk.agent;
            let (wish, missed) = (self.wish(desk.id), agent.missed.iter().copied().collect());
            let (state, since, reachable, station) = (agent.state, agent.since, agent.reachable, agent.station.unwrap_or(desk.id));
            view.agents.insert(desk.id, AgentView { state, since, reachable, station, wish, missed });
            for queue in desk.queues.keys() {
                let queue = view.queues.entry(*queue).or_default();
                let label = AgentState::LABELS.iter().position(|label| *label == agent.state.label()).expect("every state has its label");
                queue.agents[label] += 1;
                queue.agents_ready += u64::from(agent.state == AgentState::Ready);
            }
        }
        for (queue, shown) in &mut view.queues {
            shown.first = self.first_waiting(*queue);
        }
        view
    }

    fn first_waiting(&self, queue: QueueId) -> Vec<WaitingView> {
        let mut first: Vec<(Class, Place, CallId)> = Vec::new();
        if let Some(slot) = self.routing.queues.get(&queue) {
            first.extend(slot.groups.iter().flat_map(|group| self.routing.groups[*group as usize].waiting.iter().take(LISTED)));
        }
        let of = |id: CallId| self.visit(id, queue);
        let rank = |id: CallId, visit: &Visit| (visit.class, visit.place, id);
        first.extend(self.offers.unordered().filter_map(|(_, offer)| of(offer.call).map(|visit| rank(offer.call, visit))));
        first.extend(self.desks.iter().flat_map(|desk| desk.preferred.iter()).filter(|(_, _, id)| of(*id).is_some()));
        first.sort_unstable();
        first.dedup();
        first.truncate(LISTED);
        let listed = |id: CallId, visit: &Visit| WaitingView {
            call: id,
            language: visit.language,
            class: visit.class,
            stage: visit.stage,
            entered_at: visit.entered_at,
        };
        first.iter().filter_map(|(_, _, id)| of(*id).map(|visit| listed(*id, visit))).collect()
    }
}
