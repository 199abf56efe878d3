//! A tone of its own for each party, so that each can say whom it heard.
//!
//! A tone is two sines, both multiples of 50 Hz: in the 160 samples of a 20 ms packet each makes whole turns, so one payload is sent
//! again and again, and a packet alone tells which tone it holds. Music and speech do not put nine tenths of their power there.

use std::f64::consts::PI;
use std::sync::LazyLock;

pub const SAMPLES: usize = 160;
/// So many tones can be told apart; numbers go around.
pub const TONES: usize = LOW * HIGH;
/// Callers' tones start here; agents' are below.
pub const CALLERS_FROM: usize = 100;
const LOW: usize = 7;
const HIGH: usize = 30;

fn low(tone: usize) -> usize {
    300 + 50 * (tone % LOW)
}
fn high(tone: usize) -> usize {
    1800 + 50 * (tone / LOW % HIGH)
}

/// The tone of caller `n`.
pub fn of_caller(n: u64) -> usize {
    CALLERS_FROM + (n % (TONES - CALLERS_FROM) as u64) as usize
}

/// One packet's payload of this tone, G.711 µ-law.
pub fn payload(tone: usize) -> [u8; SAMPLES] {
    std::array::from_fn(|i| {
        let turn = 2.0 * PI * i as f64 / 8000.0;
        let sample = 6000.0 * ((turn * low(tone) as f64).sin() + (turn * high(tone) as f64).sin());
        encode(sample as i16)
    })
}

/// The tone that fills this payload, if one does.
pub fn recognise(payload: &[u8]) -> Option<usize> {
    if payload.len() != SAMPLES {
        return None;
    }
    let samples: [f64; SAMPLES] = std::array::from_fn(|i| f64::from(DECODED[payload[i] as usize]));
    let power: f64 = samples.iter().map(|s| s * s).sum();
    // Quieter than −40 dBm0 or so is silence.
    if power < SAMPLES as f64 * 100.0 * 100.0 {
        return None;
    }
    // A sine's bin holds its amplitude² × (N/2)²; its share of the whole power is that ÷ (power × N/2).
    let share = |hz: usize| bin(&samples, hz) / (power * SAMPLES as f64 / 2.0);
    let strongest = |hz: &dyn Fn(usize) -> usize, count: usize| {
        let shares = (0..count).map(|i| (share(hz(i)), i));
        shares.max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are bins")
    };
    let (low_share, low) = strongest(&|i| 300 + 50 * i, LOW);
    let (high_share, high) = strongest(&|i| 1800 + 50 * i, HIGH);
    (low_share > 0.35 && high_share > 0.35 && low_share + high_share > 0.9).then_some(high * LOW + low)
}

/// Goertzel: the squared magnitude at `hz`.
fn bin(samples: &[f64; SAMPLES], hz: usize) -> f64 {
    let c = 2.0 * (2.0 * PI * hz as f64 / 8000.0).cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for sample in samples {
        let s0 = sample + c * s1 - s2;
        s2 = s1;
        s1 = s0;
    }
    s1 * s1 + s2 * s2 - c * s1 * s2
}

static DECODED: LazyLock<[i16; 256]> = LazyLock::new(|| std::array::from_fn(|byte| decode(byte as u8)));

/// One µ-law byte as a linear sample (ITU-T G.711).
pub fn decode(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((i32::from(byte & 0x0f) << 3) + 0x84) << ((byte & 0x70) >> 4);
    (if byte & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }) as i16
}

/// One linear sample as a µ-law byte (ITU-T G.711).
pub fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = (i32::from(sample).abs() + 0x84).min(0x7fff);
    let exponent = 7 - (magnitude.leading_zeros() - 17).min(7);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loadgen::chance::Chance;

    #[test]
    fn companding_comes_back_to_the_same_byte() {
        for byte in 0..=255u8 {
            // 0x7f and 0xff are −0 and +0.
            let again = encode(decode(byte));
            assert!(again == byte || (byte == 0x7f && again == 0xff), "{byte:#x} {again:#x}");
        }
        assert_eq!((encode(0), decode(0x00), decode(0x80)), (0xff, -32124, 32124));
    }

    #[test]
    fn every_tone_is_told_from_every_other() {
        for tone in 0..TONES {
            assert_eq!(recognise(&payload(tone)), Some(tone));
        }
    }

    #[test]
    fn a_tone_is_known_when_it_begins_anywhere_and_a_mixture_is_not() {
        let mut shifted = payload(17);
        shifted.rotate_left(53);
        assert_eq!(recognise(&shifted), Some(17));
        let both: Vec<u8> =
            payload(17).iter().zip(payload(120)).map(|(a, b)| encode((decode(*a) / 2).saturating_add(decode(b) / 2))).collect();
        assert_eq!(recognise(&both), None);
    }

    #[test]
    fn silence_noise_and_a_chord_are_no_tone() {
        assert_eq!(recognise(&[0xff; SAMPLES]), None);
        assert_eq!(recognise(&[0xff; 80]), None);
        let mut chance = Chance::new(5);
        for _ in 0..200 {
            let noise: [u8; SAMPLES] = std::array::from_fn(|_| chance.draw() as u8);
            assert_eq!(recognise(&noise), None);
        }
        let chord: [u8; SAMPLES] = std::array::from_fn(|i| {
            let turn = 2.0 * PI * i as f64 / 8000.0;
            encode((4000.0 * [440.0, 554.4, 659.3].iter().map(|hz| (turn * hz).sin()).sum::<f64>()) as i16)
        });
        assert_eq!(recognise(&chord), None);
    }
}
