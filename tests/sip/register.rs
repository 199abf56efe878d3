//! Registration: digest good, wrong, stale and replayed; contacts set, asked, moved, removed, expired.

use crate::early::response;
use crate::wire::{ANSWER, OFFER, START, at, authorization, hand, ms, register, request, settings};
use careline::model::Time;
use careline::sip::auth::{Algorithm, Credentials};
use careline::sip::{Endpoint, Flow, Invite, Output, Random, Report, Settings, Target, Transport};

const URI: &str = "sip:127.0.0.1";
const CONTACT: &str = "Contact: <sip:1001@127.0.0.8:5071>\r\n";

fn flow() -> Flow {
    Flow::udp(at("127.0.0.1:5060"), at("127.0.0.8:5071"))
}

struct Bench {
    endpoint: Endpoint,
    now: Time,
    cseq: u32,
    challenge: String,
}

impl Bench {
    fn new() -> Bench {
        Bench { endpoint: Endpoint::new(settings(), Random::seeded(1)), now: START, cseq: 0, challenge: String::new() }
    }

    /// One REGISTER; the code, and whether the challenge says stale.
    fn register(&mut self, password: &str, algorithm: Algorithm, count: u32, extra: &str) -> (String, bool) {
        self.cseq += 1;
        let answer = match self.challenge.is_empty() {
            true => String::new(),
            false => authorization(&self.challenge, ("REGISTER", URI), "1001", password, algorithm, count),
        };
        let (sent, _) =
            hand(&mut self.endpoint, self.now, flow(), &request("REGISTER", URI, flow().remote, "r", self.cseq, &(answer + extra)));
        if sent[0].contains("WWW-Authenticate") {
            self.challenge = sent[0].clone();
        }
        (sent[0][8..11].to_string(), sent[0].contains("stale=true"))
    }
}

#[test]
fn the_password_is_proved_or_asked_again() {
    let mut bench = Bench::new();
    assert_eq!(bench.register("", Algorithm::Md5, 1, CONTACT), ("401".to_string(), false));
    let lines: Vec<&str> = bench.challenge.lines().filter(|line| line.starts_with("WWW-Authenticate")).collect();
    assert!(lines.len() == 2 && lines[0].ends_with("algorithm=SHA-256") && lines[1].ends_with("algorithm=MD5"));
    let first = bench.challenge.clone();
    assert_eq!(bench.register("demo-1001", Algorithm::Sha256, 1, CONTACT), ("200".to_string(), false));
    assert_eq!(bench.register("demo-1001", Algorithm::Md5, 2, CONTACT), ("200".to_string(), false));
    assert_eq!(bench.register("demo-1001", Algorithm::Md5, 2, CONTACT), ("401".to_string(), true), "replayed");
    assert_eq!(bench.register("guess", Algorithm::Sha256, 1, CONTACT), ("401".to_string(), false));
    bench.challenge = first;
    bench.now = START + ms(301_000);
    assert_eq!(bench.register("demo-1001", Algorithm::Sha256, 9, CONTACT), ("401".to_string(), true), "too old");
    assert_eq!(bench.register("demo-1001", Algorithm::Sha256, 1, CONTACT), ("200".to_string(), false));
}

#[test]
fn an_unknown_user_looks_like_a_wrong_password() {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    let mut codes = |user: &str| {
        let text = |cseq, extra: &str| request("REGISTER", URI, flow().remote, user, cseq, extra).replace("1001@", &format!("{user}@"));
        let (sent, _) = hand(&mut endpoint, START, flow(), &text(1, CONTACT));
        let answer = authorization(&sent[0], ("REGISTER", URI), user, "guess", Algorithm::Sha256, 1);
        let (again, _) = hand(&mut endpoint, START, flow(), &text(2, &(answer + CONTACT)));
        let shape = |text: &str| text.lines().map(|line| line.split([' ', ';']).next().unwrap().to_string()).collect::<Vec<_>>();
        (shape(&sent[0]), shape(&again[0]))
    };
    assert_eq!(codes("1001"), codes("9999"));
}

#[test]
fn contacts_are_set_asked_removed_and_expire() {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    let mut id = 0;
    let mut ask = |endpoint: &mut Endpoint, now: Time, extra: &str| {
        id += 1;
        let (sent, reports) = register(endpoint, now, flow(), &format!("r{id}"), extra);
        let contacts: Vec<String> = sent[0].lines().filter(|line| line.starts_with("Contact:")).map(String::from).collect();
        (sent[0][8..11].to_string(), contacts, reports)
    };
    let (code, contacts, reports) =
        ask(&mut endpoint, START, "Contact: <sip:1001@127.0.0.8:5071>;expires=60, <sip:1001@127.0.0.8:5072>\r\nExpires: 99999\r\n");
    assert_eq!((code.as_str(), reports), ("200", vec![Report::Registered { user: "1001".to_string(), fresh: true, flow: flow() }]));
    assert_eq!(contacts, ["Contact: <sip:1001@127.0.0.8:5071>;expires=60", "Contact: <sip:1001@127.0.0.8:5072>;expires=3600"]);
    let (_, contacts, reports) = ask(&mut endpoint, START + ms(10_000), "");
    assert!(contacts[0].ends_with("expires=50") && contacts.len() == 2 && reports.is_empty());
    let (code, ..) = ask(&mut endpoint, START + ms(10_000), "Contact: <sip:1001@127.0.0.8:5073>;expires=1\r\n");
    assert_eq!(code, "423");
    let star = request("REGISTER", URI, flow().remote, "star", 1, "Contact: *\r\nExpires: 5\r\n");
    assert!(hand(&mut endpoint, START, flow(), &star).0[0].starts_with("SIP/2.0 400 "));
}

#[test]
fn the_last_contact_to_go_is_reported_once() {
    for way in ["star", "zero", "expiry"] {
        let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
        register(&mut endpoint, START, flow(), "a", "Contact: <sip:1001@127.0.0.8:5071>;expires=60\r\n");
        let gone = Report::Unregistered { user: "1001".to_string() };
        let reports = match way {
            "star" => register(&mut endpoint, START, flow(), "b", "Contact: *\r\nExpires: 0\r\n").1,
            "zero" => register(&mut endpoint, START, flow(), "b", "Contact: <sip:1001@127.0.0.8:5071>;expires=0\r\n").1,
            _ => {
                let mut out = Vec::new();
                endpoint.handle_timer(START + ms(59_999), &mut out);
                assert_eq!(endpoint.registered(), 1);
                endpoint.handle_timer(START + ms(60_000), &mut out);
                out.into_iter().filter_map(|output| if let Output::Report(report) = output { Some(report) } else { None }).collect()
            }
        };
        assert_eq!((reports, endpoint.registered()), (vec![gone], 0), "{way}");
    }
}

/// A telephone that was lost or stolen is shut out at once by another password, and its user's other registrations with it.
#[test]
fn another_password_ends_what_was_registered_with_the_old_one() {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    register(&mut endpoint, START, flow(), "a", "Contact: <sip:1001@127.0.0.8:5071>;expires=300\r\n");
    let mut out = Vec::new();
    endpoint.reconfigure(settings(), &mut out);
    assert_eq!((endpoint.is_registered("1001"), out.len()), (true, 0), "who has the password still stays");
    let mut changed = settings();
    changed.users.insert("1001".to_string(), Credentials::new("1001", "care", "another"));
    endpoint.reconfigure(changed, &mut out);
    assert!(!endpoint.is_registered("1001"));
    assert!(matches!(&out[..], [Output::Report(Report::Unregistered { user })] if user == "1001"), "{out:?}");
    let (sent, _) = hand(&mut endpoint, START, flow(), &request("INVITE", "sip:*11@127.0.0.1", flow().remote, "b", 1, ""));
    assert!(!sent.iter().any(|text| text.starts_with("SIP/2.0 1") || text.starts_with("SIP/2.0 2")), "calls nobody: {sent:?}");
    let (sent, _) = register(&mut endpoint, START, flow(), "c", "Contact: <sip:1001@127.0.0.8:5071>;expires=300\r\n");
    assert!(!sent[0].starts_with("SIP/2.0 200"), "{}", sent[0]);
}

#[test]
fn a_contact_that_would_inject_headers_is_refused() {
    let mut endpoint = Endpoint::new(settings(), Random::seeded(1));
    let text = request("REGISTER", URI, flow().remote, "a", 1, "Contact: <sip:1001@127.0.0.8?Route=%3Csip:evil%3E>\r\n");
    assert!(hand(&mut endpoint, START, flow(), &text).0[0].starts_with("SIP/2.0 400 "));
}

/// Its translator has given it another port, or its connection was lost: who hangs up on it must not hang up on nobody.
#[test]
fn a_telephone_that_registers_from_elsewhere_in_a_call_is_spoken_to_there() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut endpoint = Endpoint::new(Settings { tcp: true, ..settings() }, Random::seeded(1));
        let flow = |remote: &str| Flow { local: at("127.0.0.1:5060"), remote: at(remote), transport };
        let (old, new) = (flow("192.0.2.8:40001"), flow("192.0.2.8:40002"));
        register(&mut endpoint, START, old, "a", "Contact: <sip:t@127.0.0.9:5090;ob>\r\n");
        let mut out = Vec::new();
        let invite = Invite { sdp: Some(OFFER.to_vec()), ..Invite::to(Target::Station("1001".to_string())) };
        let dialog = endpoint.invite(START, invite, &mut out).unwrap();
        let Output::Send { bytes, .. } = &out[0] else { panic!("{out:?}") };
        let ok = response(&String::from_utf8_lossy(bytes), "200 OK", "t", "", ANSWER);
        assert!(matches!(hand(&mut endpoint, START, old, &ok).1[..], [Report::Established { .. }]));
        if transport == Transport::Tcp {
            endpoint.handle_closed(START, old, &mut out);
        }
        register(&mut endpoint, START, new, "b", "Contact: <sip:t@127.0.0.9:5090;ob>\r\n");
        out.clear();
        endpoint.bye(START, dialog, &mut out);
        assert!(matches!(&out[0], Output::Send { flow, bytes } if *flow == new && bytes.starts_with(b"BYE ")), "{transport:?}: {out:?}");
    }
}
