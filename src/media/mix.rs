//! Several parties heard by one: each waits in a short queue of its own, and a frame is the sum of what is there.

use super::codec::FRAME;

/// Most that is kept of one party, in samples: 160 ms. What comes on top pushes the oldest out.
const ROOM: usize = 8 * FRAME;
/// What must be there before a party is heard, so that a late packet tears no hole: 40 ms.
const DEPTH: usize = 2 * FRAME;

/// What one listener hears of several parties.
#[derive(Debug, Default)]
pub struct Mix {
    inputs: Vec<Input>,
}

#[derive(Debug)]
struct Input {
    /// The party's session.
    party: u32,
    samples: Box<[i16; ROOM]>,
    first: usize,
    length: usize,
    flowing: bool,
}

impl Mix {
    pub fn new(parties: &[u32]) -> Mix {
        let input = |party: &u32| Input { party: *party, samples: Box::new([0; ROOM]), first: 0, length: 0, flowing: false };
        Mix { inputs: parties.iter().map(input).collect() }
    }

    /// Sound of one party has come.
    pub fn hear(&mut self, party: u32, samples: impl Iterator<Item = i16>) {
        if let Some(input) = self.inputs.iter_mut().find(|input| input.party == party) {
            samples.for_each(|sample| input.push(sample));
            input.flowing |= input.length >= DEPTH;
        }
    }

    /// The next frame; false if nobody is heard.
    pub fn frame(&mut self, frame: &mut [i16; FRAME]) -> bool {
        let mut sum = [0i32; FRAME];
        let mut heard = false;
        for input in &mut self.inputs {
            if input.length < FRAME {
                input.flowing = false;
            } else if input.flowing {
                heard = true;
                sum.iter_mut().for_each(|sample| *sample += i32::from(input.pop()));
            }
        }
        for (sample, sum) in frame.iter_mut().zip(&sum) {
            *sample = (*sum).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        }
        heard
    }
}

impl Input {
    fn push(&mut self, sample: i16) {
        if self.length == ROOM {
            self.pop();
        }
        self.samples[(self.first + self.length) % ROOM] = sample;
        self.length += 1;
    }

    fn pop(&mut self) -> i16 {
        debug_assert!(self.length > 0, "only what was pushed");
        let sample = self.samples[self.first];
        self.first = (self.first + 1) % ROOM;
        self.length -= 1;
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(mix: &mut Mix, party: u32, value: i16) {
        mix.hear(party, std::iter::repeat_n(value, FRAME));
    }

    #[test]
    fn parties_add_up_and_stay_within_bounds() {
        let mut mix = Mix::new(&[1, 2]);
        let mut frame = [9; FRAME];
        assert!(!mix.frame(&mut frame), "nobody yet");
        packet(&mut mix, 1, 100);
        assert!(!mix.frame(&mut frame), "too little yet");
        packet(&mut mix, 1, 30_000);
        packet(&mut mix, 2, 11);
        packet(&mut mix, 2, 30_000);
        packet(&mut mix, 3, 5);
        assert!(mix.frame(&mut frame));
        assert_eq!(frame, [111; FRAME]);
        assert!(mix.frame(&mut frame));
        assert_eq!(frame, [i16::MAX; FRAME]);
        assert!(!mix.frame(&mut frame), "dry: gathers anew");
        packet(&mut mix, 1, 7);
        assert!(!mix.frame(&mut frame));
    }

    #[test]
    fn too_much_pushes_the_oldest_out() {
        let mut mix = Mix::new(&[1]);
        (0..20).for_each(|value| packet(&mut mix, 1, value));
        let mut frame = [0; FRAME];
        for value in 12..20 {
            assert!(mix.frame(&mut frame));
            assert_eq!(frame, [value; FRAME]);
        }
        assert!(!mix.frame(&mut frame));
    }
}
