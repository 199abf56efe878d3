//! RFC 4475: each of its messages gets what torture/expect.tsv allows, by datagrams and on a connection, and a whole call passes after it.

use careline::model::Time;
use careline::sip::transport::{Framer, Piece};
use careline::sip::{Endpoint, Flow, Output, Random, Report, Settings, Transport, Trunk};
use std::path::Path;
use std::time::Duration;

const START: Time = Time(1_700_000_000_000_000);

fn flow(port: u16) -> Flow {
    Flow::udp("127.0.0.1:5060".parse().unwrap(), format!("127.0.0.9:{port}").parse().unwrap())
}

fn endpoint() -> Endpoint {
    let trunks = vec![Trunk { name: "test".into(), addresses: vec!["127.0.0.0/8".parse().unwrap()], ..Trunk::default() }];
    let numbers = Some(["+13125550100".to_string()].into());
    Endpoint::new(Settings { realm: "care".to_string(), trunks, numbers, tcp: true, ..Settings::default() }, Random::seeded(7))
}

/// The rows of the table: each message's name, what is allowed, and its octets.
fn messages() -> Vec<(String, String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let table = std::fs::read_to_string(folder.join("expect.tsv")).unwrap();
    let rows = table.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let row: Vec<&str> = line.split('\t').collect();
        let bytes = std::fs::read(folder.join("rfc4475").join(row[0]).with_extension("dat")).unwrap();
        (row[0].to_string(), row[3].to_string(), bytes)
    });
    rows.collect()
}

/// The side of the server of what carries messages: datagrams, or one connection.
struct Line {
    flow: Flow,
    framer: Option<Framer>,
    closed: bool,
}

impl Line {
    fn datagrams() -> Line {
        Line { flow: flow(5060), framer: None, closed: false }
    }

    fn connection(port: u16) -> Line {
        Line { flow: Flow { transport: Transport::Tcp, ..flow(port) }, framer: Some(Framer::new(64 * 1024, 256)), closed: false }
    }

    /// Gives what the peer sends to the endpoint, cut as the stream is.
    fn send(&mut self, endpoint: &mut Endpoint, now: Time, bytes: &[u8], out: &mut Vec<Output>) {
        let Some(framer) = &mut self.framer else { return endpoint.handle_message(now, self.flow, bytes, out) };
        assert!(!self.closed, "nothing is read from a connection that is closed");
        framer.room().extend_from_slice(bytes);
        while let Some(piece) = framer.next_piece() {
            match piece {
                Piece::Ping => {}
                Piece::Message(message) | Piece::Lost(message) => endpoint.handle_message(now, self.flow, &message, out),
            }
        }
        self.closed = out.contains(&Output::Close { flow: self.flow });
    }

    /// The time for a message that has begun is over.
    fn give_up(&mut self, endpoint: &mut Endpoint, now: Time, out: &mut Vec<Output>) {
        let framer = self.framer.as_mut().expect("a connection");
        assert!(framer.is_inside(), "only half a message is waited for");
        let half = framer.give_up();
        endpoint.handle_message(now, self.flow, &half, out);
        self.closed = out.contains(&Output::Close { flow: self.flow });
    }

    fn request(&self, method: &str, call: &str, cseq: u32, to_tag: &str, body: &str) -> Vec<u8> {
        let text = request(method, call, cseq, to_tag, body);
        if self.framer.is_some() { text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").into_bytes() } else { text.into_bytes() }
    }
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

fn whole_call(endpoint: &mut Endpoint, line: &mut Line, now: Time, call: &str) {
    let mut out = Vec::new();
    line.send(endpoint, now, &line.request("OPTIONS", call, 1, "", ""), &mut out);
    assert_eq!(out.iter().filter_map(code).collect::<Vec<_>>(), [200], "{call}: OPTIONS");
    out.clear();
    line.send(endpoint, now, &line.request("INVITE", call, 2, "", "v=0\r\n"), &mut out);
    let Some(Output::Report(Report::Incoming { dialog, .. })) = out.pop() else { panic!("{call}: no call") };
    out.clear();
    endpoint.accept(now, dialog, b"v=0\r\n", &mut out);
    let Output::Send { bytes, flow } = &out[0] else { panic!("{call}: no answer") };
    assert_eq!(*flow, line.flow);
    let text = String::from_utf8_lossy(bytes).into_owned();
    assert!(text.starts_with("SIP/2.0 200 "));
    let tag = text.lines().find(|line| line.starts_with("To: ")).and_then(|line| line.split_once(";tag=")).unwrap().1;
    out.clear();
    line.send(endpoint, now, &line.request("ACK", call, 2, &format!(";tag={tag}"), ""), &mut out);
    assert_eq!(out, [Output::Report(Report::Acked { dialog, sdp: None })]);
    out.clear();
    line.send(endpoint, now, &line.request("BYE", call, 3, &format!(";tag={tag}"), ""), &mut out);
    assert_eq!(out.iter().filter_map(code).collect::<Vec<_>>(), [200], "{call}: BYE");
    assert_eq!(out.last(), Some(&Output::Report(Report::Ended { dialog, lost: false })));
    assert_eq!(endpoint.dialogs(), 0);
}

/// The final answers in what was sent; a request of ours is 0.
fn answers(out: &[Output]) -> Vec<u16> {
    out.iter().filter_map(code).filter(|code| *code == 0 || *code >= 200).collect()
}

/// What is wrong with the answer to a message, if anything is.
fn judge(name: &str, pattern: &str, out: &[Output]) -> Option<String> {
    let reported = out.iter().any(|output| matches!(output, Output::Report(_)));
    let answer = answers(out).first().map_or("-".to_string(), |code| code.to_string());
    (reported || !allows(pattern, &answer)).then(|| format!("{name}: {answer}, allowed {pattern}, reported {reported}"))
}

#[test]
fn every_message_gets_its_answer() {
    let (mut endpoint, mut now, mut line) = (endpoint(), START, Line::datagrams());
    let messages = messages();
    assert_eq!(messages.len(), 49);
    let mut wrong = Vec::new();
    for (name, pattern, bytes) in messages {
        let mut out = Vec::new();
        line.send(&mut endpoint, now, &bytes, &mut out);
        wrong.extend(judge(&name, &pattern, &out));
        whole_call(&mut endpoint, &mut line, now, &name);
        now = now + Duration::from_secs(1);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Their length is a lie or missing: where the next message would begin, nobody can tell.
const CLOSE_IT: [&str; 4] = ["clerr", "ncl", "mcl01", "inv2543"];

#[test]
fn every_message_gets_its_answer_on_one_connection() {
    let (mut endpoint, mut now) = (endpoint(), START);
    let mut connections = 1;
    let mut line = Line::connection(40_000);
    let mut wrong = Vec::new();
    for (name, pattern, bytes) in messages() {
        // It lacks its blank line: whatever came next would be a part of it.
        let mut own = Line::connection(39_999);
        let on = if name == "baddn" { &mut own } else { &mut line };
        let mut out = Vec::new();
        on.send(&mut endpoint, now, &bytes, &mut out);
        if name == "clerr" || name == "baddn" {
            assert!(out.is_empty() && !on.closed, "{name}: the rest may still come");
            now = now + Duration::from_secs(5);
            on.give_up(&mut endpoint, now, &mut out);
        }
        // Without a length it is no message here, whatever it is as a datagram.
        wrong.extend(judge(&name, if name == "inv2543" { "400" } else { &pattern }, &out));
        if name == "dblreq" {
            assert_eq!(answers(&out), [401, 404], "two messages, each with its answer");
        }
        assert_eq!(on.closed, CLOSE_IT.contains(&name.as_str()) || name == "baddn", "{name}");
        if line.closed {
            endpoint.handle_closed(now, line.flow, &mut Vec::new());
            line = Line::connection(40_000 + connections);
            connections += 1;
        }
        whole_call(&mut endpoint, &mut line, now, &name);
        now = now + Duration::from_secs(1);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(usize::from(connections), 1 + CLOSE_IT.len(), "the others share one");
}

#[test]
fn the_patterns_mean_what_they_say() {
    assert!(
        allows("(?!400|5)\\d", "404") && !allows("(?!400|5)\\d", "400") && !allows("(?!400|5)\\d", "503") && !allows("(?!400|5)\\d", "-")
    );
    assert!(allows("415|40[134]", "403") && !allows("415|40[134]", "402") && allows("400|-", "-") && allows("(?!400|5)\\d|501", "501"));
}
