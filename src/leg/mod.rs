//! Floor 2: one party of a call, as a pure machine.

pub mod negotiate;
pub mod sdp;
