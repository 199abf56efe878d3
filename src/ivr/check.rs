//! What holds for flows as a whole: every step reached, every path at an end, the emergency step first.

use super::flow::FlowFile;
use super::node::Verb;
use super::scope::How;
use super::words::{FlowName, StepName};
use crate::model::{Language, Problem, Spot};
use std::collections::{BTreeMap, BTreeSet};

/// Steps that no caller can reach.
pub fn unreachable(file: &FlowFile, problems: &mut Vec<Problem>) {
    let Some(start) = &file.start else { return };
    let mut reached = BTreeSet::from([start.clone()]);
    let mut open = vec![start.clone()];
    while let Some(step) = open.pop() {
        for edge in file.edges.iter().filter(|edge| edge.from == step) {
            if reached.insert(edge.to.clone()) {
                open.push(edge.to.clone());
            }
        }
    }
    for (step, at) in file.steps.iter().filter(|(step, _)| !reached.contains(step)) {
        problems.push(at.problem(format!("no caller can reach the step `{step}`: nothing leads there from `{start}`")));
    }
}

/// A step of a flow.
pub type Place = (FlowName, StepName);

/// Loops that a silent caller would never leave. A wait in a queue is an end: an agent can answer there.
pub fn endless(files: &[FlowFile], problems: &mut Vec<Problem>) {
    let starts: BTreeMap<&FlowName, &StepName> = files.iter().filter_map(|file| Some((&file.name, file.start.as_ref()?))).collect();
    let mut leads: BTreeMap<Place, BTreeSet<Place>> = BTreeMap::new();
    for file in files {
        for edge in file.edges.iter().filter(|edge| edge.how == How::Alone) {
            leads.entry((file.name.clone(), edge.from.clone())).or_default().insert((file.name.clone(), edge.to.clone()));
        }
        for (step, flow) in &file.handed_to {
            if let Some(start) = starts.get(flow) {
                leads.entry((file.name.clone(), step.clone())).or_default().insert((flow.clone(), (*start).clone()));
            }
        }
    }
    let mut reported: BTreeSet<Place> = BTreeSet::new();
    for place in leads.keys() {
        let Some(round) = way_back(place, &leads).filter(|round| round.iter().all(|step| !reported.contains(step))) else { continue };
        reported.extend(round.iter().cloned());
        let file = files.iter().find(|file| file.name == place.0).expect("a place of a file");
        let way: Vec<&str> = round.iter().map(|(_, step)| &**step).chain([&*place.1]).collect();
        problems.push(file.place_of(&place.1).problem(format!("a silent caller goes round for ever: {}", way.join(" → "))));
    }
}

/// The shortest round from a place to itself, without the return.
fn way_back(from: &Place, leads: &BTreeMap<Place, BTreeSet<Place>>) -> Option<Vec<Place>> {
    let mut ways = std::collections::VecDeque::from([vec![from.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in leads.get(way.last().expect("a way has a step")).into_iter().flatten() {
            if next == from {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push_back(way.iter().cloned().chain([next.clone()]).collect());
            }
        }
    }
    None
}

/// Every step that a caller who comes in by one of these flows can reach without having heard this prompt to its end.
pub fn unannounced(files: &[FlowFile], entered: &BTreeSet<FlowName>, notice: &str) -> BTreeSet<Place> {
    let start_of = |flow: &FlowName| files.iter().find(|file| file.name == *flow).and_then(|file| file.start.clone());
    let mut open: Vec<Place> = entered.iter().filter_map(|flow| Some((flow.clone(), start_of(flow)?))).collect();
    let mut reached: BTreeSet<Place> = open.iter().cloned().collect();
    while let Some((flow, step)) = open.pop() {
        let file = files.iter().find(|file| file.name == flow).expect("a place of a file");
        if says(file, &step, notice) {
            continue;
        }
        let within = file.edges.iter().filter(|edge| edge.from == step).map(|edge| (flow.clone(), edge.to.clone()));
        let beyond = file.handed_to.iter().filter(|(from, _)| *from == step).filter_map(|(_, to)| Some((to.clone(), start_of(to)?)));
        for place in within.chain(beyond) {
            if reached.insert(place.clone()) {
                open.push(place);
            }
        }
    }
    reached
}

/// Whether the step says the prompt in every language of its flow, and no key cuts it short.
fn says(file: &FlowFile, step: &StepName, prompt: &str) -> bool {
    let Some(Verb::Say(speak)) = file.flow.as_ref().and_then(|flow| flow.steps.get(step)) else { return false };
    let heard =
        |language: &Language| speak.say.in_language(*language).iter().any(|said| said.language == *language && *said.name == *prompt);
    !speak.say.barge_in && file.languages.iter().all(heard)
}

/// The emergency step is spoken in every language and cannot be cut short; where a clinical number (at `number`) leads to this flow,
/// it is the first step.
pub fn emergency(file: &FlowFile, number: Option<(&Spot, &str)>, problems: &mut Vec<Problem>) {
    if let Some((at, did)) = number {
        match (&file.emergency, &file.start) {
            (None, _) => {
                let cause = format!("{did} is clinical, and its flow `{}` has no emergency step: name it with `emergency:`", file.name);
                problems.push(at.problem(cause));
            }
            (Some(emergency), Some(start)) if emergency != start => {
                let cause = format!("{did} is clinical: its flow `{}` must start with the emergency step `{emergency}`", file.name);
                problems.push(file.place_of(start).problem(cause));
            }
            _ => {}
        }
        return;
    }
    let Some(step) = &file.emergency else { return };
    let verb = file.flow.as_ref().and_then(|flow| flow.steps.get(step));
    match verb {
        None => {}
        Some(Verb::Say(speak)) if speak.say.in_all && !speak.say.barge_in => {}
        Some(_) => {
            let cause = format!("the emergency step `{step}` is spoken in every language and never interrupted");
            problems.push(file.place_of(step).choose(cause, ["say: {prompt: …, in: all, barge_in: false}"]));
        }
    }
}
