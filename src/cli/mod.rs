//! Floor 5: one file per command.

mod board;
pub mod demo;
