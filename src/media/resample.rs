//! From a multiple of 8 kHz down to 8 kHz, offline: a windowed-sinc low-pass, then every n-th sample.

use std::f64::consts::PI;

/// What lies beyond the ends of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Silence,
    /// The recording itself: a loop stays seamless.
    Loop,
}

/// The middle of the filter's slope, in Hz, so that nothing above 4 kHz folds back into the voice.
const CUTOFF: f64 = 3600.0;
/// Lobes of the sinc on either side: a slope of 900 Hz.
const REACH: usize = 16;
/// Kaiser's shape for 60 dB.
const BETA: f64 = 5.65;

/// Keeps every `factor`-th sample of what is left below `CUTOFF`. The filter's delay is taken out.
pub fn decimate(samples: &[i16], factor: usize, edge: Edge) -> Vec<i16> {
    assert!((1..=6).contains(&factor), "8 to 48 kHz");
    if factor == 1 || samples.is_empty() {
        return samples.to_vec();
    }
    let (middle, taps) = taps(factor);
    let reach = taps.len();
    let beyond = |index: isize| match edge {
        Edge::Silence => 0.0,
        Edge::Loop => f32::from(samples[index.rem_euclid(samples.len() as isize) as usize]),
    };
    let (before, after) = (-(reach as isize)..0, samples.len() as isize..(samples.len() + reach) as isize);
    let padded: Vec<f32> = before.map(beyond).chain(samples.iter().map(|s| f32::from(*s))).chain(after.map(beyond)).collect();
    let value = |centre: usize| {
        let (left, right) = (&padded[centre - reach..centre], &padded[centre + 1..=centre + reach]);
        // Symmetric: each pair of neighbours shares its tap. A plain loop, for a build without optimisation loads prompts too.
        let (mut sum, mut at) = (padded[centre] * middle, 0);
        while at < reach {
            sum += taps[at] * (left[reach - 1 - at] + right[at]);
            at += 1;
        }
        sum.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
    };
    (reach..reach + samples.len()).step_by(factor).map(value).collect()
}

/// A Kaiser-windowed sinc of unit gain at 0 Hz: its middle and one side.
fn taps(factor: usize) -> (f32, Vec<f32>) {
    let half = REACH * factor;
    let cutoff = CUTOFF / (8000.0 * factor as f64);
    let tap = |x: usize| {
        let ratio = x as f64 / half as f64;
        let sinc = if x == 0 { 2.0 * cutoff } else { (2.0 * PI * cutoff * x as f64).sin() / (PI * x as f64) };
        sinc * bessel(BETA * (1.0 - ratio * ratio).sqrt()) / bessel(BETA)
    };
    let side: Vec<f64> = (1..=half).map(tap).collect();
    let sum = tap(0) + 2.0 * side.iter().sum::<f64>();
    ((tap(0) / sum) as f32, side.iter().map(|t| (t / sum) as f32).collect())
}

/// The modified Bessel function of order 0.
fn bessel(x: f64) -> f64 {
    let step = |(sum, term): (f64, f64), k: u32| {
        let term = term * (x / 2.0 / f64::from(k)).powi(2);
        (sum + term, term)
    };
    (1..40).fold((1.0, 1.0), step).0
}

#[cfg(test)]
mod tests {
    use super::*;

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
