//! The specification: what the core does, as a supervisor can read and argue with it; then the witness and the storm.

mod books;
mod centre;
mod driver;
mod flows;
mod language;
mod ledger;
mod legs;
mod random;
mod replay;
mod scenarios;
mod settings;
mod shell;
mod storm;
mod stormy_centre;
mod witness;
mod words;
