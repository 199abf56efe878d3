//! Connections: whose they are, what goes over them, and what their end means.

use crate::early::response;
use crate::wire::{ANSWER, OFFER, START, at, hand, ms, register, request, settings};
use careline::sip::{Endpoint, Flow, Invite, Output, Random, Report, Settings, Target, Transport};

const NUMBER: &str = "sip:+13125550100@127.0.0.1";

fn tcp(remote: &str) -> Flow {
    Flow { local: at("127.0.0.1:5060"), remote: at(remote), transport: Transport::Tcp }
}

fn endpoint() -> Endpoint {
    Endpoint::new(Settings { tcp: true, ..settings() }, Random::seeded(1))
}

fn over_tcp(text: String) -> String {
    text.replace("SIP/2.0/UDP", "SIP/2.0/TCP")
}

fn sent(out: &[Output]) -> Vec<(Flow, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().take(2).collect::<Vec<_>>().join(" | ");
    out.iter().filter_map(|o| if let Output::Send { flow, bytes } = o { Some((*flow, text(bytes))) } else { None }).collect()
}

#[test]
fn a_station_is_where_its_connection_is() {
    let mut endpoint = endpoint();
    let station = tcp("192.0.2.8:40001");
    register(&mut endpoint, START, station, "r", "Contact: <sip:1001@192.0.2.8:5060;transport=tcp>\r\n");
    let mut out = Vec::new();
    let invite = Invite { sdp: Some(OFFER.to_vec()), ..Invite::to(Target::Station("1001".to_string())) };
    let dialog = endpoint.invite(START, invite, &mut out).unwrap();
    let (flow, text) = sent(&out).remove(0);
    assert!(flow == station && text.contains("Via: SIP/2.0/TCP 127.0.0.1:5060;"), "{text}");
    out.clear();
    endpoint.handle_timer(START + ms(3_999), &mut out);
    assert!(out.is_empty(), "what is carried reliably is said once");
    endpoint.handle_closed(START + ms(3_999), station, &mut out);
    assert_eq!(
        out,
        [Output::Report(Report::Timeout { dialog }), Output::Report(Report::Unregistered { user: "1001".to_string() })],
        "the INVITE and the registration go with it"
    );
    assert_eq!((endpoint.transactions(), endpoint.dialogs(), endpoint.registered()), (0, 0, 0));
}

#[test]
fn a_caller_s_dialog_stays_on_its_connection_and_survives_it() {
    let mut endpoint = endpoint();
    let trunk = tcp("127.0.0.9:40001");
    let contact = "Contact: <sip:x@127.0.0.9:5070;transport=tcp>\r\n";
    let text = over_tcp(request("INVITE", NUMBER, at("127.0.0.9:5070"), "i", 1, contact));
    let (answers, reports) = hand(&mut endpoint, START, trunk, &text);
    assert!(answers[0].starts_with("SIP/2.0 100 "));
    let Report::Incoming { dialog, .. } = reports[0] else { panic!() };
    let mut out = Vec::new();
    endpoint.accept(START, dialog, ANSWER, &mut out);
    let tag = String::from_utf8_lossy(match &out[0] {
        Output::Send { bytes, flow } if *flow == trunk => bytes,
        other => panic!("{other:?}"),
    })
    .split(";tag=")
    .nth(2)
    .map(|rest| rest[..16].to_string())
    .unwrap();
    let ack = over_tcp(request("ACK", NUMBER, at("127.0.0.9:5070"), "i", 1, ""))
        .replace("1001@127.0.0.1>\r\nCall", &format!("1001@127.0.0.1>;tag={tag}\r\nCall"));
    assert_eq!(hand(&mut endpoint, START, trunk, &ack).1, [Report::Acked { dialog, sdp: None }]);
    out.clear();
    endpoint.handle_closed(START + ms(5), trunk, &mut out);
    assert!(out.is_empty(), "a call outlives its connection: {out:?}");
    endpoint.bye(START + ms(9), dialog, &mut out);
    let (flow, text) = sent(&out).remove(0);
    assert!(flow == tcp("127.0.0.9:5070") && text.starts_with("BYE "), "its Contact is asked: {flow:?}");
    out.clear();
    endpoint.handle_closed(START + ms(10), flow, &mut out);
    assert_eq!((out.len(), endpoint.dialogs(), endpoint.transactions()), (0, 0, 1), "only the accepted INVITE is remembered");
}

#[test]
fn what_is_too_big_for_a_datagram_goes_by_tcp_or_comes_back_to_it() {
    let mut endpoint = endpoint();
    let station = Flow::udp(at("127.0.0.1:5060"), at("192.0.2.8:5071"));
    register(&mut endpoint, START, station, "r", "Contact: <sip:1001@192.0.2.8:5071>\r\n");
    let big = [OFFER, &b"a=x-pad:0123456789\r\n".repeat(60)].concat();
    let invite = |sdp: &[u8]| Invite { sdp: Some(sdp.to_vec()), ..Invite::to(Target::Station("1001".to_string())) };
    let mut out = Vec::new();
    endpoint.invite(START, invite(OFFER), &mut out).unwrap();
    endpoint.invite(START, invite(&big), &mut out).unwrap();
    let (small, large) = (sent(&out).remove(0), sent(&out).remove(1));
    assert!(small.0 == station && small.1.contains("SIP/2.0/UDP"));
    assert!(large.0 == tcp("192.0.2.8:5071") && large.1.contains("SIP/2.0/TCP"));
    out.clear();
    endpoint.handle_closed(START + ms(1), large.0, &mut out);
    assert_eq!(sent(&out), [(station, large.1.replace("/TCP", "/UDP"))]);
    out.clear();
    endpoint.handle_timer(START + ms(501), &mut out);
    assert_eq!(sent(&out).len(), 2, "and is repeated like any datagram");
    out.clear();
    endpoint.invite(START + ms(600), invite(&big), &mut out).unwrap();
    assert_eq!(sent(&out)[0].0, station, "the peer is not asked again at once");
}

/// Its connection is lost while it is asked to go on: it is asked again, where it is by then.
#[test]
fn a_refresh_outlives_its_connection() {
    for (allow, method) in [("Allow: INVITE, UPDATE\r\n", "UPDATE"), ("Allow: INVITE\r\n", "INVITE")] {
        let mut endpoint = endpoint();
        let (old, new) = (tcp("192.0.2.8:40001"), tcp("192.0.2.8:40002"));
        let contact = "Contact: <sip:t@127.0.0.9:5090;transport=tcp>\r\n";
        register(&mut endpoint, START, old, "a", contact);
        let mut out = Vec::new();
        let invite = Invite { sdp: Some(OFFER.to_vec()), ..Invite::to(Target::Station("1001".to_string())) };
        let dialog = endpoint.invite(START, invite, &mut out).unwrap();
        let Output::Send { bytes, .. } = out.remove(0) else { panic!() };
        let ok = response(&String::from_utf8_lossy(&bytes), "200 OK", "t", allow, ANSWER);
        assert!(matches!(hand(&mut endpoint, START, old, &ok).1[..], [Report::Established { .. }]));
        endpoint.handle_timer(START + ms(900_000), &mut out);
        assert!(sent(&out).iter().any(|(flow, text)| *flow == old && text.starts_with(method)), "{out:?}");
        out.clear();
        endpoint.handle_closed(START + ms(900_100), old, &mut out);
        let ended = |out: &[Output]| out.iter().any(|output| matches!(output, Output::Report(Report::Ended { .. })));
        assert!(!ended(&out), "{method}: {out:?}");
        register(&mut endpoint, START + ms(901_000), new, "b", contact);
        out.clear();
        endpoint.handle_timer(START + ms(905_100), &mut out);
        assert!(sent(&out).iter().any(|(flow, text)| *flow == new && text.starts_with(method)), "{method}: {out:?}");
        // Who never comes back is not waited for.
        endpoint.handle_closed(START + ms(905_200), new, &mut out);
        let mut over = None;
        for second in 906..1_800 {
            out.clear();
            endpoint.handle_timer(START + ms(second * 1000), &mut out);
            for (flow, _) in sent(&out) {
                endpoint.handle_closed(START + ms(second * 1000), flow, &mut out);
            }
            over = over.or(ended(&out).then_some(second));
        }
        assert_eq!((over, endpoint.dialogs()), (Some(1768), 0), "{method}");
        endpoint.bye(START + ms(1_800_000), dialog, &mut out);
    }
}

/// A telephone that was asked by a connection that is lost rings for nobody any more: it is not asked anew by datagrams.
#[test]
fn what_was_given_up_does_not_come_back_by_datagrams() {
    for rings in [true, false] {
        let mut endpoint = endpoint();
        let station = Flow::udp(at("127.0.0.1:5060"), at("192.0.2.8:5071"));
        let big = [OFFER, &b"a=x-pad:0123456789\r\n".repeat(60)].concat();
        let target = Target::Direct { uri: "sip:1001@192.0.2.8:5071".to_string(), flow: station };
        let mut out = Vec::new();
        let dialog = endpoint.invite(START, Invite { sdp: Some(big), ..Invite::to(target) }, &mut out).unwrap();
        let Output::Send { flow, bytes } = out.remove(0) else { panic!() };
        let invite = String::from_utf8_lossy(&bytes).into_owned();
        if rings {
            hand(&mut endpoint, START, flow, &response(&invite, "180 Ringing", "t", "", b""));
        }
        endpoint.cancel(START + ms(5), dialog, None, &mut out);
        out.clear();
        endpoint.handle_closed(START + ms(9), flow, &mut out);
        assert_eq!(out, [Output::Report(Report::Timeout { dialog })], "rings: {rings}");
        assert_eq!(endpoint.transactions(), 0);
    }
}

#[test]
fn where_a_message_ends_must_be_said() {
    let mut endpoint = endpoint();
    let whole = over_tcp(request("OPTIONS", "sip:127.0.0.1", at("127.0.0.9:5060"), "o", 1, ""));
    for (broken, code) in [
        (whole.replace("Content-Length: 0\r\n", ""), Some("400")),
        (whole.replace("Content-Length: 0", "Content-Length: -1"), Some("400")),
        (whole.replace("Content-Length: 0", "Content-Length: 5"), Some("400")),
        (whole.replace("Content-Length: 0", "Content-Length: 99999"), Some("513")),
        (whole.replace("Content-Length: 0", "l: 0\r\nContent-Length: 5"), Some("400")),
        ("SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK1\r\n\r\n".to_string(), None),
        (whole.clone(), Some("200")),
    ] {
        let mut out = Vec::new();
        endpoint.handle_message(START, tcp("127.0.0.9:40001"), broken.as_bytes(), &mut out);
        let code_of = |text: &String| text[8..11].to_string();
        assert_eq!(sent(&out).first().map(|(_, text)| code_of(text)).as_deref(), code, "{broken}");
        let closes = out.contains(&Output::Close { flow: tcp("127.0.0.9:40001") });
        assert_eq!(closes, broken != whole, "{broken}");
    }
}
