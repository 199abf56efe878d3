//! Our reader and an independent one (crate rsip) agree on what both can read.

use careline::sip::message::{Core, Header, Message, Start};
use proptest::prelude::*;
use rsip::prelude::*;

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9]{1,12}"
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z][a-z0-9]{0,8}\\.example\\.com", (1u8..255, 0u8..255).prop_map(|(a, b)| format!("192.0.{a}.{b}"))]
}

fn uri() -> impl Strategy<Value = String> {
    (prop::option::of("[a-z0-9+]{1,12}"), host(), prop::option::of(1024u16..65535), any::<bool>()).prop_map(|(user, host, port, lr)| {
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("sip:{user}{host}{port}{}", if lr { ";lr" } else { "" })
    })
}

#[derive(Debug, Clone)]
struct Sample {
    text: String,
}

fn sample() -> impl Strategy<Value = Sample> {
    let method = prop::sample::select(vec!["INVITE", "BYE", "OPTIONS", "REGISTER", "INFO"]);
    let parts = (method, uri(), host(), token(), token(), prop::option::of(token()), token(), 1u32..1_000_000);
    (parts, uri(), uri(), uri(), "[ -~]{0,80}").prop_map(|(parts, from, to, contact, body)| {
        let (method, target, via, branch, from_tag, to_tag, call, cseq) = parts;
        let to_tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {via}:5070;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\nFrom: \"Ann\" <{from}>;tag={from_tag}\r\nTo: <{to}>{to_tag}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <{contact}>\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Sample { text }
    })
}

fn same(sample: &Sample) -> Result<(), TestCaseError> {
    let ours = Message::read(sample.text.as_bytes(), 64).expect("a start line");
    let core = Core::read(&ours).expect("well formed");
    let theirs = rsip::Request::try_from(sample.text.as_bytes()).expect("well formed");
    let Start::Request { method, uri } = ours.start else { panic!("a request") };
    prop_assert_eq!(method, theirs.method.to_string());
    prop_assert_eq!(String::from_utf8_lossy(uri), theirs.uri.to_string());
    prop_assert_eq!(ours.body, &theirs.body[..]);
    let via = theirs.via_header().unwrap().typed().unwrap();
    prop_assert_eq!(core.via.host, via.uri.host().to_string());
    prop_assert_eq!(core.via.port, via.uri.port().map(|port| *port.value()));
    prop_assert_eq!(core.via.branch().map(String::from_utf8_lossy), via.branch().map(|branch| branch.value().into()));
    let from = theirs.from_header().unwrap().typed().unwrap();
    prop_assert_eq!(String::from_utf8_lossy(core.from.uri), from.uri.to_string());
    prop_assert_eq!(String::from_utf8_lossy(core.from_tag()), from.tag().unwrap().value());
    let to = theirs.to_header().unwrap().typed().unwrap();
    prop_assert_eq!(String::from_utf8_lossy(core.to.uri), to.uri.to_string());
    prop_assert_eq!(core.to.tag().map(String::from_utf8_lossy), to.tag().map(|tag| tag.value().into()));
    prop_assert_eq!(String::from_utf8_lossy(core.call_id), theirs.call_id_header().unwrap().value());
    let cseq = theirs.cseq_header().unwrap().typed().unwrap();
    prop_assert_eq!((core.cseq, core.method), (cseq.seq, &cseq.method.to_string()[..]));
    let contact = theirs.contact_header().unwrap().typed().unwrap();
    let own = careline::sip::message::NameAddr::read(ours.first(Header::Contact).unwrap()).unwrap();
    prop_assert_eq!(String::from_utf8_lossy(own.uri), contact.uri.to_string());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn both_readers_agree(sample in sample()) {
        same(&sample)?;
    }
}
