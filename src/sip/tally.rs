//! Requests received, by method, final answer and transport: for the metrics.

use super::api::Transport;
use std::collections::BTreeMap;

/// The methods that are told apart; any other is `other`.
const METHODS: [&str; 13] =
    ["BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"];

#[derive(Debug, Default)]
pub struct Tally {
    answered: BTreeMap<(&'static str, u16, Transport), u64>,
}

impl Tally {
    /// A request got its final answer.
    pub fn answered(&mut self, method: &str, code: u16, transport: Transport) {
        let method = METHODS.iter().find(|known| **known == method).unwrap_or(&"other");
        *self.answered.entry((method, code / 100, transport)).or_default() += 1;
    }

    /// Each method, class of the final answer (2 to 6) and transport, with how many requests.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u16, Transport, u64)> + '_ {
        self.answered.iter().map(|((method, class, transport), count)| (*method, *class, *transport, *count))
    }
}
