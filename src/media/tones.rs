//! Keys by the sound of their two tones (ITU-T Q.23, Q.24), for parties that do not speak telephone-event.

/// 12.75 ms: short enough for the shortest key of 40 ms to fill two, long enough to tell neighbours apart.
const BLOCK: usize = 102;
const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const NAMES: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// Weakest tone that counts, in squared amplitude: about -30 dBm0.
const WEAKEST: f32 = 700.0 * 700.0;
/// Part of a block's energy that the two tones must hold together, so that a voice is no key.
const PURITY: f32 = 0.8;
/// How much stronger than the others of its group a tone must be.
const CLEAR: f32 = 6.3;
/// How much stronger the row or the column may be than the other: 8 dB.
const TWIST: f32 = 6.3;

/// Every key that has tones.
pub const KEYS: &str = "0123456789*#ABCD";
/// How long a key of ours sounds, and the pause after it, in samples: 100 and 60 ms (Q.24 asks for 40 of each).
const SOUNDS: usize = 800;
const PAUSE: usize = 480;

/// A key's two tones at 8 kHz and the pause after it; the column is 2 dB louder, as telephones make it.
pub fn samples(key: char) -> Vec<i16> {
    let places = NAMES.iter().enumerate().flat_map(|(row, keys)| keys.iter().enumerate().map(move |(column, key)| (*key, row, column)));
    let (_, row, column) = places.into_iter().find(|(name, _, _)| *name == key).expect("a key of a telephone");
    let wave = |hertz: f32, n: usize| (2.0 * std::f32::consts::PI * hertz * n as f32 / 8000.0).sin();
    let sample = |n: usize| (5600.0 * wave(ROWS[row], n) + 7000.0 * wave(COLUMNS[column], n)) as i16;
    (0..SOUNDS).map(sample).chain(std::iter::repeat_n(0, PAUSE)).collect()
}

/// Listens to one party.
#[derive(Debug)]
pub struct Detector {
    /// Two-pole state of each of the eight frequencies.
    states: [(f32, f32); 8],
    coefficients: [f32; 8],
    energy: f32,
    filled: usize,
    /// What the last block held.
    before: Option<char>,
    /// The key that is down; it is up again after two blocks without it.
    down: Option<char>,
}

impl Default for Detector {
    fn default() -> Detector {
        let mut coefficients = [0.0; 8];
        for (coefficient, hertz) in coefficients.iter_mut().zip(ROWS.iter().chain(&COLUMNS)) {
            *coefficient = 2.0 * (2.0 * std::f32::consts::PI * hertz / 8000.0).cos();
        }
        Detector { states: [(0.0, 0.0); 8], coefficients, energy: 0.0, filled: 0, before: None, down: None }
    }
}

impl Detector {
    /// Hears samples at 8 kHz and gives a key at its begin; at most one a call, for a packet is shorter than two keys.
    pub fn hear(&mut self, samples: impl Iterator<Item = i16>) -> Option<char> {
        let mut found = None;
        for sample in samples {
            let sample = f32::from(sample);
            self.energy += sample * sample;
            for ((one, two), coefficient) in self.states.iter_mut().zip(&self.coefficients) {
                (*one, *two) = (sample + coefficient * *one - *two, *one);
            }
            self.filled += 1;
            if self.filled == BLOCK {
                found = self.judge().or(found);
            }
        }
        found
    }

    /// Ends a block: a key begins when two blocks in a row hold it, and ends when two do not.
    fn judge(&mut self) -> Option<char> {
        let now = self.tones();
        self.states = [(0.0, 0.0); 8];
        (self.energy, self.filled) = (0.0, 0);
        let steady = now == self.before;
        self.before = now;
        if !steady || self.down == now {
            return None;
        }
        self.down = now;
        now
    }

    fn tones(&self) -> Option<char> {
        let mut powers = [0.0; 8];
        for ((power, (one, two)), coefficient) in powers.iter_mut().zip(&self.states).zip(&self.coefficients) {
            *power = one * one + two * two - coefficient * one * two;
        }
        let (row, row_power) = strongest(&powers[..4])?;
        let (column, column_power) = strongest(&powers[4..])?;
        // A tone of amplitude a gives power (a·n/2)² and energy a²·n/2.
        let scale = (BLOCK * BLOCK) as f32 / 4.0;
        let loud = row_power.min(column_power) >= WEAKEST * scale;
        let balanced = row_power <= column_power * TWIST && column_power <= row_power * TWIST;
        let pure = row_power + column_power >= PURITY * self.energy * BLOCK as f32 / 2.0;
        (loud && balanced && pure).then_some(NAMES[row][column])
    }
}

/// The strongest of four, if it stands clear of the others.
fn strongest(powers: &[f32]) -> Option<(usize, f32)> {
    let (index, power) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let clear = powers.iter().enumerate().all(|(other, p)| other == index || p * CLEAR <= power);
    clear.then_some((index, power))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(key: char, amplitude: f32, milliseconds: usize) -> Vec<i16> {
        let row = NAMES.iter().position(|r| r.contains(&key)).unwrap();
        let column = NAMES[row].iter().position(|k| *k == key).unwrap();
        let wave = |hertz: f32, n: usize| amplitude * (2.0 * std::f32::consts::PI * hertz * n as f32 / 8000.0).sin();
        (0..milliseconds * 8).map(|n| (wave(ROWS[row], n) + wave(COLUMNS[column], n)) as i16).collect()
    }

    fn heard(samples: &[i16]) -> String {
        let mut detector = Detector::default();
        samples.chunks(160).filter_map(|chunk| detector.hear(chunk.iter().copied())).collect()
    }

    #[test]
    fn every_key_is_heard_once_loud_or_soft_short_or_long() {
        for amplitude in [1500.0, 4000.0, 15_000.0] {
            for length in [50, 80, 400] {
                let mut samples = Vec::new();
                for key in NAMES.concat() {
                    samples.extend(tone(key, amplitude, length));
                    samples.extend(vec![0; 60 * 8]);
                }
                assert_eq!(heard(&samples), "123A456B789C*0#D", "amplitude {amplitude}, {length} ms");
            }
        }
    }

    #[test]
    fn silence_noise_one_tone_and_a_dial_tone_are_no_keys() {
        let mut seed = 1u32;
        let noise: Vec<i16> = (0..80_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 18) as i16 - 8192
            })
            .collect();
        assert_eq!(heard(&noise), "", "noise of seed 1");
        assert_eq!(heard(&vec![0; 8000]), "");
        for hertz in [350.0f32, 440.0, 697.0, 1209.0, 1000.0] {
            let one: Vec<i16> =
                (0..8000).map(|n| (9000.0 * (2.0 * std::f32::consts::PI * hertz * n as f32 / 8000.0).sin()) as i16).collect();
            assert_eq!(heard(&one), "", "{hertz} Hz");
        }
    }
}
