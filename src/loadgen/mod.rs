//! Floor 4: virtual SIP callers and agents, who drive any Careline from outside.
//!
//! They share nothing with the server but loopback sockets: their messages are made and read with the crate rsip, their transactions,
//! SDP, RTP, tones and digest are written here a second time, and what they saw is kept in a ledger of their own, so that a mistake
//! of the server cannot hide behind the same mistake in its test.
//!
//! From the bottom: `chance` draws, `message`, `digest`, `sdp` and `tone` are the words, `phone` is one SIP user agent on one
//! socket (sans-IO), `voice` one party's sound, `plan` what people are going to do, `caller` and `agent` how they do it,
//! `crowd` the thread with the sockets, `ledger` what they saw, `compare` and `scrape` whether the server tells the same story.

pub mod agent;
pub mod caller;
pub mod chance;
pub mod clock;
pub mod compare;
pub mod crowd;
pub mod digest;
pub mod errands;
pub mod ledger;
pub mod message;
pub mod phone;
pub mod plan;
pub mod registration;
pub mod scrape;
pub mod sdp;
pub mod seen;
pub mod stamp;
pub mod stream;
pub mod swarm;
pub mod tone;
pub mod transaction;
pub mod voice;
