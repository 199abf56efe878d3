//! Offers: from the first ring to accepted, refused or withdrawn, and the bridge.

use super::Acd;
use super::agent::{AgentState, Missed, NotReadyReason};
use super::call::{
    Call, Offer, OfferOutcome, OfferRecord, OfferStage, Party, Refusal, Segment, Stage, VisitOutcome, WithdrawWhy, Withdrawal,
};
use super::checkpoint::Hold;
use super::command::{Command, EndWhy, Purpose, RecordAction, Show};
use super::config::Strategy;
use super::deadline::Deadline;
use super::desk::Seat;
use super::event::LEGS_OF_THE_CORE;
use super::fact::Fact;
use crate::model::{CallId, Destination, Hearing, LegId, OfferId, PlayId, Prompt, QueueId, hearing};
use std::time::Duration;

/// A call whose offer we could not place is offered to nobody for so long: what we lack is not there again at once.
const AFTER_A_SHORTAGE: Duration = Duration::from_secs(1);

impl Acd {
    /// The one place where an agent is rung.
    pub fn take_offer(&mut self, id: CallId, queue: Option<QueueId>, seat: Seat, out: &mut Vec<Command>) {
        let desk = &self.desks[seat];
        let agent = desk.id;
        assert!(desk.is_ready() && desk.agent.reachable, "only a ready agent is offered a call");
        assert!(!desk.is_held_from(id) || queue.is_none(), "a hold keeps this agent and this call apart");
        self.unindex_call(id);
        self.release_preferred(id);
        self.ids.offers += 1;
        let offer = OfferId(self.ids.offers);
        let leg = leg_of(offer);
        let settings = queue.and_then(|queue| self.config.queues.get(&queue));
        let due = self.now + settings.map_or(self.config.rules.direct_ring, |own| own.ring_timeout);
        let call = self.calls.get_mut(id).expect("a call that is offered is alive");
        assert!(call.over.is_none() && !call.offers.contains(&offer), "a call that is over is offered to nobody");
        let show = Show { queue: settings.map(|own| own.name.clone()), language: call.language };
        call.offers.push(offer);
        let (rung_at, stage) = (self.now, OfferStage::Dialled);
        self.offers.insert(offer, Offer { call: id, queue, agent, leg, rung_at, accepted_at: None, stage, due, whisper: None });
        self.legs.insert(leg, id);
        self.deadlines.set(due, Deadline::Ring(offer));
        self.change_agent(seat, AgentState::Offered(offer), out);
        if let Some(queue) = queue {
            self.routing.queues.entry(queue).or_default().last_offered = Some(agent);
            self.set_stage(id, queue, Stage::Ringing, out);
            self.watch_ringing(id, queue);
        }
        self.note(Fact::OfferMade { offer, call: id, queue, agent }, out);
        out.push(Command::Dial { leg, call: id, target: Destination::Agent(agent), purpose: Purpose::Offer(offer), show });
    }

    /// Keeps the list of calls that would ring one more agent, and the time of the next such ring, as they should be.
    pub fn watch_ringing(&mut self, id: CallId, queue: QueueId) {
        let now = self.now;
        let Some(own) = self.config.queues.get(&queue) else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        let ringing = call.offers.len();
        let Some(visit) = call.visits.iter_mut().find(|visit| visit.queue == queue) else { return };
        let rank = (visit.class, visit.place, id);
        let alive = visit.stage == Stage::Ringing;
        let progressive = own.strategy == Strategy::Progressive && alive;
        if progressive && visit.next_ring.is_none() {
            let at = now + own.progressive_step.max(Duration::from_millis(100));
            visit.rings = visit.rings.max(1);
            visit.next_ring = Some(at);
            self.deadlines.set(at, Deadline::Progressive(id, queue));
        }
        if !progressive && let Some(at) = visit.next_ring.take() {
            self.deadlines.clear(at, Deadline::Progressive(id, queue));
        }
        let more = alive && call.paused.is_none() && (own.strategy == Strategy::RingAll || progressive && ringing < visit.rings as usize);
        let slot = self.routing.queues.entry(queue).or_default();
        if more {
            slot.ringing.insert(rank);
        } else {
            slot.ringing.remove(&rank);
        }
    }

    /// Progressive: one more may ring.
    pub fn ring_one_more(&mut self, id: CallId, queue: QueueId, out: &mut Vec<Command>) {
        let call = self.calls.get_mut(id).expect("a deadline's call is alive");
        let visit = call.visits.iter_mut().find(|visit| visit.queue == queue).expect("a deadline's visit is open");
        visit.next_ring = None;
        visit.rings = visit.rings.saturating_add(1).min(1000);
        self.watch_ringing(id, queue);
        self.ring_others(id, queue, out);
    }

    pub fn offer_alerting(&mut self, offer: OfferId, out: &mut Vec<Command>) {
        match self.offers.get_mut(offer) {
            Some(own) if own.stage == OfferStage::Dialled => own.stage = OfferStage::Alerting,
            Some(_) => {}
            None => self.obsolete("offer_alerting", out),
        }
    }

    pub fn offer_accepted(&mut self, offer: OfferId, out: &mut Vec<Command>) {
        let Some(own) = self.offers.get_mut(offer) else {
            // It crossed our withdrawal.
            out.push(Command::Withdraw { offer, leg: leg_of(offer), why: WithdrawWhy::AnsweredElsewhere });
            return self.obsolete("offer_accepted", out);
        };
        if own.stage == OfferStage::Accepted {
            return self.obsolete("offer_accepted", out);
        }
        let due = self.now + self.config.rules.bridge_timeout;
        self.deadlines.clear(own.due, Deadline::Ring(offer));
        self.deadlines.set(due, Deadline::Bridge(offer));
        (own.stage, own.due, own.accepted_at) = (OfferStage::Accepted, due, Some(self.now));
        let (id, queue, leg, agent) = (own.call, own.queue, own.leg, own.agent);
        let seat = self.desks.seat(agent).expect("an offer's agent is known");
        self.desks[seat].agent.no_answers = 0;
        while let Some(other) = self.calls.get(id).and_then(|call| call.offers.iter().copied().find(|other| *other != offer)) {
            self.withdraw(other, WithdrawWhy::AnsweredElsewhere, out);
        }
        let call = self.calls.get_mut(id).expect("an offer's call is alive");
        assert!(call.offers == [offer], "one call, one answer");
        call.parties.insert(leg, Party::Agent { agent, since: self.now, held: false });
        self.change_agent(seat, AgentState::Connecting(offer), out);
        if let Some(queue) = queue {
            self.set_stage(id, queue, Stage::Connecting, out);
            self.watch_ringing(id, queue);
        }
        match self.whisper_of(id, queue, seat) {
            Some(prompt) => {
                let play = self.next_play();
                self.offers.get_mut(offer).expect("the offer is alive").whisper = Some(play);
                out.push(Command::Play { leg, play, prompts: vec![prompt] });
            }
            None => self.bridge(offer, out),
        }
    }

    fn whisper_of(&self, call: CallId, queue: Option<QueueId>, seat: Seat) -> Option<Prompt> {
        let own = self.config.queues.get(&queue?).filter(|own| own.whisper)?;
        let caller = self.calls.get(call)?.language;
        let language = self.config.agents.get(&self.desks[seat].id)?.language.unwrap_or(caller);
        Some(Prompt::new(language, &format!("whisper_{}_{caller}", own.name)))
    }

    /// Joins caller and agent; all that the caller heard ends first.
    fn bridge(&mut self, offer: OfferId, out: &mut Vec<Command>) {
        let own = self.offers.get_mut(offer).expect("the offer is alive");
        assert!(own.stage == OfferStage::Accepted, "only who has answered is bridged");
        own.whisper = None;
        let (id, agents) = (own.call, own.leg);
        self.silence(id, out);
        let call = self.calls.get_mut(id).expect("an offer's call is alive");
        let matrix = caller_of(call).map_or_else(Hearing::new, |caller| hearing::bridge(caller, agents));
        call.hearing = matrix.clone();
        out.push(Command::Hear { call: id, matrix, bridged: Some(offer) });
    }

    /// Ends music, announcements and prompts at the caller's leg.
    pub fn silence(&mut self, id: CallId, out: &mut Vec<Command>) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let Some(leg) = caller_of(call) else { return };
        for play in [call.play.take(), call.announcement.take()].into_iter().flatten() {
            out.push(Command::StopPlay { leg, play });
        }
        if call.treatment.take().is_some() {
            out.push(Command::StopTreatment { leg });
        }
    }

    pub fn whisper_done(&mut self, offer: OfferId, play: PlayId, out: &mut Vec<Command>) {
        match self.offers.get(offer) {
            Some(own) if own.whisper == Some(play) => self.bridge(offer, out),
            _ => self.obsolete("play_done", out),
        }
    }

    /// Sound is joined both ways: the caller is answered.
    pub fn bridged(&mut self, offer: OfferId, out: &mut Vec<Command>) {
        let joined = self.offers.get(offer).is_some_and(|own| {
            own.stage == OfferStage::Accepted && own.whisper.is_none() && self.calls.get(own.call).is_some_and(|c| !c.hearing.is_empty())
        });
        if !joined {
            return self.obsolete("bridged", out);
        }
        let own = self.end_offer(offer, OfferOutcome::Accepted, out);
        let id = own.call;
        if let Some(queue) = own.queue {
            let call = self.calls.get_mut(id).expect("an offer's call is alive");
            let visit = call.visits.iter().find(|visit| visit.queue == queue).expect("an offer's visit is open");
            call.served_as = Some((queue, visit.needs, visit.class, visit.place));
            self.end_visit(id, queue, VisitOutcome::Answered, out);
        }
        self.end_visits(id, VisitOutcome::Withdrawn(Withdrawal::Elsewhere), out);
        self.clear_flow_timer(id);
        let (now, remembers) =
            (self.now, own.queue.and_then(|queue| self.config.queues.get(&queue)).is_some_and(|q| q.last_agent.is_some()));
        let call = self.calls.get_mut(id).expect("an offer's call is alive");
        if let Some(flow) = call.flow.take() {
            call.parked = Some(flow).filter(|_| own.queue.is_some() && !call.transferring);
        }
        (call.direct, call.transferring) = (None, false);
        let segment =
            Segment { agent: own.agent, queue: own.queue, from: now, to: None, held: Duration::ZERO, wrap_up: None, transferred: false };
        call.segments.push(segment);
        if let Some(Party::Agent { since, .. }) = call.parties.get_mut(&own.leg) {
            *since = now;
        }
        let from = call.from.clone();
        let seat = self.desks.seat(own.agent).expect("an offer's agent is known");
        self.desks[seat].agent.calls_since_login += 1;
        self.change_agent(seat, AgentState::Talking(id), out);
        if remembers {
            self.last_agents.remember(from, own.agent, self.config.rules.last_agents_max as usize);
        }
        if own.queue.and_then(|queue| self.config.queues.get(&queue)).is_some_and(|queue| queue.record) {
            self.calls.get_mut(id).expect("an offer's call is alive").recorded = true;
            out.push(Command::Record { call: id, action: RecordAction::Start });
        }
    }

    /// The conversation is over, or about to be: nothing said after it is written down.
    pub fn stop_recording(&mut self, id: CallId, out: &mut Vec<Command>) {
        if self.calls.get_mut(id).is_some_and(|call| std::mem::take(&mut call.recorded)) {
            out.push(Command::Record { call: id, action: RecordAction::Stop });
        }
    }

    /// The agent's station said no, or was found dead; its leg is gone.
    pub fn offer_refused(&mut self, offer: OfferId, refusal: Refusal, out: &mut Vec<Command>) {
        if !self.offers.contains(offer) {
            return self.obsolete("offer_refused", out);
        }
        let own = self.end_offer(offer, OfferOutcome::Refused(refusal), out);
        self.refused(own, refusal, out);
    }

    /// We could not place it: nobody is to blame, the agent is as free as before, and the call keeps its place for another attempt.
    pub fn offer_failed(&mut self, offer: OfferId, out: &mut Vec<Command>) {
        if !self.offers.contains(offer) {
            return self.obsolete("offer_failed", out);
        }
        let own = self.end_offer(offer, OfferOutcome::Withdrawn(WithdrawWhy::Shortage), out);
        self.end_pause(own.call);
        let until = self.now + AFTER_A_SHORTAGE;
        self.calls.get_mut(own.call).expect("an offer's call is alive").paused = Some(until);
        self.deadlines.set(until, Deadline::PauseEnds(own.call));
        let seat = self.desks.seat(own.agent).expect("an offer's agent is known");
        self.agent_is_free(seat, out);
        self.offer_fell_through(own.call, own.queue, out);
    }

    /// It may be offered again; the caller of this puts it back into the lines.
    pub fn end_pause(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id) else { return };
        if let Some(until) = call.paused.take() {
            self.deadlines.forget(until, Deadline::PauseEnds(id));
        }
    }

    pub fn pause_ends(&mut self, id: CallId, out: &mut Vec<Command>) {
        self.end_pause(id);
        if self.is_in_line(id) {
            self.index_call(id);
            return self.todo.waiting.push(id);
        }
        let ringing = self.calls.get(id).and_then(|call| call.visits.iter().find(|visit| visit.stage == Stage::Ringing));
        if let Some(queue) = ringing.map(|visit| visit.queue) {
            self.watch_ringing(id, queue);
            self.ring_others(id, queue, out);
        }
    }

    /// We give the offer up: it rang out, it was never bridged, or its station is lost.
    pub fn give_up(&mut self, offer: OfferId, refusal: Refusal, out: &mut Vec<Command>) {
        let own = self.end_offer(offer, OfferOutcome::Refused(refusal), out);
        let why = if refusal == Refusal::NoAnswer { WithdrawWhy::NoAnswer } else { WithdrawWhy::Moved };
        out.push(Command::Withdraw { offer, leg: own.leg, why });
        self.refused(own, refusal, out);
    }

    /// What a refusal means for the agent and for the call, in this order: the hold, the agent, the call.
    fn refused(&mut self, own: Offer, refusal: Refusal, out: &mut Vec<Command>) {
        let seat = self.desks.seat(own.agent).expect("an offer's agent is known");
        let rules = &self.config.rules;
        let agent = &mut self.desks[seat].agent;
        match refusal {
            Refusal::NoAnswer => {
                agent.miss(Missed { at: own.rung_at, queue: own.queue });
                agent.no_answers += 1;
                if agent.no_answers >= rules.no_answers_max {
                    agent.no_answers = 0;
                    agent.next = agent.next.or(Some(super::agent::NextState::NotReady(NotReadyReason::RingNoAnswer)));
                }
            }
            Refusal::Unreachable => agent.reachable = false,
            Refusal::Declined | Refusal::Busy => agent.no_answers = 0,
        }
        if let Some(span) = rules.holds.get(&refusal).copied().filter(|_| own.queue.is_some()) {
            self.hold_apart(seat, own.call, self.now + span, refusal, out);
        }
        self.agent_is_free(seat, out);
        self.offer_fell_through(own.call, own.queue, out);
    }

    fn hold_apart(&mut self, seat: Seat, id: CallId, until: crate::model::Time, why: Refusal, out: &mut Vec<Command>) {
        let desk = &mut self.desks[seat];
        let agent = desk.id;
        assert!(!desk.is_held_from(id), "nobody is offered a call from which they are held");
        desk.holds.push(Hold { call: id, until, why });
        self.calls.get_mut(id).expect("an offer's call is alive").held_from.push(agent);
        self.deadlines.set(until, Deadline::HoldEnds(agent, id));
        self.note(Fact::Held { agent, call: id, until, why }, out);
    }

    pub fn hold_ends(&mut self, agent: crate::model::AgentId, id: CallId) {
        let seat = self.desks.seat(agent).expect("a hold's agent is known");
        let before = self.desks[seat].holds.len();
        self.desks[seat].holds.retain(|hold| hold.call != id);
        assert!(self.desks[seat].holds.len() + 1 == before, "a hold that ends was there");
        if let Some(call) = self.calls.get_mut(id) {
            call.held_from.retain(|held| *held != agent);
        }
        if self.desks[seat].is_ready() {
            self.todo.free.push(seat);
        }
    }

    /// Nobody is kept from this call any longer: it is over.
    pub fn release_holds(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id) else { return };
        for agent in std::mem::take(&mut call.held_from) {
            let seat = self.desks.seat(agent).expect("a hold's agent is known");
            let holds = &mut self.desks[seat].holds;
            let index = holds.iter().position(|hold| hold.call == id).expect("agent and call name each other's hold");
            let hold = holds.swap_remove(index);
            self.deadlines.clear(hold.until, Deadline::HoldEnds(agent, id));
        }
    }

    /// The call is offered through this offer no longer: somebody else still rings, or it waits again.
    pub fn offer_fell_through(&mut self, id: CallId, queue: Option<QueueId>, out: &mut Vec<Command>) {
        let call = self.calls.get_mut(id).expect("an offer's call is alive");
        if !call.hearing.is_empty() {
            call.hearing = Hearing::new();
            out.push(Command::Hear { call: id, matrix: Hearing::new(), bridged: None });
        }
        match queue {
            None => self.direct_failed(id, out),
            Some(queue) if self.calls.get(id).is_some_and(|call| !call.offers.is_empty()) => {
                self.watch_ringing(id, queue);
                self.ring_others(id, queue, out);
            }
            Some(_) => self.wait_again(id, out),
        }
    }

    /// Takes an offer back without blame; the agent is as free as before.
    pub fn withdraw(&mut self, offer: OfferId, why: WithdrawWhy, out: &mut Vec<Command>) {
        let own = self.end_offer(offer, OfferOutcome::Withdrawn(why), out);
        match own.stage {
            OfferStage::Accepted => out.push(Command::EndLeg { leg: own.leg, why: EndWhy::Done }),
            OfferStage::Dialled | OfferStage::Alerting => out.push(Command::Withdraw { offer, leg: own.leg, why }),
        }
        let seat = self.desks.seat(own.agent).expect("an offer's agent is known");
        self.agent_is_free(seat, out);
    }

    /// Takes an offer out of every table. Its leg is forgotten unless the agent goes on to talk.
    fn end_offer(&mut self, offer: OfferId, outcome: OfferOutcome, out: &mut Vec<Command>) -> Offer {
        let own = self.offers.remove(offer).expect("an offer ends once");
        let deadline = if own.stage == OfferStage::Accepted { Deadline::Bridge(offer) } else { Deadline::Ring(offer) };
        // A deadline that brought us here is not in the table any more.
        self.deadlines.forget(own.due, deadline);
        let call = self.calls.get_mut(own.call).expect("an offer's call is alive");
        let before = call.offers.len();
        call.offers.retain(|alive| *alive != offer);
        assert!(call.offers.len() + 1 == before, "offer and call name each other");
        if outcome != OfferOutcome::Accepted {
            call.parties.remove(&own.leg);
            self.legs.remove(own.leg);
        }
        if let Some(visit) = call.visits.iter_mut().find(|visit| Some(visit.queue) == own.queue) {
            visit.offers.push(OfferRecord { agent: own.agent, rung_at: own.rung_at, ended_at: self.now, outcome });
        }
        let (call, queue, agent, rung_at, accepted_at) = (own.call, own.queue, own.agent, own.rung_at, own.accepted_at);
        self.note(Fact::OfferEnded { offer, call, queue, agent, outcome, rung_at, accepted_at }, out);
        own
    }
}

/// The leg that an offer dials.
pub fn leg_of(offer: OfferId) -> LegId {
    LegId(LEGS_OF_THE_CORE + offer.0)
}

/// The caller's leg, while it lives.
pub fn caller_of(call: &Call) -> Option<LegId> {
    call.parties.iter().find(|(_, party)| **party == Party::Caller).map(|(leg, _)| *leg)
}
