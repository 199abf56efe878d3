//! Transactions (RFC 3261 §17, with the Accepted states of RFC 6026).

mod client;
mod server;
mod streams;

pub use client::{Ask, Client, Clients, Kind, Receipt};
pub use server::Servers;
