//! RTP on the wire (RFC 3550 §5.1). Our own eighty lines, since crate `rtp` collects CSRCs and extensions into vectors at every packet
//! read; the tests compare the two.

use std::ops::Range;

/// Bytes of the header that we write.
pub const HEADER: usize = 12;

/// What matters of a packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

impl Header {
    /// Reads a packet: its header, and where its payload lies. `None` for what is no RTP of version 2.
    pub fn read(packet: &[u8]) -> Option<(Header, Range<usize>)> {
        let fixed: &[u8; HEADER] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut start = HEADER + 4 * usize::from(fixed[0] & 0x0F);
        if fixed[0] & 0x10 != 0 {
            let words = packet.get(start + 2..start + 4)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let padding = if fixed[0] & 0x20 != 0 { usize::from(*packet.last()?).max(1) } else { 0 };
        let end = packet.len().checked_sub(padding).filter(|end| *end >= start)?;
        let header = Header {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7F,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        Some((header, start..end))
    }

    /// Writes the twelve bytes, without CSRC, extension or padding.
    pub fn write(&self, to: &mut [u8; HEADER]) {
        to[0] = 0x80;
        to[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7F;
        to[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        to[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        to[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::rtp::header::Header as Other;
    use proptest::prelude::*;
    use webrtc_util::marshal::{Marshal, MarshalSize, Unmarshal};

    proptest! {
        #[test]
        fn what_we_write_crate_rtp_reads(marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32) {
            let ours = Header { marker, payload_type, sequence, timestamp, ssrc };
            let mut bytes = [0; HEADER];
            ours.write(&mut bytes);
            let theirs = Other::unmarshal(&mut &bytes[..]).unwrap();
            prop_assert_eq!((theirs.version, theirs.marker, theirs.payload_type), (2, marker, payload_type));
            prop_assert_eq!((theirs.sequence_number, theirs.timestamp, theirs.ssrc), (sequence, timestamp, ssrc));
            prop_assert_eq!(Header::read(&bytes), Some((ours, HEADER..HEADER)));
        }

        #[test]
        fn what_crate_rtp_writes_we_read(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            csrc in prop::collection::vec(any::<u32>(), 0..15), extension in any::<bool>(), payload in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut theirs = Other { version: 2, marker, payload_type, sequence_number: sequence, timestamp, ssrc, csrc, ..Other::default() };
            if extension {
                theirs.set_extension(1, vec![1, 2, 3].into()).unwrap();
            }
            let mut bytes = vec![0; theirs.marshal_size()];
            theirs.marshal_to(&mut bytes).unwrap();
            let start = bytes.len();
            bytes.extend(&payload);
            let ours = Header { marker, payload_type, sequence, timestamp, ssrc };
            prop_assert_eq!(Header::read(&bytes), Some((ours, start..bytes.len())));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some((_, range)) = Header::read(&bytes) {
                prop_assert!(range.start >= HEADER && range.end <= bytes.len());
            }
        }
    }

    #[test]
    fn padding_is_no_payload() {
        let mut packet = vec![0xA0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 7, 7, 7, 0, 0, 3];
        assert_eq!(Header::read(&packet).unwrap().1, 12..15);
        *packet.last_mut().unwrap() = 7;
        assert_eq!(Header::read(&packet), None, "more padding than packet");
    }
}
