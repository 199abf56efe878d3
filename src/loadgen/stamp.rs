//! When a packet was sent, in the lowest bits of its codes: hardly heard beside the tone, and kept by whatever forwards or tapes G.711
//! untouched.

use super::tone::SAMPLES;
use crate::model::Time;

/// The first 32 codes say that there is a stamp, then come the time's 64 bits, then their opposites.
const SIGN: u32 = 0x5AC3_961F;
const OPPOSITE: usize = 96;

/// Stamps one packet.
pub fn put(payload: &mut [u8; SAMPLES], at: Time) {
    for (code, bit) in payload.iter_mut().zip(bits(at)) {
        *code = *code & !1 | bit;
    }
}

/// When these codes were sent, if they are one whole packet with a stamp.
pub fn read(codes: &[u8; SAMPLES]) -> Option<Time> {
    let at = codes[32..OPPOSITE].iter().fold(0, |at, code| at << 1 | u64::from(code & 1));
    codes.iter().zip(bits(Time(at))).all(|(code, bit)| code & 1 == bit).then_some(Time(at))
}

fn bits(at: Time) -> impl Iterator<Item = u8> {
    let word = |word: u64, length: u32| (0..length).rev().map(move |place| (word >> place) as u8 & 1);
    word(SIGN.into(), 32).chain(word(at.0, 64)).chain(word(!at.0, 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loadgen::tone;

    #[test]
    fn a_stamp_is_read_where_it_lies_and_nowhere_else_and_the_tone_is_still_known() {
        for (tone, at) in (0..tone::TONES).zip((1_795_489_200_000_000..).step_by(20_011)) {
            let mut payload = tone::payload(tone);
            assert_eq!(read(&payload), None);
            put(&mut payload, Time(at));
            assert_eq!((tone::recognise(&payload), read(&payload)), (Some(tone), Some(Time(at))));
            // Whoever listens to a recording has samples.
            assert_eq!(read(&payload.map(|code| tone::encode(tone::decode(code)))), Some(Time(at)));
            let twice = [payload, payload].concat();
            let found = twice.windows(SAMPLES).filter_map(|codes| read(codes.try_into().unwrap()));
            assert_eq!(found.collect::<Vec<_>>(), [Time(at); 2]);
        }
    }
}
