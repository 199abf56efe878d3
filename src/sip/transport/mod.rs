//! The only signalling sockets.

mod framer;
mod lines;
mod tcp;
mod udp;

pub use framer::{Framer, Piece};
pub use lines::{Arrival, Lines};
pub use udp::{DATAGRAM_MAX, Udp};
