//! The SIP stack's costs: instructions and time to read an INVITE, and to carry a whole call. `cargo bench --bench sip_parse [parse|call]`.

use careline::model::Time;
use careline::sip::message::{Core, Message};
use careline::sip::{Endpoint, Flow, Output, Random, Report, Settings, Trunk};
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

const INVITE: &str = "INVITE sip:+13125550100@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5070;branch=z9hG4bK-524287-1---3a1b2c3d4e5f6a7b;rport\r\n\
    Max-Forwards: 70\r\nContact: <sip:+13125550123@127.0.0.9:5070;transport=UDP>\r\nTo: <sip:+13125550100@127.0.0.1:5060>\r\n\
    From: \"Pat Doe\" <sip:+13125550123@carrier.example.net>;tag=8a7b6c5d\r\nCall-ID: 94215OGQ2NzYyNTI2ODk1NzA5YmIwZWE0@127.0.0.9\r\nCSeq: 1 INVITE\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE, UPDATE, PRACK\r\nSupported: replaces, timer, norefersub, 100rel\r\n\
    User-Agent: Carrier SBC 8.3\r\nP-Asserted-Identity: <sip:+13125550123@carrier.example.net>\r\nContent-Type: application/sdp\r\nContent-Length: 213\r\n\r\n\
    v=0\r\no=- 13364 13364 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n\r\n";
const NOW: Time = Time(1_772_460_000_000_000);
const REPEATS: usize = 7;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match chosen.first().map(String::as_str) {
        // Under callgrind: only what is counted.
        Some("parse-counted") => parse(count(&chosen)),
        Some("call-counted") => calls(count(&chosen)),
        _ => {
            let asked = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
            if asked("parse") {
                report("read and check an INVITE", "parse-counted", 1_000_000, parse);
            }
            if asked("call") {
                report("a whole call as the callee (INVITE, 180, 200, ACK, BYE)", "call-counted", 100_000, calls);
            }
        }
    }
}

fn count(chosen: &[String]) -> u64 {
    chosen.get(1).and_then(|count| count.parse().ok()).expect("a count")
}

fn report(what: &str, counted: &str, rounds: u64, run: fn(u64)) {
    let mut micros: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            run(rounds);
            start.elapsed().as_secs_f64() * 1e6 / rounds as f64
        })
        .collect();
    micros.sort_by(f64::total_cmp);
    let instructions = match (instructions(counted, 3_000), instructions(counted, 1_000)) {
        (Some(more), Some(less)) => format!("{} instructions", (more - less) / 2_000),
        _ => "instructions not counted (no valgrind)".to_string(),
    };
    println!("{what}: {instructions}; {:.2} µs ({:.2}–{:.2})", micros[REPEATS / 2], micros[0], micros[REPEATS - 1]);
}

/// All instructions of this program doing only `counted`, by callgrind.
fn instructions(counted: &str, rounds: u64) -> Option<u64> {
    let own = std::env::current_exe().ok()?;
    let out = std::env::temp_dir().join(format!("careline-callgrind-{}", std::process::id()));
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())])
        .arg(own)
        .args([counted, &rounds.to_string()])
        .output()
        .ok()?;
    let _ = std::fs::remove_file(out);
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    told.lines().find_map(|line| line.split("Collected : ").nth(1)).and_then(|count| count.trim().parse().ok())
}

fn parse(rounds: u64) {
    let length = INVITE.split("\r\n\r\n").nth(1).expect("a body").len() + 2;
    let text = INVITE.replace("Content-Length: 213", &format!("Content-Length: {length}"));
    for _ in 0..rounds {
        let message = Message::read(black_box(text.as_bytes()), 256).expect("a start line");
        let core = Core::read(&message).expect("well formed");
        black_box((core.cseq, message.body.len()));
    }
}

fn calls(rounds: u64) {
    let trunks = vec![Trunk { name: "bench".into(), addresses: vec!["127.0.0.0/8".parse().expect("a network")], ..Trunk::default() }];
    let mut endpoint = Endpoint::new(Settings { trunks, ..Settings::default() }, Random::seeded(1));
    let flow = Flow::udp("127.0.0.1:5060".parse().expect("an address"), "127.0.0.9:5070".parse().expect("an address"));
    let mut out = Vec::new();
    let mut now = NOW;
    for round in 0..rounds {
        let invite = INVITE
            .replace("-1---3a", &format!("-{round}---3a"))
            .replace("94215OGQ", &round.to_string())
            .replace("Content-Length: 213\r\n", "");
        out.clear();
        endpoint.handle_message(now, flow, invite.as_bytes(), &mut out);
        let Some(Output::Report(Report::Incoming { dialog, .. })) = out.pop() else { panic!("a call") };
        endpoint.ring(now, dialog, &mut out);
        out.clear();
        endpoint.accept(now, dialog, b"v=0\r\n", &mut out);
        let Output::Send { bytes, .. } = &out[0] else { panic!("an answer") };
        let answer = std::str::from_utf8(bytes).expect("text");
        let to = answer.split("\r\nTo: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a To").to_string();
        let within = |method: &str, cseq: u32| {
            format!(
                "{method} sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5070;branch=z9hG4bK{method}{round};rport\r\nFrom: \"Pat Doe\" <sip:+13125550123@carrier.example.net>;tag=8a7b6c5d\r\nTo: {to}\r\nCall-ID: {round}2NzYyNTI2ODk1NzA5YmIwZWE0@127.0.0.9\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
            )
        };
        endpoint.handle_message(now, flow, within("ACK", 1).as_bytes(), &mut out);
        endpoint.handle_message(now, flow, within("BYE", 2).as_bytes(), &mut out);
        assert_eq!(out.last(), Some(&Output::Report(Report::Ended { dialog, lost: false })));
        now = now + std::time::Duration::from_millis(1);
        endpoint.handle_timer(now, &mut out);
    }
    black_box(endpoint.transactions());
}
