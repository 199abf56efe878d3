//! From a multiple of 8 kHz down to 8 kHz, offline: a windowed-sinc low-pass, then every n-th sample.

/// What lies beyond the ends of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Silence,
    /// The recording itself: a loop stays seamless.
    Loop,
}

/// Where the pass band ends, in Hz: half way down at this frequency, so that nothing above 4 kHz folds back into the voice.
const CUTOFF: f64 = 3600.0;
/// Lobes of the sinc on either side.
const REACH: usize = 24;

/// Keeps every `factor`-th sample of what is left below `CUTOFF`. The filter's delay is taken out.
pub fn decimate(samples: &[i16], factor: usize, edge: Edge) -> Vec<i16> {
    assert!((1..=6).contains(&factor), "8 to 48 kHz");
    if factor == 1 {
        return samples.to_vec();
    }
    let taps = taps(factor);
    let middle = (taps.len() / 2) as isize;
    let length = samples.len() as isize;
    let at = |index: isize| match edge {
        Edge::Silence if index < 0 || index >= length => 0.0,
        Edge::Silence => f64::from(samples[index as usize]),
        Edge::Loop => f64::from(samples[index.rem_euclid(length) as usize]),
    };
    let value = |centre: isize| taps.iter().enumerate().map(|(tap, weight)| weight * at(centre + tap as isize - middle)).sum::<f64>();
    let limit = |v: f64| v.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16;
    (0..samples.len()).step_by(factor).map(|centre| limit(value(centre as isize))).collect()
}

/// A Blackman-windowed sinc of unit gain at 0 Hz.
fn taps(factor: usize) -> Vec<f64> {
    use std::f64::consts::PI;
    let half = REACH * factor;
    let cutoff = CUTOFF / (8000.0 * factor as f64);
    let tap = |index: usize| {
        let x = index as f64 - half as f64;
        let sinc = if x == 0.0 { 2.0 * cutoff } else { (2.0 * PI * cutoff * x).sin() / (PI * x) };
        let phase = PI * index as f64 / half as f64;
        sinc * (0.42 - 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
    };
    let taps: Vec<f64> = (0..=2 * half).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|t| t / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn tone(hertz: f64, rate: f64, samples: usize) -> Vec<i16> {
        (0..samples).map(|n| (10_000.0 * (2.0 * PI * hertz * n as f64 / rate).sin()).round() as i16).collect()
    }

    fn rms(samples: &[i16]) -> f64 {
        (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    #[test]
    fn the_voice_band_passes_and_what_would_fold_is_gone() {
        let full = 10_000.0 / 2f64.sqrt();
        for factor in [2usize, 3, 6] {
            let rate = 8000.0 * factor as f64;
            let heard = |hertz| rms(&decimate(&tone(hertz, rate, 8000 * factor), factor, Edge::Loop)) / full;
            for hertz in [100.0, 1000.0, 2000.0, 3200.0] {
                assert!((heard(hertz) - 1.0).abs() < 0.01, "{hertz} Hz at {rate}: {}", heard(hertz));
            }
            for hertz in [4000.0, 4500.0, 5000.0, 7500.0] {
                assert!(heard(hertz) < 0.005, "{hertz} Hz at {rate}: {}", heard(hertz));
            }
        }
    }

    #[test]
    fn a_loop_has_no_seam_and_no_delay() {
        let made = decimate(&tone(500.0, 16_000.0, 16_000), 2, Edge::Loop);
        let wanted = tone(500.0, 8000.0, 8000);
        assert_eq!(made.len(), 8000);
        for (index, (made, wanted)) in made.iter().zip(&wanted).enumerate() {
            assert!((made - wanted).abs() <= 20, "sample {index}: {made} for {wanted}");
        }
    }

    #[test]
    fn eight_kilohertz_are_left_as_they_are() {
        assert_eq!(decimate(&[1, -2, 3], 1, Edge::Silence), [1, -2, 3]);
    }
}
