//! A conversation on tape: both sides' codes as they came, laid side by side on one clock and given away so early, what is late and what
//! the machine may take counted in, that whatever happens no more than the last second is lost. Nothing is decoded here.

use super::codec::{self, Codec};
use super::rtp::Header;
use super::sender::samples;

/// Samples of a chunk of each side: 640 ms.
pub const CHUNK: usize = 5120;
/// Late packets are waited for so long before a chunk is given away: 160 ms.
const MARGIN: usize = 1280;
/// A packet may be so far ahead of its time; further, and its clock has jumped: 50 ms.
const AHEAD: usize = 400;
/// Longest payload that is kept: 60 ms.
const PAYLOAD: usize = 480;
const ROOM: usize = CHUNK + MARGIN + AHEAD + PAYLOAD;
/// So many packets in a row that are later than is waited for are a clock that runs slow or has stood still, not a delay.
const SLOW: u32 = 50;
/// Before a chunk's codes: its number, and the law of each side by its RTP payload type.
const HEAD: usize = 6;

/// Where the chunks go. Called on a worker's thread: it must not wait. Dropped when the recording is over.
pub trait Sink: Send {
    fn chunk(&mut self, bytes: Vec<u8>);
}

/// Which channel of the stereo recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The caller.
    Left,
    /// The agent.
    Right,
}

pub struct Tape {
    sink: Box<dyn Sink>,
    /// µs of the worker's clock.
    began: u64,
    /// Of the chunk that is being filled.
    number: u32,
    /// Samples that were given away.
    given: u32,
    paused: bool,
    tracks: [Track; 2],
}

struct Track {
    law: Codec,
    /// From `given` on.
    codes: Box<[u8; ROOM]>,
    line: Option<Line>,
}

/// How a stream's timestamps lie on the tape.
struct Line {
    ssrc: u32,
    /// Position less timestamp.
    offset: u32,
    /// Packets in a row that were too late.
    late: u32,
}

impl Tape {
    /// A tape that begins now, with the law of each side.
    pub fn new(sink: Box<dyn Sink>, now: u64, laws: [Codec; 2]) -> Tape {
        let track = |law| Track { law, codes: Box::new([codec::silence(law); ROOM]), line: None };
        Tape { sink, began: now, number: 0, given: 0, paused: false, tracks: laws.map(track) }
    }

    /// What comes while it is paused is silence.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// A packet of one side has come: it lies where its timestamp says, from where its stream's first packet came.
    pub fn hear(&mut self, now: u64, side: Side, law: Codec, header: &Header, payload: &[u8]) {
        self.advance(now);
        if self.paused {
            return;
        }
        let arrival = samples(now - self.began);
        let track = &mut self.tracks[side as usize];
        let line = track.line.take().filter(|line| line.ssrc == header.ssrc);
        let anchored = || Line { ssrc: header.ssrc, offset: arrival.wrapping_sub(header.timestamp), late: 0 };
        let mut line = line.unwrap_or_else(anchored);
        let place = |line: &Line| header.timestamp.wrapping_add(line.offset).wrapping_sub(self.given) as i32;
        let lag = arrival.wrapping_sub(header.timestamp.wrapping_add(line.offset)) as i32;
        line.late = if lag > MARGIN as i32 { line.late + 1 } else { 0 };
        if lag < -(AHEAD as i32) || line.late >= SLOW || (header.marker && line.late > 0) {
            line = anchored();
        }
        if let Ok(at) = usize::try_from(place(&line)) {
            let payload = &payload[..payload.len().min(PAYLOAD)];
            let codes = &mut track.codes[at..at + payload.len()];
            match codec::transcoder(law, track.law) {
                None => codes.copy_from_slice(payload),
                Some(table) => codes.iter_mut().zip(payload).for_each(|(code, theirs)| *code = table[usize::from(*theirs)]),
            }
        }
        track.line = Some(line);
    }

    /// Gives away what is old enough.
    pub fn advance(&mut self, now: u64) {
        while samples(now - self.began).wrapping_sub(self.given) as usize >= CHUNK + MARGIN {
            self.give(CHUNK);
        }
    }

    /// The recording is over: the rest is given away.
    pub fn finish(mut self, now: u64) {
        self.advance(now);
        let rest = samples(now - self.began).wrapping_sub(self.given) as usize;
        if rest > 0 {
            self.give(rest);
        }
    }

    fn give(&mut self, length: usize) {
        let mut bytes = Vec::with_capacity(HEAD + 2 * length);
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.tracks.iter().map(|track| track.law.payload_type()));
        for track in &mut self.tracks {
            bytes.extend(&track.codes[..length]);
            track.codes.copy_within(length.., 0);
            track.codes[ROOM - length..].fill(codec::silence(track.law));
        }
        self.number += 1;
        self.given = self.given.wrapping_add(length as u32);
        self.sink.chunk(bytes);
    }
}

/// Reads a chunk back: its number, and the samples of both sides in turn (left, right). `None` for what is no chunk.
pub fn read(bytes: &[u8]) -> Option<(u32, Vec<[i16; 2]>)> {
    let (head, codes) = bytes.split_first_chunk::<HEAD>()?;
    let number = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let law = |payload_type: u8| [Codec::Pcmu, Codec::Pcma].into_iter().find(|law| law.payload_type() == payload_type).map(codec::decoding);
    let (left, right) = (law(head[4])?, law(head[5])?);
    if !codes.len().is_multiple_of(2) {
        return None;
    }
    let (one, other) = codes.split_at(codes.len() / 2);
    Some((number, one.iter().zip(other).map(|(one, other)| [left[usize::from(*one)], right[usize::from(*other)]]).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    const MS: u64 = 1000;

    impl Sink for Sender<Vec<u8>> {
        fn chunk(&mut self, bytes: Vec<u8>) {
            self.send(bytes).unwrap();
        }
    }

    fn tape(laws: [Codec; 2]) -> (Tape, Receiver<Vec<u8>>) {
        let (sink, chunks) = channel();
        (Tape::new(Box::new(sink), 5 * MS, laws), chunks)
    }

    fn header(timestamp: u32) -> Header {
        Header { marker: false, payload_type: 0, sequence: 0, timestamp, ssrc: 9 }
    }

    /// What lies on the tape, with what is missing as nothing.
    fn sound(chunks: &Receiver<Vec<u8>>) -> Vec<[i16; 2]> {
        let chunks: Vec<_> = chunks.try_iter().map(|chunk| read(&chunk).unwrap()).collect();
        assert!(chunks.iter().zip(0..).all(|((number, _), count)| *number == count));
        chunks.into_iter().flat_map(|(_, samples)| samples).collect()
    }

    const LOUD: u8 = 0x90;

    #[test]
    fn both_sides_lie_where_their_timestamps_say_whatever_the_delay() {
        let (mut tape, chunks) = tape([Codec::Pcmu, Codec::Pcma]);
        let start = 5 * MS;
        for n in 0..100u32 {
            let (now, late) = (start + u64::from(n) * 20 * MS, u64::from(n * 7 % 13) * 10 * MS);
            let late = if n == 0 { 0 } else { late };
            tape.hear(now + late, Side::Left, Codec::Pcmu, &header((u32::MAX - 700).wrapping_add(n * 160)), &[n as u8; 160]);
            if n >= 50 {
                tape.hear(now + late, Side::Right, Codec::Pcma, &header(n * 160), &[LOUD; 160]);
            }
        }
        tape.finish(start + 2100 * MS);
        let sound = sound(&chunks);
        assert_eq!(sound.len(), 16_800);
        for n in 0..100 {
            let left = codec::ULAW_TO_LINEAR[n];
            assert!(sound[n * 160..(n + 1) * 160].iter().all(|sample| sample[0] == left), "packet {n}");
        }
        let right = codec::ALAW_TO_LINEAR[usize::from(LOUD)];
        let began = sound.iter().position(|sample| sample[1] == right).unwrap();
        assert!((8000..8000 + 1280).contains(&began) && sound[..began].iter().all(|sample| sample[1].abs() <= 8), "{began}");
    }

    #[test]
    fn a_chunk_leaves_before_a_second_is_over() {
        let (mut tape, chunks) = tape([Codec::Pcmu; 2]);
        let mut whole = 0;
        for n in 0..200u64 {
            tape.advance(5 * MS + n * 20 * MS);
            whole += chunks.try_iter().map(|chunk| read(&chunk).unwrap().1.len()).sum::<usize>();
            assert!(n * 160 < whole as u64 + 6800, "{whole} samples after {} ms", n * 20);
        }
    }

    #[test]
    fn a_clock_that_jumps_or_runs_slow_is_followed_and_a_packet_far_too_late_is_not() {
        let (mut tape, chunks) = tape([Codec::Pcmu; 2]);
        let at = |ms: u64| 5 * MS + ms * MS;
        tape.hear(at(0), Side::Left, Codec::Pcmu, &header(0), &[1; 160]);
        tape.hear(at(2000), Side::Left, Codec::Pcmu, &header(160), &[2; 160]);
        tape.hear(at(2020), Side::Left, Codec::Pcmu, &header(1_000_000), &[3; 160]);
        for n in 1..=60 {
            tape.hear(at(2020 + n * 20), Side::Left, Codec::Pcmu, &header(500_000 + n as u32 * 160), &[4; 160]);
        }
        tape.hear(at(3240), Side::Left, Codec::Pcma, &header(500_000 + 61 * 160), &[LOUD; 160]);
        tape.pause(true);
        tape.hear(at(3260), Side::Left, Codec::Pcmu, &header(500_000 + 62 * 160), &[5; 160]);
        tape.finish(at(3300));
        let sound = sound(&chunks);
        let count = |code: u8| sound.iter().filter(|sample| sample[0] == codec::ULAW_TO_LINEAR[usize::from(code)]).count();
        assert_eq!((count(1), count(2), count(3), count(4), count(5)), (160, 0, 160, 11 * 160, 0));
        assert_eq!(count(codec::ALAW_TO_ULAW[usize::from(LOUD)]), 160);
        assert_eq!(sound.iter().position(|sample| sample[0] == codec::ULAW_TO_LINEAR[3]), Some(2020 * 8));
    }

    /// Whose timestamps stand still in a pause is late by that pause for ever.
    #[test]
    fn a_stream_that_falls_behind_is_followed_and_at_a_mark_at_once() {
        for (marked, whole) in [(false, 560), (true, 600)] {
            let (mut tape, chunks) = tape([Codec::Pcmu; 2]);
            for n in 0..600u32 {
                let pause = if n < 100 { 0 } else { 560 };
                let first = Header { marker: marked && n == 100, ..header(n * 160) };
                tape.hear(5 * MS + (u64::from(n) * 20 + pause) * MS, Side::Left, Codec::Pcmu, &first, &[1; 160]);
            }
            tape.finish(5 * MS + 12_560 * MS);
            let heard = sound(&chunks).iter().filter(|sample| sample[0] == codec::ULAW_TO_LINEAR[1]).count();
            assert!(heard >= whole * 160, "{} of 600 packets lie on the tape", heard / 160);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0, 0, 0, 0, 0, 8, 1]), None);
        assert_eq!(read(&[0, 0, 0, 0, 3, 8]), None);
        assert_eq!(read(&[7, 0, 0, 0, 0, 8]), Some((7, Vec::new())));
    }
}
