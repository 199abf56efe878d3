//! Who may ask for what: a trunk, a station, a stranger.

use crate::wire::{ANSWER, START, at, authorization, hand, ms, register, request, settings};
use careline::sip::auth::Algorithm;
use careline::sip::{Caller, Endpoint, Flow, Limits, Random, Report, Settings};

const NUMBER: &str = "sip:+13125550100@127.0.0.1";
const CONTACT: &str = "Contact: <sip:x@127.0.0.8:5071>\r\n";

fn flow(remote: &str) -> Flow {
    Flow::udp(at("127.0.0.1:5060"), at(remote))
}

fn endpoint() -> Endpoint {
    Endpoint::new(settings(), Random::seeded(1))
}

fn code(endpoint: &mut Endpoint, from: &str, method: &str, uri: &str, extra: &str) -> String {
    let id = format!("n{}", endpoint.counts().requests);
    let (sent, _) = hand(endpoint, START, flow(from), &request(method, uri, at(from), &id, 1, extra));
    sent.first().map(|text| text[8..11].to_string()).unwrap_or_default()
}

#[test]
fn a_trunk_reaches_our_numbers_and_nothing_else() {
    let mut endpoint = endpoint();
    let trunk = "127.0.0.9:5060";
    for (method, uri, extra, expected) in [
        ("INVITE", NUMBER, CONTACT, "100"),
        ("INVITE", "sip:+13125559999@127.0.0.1", CONTACT, "404"),
        ("INVITE", "sip:1001@127.0.0.1", CONTACT, "404"),
        ("INVITE", "sip:*10@127.0.0.1", CONTACT, "401"),
        ("INVITE", "tel:+1-312-555-0100;phone-context=x", CONTACT, "100"),
        ("INVITE", "sip:+1(312)555.0100@127.0.0.1;user=phone", "X: y\r\nContact: <sip:x@h>\r\n", "100"),
        ("INVITE", "tel:+13125559999", CONTACT, "404"),
        ("INVITE", "urn:service:sos", CONTACT, "404"),
        ("INVITE", "mailto:a@b", CONTACT, "416"),
        ("OPTIONS", "sip:127.0.0.1", "", "200"),
        ("MESSAGE", NUMBER, "", "405"),
        ("SUBSCRIBE", NUMBER, "", "405"),
        ("FROBNICATE", NUMBER, "", "501"),
        ("BYE", NUMBER, "", "481"),
        ("CANCEL", NUMBER, "", "481"),
        ("OPTIONS", "sip:127.0.0.1", "Require: 100rel, foo\r\n", "420"),
        ("INVITE", NUMBER, "Contact: <sip:x@h>\r\nAccept: text/plain\r\n", "406"),
        ("INVITE", NUMBER, "X: without contact\r\n", "400"),
    ] {
        assert_eq!(code(&mut endpoint, trunk, method, uri, extra), expected, "{method} {uri} {extra}");
    }
}

#[test]
fn a_stranger_gets_nothing_but_a_challenge_and_few_of_those() {
    let mut endpoint = Endpoint::new(Settings { limits: Limits { challenges: 3, ..Limits::default() }, ..settings() }, Random::seeded(1));
    let stranger = "192.0.2.66:5060";
    for method in ["INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "FROBNICATE", "BYE", "CANCEL", "INFO"] {
        assert_eq!(code(&mut endpoint, stranger, method, NUMBER, CONTACT), "403", "{method}");
    }
    assert_eq!(code(&mut endpoint, stranger, "ACK", NUMBER, CONTACT), "");
    assert_eq!((endpoint.transactions(), endpoint.dialogs()), (0, 0), "and no further work");
    for expected in ["401", "401", "401", "403", "403"] {
        assert_eq!(code(&mut endpoint, stranger, "REGISTER", "sip:127.0.0.1", CONTACT), expected);
    }
    assert_eq!(code(&mut endpoint, "192.0.2.67:5060", "REGISTER", "sip:127.0.0.1", CONTACT), "401", "others are not its hostages");
}

#[test]
fn a_station_s_call_is_challenged_and_then_reported_as_its_own() {
    let mut endpoint = endpoint();
    let station = flow("127.0.0.8:5071");
    register(&mut endpoint, START, station, "r", CONTACT);
    for (n, uri) in [NUMBER, "sip:*10@127.0.0.1", "sip:+13125559999@127.0.0.1"].into_iter().enumerate() {
        let id = format!("i{n}");
        let spoof = format!("P-Asserted-Identity: <sip:+13125550199@x>\r\n{CONTACT}");
        let (sent, reports) = hand(&mut endpoint, START, station, &request("INVITE", uri, station.remote, &id, 1, &spoof));
        assert!(sent[0].starts_with("SIP/2.0 401 ") && reports.is_empty(), "{uri}");
        let answer = authorization(&sent[0], ("INVITE", uri), "1001", "demo-1001", Algorithm::Sha256, 1);
        let (sent, reports) = hand(&mut endpoint, START, station, &request("INVITE", uri, station.remote, &id, 2, &(answer + &spoof)));
        assert!(sent[0].starts_with("SIP/2.0 100 "), "{uri}");
        let [Report::Incoming { who: Caller::Station(user), from, to, dialog, .. }] = &reports[..] else { panic!("{reports:?}") };
        assert_eq!((user.as_str(), from.0.as_str()), ("1001", "1001"));
        assert_eq!(Some(to.as_str()), uri.strip_prefix("sip:").and_then(|rest| rest.split('@').next()));
        endpoint.reject(START, *dialog, 403, &mut Vec::new());
    }
    // Another port of the same machine is the trunk's.
    let (_, reports) =
        hand(&mut endpoint, START, flow("127.0.0.8:5072"), &request("INVITE", NUMBER, at("127.0.0.8:5072"), "t", 1, CONTACT));
    assert!(matches!(&reports[..], [Report::Incoming { who: Caller::Trunk(name), .. }] if &**name == "test"));
}

#[test]
fn a_right_password_without_a_registration_opens_no_line() {
    let mut endpoint = endpoint();
    let (station, uri) = (flow("192.0.2.8:5071"), "sip:*10@127.0.0.1");
    let (sent, _) = hand(&mut endpoint, START, station, &request("INVITE", uri, station.remote, "i", 1, CONTACT));
    let answer = authorization(&sent[0], ("INVITE", uri), "1001", "demo-1001", Algorithm::Sha256, 1);
    let (sent, reports) = hand(&mut endpoint, START, station, &request("INVITE", uri, station.remote, "i", 2, &(answer + CONTACT)));
    assert!(sent[0].starts_with("SIP/2.0 403 ") && reports.is_empty());
}

#[test]
fn nothing_stands_between_a_registered_station_and_help() {
    let mut endpoint = Endpoint::new(Settings { limits: Limits { dialogs: 1, ..Limits::default() }, ..settings() }, Random::seeded(1));
    let station = flow("192.0.2.8:5071");
    register(&mut endpoint, START, station, "r", CONTACT);
    for (n, number) in ["911", "9911", "911", "urn:service:sos.ambulance"].into_iter().enumerate() {
        let text = request(
            "INVITE",
            &if number.contains(':') { number.to_string() } else { format!("sip:{number}@127.0.0.1") },
            station.remote,
            &format!("e{n}"),
            1,
            CONTACT,
        );
        // The third phone of the house sends somebody's name whom nobody knows: the flow vouches, whatever it says.
        let text = if n == 2 { text.replace("<sip:1001@127.0.0.1>;tag", "<sip:lobby@127.0.0.1>;tag") } else { text };
        let (sent, reports) = hand(&mut endpoint, START, station, &text);
        assert!(sent[0].starts_with("SIP/2.0 100 "), "{number}");
        let [Report::Incoming { who: Caller::Station(user), to, .. }] = &reports[..] else { panic!("{reports:?}") };
        assert_eq!((user.as_str(), to.as_str()), ("1001", if n == 3 { "911" } else { number }));
    }
    for (from, uri, expected) in [
        ("192.0.2.8:5072", "sip:911@127.0.0.1", "503"),
        ("192.0.2.8:5071", "sip:9111@127.0.0.1", "503"),
        ("127.0.0.9:5060", "sip:911@127.0.0.1", "404"),
    ] {
        assert_eq!(code(&mut endpoint, from, "INVITE", uri, CONTACT), expected, "{from} {uri}");
    }
    endpoint.handle_timer(START + ms(3_600_000), &mut Vec::new());
    assert_eq!(code(&mut endpoint, "192.0.2.8:5071", "INVITE", "sip:911@127.0.0.1", CONTACT), "403", "the registration has expired");
}

#[test]
fn a_full_house_says_so_and_serves_who_is_inside() {
    let mut endpoint = Endpoint::new(Settings { limits: Limits { transactions: 1, ..Limits::default() }, ..settings() }, Random::seeded(1));
    assert_eq!(code(&mut endpoint, "127.0.0.9:5060", "INVITE", NUMBER, CONTACT), "100");
    let (sent, _) =
        hand(&mut endpoint, START, flow("127.0.0.9:5060"), &request("INVITE", NUMBER, at("127.0.0.9:5060"), "second", 1, CONTACT));
    assert!(sent[0].starts_with("SIP/2.0 503 ") && sent[0].contains("Retry-After: "));
    assert_eq!(endpoint.counts().overloaded, 1);
}

#[test]
fn an_invite_that_a_process_before_had_taken_is_no_call_while_it_may_come_again() {
    let trunk = flow("127.0.0.9:5060");
    let text = request("INVITE", NUMBER, trunk.remote, "i", 1, CONTACT);
    let mut before = endpoint();
    let (_, reports) = hand(&mut before, START, trunk, &text);
    let Report::Incoming { dialog, .. } = reports[0] else { panic!() };
    let origin = before.origin(dialog).expect("an INVITE to us");
    let mut after = endpoint();
    after.left_behind(&origin, START);
    for branch in ["branch=z9hG4bKi", "branch=z9hG4bKother"] {
        let (sent, reports) = hand(&mut after, START + ms(31_000), trunk, &text.replace("branch=z9hG4bKi", branch));
        assert!(sent[0].starts_with("SIP/2.0 500 ") && reports.is_empty(), "{sent:?}");
    }
    let (sent, _) = hand(&mut after, START + ms(31_000), trunk, &request("INVITE", NUMBER, trunk.remote, "next", 1, CONTACT));
    assert!(sent[0].starts_with("SIP/2.0 100 "), "another call is one");
    let (sent, _) = hand(&mut after, START + ms(33_000), trunk, &text.replace("branch=z9hG4bKi", "branch=z9hG4bKlate"));
    assert!(sent[0].starts_with("SIP/2.0 100 "), "whoever says it again so late means another");
}

#[test]
fn one_invite_by_two_paths_is_one_call() {
    let mut endpoint = endpoint();
    let trunk = flow("127.0.0.9:5060");
    let text = request("INVITE", NUMBER, trunk.remote, "i", 1, CONTACT);
    let (_, reports) = hand(&mut endpoint, START, trunk, &text);
    let Report::Incoming { dialog, .. } = reports[0] else { panic!() };
    let (sent, reports) = hand(&mut endpoint, START, trunk, &text.replace("branch=z9hG4bKi", "branch=z9hG4bKother"));
    assert!(sent[0].starts_with("SIP/2.0 482 ") && reports.is_empty());
    endpoint.reject(START, dialog, 486, &mut Vec::new());
    let (sent, _) = hand(&mut endpoint, START, trunk, &text.replace("branch=z9hG4bKi", "branch=z9hG4bKlater"));
    assert!(sent[0].starts_with("SIP/2.0 100 "), "the first is over");
}

#[test]
fn a_caller_is_known_by_the_trunk_s_word_or_withheld() {
    let mut endpoint = endpoint();
    let trunk = flow("127.0.0.9:5060");
    for (n, (extra, expected)) in [
        ("", "1001"),
        ("P-Asserted-Identity: \"A\" <sip:+13125550177@carrier>\r\n", "+13125550177"),
        ("P-Asserted-Identity: <tel:+13125550188;x=y>\r\n", "+13125550188"),
        ("P-Asserted-Identity: <tel:+13125550188>\r\nPrivacy: id;critical\r\n", ""),
        ("P-Asserted-Identity: <sip:carrier>, <tel:+1-312-555-0188>\r\nPrivacy: none\r\n", "+13125550188"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = request("INVITE", NUMBER, trunk.remote, &format!("i{n}"), 1, &format!("{extra}{CONTACT}"));
        let (_, reports) = hand(&mut endpoint, START, trunk, &text);
        let [Report::Incoming { from, to, .. }] = &reports[..] else { panic!() };
        assert_eq!((from.0.as_str(), to.as_str()), (expected, "+13125550100"));
    }
}

#[test]
fn an_answer_follows_the_via_or_the_flow() {
    let mut endpoint = endpoint();
    let trunk = flow("127.0.0.9:4444");
    let mut to = |text: &str| {
        let mut out = Vec::new();
        endpoint.handle_message(START, trunk, text.as_bytes(), &mut out);
        let careline::sip::Output::Send { flow, .. } = &out[0] else { panic!() };
        flow.remote.to_string()
    };
    let text = request("OPTIONS", "sip:127.0.0.1", at("127.0.0.9:7777"), "o", 1, "");
    assert_eq!(to(&text), "127.0.0.9:4444", "rport");
    assert_eq!(to(&text.replace(";rport", "")), "127.0.0.9:7777");
    assert_eq!(to(&text.replace(";rport", ";maddr=192.0.2.1").replace("UDP 127.0.0.9:7777", "UDP 10.0.0.1")), "127.0.0.9:5060");
}

#[test]
fn new_settings_keep_what_lives() {
    let mut endpoint = endpoint();
    let trunk = flow("127.0.0.9:5060");
    let (_, reports) = hand(&mut endpoint, START, trunk, &request("INVITE", NUMBER, trunk.remote, "i", 1, CONTACT));
    let Report::Incoming { dialog, .. } = reports[0] else { panic!() };
    endpoint.reconfigure(Settings { numbers: Some(Default::default()), ..settings() }, &mut Vec::new());
    let mut out = Vec::new();
    endpoint.accept(START + ms(1), dialog, ANSWER, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(code(&mut endpoint, "127.0.0.9:5060", "INVITE", NUMBER, "X: y\r\nContact: <sip:x@h>\r\n"), "404");
    register(&mut endpoint, START, flow("192.0.2.8:5071"), "r", CONTACT);
    endpoint.reconfigure(settings(), &mut Vec::new());
    assert_eq!(endpoint.registered(), 1, "who is still known stays registered");
    endpoint.reconfigure(Settings { users: Default::default(), ..settings() }, &mut Vec::new());
    assert_eq!(endpoint.registered(), 0, "who is gone from the configuration has no telephone here");
}

#[test]
fn a_drain_sends_trunks_elsewhere_and_serves_stations_as_ever() {
    let mut endpoint = endpoint();
    assert_eq!(code(&mut endpoint, "127.0.0.9:5060", "OPTIONS", NUMBER, CONTACT), "200");
    endpoint.drain();
    for method in ["OPTIONS", "INVITE"] {
        let trunk = flow("127.0.0.9:5060");
        let (sent, reports) = hand(&mut endpoint, START, trunk, &request(method, NUMBER, trunk.remote, "drained", 1, CONTACT));
        assert!(sent[0].starts_with("SIP/2.0 503 ") && sent[0].contains("Retry-After: ") && reports.is_empty(), "{method}: {sent:?}");
    }
    assert_eq!(endpoint.counts().refused, 1, "a call that was turned away");
    let station = flow("192.0.2.8:5071");
    register(&mut endpoint, START, station, "r", CONTACT);
    assert_eq!(endpoint.registered(), 1);
    assert_eq!(code(&mut endpoint, "192.0.2.8:5071", "OPTIONS", NUMBER, CONTACT), "200");
}

#[test]
fn an_offer_among_other_parts_is_found_and_a_body_without_one_refused() {
    let mut endpoint = endpoint();
    let trunk = flow("127.0.0.9:5060");
    let mixed = |kind: &str| format!("--b\r\nContent-Type: text/x\r\n\r\nhello\r\n--b\r\nContent-Type: {kind}\r\n\r\nv=0\r\n\r\n--b--\r\n");
    for (n, (kind, expected)) in [("application/sdp", "100"), ("text/plain", "415")].into_iter().enumerate() {
        let body = mixed(kind);
        let head =
            request("INVITE", NUMBER, trunk.remote, &format!("m{n}"), 1, &format!("{CONTACT}Content-Type: multipart/mixed;boundary=b\r\n"));
        let text = head.replace("Content-Length: 0\r\n", &format!("Content-Length: {}\r\n", body.len())) + &body;
        let (sent, reports) = hand(&mut endpoint, START, trunk, &text);
        assert_eq!(&sent[0][8..11], expected, "{kind}");
        let offer = reports.iter().find_map(|report| if let Report::Incoming { sdp, .. } = report { sdp.clone() } else { None });
        assert_eq!(offer.as_deref(), (n == 0).then_some(&b"v=0\r\n"[..]), "{kind}");
    }
}

#[test]
fn one_source_cannot_take_all_the_room() {
    let limits = Limits { transactions_per_source: 2, ..Limits::default() };
    let mut endpoint = Endpoint::new(Settings { limits, ..settings() }, Random::seeded(1));
    for (from, expected) in [("127.0.0.9:1", "100"), ("127.0.0.9:2", "100"), ("127.0.0.9:3", "503"), ("127.0.0.10:1", "100")] {
        assert_eq!(code(&mut endpoint, from, "INVITE", NUMBER, CONTACT), expected, "{from}");
    }
}

#[test]
fn a_station_may_bring_its_call_by_another_connection() {
    let mut endpoint = Endpoint::new(Settings { tcp: true, ..settings() }, Random::seeded(1));
    let station = flow("192.0.2.8:5071");
    register(&mut endpoint, START, station, "r", CONTACT);
    assert_eq!(code(&mut endpoint, "192.0.2.8:40001", "INVITE", NUMBER, CONTACT), "401");
    assert_eq!(code(&mut endpoint, "192.0.2.9:40001", "INVITE", NUMBER, CONTACT), "403");
    assert_eq!(
        code(&mut endpoint, "192.0.2.8:40001", "INVITE", "sip:911@127.0.0.1", CONTACT),
        "401",
        "no flow of a registration vouches for it"
    );
}
