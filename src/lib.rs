//! Careline: an automatic call distributor for healthcare contact centres.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod acd;
pub mod ivr;
pub mod model;
