//! Calls of ours to a trunk: by its peers in turn, and with proof where it asks for one.

use crate::wire::{ANSWER, OFFER, START, Wire, at, field, hand, ms, open_settings, settings};
use careline::sip::auth::{Algorithm, Answer};
use careline::sip::{Account, Credentials, DialogId, Endpoint, Flow, Invite, NotReachable, Output, Peer, Random, Report, Settings, Target};
use careline::sip::{Transport, Trunk};
use std::net::SocketAddr;

const CENTRE: &str = "127.0.0.1:5060";
const FIRST: &str = "127.0.1.1:5060";
const SECOND: &str = "127.0.1.2:5070";

fn carrier(peers: &[&str]) -> Settings {
    let peers = peers.iter().map(|peer| Peer { address: at(peer), transport: Transport::Udp }).collect();
    let account = Some(Account { user: "clinic".to_string(), password: "demo-trunk".to_string() });
    let trunk = Trunk { name: "carrier".into(), peers, account, ..Trunk::default() };
    Settings { trunks: vec![trunk], ..settings() }
}

fn call() -> Invite {
    let target = Target::Trunk { trunk: "carrier".into(), user: "+13125550155".to_string() };
    Invite { from_user: "+13125550100".to_string(), sdp: Some(OFFER.to_vec()), ..Invite::to(target) }
}

/// The centre and the carrier's two peers; a call of ours.
fn house(seed: u64, peers: &[&str]) -> (Wire, SocketAddr, DialogId) {
    let mut wire = Wire::new(seed);
    let centre = wire.join(CENTRE, carrier(&[FIRST, SECOND]));
    for peer in peers {
        wire.join(peer, open_settings());
    }
    let dialog = wire.act(centre, |party, now, out| {
        party.listen(vec![centre]);
        party.invite(now, call(), out)
    });
    (wire, centre, dialog.expect("the trunk has peers"))
}

fn incoming(wire: &mut Wire, at: SocketAddr) -> DialogId {
    match &wire.take_reports(at)[..] {
        [Report::Incoming { dialog, from, to, .. }] => {
            assert_eq!((from.0.as_str(), to.as_str()), ("+13125550100", "+13125550155"));
            *dialog
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_peer_that_shows_itself_keeps_the_call() {
    let (mut wire, centre, dialog) = house(1, &[FIRST, SECOND]);
    wire.run_for(ms(100));
    let theirs = incoming(&mut wire, at(FIRST));
    wire.run_for(ms(20_000));
    assert!(wire.take_reports(at(SECOND)).is_empty(), "100 is a sign of life");
    wire.act(at(FIRST), |party, now, out| party.accept(now, theirs, ANSWER, out));
    wire.run_for(ms(100));
    assert_eq!(wire.take_reports(centre), [Report::Established { dialog, sdp: Some(ANSWER.to_vec()) }]);
    wire.act(centre, |party, now, out| party.bye(now, dialog, out));
    wire.settle();
    assert!(wire.take_reports(at(FIRST)).contains(&Report::Ended { dialog: theirs, lost: false }));
    wire.assert_empty();
}

#[test]
fn a_silent_peer_gives_way_to_the_next() {
    let (mut wire, centre, dialog) = house(2, &[SECOND]);
    wire.run_for(ms(3_999));
    assert!(wire.reports.is_empty());
    wire.run_for(ms(100));
    let theirs = incoming(&mut wire, at(SECOND));
    wire.act(at(SECOND), |party, now, out| party.accept(now, theirs, ANSWER, out));
    wire.run_for(ms(100));
    assert_eq!(wire.take_reports(centre), [Report::Established { dialog, sdp: Some(ANSWER.to_vec()) }]);
    wire.act(centre, |party, now, out| party.bye(now, dialog, out));
    wire.settle();
    wire.assert_empty();
}

/// The first peer was only slow: what it brings after all is cancelled, or hung up, and nobody hears of it twice.
#[test]
fn no_call_is_doubled() {
    for answers in [false, true] {
        let (mut wire, centre, dialog) = house(3, &[SECOND]);
        wire.run_for(ms(4_100));
        let theirs = incoming(&mut wire, at(SECOND));
        wire.join(FIRST, open_settings());
        wire.run_for(ms(3_500));
        let [Report::Incoming { dialog: late, .. }, rest @ ..] = &wire.take_reports(at(FIRST))[..] else {
            panic!("the INVITE comes again")
        };
        if answers {
            // Its CANCEL came too late.
            assert!(rest.is_empty() || *rest == [Report::Cancelled { dialog: *late }]);
        }
        wire.act(at(SECOND), |party, now, out| party.accept(now, theirs, ANSWER, out));
        wire.run_for(ms(500));
        assert_eq!(wire.take_reports(centre), [Report::Established { dialog, sdp: Some(ANSWER.to_vec()) }]);
        assert_eq!(wire.sent_by(centre, "CANCEL").len(), 1);
        wire.act(centre, |party, now, out| party.bye(now, dialog, out));
        wire.settle();
        wire.assert_empty();
    }
}

#[test]
fn an_overloaded_peer_gives_way_at_once_and_a_refusal_does_not() {
    for (code, tried) in [(503, true), (486, false), (404, false)] {
        let (mut wire, centre, dialog) = house(4, &[FIRST, SECOND]);
        wire.run_for(ms(50));
        let theirs = incoming(&mut wire, at(FIRST));
        wire.act(at(FIRST), |party, now, out| party.reject(now, theirs, code, out));
        wire.run_for(ms(100));
        if tried {
            let theirs = incoming(&mut wire, at(SECOND));
            assert!(wire.take_reports(centre).is_empty());
            wire.act(at(SECOND), |party, now, out| party.reject(now, theirs, code, out));
            wire.run_for(ms(100));
        }
        assert_eq!(wire.take_reports(centre), [Report::Refused { dialog, code }], "the last peer's word is the trunk's");
        wire.settle();
        assert!(wire.take_reports(at(SECOND)).is_empty());
        wire.assert_empty();
    }
}

#[test]
fn a_call_that_nobody_takes_ends_once_and_a_given_up_one_tries_nobody_else() {
    let (mut wire, centre, dialog) = house(5, &[]);
    wire.settle();
    assert_eq!(wire.take_reports(centre), [Report::Timeout { dialog }]);
    wire.assert_empty();
    let (mut wire, centre, dialog) = house(6, &[SECOND]);
    wire.act(centre, |party, now, out| party.cancel(now, dialog, None, out));
    wire.settle();
    assert_eq!(wire.reports, [(centre, Report::Timeout { dialog })]);
    wire.assert_empty();
}

#[test]
fn a_closed_connection_is_no_way() {
    let mut settings = carrier(&[FIRST, SECOND]);
    settings.trunks[0].peers.iter_mut().for_each(|peer| peer.transport = Transport::Tcp);
    let mut endpoint = Endpoint::new(settings, Random::seeded(1));
    assert_eq!(endpoint.invite(START, call(), &mut Vec::new()), Err(NotReachable), "no address of ours to call from");
    endpoint.listen(vec![at(CENTRE)]);
    let mut out = Vec::new();
    let dialog = endpoint.invite(START, call(), &mut out).expect("a peer");
    for peer in [FIRST, SECOND] {
        let Some(Output::Send { flow, bytes }) = out.pop() else { panic!("an INVITE") };
        assert_eq!((flow.remote, flow.transport), (at(peer), Transport::Tcp));
        assert!(
            String::from_utf8_lossy(&bytes)
                .starts_with(&format!("INVITE sip:+13125550155@{peer};transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP "))
        );
        endpoint.handle_closed(START, flow, &mut out);
    }
    assert_eq!(out, [Output::Report(Report::Timeout { dialog })]);
    assert_eq!((endpoint.dialogs(), endpoint.transactions(), endpoint.next_timer()), (0, 0, None));
}

// ── proof ──

fn flow() -> Flow {
    Flow::udp(at(CENTRE), at(FIRST))
}

fn dial(account: bool) -> (Endpoint, DialogId, String) {
    let mut settings = carrier(&[FIRST]);
    if !account {
        settings.trunks[0].account = None;
    }
    let mut endpoint = Endpoint::new(settings, Random::seeded(1));
    endpoint.listen(vec![at(CENTRE)]);
    let mut out = Vec::new();
    let dialog = endpoint.invite(START, call(), &mut out).expect("a peer");
    let Output::Send { bytes, .. } = &out[0] else { panic!() };
    (endpoint, dialog, String::from_utf8_lossy(bytes).into_owned())
}

/// What the trunk answers to a request, by hand.
fn answer(request: &str, code: &str, extra: &str) -> String {
    let mut text = format!("SIP/2.0 {code} x\r\n");
    for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
        if let Some(to) = line.strip_prefix("To: ") {
            text += &format!("To: {to}{}\r\n", if to.contains(";tag=") { "" } else { ";tag=t" });
        } else if ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)) {
            text += &format!("{line}\r\n");
        }
    }
    text + extra + "Content-Length: 0\r\n\r\n"
}

fn asks(header: &str, nonce: &str, rest: &str) -> String {
    format!("{header}: Digest realm=\"carrier\", nonce=\"{nonce}\", qop=\"auth\"{rest}\r\n")
}

/// Asserts that the request proves the account, as a server would.
fn proves(request: &str, header: &str, algorithm: Algorithm, nc: &str) {
    let line = request.lines().find(|line| line.starts_with(&format!("{header}: "))).unwrap_or_else(|| panic!("no {header}: {request}"));
    let (method, uri) = (request.split(' ').next().unwrap(), request.split(' ').nth(1).unwrap());
    let (nonce, cnonce) = (field(line, "nonce"), field(line, "cnonce"));
    let expected = Answer { algorithm, method, uri, nonce: &nonce, nc, cnonce: &cnonce };
    let response = expected.response(&Credentials::new("clinic", "carrier", "demo-trunk"));
    assert_eq!(
        (field(line, "username"), field(line, "uri"), field(line, "response")),
        ("clinic".to_string(), uri.to_string(), response),
        "{line}"
    );
    assert!(line.contains(&format!("nc={nc}")) && line.contains("qop=auth,"), "{line}");
    assert!(!request.contains("demo-trunk"), "the password itself is never said");
}

fn cseq(text: &str) -> u32 {
    text.split("CSeq: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_challenge_is_answered_once() {
    for (code, asked, header) in [("401", "WWW-Authenticate", "Authorization"), ("407", "Proxy-Authenticate", "Proxy-Authorization")] {
        for (algorithm, rest) in [(Algorithm::Md5, ""), (Algorithm::Md5, ", algorithm=MD5"), (Algorithm::Sha256, ", algorithm=SHA-256")] {
            let (mut endpoint, dialog, invite) = dial(true);
            let (sent, reports) = hand(&mut endpoint, START, flow(), &answer(&invite, code, &asks(asked, "n1", rest)));
            let [ack, again] = &sent[..] else { panic!("{sent:?}") };
            assert!(ack.starts_with("ACK ") && again.starts_with("INVITE ") && reports.is_empty());
            proves(again, header, algorithm, "00000001");
            let call_id = |text: &str| text.split("Call-ID: ").nth(1).unwrap().split("\r\n").next().unwrap().to_string();
            assert_eq!((call_id(again), cseq(again)), (call_id(&invite), 2));
            assert!(again.ends_with(std::str::from_utf8(OFFER).unwrap()), "the same offer");
            assert_ne!(field(&invite.replace("branch=", "branch=\""), "branch"), field(&again.replace("branch=", "branch=\""), "branch"));
            let (sent, reports) = hand(&mut endpoint, START, flow(), &answer(again, code, &asks(asked, "n2", rest)));
            assert!(sent.len() == 1 && sent[0].starts_with("ACK "), "not believed: no second time");
            assert_eq!(reports, [Report::Refused { dialog, code: code.parse().unwrap() }]);
        }
    }
}

#[test]
fn a_stale_nonce_is_no_refusal_and_a_nonce_is_counted() {
    let (mut endpoint, dialog, invite) = dial(true);
    let (sent, _) = hand(&mut endpoint, START, flow(), &answer(&invite, "401", &asks("WWW-Authenticate", "n1", "")));
    let (sent, _) = hand(&mut endpoint, START, flow(), &answer(&sent[1], "401", &asks("WWW-Authenticate", "n2", ", stale=true")));
    proves(&sent[1], "Authorization", Algorithm::Md5, "00000001");
    assert_eq!(sent[1].matches("Authorization:").count(), 1);
    let ok = answer(&sent[1], "200", "Contact: <sip:far@127.0.1.1>\r\n");
    let (sent, reports) = hand(&mut endpoint, START, flow(), &ok);
    assert_eq!(reports, [Report::Established { dialog, sdp: None }]);
    assert!(sent[0].starts_with("ACK sip:far@127.0.1.1 ") && cseq(&sent[0]) == 3);
    // The BYE is challenged too, with the same nonce.
    let mut out = Vec::new();
    endpoint.bye(START, dialog, &mut out);
    let Output::Send { bytes, .. } = &out[0] else { panic!() };
    let bye = String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(cseq(&bye), 4);
    let (sent, reports) = hand(&mut endpoint, START, flow(), &answer(&bye, "407", &asks("Proxy-Authenticate", "n2", "")));
    assert!(sent.len() == 1 && reports.is_empty());
    proves(&sent[0], "Proxy-Authorization", Algorithm::Md5, "00000002");
    hand(&mut endpoint, START, flow(), &answer(&sent[0], "200", ""));
    assert_eq!(endpoint.dialogs(), 0);
}

#[test]
fn without_an_account_or_after_a_regret_a_challenge_is_a_refusal() {
    let (mut endpoint, dialog, invite) = dial(false);
    let (sent, reports) = hand(&mut endpoint, START, flow(), &answer(&invite, "401", &asks("WWW-Authenticate", "n", "")));
    assert!(sent.len() == 1 && reports == [Report::Refused { dialog, code: 401 }]);
    let (mut endpoint, dialog, invite) = dial(true);
    endpoint.cancel(START, dialog, None, &mut Vec::new());
    let (sent, reports) = hand(&mut endpoint, START, flow(), &answer(&invite, "401", &asks("WWW-Authenticate", "n", "")));
    assert!(sent.len() == 1 && reports == [Report::Refused { dialog, code: 401 }]);
}
