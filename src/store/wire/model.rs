//! The words of floor 0.

use super::{Broken, Input, Wire, form_enum, form_struct, put_text, says_nothing, take_text, wire_enum, wire_newtype, wire_struct};
use crate::model::sources::{Numbers, Sources};
use crate::model::tree::{Entry, Node, Value};
use crate::model::{
    AgentId, CallId, Class, Destination, EdgeId, Language, LegId, LookupId, OfferId, Phi, PlayId, Proficiency, QueueId, Requirement,
    RequirementClass, SkillId, Spot, Term, Time,
};
use std::net::SocketAddr;

wire_newtype!(CallId, LegId, OfferId, AgentId, QueueId, SkillId, PlayId, LookupId, EdgeId, RequirementClass, Time);
says_nothing!(Language, Proficiency, SocketAddr);

impl<T: Wire> Wire for Phi<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        T::take(input).map(Phi)
    }
}

impl Wire for Language {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self.as_str(), out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        Language::new(take_text(input)?).ok_or(Broken)
    }
}

impl Wire for Proficiency {
    fn put(&self, out: &mut Vec<u8>) {
        self.level().put(out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        Proficiency::new(u8::take(input)?).ok_or(Broken)
    }
}

impl Wire for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(&self.to_string(), out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        take_text(input)?.parse().map_err(|_| Broken)
    }
}

wire_enum! {
    Class { 0 Urgent, 1 High, 2 Normal, 3 Low }
    Destination { 0 Queue(id), 1 Agent(id), 2 Flow(name: house), 3 Number(number), 4 Voicemail(name: house) }
    Term { 0 AtLeast(skill, level), 1 Without(skill) }
}

wire_struct! {
    Requirement { any_of }
}

// What may be said of a configuration's sources, the configuration knows: `config::outside`.
form_enum! {
    Value { 0 Scalar { text, plain }, 1 List(items), 2 Map(entries) }
}
form_struct! {
    Spot { file, line, column }
    Node { at, value }
    Entry { key, key_at, plain, node }
    Sources { root, flows, prompts, numbers }
    Numbers { queues, skills }
}
