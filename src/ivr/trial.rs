//! A test that a flow carries: one caller's keys, and the way that they lead.

use super::flow::Flow;
use super::node::Verb;
use super::node::transfer::To;
use super::session::World;
use super::walk::{Phase, Session};
use super::words::{Action, Context, Input, QueueExit};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;
use crate::model::{AgentId, Destination, Language, Phi, Problem, QueueId, Spot, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const FIELDS: &[Field] = &[
    Field::required("name", Kind::Text, "what is shown"),
    Field::optional("at", Kind::Text, "local time and zone: 2026-03-02T10:00 America/Chicago"),
    Field::optional("language", Kind::Name, "the number's language; otherwise the flow's first"),
    Field::optional("from", Kind::Text, "the caller's number"),
    Field::optional("did", Kind::Text, "the number dialled"),
    Field::default(
        "keys",
        Kind::Text,
        "keys and events in turn: digits, `silence`, and in a queue `timeout`, `full`, `nobody`, `closed`, `failed`; after a transfer `not_taken`",
        "",
    ),
    Field::required("expect", Kind::List, "the steps on the way, the last one as `queue NAME language=LL`, `agent ID`, `hangup STEP`"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    pub at: Spot,
    pub name: String,
    /// As written; whoever knows the zones makes a time of it.
    pub time: Option<(String, Spot)>,
    pub language: Option<Language>,
    pub from: String,
    pub did: String,
    pub keys: Vec<Token>,
    pub expect: Vec<String>,
    pub expect_at: Spot,
}

/// What the caller does next, when the flow waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// One key, or several in one go: `22`.
    Keys(String),
    Silence,
    Left(QueueExit),
    /// The agent or the queue of a transfer did not take the caller.
    TransferFailed,
}

const WORDS: [(&str, Token); 7] = [
    ("silence", Token::Silence),
    ("timeout", Token::Left(QueueExit::Timeout)),
    ("full", Token::Left(QueueExit::Full)),
    ("nobody", Token::Left(QueueExit::Nobody)),
    ("closed", Token::Left(QueueExit::Closed)),
    ("failed", Token::Left(QueueExit::Failed)),
    ("not_taken", Token::TransferFailed),
];

impl Trial {
    pub fn read_all(tests: &Node, languages: &[Language], problems: &mut Vec<Problem>) -> Vec<Trial> {
        let nodes = tests.expect_list(problems).unwrap_or(&[]);
        nodes.iter().filter_map(|node| Trial::read(node, languages, problems)).collect()
    }

    fn read(node: &Node, languages: &[Language], problems: &mut Vec<Problem>) -> Option<Trial> {
        let reader = Reader::open(node, "a test", FIELDS, problems)?;
        let name = reader.text("name", problems)?.to_string();
        let time = reader.node("at").and_then(|at| Some((at.expect_text(problems)?.to_string(), at.at.clone())));
        let language = reader.text("language", problems).and_then(|text| {
            let language = Language::new(text).filter(|language| languages.contains(language));
            if language.is_none() {
                let at = reader.node("language").map_or(&node.at, |node| &node.at);
                problems.push(at.choose(format!("the flow does not speak `{text}`"), languages.iter().map(Language::to_string)));
            }
            language
        });
        let keys = tokens(&reader, problems);
        let expect = reader.texts("expect", problems).into_iter().map(|(text, _)| text.to_string()).collect();
        let expect_at = reader.node("expect").map_or(&node.at, |node| &node.at).clone();
        let from = reader.text("from", problems).unwrap_or("+13125550199").to_string();
        let did = reader.text("did", problems).unwrap_or_default().to_string();
        Some(Trial { at: node.at.clone(), name, time, language, from, did, keys, expect, expect_at })
    }

    /// Walks the flow as this caller at `now`. The steps passed, then what ended the walk; with the tokens used up, the caller is
    /// silent.
    pub fn walk(&self, world: &World, now: Time, flow: &Flow, names: &TrialNames) -> Vec<String> {
        let language = self.language.unwrap_or(flow.common.languages[0]);
        let context = Context { from: Phi(self.from.clone()), did: self.did.as_str().into(), language, arrived_at: now };
        let mut out = Vec::new();
        let session = Session::start(world, now, &flow.name, context, &mut out);
        let mut caller = Caller { world, now, session, names, passed: Vec::new(), tokens: self.keys.clone() };
        caller.note(out);
        for _ in 0..WALK_MAX {
            if !caller.act() {
                break;
            }
        }
        caller.passed
    }
}

/// Far more than any flow's longest silence.
const WALK_MAX: usize = 1_000;

fn tokens(reader: &Reader, problems: &mut Vec<Problem>) -> Vec<Token> {
    let Some(node) = reader.node("keys") else { return Vec::new() };
    let mut tokens = Vec::new();
    for word in node.scalar().unwrap_or_default().split_whitespace() {
        let known = WORDS.iter().find(|(name, _)| *name == word).map(|(_, token)| token.clone());
        let keys = word.chars().all(super::scope::is_key).then(|| Token::Keys(word.to_string()));
        match known.or(keys) {
            Some(token) => tokens.push(token),
            None => {
                let valid = ["0–9", "*", "#"].into_iter().chain(WORDS.iter().map(|(name, _)| *name));
                problems.push(node.at.choose(format!("a caller cannot do `{word}`"), valid));
            }
        }
    }
    tokens
}

/// Names for what a walk meets.
pub struct TrialNames {
    pub queues: BTreeMap<QueueId, Arc<str>>,
}

struct Caller<'a> {
    world: &'a World<'a>,
    now: Time,
    session: Session,
    names: &'a TrialNames,
    passed: Vec<String>,
    tokens: Vec<Token>,
}

impl Caller<'_> {
    /// Does the next thing; false when nothing is left to do.
    fn act(&mut self) -> bool {
        let next = self.tokens.first().cloned();
        match (self.session.phase, next) {
            (Phase::Over, _) | (Phase::Queued | Phase::Transferring, None) => return false,
            (Phase::Speaking, Some(Token::Keys(keys))) if self.takes_keys() => self.press(&keys),
            (Phase::Speaking, _) => self.tell(Input::PlayDone),
            (Phase::Listening, Some(Token::Keys(keys))) | (Phase::Queued, Some(Token::Keys(keys))) => self.press(&keys),
            (Phase::Listening, token) => {
                if token == Some(Token::Silence) {
                    self.tokens.remove(0);
                }
                self.tell(Input::Timeout);
            }
            (Phase::Queued, Some(Token::Left(exit))) => {
                self.tokens.remove(0);
                self.tell(Input::QueueLeft(exit));
            }
            (Phase::Transferring, Some(Token::TransferFailed)) => {
                self.tokens.remove(0);
                self.tell(Input::TransferFailed);
            }
            (Phase::Queued | Phase::Transferring, Some(_)) => return false,
        }
        true
    }

    /// The question is being spoken: a practised caller does not wait for its end.
    fn takes_keys(&self) -> bool {
        let flow = &self.world.flows[&self.session.flow];
        flow.steps.get(&self.session.step).is_some_and(|verb| matches!(verb, Verb::Menu(_) | Verb::Gather(_)))
    }

    fn press(&mut self, keys: &str) {
        self.tokens.remove(0);
        for key in keys.chars() {
            self.tell(Input::Key(key));
        }
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.session.handle(self.world, self.now, input, &mut out);
        self.note(out);
    }

    fn note(&mut self, out: Vec<Action>) {
        for action in out {
            match action {
                Action::Step { flow, step, .. } => {
                    // A wait is counted when it begins, and named by what it waits for.
                    let verb = self.world.flows.get(&flow).and_then(|flow| flow.steps.get(&step));
                    let ends = match verb {
                        Some(Verb::Queue(_) | Verb::HangUp(_)) => true,
                        Some(Verb::Transfer(transfer)) => !matches!(transfer.to, To::Flow(_)),
                        _ => false,
                    };
                    if !ends {
                        self.passed.push(step.to_string());
                    }
                }
                Action::Enter(entry) => {
                    let queues: Vec<&str> = entry.queues.iter().map(|(queue, _)| self.queue(*queue)).collect();
                    self.passed.push(format!("queue {} language={}", queues.join("+"), self.session.language));
                }
                Action::Transfer(Destination::Agent(AgentId(agent))) => self.passed.push(format!("agent {agent}")),
                Action::Transfer(Destination::Queue(queue)) => self.passed.push(format!("transfer queue {}", self.queue(queue))),
                Action::HangUp => self.passed.push(format!("hangup {}", self.session.step)),
                _ => {}
            }
        }
    }

    fn queue(&self, queue: QueueId) -> &str {
        self.names.queues.get(&queue).map_or("?", |name| name)
    }
}
