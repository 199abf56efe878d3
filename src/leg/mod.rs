//! Floor 2: one party of a call. What to do when its dialog or its media reports something, as a pure machine that never sees a header:
//! facts and orders in, orders and reports out. The glue of a back-to-back user agent grows into a god object wherever it is not a
//! machine of its own.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod code;
pub mod machine;
pub mod negotiate;
pub mod sdp;

pub use machine::{Ending, Gone, Input, Leg, Order, Refusal, Report};
