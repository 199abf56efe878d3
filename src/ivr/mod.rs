//! Floor 1: the flow interpreter.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod calendar;
pub mod check;
pub mod expr;
pub mod flow;
pub mod graph;
pub mod manual;
pub mod node;
pub mod say;
pub mod scope;
pub mod session;
pub mod trial;
pub mod walk;
pub mod words;

pub use calendar::{Calendar, Hours};
pub use flow::{Flow, FlowFile};
pub use session::World;
pub use walk::{Phase, Session};
pub use words::{Action, Context, FlowName, Input, LeaveWhy, QueueEntry, QueueExit, StepName, StepOutcome};
