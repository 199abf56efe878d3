//! Floor 1: the flow interpreter.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod session;

pub use session::{Action, Context, FlowName, Input, LeaveWhy, QueueEntry, QueueExit, StepName, StepOutcome};

/// A parsed and checked flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {}
/// Sorted UTC intervals in which something is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {}
/// One caller's walk.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {}
