//! The one clock of a node: anchored to the wall clock once, advanced by the monotonic clock.

use crate::model::Time;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Never falls, whatever is done to the machine's wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Time,
    anchor: Instant,
}

impl Clock {
    pub fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Clock { wall: Time(0) + wall, anchor: Instant::now() }
    }

    /// A clock that shows no time before `last`, even if the machine's clock has been set back since.
    pub fn start_after(last: Time) -> Clock {
        let clock = Clock::start();
        Clock { wall: clock.wall.max(last), ..clock }
    }

    pub fn now(&self) -> Time {
        self.wall + self.anchor.elapsed()
    }

    /// How long until `at`; zero if it has passed.
    pub fn until(&self, at: Time) -> Duration {
        at.since(self.now())
    }
}
