//! What a leg asks for, of its dialog, its media and the core.

use super::{HeldBack, Switchboard};
use crate::acd::{self, Event, LegEnd};
use crate::leg::{Gone, Input, Order, Report};
use crate::model::{AgentId, LegId};
use crate::node::legs::Role;
use crate::sip;

impl Switchboard {
    pub(in crate::node) fn tell(&mut self, leg: LegId, input: Input) {
        let Some(entry) = self.legs.get_mut(leg) else { return };
        let mut orders = Vec::new();
        entry.machine.handle(input, &mut orders);
        if entry.dialog.is_none() && orders.iter().any(|order| matches!(order, Order::Cancel { .. })) {
            // Withdrawn before its INVITE was sent: there is nobody whose last word to wait for.
            self.held_back.retain(|held| held.leg != leg);
            entry.machine.handle(Input::TimedOut, &mut orders);
        }
        for order in orders {
            self.carry_out(leg, order);
        }
        if self.legs.get(leg).is_some_and(|entry| entry.machine.is_gone()) {
            self.emergencies.remove(&leg);
            match self.legs.remove(leg) {
                Some(Role::Offer(_, agent)) => self.let_go(agent),
                Some(Role::Code) => self.forget_code(leg),
                Some(Role::Caller | Role::Station | Role::Far(_)) | None => {}
            }
        }
    }

    /// The station is free: whoever was held back rings it.
    fn let_go(&mut self, agent: AgentId) {
        if let Some(at) = self.held_back.iter().position(|held| held.agent == agent) {
            let HeldBack { offer, leg, sdp, show, .. } = self.held_back.remove(at);
            self.invite(leg, agent, offer, sdp, &show);
        }
    }

    pub(in crate::node) fn carry_out(&mut self, leg: LegId, order: Order) {
        let Some(entry) = self.legs.get(leg) else { return };
        let (now, dialog, role) = (self.clock.now(), entry.dialog, entry.role);
        let out = &mut self.outputs;
        match (order, dialog) {
            (Order::Negotiate(agreed), dialog) => {
                let signalled = dialog.and_then(|dialog| self.endpoint.flow(dialog)).map_or(agreed.remote.ip(), |flow| flow.remote.ip());
                self.media.negotiate(leg, agreed, signalled);
            }
            (Order::CloseMedia, _) => {
                self.sound.closing(leg, role);
                self.media.close(leg);
            }
            (Order::Report(report), _) => self.leg_reports(leg, role, report),
            (Order::Accept { sdp }, Some(dialog)) => self.endpoint.accept(now, dialog, sdp.as_bytes(), out),
            (Order::Ring, Some(dialog)) => self.endpoint.ring(now, dialog, out),
            (Order::Progress { sdp }, Some(dialog)) => self.endpoint.progress(now, dialog, sdp.as_bytes(), out),
            (Order::Reject { code }, Some(dialog)) => self.endpoint.reject(now, dialog, code, out),
            (Order::Cancel { elsewhere }, Some(dialog)) => {
                self.endpoint.cancel(now, dialog, elsewhere.then_some(sip::Reason::CompletedElsewhere), out);
            }
            (Order::Bye, Some(dialog)) => self.endpoint.bye(now, dialog, out),
            (Order::AnswerReoffer { sdp }, Some(dialog)) => self.endpoint.answer_reoffer(now, dialog, sdp.as_bytes(), out),
            (Order::RejectReoffer { code }, Some(dialog)) => self.endpoint.reject_reoffer(now, dialog, code, out),
            (Order::Invite { .. }, _) => unreachable!("an INVITE is sent once, by dial"),
            (_, None) => {}
        }
    }

    fn leg_reports(&mut self, leg: LegId, role: Role, report: Report) {
        match (role, report) {
            (Role::Code, report) => self.code_leg(leg, report),
            (Role::Far(call), Report::Alerting) => self.far_rings(call),
            (Role::Far(call), Report::Audible) => self.far_is_audible(call, leg),
            (role, report) => self.events.extend(core_event(leg, role, report)),
        }
    }
}

/// A leg's report in the core's words.
fn core_event(leg: LegId, role: Role, report: Report) -> Option<Event> {
    Some(match (report, role) {
        (Report::Alerting, Role::Offer(offer, _)) => Event::OfferAlerting { offer },
        (Report::Established, Role::Offer(offer, _)) => Event::OfferAccepted { offer },
        (Report::Refused(why), Role::Offer(offer, _)) => Event::OfferRefused { offer, refusal: core_refusal(why) },
        (Report::Established, Role::Caller | Role::Station | Role::Far(_)) => Event::LegEstablished { leg },
        (Report::Refused(_), Role::Far(_)) => Event::LegEnded { leg, cause: LegEnd::Refused },
        (Report::Ended(Gone::HungUp), _) => Event::LegEnded { leg, cause: LegEnd::HungUp },
        (Report::Ended(Gone::Lost), _) => Event::LegEnded { leg, cause: LegEnd::Lost },
        (Report::Held(held), _) => Event::LegHeld { leg, held },
        (Report::Alerting | Report::Audible | Report::Refused(_) | Report::Established, _) => return None,
    })
}

fn core_refusal(why: crate::leg::Refusal) -> acd::Refusal {
    match why {
        crate::leg::Refusal::Declined => acd::Refusal::Declined,
        crate::leg::Refusal::NoAnswer => acd::Refusal::NoAnswer,
        crate::leg::Refusal::Busy => acd::Refusal::Busy,
        crate::leg::Refusal::Unreachable => acd::Refusal::Unreachable,
    }
}
