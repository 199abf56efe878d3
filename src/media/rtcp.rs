//! RTCP (RFC 3550 §6): our report, and what theirs says of us.

use super::reception::Report;

/// Longest report that we make: SR with one block, SDES with a CNAME of eight characters.
pub const LONGEST: usize = 28 + 24 + 20;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;

/// What a sender report says of its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// NTP's 64 bits.
    pub ntp: u64,
    pub timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What we remember of their last sender report: the middle of its NTP time, and how long ago it came, in 65536ths of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub last: u32,
    pub delay: u32,
}

/// Writes a compound report and gives its length.
pub fn write(to: &mut [u8; LONGEST], ssrc: u32, sent: Option<Sent>, report: Option<(Report, Heard)>) -> usize {
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        to[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    let blocks = u8::from(report.is_some());
    let words = 1 + if sent.is_some() { 5 } else { 0 } + 6 * u16::from(blocks);
    put(&[0x80 | blocks, if sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT }]);
    put(&words.to_be_bytes());
    put(&ssrc.to_be_bytes());
    if let Some(sent) = sent {
        put(&sent.ntp.to_be_bytes());
        [sent.timestamp, sent.packets, sent.octets].iter().for_each(|word| put(&word.to_be_bytes()));
    }
    if let Some((report, heard)) = report {
        let loss = u32::from(report.fraction) << 24 | report.lost & 0xFF_FFFF;
        [report.ssrc, loss, report.highest, report.jitter, heard.last, heard.delay].iter().for_each(|word| put(&word.to_be_bytes()));
    }
    // One chunk, one item: CNAME, eight characters, then the end and padding to a word.
    put(&[0x81, DESCRIPTION, 0, 4]);
    put(&ssrc.to_be_bytes());
    put(&[1, 8]);
    put(&hexadecimal(ssrc));
    put(&[0, 0]);
    at
}

fn hexadecimal(number: u32) -> [u8; 8] {
    std::array::from_fn(|digit| b"0123456789abcdef"[(number >> (28 - 4 * digit)) as usize & 0x0F])
}

/// What a compound packet says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The middle 32 bits of their sender report's NTP time.
    pub ntp: Option<u32>,
    /// Their block about the stream of this SSRC of ours, with what they heard of our sender reports.
    pub of_us: Option<(Report, Heard)>,
}

/// Reads a compound packet; `None` if it is none. What is cut short or unknown is passed over.
pub fn read(packet: &[u8], our_ssrc: u32) -> Option<Said> {
    let mut said = Said::default();
    let mut rest = packet;
    let mut first = true;
    while let Some(head) = rest.first_chunk::<4>() {
        if head[0] >> 6 != 2 || (first && !matches!(head[1], SENDER_REPORT | RECEIVER_REPORT)) {
            return None;
        }
        first = false;
        let length = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        let body = rest.get(4..length)?;
        let blocks = match head[1] {
            SENDER_REPORT => {
                said.ntp = Some(word(body, 4)? << 16 | word(body, 8)? >> 16);
                body.get(24..)?
            }
            RECEIVER_REPORT => body.get(4..)?,
            _ => &[],
        };
        for block in blocks.chunks_exact(24).take(usize::from(head[0] & 0x1F)) {
            said.of_us = read_block(block).filter(|(report, _)| report.ssrc == our_ssrc).or(said.of_us);
        }
        rest = &rest[length..];
    }
    (!first).then_some(said)
}

fn read_block(block: &[u8]) -> Option<(Report, Heard)> {
    let loss = word(block, 4)?;
    let report = Report {
        ssrc: word(block, 0)?,
        fraction: (loss >> 24) as u8,
        // 24 bits with a sign.
        lost: if loss & 0x80_0000 == 0 { loss & 0x7F_FFFF } else { 0 },
        highest: word(block, 8)?,
        jitter: word(block, 12)?,
    };
    Some((report, Heard { last: word(block, 16)?, delay: word(block, 20)? }))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(ssrc: u32, ntp: u64, timestamp: u32, fraction: u8, lost in 0u32..0x80_0000, jitter: u32, last: u32, delay: u32) {
            let report = Report { ssrc: 77, fraction, lost, highest: 5, jitter };
            let heard = Heard { last, delay };
            let mut bytes = [0; LONGEST];
            for (sent, block) in [(true, true), (true, false), (false, true), (false, false)] {
                let sent = sent.then_some(Sent { ntp, timestamp, packets: 1, octets: 160 });
                let length = write(&mut bytes, ssrc, sent, block.then_some((report, heard)));
                prop_assert_eq!(length % 4, 0);
                let said = read(&bytes[..length], 77).unwrap();
                prop_assert_eq!(said.ntp, sent.map(|_| (ntp >> 16) as u32));
                prop_assert_eq!(said.of_us, block.then_some((report, heard)));
                prop_assert_eq!(read(&bytes[..length], 78).unwrap().of_us, None);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), kind in 200u8..206) {
            let _ = read(&bytes, 1);
            let mut bent = bytes;
            if bent.len() > 4 {
                (bent[0], bent[1], bent[2]) = (0x81, kind, 0);
                let _ = read(&bent, 1);
            }
        }
    }

    /// §6.4.1: the count is signed, and doubled packets bring it below zero.
    #[test]
    fn more_received_than_were_sent_is_no_loss() {
        let report = Report { ssrc: 77, fraction: 0, lost: 0xFF_FFFE, highest: 5, jitter: 0 };
        let mut bytes = [0; LONGEST];
        let length = write(&mut bytes, 1, None, Some((report, Heard::default())));
        assert_eq!(read(&bytes[..length], 77).unwrap().of_us.unwrap().0.lost, 0);
    }

    #[test]
    fn rtp_is_no_rtcp() {
        assert_eq!(read(&[0x80, 0, 0, 1, 0, 0, 0, 0], 1), None);
        assert_eq!(read(&[], 1), None);
    }
}
