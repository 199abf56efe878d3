//! The escalation ladder of a queue: what time in it changes.

use super::queues::{announcement, queue};
use crate::acd::config::{Escalation, SkillConfig};
use crate::ivr::node::queue::CLASSES;
use crate::ivr::scope::Names;
use crate::model::need::{Classes, Need};
use crate::model::schema::{Field, Kind, Reader, read_count, read_timeout};
use crate::model::tree::{Entry, Node};
use crate::model::{AgentId, Destination, Problem, Proficiency, QueueId, Requirement, RequirementClass, SkillId, Spot, Term};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub const FIELDS: &[Field] = &[
    Field::required("after", Kind::Span, "so long after entering the queue; 1s at least with `widen` or `overflow`"),
    Field::optional("announce", Kind::Name, "says a prompt, a list of prompts, or `position`"),
    Field::optional("raise_class", Kind::Text, "urgent, high or normal"),
    Field::optional("drop", Kind::List, "skills that are no longer asked for"),
    Field::optional("lower", Kind::Map, "skills of which less is asked for: {billing = 3}"),
    Field::optional("add", Kind::Map, "skills that are asked for from here on: {senior = 5}"),
    Field::optional("widen", Kind::Name, "waits in this queue as well"),
    Field::optional("overflow", Kind::Text, "leaves for `queue NAME` or `agent ID`, with the same place in line"),
];

/// What the ladder must know of the rest.
pub struct Ground<'a> {
    pub names: &'a Names,
    pub skills: &'a BTreeMap<SkillId, SkillConfig>,
    pub queue: QueueId,
    /// What callers may ask for who wait here.
    pub asked: BTreeSet<RequirementClass>,
}

#[derive(Default)]
struct Change {
    drop: BTreeSet<SkillId>,
    lower: BTreeMap<SkillId, Proficiency>,
    add: BTreeMap<SkillId, Proficiency>,
}

/// Reads a queue's ladder. Relaxed requirements are numbered as well, and the later rungs relax those too.
pub fn read(node: &Node, mut ground: Ground, classes: &mut Classes, problems: &mut Vec<Problem>) -> Vec<(Duration, Escalation)> {
    let mut rungs: Vec<(Duration, &Node, Reader)> = Vec::new();
    for item in node.expect_list(problems).unwrap_or(&[]) {
        let Some(reader) = Reader::open(item, "a rung of `escalation`", FIELDS, problems) else { continue };
        // Who leaves a queue the moment that they enter it could go round between two for ever.
        let leads_away = reader.node("widen").or(reader.node("overflow")).is_some();
        if let Some(node) = reader.node("after")
            && let Some(after) = if leads_away { read_timeout("after", node, problems) } else { reader.span("after", problems) }
        {
            rungs.push((after, item, reader));
        }
    }
    rungs.sort_by_key(|(after, _, _)| *after);
    let mut ladder = Vec::new();
    for (after, item, reader) in rungs {
        let before = (ladder.len(), problems.len());
        let steps = rung(&reader, &mut ground, classes, problems);
        ladder.extend(steps.into_iter().map(|step| (after, step)));
        if (ladder.len(), problems.len()) == before {
            problems.push(item.at.choose("this rung changes nothing", FIELDS[1..].iter().map(|field| field.name)));
        }
    }
    ladder
}

fn rung(reader: &Reader, ground: &mut Ground, classes: &mut Classes, problems: &mut Vec<Problem>) -> Vec<Escalation> {
    let mut steps = Vec::new();
    if let Some(node) = reader.node("announce") {
        steps.extend(announcement(node, ground.names, problems).map(Escalation::Announce));
    }
    if reader.node("raise_class").is_some() {
        steps.extend(reader.word("raise_class", &CLASSES[..3], problems).map(Escalation::RaiseClass));
    }
    if ["drop", "lower", "add"].iter().any(|name| reader.node(name).is_some()) {
        let change = change(reader, ground, problems);
        match relax(&change, ground, classes) {
            Ok(map) => steps.push(Escalation::Relax(map)),
            Err(cause) => problems.push(reader.at.problem(cause)),
        }
    }
    if let Some(node) = reader.node("widen") {
        let found = node.expect_text(problems).and_then(|name| queue(name, &node.at, ground.names, problems));
        steps.extend(found.filter(|queue| elsewhere(*queue, &node.at, ground, problems)).map(Escalation::Widen));
    }
    if let Some(node) = reader.node("overflow") {
        steps.extend(overflow(node, ground, problems).map(Escalation::Overflow));
    }
    steps
}

fn elsewhere(queue: QueueId, at: &Spot, ground: &Ground, problems: &mut Vec<Problem>) -> bool {
    if queue == ground.queue {
        problems.push(at.problem("the caller waits in this queue already"));
    }
    queue != ground.queue
}

fn overflow(node: &Node, ground: &Ground, problems: &mut Vec<Problem>) -> Option<Destination> {
    let text = node.expect_text(problems)?;
    match text.split_once(' ') {
        Some(("queue", name)) => {
            let queue = queue(name.trim(), &node.at, ground.names, problems)?;
            elsewhere(queue, &node.at, ground, problems).then_some(Destination::Queue(queue))
        }
        Some(("agent", id)) => {
            let agent = id.trim().parse().ok().map(AgentId).filter(|agent| ground.names.agents.contains(agent));
            if agent.is_none() {
                problems.push(node.at.choose(format!("there is no agent `{id}`"), ground.names.agents.iter().map(AgentId::to_string)));
            }
            agent.map(Destination::Agent)
        }
        _ => {
            problems.push(node.at.choose(format!("`{text}` is no place to overflow to"), ["queue NAME", "agent ID"]));
            None
        }
    }
}

fn change(reader: &Reader, ground: &Ground, problems: &mut Vec<Problem>) -> Change {
    let mut change = Change::default();
    for (name, at) in reader.texts("drop", problems) {
        change.drop.extend(skills(name, at, false, ground, problems));
    }
    for (field, may_be_licence) in [("lower", false), ("add", true)] {
        let entries: &[Entry] = reader.node(field).and_then(|node| node.expect_map(problems)).unwrap_or(&[]);
        for entry in entries {
            let level = read_count(&entry.node, 1..=10, problems).and_then(|level| Proficiency::new(u8::try_from(level).ok()?));
            let found = skills(&entry.key, &entry.key_at, may_be_licence, ground, problems);
            let to = if field == "lower" { &mut change.lower } else { &mut change.add };
            to.extend(level.into_iter().flat_map(|level| found.iter().map(move |skill| (*skill, level))));
        }
    }
    change
}

/// The skills that a name stands for; `language` is that of every language.
fn skills(name: &str, at: &Spot, may_be_licence: bool, ground: &Ground, problems: &mut Vec<Problem>) -> Vec<SkillId> {
    let found: Vec<SkillId> = match name {
        Need::LANGUAGE if may_be_licence => {
            problems.push(at.problem("name the language's skill: the caller's language is asked for already"));
            Vec::new()
        }
        Need::LANGUAGE => ground.names.languages.values().copied().collect(),
        _ => super::centre::find(name, at, "skill", &ground.names.skills, problems).into_iter().collect(),
    };
    for skill in found.iter().filter(|_| !may_be_licence) {
        if let Some(skill) = ground.skills.get(skill).filter(|skill| skill.licence) {
            problems.push(at.problem(format!("`{}` is a licence: it is never relaxed", skill.name)));
        }
    }
    found
}

/// Where each class of callers goes; those that stay as they are are left out.
fn relax(change: &Change, ground: &mut Ground, classes: &mut Classes) -> Result<BTreeMap<RequirementClass, RequirementClass>, String> {
    let mut map = BTreeMap::new();
    for from in ground.asked.clone() {
        let entry = classes.entries[usize::from(from.0)].clone();
        let needs = changed(&entry.needs, change);
        if needs.any_of.len() > Requirement::ALTERNATIVES_MAX {
            return Err("this leaves more than eight alternatives".to_string());
        }
        let text = if entry.text.ends_with("relaxed") { entry.text.to_string() } else { format!("{}, relaxed", entry.text) };
        let to = classes.number(&text, needs, entry.prefers.clone()).map_err(|too_many| too_many.to_string())?;
        if to != from {
            map.insert(from, to);
            ground.asked.insert(to);
        }
    }
    Ok(map)
}

fn changed(needs: &Requirement, change: &Change) -> Requirement {
    let mut any_of: Vec<Vec<Term>> = needs
        .any_of
        .iter()
        .map(|terms| {
            let kept = terms.iter().filter_map(|term| match *term {
                Term::AtLeast(skill, _) | Term::Without(skill) if change.drop.contains(&skill) => None,
                Term::AtLeast(skill, least) => {
                    let lowered = change.lower.get(&skill).map_or(least, |lowered| least.min(*lowered));
                    Some(Term::AtLeast(skill, lowered))
                }
                term => Some(term),
            });
            let mut terms: Vec<Term> = kept.chain(change.add.iter().map(|(skill, least)| Term::AtLeast(*skill, *least))).collect();
            terms.sort();
            terms.dedup();
            terms
        })
        .collect();
    any_of.sort();
    any_of.dedup();
    Requirement { any_of }
}
