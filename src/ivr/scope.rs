//! What the reading of a flow knows of the centre, and what it notes down for the checks.

use super::words::{FlowName, StepName};
use crate::model::need::{Classes, Need};
use crate::model::scanner::Mistake;
use crate::model::schema::nearest_first;
use crate::model::tree::Node;
use crate::model::{AgentId, Language, Problem, QueueId, RequirementClass, SkillId, Spot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names that a flow may use.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Every language of the centre, and the skill of speaking it.
    pub languages: BTreeMap<Language, SkillId>,
    pub skills: BTreeMap<Arc<str>, SkillId>,
    pub queues: BTreeMap<Arc<str>, QueueId>,
    /// What a queue asks of its agents when a flow does not say.
    pub queue_needs: BTreeMap<QueueId, BTreeMap<Language, RequirementClass>>,
    pub agents: BTreeSet<AgentId>,
    pub calendars: BTreeSet<Arc<str>>,
    pub flows: BTreeSet<FlowName>,
    /// The recorded prompts, each with its words.
    pub prompts: BTreeMap<Language, BTreeMap<Arc<str>, String>>,
}

/// How a step leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// By itself, whatever the caller does or does not do.
    Alone,
    /// By the caller's key.
    Key,
    /// After a wait in a queue, in which an agent could have answered.
    Wait,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: StepName,
    pub to: StepName,
    pub how: How,
    /// As the picture of the flow says it: a key, `otherwise`, `on_timeout`.
    pub label: String,
}

/// A queue step's wish, to be held against the agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    pub at: Spot,
    pub queue: QueueId,
    pub classes: BTreeMap<Language, RequirementClass>,
}

/// The reading of one flow.
pub struct Scope<'a> {
    pub names: &'a Names,
    pub classes: &'a mut Classes,
    pub flow: FlowName,
    pub languages: Vec<Language>,
    pub steps: BTreeSet<StepName>,
    /// The step that is being read.
    pub step: StepName,
    pub edges: Vec<Edge>,
    pub demands: Vec<Demand>,
    /// Values that some step gathers or sets.
    pub values: BTreeSet<Arc<str>>,
    /// Values that some condition asks for.
    pub asked: Vec<(Spot, Arc<str>)>,
    /// Flows that a step hands the caller to.
    pub handed_to: Vec<(StepName, FlowName)>,
    pub problems: &'a mut Vec<Problem>,
}

impl Scope<'_> {
    pub fn problem(&mut self, at: &Spot, cause: impl Into<String>) {
        self.problems.push(at.problem(cause));
    }

    pub fn choose<S: Into<String>>(&mut self, at: &Spot, cause: impl Into<String>, choices: impl IntoIterator<Item = S>) {
        self.problems.push(at.choose(cause, choices));
    }

    /// A step by its name, noted as an edge from the step that is being read.
    pub fn target(&mut self, node: &Node, how: How, label: &str) -> Option<StepName> {
        let name = node.expect_text(self.problems)?;
        let Some(to) = self.steps.get(name).cloned() else {
            let choices = nearest_first(name, self.steps.iter().map(|step| &**step));
            self.choose(&node.at, format!("there is no step `{name}`"), choices);
            return None;
        };
        self.edges.push(Edge { from: self.step.clone(), to: to.clone(), how, label: label.to_string() });
        Some(to)
    }

    /// The quoted keys of a menu or a wait.
    pub fn keys(&mut self, node: &Node, how: How) -> BTreeMap<char, StepName> {
        let mut keys = BTreeMap::new();
        for entry in node.expect_map(self.problems).unwrap_or(&[]) {
            if let Some(key) = self.key(entry)
                && let Some(step) = self.target(&entry.node, how, &entry.key)
            {
                keys.insert(key, step);
            }
        }
        keys
    }

    /// One quoted key.
    pub fn key(&mut self, entry: &crate::model::tree::Entry) -> Option<char> {
        if entry.plain {
            self.problem(&entry.key_at, format!("quote the key: \"{}\"", entry.key));
        }
        let mut signs = entry.key.chars();
        match (signs.next(), signs.next()) {
            (Some(key), None) if is_key(key) => Some(key),
            _ => {
                self.choose(&entry.key_at, format!("`{}` is not a key of a telephone", entry.key), ["0–9", "*", "#"]);
                None
            }
        }
    }

    pub fn queue(&mut self, node: &Node) -> Option<QueueId> {
        let name = node.expect_text(self.problems)?;
        let found = self.names.queues.get(name).copied();
        if found.is_none() {
            let choices = nearest_first(name, self.names.queues.keys().map(|name| &**name));
            self.choose(&node.at, format!("there is no queue `{name}`"), choices);
        }
        found
    }

    pub fn need(&mut self, node: &Node) -> Option<Need> {
        let text = node.expect_text(self.problems)?;
        Need::parse(text, &self.names.skills).map_err(|mistake| self.problems.push(misread(node, &mistake))).ok()
    }
}

/// A mistake inside an expression, at its own column where the expression stands on one line.
pub fn misread(node: &Node, mistake: &Mistake) -> Problem {
    let mut problem = node.at.choose(mistake.cause.clone(), mistake.choices.clone());
    let quote = u32::from(matches!(node.value, crate::model::tree::Value::Scalar { plain: false, .. }));
    problem.column += u32::try_from(mistake.offset).unwrap_or(0) + quote;
    problem
}

/// The keys of a telephone.
pub fn is_key(key: char) -> bool {
    key.is_ascii_digit() || key == '*' || key == '#'
}
