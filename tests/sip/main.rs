//! The SIP stack as its neighbours see it: on virtual time, over a network that loses, doubles and reorders.

mod by_hand;
mod calls;
mod early;
mod forks;
mod fuzz;
mod offers;
mod outward;
mod policy;
mod register;
mod same_as_rsip;
mod sessions;
mod strangers;
mod streams;
mod timers;
mod trunks;
mod wire;
