//! Recording: nobody is recorded who was not told before.

use crate::acd::config::{Escalation, QueueConfig};
use crate::ivr::check::unannounced;
use crate::ivr::node::Verb;
use crate::ivr::node::transfer::To;
use crate::ivr::scope::Names;
use crate::ivr::{FlowFile, FlowName};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::{Node, Value};
use crate::model::{Destination, Language, Problem, QueueId};
use std::collections::{BTreeMap, BTreeSet};

pub const FIELDS: &[Field] = &[Field::default(
    "notice",
    Kind::Name,
    "the prompt that callers hear, to its end, before they can reach a queue that records",
    "recording_notice",
)];

/// How callers come to queues.
pub struct Ways<'a> {
    pub queues: &'a BTreeMap<QueueId, QueueConfig>,
    pub files: &'a [FlowFile],
    /// The flows that numbers lead to.
    pub entered: BTreeSet<FlowName>,
}

/// Every way from a number to a queue that records, or that can pass a caller on to one, must lead through the notice.
pub fn check(root: &Node, names: &Names, ways: &Ways, problems: &mut Vec<Problem>) {
    let empty = Node { at: root.at.clone(), value: Value::Map(Vec::new()) };
    let node = root.get("recording").unwrap_or(&empty);
    let Some(reader) = Reader::open(node, "[recording]", FIELDS, problems) else { return };
    let Some(notice) = reader.text("notice", problems) else { return };
    let recording = passing_on(ways.queues);
    if recording.is_empty() {
        return;
    }
    let at = reader.node("notice").map_or(&node.at, |node| &node.at);
    let missing: Vec<&Language> =
        names.languages.keys().filter(|language| !names.prompts.get(language).is_some_and(|known| known.contains_key(notice))).collect();
    for language in &missing {
        problems.push(at.problem(format!("there is no prompt `{notice}` in `{language}`: prompts/{language}/{notice}.wav")));
    }
    if !missing.is_empty() {
        return;
    }
    for (flow, step) in unannounced(ways.files, &ways.entered, notice) {
        let file = ways.files.iter().find(|file| file.name == flow).expect("a step of a file");
        let Some(queue) = queues_of(file, &step).into_iter().find(|queue| recording.contains(queue)) else { continue };
        let cause = format!(
            "callers come to the queue `{}`, which records or passes on to one that does, without hearing `{notice}`",
            ways.queues[&queue].name
        );
        problems
            .push(file.place_of(&step).choose(cause, [format!("before it {{say: {{prompt: {notice}, barge_in: false}}, next: {step}}}")]));
    }
}

/// The queues that record, and those whose callers can wait in such a one.
fn passing_on(queues: &BTreeMap<QueueId, QueueConfig>) -> BTreeSet<QueueId> {
    let mut found: BTreeSet<QueueId> = queues.iter().filter(|(_, queue)| queue.record).map(|(id, _)| *id).collect();
    loop {
        let before = found.len();
        for (id, queue) in queues {
            let leads = |step: &Escalation| match step {
                Escalation::Widen(to) | Escalation::Overflow(Destination::Queue(to)) => found.contains(to),
                _ => false,
            };
            if queue.escalation.iter().any(|(_, step)| leads(step)) {
                found.insert(*id);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn queues_of(file: &FlowFile, step: &str) -> Vec<QueueId> {
    match file.flow.as_ref().and_then(|flow| flow.steps.get(step)) {
        Some(Verb::Queue(queue)) => queue.queues.iter().map(|(queue, _)| *queue).collect(),
        Some(Verb::Transfer(transfer)) => match transfer.to {
            To::Queue(queue, _) => vec![queue],
            To::Agent(..) | To::Flow(_) => Vec::new(),
        },
        _ => Vec::new(),
    }
}
