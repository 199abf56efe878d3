//! Floor 5: one file per command.

mod board;
pub mod check;
pub mod demo;
pub mod flow;
