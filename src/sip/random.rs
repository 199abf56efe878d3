//! Where tags, branches and nonces come from: the system's generator, or a seed in tests.

type Fill = dyn FnMut(&mut [u8]) + Send;

/// A source of unpredictable bytes.
pub struct Random {
    fill: Box<Fill>,
    pool: [u8; 256],
    used: usize,
}

impl Random {
    /// The operating system's generator, read 256 octets at a time.
    pub fn system() -> Random {
        Random::from_fn(|bytes| getrandom::fill(bytes).expect("the system's generator works"))
    }

    /// The same octets for the same seed, for ever (xorshift64*): tests and replays only.
    pub fn seeded(seed: u64) -> Random {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Random::from_fn(move |bytes| {
            for byte in bytes {
                state ^= state >> 12;
                state ^= state << 25;
                state ^= state >> 27;
                *byte = (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8;
            }
        })
    }

    fn from_fn(fill: impl FnMut(&mut [u8]) + Send + 'static) -> Random {
        Random { fill: Box::new(fill), pool: [0; 256], used: 256 }
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        if self.used + 8 > self.pool.len() {
            (self.fill)(&mut self.pool);
            self.used = 0;
        }
        let bytes = self.pool[self.used..self.used + 8].try_into().expect("eight octets");
        self.used += 8;
        u64::from_le_bytes(bytes)
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}
