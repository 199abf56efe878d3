//! `hangup`: says goodbye and ends the call.

use crate::ivr::say::Say;
use crate::ivr::scope::Scope;
use crate::ivr::walk::{Next, Walk};
use crate::ivr::words::{Action, StepOutcome};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;

pub const FIELDS: &[Field] = &[Field::required("say", Kind::Say, "the goodbye; nobody is hung up on in silence, and no key cuts it short")];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HangUp {
    pub say: Say,
}

impl HangUp {
    pub fn read(body: &Node, scope: &mut Scope) -> Option<HangUp> {
        let reader = Reader::open(body, "hangup", FIELDS, scope.problems)?;
        let say = reader.node("say").and_then(|node| Say::read(node, scope))?;
        Some(HangUp { say })
    }

    pub fn enter(&self, walk: &mut Walk) -> Next {
        walk.speak(&[&self.say]);
        Next::Stay
    }

    pub fn spoken(&self, walk: &mut Walk) -> Next {
        let (flow, step) = (walk.session.flow.clone(), walk.session.step.clone());
        walk.out.push(Action::Step { flow, step, outcome: StepOutcome::Done });
        walk.out.push(Action::HangUp);
        Next::Over
    }
}
