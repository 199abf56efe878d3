//! Every retransmission and every end on its own time (RFC 3261 table 4, RFC 6026).

use crate::by_hand::Hand;
use crate::wire::{ANSWER, START, Wire, at, hand, ms, open_settings, request, settings};
use careline::sip::{Endpoint, Flow, Random, Report};
use std::net::SocketAddr;
use std::time::Duration;

const CENTRE: &str = "127.0.0.1:5060";

fn alone() -> (Wire, SocketAddr) {
    let mut wire = Wire::new(1);
    wire.delay = (0, 0);
    let centre = wire.join(CENTRE, open_settings());
    (wire, centre)
}

fn seconds(times: &[Duration]) -> Vec<f64> {
    times.iter().map(Duration::as_secs_f64).collect()
}

#[test]
fn an_invite_that_nobody_answers() {
    let (mut wire, centre) = alone();
    let dialog = wire.call(centre, at("127.0.0.9:5060"));
    wire.run_for(ms(31_999));
    assert!(wire.reports.is_empty());
    wire.run_for(ms(1));
    assert_eq!(wire.take_reports(centre), [Report::Timeout { dialog }]);
    assert_eq!(seconds(&wire.sent_by(centre, "INVITE")), [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]);
    wire.settle();
    wire.assert_empty();
}

/// An INVITE by hand, and what the centre makes of it; nothing answers.
fn incoming(wire: &mut Wire, centre: SocketAddr) -> careline::sip::DialogId {
    let from = at("127.0.0.9:5060");
    let text = request("INVITE", "sip:+13125550100@127.0.0.1", from, "c1", 1, "Contact: <sip:x@127.0.0.9:5060>\r\n");
    wire.act(centre, |party, now, out| party.handle_message(now, Flow::udp(centre, from), text.as_bytes(), out));
    let Report::Incoming { dialog, .. } = wire.take_reports(centre).remove(0) else { panic!() };
    dialog
}

#[test]
fn a_refusal_that_nobody_acknowledges() {
    let (mut wire, centre) = alone();
    let dialog = incoming(&mut wire, centre);
    wire.act(centre, |party, now, out| party.reject(now, dialog, 486, out));
    wire.run_for(ms(32_000));
    assert_eq!(seconds(&wire.sent_by(centre, "SIP/2.0 486")), [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]);
    wire.assert_empty();
}

#[test]
fn an_answer_that_nobody_acknowledges() {
    let (mut wire, centre) = alone();
    let dialog = incoming(&mut wire, centre);
    wire.act(centre, |party, now, out| party.accept(now, dialog, ANSWER, out));
    wire.run_for(ms(32_000));
    assert_eq!(seconds(&wire.sent_by(centre, "SIP/2.0 200")), [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]);
    assert_eq!(wire.take_reports(centre), [Report::Ended { dialog, lost: true }]);
    wire.run_for(ms(32_000));
    assert_eq!(seconds(&wire.sent_by(centre, "BYE")), [32.0, 32.5, 33.5, 35.5, 39.5, 43.5, 47.5, 51.5, 55.5, 59.5, 63.5]);
    wire.assert_empty();
}

#[test]
fn transactions_are_forgotten_on_time() {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    let flow = Flow::udp(at(CENTRE), at("127.0.0.9:5060"));
    let mut out = Vec::new();
    let text = request("INVITE", "sip:+13125550100@127.0.0.1", flow.remote, "c1", 1, "Contact: <sip:x@127.0.0.9:5060>\r\n");
    let (_, reports) = hand(&mut endpoint, START, flow, &text);
    let Report::Incoming { dialog, .. } = reports[0] else { panic!() };
    endpoint.reject(START, dialog, 486, &mut out);
    let ack = text.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK");
    assert_eq!(hand(&mut endpoint, START, flow, &ack), (vec![], vec![]));
    endpoint.handle_timer(START + ms(4_999), &mut out);
    assert_eq!((endpoint.transactions(), endpoint.next_timer()), (1, Some(START + ms(5_000))), "Timer I");
    assert_eq!(hand(&mut endpoint, START, flow, &text), (vec![], vec![]), "absorbed");
    endpoint.handle_timer(START + ms(5_000), &mut out);
    assert_eq!((endpoint.transactions(), endpoint.next_timer()), (0, None));
}

#[test]
fn a_bye_that_comes_again_is_answered_again_and_reported_once() {
    let (mut wire, centre) = alone();
    let dialog = incoming(&mut wire, centre);
    wire.act(centre, |party, now, out| party.accept(now, dialog, ANSWER, out));
    let flow = Flow::udp(centre, at("127.0.0.9:5060"));
    let party = wire.parties.get_mut(&centre).unwrap();
    let tag = {
        let text = request("INVITE", "sip:+13125550100@127.0.0.1", flow.remote, "c1", 1, "");
        assert_eq!(hand(party, START, flow, &text), (vec![], vec![]), "an answered INVITE that comes again is absorbed");
        let mut out = Vec::new();
        party.handle_timer(START + ms(500), &mut out);
        let careline::sip::Output::Send { bytes, .. } = &out[0] else { panic!() };
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().find(|line| line.starts_with("To:")).unwrap().split(";tag=").nth(1).unwrap().to_string()
    };
    let bye = request("BYE", "sip:127.0.0.1", flow.remote, "c1", 2, "")
        .replace("To: <sip:1001@127.0.0.1>", &format!("To: <sip:1001@127.0.0.1>;tag={tag}"));
    let (sent, reports) = hand(party, START + ms(600), flow, &bye);
    assert!(sent[0].starts_with("SIP/2.0 200 ") && reports == [Report::Ended { dialog, lost: false }]);
    let (again, reports) = hand(party, START + ms(700), flow, &bye);
    assert!(again == sent && reports.is_empty());
    // Timer J, and Timer L of the INVITE.
    let mut out = Vec::new();
    party.handle_timer(START + ms(32_599), &mut out);
    assert_eq!(party.transactions(), 1);
    party.handle_timer(START + ms(32_600), &mut out);
    assert_eq!((party.transactions(), party.next_timer()), (0, None));
}

/// Timers D, E, F, K and M, of our own requests.
#[test]
fn our_own_requests_are_repeated_and_forgotten_on_time() {
    let mut hand = Hand::calls(open_settings(), "");
    let ok = hand.accept();
    hand.ack(&ok, "");
    let (sent, _) = hand.acts(|endpoint, dialog, now, out| endpoint.bye(now, dialog, out));
    // Timer E doubles up to T2; once something has come, it is T2 at once.
    assert_eq!(hand.pass(ms(1_500)).len(), 2);
    hand.gives(&hand.response(&sent[0], "100 Trying", "", ""));
    assert_eq!((hand.pass(ms(1_999)).len(), hand.pass(ms(1)).len()), (0, 1), "the one that was set before");
    assert_eq!((hand.pass(ms(3_999)).len(), hand.pass(ms(1)).len()), (0, 1));
    assert_eq!((hand.pass(ms(3_999)).len(), hand.pass(ms(1)).len()), (0, 1));
    let before = hand.endpoint.transactions();
    hand.gives(&hand.response(&sent[0], "200 OK", "", ""));
    hand.pass(ms(4_999));
    assert_eq!(hand.endpoint.transactions(), before);
    assert_eq!(hand.gives(&hand.response(&sent[0], "200 OK", "", "")), (vec![], vec![]), "absorbed");
    hand.pass(ms(1));
    assert_eq!(hand.endpoint.transactions(), before - 1, "Timer K");
    // Timer F: nobody answers at all.
    let mut hand = Hand::calls(open_settings(), "");
    let ok = hand.accept();
    hand.ack(&ok, "");
    hand.acts(|endpoint, dialog, now, out| endpoint.bye(now, dialog, out));
    hand.pass(ms(31_999));
    assert_eq!(hand.endpoint.dialogs(), 1);
    hand.pass(ms(1));
    assert_eq!((hand.endpoint.dialogs(), hand.endpoint.transactions()), (0, 0));
}

#[test]
fn our_own_invites_are_forgotten_on_time() {
    for (code, extra) in [("486 Busy", ""), ("200 OK", "Contact: <sip:x@127.0.0.9:5060>\r\n")] {
        let mut hand = Hand::calls(open_settings(), "");
        let ok = hand.accept();
        hand.ack(&ok, "");
        hand.pass(ms(33_000));
        assert_eq!(hand.endpoint.transactions(), 0);
        let (sent, _) = hand.acts(|endpoint, dialog, now, out| assert!(endpoint.reoffer(now, dialog, ANSWER, out)));
        let answer = hand.response(&sent[0], code, extra, "");
        let (ack, _) = hand.gives(&answer);
        hand.pass(ms(31_999));
        assert_eq!(hand.gives(&answer), (ack, vec![]), "the ACK again: Timer D, Timer M");
        hand.pass(ms(1));
        assert_eq!(hand.endpoint.transactions(), 0);
        assert_eq!(hand.gives(&answer), (vec![], vec![]));
    }
}
