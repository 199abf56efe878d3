//! Before the answer: provisional answers that must arrive (RFC 3262) and early dialogs (RFC 3311), both roles.

use crate::by_hand::{Hand, header};
use crate::wire::{ANSWER, OFFER, START, at, hand, ms, settings};
use careline::sip::{DialogId, Endpoint, Flow, Invite, Output, Random, Report, Target};
use std::time::Duration;

const REQUIRED: &str = "Require: 100rel\r\nSupported: 100rel\r\n";

#[test]
fn a_caller_who_requires_it_gets_a_provisional_answer_that_arrives() {
    let mut hand = Hand::calls(settings(), REQUIRED);
    let again = hand.pass(ms(3_600));
    assert_eq!(again.len(), 3, "after 0.5, 1.5 and 3.5 s");
    let ringing = &again[0];
    assert!(ringing.starts_with("SIP/2.0 180 ") && header(ringing, "Require") == "100rel" && again.iter().all(|text| text == ringing));
    // Decided on, but not before the PRACK.
    assert_eq!(hand.acts(|endpoint, dialog, now, out| endpoint.accept(now, dialog, ANSWER, out)), (vec![], vec![]));
    let number: u32 = header(ringing, "RSeq").parse().unwrap();
    for (wrong, code) in [(format!("{} 1 INVITE", number + 1), "481"), (format!("{number} 2 INVITE"), "481"), ("x".to_string(), "400")] {
        let cseq = hand.endpoint.counts().requests as u32 + 1;
        let (sent, _) = hand.asks("PRACK", cseq, &format!("RAck: {wrong}\r\n"), "");
        assert!(sent.len() == 1 && sent[0][8..11] == *code, "{wrong}: {sent:?}");
    }
    let (sent, reports) = hand.asks("PRACK", 9, &format!("RAck: {number} 1 INVITE\r\n"), "");
    let [ok, answer] = &sent[..] else { panic!("{sent:?}") };
    assert!(ok.starts_with("SIP/2.0 200 ") && header(ok, "CSeq") == "9 PRACK" && reports.is_empty());
    assert!(answer.starts_with("SIP/2.0 200 ") && header(answer, "CSeq") == "1 INVITE");
    assert_eq!(hand.ack(answer, ""), [Report::Acked { dialog: hand.dialog, sdp: None }], "the ACK is the INVITE's, whatever came between");
    let (sent, _) = hand.asks("PRACK", 10, &format!("RAck: {number} 1 INVITE\r\n"), "");
    assert!(sent[0].starts_with("SIP/2.0 481 "), "it has been acknowledged");
}

#[test]
fn early_media_arrives_where_that_can_be_made_sure() {
    let text = std::str::from_utf8(ANSWER).unwrap();
    for (extra, number) in [("Supported: 100rel\r\n", true), ("", false)] {
        let mut hand = Hand::calls(settings(), extra);
        let (sent, _) = hand.acts(|endpoint, dialog, now, out| endpoint.progress(now, dialog, ANSWER, out));
        assert!(sent[0].starts_with("SIP/2.0 183 ") && sent[0].ends_with(text) && sent[0].contains("RSeq: ") == number, "{sent:?}");
        assert_eq!(hand.pass(ms(600)).len(), usize::from(number));
        if number {
            let (sent, _) = hand.asks("PRACK", 2, &format!("RAck: {} 1 INVITE\r\n", header(&sent[0], "RSeq")), "");
            assert!(sent[0].starts_with("SIP/2.0 200 "));
        }
        assert!(hand.accept().ends_with(text), "and the same again in the 200");
    }
    // While the 180 is under way, the 183 waits.
    let mut hand = Hand::calls(settings(), REQUIRED);
    let ringing = hand.pass(ms(600)).remove(0);
    assert_eq!(hand.acts(|endpoint, dialog, now, out| endpoint.progress(now, dialog, ANSWER, out)), (vec![], vec![]));
    let (sent, _) = hand.asks("PRACK", 2, &format!("RAck: {} 1 INVITE\r\n", header(&ringing, "RSeq")), "");
    assert!(sent[0].starts_with("SIP/2.0 200 ") && sent[1].starts_with("SIP/2.0 183 ") && sent[1].ends_with(text), "{sent:?}");
}

#[test]
fn a_caller_who_never_acknowledges_is_not_there() {
    for decided in [false, true] {
        let mut hand = Hand::calls(settings(), REQUIRED);
        if decided {
            hand.acts(|endpoint, dialog, now, out| endpoint.accept(now, dialog, ANSWER, out));
        }
        let sent = hand.pass(Duration::from_secs(32));
        assert!(sent.last().unwrap().starts_with("SIP/2.0 504 "));
        let dialog = hand.dialog;
        assert_eq!(hand.reports, [if decided { Report::Ended { dialog, lost: true } } else { Report::Cancelled { dialog } }]);
        hand.pass(Duration::from_secs(40));
        assert_eq!((hand.endpoint.dialogs(), hand.endpoint.transactions(), hand.endpoint.next_timer()), (0, 0, None));
    }
}

#[test]
fn a_caller_may_give_up_between_our_decision_and_our_answer() {
    for decided in [false, true] {
        let mut hand = Hand::calls(settings(), REQUIRED);
        if decided {
            hand.acts(|endpoint, dialog, now, out| endpoint.accept(now, dialog, ANSWER, out));
        }
        let invite = hand.invite();
        let cancel = invite.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL");
        let (sent, reports) = hand.gives(&cancel);
        assert!(sent[0].starts_with("SIP/2.0 200 ") && sent[1].starts_with("SIP/2.0 487 "));
        let dialog = hand.dialog;
        assert_eq!(reports, [if decided { Report::Ended { dialog, lost: false } } else { Report::Cancelled { dialog } }]);
    }
}

// ── our own calls ──

fn flow() -> Flow {
    Flow::udp(at("127.0.0.1:5060"), at("127.0.0.9:5060"))
}

fn dial() -> (Endpoint, DialogId, String) {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    let target = Target::Direct { uri: "sip:x@127.0.0.9".to_string(), flow: flow() };
    let mut out = Vec::new();
    let dialog = endpoint.invite(START, Invite { sdp: Some(OFFER.to_vec()), ..Invite::to(target) }, &mut out).unwrap();
    let Output::Send { bytes, .. } = &out[0] else { panic!() };
    (endpoint, dialog, String::from_utf8_lossy(bytes).into_owned())
}

pub fn response(invite: &str, code: &str, tag: &str, extra: &str, body: &[u8]) -> String {
    let mut text = format!("SIP/2.0 {code} x\r\nContact: <sip:{tag}@127.0.0.9:5090>\r\n{extra}");
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        text += &format!("{name}: {}\r\n", header(invite, name));
    }
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    text + &format!(
        "To: {};tag={tag}\r\n{kind}Content-Length: {}\r\n\r\n{}",
        header(invite, "To"),
        body.len(),
        String::from_utf8_lossy(body)
    )
}

#[test]
fn a_provisional_answer_that_must_arrive_is_acknowledged_in_order() {
    let (mut endpoint, dialog, invite) = dial();
    assert_eq!(header(&invite, "Supported"), "100rel, timer");
    let rel = |code: &str, tag: &str, number: u32, body: &[u8]| {
        response(&invite, code, tag, &format!("Require: 100rel\r\nRSeq: {number}\r\nRecord-Route: <sip:127.0.0.9:5091;lr>\r\n"), body)
    };
    let (sent, reports) = hand(&mut endpoint, START, flow(), &rel("183", "one", 7, ANSWER));
    assert_eq!(reports, [Report::Alerting { dialog, sdp: Some(ANSWER.to_vec()) }]);
    let [prack] = &sent[..] else { panic!("{sent:?}") };
    assert!(prack.starts_with("PRACK sip:one@127.0.0.9:5090 ") && header(prack, "Route") == "<sip:127.0.0.9:5091;lr>", "{prack}");
    assert_eq!((header(prack, "RAck"), header(prack, "CSeq")), ("7 1 INVITE".to_string(), "2 PRACK".to_string()));
    assert!(header(prack, "To").ends_with(";tag=one"));
    for passed_over in [rel("183", "one", 7, ANSWER), rel("180", "one", 9, b"")] {
        assert_eq!(hand(&mut endpoint, START, flow(), &passed_over), (vec![], vec![]), "come again, or too early");
    }
    let (sent, reports) = hand(&mut endpoint, START, flow(), &rel("180", "one", 8, b""));
    assert_eq!((header(&sent[0], "RAck"), header(&sent[0], "CSeq"), reports.len()), ("8 1 INVITE".to_string(), "3 PRACK".to_string(), 1));
    let (sent, _) = hand(&mut endpoint, START, flow(), &rel("180", "two", 100, b""));
    assert!(sent[0].starts_with("PRACK sip:two@"), "another fork counts for itself");
    // The 200 need not say again what has been said; the next request's number is higher than every PRACK's.
    let (sent, reports) = hand(&mut endpoint, START, flow(), &response(&invite, "200", "one", "", b""));
    assert_eq!(reports, [Report::Established { dialog, sdp: Some(ANSWER.to_vec()) }]);
    assert_eq!(header(&sent[0], "CSeq"), "1 ACK");
    let mut out = Vec::new();
    endpoint.bye(START, dialog, &mut out);
    let Output::Send { bytes, .. } = &out[0] else { panic!() };
    assert_eq!(header(&String::from_utf8_lossy(bytes), "CSeq"), "5 BYE");
}

#[test]
fn who_rings_may_update_and_nothing_more() {
    let (mut endpoint, dialog, invite) = dial();
    hand(&mut endpoint, START, flow(), &response(&invite, "180", "one", "", b""));
    let (from, to) = (header(&invite, "To"), header(&invite, "From"));
    let mut asks = |method: &str, tag: &str, cseq: u32, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bK{method}{cseq};rport\r\nFrom: {from};tag={tag}\r\nTo: {to}\r\n\
             Call-ID: {}\r\nCSeq: {cseq} {method}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            header(&invite, "Call-ID"),
            body.len()
        );
        let (sent, reports) = hand(&mut endpoint, START, flow(), &text);
        assert!(reports.is_empty());
        sent[0][8..11].to_string()
    };
    assert_eq!(asks("UPDATE", "one", 1, ""), "200");
    assert_eq!(asks("UPDATE", "one", 2, std::str::from_utf8(OFFER).unwrap()), "491", "our own offer is open");
    assert_eq!(asks("OPTIONS", "one", 3, ""), "200");
    assert_eq!(asks("BYE", "one", 4, ""), "481");
    assert_eq!(asks("UPDATE", "nobody", 5, ""), "481");
    let (_, reports) = hand(&mut endpoint, START, flow(), &response(&invite, "486", "one", "", b""));
    assert_eq!(reports, [Report::Refused { dialog, code: 486 }], "and the call goes on as it would");
}
