//! PINs of log-ins by telephone, and how often somebody may guess.

use crate::config::Secret;
use crate::model::{AgentId, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many wrong log-ins in a row, at one station or of one agent, lock it.
const FAILURES_MAX: u32 = 5;
/// How long a lock lasts, and how long a failure is remembered.
const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);
/// As long as any PIN: every comparison looks at so many digits.
const LENGTH: usize = 12;

#[derive(Default)]
pub struct Pins {
    pins: BTreeMap<AgentId, Secret>,
    /// Keyed by what is guarded; one entry at most a station and an agent of the configuration.
    failures: BTreeMap<Guarded, (u32, Time)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Guarded {
    Station(AgentId),
    Agent(AgentId),
}

impl Pins {
    pub fn new(pins: BTreeMap<AgentId, Secret>) -> Pins {
        Pins { pins, failures: BTreeMap::new() }
    }

    pub fn set(&mut self, pins: BTreeMap<AgentId, Secret>) {
        self.pins = pins;
    }

    /// Whether this number and this PIN are an agent's. A wrong number, a wrong PIN and a lock are answered alike.
    pub fn judge(&mut self, now: Time, station: AgentId, number: &str, pin: &str) -> bool {
        let agent = number.parse().map(AgentId).ok();
        let known = agent.and_then(|agent| self.pins.get(&agent));
        let good = same(known.map_or("", |pin| &pin.0), pin) && known.is_some();
        let guarded = [Some(Guarded::Station(station)), agent.filter(|_| known.is_some()).map(Guarded::Agent)];
        self.failures.retain(|_, (_, until)| *until > now);
        let locked = guarded.iter().flatten().any(|what| self.failures.get(what).is_some_and(|(count, _)| *count >= FAILURES_MAX));
        if locked {
            return false;
        }
        for what in guarded.into_iter().flatten() {
            if good {
                self.failures.remove(&what);
                continue;
            }
            let (count, until) = self.failures.entry(what).or_insert((0, now));
            (*count, *until) = (*count + 1, now + LOCKED_FOR);
            if *count == FAILURES_MAX {
                tracing::error!(?what, "log-in by telephone is locked for a quarter of an hour: wrong numbers or PINs");
            }
        }
        good
    }
}

/// Looks at every digit, whichever differs.
fn same(one: &str, other: &str) -> bool {
    let digit = |text: &str, at: usize| text.as_bytes().get(at).copied().unwrap_or_default();
    let differing = (0..LENGTH).fold(0, |differing, at| differing | (digit(one, at) ^ digit(other, at)));
    differing == 0 && one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins() -> Pins {
        Pins::new(BTreeMap::from([(AgentId(1001), Secret("4711".into())), (AgentId(1002), Secret("0815".into()))]))
    }

    #[test]
    fn only_number_and_pin_together_are_good() {
        let mut pins = pins();
        let mut judge = |number, pin| pins.judge(Time(1), AgentId(1001), number, pin);
        assert!(judge("1001", "4711"));
        assert!(!judge("1001", "0815") && !judge("1003", "4711") && !judge("", "") && !judge("1001", "47110") && !judge("1001", ""));
    }

    #[test]
    fn guessing_locks_the_station_and_the_agent_for_a_while() {
        let mut pins = pins();
        for _ in 0..FAILURES_MAX {
            assert!(!pins.judge(Time(1), AgentId(1001), "1002", "1111"));
        }
        assert!(!pins.judge(Time(2), AgentId(1001), "1001", "4711"), "the station is locked, even for who knows their PIN");
        assert!(!pins.judge(Time(2), AgentId(1003), "1002", "0815"), "the agent is locked, from any station");
        assert!(pins.judge(Time(2), AgentId(1003), "1001", "4711"), "others are not");
        assert!(pins.judge(Time(1) + LOCKED_FOR, AgentId(1001), "1002", "0815"), "the lock ends");
    }

    #[test]
    fn a_good_log_in_forgets_the_failures_before() {
        let mut pins = pins();
        for _ in 0..3 {
            for _ in 1..FAILURES_MAX {
                assert!(!pins.judge(Time(1), AgentId(1001), "1001", "1111"));
            }
            assert!(pins.judge(Time(1), AgentId(1001), "1001", "4711"));
        }
    }
}
