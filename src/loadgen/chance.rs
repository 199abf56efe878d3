//! Seeded draws: the same seed gives the same people.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): small, good enough for behaviour, and ours for ever.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// An independent stream for one person, so that what one draws does not depend on when another does.
    pub fn person(seed: u64, number: u64) -> Chance {
        let mut mixed = Chance(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        mixed.draw();
        mixed
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`; `n` is at least 1. The bias of the remainder is below 2⁻⁴⁰ for the small `n` used here.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "nothing to choose from");
        self.draw() % n
    }

    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Evenly between `from` and `to`.
    pub fn between(&mut self, from: Duration, to: Duration) -> Duration {
        assert!(from <= to, "an empty span");
        from + Duration::from_micros(self.below((to - from).as_micros() as u64 + 1))
    }

    /// Exponential: the time to the next of independent arrivals.
    pub fn exponential(&mut self, mean: Duration) -> Duration {
        let even = ((self.draw() >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        mean.mul_f64(-even.ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people() {
        let draw = |seed| (0..5).map(|n| Chance::person(seed, n).draw()).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn draws_have_their_means() {
        let mut chance = Chance::new(1);
        let mean = Duration::from_millis(667);
        let sum: Duration = (0..10_000).map(|_| chance.exponential(mean)).sum();
        assert!((640..700).contains(&(sum / 10_000).as_millis()), "{sum:?}");
        let hits = (0..10_000).filter(|_| chance.percent(27)).count();
        assert!((2550..2850).contains(&hits), "{hits}");
        for _ in 0..1000 {
            let d = chance.between(Duration::from_secs(5), Duration::from_secs(40));
            assert!(d >= Duration::from_secs(5) && d <= Duration::from_secs(40));
        }
    }
}
