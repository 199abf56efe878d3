//! Floor 0: the words that every other floor speaks. No clock, no lock, no I/O, no crate.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod destination;
pub mod hearing;
pub mod id;
pub mod language;
pub mod need;
pub mod network;
pub mod phi;
pub mod problem;
pub mod prompt;
pub mod scanner;
pub mod schema;
pub mod skill;
pub mod sources;
pub mod time;
pub mod tree;

pub use destination::Destination;
pub use hearing::Hearing;
pub use id::{AgentId, CallId, EdgeId, LegId, LookupId, OfferId, PlayId, QueueId, SkillId};
pub use language::Language;
pub use network::Network;
pub use phi::{Digits, Phi, PhoneNumber};
pub use problem::{Problem, Spot};
pub use prompt::Prompt;
pub use skill::{Class, Proficiency, Requirement, RequirementClass, Term};
pub use sources::Sources;
pub use time::Time;
