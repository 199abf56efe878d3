//! What a comparison of ledgers found.

use crate::model::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// The server stamps an event when its loop takes it, a client when its socket is read: both may be late by a busy machine's pause.
pub const SLACK: Duration = Duration::from_millis(400);
/// A tone is known after so much sound.
pub const HEARABLE: Duration = Duration::from_millis(700);

#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub calls: usize,
    pub answered: usize,
    pub spanish: usize,
    pub spanish_answered: usize,
    pub abandoned: usize,
    pub heard_each_other: usize,
    /// Calls of people who joined with a telephone of their own.
    pub guests: usize,
    /// How often which messages crossed.
    pub crossings: BTreeMap<&'static str, usize>,
    /// One line each, with both sides.
    pub differences: Vec<String>,
}

impl Verdict {
    pub fn agree(&self) -> bool {
        self.differences.is_empty()
    }
    pub fn crossed(&mut self, what: &'static str) {
        *self.crossings.entry(what).or_default() += 1;
    }
    pub fn crossings_all(&self) -> usize {
        self.crossings.values().sum()
    }
}

/// What one side did before the other could know of it: `cause` is not after `effect`, but for the clocks' slack.
pub fn in_order(cause: Time, effect: Time) -> bool {
    cause <= effect + SLACK
}

/// A list of steps in milliseconds since the first, for a line that a person reads.
pub fn steps<S: std::fmt::Debug>(steps: &[(Time, S)]) -> String {
    let first = steps.first().map_or(Time(0), |(at, _)| *at);
    let words: Vec<String> = steps.iter().map(|(at, step)| format!("{}ms {step:?}", at.since(first).as_millis())).collect();
    words.join(", ")
}
