//! `queue`: waits for an agent who fits.

use crate::ivr::scope::{Demand, How, Scope};
use crate::ivr::walk::{Next, Phase, Walk};
use crate::ivr::words::{Action, LeaveWhy, QueueEntry, QueueExit, StepName, StepOutcome};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;
use crate::model::{AgentId, Class, Language, QueueId, RequirementClass};
use std::collections::BTreeMap;
use std::time::Duration;

pub const FIELDS: &[Field] = &[
    Field::required("name", Kind::Name, "the queue"),
    Field::optional("also", Kind::List, "queues to wait in at the same time"),
    Field::optional("need", Kind::Expression, "what the agent must master; otherwise the queue's own `needs`"),
    Field::optional("prefer", Kind::Expression, "ranks those who can serve, and shuts nobody out"),
    Field::default("class", Kind::Text, "urgent, high, normal or low: strict", "normal"),
    Field::default("credit", Kind::Span, "served as if arrived so much earlier, within the class", "0s"),
    Field::optional("max_wait", Kind::Timeout, "in place of the queue's own longest wait"),
    Field::optional("agent_first", Kind::Count, "offered to this agent alone at first"),
    Field::default("agent_first_for", Kind::Span, "for so long", "20s"),
    Field::optional("exit_keys", Kind::Keys, "keys that work while waiting, besides the flow's own"),
    Field::optional("on_timeout", Kind::Step, "after the longest wait"),
    Field::optional("on_full", Kind::Step, "when the queue is full"),
    Field::optional("on_nobody", Kind::Step, "when nobody who is logged in could ever serve"),
    Field::optional("on_closed", Kind::Step, "when the queue is closed"),
    Field::optional("on_failed", Kind::Step, "when we fail"),
    Field::optional("otherwise", Kind::Step, "for those of these five that are not named"),
];

pub const CLASSES: [(&str, Class); 4] = [("urgent", Class::Urgent), ("high", Class::High), ("normal", Class::Normal), ("low", Class::Low)];

const EXITS: [(&str, QueueExit, How); 5] = [
    ("on_timeout", QueueExit::Timeout, How::Wait),
    ("on_full", QueueExit::Full, How::Alone),
    ("on_nobody", QueueExit::Nobody, How::Alone),
    ("on_closed", QueueExit::Closed, How::Alone),
    ("on_failed", QueueExit::Failed, How::Alone),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The queues to wait in, each with what the caller of each language needs.
    pub queues: Vec<(QueueId, BTreeMap<Language, RequirementClass>)>,
    pub class: Class,
    pub credit: Duration,
    pub max_wait: Option<Duration>,
    pub agent_first: Option<(AgentId, Duration)>,
    pub exit_keys: BTreeMap<char, StepName>,
    /// Every exit has its step.
    pub exits: BTreeMap<QueueExit, StepName>,
}

impl Queue {
    pub fn read(body: &Node, scope: &mut Scope) -> Option<Queue> {
        let before = scope.problems.len();
        let reader = Reader::open(body, "queue", FIELDS, scope.problems)?;
        let exits = exits(body, &reader, scope);
        let exit_keys = reader.node("exit_keys").map(|node| scope.keys(node, How::Key)).unwrap_or_default();
        let class = reader.word("class", &CLASSES, scope.problems);
        let credit = reader.span("credit", scope.problems);
        let max_wait = reader.span("max_wait", scope.problems);
        let agent_first = agent_first(&reader, scope);
        let queues = queues(body, &reader, scope);
        if scope.problems.len() > before {
            return None;
        }
        Some(Queue { queues, class: class?, credit: credit?, max_wait, agent_first, exit_keys, exits })
    }

    pub fn enter(&self, walk: &mut Walk) -> Next {
        let language = walk.session.language;
        let class_of = |needs: &BTreeMap<Language, RequirementClass>| {
            let of_language = needs.get(&language).or_else(|| needs.values().next());
            *of_language.expect("every centre speaks a language")
        };
        let queues = self.queues.iter().map(|(queue, needs)| (*queue, class_of(needs))).collect();
        walk.session.ahead.0.clear();
        walk.session.phase = Phase::Queued;
        let entry = QueueEntry { queues, class: self.class, credit: self.credit, max_wait: self.max_wait, agent_first: self.agent_first };
        let (flow, step) = (walk.session.flow.clone(), walk.session.step.clone());
        walk.out.push(Action::Step { flow, step, outcome: StepOutcome::Done });
        walk.out.push(Action::Enter(entry));
        Next::Stay
    }

    /// A key that leads to where the caller already waits is no reason to move.
    pub fn key(&self, walk: &mut Walk, key: char) -> Next {
        let target = self.exit_keys.get(&key).or_else(|| walk.common.keys.get(&key)).cloned();
        let back = (key == '*' && target.is_none()).then(|| walk.session.back.last().cloned()).flatten();
        let Some(step) = target.or(back).filter(|step| *step != walk.session.step) else { return Next::Stay };
        if !walk.count_answer() {
            return Next::Stay;
        }
        if walk.session.back.last() == Some(&step) {
            walk.session.back.pop();
        }
        walk.out.push(Action::Leave(LeaveWhy::Moved));
        Next::On(step)
    }

    pub fn left(&self, exit: QueueExit) -> Next {
        Next::On(self.exits[&exit].clone())
    }
}

fn exits(body: &Node, reader: &Reader, scope: &mut Scope) -> BTreeMap<QueueExit, StepName> {
    let otherwise = reader.node("otherwise");
    let mut exits = BTreeMap::new();
    let mut unnamed = Vec::new();
    for (name, exit, how) in EXITS {
        match (reader.node(name), otherwise) {
            (Some(node), _) => exits.extend(scope.target(node, how, name).map(|step| (exit, step))),
            (None, Some(_)) => unnamed.push((exit, how)),
            (None, None) => scope.choose(&body.at, format!("the queue step says nothing for `{name}`"), [name, "otherwise"]),
        }
    }
    if let (Some(node), Some((_, how))) = (otherwise, unnamed.iter().min_by_key(|(_, how)| *how)) {
        let step = scope.target(node, *how, "otherwise");
        exits.extend(step.into_iter().flat_map(|step| unnamed.iter().map(move |(exit, _)| (*exit, step.clone()))));
    }
    exits
}

fn agent_first(reader: &Reader, scope: &mut Scope) -> Option<(AgentId, Duration)> {
    let span = reader.span("agent_first_for", scope.problems);
    let node = reader.node("agent_first")?;
    let id = reader.count("agent_first", 0..=u64::MAX, scope.problems).map(AgentId)?;
    if !scope.names.agents.contains(&id) {
        let agents: Vec<String> = scope.names.agents.iter().map(AgentId::to_string).collect();
        scope.choose(&node.at, format!("there is no agent {id}"), agents);
    }
    Some((id, span?))
}

fn queues(body: &Node, reader: &Reader, scope: &mut Scope) -> Vec<(QueueId, BTreeMap<Language, RequirementClass>)> {
    let need = reader.node("need").map(|node| (node, scope.need(node)));
    let prefer = reader.node("prefer").map(|node| (node, scope.need(node)));
    if let Some((node, _)) = prefer.as_ref().filter(|_| need.is_none()) {
        scope.problem(&node.at, "`prefer` ranks those who meet `need`: name both");
    }
    let also = reader.node("also").map(|node| node.expect_list(scope.problems).unwrap_or(&[]));
    let nodes: Vec<&Node> = reader.node("name").into_iter().chain(also.into_iter().flatten()).collect();
    let mut queues: Vec<(QueueId, BTreeMap<Language, RequirementClass>)> = Vec::new();
    for node in nodes {
        let Some(queue) = scope.queue(node) else { continue };
        if queues.iter().any(|(known, _)| *known == queue) {
            scope.problem(&node.at, "the queue is named twice");
            continue;
        }
        let own = scope.names.queue_needs.get(&queue).cloned();
        let (at, classes) = match &need {
            Some((_, None)) => continue,
            Some((at, Some(need))) => {
                let prefer = prefer.as_ref().and_then(|(_, prefer)| prefer.as_ref());
                match scope.classes.number_each(need, prefer, &scope.names.languages) {
                    Ok(classes) => (&at.at, classes),
                    Err(too_many) => {
                        scope.problem(&body.at, too_many.to_string());
                        continue;
                    }
                }
            }
            None => (&node.at, own.unwrap_or_default()),
        };
        let spoken = classes.iter().filter(|(language, _)| scope.languages.contains(language)).map(|(l, c)| (*l, *c)).collect();
        scope.demands.push(Demand { at: at.clone(), queue, classes: spoken });
        queues.push((queue, classes));
    }
    queues
}
