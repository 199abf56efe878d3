//! The only signalling sockets.

mod udp;

pub use udp::{DATAGRAM_MAX, Udp};
