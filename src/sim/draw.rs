//! Chance: a seeded generator and the distributions of people's times.

use std::time::Duration;

/// xoshiro256++ 1.0 (Blackman and Vigna 2019), seeded by SplitMix64. The same seed gives the same numbers for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut mix = seed;
        let state = std::array::from_fn(|_| {
            mix = mix.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = mix;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Random { state }
    }

    /// Another generator, for another purpose: what one draws does not shift what the other does.
    pub fn branch(&mut self) -> Random {
        Random::new(self.bits())
    }

    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in (0, 1]: a logarithm of it is finite.
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() <= probability
    }

    /// Uniform in `0..bound`, without bias (Lemire 2019, by rejection).
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below zero");
        loop {
            let wide = u128::from(self.bits()) * u128::from(bound);
            if (wide as u64) >= bound.wrapping_neg() % bound {
                return (wide >> 64) as u64;
            }
        }
    }

    /// An index, with probability proportional to its weight.
    pub fn pick(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut left = self.unit() * weights.clone().sum::<f64>();
        let mut last = 0;
        for (index, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
            last = index;
            left -= weight;
            if left <= 0.0 {
                break;
            }
        }
        last
    }

    /// Mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Mean 0, deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// The events of a Poisson process of rate 1 within `mean`. Takes time in proportion to `mean`.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        let (mut sum, mut count) = (self.exponential(), 0);
        while sum < mean {
            sum += self.exponential();
            count += 1;
        }
        count
    }
}

/// How a span of time is distributed; means in seconds. `None` is a span that never ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    Never,
    Fixed(Duration),
    Uniform { from: Duration, to: Duration },
    Exponential { mean: f64 },
    LogNormal { mean: f64, sigma: f64 },
    Weibull { mean: f64, shape: f64 },
}

impl Law {
    pub const ZERO: Law = Law::Fixed(Duration::ZERO);

    pub fn draw(&self, random: &mut Random) -> Option<Duration> {
        Some(match *self {
            Law::Never => return None,
            Law::Fixed(span) => span,
            Law::Uniform { from, to } => from + (to.saturating_sub(from)).mul_f64(random.unit()),
            Law::Exponential { mean } => seconds(mean * random.exponential()),
            // The mean of exp(normal(m, s)) is exp(m + s²/2).
            Law::LogNormal { mean, sigma } => seconds(mean * (sigma * random.normal() - sigma * sigma / 2.0).exp()),
            // The mean of scale · E^(1/shape) is scale · Γ(1 + 1/shape).
            Law::Weibull { mean, shape } => seconds(mean / gamma(1.0 + 1.0 / shape) * random.exponential().powf(1.0 / shape)),
        })
    }
}

/// To the nearest microsecond, the grain of the core's time.
fn seconds(span: f64) -> Duration {
    Duration::from_micros((span * 1e6).round() as u64)
}

/// Γ(x) for x ≥ 0.5, to fifteen digits (Lanczos, g = 7, nine terms).
fn gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let series: f64 = TERMS.iter().enumerate().map(|(i, term)| term / (x + i as f64 + 1.0)).sum();
    let t = x + 7.5;
    std::f64::consts::TAU.sqrt() * t.powf(x + 0.5) * (-t).exp() * (series + 0.999_999_999_999_809_9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence() {
        // The published test vector of SplitMix64 for seed 1234567.
        let state = Random::new(1_234_567).state;
        assert_eq!(state[..3], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let draw = |seed| (0..4).map(move |_| Random::new(seed).bits()).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn gamma_is_the_factorial() {
        for (x, expected) in [(1.0, 1.0), (5.0, 24.0), (1.5, std::f64::consts::PI.sqrt() / 2.0), (2.25, 1.133_003_096_319_346_3)] {
            assert!((gamma(x) / expected - 1.0).abs() < 1e-12, "gamma({x}) = {}", gamma(x));
        }
    }

    #[test]
    fn laws_have_their_means_and_deviations() {
        let sigma: f64 = 0.9;
        let weibull_deviation = 360.0 * (gamma(1.0 + 2.0 / 0.8) / gamma(1.0 + 1.0 / 0.8).powi(2) - 1.0).sqrt();
        for (law, mean, deviation) in [
            (Law::Fixed(Duration::from_secs(3)), 3.0, 0.0),
            (Law::Uniform { from: Duration::from_secs(1), to: Duration::from_secs(4) }, 2.5, 3.0 / 12f64.sqrt()),
            (Law::Exponential { mean: 240.0 }, 240.0, 240.0),
            (Law::LogNormal { mean: 240.0, sigma }, 240.0, 240.0 * ((sigma * sigma).exp() - 1.0).sqrt()),
            (Law::Weibull { mean: 360.0, shape: 0.8 }, 360.0, weibull_deviation),
        ] {
            let (seed, count) = (1, 400_000);
            let mut random = Random::new(seed);
            let spans: Vec<f64> = (0..count).map(|_| law.draw(&mut random).unwrap().as_secs_f64()).collect();
            let drawn = spans.iter().sum::<f64>() / count as f64;
            let spread = (spans.iter().map(|s| (s - drawn).powi(2)).sum::<f64>() / count as f64).sqrt();
            assert!((drawn - mean).abs() <= 5.0 * deviation / (count as f64).sqrt() + 1e-9, "{law:?} seed {seed}: mean {drawn}");
            assert!((spread - deviation).abs() <= 0.03 * deviation + 1e-9, "{law:?} seed {seed}: deviation {spread}");
        }
        assert_eq!(Law::Never.draw(&mut Random::new(1)), None);
    }

    #[test]
    fn counts_are_poisson_and_choices_have_their_weights() {
        let mut random = Random::new(2);
        let counts: Vec<f64> = (0..100_000).map(|_| random.poisson(7.0) as f64).collect();
        let mean = counts.iter().sum::<f64>() / 1e5;
        let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / 1e5;
        assert!((mean - 7.0).abs() < 0.05 && (variance - 7.0).abs() < 0.2, "mean {mean}, variance {variance}");

        let mut picked = [0u32; 3];
        let mut below = [0u32; 3];
        for _ in 0..100_000 {
            picked[random.pick([0.7, 0.0, 0.3].into_iter())] += 1;
            below[random.below(3) as usize] += 1;
        }
        assert!(picked[1] == 0 && picked[0].abs_diff(70_000) < 800, "{picked:?}");
        assert!(below.iter().all(|n| n.abs_diff(33_333) < 800), "{below:?}");
    }
}
