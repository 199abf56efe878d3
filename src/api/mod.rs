//! The centre's door for people and programs: figures, health, the view, and what a supervisor may ask.
//!
//! HTTP/1.1 on loopback. `/metrics`, `/healthz` and `/readyz` are open; all of `/api` asks for the bearer token. Every answer of `/api` is
//! JSON, errors too: `{"error": {"code": …, "message": …}}`.

pub mod routes;
pub mod wire;

pub use routes::{bind, serve};

use crate::acd::{Config, NotReadyReason, View};
use crate::model::{AgentId, CallId};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// An answer that the core may have to give.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the API needs of the centre; the node is one.
pub trait Backend: Send + Sync + 'static {
    /// The figures as they are at this moment, in Prometheus' text format; `None` if the centre has ended.
    fn metrics(&self) -> Answer<'_, Option<String>>;
    /// Whether the core answers.
    fn alive(&self) -> Answer<'_, bool>;
    /// Why no call can be taken now.
    fn ready(&self) -> Result<(), String>;
    fn view(&self) -> Arc<View>;
    /// What queues and agents are called.
    fn config(&self) -> Arc<Config>;
    /// Asks the core to change what an agent does. The error says that the core takes no more events now.
    fn ask(&self, agent: AgentId, asked: AgentAsk) -> Result<(), String>;
    /// Reads the configuration again and takes it, or all that is wrong with it.
    fn reload(&self) -> Answer<'_, Result<Reloaded, Vec<String>>>;
    /// Why a call is still waiting; `None` if there is no such call.
    fn why_waiting(&self, call: CallId) -> Answer<'_, Option<Explanation>>;
    /// Why an agent is idle, or not; `None` if there is no such agent.
    fn why_idle(&self, agent: AgentId) -> Answer<'_, Option<Explanation>>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentAsk {
    Ready,
    /// Ready at once, out of after-call work; the code says what the call was about.
    EndWrapUp {
        code: Option<String>,
    },
    /// So much more after-call work, as far as the queue allows.
    ExtendWrapUp(Duration),
    NotReady(NotReadyReason),
    LogOut,
}

/// What a new configuration has changed, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
    /// Settings that stay as they were until the centre is started anew.
    pub needs_restart: Vec<String>,
}

/// An answer for a person: one sentence, and the reason for each candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    pub answer: String,
    pub reasons: Vec<Reason>,
}

/// Why one agent (of a call) or one call (of an agent) is not the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// An agent's or a call's number.
    pub subject: u64,
    pub reason: String,
}

#[cfg(test)]
mod tests;
