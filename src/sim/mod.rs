//! Floor 4: the same loop on a virtual clock.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod agenda;
pub mod draw;
pub mod ledger;
pub mod people;
mod run;
mod told;

pub use draw::{Law, Random};
pub use ledger::{Count, Ledger, Stopwatch};
pub use people::{Callers, Habits, Patience, People, PromptTimes, Rate};
pub use run::Sim;
