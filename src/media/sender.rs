//! The one stream that a party receives from us: whatever it is made of, its SSRC stays, its numbers go on and its timestamps keep step
//! with the clock.

use super::codec::FRAME;
use super::rtp::Header;

/// A step of the source's sequence numbers that is a new beginning, not a loss.
const JUMP: u16 = 1000;
/// Samples that another party's timestamps may be off our clock before they start anew from it: 10 s, for an event keeps its begin's for as
/// long as 8 s (RFC 4733 §2.5.1.3).
const ASTRAY: u32 = 80_000;
/// Samples that our own frames may be off the clock before they start anew from it: 100 ms.
const SLIP: u32 = 800;

/// Numbers our packets.
#[derive(Debug)]
pub struct Sender {
    pub ssrc: u32,
    /// The next packet's.
    sequence: u16,
    /// The last packet's.
    timestamp: u32,
    /// The clock's value at time 0.
    origin: u32,
    voice: Voice,
    pub packets: u64,
    pub octets: u64,
}

/// What the stream is made of at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Nothing,
    /// Frames of our own: prompts, music, a mix.
    Own,
    /// Another party's packets: what to add to their numbers, and their last number.
    Other {
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        last: u16,
    },
}

/// A worker's clock in µs as samples at 8 kHz.
pub fn samples(now: u64) -> u32 {
    (now / 125) as u32
}

impl Sender {
    /// With random numbers, as RFC 3550 §5.1 asks.
    pub fn new(random: u64, origin: u32) -> Sender {
        Sender {
            ssrc: (random >> 32) as u32,
            // In the lower half: the first wrap does not come at once, and SRTP's rollover counter can be guessed (RFC 3711 §3.3.1).
            sequence: random as u16 & 0x7FFF,
            timestamp: 0,
            origin,
            voice: Voice::Nothing,
            packets: 0,
            octets: 0,
        }
    }

    /// The clock's timestamp, or the earliest that may follow the last packet.
    fn clock(&self, now: u64) -> u32 {
        let clock = self.origin.wrapping_add(samples(now));
        let earliest = self.timestamp.wrapping_add(FRAME as u32);
        if self.packets > 0 && (clock.wrapping_sub(earliest) as i32) < 0 { earliest } else { clock }
    }

    fn keeps_step(&self, now: u64, timestamp: u32) -> bool {
        (timestamp.wrapping_sub(self.timestamp_at(now)) as i32).unsigned_abs() <= ASTRAY
    }

    /// The header of the next frame of our own.
    pub fn own(&mut self, now: u64, payload_type: u8) -> Header {
        let next = self.timestamp.wrapping_add(FRAME as u32);
        let slipped = self.clock(now).wrapping_sub(next) > SLIP;
        let marker = self.voice != Voice::Own || slipped;
        self.voice = Voice::Own;
        let timestamp = if marker { self.clock(now) } else { next };
        self.count(Header { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc })
    }

    /// The header of another party's packet: its gaps, its marks and its steps of time stay, so that loss and silence are heard as they
    /// were. A new source, or a new clock of it, starts a talk spurt at ours.
    pub fn other(&mut self, now: u64, theirs: &Header, payload_type: u8) -> Header {
        let (sequence, timestamp, marker) = match self.voice {
            Voice::Other { ssrc, sequence, timestamp, last }
                if ssrc == theirs.ssrc && near(last, theirs.sequence) && self.keeps_step(now, theirs.timestamp.wrapping_add(timestamp)) =>
            {
                (sequence, timestamp, theirs.marker)
            }
            _ => (self.sequence.wrapping_sub(theirs.sequence), self.clock(now).wrapping_sub(theirs.timestamp), true),
        };
        self.voice = Voice::Other { ssrc: theirs.ssrc, sequence, timestamp, last: theirs.sequence };
        self.count(Header {
            marker,
            payload_type,
            sequence: theirs.sequence.wrapping_add(sequence),
            timestamp: theirs.timestamp.wrapping_add(timestamp),
            ssrc: self.ssrc,
        })
    }

    /// A packet of the other party is not passed on: its number must not look lost.
    pub fn skip(&mut self, theirs: &Header) {
        if let Voice::Other { ssrc, sequence, last, .. } = &mut self.voice
            && *ssrc == theirs.ssrc
        {
            (*sequence, *last) = (sequence.wrapping_sub(1), theirs.sequence);
        }
    }

    /// Nothing was sent when something could have been: what comes next starts a talk spurt.
    pub fn pause(&mut self) {
        self.voice = Voice::Nothing;
    }

    /// The last packet's timestamp carried on to `now`, for a sender report.
    pub fn timestamp_at(&self, now: u64) -> u32 {
        self.origin.wrapping_add(samples(now))
    }

    fn count(&mut self, header: Header) -> Header {
        let next = header.sequence.wrapping_add(1);
        if (next.wrapping_sub(self.sequence) as i16) > 0 {
            self.sequence = next;
        }
        if self.packets == 0 || (header.timestamp.wrapping_sub(self.timestamp) as i32) > 0 {
            self.timestamp = header.timestamp;
        }
        self.packets += 1;
        header
    }
}

fn near(one: u16, other: u16) -> bool {
    let ahead = other.wrapping_sub(one);
    ahead < JUMP || ahead > JUMP.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;

    fn theirs(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 0, sequence, timestamp, ssrc }
    }

    #[test]
    fn own_frames_step_by_one_and_by_a_frame_whatever_the_clock_jitters() {
        let mut sender = Sender::new(0x1234_5678_0000_7FFF, u32::MAX - 1000);
        let first = sender.own(0, 0);
        assert!(first.marker);
        for n in 1..2000u32 {
            let header = sender.own(u64::from(n) * 20 * MS + u64::from(n % 7) * MS, 0);
            assert_eq!((header.marker, header.sequence), (false, first.sequence.wrapping_add(n as u16)));
            assert_eq!(header.timestamp, first.timestamp.wrapping_add(160 * n));
        }
    }

    #[test]
    fn after_a_pause_or_a_stall_the_clock_is_caught_up_with_a_mark() {
        let mut sender = Sender::new(0, 7);
        sender.own(0, 0);
        sender.pause();
        let after = sender.own(500 * MS, 0);
        assert_eq!((after.marker, after.timestamp), (true, 4007));
        let stalled = sender.own(900 * MS, 0);
        assert_eq!((stalled.marker, stalled.timestamp, stalled.sequence), (true, 7207, 2));
    }

    #[test]
    fn another_partys_packets_keep_their_gaps_and_steps() {
        let mut sender = Sender::new(0x9_0000_0010, 0);
        let own = sender.own(0, 0);
        let first = sender.other(40 * MS, &theirs(5, 60_000, 1), 0);
        assert_eq!((first.marker, first.sequence, first.timestamp, first.ssrc), (true, own.sequence + 1, 320, 9));
        let lost_two = sender.other(100 * MS, &theirs(5, 60_003, 481), 0);
        assert_eq!((lost_two.marker, lost_two.sequence, lost_two.timestamp), (false, first.sequence + 3, 800));
        let late = sender.other(101 * MS, &theirs(5, 60_002, 321), 0);
        assert_eq!((late.sequence, late.timestamp), (first.sequence + 2, 640));
        sender.skip(&theirs(5, 60_004, 641));
        let after = sender.other(140 * MS, &theirs(5, 60_005, 801), 0);
        assert_eq!((after.sequence, after.timestamp), (first.sequence + 4, 1120));
        let changed = sender.other(141 * MS, &theirs(6, 1, 99), 0);
        assert_eq!((changed.marker, changed.sequence), (true, first.sequence + 5));
        assert!(changed.timestamp >= 1280, "time never goes back");
        assert!(!sender.other(161 * MS, &theirs(6, 2, 259), 0).marker);
        assert!(sender.own(181 * MS, 0).marker, "our own voice again");
    }

    #[test]
    fn a_clock_of_theirs_that_jumps_is_set_by_ours_and_a_key_that_is_held_is_not() {
        let mut sender = Sender::new(0, 0);
        let first = sender.other(0, &theirs(5, 1, 5_000_000), 0);
        let back = sender.other(20 * MS, &theirs(5, 2, 160), 0);
        assert_eq!((back.marker, back.sequence, back.timestamp), (true, first.sequence + 1, 160));
        let next = sender.other(40 * MS, &theirs(5, 3, 320), 0);
        assert_eq!((next.marker, next.timestamp), (false, 320));
        let key = sender.other(8000 * MS, &theirs(5, 4, 480), 101);
        assert_eq!((key.marker, key.timestamp), (false, 480));
        let ahead = sender.other(8020 * MS, &theirs(5, 5, 1_000_000), 0);
        assert_eq!((ahead.marker, ahead.timestamp), (true, 64_160));
    }
}
