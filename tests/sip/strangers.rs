//! Who is nobody here: whatever they send, nothing leaves for anywhere else, and no answer tells a user whom we know from one whom we do
//! not.

use crate::wire::{START, at, authorization, request, settings};
use careline::sip::auth::Algorithm;
use careline::sip::{Endpoint, Flow, Output, Random, Settings, Transport};

const METHODS: [&str; 15] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "INFO",
    "REFER",
    "MESSAGE",
    "UPDATE",
    "FROBNICATE",
];
const STRANGER: &str = "192.0.2.66:5066";
/// Everything that could make a careless stack send something there.
const ELSEWHERE: &str = "Contact: <sip:x@198.51.100.9:5060>\r\nRoute: <sip:198.51.100.9;lr>\r\nRecord-Route: <sip:198.51.100.9;lr>\r\n\
    Refer-To: <sip:+19005550100@198.51.100.9>\r\nP-Asserted-Identity: <sip:+13125550100@198.51.100.9>\r\nEvent: dialog\r\nReply-To: <sip:x@198.51.100.9>\r\n";

fn flow(transport: Transport) -> Flow {
    Flow { local: at("127.0.0.1:5060"), remote: at(STRANGER), transport }
}

/// What is sent back, and that it goes to the stranger alone.
fn ask(endpoint: &mut Endpoint, transport: Transport, text: &str) -> Vec<String> {
    let text = if transport == Transport::Tcp { text.replace("SIP/2.0/UDP", "SIP/2.0/TCP") } else { text.to_string() };
    let mut out = Vec::new();
    endpoint.handle_message(START, flow(transport), text.as_bytes(), &mut out);
    endpoint.handle_timer(START + std::time::Duration::from_secs(40), &mut out);
    let answers = out.iter().map(|output| match output {
        Output::Send { flow, bytes } => {
            assert_eq!((flow.remote.ip(), flow.transport), (at(STRANGER).ip(), transport), "{text}");
            let answer = String::from_utf8(bytes.to_vec()).unwrap();
            assert!(answer.starts_with("SIP/2.0 ") && !answer.starts_with("SIP/2.0 2"), "{text}\n{answer}");
            answer
        }
        other => panic!("{text}\n{other:?}"),
    });
    answers.collect()
}

/// An answer without what is drawn anew for each, and without the name that was asked for.
fn plain(answer: &str, user: &str) -> String {
    let mut text = answer.replace(user, "USER").replace("1001", "USER");
    for (before, after) in [(";tag=", "\r;>"), ("nonce=\"", "\""), ("branch=z9hG4bK", ";\r")] {
        let mut at = 0;
        while let Some(start) = text[at..].find(before).map(|found| at + found + before.len()) {
            let end = text[start..].find(|c| after.contains(c)).map_or(text.len(), |end| start + end);
            text.replace_range(start..end, "*");
            at = start;
        }
    }
    text
}

/// A request of this method that is about this user.
type Shape<'a> = &'a dyn Fn(&str, &str) -> String;

#[test]
fn nothing_that_a_stranger_sends_leaves_for_anywhere_or_tells_who_is_known() {
    let shapes: [Shape; 5] = [
        &|method, user| request(method, &format!("sip:{user}@127.0.0.1"), at(STRANGER), "s", 1, ELSEWHERE),
        &|method, user| {
            request(method, "sip:+13125550100@127.0.0.1", at(STRANGER), "s", 1, ELSEWHERE).replace("1001@", &format!("{user}@"))
        },
        &|method, user| request(method, &format!("sip:{user}@127.0.0.1"), at(STRANGER), "s", 1, "").replace("1001@", &format!("{user}@")),
        // In a dialog that is not there.
        &|method, user| {
            let text = request(method, &format!("sip:{user}@127.0.0.1"), at(STRANGER), "s", 1, ELSEWHERE);
            text.replace("1001@127.0.0.1>\r\nCall", &format!("{user}@127.0.0.1>;tag=0123456789abcdef\r\nCall"))
        },
        &|method, user| request(method, &format!("tel:{user}"), at(STRANGER), "s", 1, ELSEWHERE),
    ];
    for method in METHODS {
        for transport in [Transport::Udp, Transport::Tcp] {
            for (n, shape) in shapes.iter().enumerate() {
                let [known, unknown] = ["1001", "7777"].map(|user| {
                    let mut endpoint = Endpoint::new(Settings { tcp: true, ..settings() }, Random::seeded(1));
                    let answers = ask(&mut endpoint, transport, &shape(method, user));
                    assert_eq!((endpoint.dialogs(), endpoint.transactions()), (0, 0), "{method} {n}");
                    answers.iter().map(|answer| plain(answer, user)).collect::<Vec<_>>()
                });
                assert_eq!(known, unknown, "{method} by {transport:?}, shape {n}");
                assert_eq!(known.len(), usize::from(method != "ACK"), "{method} by {transport:?}, shape {n}");
            }
        }
    }
}

#[test]
fn a_guessed_password_tells_nothing_either() {
    for (method, uri) in [("REGISTER", "sip:127.0.0.1"), ("INVITE", "sip:*10@127.0.0.1"), ("INVITE", "sip:911@127.0.0.1")] {
        let [known, unknown] = ["1001", "7777"].map(|user| {
            let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
            let text = |cseq, extra: &str| request(method, uri, at(STRANGER), "g", cseq, extra).replace("1001@", &format!("{user}@"));
            let first = ask(&mut endpoint, Transport::Udp, &text(1, ELSEWHERE)).remove(0);
            let mut said = vec![plain(&first, user)];
            for (cseq, (algorithm, password)) in
                [(Algorithm::Sha256, "guess"), (Algorithm::Md5, "guess"), (Algorithm::Md5, ""), (Algorithm::Sha256, "1001")]
                    .into_iter()
                    .enumerate()
            {
                if first.contains("WWW-Authenticate") {
                    let answer = authorization(&first, (method, uri), user, password, algorithm, 1);
                    let answers = ask(&mut endpoint, Transport::Udp, &text(2 + cseq as u32, &(answer + ELSEWHERE)));
                    said.extend(answers.iter().map(|answer| plain(answer, user)));
                }
            }
            said
        });
        assert_eq!(known, unknown, "{method} {uri}");
        assert_eq!(known.len(), if uri.contains("911") { 1 } else { 5 }, "{method} {uri}: {known:?}");
    }
}
