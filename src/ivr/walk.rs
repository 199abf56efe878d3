//! Where a caller stands in a flow, and what a step may do with them.

use super::calendar::Calendar;
use super::say::Say;
use super::words::{Action, Context, FlowName, StepName, StepOutcome};
use crate::model::{Digits, Language, Phi, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One caller's walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub flow: FlowName,
    pub step: StepName,
    pub context: Context,
    pub language: Language,
    /// What steps have set or gathered.
    pub values: BTreeMap<Arc<str>, Gathered>,
    /// Keys pressed before their question; at most [`Session::AHEAD_MAX`].
    pub ahead: Digits,
    /// Menus that the caller came through, for `*`.
    pub back: Vec<StepName>,
    pub phase: Phase,
    /// Of the step under way.
    pub no_input: u8,
    pub invalid: u8,
    /// Digits of the entry under way.
    pub entry: Digits,
    /// The entry has been read back, and waits for a yes or a no.
    pub confirming: bool,
    /// An entry has just ended by its length: a `#` that follows belongs to it.
    pub swallow: bool,
    /// Keys that menus and waits have acted upon; after [`Session::ANSWERS_MAX`] they act as if none came.
    pub answers: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    pub value: Phi<String>,
    /// Shown to nobody, not even in a test's trace.
    pub secret: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A play is under way.
    Speaking,
    /// The caller's turn.
    Listening,
    Queued,
    /// Handed to an agent or a queue; comes back only if that fails.
    Transferring,
    Over,
}

impl Session {
    pub const AHEAD_MAX: usize = 20;
    /// A caller who presses keys for ever ends where a silent one does.
    pub const ANSWERS_MAX: u16 = 60;
    pub const BACK_MAX: usize = 16;
    /// No play is longer: a `PlayDone` that got lost is taken as said after this.
    pub const PLAY_MAX: Duration = Duration::from_secs(180);

    pub(crate) fn keep(&mut self, key: char) {
        if self.ahead.0.len() < Session::AHEAD_MAX {
            self.ahead.0.push(key);
        }
    }

    pub(crate) fn next_ahead(&mut self) -> Option<char> {
        if std::mem::take(&mut self.swallow) && self.ahead.0.starts_with('#') {
            self.ahead.0.remove(0);
        }
        (!self.ahead.0.is_empty()).then(|| self.ahead.0.remove(0))
    }

    /// A value that a condition can ask for.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        match name {
            "caller.number" => Some(&self.context.from.0),
            "caller.language" => Some(self.language.as_str()),
            "call.did" => Some(&self.context.did),
            _ => self.values.get(name).map(|gathered| gathered.value.0.as_str()),
        }
    }
}

/// What holds for every step of a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    pub languages: Vec<Language>,
    /// Keys that work at every menu and while waiting.
    pub keys: BTreeMap<char, StepName>,
    pub said_nothing: Say,
    pub said_wrong: Say,
}

/// One step's chance to act.
pub struct Walk<'a> {
    pub session: &'a mut Session,
    pub common: &'a Common,
    pub calendars: &'a BTreeMap<Arc<str>, Calendar>,
    pub now: Time,
    pub out: &'a mut Vec<Action>,
}

/// Where a step leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nowhere yet: something is under way.
    Stay,
    Go(StepName, StepOutcome),
    /// To another step; the outcome of this one has been counted already.
    On(StepName),
    /// To the menu that the caller came from, or this one again.
    Back,
    Flow(FlowName),
    Over,
}

impl Walk<'_> {
    pub fn speak(&mut self, parts: &[&Say]) {
        let language = self.session.language;
        let prompts: Vec<_> = parts.iter().flat_map(|say| say.in_language(language)).cloned().collect();
        self.play(prompts);
    }

    pub fn play(&mut self, prompts: Vec<crate::model::Prompt>) {
        self.out.push(Action::Play(prompts));
        self.out.push(Action::WaitFor(Session::PLAY_MAX));
        self.session.phase = Phase::Speaking;
    }

    pub fn hush(&mut self) {
        if self.session.phase == Phase::Speaking {
            self.out.push(Action::StopPlay);
        }
    }

    pub fn listen(&mut self, span: Duration) {
        self.out.push(Action::WaitFor(span));
        self.session.phase = Phase::Listening;
    }

    /// A key that menus or waits act upon; false when the caller has pressed too many.
    pub fn count_answer(&mut self) -> bool {
        self.session.answers = self.session.answers.saturating_add(1);
        self.session.answers <= Session::ANSWERS_MAX
    }

    pub fn tired(&self) -> bool {
        self.session.answers > Session::ANSWERS_MAX
    }

    /// Remembers this step as the one that `*` leads back to.
    pub fn remember(&mut self) {
        let step = self.session.step.clone();
        if self.session.back.last() != Some(&step) {
            if self.session.back.len() == Session::BACK_MAX {
                self.session.back.remove(0);
            }
            self.session.back.push(step);
        }
    }
}
