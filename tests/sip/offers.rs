//! Inside a dialog: forks, new offers, glare, keys by INFO, sequence numbers.

use crate::wire::{ANSWER, OFFER, START, Wire, at, hand, ms, open_settings, settings};
use careline::model::Phi;
use careline::sip::{DialogId, Endpoint, Flow, Invite, Output, Random, Report, Target};
use std::net::SocketAddr;

const PEER: &str = "127.0.0.9:5060";

fn flow() -> Flow {
    Flow::udp(at("127.0.0.1:5060"), at(PEER))
}

fn up(seed: u64) -> (Wire, (SocketAddr, DialogId), (SocketAddr, DialogId)) {
    let mut wire = Wire::new(seed);
    let centre = wire.join("127.0.0.1:5060", settings());
    let caller = wire.join(PEER, open_settings());
    let dialog = wire.call(caller, centre);
    wire.run_for(ms(50));
    let Report::Incoming { dialog: incoming, .. } = wire.take_reports(centre).remove(0) else { panic!() };
    wire.act(centre, |party, now, out| party.accept(now, incoming, ANSWER, out));
    wire.run_for(ms(100));
    wire.reports.clear();
    (wire, (centre, incoming), (caller, dialog))
}

#[test]
fn a_new_offer_from_either_side() {
    let (mut wire, centre, caller) = up(1);
    for ((asker, own), (other, theirs)) in [(centre, caller), (caller, centre)] {
        assert!(wire.act(asker, |party, now, out| party.reoffer(now, own, OFFER, out)));
        assert!(!wire.act(asker, |party, now, out| party.reoffer(now, own, OFFER, out)), "one at a time");
        wire.run_for(ms(50));
        assert_eq!(wire.take_reports(other), [Report::Reoffer { dialog: theirs, sdp: Some(OFFER.to_vec()) }]);
        wire.act(other, |party, now, out| party.answer_reoffer(now, theirs, ANSWER, out));
        wire.run_for(ms(100));
        assert_eq!(wire.take_reports(asker), [Report::ReofferAnswered { dialog: own, sdp: Some(ANSWER.to_vec()) }]);
        assert_eq!(wire.take_reports(other), [Report::Acked { dialog: theirs, sdp: None }]);
        assert!(wire.act(asker, |party, now, out| party.reoffer(now, own, OFFER, out)));
        wire.run_for(ms(50));
        wire.reports.clear();
        wire.act(other, |party, now, out| party.reject_reoffer(now, theirs, 488, out));
        wire.run_for(ms(100));
        assert_eq!(wire.take_reports(asker), [Report::ReofferRefused { dialog: own, code: 488 }]);
    }
    wire.act(caller.0, |party, now, out| party.bye(now, caller.1, out));
    wire.settle();
    wire.assert_empty();
}

#[test]
fn offers_that_cross_are_both_refused_and_tried_again_at_different_times() {
    let (mut wire, centre, caller) = up(2);
    assert!(wire.act(centre.0, |party, now, out| party.reoffer(now, centre.1, OFFER, out)));
    assert!(wire.act(caller.0, |party, now, out| party.reoffer(now, caller.1, OFFER, out)));
    wire.run_for(ms(100));
    let [Report::Glare { wait: ours, .. }] = wire.take_reports(centre.0)[..] else { panic!() };
    let [Report::Glare { wait: theirs, .. }] = wire.take_reports(caller.0)[..] else { panic!() };
    assert!(ours < ms(2_000) && (ms(2_100)..=ms(4_000)).contains(&theirs), "{ours:?} {theirs:?}");
    wire.act(centre.0, |party, now, out| party.bye(now, centre.1, out));
    wire.settle();
    wire.assert_empty();
}

#[test]
fn a_hang_up_ends_an_open_offer() {
    let (mut wire, centre, caller) = up(3);
    assert!(wire.act(caller.0, |party, now, out| party.reoffer(now, caller.1, OFFER, out)));
    wire.run_for(ms(50));
    wire.act(centre.0, |party, now, out| party.bye(now, centre.1, out));
    wire.settle();
    assert!(wire.take_reports(caller.0).contains(&Report::Ended { dialog: caller.1, lost: false }));
    wire.assert_empty();
}

#[test]
fn a_peer_that_forgot_the_dialog_is_lost() {
    let (mut wire, centre, caller) = up(4);
    wire.parties.insert(caller.0, Endpoint::new(open_settings(), Random::seeded(9)));
    wire.act(centre.0, |party, now, out| party.probe(now, centre.1, out));
    wire.settle();
    assert_eq!(wire.take_reports(centre.0), [Report::Ended { dialog: centre.1, lost: true }]);
    wire.assert_empty();
}

#[test]
fn a_peer_that_answers_no_probe_for_four_seconds_is_lost() {
    let (mut wire, centre, caller) = up(4);
    wire.act(centre.0, |party, now, out| party.probe(now, centre.1, out));
    wire.run_for(ms(10_000));
    assert_eq!(wire.take_reports(centre.0), [], "who answers is there");
    wire.parties.remove(&caller.0);
    wire.act(centre.0, |party, now, out| party.probe(now, centre.1, out));
    wire.run_for(ms(3_999));
    assert_eq!(wire.take_reports(centre.0), []);
    wire.run_for(ms(1));
    assert_eq!(wire.take_reports(centre.0), [Report::Ended { dialog: centre.1, lost: true }]);
}

/// A response by hand to what the endpoint sent.
fn response(request: &str, code: &str, tag: &str, contact: &str) -> String {
    let mut text = format!("SIP/2.0 {code}\r\n");
    for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
        if let Some(to) = line.strip_prefix("To: ") {
            text += &format!("To: {to};tag={tag}\r\n");
        } else if ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)) {
            text += &format!("{line}\r\n");
        }
    }
    text + contact + "Content-Length: 0\r\n\r\n"
}

fn dial(endpoint: &mut Endpoint) -> (DialogId, String) {
    let mut out = Vec::new();
    let target = Target::Direct { uri: "sip:x@127.0.0.9".to_string(), flow: flow() };
    let dialog = endpoint.invite(START, Invite { sdp: Some(OFFER.to_vec()), ..Invite::to(target) }, &mut out).unwrap();
    let Output::Send { bytes, .. } = &out[0] else { panic!() };
    (dialog, String::from_utf8_lossy(bytes).into_owned())
}

#[test]
fn all_answers_but_the_first_are_acknowledged_and_hung_up() {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    let (dialog, invite) = dial(&mut endpoint);
    let ok = |tag: &str| {
        response(&invite, "200 OK", tag, &format!("Contact: <sip:{tag}@127.0.0.9:5090>\r\nRecord-Route: <sip:127.0.0.9:5091;lr>\r\n"))
    };
    let (sent, reports) = hand(&mut endpoint, START, flow(), &ok("one"));
    assert_eq!(reports, [Report::Established { dialog, sdp: None }]);
    assert!(
        sent.len() == 1
            && sent[0].starts_with("ACK sip:one@127.0.0.9:5090 SIP/2.0\r\n")
            && sent[0].contains("Route: <sip:127.0.0.9:5091;lr>\r\n")
    );
    let (again, reports) = hand(&mut endpoint, START, flow(), &ok("one"));
    assert!(again == sent && reports.is_empty(), "the same ACK again");
    let (sent, reports) = hand(&mut endpoint, START, flow(), &ok("two"));
    assert!(sent.len() == 2 && sent[0].starts_with("ACK sip:two@") && sent[1].starts_with("BYE sip:two@") && reports.is_empty());
    assert!(sent[1].contains(";tag=two\r\n") && sent[1].contains("CSeq: 2 BYE"));
    let (again, _) = hand(&mut endpoint, START, flow(), &ok("two"));
    assert_eq!(again, sent[..1]);
    assert_eq!(endpoint.dialogs(), 1);
}

#[test]
fn a_refusal_is_acknowledged_each_time_it_comes() {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    for code in ["302 Moved", "486 Busy Here", "603 Decline"] {
        let (dialog, invite) = dial(&mut endpoint);
        let busy = response(&invite, code, "t", "");
        let (sent, reports) = hand(&mut endpoint, START, flow(), &busy);
        assert_eq!(reports, [Report::Refused { dialog, code: code[..3].parse().unwrap() }]);
        let branch = |text: &str| text.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_string();
        assert!(
            sent.len() == 1
                && sent[0].starts_with("ACK sip:x@127.0.0.9 ")
                && branch(&sent[0]) == branch(&invite)
                && sent[0].contains(";tag=t\r\n")
        );
        assert_eq!(hand(&mut endpoint, START, flow(), &busy), (sent, vec![]));
    }
}

#[test]
fn keys_by_info_and_old_sequence_numbers() {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    let (dialog, invite) = dial(&mut endpoint);
    hand(&mut endpoint, START, flow(), &response(&invite, "200 OK", "one", ""));
    let tag = invite.split("From: ").nth(1).unwrap().split(";tag=").nth(1).unwrap().split("\r\n").next().unwrap();
    let call = invite.split("Call-ID: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let within = |method: &str, cseq: u32, rest: &str| {
        format!(
            "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bK{method}{cseq};rport\r\nFrom: <sip:x@127.0.0.9>;tag=one\r\nTo: <sip:127.0.0.1>;tag={tag}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\n{rest}"
        )
    };
    let key = within("INFO", 7, "Content-Type: application/dtmf-relay\r\nContent-Length: 24\r\n\r\nSignal=#\r\nDuration=160\r\n");
    let (sent, reports) = hand(&mut endpoint, START, flow(), &key);
    assert!(sent[0].starts_with("SIP/2.0 200 ") && reports == [Report::Digit { dialog, key: Phi('#') }]);
    assert_eq!(hand(&mut endpoint, START, flow(), &key), (sent, vec![]), "the same key again is the same key");
    let mut code = |text: &str| hand(&mut endpoint, START, flow(), text).0[0][8..11].to_string();
    assert_eq!(code(&within("INFO", 6, "\r\n")), "500", "older than what was seen");
    assert_eq!(code(&within("INFO", 8, "Content-Type: text/plain\r\n\r\nhello")), "415");
    assert_eq!(code(&within("OPTIONS", 9, "\r\n")), "200");
    assert_eq!(code(&within("REFER", 10, "\r\n")), "405");
    assert_eq!(code(&within("BYE", 11, "\r\n").replace("tag=one", "tag=other")), "481");
    assert_eq!(code(&within("BYE", 12, "\r\n")), "200");
    assert_eq!(code(&within("BYE", 13, "\r\n")), "481");
}
