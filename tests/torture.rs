//! RFC 4475: each of its messages gets what torture/expect.tsv allows, and a whole call passes after it.

use careline::model::Time;
use careline::sip::{Endpoint, Flow, Output, Random, Report, Settings, Trunk};
use std::path::Path;

fn flow(port: u16) -> Flow {
    Flow::udp("127.0.0.1:5060".parse().unwrap(), format!("127.0.0.9:{port}").parse().unwrap())
}

fn endpoint() -> Endpoint {
    let trunks = vec![Trunk { name: "test".into(), addresses: vec!["127.0.0.0/8".parse().unwrap()], ..Trunk::default() }];
    let numbers = Some(["+13125550100".to_string()].into());
    Endpoint::new(Settings { realm: "care".to_string(), trunks, numbers, ..Settings::default() }, Random::seeded(7))
}

/// The code of a response; 0 for a request of ours.
fn code(output: &Output) -> Option<u16> {
    let Output::Send { bytes, .. } = output else { return None };
    let text = String::from_utf8_lossy(bytes);
    Some(text.strip_prefix("SIP/2.0 ").map_or(0, |rest| rest[..3].parse().unwrap()))
}

/// Whether a code matches a pattern of the table: alternatives of `(?!…)`, `\d`, `[…]` and digits.
fn allows(pattern: &str, code: &str) -> bool {
    let mut depth = 0;
    let alternatives = pattern.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == '|' && depth == 0
    });
    alternatives.into_iter().any(|alternative| {
        let mut rest = alternative;
        if let Some(inner) = alternative.strip_prefix("(?!") {
            let (barred, after) = inner.split_once(')').unwrap();
            if barred.split('|').any(|prefix| code.starts_with(prefix)) {
                return false;
            }
            rest = after;
        }
        let mut digits = code.chars();
        while !rest.is_empty() {
            let Some(digit) = digits.next() else { return false };
            let (fits, after) = match rest.as_bytes()[0] {
                b'\\' => (digit.is_ascii_digit(), &rest[2..]),
                b'[' => {
                    let (set, after) = rest[1..].split_once(']').unwrap();
                    (set.contains(digit), after)
                }
                literal => (digit == literal as char, &rest[1..]),
            };
            if !fits {
                return false;
            }
            rest = after;
        }
        true
    })
}

fn request(method: &str, call: &str, cseq: u32, to_tag: &str, body: &str) -> String {
    format!(
        "{method} sip:+13125550100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bK{call}{method}{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:+13125550123@127.0.0.9>;tag={call}\r\nTo: <sip:+13125550100@127.0.0.1>{to_tag}\r\nCall-ID: {call}\r\nCSeq: {cseq} {}\r\n\
         Contact: <sip:127.0.0.9:5060>\r\n{}Content-Length: {}\r\n\r\n{body}",
        method,
        if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" },
        body.len()
    )
}

fn whole_call(endpoint: &mut Endpoint, now: Time, call: &str) {
    let mut out = Vec::new();
    endpoint.handle_message(now, flow(5060), request("OPTIONS", call, 1, "", "").as_bytes(), &mut out);
    assert_eq!(out.iter().filter_map(code).collect::<Vec<_>>(), [200], "OPTIONS");
    out.clear();
    endpoint.handle_message(now, flow(5060), request("INVITE", call, 2, "", "v=0\r\n").as_bytes(), &mut out);
    let Some(Output::Report(Report::Incoming { dialog, .. })) = out.pop() else { panic!("{call}: no call") };
    out.clear();
    endpoint.accept(now, dialog, b"v=0\r\n", &mut out);
    let Output::Send { bytes, .. } = &out[0] else { panic!("{call}: no answer") };
    let text = String::from_utf8_lossy(bytes).into_owned();
    assert!(text.starts_with("SIP/2.0 200 "));
    let tag = text.lines().find(|line| line.starts_with("To: ")).and_then(|line| line.split_once(";tag=")).unwrap().1;
    out.clear();
    endpoint.handle_message(now, flow(5060), request("ACK", call, 2, &format!(";tag={tag}"), "").as_bytes(), &mut out);
    assert_eq!(out, [Output::Report(Report::Acked { dialog, sdp: None })]);
    out.clear();
    endpoint.handle_message(now, flow(5060), request("BYE", call, 3, &format!(";tag={tag}"), "").as_bytes(), &mut out);
    assert_eq!(out.iter().filter_map(code).collect::<Vec<_>>(), [200], "BYE");
    assert_eq!(out.last(), Some(&Output::Report(Report::Ended { dialog, lost: false })));
    assert_eq!(endpoint.dialogs(), 0);
}

#[test]
fn every_message_gets_its_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let table = std::fs::read_to_string(folder.join("expect.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 49);
    let mut endpoint = endpoint();
    let mut now = Time(1_700_000_000_000_000);
    let mut wrong = Vec::new();
    for row in rows {
        let (name, pattern) = (row[0], row[3]);
        let bytes = std::fs::read(folder.join("rfc4475").join(name).with_extension("dat")).unwrap();
        let mut out = Vec::new();
        endpoint.handle_message(now, flow(5060), &bytes, &mut out);
        let reported = out.iter().any(|output| matches!(output, Output::Report(_)));
        let answer = out.iter().filter_map(code).find(|code| *code == 0 || *code >= 200).map_or("-".to_string(), |code| code.to_string());
        if reported || !allows(pattern, &answer) {
            wrong.push(format!("{name}: {answer}, allowed {pattern}, reported {reported}"));
        }
        whole_call(&mut endpoint, now, name);
        now = now + std::time::Duration::from_secs(1);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_patterns_mean_what_they_say() {
    assert!(
        allows("(?!400|5)\\d", "404") && !allows("(?!400|5)\\d", "400") && !allows("(?!400|5)\\d", "503") && !allows("(?!400|5)\\d", "-")
    );
    assert!(allows("415|40[134]", "403") && !allows("415|40[134]", "402") && allows("400|-", "-") && allows("(?!400|5)\\d|501", "501"));
}
