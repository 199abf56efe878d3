//! The rules that the state keeps, checked from the outside in: every table against every other.

use super::Acd;
use super::agent::AgentState;
use super::call::{OfferStage, Party, Placed, Stage};
use super::deadline::Deadline;
use crate::model::{CallId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What is broken: the rule, and by what.
pub type Violation = (&'static str, String);

/// Every rule, by the name under which its violations are counted.
pub const RULES: [&str; 8] = [
    "conservation",
    "no lost caller",
    "one agent, one offer",
    "one answer",
    "agent and call agree",
    "work conservation",
    "no silent timer",
    "limits",
];

impl Acd {
    /// Panics with the rule's name if the state contradicts itself.
    pub fn check_invariants(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "invariant violated: {violations:?}");
    }

    /// The rules that the state breaks, each with what breaks it, for `invariant_violations_total{rule}`.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        self.check_conservation(&mut found);
        self.check_calls(&mut found);
        self.check_offers(&mut found);
        self.check_agents(&mut found);
        self.check_own_calls(&mut found);
        self.check_lines(&mut found);
        self.check_work(&mut found);
        self.check_deadlines(&mut found);
        self.check_limits(&mut found);
        found
    }

    /// 1: every visit that was offered is somewhere.
    fn check_conservation(&self, found: &mut Vec<Violation>) {
        let mut open: BTreeMap<_, [u64; 3]> = BTreeMap::new();
        for (_, call) in self.calls.unordered() {
            for visit in &call.visits {
                open.entry((visit.queue, visit.language)).or_default()[visit.stage as usize] += 1;
            }
        }
        for (key, figures) in &self.figures.queues {
            let (offered, ended) = figures.conservation();
            ensure(found, "conservation", offered == ended, || format!("{key:?}: offered {offered}, accounted {ended}"));
            let counted = [figures.waiting, figures.ringing, figures.connecting];
            let seen = open.remove(key).unwrap_or_default();
            ensure(found, "conservation", counted == seen, || format!("{key:?}: counted {counted:?}, seen {seen:?}"));
        }
        ensure(found, "conservation", open.is_empty(), || format!("uncounted visits: {open:?}"));
        let alive = self.figures.calls_arrived - self.figures.calls_ended;
        ensure(found, "conservation", alive == self.calls.len() as u64, || format!("{alive} calls alive by count"));
        for (queue, slot) in &self.routing.queues {
            let seen = self.calls.unordered().flat_map(|(_, call)| &call.visits).filter(|visit| visit.queue == *queue).count();
            ensure(found, "conservation", slot.open as usize == seen, || format!("{queue:?}: {} open, {seen} seen", slot.open));
        }
    }

    /// 2: a call is in exactly one place.
    fn check_calls(&self, found: &mut Vec<Violation>) {
        for id in self.calls.ids() {
            let call = self.calls.get(id).expect("just listed");
            let talking = call.offers.is_empty() && call.parties.values().any(|party| matches!(party, Party::Agent { .. }));
            let queued = !call.visits.is_empty() || !call.offers.is_empty();
            let flow = call.flow.is_some() && !queued && !talking;
            let places = [call.over.is_some(), talking, queued, flow, call.answer_due.is_some()];
            let count = places.iter().filter(|place| **place).count();
            ensure(found, "no lost caller", count == 1, || format!("{id:?} is in {places:?}"));
            let parked = call.parked.is_none() || call.flow.is_none() && call.over.is_none();
            ensure(found, "no lost caller", parked, || format!("{id:?} has two sessions, or one for nobody"));
            let leg = call.parties.values().filter(|party| **party == Party::Caller).count();
            ensure(found, "no lost caller", leg == usize::from(call.over.is_none()), || format!("{id:?} has {leg} caller's legs"));
            for leg in call.parties.keys() {
                ensure(found, "no lost caller", self.legs.get(*leg) == Some(&id), || format!("{leg:?} does not lead to {id:?}"));
            }
            ensure(found, "agent and call agree", talking || !call.recorded, || format!("{id:?} is written down with nobody in it"));
            let queues: BTreeSet<_> = call.visits.iter().map(|visit| visit.queue).collect();
            ensure(found, "no lost caller", queues.len() == call.visits.len(), || format!("{id:?} is twice in a queue"));
            let stages = call.visits.iter().filter(|visit| visit.stage != Stage::Waiting).count();
            let rings = call.offers.iter().any(|offer| self.offers.get(*offer).is_some_and(|own| own.queue.is_some()));
            ensure(found, "one answer", stages == usize::from(rings), || format!("{id:?}: {stages} visits ring"));
            let wrapping = self.desks.iter().filter(|desk| desk.agent.wrapping.as_ref().is_some_and(|(own, ..)| *own == id)).count();
            ensure(found, "no lost caller", wrapping == call.wrapping as usize, || format!("{id:?}: {wrapping} wrap it up"));
        }
        for leg in self.legs.ids() {
            let call = self.legs.get(leg).and_then(|id| self.calls.get(*id));
            let known = call.is_some_and(|call| {
                call.parties.contains_key(&leg) || call.offers.iter().any(|offer| self.offers.get(*offer).is_some_and(|o| o.leg == leg))
            });
            ensure(found, "no lost caller", known, || format!("{leg:?} belongs to nobody"));
        }
    }

    /// 3: one agent, one offer; one call, one answer; the tables name each other.
    fn check_offers(&self, found: &mut Vec<Violation>) {
        let mut agents = BTreeSet::new();
        for id in self.offers.ids() {
            let offer = self.offers.get(id).expect("just listed");
            let call = self.calls.get(offer.call);
            ensure(found, "one agent, one offer", agents.insert(offer.agent), || format!("{:?} has two offers", offer.agent));
            ensure(found, "one answer", call.is_some_and(|call| call.offers.contains(&id)), || format!("{id:?} of a call that denies it"));
            let accepted = offer.stage == OfferStage::Accepted;
            let alone = !accepted || call.is_some_and(|call| call.offers.len() == 1 && call.parties.contains_key(&offer.leg));
            ensure(found, "one answer", alone, || format!("{id:?} is accepted beside others"));
            let state = self.desks.by_id(offer.agent).map(|desk| desk.agent.state);
            let expected = if accepted { AgentState::Connecting(id) } else { AgentState::Offered(id) };
            ensure(found, "agent and call agree", state == Some(expected), || format!("{:?} is {state:?}", offer.agent));
        }
        for id in self.calls.ids() {
            let call = self.calls.get(id).expect("just listed");
            let alive = call.offers.iter().all(|offer| self.offers.get(*offer).is_some_and(|own| own.call == id));
            ensure(found, "one answer", alive, || format!("{id:?} names dead offers"));
            for party in call.parties.values() {
                if let (Party::Agent { agent, .. }, true) = (party, call.offers.is_empty()) {
                    let state = self.desks.by_id(*agent).map(|desk| desk.agent.state);
                    ensure(found, "agent and call agree", state == Some(AgentState::Talking(id)), || format!("{agent:?} is {state:?}"));
                }
            }
        }
    }

    fn check_agents(&self, found: &mut Vec<Violation>) {
        let mut counts = [0u64; 14];
        for desk in self.desks.iter() {
            let (id, agent) = (desk.id, &desk.agent);
            let agrees = match agent.state {
                AgentState::Offered(offer) | AgentState::Connecting(offer) => self.offers.get(offer).is_some_and(|own| own.agent == id),
                AgentState::Talking(call) => self
                    .calls
                    .get(call)
                    .is_some_and(|call| call.parties.values().any(|party| matches!(party, Party::Agent { agent, .. } if *agent == id))),
                AgentState::WrapUp { call, .. } => self.calls.contains(call) && agent.wrapping.is_some(),
                AgentState::Ready => agent.reachable && desk.known && agent.next.is_none() && agent.own.is_empty(),
                AgentState::NotReady(_) => agent.own.is_empty(),
                AgentState::OwnCall => !agent.own.is_empty(),
                AgentState::LoggedOut => agent.next.is_none(),
            };
            ensure(found, "agent and call agree", agrees, || format!("{id:?} is {:?}", agent.state));
            ensure(found, "agent and call agree", desk.indexed == desk.is_ready(), || format!("{id:?} is listed: {}", desk.indexed));
            if let Some(index) = super::figures::state_index(agent.state) {
                counts[index] += 1;
            }
        }
        for (index, (label, reason)) in super::Figures::STATES.iter().enumerate() {
            let counted = self.figures.agents[index].agents;
            ensure(found, "conservation", counted == counts[index], || {
                format!("{counted} agents {label} {reason}, {} seen", counts[index])
            });
        }
    }

    /// 3, of agents' own calls: agent, legs and figures agree on them.
    fn check_own_calls(&self, found: &mut Vec<Violation>) {
        let mut legs = 0;
        for id in self.own_calls.ids() {
            let own = self.own_calls.get(id).expect("just listed");
            let named = own.agent.is_none_or(|agent| self.desks.by_id(agent).is_some_and(|desk| desk.agent.own.contains(&id)));
            ensure(found, "agent and call agree", named, || format!("{id:?} of an agent who denies it"));
            let both = [Some(own.station), own.far];
            let lead = both.iter().flatten().all(|leg| self.own_legs.get(*leg) == Some(&id) && !self.legs.contains(*leg));
            ensure(found, "no lost caller", lead, || format!("{id:?} has legs that lead elsewhere"));
            legs += both.iter().flatten().count();
        }
        ensure(found, "no lost caller", legs == self.own_legs.len(), || format!("{} own legs", self.own_legs.len()));
        for desk in self.desks.iter() {
            let mine = desk.agent.own.iter().all(|id| self.own_calls.get(*id).is_some_and(|own| own.agent == Some(desk.id)));
            ensure(found, "agent and call agree", mine, || format!("{:?} has an own call that is none", desk.id));
        }
        let ended: u64 = self.figures.placed_ended.values().sum();
        let alive = self.figures.placed.values().sum::<u64>() - ended;
        let seen = self.own_calls.unordered().filter(|(_, own)| own.kind != Placed::InHouse).count() as u64;
        ensure(found, "conservation", alive == seen, || format!("{alive} placed calls alive by count, {seen} seen"));
    }

    /// 2 and 4: the lines hold exactly who waits, the lists of the ready exactly who is.
    fn check_lines(&self, found: &mut Vec<Violation>) {
        for group in &self.routing.groups {
            for (class, place, id) in &group.waiting {
                let visit = self.visit(*id, group.queue).filter(|_| self.is_in_line(*id));
                let stands = visit.is_some_and(|visit| (visit.class, visit.place, visit.needs) == (*class, *place, group.class));
                ensure(found, "no lost caller", stands, || format!("{id:?} stands in a wrong line"));
            }
            let fits = |desk: &super::desk::Desk| desk.queues.contains_key(&group.queue) && desk.fit(group.class).meets;
            let ready = self.desks.iter().filter(|desk| desk.is_ready() && fits(desk)).count();
            ensure(found, "work conservation", ready == group.ready.len(), || format!("{:?}: {ready} ready", group.queue));
            let here = self.desks.iter().filter(|desk| desk.agent.state != AgentState::LoggedOut && fits(desk)).count();
            ensure(found, "no lost caller", here == group.logged_in as usize, || format!("{:?}: {here} logged in", group.queue));
            ensure(found, "no lost caller", here > 0 || group.waiting.is_empty(), || format!("{:?}: waiting for nobody", group.queue));
        }
        for (queue, slot) in &self.routing.queues {
            let Some((skill, _)) = self.config.queues.get(queue).and_then(|own| own.reserve) else { continue };
            let ready = |desk: &&super::desk::Desk| desk.is_ready() && desk.queues.contains_key(queue) && desk.skills.contains_key(&skill);
            let seen = self.desks.iter().filter(ready).count();
            ensure(found, "work conservation", seen == slot.reserve_ready as usize, || format!("{queue:?}: {seen} in reserve"));
        }
        for id in self.calls.ids().into_iter().filter(|id| self.is_in_line(*id)) {
            let call = self.calls.get(id).expect("just listed");
            for visit in &call.visits {
                let rank = (visit.class, visit.place, id);
                let line = match call.preferred {
                    Some((agent, _)) => self.desks.by_id(agent).map(|desk| &desk.preferred),
                    None => self.routing.by_key.get(&(visit.queue, visit.needs)).map(|group| &self.routing.groups[*group as usize].waiting),
                };
                ensure(found, "no lost caller", line.is_some_and(|line| line.contains(&rank)), || format!("{id:?} stands in no line"));
            }
        }
    }

    /// 4: nobody waits beside a ready agent who fits, but for a named hold.
    fn check_work(&self, found: &mut Vec<Violation>) {
        for id in self.calls.ids().into_iter().filter(|id| self.is_in_line(*id)) {
            let call = self.calls.get(id).expect("just listed");
            for visit in &call.visits {
                for desk in self.desks.iter().filter(|desk| desk.is_ready() && desk.queues.contains_key(&visit.queue)) {
                    let apart = !desk.fit(visit.needs).meets || self.kept_apart(desk, id, visit.queue, visit.needs).is_some();
                    ensure(found, "work conservation", apart, || format!("{id:?} waits beside {:?}", desk.id));
                }
            }
        }
    }

    /// 5: every state that must end has its deadline, and every deadline its state.
    fn check_deadlines(&self, found: &mut Vec<Violation>) {
        let mut expected: BTreeSet<(Time, Deadline)> = BTreeSet::new();
        for id in self.calls.ids() {
            self.deadlines_of(id, &mut expected, found);
        }
        for id in self.offers.ids() {
            let offer = self.offers.get(id).expect("just listed");
            let accepted = offer.stage == OfferStage::Accepted;
            expected.insert((offer.due, if accepted { Deadline::Bridge(id) } else { Deadline::Ring(id) }));
        }
        expected.extend(self.own_calls.unordered().filter_map(|(id, own)| Some((own.due?, Deadline::Own(id)))));
        for desk in self.desks.iter() {
            if let AgentState::WrapUp { until, .. } = desk.agent.state {
                expected.insert((until, Deadline::WrapUp(desk.id)));
            }
            for hold in &desk.holds {
                let named = self.calls.get(hold.call).is_some_and(|call| call.held_from.contains(&desk.id));
                ensure(found, "no silent timer", named, || format!("{:?} is held from a call that does not know", desk.id));
                expected.insert((hold.until, Deadline::HoldEnds(desk.id, hold.call)));
            }
        }
        for set in self.deadlines.iter() {
            ensure(found, "no silent timer", expected.remove(set), || format!("{set:?} has no state"));
        }
        ensure(found, "no silent timer", expected.is_empty(), || format!("without a deadline: {expected:?}"));
    }

    fn deadlines_of(&self, id: CallId, expected: &mut BTreeSet<(Time, Deadline)>, found: &mut Vec<Violation>) {
        let call = self.calls.get(id).expect("just listed");
        expected.extend(call.answer_due.map(|due| (due, Deadline::Answer(id))));
        expected.extend(call.flow_due.map(|due| (due, Deadline::FlowStep(id))));
        expected.extend(call.paused.map(|until| (until, Deadline::PauseEnds(id))));
        expected.extend(call.preferred.map(|(_, until)| (until, Deadline::Preferred(id))));
        for visit in &call.visits {
            // What came while the call rang is put off until it rings no longer.
            let set = visit.due.is_some() || !call.offers.is_empty();
            ensure(found, "no silent timer", set, || format!("{id:?} waits without a deadline"));
            expected.extend(visit.due.map(|due| (due, Deadline::Visit(id, visit.queue))));
            expected.extend(visit.next_ring.map(|at| (at, Deadline::Progressive(id, visit.queue))));
        }
    }

    /// 6: every collection has a maximum.
    fn check_limits(&self, found: &mut Vec<Violation>) {
        let rules = &self.config.rules;
        let open = self.calls.unordered().filter(|(_, call)| call.over.is_none()).count();
        ensure(found, "limits", open <= rules.calls_max as usize + 1, || format!("{open} calls"));
        ensure(found, "limits", self.offers.len() <= self.config.agents.len().max(self.desks.iter().count()), || "offers".to_string());
        ensure(found, "limits", self.last_agents.list().len() <= rules.last_agents_max as usize, || "last agents".to_string());
        ensure(found, "limits", self.config.classes.len() <= 256 + 256, || "requirement classes".to_string());
        let todo = self.todo.steps.len() + self.todo.free.len() + self.todo.waiting.len();
        ensure(found, "limits", todo == 0, || format!("{todo} things left to do"));
    }
}

fn ensure(found: &mut Vec<Violation>, rule: &'static str, holds: bool, what: impl FnOnce() -> String) {
    debug_assert!(RULES.contains(&rule), "`{rule}` is missing from the rules");
    if !holds {
        found.push((rule, what()));
    }
}
