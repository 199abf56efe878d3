//! The virtual clients' own clock.

use crate::model::Time;
use std::time::{Duration, Instant, SystemTime};

/// The wall clock once, then the steady one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    pub fn start() -> Clock {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is past 1970");
        Clock { started: Instant::now(), epoch }
    }
    pub fn now(&self) -> Time {
        Time((self.epoch + self.started.elapsed()).as_micros() as u64)
    }
}
