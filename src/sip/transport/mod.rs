//! The only signalling sockets.

mod udp;

pub use udp::Udp;
