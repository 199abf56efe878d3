//! `menu`: asks, and goes where the key says.

use crate::ivr::say::Say;
use crate::ivr::scope::{How, Scope};
use crate::ivr::walk::{Next, Phase, Walk};
use crate::ivr::words::{StepName, StepOutcome};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;
use std::collections::BTreeMap;
use std::time::Duration;

pub const FIELDS: &[Field] = &[
    Field::required("say", Kind::Say, "the question"),
    Field::required("keys", Kind::Keys, "where each key leads; besides these the flow's own keys, `*` (back) and `#` (repeat) work"),
    Field::default("tries", Kind::Count, "so often nothing, or so often a wrong key, before `otherwise`; each is counted apart", "3"),
    Field::default("timeout", Kind::Span, "how long to wait for a key after the question", "5s"),
    Field::required("otherwise", Kind::Step, "where a caller goes who presses nothing, or nothing valid"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    pub say: Say,
    pub keys: BTreeMap<char, StepName>,
    pub tries: u8,
    pub timeout: Duration,
    pub otherwise: StepName,
}

impl Menu {
    pub fn read(body: &Node, scope: &mut Scope) -> Option<Menu> {
        let reader = Reader::open(body, "menu", FIELDS, scope.problems)?;
        let otherwise = reader.node("otherwise").and_then(|node| scope.target(node, How::Alone, "otherwise"));
        let keys = reader.node("keys").map(|node| scope.keys(node, How::Key)).unwrap_or_default();
        if let Some(node) = reader.node("keys").filter(|node| node.map().is_some_and(<[_]>::is_empty)) {
            scope.problem(&node.at, "a menu needs at least one key");
        }
        let tries = reader.count("tries", 1..=9, scope.problems);
        let timeout = reader.span("timeout", scope.problems);
        let say = reader.node("say").and_then(|node| Say::read(node, scope));
        Some(Menu { say: say?, keys, tries: u8::try_from(tries?).expect("at most 9"), timeout: timeout?, otherwise: otherwise? })
    }

    pub fn enter(&self, walk: &mut Walk) -> Next {
        (walk.session.no_input, walk.session.invalid) = (0, 0);
        if walk.tired() {
            return self.give_up(StepOutcome::NoInput);
        }
        match walk.session.next_ahead() {
            Some(key) => self.choose(walk, key),
            None => self.ask(walk, None),
        }
    }

    pub fn key(&self, walk: &mut Walk, key: char) -> Next {
        if walk.session.phase == Phase::Speaking && !self.say.barge_in {
            walk.session.keep(key);
            return Next::Stay;
        }
        walk.hush();
        self.choose(walk, key)
    }

    pub fn spoken(&self, walk: &mut Walk) -> Next {
        match walk.session.next_ahead() {
            Some(key) => self.choose(walk, key),
            None => {
                walk.listen(self.timeout);
                Next::Stay
            }
        }
    }

    pub fn silence(&self, walk: &mut Walk) -> Next {
        walk.session.no_input += 1;
        if walk.session.no_input >= self.tries {
            return self.give_up(StepOutcome::NoInput);
        }
        let nothing = &walk.common.said_nothing;
        self.ask(walk, Some(nothing))
    }

    /// The menu's own keys come before the flow's, and those before `*` and `#`.
    fn choose(&self, walk: &mut Walk, key: char) -> Next {
        if !walk.count_answer() {
            return self.give_up(StepOutcome::Invalid);
        }
        let own = self.keys.get(&key).map(|step| (step, StepOutcome::Done));
        let chosen = own.or_else(|| walk.common.keys.get(&key).map(|step| (step, StepOutcome::Key)));
        match (chosen, key) {
            (Some((step, outcome)), _) => {
                walk.remember();
                Next::Go(step.clone(), outcome)
            }
            (None, '*') => Next::Back,
            (None, '#') => self.ask(walk, None),
            (None, _) => {
                walk.session.ahead.0.clear();
                walk.session.invalid += 1;
                if walk.session.invalid >= self.tries {
                    return self.give_up(StepOutcome::Invalid);
                }
                let wrong = &walk.common.said_wrong;
                self.ask(walk, Some(wrong))
            }
        }
    }

    fn ask(&self, walk: &mut Walk, first: Option<&Say>) -> Next {
        let parts: Vec<&Say> = first.into_iter().chain([&self.say]).collect();
        walk.speak(&parts);
        Next::Stay
    }

    fn give_up(&self, outcome: StepOutcome) -> Next {
        Next::Go(self.otherwise.clone(), outcome)
    }
}
