//! What one run of the swarm is to do.

use crate::loadgen::plan::Station;
use std::net::SocketAddr;
use std::time::Duration;

/// One run against one server.
#[derive(Clone, Debug)]
pub struct Order {
    pub server: SocketAddr,
    /// What is dialled, and the keys that lead to a queue there.
    pub number: String,
    pub keys: String,
    pub seed: u64,
    /// Calls a second. Without it a new call follows each that ends, so that there are always `callers`.
    pub rate: Option<f64>,
    /// At most so many callers at once.
    pub callers: usize,
    /// No more calls than so many; the run ends when the last of them has.
    pub calls: Option<u64>,
    /// From the moment when all callers are there to the beginning of the window in which is measured, and that window's length.
    pub warm: Duration,
    pub window: Duration,
    pub agents: Vec<Station>,
    /// From the INVITE at the agent's station to its 200, and from there to the goodbye.
    pub ring: Duration,
    pub talk: (Duration, Duration),
    /// A caller who is not served hangs up after so long.
    pub patience: Option<Duration>,
    pub sound: Sound,
    /// The server's process, where its processor time and memory are to be read.
    pub server_process: Option<u32>,
    /// So often.
    pub sample_every: Duration,
}

/// What of sound there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// `a=inactive`: no sound is agreed on, neither side sends any.
    None,
    /// Callers and agents hear, and send nothing but their keys.
    Silent,
    /// Each sends a packet every 20 ms, stamped with the time, so that whoever hears it knows how old it is.
    Aloud,
}

/// Calls dialled in a second while the callers of a run without a rate gather.
pub const GATHER_RATE: f64 = 300.0;
