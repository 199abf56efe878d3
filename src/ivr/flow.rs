//! A flow: what a caller hears and may press, read from its tree.

use super::node::Verb;
use super::node::hangup::HangUp;
use super::node::queue::Queue;
use super::say::Say;
use super::scope::{Demand, Edge, How, Names, Scope};
use super::walk::Common;
use super::words::{FlowName, QueueExit, StepName};
use crate::model::need::Classes;
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;
use crate::model::{Class, Language, Problem, Prompt, QueueId, RequirementClass, Spot};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub const FIELDS: &[Field] = &[
    Field::required("flow", Kind::Name, "the flow's name, which is also its file's"),
    Field::required("languages", Kind::List, "the languages it speaks; the first is the default"),
    Field::optional(
        "emergency",
        Kind::Step,
        "the first thing heard, in every language in turn, never interrupted; a clinical number's flow has it",
    ),
    Field::optional("keys", Kind::Keys, "keys that work at every menu and while waiting"),
    Field::default("no_input", Kind::Name, "the prompt for a caller who pressed nothing", "no_input"),
    Field::default("invalid", Kind::Name, "the prompt for a key that is no choice", "invalid_key"),
    Field::required("start", Kind::Step, "the first step"),
    Field::required("steps", Kind::Map, "every step, by its name"),
    Field::optional("tests", Kind::List, "callers who try the flow out"),
];

/// What a session walks: every step that a step names exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub name: FlowName,
    pub start: StepName,
    pub common: Common,
    pub steps: BTreeMap<StepName, Verb>,
}

impl Flow {
    /// The shortest flow: into one queue at once. Callers of a language that `needs` does not name wait as those of the first.
    pub fn straight_to(name: &str, queue: QueueId, class: Class, needs: BTreeMap<Language, RequirementClass>) -> Flow {
        let languages: Vec<Language> = needs.keys().copied().collect();
        let goodbye = languages.iter().map(|language| (*language, vec![Prompt::new(*language, "goodbye")])).collect();
        let (wait, bye): (StepName, StepName) = ("wait".into(), "goodbye".into());
        let exits = QueueExit::ALL.into_iter().map(|exit| (exit, bye.clone())).collect();
        let (credit, exit_keys) = (Duration::ZERO, BTreeMap::new());
        let waits = Queue { queues: vec![(queue, needs)], class, credit, max_wait: None, agent_first: None, exit_keys, exits };
        let says = HangUp { say: Say { prompts: goodbye, barge_in: false, in_all: false } };
        let steps = BTreeMap::from([(wait.clone(), Verb::Queue(waits)), (bye, Verb::HangUp(says))]);
        Flow { name: name.into(), start: wait, common: Common { languages, ..Common::default() }, steps }
    }
}

/// A flow's file, read; what of it could be read if there were problems.
#[derive(Clone, Debug)]
pub struct FlowFile {
    pub at: Spot,
    pub name: FlowName,
    /// `None`: there are problems.
    pub flow: Option<Flow>,
    pub languages: Vec<Language>,
    pub start: Option<StepName>,
    pub emergency: Option<StepName>,
    /// Each step with its place, in the order of the file.
    pub steps: Vec<(StepName, Spot)>,
    pub edges: Vec<Edge>,
    pub demands: Vec<Demand>,
    pub handed_to: Vec<(StepName, FlowName)>,
    pub tests: Option<Node>,
}

impl FlowFile {
    /// The name that a file gives itself, before anything else of it is read.
    pub fn name_of(tree: &Node) -> Option<FlowName> {
        tree.get("flow").and_then(Node::scalar).filter(|name| !name.is_empty()).map(Into::into)
    }

    pub fn read(tree: &Node, names: &Names, classes: &mut Classes, problems: &mut Vec<Problem>) -> Option<FlowFile> {
        let before = problems.len();
        let reader = Reader::open(tree, "a flow", FIELDS, problems)?;
        let name: FlowName = FlowFile::name_of(tree)?;
        let languages = languages(&reader, names, problems);
        let entries = reader.node("steps").and_then(|steps| steps.expect_map(problems)).unwrap_or(&[]);
        let steps: Vec<(StepName, Spot)> = entries.iter().map(|entry| (entry.key.as_str().into(), entry.key_at.clone())).collect();
        let mut scope = Scope {
            names,
            classes,
            flow: name.clone(),
            languages: languages.clone(),
            steps: steps.iter().map(|(name, _)| name.clone()).collect(),
            step: name.clone(),
            edges: Vec::new(),
            demands: Vec::new(),
            values: BTreeSet::new(),
            asked: Vec::new(),
            handed_to: Vec::new(),
            problems,
        };
        let mut verbs = BTreeMap::new();
        for entry in entries {
            scope.step = entry.key.as_str().into();
            let verb = Verb::read(&entry.node, &mut scope);
            verbs.extend(verb.map(|verb| (scope.step.clone(), verb)));
        }
        let listeners = listeners(entries);
        let common = common(&reader, &listeners, &mut scope);
        let start = outer_step(&reader, "start", &mut scope);
        let emergency = outer_step(&reader, "emergency", &mut scope);
        unknown_values(&mut scope);
        let (edges, demands, handed_to) = (scope.edges, scope.demands, scope.handed_to);
        let whole = problems.len() == before;
        let flow = whole.then(|| Flow { name: name.clone(), start: start.clone().expect("read without problems"), common, steps: verbs });
        let tests = tree.get("tests").cloned();
        Some(FlowFile { at: tree.at.clone(), name, flow, languages, start, emergency, steps, edges, demands, handed_to, tests })
    }

    pub fn place_of(&self, step: &str) -> &Spot {
        self.steps.iter().find(|(name, _)| &**name == step).map_or(&self.at, |(_, at)| at)
    }
}

fn languages(reader: &Reader, names: &Names, problems: &mut Vec<Problem>) -> Vec<Language> {
    let mut languages = Vec::new();
    for (text, at) in reader.texts("languages", problems) {
        match Language::new(text).filter(|language| names.languages.contains_key(language)) {
            Some(language) => languages.push(language),
            None => {
                problems.push(at.choose(format!("the centre does not speak `{text}`"), names.languages.keys().map(Language::to_string)))
            }
        }
    }
    if languages.is_empty()
        && let Some(node) = reader.node("languages").filter(|node| node.list().is_some_and(<[_]>::is_empty))
    {
        problems.push(node.at.problem("a flow speaks at least one language"));
    }
    languages
}

/// The steps at which the flow's own keys work.
fn listeners(entries: &[crate::model::tree::Entry]) -> Vec<StepName> {
    let takes_keys =
        |entry: &&crate::model::tree::Entry| entry.node.map().is_some_and(|verbs| verbs.iter().any(|verb| Verb::takes_keys(&verb.key)));
    entries.iter().filter(takes_keys).map(|entry| entry.key.as_str().into()).collect()
}

fn common(reader: &Reader, listeners: &[StepName], scope: &mut Scope) -> Common {
    let mut keys = BTreeMap::new();
    for entry in reader.node("keys").and_then(|node| node.expect_map(scope.problems)).unwrap_or(&[]) {
        let Some(key) = scope.key(entry) else { continue };
        if key == '*' || key == '#' {
            scope.choose(&entry.key_at, format!("`{key}` is always the same: * is back, # repeats"), ["0–9"]);
        }
        let known = scope.edges.len();
        if let Some(step) = scope.target(&entry.node, How::Key, &entry.key) {
            scope.edges.truncate(known);
            let edges = listeners.iter().map(|from| Edge { from: from.clone(), to: step.clone(), how: How::Key, label: entry.key.clone() });
            scope.edges.extend(edges);
            keys.insert(key, step);
        }
    }
    let mut said = |name: &str| {
        let Some(prompt) = reader.text(name, scope.problems) else { return Say::default() };
        let at = reader.node(name).map_or(&reader.at, |node| &node.at).clone();
        if listeners.is_empty() { Say::default() } else { Say::named(prompt, &at, scope) }
    };
    let (said_nothing, said_wrong) = (said("no_input"), said("invalid"));
    Common { languages: scope.languages.clone(), keys, said_nothing, said_wrong }
}

/// A step that the flow itself names; no step leads there by it.
fn outer_step(reader: &Reader, name: &str, scope: &mut Scope) -> Option<StepName> {
    let known = scope.edges.len();
    let step = reader.node(name).and_then(|node| scope.target(node, How::Alone, name));
    scope.edges.truncate(known);
    step
}

fn unknown_values(scope: &mut Scope) {
    for (at, name) in std::mem::take(&mut scope.asked) {
        if !super::expr::KNOWN.contains(&&*name) && !scope.values.contains(&name) {
            let known: Vec<String> = super::expr::KNOWN
                .iter()
                .map(|known| known.to_string())
                .chain(scope.values.iter().map(|value| value.to_string()))
                .collect();
            scope.choose(&at, format!("nothing sets or gathers `{name}`"), known);
        }
    }
}
