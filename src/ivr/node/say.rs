//! `say` and `play`: speaks, then goes on.

use crate::ivr::say::{self, Say};
use crate::ivr::scope::{How, Scope};
use crate::ivr::walk::{Next, Walk};
use crate::ivr::words::{StepName, StepOutcome};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;

pub const FIELDS: &[Field] = say::FIELDS;
pub const PLAY_FIELDS: &[Field] = &[
    Field::required("file", Kind::Name, "the recorded notice to play, a prompt in every language"),
    Field::default("barge_in", Kind::Flag, "whether a key ends it", "true"),
];
/// Beside the verb.
pub const BESIDE: &[Field] = &[Field::required("next", Kind::Step, "the step that follows")];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speak {
    pub say: Say,
    pub next: StepName,
}

impl Speak {
    pub fn read(body: &Node, beside: &Reader, scope: &mut Scope) -> Option<Speak> {
        let next = beside.node("next").and_then(|next| scope.target(next, How::Alone, ""));
        let say = Say::read(body, scope);
        Some(Speak { say: say?, next: next? })
    }

    pub fn read_play(body: &Node, beside: &Reader, scope: &mut Scope) -> Option<Speak> {
        let next = beside.node("next").and_then(|next| scope.target(next, How::Alone, ""));
        let reader = Reader::open(body, "play", PLAY_FIELDS, scope.problems)?;
        let barge_in = reader.flag("barge_in", scope.problems);
        let file = reader.text("file", scope.problems)?;
        let at = reader.node("file").map_or(&body.at, |file| &file.at);
        let say = Say::named(file, at, scope);
        Some(Speak { say: Say { barge_in: barge_in?, ..say }, next: next? })
    }

    /// A caller who has typed ahead does not hear what a key would end.
    pub fn enter(&self, walk: &mut Walk) -> Next {
        if self.say.barge_in && !walk.session.ahead.0.is_empty() {
            return self.go_on();
        }
        walk.speak(&[&self.say]);
        Next::Stay
    }

    pub fn key(&self, walk: &mut Walk, key: char) -> Next {
        walk.session.keep(key);
        if !self.say.barge_in {
            return Next::Stay;
        }
        walk.hush();
        self.go_on()
    }

    pub fn go_on(&self) -> Next {
        Next::Go(self.next.clone(), StepOutcome::Done)
    }
}
