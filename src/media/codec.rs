//! G.711 (ITU-T): µ-law and A-law to 16-bit linear and back, and from one to the other.

pub use crate::leg::negotiate::Codec;

/// Samples in a packet of 20 ms.
pub const FRAME: usize = 160;

/// Linear value of each µ-law code: G.711's 14-bit output values, times four.
pub static ULAW_TO_LINEAR: [i16; 256] = ulaw_decoding();
/// Linear value of each A-law code: G.711's 13-bit output values, times eight.
pub static ALAW_TO_LINEAR: [i16; 256] = alaw_decoding();
/// The A-law code nearest to each µ-law code.
pub static ULAW_TO_ALAW: [u8; 256] = transcoding(Codec::Pcmu);
/// The µ-law code nearest to each A-law code.
pub static ALAW_TO_ULAW: [u8; 256] = transcoding(Codec::Pcma);

/// The code of silence.
pub fn silence(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0xFF,
        Codec::Pcma => 0xD5,
    }
}

pub fn decoding(codec: Codec) -> &'static [i16; 256] {
    match codec {
        Codec::Pcmu => &ULAW_TO_LINEAR,
        Codec::Pcma => &ALAW_TO_LINEAR,
    }
}

pub fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcmu => linear_to_ulaw(sample),
        Codec::Pcma => linear_to_alaw(sample),
    }
}

/// The table from one law to the other; `None` between equals, where nothing is touched.
pub fn transcoder(from: Codec, to: Codec) -> Option<&'static [u8; 256]> {
    match (from, to) {
        (Codec::Pcmu, Codec::Pcma) => Some(&ULAW_TO_ALAW),
        (Codec::Pcma, Codec::Pcmu) => Some(&ALAW_TO_ULAW),
        (Codec::Pcmu, Codec::Pcmu) | (Codec::Pcma, Codec::Pcma) => None,
    }
}

const fn ulaw_decoding() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = ulaw_to_linear(code as u8);
        code += 1;
    }
    table
}

const fn alaw_decoding() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = alaw_to_linear(code as u8);
        code += 1;
    }
    table
}

const fn transcoding(from: Codec) -> [u8; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match from {
            Codec::Pcmu => linear_to_alaw(ulaw_to_linear(code as u8)),
            Codec::Pcma => linear_to_ulaw(alaw_to_linear(code as u8)),
        };
        code += 1;
    }
    table
}

/// Codes are sent with all bits inverted (G.711 §3.2): three bits of segment, four of step, biased by 33 in 14 bits.
const fn ulaw_to_linear(code: u8) -> i16 {
    let bits = !code;
    let magnitude = ((((bits & 0x0F) as i16) << 3) + 0x84) << ((bits & 0x70) >> 4);
    if bits & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }
}

/// Codes are sent with the even bits inverted (G.711 §3.1): three bits of segment, four of step, the first two segments alike.
const fn alaw_to_linear(code: u8) -> i16 {
    let bits = code ^ 0x55;
    let segment = (bits & 0x70) >> 4;
    let step = ((bits & 0x0F) as i16) << 4;
    let magnitude = if segment == 0 { step + 8 } else { (step + 0x108) << (segment - 1) };
    if bits & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn linear_to_ulaw(sample: i16) -> u8 {
    // Fourteen bits, as G.711's tables have them.
    let (mask, value) = if sample < 0 { (0x7F, -(sample as i32 >> 2)) } else { (0xFF, sample as i32 >> 2) };
    let biased = if value > 8158 { 8191 } else { value + 33 };
    let segment = 26 - (biased as u32).leading_zeros() as i32;
    let step = (biased >> (segment + 1)) & 0x0F;
    ((segment << 4 | step) as u8) ^ mask
}

const fn linear_to_alaw(sample: i16) -> u8 {
    // Thirteen bits, as G.711's tables have them.
    let (mask, value) = if sample < 0 { (0x55, -1 - (sample as i32 >> 3)) } else { (0xD5, sample as i32 >> 3) };
    if value < 32 {
        return ((value >> 1) as u8) ^ mask;
    }
    let segment = 27 - (value as u32).leading_zeros() as i32;
    let step = (value >> segment) & 0x0F;
    ((segment << 4 | step) as u8) ^ mask
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a.
    fn fingerprint(bytes: impl Iterator<Item = u8>) -> u64 {
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// G.711 tables 2a and 2b: the output values y of the first and the last step of each segment, in 14 bits.
    #[test]
    fn mu_law_is_the_recommendations_table() {
        let first = [0, 33, 99, 231, 495, 1023, 2079, 4191];
        let last = [30, 93, 219, 471, 975, 1983, 3999, 8031];
        for segment in 0..8usize {
            for (step, value) in [(0, first[segment]), (15, last[segment])] {
                let positive = !((segment << 4 | step) as u8);
                assert_eq!(ULAW_TO_LINEAR[usize::from(positive)], value * 4, "segment {segment} step {step}");
                assert_eq!(ULAW_TO_LINEAR[usize::from(positive & 0x7F)], -value * 4, "segment {segment} step {step}");
            }
        }
    }

    /// G.711 tables 1a and 1b: the output values of the first and the last step of each segment, in 13 bits.
    #[test]
    fn a_law_is_the_recommendations_table() {
        let first = [1, 33, 66, 132, 264, 528, 1056, 2112];
        let last = [31, 63, 126, 252, 504, 1008, 2016, 4032];
        for segment in 0..8usize {
            for (step, value) in [(0, first[segment]), (15, last[segment])] {
                let positive = ((segment << 4 | step) as u8 | 0x80) ^ 0x55;
                assert_eq!(ALAW_TO_LINEAR[usize::from(positive)], value * 8, "segment {segment} step {step}");
                assert_eq!(ALAW_TO_LINEAR[usize::from(positive & 0x7F | !positive & 0x80)], -value * 8, "segment {segment} step {step}");
            }
        }
    }

    /// All 65,536 samples, against what another implementation (Python's audioop) makes of them.
    #[test]
    fn every_sample_encodes_as_elsewhere() {
        let all = || i16::MIN..=i16::MAX;
        assert_eq!(fingerprint(all().map(|s| encode(Codec::Pcmu, s))), 0xd5ee23f7d0ffae91);
        assert_eq!(fingerprint(all().map(|s| encode(Codec::Pcma, s))), 0xf030666eb780cf25);
    }

    #[test]
    fn codes_survive_the_way_there_and_back() {
        for code in 0..=255u8 {
            assert_eq!(encode(Codec::Pcma, ALAW_TO_LINEAR[usize::from(code)]), code);
            // µ-law has two zeros; the negative one comes back as the other.
            let back = encode(Codec::Pcmu, ULAW_TO_LINEAR[usize::from(code)]);
            assert_eq!(back, if code == 0x7F { 0xFF } else { code });
        }
        assert_eq!(transcoder(Codec::Pcmu, Codec::Pcmu), None);
        for codec in [Codec::Pcmu, Codec::Pcma] {
            assert_eq!(decoding(codec)[usize::from(silence(codec))].unsigned_abs() & !8, 0);
        }
    }
}
