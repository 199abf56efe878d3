//! What an agent's telephone does to a call never ends the caller, and never costs the caller's place.

use super::caller::{Caller, sipp};
use super::centre::Centre;
use super::network::Network;
use super::phone::Phone;
use super::reached::ends_in_music;
use super::sound;
use careline::acd::{AgentState, NotReadyReason};
use careline::store::StoredCall;
use std::net::SocketAddr;

/// Straight to billing in Spanish: 1005 is asked first, then 1004.
const BILLING: &str = "+13125550102";
const FIRST: f64 = 600.0;
const SECOND: f64 = 700.0;

/// One caller is refused by 1005 and a second has come meanwhile; when 1004 becomes ready it is the first who is answered.
struct Refusal {
    network: Network,
    centre: Centre,
    first: Phone,
    second: Phone,
    callers: [Caller; 2],
}

impl Refusal {
    /// 1005's telephone has been told of the first caller, unless it is dead or busy; the second caller waits.
    fn begin(ring_timeout: &str, ready: impl FnOnce(&Network, &Centre, &mut Phone)) -> Refusal {
        let network = Network::new();
        let centre = Centre::start(&network, &[("ring_timeout = \"12s\"", &format!("ring_timeout = \"{ring_timeout}\""))]);
        let mut first = Phone::start(&network, 1, 1005, FIRST, centre.sip());
        let second = Phone::start(&network, 2, 1004, SECOND, centre.sip());
        centre.agent(1004, "ready", |state| state == AgentState::Ready);
        centre.rest(1004);
        centre.agent(1005, "ready", |state| state == AgentState::Ready);
        ready(&network, &centre, &mut first);
        let one = Caller::dial(&network, 3, centre.sip(), BILLING);
        centre.wait("the first caller in the queue", |view| view.figures.queues.values().any(|queue| queue.offered == 1));
        let other = Caller::dial(&network, 4, centre.sip(), BILLING);
        centre.wait("both callers in the queue", |view| view.in_queue == 2);
        Refusal { network, centre, first, second, callers: [one, other] }
    }

    /// 1004 becomes ready: the first caller is answered, the second still waits. The first caller's record.
    fn end(self, outcome: &str) -> StoredCall {
        let Refusal { network: _network, centre, first: _first, mut second, callers: [mut one, mut other] } = self;
        centre.wait(&format!("the offer to end as {outcome}"), |view| {
            let label = careline::acd::fact::OfferOutcome::LABELS.iter().position(|label| *label == outcome).expect("an outcome's label");
            view.figures.offers.values().any(|counts| counts[label] > 0)
        });
        assert!(one.is_connected() && other.is_connected(), "no caller is ended");
        centre.set_agent(1004, "ready");
        second.rings();
        second.accept();
        one.ear.listen_until(0, "1004's tone", |heard| sound::tone_ms(heard, SECOND) >= 500);
        assert_eq!(sound::tone_ms(other.ear.heard(), SECOND), 0, "the second caller is not answered before the first");
        let waiting = other.ear.mark();
        other.ear.listen_until(waiting, "hold music", ends_in_music);
        one.hang_up();
        other.hang_up();
        centre.wait("both calls over", |view| view.figures.calls_ended == 2);
        let figures = centre.metrics();
        assert_eq!(figures.sum("careline_visits_answered_total", &[]), 1.0);
        assert!(figures.sum("careline_offers_total", &[&format!("outcome=\"{outcome}\"")]) >= 1.0);
        let mut records = centre.stop();
        assert_eq!(records.iter().map(|record| &*record.disposition).collect::<Vec<_>>(), ["answered", "abandoned"]);
        let record = records.remove(0);
        assert_eq!(record.visits.len(), 1, "a refused call stays in its queue, with its place");
        let offers = &record.visits[0].offers;
        assert_eq!((offers[0].agent, &*offers[0].outcome), (1005, outcome));
        assert_eq!(offers.last().map(|offer| (offer.agent, &*offer.outcome)), Some((1004, "accepted")));
        record
    }
}

#[test]
fn a_declined_call_keeps_its_place() {
    let mut refusal = Refusal::begin("30s", |_, _, _| {});
    refusal.first.rings();
    refusal.first.hang_up();
    refusal.first.call_ends();
    refusal.end("declined");
}

#[test]
fn a_call_to_a_busy_telephone_keeps_its_place() {
    let mut outside = None;
    let refusal = Refusal::begin("30s", |network, _, first| {
        // Somebody calls 1005 past the centre.
        let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/sipp/caller.xml");
        let address = SocketAddr::new(network.address(5), 5060);
        outside = Some(sipp(network, address, first.address(), &["-sf", scenario, "-s", "1005", "-m", "1", "-key", "rtp_port", "6000"]));
        first.rings();
        first.accept();
    });
    refusal.end("busy");
}

#[test]
fn a_call_that_nobody_answers_keeps_its_place() {
    let mut refusal = Refusal::begin("3s", |_, _, _| {});
    refusal.first.rings();
    refusal.first.call_ends();
    refusal.centre.agent(1005, "not ready, having missed a call", |state| matches!(state, AgentState::NotReady(_)));
    refusal.end("no_answer");
}

#[test]
fn a_call_to_a_dead_telephone_keeps_its_place() {
    // Long before it would have rung out.
    let refusal = Refusal::begin("5m", |_, _, first| first.dies());
    refusal.centre.agent(1005, "not to be reached", |state| state == AgentState::NotReady(NotReadyReason::StationLost));
    refusal.end("unreachable");
}

#[test]
fn a_telephone_that_was_away_for_a_moment_is_rung_again_when_it_is_back() {
    let network = Network::new();
    let centre = Centre::start(&network, &[("ring_timeout = \"12s\"", "ring_timeout = \"5m\"")]);
    let mut phone = Phone::start(&network, 1, 1005, FIRST, centre.sip());
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    phone.is_away();
    let mut caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    centre.agent(1005, "not to be reached", |state| state == AgentState::NotReady(NotReadyReason::StationLost));
    phone.is_back();
    // The call that nobody wants any more, and the one that is offered since it is found.
    phone.rings();
    phone.call_ends();
    phone.rings();
    phone.accept();
    caller.ear.listen_until(0, "the agent's tone", |heard| sound::tone_ms(heard, FIRST) >= 500);
    caller.hang_up();
    centre.wait("the call over", |view| view.figures.calls_ended == 1);
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    let offers: Vec<_> = record.visits[0].offers.iter().map(|offer| (offer.agent, &*offer.outcome)).collect();
    assert_eq!(offers, [(1005, "unreachable"), (1005, "accepted")]);
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_silences_the_telephone_at_once() {
    let network = Network::new();
    // It would ring for longer than anybody here waits.
    let centre = Centre::start(&network, &[("ring_timeout = \"12s\"", "ring_timeout = \"5m\"")]);
    let mut phone = Phone::start(&network, 1, 1005, FIRST, centre.sip());
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    let caller = Caller::dial(&network, 3, centre.sip(), BILLING);
    phone.rings();
    caller.hang_up();
    phone.call_ends();
    // No wrap-up and no penalty: at once the agent is as ready as before.
    centre.agent(1005, "ready", |state| state == AgentState::Ready);
    centre.wait("the call over", |view| view.figures.calls_ended == 1);
    let figures = centre.metrics();
    assert_eq!(figures.sum("careline_visits_abandoned_total", &["queue=\"billing\"", "language=\"es\"", "phase=\"ringing\""]), 1.0);
    assert_eq!(figures.sum("careline_offers_total", &["outcome=\"caller_left\""]), 1.0);
    let [record] = &centre.stop()[..] else { panic!("one call is one record") };
    assert_eq!((&*record.disposition, &*record.visits[0].stage), ("abandoned", "ringing"));
}
