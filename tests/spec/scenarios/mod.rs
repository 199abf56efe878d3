//! Scenarios, by what they are about.

mod agents;
mod callers;
mod circles;
mod defects;
mod offers;
mod order;
mod own_calls;
mod pains;
mod queues;
mod recording;
mod reload;
mod strategies;
