//! What can be heard in recorded sound: tones, prompts, music. Everything is 16-bit samples at 8 kHz.

use hound::WavReader;
use std::path::Path;

pub const RATE: usize = 8_000;
/// Speech and music are compared at a quarter of the rate: enough to tell any two prompts apart, and sixteen times faster.
const COARSE: usize = 4;
/// Places of which the exact correlation is taken.
const SECOND_LOOKS: usize = 50;
/// From this correlation on a recording is what was looked for; different speech stays below 0.35.
pub const SAME: f64 = 0.7;

/// A G.711 µ-law byte's sample (ITU-T G.711, table 2a).
pub fn from_ulaw(byte: u8) -> i16 {
    let code = !byte;
    let (exponent, mantissa) = (i32::from(code >> 4 & 7), i32::from(code & 15));
    let magnitude = ((2 * mantissa + 33) << exponent) - 33;
    (if code & 0x80 == 0 { 4 * magnitude } else { -4 * magnitude }) as i16
}

/// The µ-law byte of a sample.
pub fn to_ulaw(sample: i16) -> u8 {
    let magnitude = ((i32::from(sample).abs() >> 2) + 33).min(0x1fff);
    let exponent = (magnitude >> 5).ilog2().min(7);
    let mantissa = (magnitude >> (exponent + 1)) & 15;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (exponent as u8) << 4 | mantissa as u8)
}

/// Sample `index` of a tone.
pub fn tone(hertz: f64, index: usize) -> i16 {
    (8_000.0 * (std::f64::consts::TAU * hertz * index as f64 / RATE as f64).sin()) as i16
}

/// What a recorder has written so far: 16-bit samples at 8 kHz behind a header of 44 bytes that is not true before the end.
pub fn read_growing(path: &Path) -> Vec<i16> {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.get(44..).unwrap_or_default().chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A WAV file's first channel, brought to 8 kHz.
pub fn read(path: &Path) -> Vec<i16> {
    let mut file = WavReader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (channels, rate) = (usize::from(file.spec().channels), file.spec().sample_rate as usize);
    assert!(rate % RATE == 0, "{}: {rate} Hz", path.display());
    let samples: Vec<i16> = file.samples::<i16>().step_by(channels).map(|sample| sample.expect("a whole file")).collect();
    averaged(&samples, rate / RATE, 0)
}

/// The share of the sound's power that is at `hertz` (Goertzel): 1 for a pure tone, 0 in silence.
pub fn share(samples: &[i16], hertz: f64) -> f64 {
    let (mut last, mut before) = (0.0, 0.0);
    let coefficient = 2.0 * (std::f64::consts::TAU * hertz / RATE as f64).cos();
    for sample in samples {
        (last, before) = (f64::from(*sample) + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    let all: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    if all == 0.0 { 0.0 } else { 2.0 * power / (all * samples.len() as f64) }
}

/// Root of the mean square.
pub fn loudness(samples: &[i16]) -> f64 {
    let all: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (all / samples.len().max(1) as f64).sqrt()
}

/// How long the tone sounds, in milliseconds: the 100 ms windows in which it has nine tenths of the power.
pub fn tone_ms(samples: &[i16], hertz: f64) -> usize {
    let windows = samples.chunks_exact(RATE / 10);
    100 * windows.filter(|window| loudness(window) > 100.0 && share(window, hertz) > 0.9).count()
}

/// How long anything else sounds, by the same windows; one in which a packet is missing may be either.
pub fn other_ms(samples: &[i16], hertz: f64) -> usize {
    let windows = samples.chunks_exact(RATE / 10);
    100 * windows.filter(|window| loudness(window) > 100.0 && share(window, hertz) < 0.3).count()
}

/// How well the loudest half second of `what` is found anywhere in `heard`: its best normalised correlation, and where it is best.
pub fn find(what: &[i16], heard: &[i16]) -> (f64, usize) {
    let needle = averaged(loudest(what, RATE / 2), COARSE, 0);
    // The recording may be off the needle's grid by less than one coarse sample.
    let phases = (0..COARSE).map(|phase| {
        let (score, at) = correlate(&needle, &averaged(heard, COARSE, phase));
        (score, at * COARSE + phase)
    });
    phases.max_by(|one, other| one.0.total_cmp(&other.0)).expect("there are phases")
}

/// The loudest stretch of so many samples.
pub fn loudest(samples: &[i16], length: usize) -> &[i16] {
    let length = length.min(samples.len());
    let starts = (0..=samples.len() - length).step_by(RATE / 20);
    let start = starts.max_by(|one, other| loudness(&samples[*one..*one + length]).total_cmp(&loudness(&samples[*other..*other + length])));
    let start = start.unwrap_or(0);
    &samples[start..start + length]
}

fn averaged(samples: &[i16], by: usize, from: usize) -> Vec<i16> {
    let mean = |chunk: &[i16]| (chunk.iter().map(|sample| i32::from(*sample)).sum::<i32>() / by as i32) as i16;
    samples.get(from..).unwrap_or_default().chunks_exact(by).map(mean).collect()
}

/// The best normalised correlation: one bit a sample finds the places that are worth a second look.
fn correlate(needle: &[i16], heard: &[i16]) -> (f64, usize) {
    if needle.is_empty() || heard.len() < needle.len() {
        return (0.0, 0);
    }
    let (needle_signs, heard_signs) = (signs(needle), signs(heard));
    let mut places: Vec<(u32, usize)> =
        (0..=heard.len() - needle.len()).map(|at| (differing(&needle_signs, &heard_signs, at), at)).collect();
    places.sort_unstable();
    let scores = places.iter().take(SECOND_LOOKS).map(|(_, at)| (normalised(needle, &heard[*at..*at + needle.len()]), *at));
    scores.max_by(|one, other| one.0.total_cmp(&other.0)).expect("there is a place")
}

/// The samples' signs, 64 a word, and one word more; what does not fill a word is left out.
fn signs(samples: &[i16]) -> Vec<u64> {
    let word = |chunk: &[i16]| chunk.iter().enumerate().fold(0, |word, (bit, sample)| word | u64::from(*sample < 0) << bit);
    samples.chunks_exact(64).map(word).chain([0]).collect()
}

/// How many signs differ from `at` on.
fn differing(needle: &[u64], heard: &[u64], at: usize) -> u32 {
    let (first, shift) = (at / 64, at % 64);
    let mut differing = 0;
    for (index, word) in needle[..needle.len() - 1].iter().enumerate() {
        let low = heard.get(first + index).copied().unwrap_or_default() >> shift;
        let high = heard.get(first + index + 1).copied().unwrap_or_default().checked_shl(64 - shift as u32).unwrap_or_default();
        differing += (word ^ (low | high)).count_ones();
    }
    differing
}

fn normalised(one: &[i16], other: &[i16]) -> f64 {
    let product =
        |one: &[i16], other: &[i16]| -> f64 { one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum() };
    let powers = product(one, one) * product(other, other);
    if powers == 0.0 { 0.0 } else { product(one, other) / powers.sqrt() }
}

#[test]
fn a_tone_is_told_from_another_and_from_silence() {
    let sound: Vec<i16> = (0..RATE).map(|index| from_ulaw(to_ulaw(tone(700.0, index)))).collect();
    assert!(share(&sound, 700.0) > 0.99);
    assert!(share(&sound, 440.0) < 0.01);
    assert_eq!(tone_ms(&sound, 700.0), 1_000);
    assert_eq!(tone_ms(&vec![0; RATE], 700.0), 0);
    let sample = |hertz: f64| (0..RATE).map(|index| tone(hertz, index)).collect::<Vec<i16>>();
    assert_eq!([other_ms(&sample(700.0), 700.0), other_ms(&sample(600.0), 700.0), other_ms(&[0; RATE], 700.0)], [0, 1_000, 0]);
    let music = read(&super::centre::prompt("hold-music"));
    assert!(other_ms(&music[..5 * RATE], 700.0) >= 2_000, "{} ms of 5 s", other_ms(&music[..5 * RATE], 700.0));
}

#[test]
fn a_sound_is_found_where_it_is_and_nowhere_else() {
    // Two chirps, one the other's mirror image in time.
    let chirp: Vec<i16> = (0..RATE).map(|index| tone(200.0 + index as f64 / 40.0, index)).collect();
    let mirrored: Vec<i16> = chirp.iter().rev().copied().collect();
    let heard = [vec![0; 1_003], chirp.clone(), vec![0; 500]].concat();
    let part = loudest(&chirp, RATE / 2);
    let offset = (part.as_ptr() as usize - chirp.as_ptr() as usize) / 2;
    let (score, at) = find(&chirp, &heard);
    assert!(score > 0.95 && at.abs_diff(1_003 + offset) <= COARSE, "{score} at {at}");
    assert!(find(&mirrored, &heard).0 < SAME);
}
