//! Floor 3: SIP (RFC 3261), sans-IO. `Endpoint` is told the time and every message, and says what to send and what happened;
//! `transport` is the only signalling socket code. It decides nothing about calls.

mod account;
pub mod api;
pub mod auth;
mod dialog;
pub mod endpoint;
mod key;
pub mod message;
pub mod random;
mod registrar;
mod session;
mod tally;
mod timer;
mod transaction;
pub mod transport;
mod trunk;
mod writer;

pub use account::Account;
pub use api::{
    Caller, Counts, DialogId, EMERGENCY, Flow, Health, Invite, Limits, NotReachable, Origin, Output, Peer, Reason, Registration, Report,
    Settings, StationContact, Streams, Target, Transport, Trunk,
};
pub use auth::Credentials;
pub use endpoint::Endpoint;
pub use random::Random;
pub use session::Sessions;
pub use transport::{Arrival, Lines, Udp};
