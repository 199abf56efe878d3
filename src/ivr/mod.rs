//! Floor 1: the flow interpreter.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod calendar;
pub mod flow;
pub mod session;
pub mod walk;
pub mod words;

pub use calendar::{Calendar, Hours};
pub use flow::Flow;
pub use session::World;
pub use walk::Session;
pub use words::{Action, Context, FlowName, Gathered, Input, LeaveWhy, QueueEntry, QueueExit, StepName, StepOutcome};
