//! Careline: an automatic call distributor for healthcare contact centres.

pub mod acd;
pub mod api;
pub mod cli;
pub mod config;
pub mod ivr;
pub mod leg;
pub mod loadgen;
pub mod media;
pub mod metrics;
pub mod model;
pub mod node;
pub mod sim;
pub mod sip;
pub mod store;
