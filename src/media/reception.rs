//! What a leg received, counted as RFC 3550 §6.4 and §A.8 do.

use super::rtp::Header;
use std::time::Duration;

/// A jump of the sequence numbers that is a new beginning, not a loss.
const JUMP: u16 = 3000;

/// The figures of one party's stream, over all its SSRCs.
#[derive(Debug, Default)]
pub struct Reception {
    stream: Option<Stream>,
    /// Packets, over all streams.
    pub received: u64,
    /// Packets that streams before this one missed.
    lost_before: u64,
    /// In samples, times sixteen.
    jitter: u32,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    /// Of the sequence numbers, extended to 32 bits.
    first: u32,
    highest: u32,
    received: u64,
    /// Arrival less timestamp, of the last packet.
    transit: u32,
    /// What was expected and received when the last report was made.
    reported: (u64, u64),
}

impl Stream {
    fn expected(&self) -> u64 {
        u64::from(self.highest.wrapping_sub(self.first)) + 1
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }
}

/// One reception report block (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub ssrc: u32,
    /// In 256ths, since the last report.
    pub fraction: u8,
    pub lost: u32,
    pub highest: u32,
    /// In samples.
    pub jitter: u32,
}

impl Reception {
    /// Counts a packet that arrived at `clock`, in samples of any origin. Telephone events repeat their timestamp, so they say nothing
    /// about jitter. True if the stream is a new one.
    pub fn receive(&mut self, clock: u32, header: &Header, event: bool) -> bool {
        self.received += 1;
        let transit = clock.wrapping_sub(header.timestamp);
        let sequence = u32::from(header.sequence);
        let known = self.stream.as_mut().filter(|stream| {
            let ahead = header.sequence.wrapping_sub(stream.highest as u16);
            stream.ssrc == header.ssrc && (ahead < JUMP || ahead > JUMP.wrapping_neg())
        });
        let Some(stream) = known else {
            self.lost_before += self.stream.as_ref().map_or(0, Stream::lost);
            // Far from zero, so that a packet from before the first has room.
            let first = 0x1_0000 | sequence;
            self.stream = Some(Stream { ssrc: header.ssrc, first, highest: first, received: 1, transit, reported: (0, 0) });
            return true;
        };
        stream.received += 1;
        let ahead = header.sequence.wrapping_sub(stream.highest as u16);
        if ahead < JUMP {
            stream.highest = stream.highest.wrapping_add(u32::from(ahead));
        }
        if !event {
            let difference = (transit.wrapping_sub(stream.transit) as i32).unsigned_abs();
            stream.transit = transit;
            // A pause of the sender is no jitter.
            if difference < 8000 {
                self.jitter = (self.jitter + difference).saturating_sub((self.jitter + 8) >> 4);
            }
        }
        false
    }

    /// Counts a packet that nobody will hear, such as comfort noise, if it is of the present stream.
    pub fn passes(&mut self, clock: u32, header: &Header) -> bool {
        let same = self.stream.as_ref().is_some_and(|stream| stream.ssrc == header.ssrc);
        same && !self.receive(clock, header, true)
    }

    pub fn lost(&self) -> u64 {
        self.lost_before + self.stream.as_ref().map_or(0, Stream::lost)
    }

    pub fn jitter(&self) -> Duration {
        Duration::from_micros(u64::from(self.jitter >> 4) * 125)
    }

    /// The block for the next report, if anything is received; begins a new interval.
    pub fn report(&mut self) -> Option<Report> {
        let jitter = self.jitter >> 4;
        let stream = self.stream.as_mut()?;
        let (expected, received) = (stream.expected() - stream.reported.0, stream.received - stream.reported.1);
        stream.reported = (stream.expected(), stream.received);
        let missed = expected.saturating_sub(received);
        let fraction = (missed * 256).checked_div(expected).unwrap_or(0).min(255) as u8;
        Some(Report { ssrc: stream.ssrc, fraction, lost: stream.lost().min(0x7F_FFFF) as u32, highest: stream.highest, jitter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(reception: &mut Reception, ssrc: u32, sequence: u16, late: u32) -> bool {
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc };
        reception.receive(timestamp.wrapping_add(late), &header, false)
    }

    #[test]
    fn losses_are_what_the_numbers_say_across_wrap_and_disorder() {
        let mut reception = Reception::default();
        let sent = (65_500u32..65_700).map(|n| n as u16);
        for (index, sequence) in sent.enumerate() {
            if index % 10 != 3 {
                assert_eq!(receive(&mut reception, 1, sequence, 0), index == 0);
            }
        }
        assert_eq!((reception.received, reception.lost()), (180, 20));
        let report = reception.report().unwrap();
        assert_eq!((report.fraction, report.lost), ((20 * 256 / 200) as u8, 20));
        receive(&mut reception, 1, 65_503, 0);
        assert_eq!(reception.lost(), 19, "one came late");
        assert_eq!(reception.report().unwrap().fraction, 0, "a new interval");
        assert!(receive(&mut reception, 2, 9, 0), "another stream");
        assert_eq!(reception.lost(), 19);
    }

    #[test]
    fn jitter_settles_at_the_mean_difference() {
        let mut reception = Reception::default();
        for sequence in 0..500 {
            receive(&mut reception, 1, sequence, if sequence % 2 == 0 { 0 } else { 80 });
        }
        let milliseconds = reception.jitter().as_secs_f64() * 1000.0;
        assert!((9.0..=10.0).contains(&milliseconds), "{milliseconds}");
    }
}
