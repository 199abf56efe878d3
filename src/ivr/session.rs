//! One caller's walk through a flow: inputs in, actions out, no clock of its own.

use super::calendar::Calendar;
use super::flow::Flow;
use super::walk::Session;
use super::words::{Action, Context, FlowName, Input};
use crate::model::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a session can look up: the configuration in force.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub flows: &'a BTreeMap<FlowName, Arc<Flow>>,
    pub calendars: &'a BTreeMap<Arc<str>, Calendar>,
}

impl Session {
    /// Begins at the flow's first step; `flow` is one of `world.flows`.
    pub fn start(world: &World<'_>, now: Time, flow: &FlowName, context: Context, out: &mut Vec<Action>) -> Session {
        let _ = (world, now, out);
        Session { flow: flow.clone(), step: flow.clone(), language: context.language, context }
    }

    pub fn handle(&mut self, world: &World<'_>, now: Time, input: Input, out: &mut Vec<Action>) {
        let _ = (world, now, input, out);
    }
}
