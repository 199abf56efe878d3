//! One caller's walk through a flow: inputs in, actions out, no clock of its own.

use super::calendar::Calendar;
use super::flow::Flow;
use super::node::Verb;
use super::scope::is_key;
use super::walk::{Next, Phase, Session, Walk};
use super::words::{Action, Context, FlowName, Input, StepOutcome};
use crate::model::{Phi, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a session can look up: the configuration in force.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub flows: &'a BTreeMap<FlowName, Arc<Flow>>,
    pub calendars: &'a BTreeMap<Arc<str>, Calendar>,
}

impl Session {
    /// More actions than this without waiting for the caller: the flow runs in circles, and its owner gives it up.
    pub const ACTIONS_MAX: usize = 100;

    /// Begins at the flow's first step; `flow` is one of `world.flows`.
    pub fn start(world: &World<'_>, now: Time, flow: &FlowName, context: Context, out: &mut Vec<Action>) -> Session {
        assert!(world.flows.contains_key(flow), "a number leads to a configured flow");
        let mut session = Session {
            flow: flow.clone(),
            step: world.flows[flow].start.clone(),
            language: context.language,
            context,
            values: BTreeMap::new(),
            ahead: Phi::default(),
            back: Vec::new(),
            phase: Phase::Speaking,
            no_input: 0,
            invalid: 0,
            entry: Phi::default(),
            confirming: false,
            swallow: false,
            answers: 0,
        };
        let first = session.step.clone();
        session.run(world, now, Next::On(first), out);
        session
    }

    /// Obsolete inputs change nothing.
    pub fn handle(&mut self, world: &World<'_>, now: Time, input: Input, out: &mut Vec<Action>) {
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Key(key) if !is_key(key) => return,
            Input::Key(key) if std::mem::take(&mut self.swallow) && key == '#' => return,
            Input::AgentLeft => {
                out.push(Action::HangUp);
                self.phase = Phase::Over;
                return;
            }
            _ => {}
        }
        let Some(flow) = world.flows.get(&self.flow).cloned() else { return self.lost(out) };
        let Some(verb) = flow.steps.get(&self.step) else { return self.run(world, now, Next::On(flow.start.clone()), out) };
        let next = verb.handle(&mut Walk { session: self, common: &flow.common, calendars: world.calendars, now, out }, &input);
        self.run(world, now, next, out);
    }

    /// Whether the key that is pressed next will be part of an entry (`gather`), and after how many others; `None`: it will be a choice, or
    /// nothing. Whatever is being said is taken as heard, and keys pressed before as taken.
    pub fn next_key_enters(&self, world: &World<'_>, now: Time) -> Option<usize> {
        let ahead = self.clone().settled(world, now, &mut Vec::new());
        let verb = world.flows.get(&ahead.flow)?.steps.get(&ahead.step)?;
        let enters = matches!(verb, Verb::Gather(_)) && ahead.ahead.0.is_empty() && !ahead.confirming;
        enters.then_some(ahead.entry.0.len())
    }

    /// The least digit that leads where this key does: of a choice itself, of a key that is none any other that is none.
    pub fn least_key_like(&self, world: &World<'_>, now: Time, key: char) -> char {
        let led = |key: char| {
            let (mut session, mut out) = (self.clone(), Vec::new());
            session.handle(world, now, Input::Key(key), &mut out);
            (session.settled(world, now, &mut out), out)
        };
        let there = led(key);
        ('0'..='9').find(|other| led(*other) == there).unwrap_or(key)
    }

    /// As it will be when what is being said has been heard, and keys pressed before have been taken.
    fn settled(mut self, world: &World<'_>, now: Time, out: &mut Vec<Action>) -> Session {
        for _ in 0..Session::ACTIONS_MAX {
            let verb = world.flows.get(&self.flow).and_then(|flow| flow.steps.get(&self.step));
            let goes_on = match verb {
                Some(Verb::Say(_)) => true,
                Some(Verb::Gather(_) | Verb::Menu(_)) => !self.ahead.0.is_empty(),
                _ => false,
            };
            if !goes_on || self.phase != Phase::Speaking {
                break;
            }
            self.handle(world, now, Input::PlayDone, out);
        }
        self
    }

    /// Goes from step to step until one waits.
    fn run(&mut self, world: &World<'_>, now: Time, mut next: Next, out: &mut Vec<Action>) {
        let before = out.len();
        loop {
            match next {
                Next::Stay => return,
                Next::Over => {
                    self.phase = Phase::Over;
                    return;
                }
                Next::Go(step, outcome) => {
                    self.count(outcome, out);
                    self.step = step;
                }
                Next::On(step) => self.step = step,
                Next::Back => {
                    self.count(StepOutcome::Key, out);
                    if let Some(step) = self.back.pop() {
                        self.step = step;
                    }
                }
                Next::Flow(name) => {
                    let Some(flow) = world.flows.get(&name) else { return self.lost(out) };
                    self.count(StepOutcome::Done, out);
                    self.back.clear();
                    self.step = flow.start.clone();
                    self.flow = name;
                }
            }
            if out.len() - before > Session::ACTIONS_MAX {
                self.phase = Phase::Over;
                return;
            }
            let Some(flow) = world.flows.get(&self.flow).cloned() else { return self.lost(out) };
            let Some(verb) = flow.steps.get(&self.step) else {
                next = Next::On(flow.start.clone());
                out.push(Action::Step { flow: self.flow.clone(), step: self.step.clone(), outcome: StepOutcome::Failed });
                continue;
            };
            next = verb.enter(&mut Walk { session: self, common: &flow.common, calendars: world.calendars, now, out });
        }
    }

    fn count(&self, outcome: StepOutcome, out: &mut Vec<Action>) {
        out.push(Action::Step { flow: self.flow.clone(), step: self.step.clone(), outcome });
    }

    /// The flow is gone from the configuration while a caller walked it.
    fn lost(&mut self, out: &mut Vec<Action>) {
        out.push(Action::HangUp);
        self.phase = Phase::Over;
    }
}
