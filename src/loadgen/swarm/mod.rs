//! Many virtual callers and agents who cost little, for measuring: one thread for their words, one for their sound. They know nothing of
//! the server but its address, and count what they see.
//!
//! From the bottom: `order` is what a run is to do, `tally` what was counted, `process` the server's own processor time and memory,
//! `sound` the thread with the RTP sockets, `seat` and `line` one agent's and one caller's state, `stage` the thread that drives them.

pub mod order;
pub mod process;
pub mod seat;
pub mod sound;
pub mod stage;
pub mod tally;

pub use order::{Order, Sound};
pub use stage::run;
pub use tally::Report;
