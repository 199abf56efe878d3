//! The verbs of the flow language: one file each, with its fields, its reading and its step.

pub mod branch;
pub mod gather;
pub mod hangup;
pub mod hours;
pub mod menu;
pub mod queue;
pub mod say;
pub mod set;
pub mod transfer;

use super::scope::Scope;
use super::walk::{Next, Phase, Walk};
use super::words::Input;
use crate::model::schema::{Field, Reader};
use crate::model::tree::Node;

/// What one step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    Say(say::Speak),
    Menu(menu::Menu),
    Gather(gather::Gather),
    Set(set::Set),
    Branch(branch::Branch),
    Hours(hours::Hours),
    Queue(queue::Queue),
    Transfer(transfer::Transfer),
    HangUp(hangup::HangUp),
}

/// A verb as the manual lists it.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub verb: &'static str,
    pub doc: &'static str,
    pub fields: &'static [Field],
    /// What stands beside the verb in its step.
    pub beside: &'static [Field],
}

pub const FORMS: &[Form] = &[
    Form { verb: "say", doc: "speaks, then goes on", fields: say::FIELDS, beside: say::BESIDE },
    Form { verb: "play", doc: "plays a recorded notice, then goes on", fields: say::PLAY_FIELDS, beside: say::BESIDE },
    Form { verb: "menu", doc: "asks, and goes where the key says", fields: menu::FIELDS, beside: &[] },
    Form { verb: "gather", doc: "takes digits as data", fields: gather::FIELDS, beside: gather::BESIDE },
    Form { verb: "set", doc: "remembers the caller's language or a value", fields: set::FIELDS, beside: set::BESIDE },
    Form { verb: "branch", doc: "goes by the first condition that holds", fields: branch::FIELDS, beside: &[] },
    Form { verb: "hours", doc: "goes by a calendar", fields: hours::FIELDS, beside: &[] },
    Form { verb: "queue", doc: "waits for an agent who fits", fields: queue::FIELDS, beside: &[] },
    Form { verb: "transfer", doc: "hands the caller to an agent, a queue or another flow", fields: transfer::FIELDS, beside: &[] },
    Form { verb: "hangup", doc: "says goodbye and ends the call", fields: hangup::FIELDS, beside: &[] },
];

impl Verb {
    /// Reads one step: a map of one verb and what stands beside it.
    pub fn read(step: &Node, scope: &mut Scope) -> Option<Verb> {
        let entries = step.expect_map(scope.problems)?;
        let verbs: Vec<_> = entries.iter().filter_map(|entry| Some((entry, FORMS.iter().find(|form| form.verb == entry.key)?))).collect();
        let [(entry, form)] = verbs[..] else {
            let cause = match verbs.len() {
                0 => match entries.first() {
                    Some(entry) => format!("`{}` is no verb", entry.key),
                    None => "a step has a verb".to_string(),
                },
                _ => "a step has one verb, not several".to_string(),
            };
            let at = verbs.get(1).map_or(entries.first().map_or(&step.at, |entry| &entry.key_at), |(entry, _)| &entry.key_at);
            scope.choose(at, cause, FORMS.iter().map(|form| form.verb));
            return None;
        };
        for other in entries.iter().filter(|other| other.key != form.verb && !form.beside.iter().any(|field| field.name == other.key)) {
            let cause = format!("`{}` does not stand beside `{}`", other.key, form.verb);
            scope.choose(&other.key_at, cause, form.beside.iter().map(|field| field.name));
        }
        for field in form.beside.iter().filter(|field| step.get(field.name).is_none()) {
            scope.problem(&entry.key_at, format!("{} needs `{}`: {}", form.verb, field.name, field.doc));
        }
        let beside = Reader::of(step, form.beside);
        let body = &entry.node;
        Some(match form.verb {
            "say" => Verb::Say(say::Speak::read(body, &beside, scope)?),
            "play" => Verb::Say(say::Speak::read_play(body, &beside, scope)?),
            "menu" => Verb::Menu(menu::Menu::read(body, scope)?),
            "gather" => Verb::Gather(gather::Gather::read(body, &beside, scope)?),
            "set" => Verb::Set(set::Set::read(body, &beside, scope)?),
            "branch" => Verb::Branch(branch::Branch::read(body, scope)?),
            "hours" => Verb::Hours(hours::Hours::read(body, scope)?),
            "queue" => Verb::Queue(queue::Queue::read(body, scope)?),
            "transfer" => Verb::Transfer(transfer::Transfer::read(body, scope)?),
            "hangup" => Verb::HangUp(hangup::HangUp::read(body, scope)?),
            other => unreachable!("`{other}` is listed and not read"),
        })
    }

    /// Whether the caller can press the flow's own keys here.
    pub fn takes_keys(verb: &str) -> bool {
        matches!(verb, "menu" | "queue" | "gather")
    }

    pub fn enter(&self, walk: &mut Walk) -> Next {
        match self {
            Verb::Say(say) => say.enter(walk),
            Verb::Menu(menu) => menu.enter(walk),
            Verb::Gather(gather) => gather.enter(walk),
            Verb::Set(set) => set.enter(walk),
            Verb::Branch(branch) => branch.enter(walk),
            Verb::Hours(hours) => hours.enter(walk),
            Verb::Queue(queue) => queue.enter(walk),
            Verb::Transfer(transfer) => transfer.enter(walk),
            Verb::HangUp(hangup) => hangup.enter(walk),
        }
    }

    /// An input that does not fit the phase is obsolete, and changes nothing.
    pub fn handle(&self, walk: &mut Walk, input: &Input) -> Next {
        match (input, walk.session.phase) {
            (Input::Key(key), Phase::Speaking | Phase::Listening | Phase::Queued) => self.key(walk, *key),
            (Input::PlayDone | Input::Timeout, Phase::Speaking) => self.spoken(walk),
            (Input::Timeout, Phase::Listening) => self.silence(walk),
            (Input::QueueLeft(exit), Phase::Queued) => match self {
                Verb::Queue(queue) => queue.left(*exit),
                _ => Next::Stay,
            },
            (Input::TransferFailed | Input::QueueLeft(_), Phase::Transferring) => match self {
                Verb::Transfer(transfer) => transfer.failed(),
                _ => Next::Stay,
            },
            _ => Next::Stay,
        }
    }

    fn key(&self, walk: &mut Walk, key: char) -> Next {
        match self {
            Verb::Say(say) => say.key(walk, key),
            Verb::Menu(menu) => menu.key(walk, key),
            Verb::Gather(gather) => gather.key(walk, key),
            Verb::Queue(queue) => queue.key(walk, key),
            _ => Next::Stay,
        }
    }

    fn spoken(&self, walk: &mut Walk) -> Next {
        match self {
            Verb::Say(say) => say.go_on(),
            Verb::Menu(menu) => menu.spoken(walk),
            Verb::Gather(gather) => gather.spoken(walk),
            Verb::HangUp(hangup) => hangup.spoken(walk),
            _ => Next::Stay,
        }
    }

    fn silence(&self, walk: &mut Walk) -> Next {
        match self {
            Verb::Menu(menu) => menu.silence(walk),
            Verb::Gather(gather) => gather.silence(walk),
            _ => Next::Stay,
        }
    }
}
