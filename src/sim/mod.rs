//! Floor 4: the same loop on a virtual clock.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod agenda;
pub mod centre;
pub mod day;
pub mod draw;
pub mod ledger;
pub mod people;
pub mod report;
mod run;
mod told;

pub use day::Day;
pub use draw::{Law, Random};
pub use ledger::{Count, Ledger, Stopwatch};
pub use people::{Callers, Habits, Patience, People, PromptTimes, Rate};
pub use report::{Report, Sums};
pub use run::Sim;
