//! Whatever comes in, nothing panics, nothing grows without bound, and no message takes long.

use crate::wire::{ANSWER, OFFER, START, ms, open_settings, settings};
use careline::sip::transport::{Framer, Piece};
use careline::sip::{Endpoint, Flow, Output, Random, Report};
use std::path::Path;

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/rfc4475");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut corpus: Vec<Vec<u8>> = files.into_iter().map(|file| std::fs::read(file).unwrap()).collect();
    for method in ["INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO"] {
        let text = format!(
            "{method} sip:+13125550100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKq;rport\r\nFrom: \"A\" <sip:a@b>;tag=1\r\nTo: <sip:1001@c>\r\nCall-ID: x@y\r\nCSeq: 1 {method}\r\nContact: <sip:a@127.0.0.9;lr>;expires=60\r\nRecord-Route: <sip:127.0.0.9;lr>\r\nAuthorization: Digest username=\"1001\", realm=\"care\", nonce=\"0\", uri=\"x\", response=\"y\", nc=00000001, cnonce=\"z\", qop=auth\r\nContent-Type: application/sdp\r\n\r\n"
        );
        corpus.push([text.as_bytes(), OFFER].concat());
    }
    corpus
}

/// Changes a message in a few random places.
fn mutate(message: &mut Vec<u8>, dice: &mut Random, others: &[Vec<u8>]) {
    for _ in 0..=dice.draw() % 6 {
        let at = |dice: &mut Random, len: usize| (dice.draw() % (len as u64 + 1)) as usize;
        let (from, to) = (at(dice, message.len()), at(dice, message.len()));
        let (from, to) = (from.min(to), from.max(to).min(from + 40));
        match dice.draw() % 8 {
            0 if from < message.len() => message[from] = dice.draw() as u8,
            1 => drop(message.drain(from..to.max(from))),
            2 => {
                let piece = message[from..to.max(from)].to_vec();
                message.splice(from..from, piece);
            }
            3 => drop(message.splice(from..from, b"\r\n ".iter().copied())),
            4 => drop(message.splice(from..from, [b"\"<>;,=@:%\\?*\0\xff"[at(dice, 13)]])),
            5 => {
                let other = &others[at(dice, others.len() - 1)];
                let start = at(dice, other.len());
                message.truncate(from);
                message.extend_from_slice(&other[start..]);
            }
            6 => drop(message.splice(from..from, b"99999999999999999999".iter().copied())),
            _ => message.truncate(from),
        }
    }
}

#[test]
fn mutated_messages_break_nothing() {
    let corpus = corpus();
    for seed in 0..8 {
        let mut dice = Random::seeded(seed);
        let mut endpoint = Endpoint::new(if seed % 2 == 0 { settings() } else { open_settings() }, Random::seeded(seed));
        let mut now = START;
        for round in 0..5_000u64 {
            let mut message = corpus[(dice.draw() % corpus.len() as u64) as usize].clone();
            mutate(&mut message, &mut dice, &corpus);
            let flow = Flow::udp("127.0.0.1:5060".parse().unwrap(), "127.0.0.9:5060".parse().unwrap());
            let mut out = Vec::new();
            endpoint.handle_message(now, flow, &message, &mut out);
            endpoint.handle_timer(now, &mut out);
            for output in &out {
                if let Output::Send { bytes, .. } = output {
                    let answer = String::from_utf8_lossy(bytes);
                    assert!(answer.contains("\r\n\r\n"), "seed {seed} round {round}: {answer}");
                    assert!(!answer.split("\r\n").any(|line| line.contains(['\n', '\r'])), "seed {seed} round {round}: {answer}");
                }
            }
            let dialogs =
                out.iter().filter_map(|o| if let Output::Report(Report::Incoming { dialog, .. }) = o { Some(*dialog) } else { None });
            for dialog in dialogs.collect::<Vec<_>>() {
                endpoint.accept(now, dialog, ANSWER, &mut Vec::new());
            }
            now = now + ms(dice.draw() % 200);
        }
        let mut out = Vec::new();
        for _ in 0..1_000 {
            let Some(next) = endpoint.next_timer() else { break };
            endpoint.handle_timer(next, &mut out);
        }
        assert_eq!((endpoint.transactions(), endpoint.dialogs(), endpoint.next_timer()), (0, 0, None), "seed {seed}");
    }
}

/// Long values do not take more than proportional work: doubled input, less than quadrupled steps, counted by time would be a
/// guess, so the largest message that is allowed must simply come back, many times over, within the test's patience.
#[test]
fn the_largest_messages_come_back() {
    let flow = Flow::udp("127.0.0.1:5060".parse().unwrap(), "127.0.0.9:5060".parse().unwrap());
    let mut endpoint = Endpoint::new(open_settings(), Random::seeded(1));
    let head = "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n";
    for filler in ["\"", "<", ",", ";", ";a", ";a=\"", "\\", ",,", "a,", "Via: x", "\r\n ", "\r\nv:", "%", "@", "[", "?"] {
        for name in [
            "Via: SIP/2.0/UDP h",
            "Via: SIP/2.0/UDP h\r\nContact: <sip:a@b>",
            "Via: SIP/2.0/UDP h\r\nAuthorization: Digest a",
            "Via: SIP/2.0/UDP h\r\nRoute: ",
        ] {
            let text = format!("{head}{name}{}\r\n\r\n", filler.repeat(60_000 / filler.len()));
            let register = text.replace("OPTIONS", "REGISTER");
            for text in [text, register] {
                endpoint.handle_message(START, flow, text.as_bytes(), &mut Vec::new());
            }
        }
    }
}

/// However a stream is cut on its way, the same messages come out of it; nothing makes the framer hold more than it may.
#[test]
fn a_stream_is_cut_alike_however_it_comes() {
    let corpus = corpus();
    for seed in 0..400 {
        let mut dice = Random::seeded(seed);
        let mut stream = Vec::new();
        for _ in 0..6 {
            let mut message = corpus[(dice.draw() % corpus.len() as u64) as usize].clone();
            if dice.draw().is_multiple_of(2) {
                mutate(&mut message, &mut dice, &corpus);
            }
            stream.extend_from_slice(&message);
            stream.extend_from_slice(&b"\r\n\r\n"[..(dice.draw() % 5) as usize]);
        }
        let whole = pieces(&stream, || usize::MAX);
        assert_eq!(pieces(&stream, || 1), whole, "seed {seed}");
        assert_eq!(pieces(&stream, || 1 + (dice.draw() % 900) as usize), whole, "seed {seed}");
        assert!(whole.iter().all(|piece| !matches!(piece, Piece::Message(bytes) if bytes.len() > MESSAGE)), "seed {seed}");
    }
}

const MESSAGE: usize = 4096;

/// What a stream that comes in such chunks is cut into, to the first piece that cannot be told from the next.
fn pieces(stream: &[u8], mut chunk: impl FnMut() -> usize) -> Vec<Piece> {
    let mut framer = Framer::new(MESSAGE, 64);
    let (mut at, mut found) = (0, Vec::new());
    while at < stream.len() {
        let end = at.saturating_add(chunk()).min(stream.len());
        framer.room().extend_from_slice(&stream[at..end]);
        at = end;
        while let Some(piece) = framer.next_piece() {
            match piece {
                // How much of it is there depends on how it came.
                Piece::Lost(_) => return found,
                piece => found.push(piece),
            }
        }
    }
    found
}
