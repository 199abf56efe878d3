//! Where a call can be sent.

use super::{AgentId, PhoneNumber, QueueId};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    Queue(QueueId),
    Agent(AgentId),
    /// Another flow, from its start.
    Flow(Arc<str>),
    /// Out of the centre, through a trunk.
    Number(PhoneNumber),
    Voicemail(Arc<str>),
}
