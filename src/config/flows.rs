//! The flows' files and prompts, and what ties flows to numbers, queues and agents.

use super::centre::Number;
use super::{calendars, read};
use crate::acd::config::AgentConfig;
use crate::ivr::scope::{Demand, Names};
use crate::ivr::trial::{Trial, TrialNames};
use crate::ivr::{Flow, FlowFile, FlowName, World, check};
use crate::leg::code;
use crate::model::need::Classes;
use crate::model::schema::nearest_first;
use crate::model::tree::Node;
use crate::model::{AgentId, Language, Problem, Spot, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A flow's tests, each with its time.
#[derive(Clone, Debug)]
pub struct FlowTests {
    pub flow: FlowName,
    pub file: Arc<str>,
    pub tests: Vec<(Trial, Time)>,
}

/// The prompts that are on disk, with their words from `manifest.json`.
pub fn prompts(
    dir: &Path,
    at: &Spot,
    languages: impl Iterator<Item = Language>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Language, BTreeMap<Arc<str>, String>> {
    let manifest = std::fs::read_to_string(dir.join("manifest.json")).ok();
    let manifest: serde_json::Value = manifest.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut prompts = BTreeMap::new();
    for language in languages {
        let files = std::fs::read_dir(dir.join(language.as_str()));
        let Ok(files) = files else {
            problems.push(
                at.problem(format!("there are no prompts in `{language}`: {} cannot be read", dir.join(language.as_str()).display())),
            );
            continue;
        };
        let names = files.filter_map(|file| {
            let path = file.ok()?.path();
            let wav = path.extension().is_some_and(|extension| extension == "wav");
            wav.then(|| path.file_stem().and_then(|name| name.to_str()).map(String::from)).flatten()
        });
        let of_language = names.map(|name| {
            let words = manifest[language.as_str()][&name]["text"].as_str().unwrap_or_default().to_string();
            (name.into(), words)
        });
        let of_language: BTreeMap<Arc<str>, String> = of_language.collect();
        let missing: Vec<&str> = code::PROMPTS.into_iter().filter(|name| !of_language.contains_key(*name)).collect();
        if !missing.is_empty() {
            problems.push(
                at.problem(format!("agents who dial a code hear nothing in `{language}` for want of prompts: {}", missing.join(", "))),
            );
        }
        prompts.insert(language, of_language);
    }
    if !dir.join("hold-music.wav").is_file() {
        problems.push(at.problem(format!("there is no hold music: {} is missing", dir.join("hold-music.wav").display())));
    }
    prompts
}

/// The flows' files, in the order of their names.
pub fn files(dir: &Path, at: &Spot, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        problems.push(at.problem(format!("there are no flows: {} cannot be read", dir.display())));
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    paths.sort();
    if paths.is_empty() {
        problems.push(at.problem(format!("there are no flows in {}", dir.display())));
    }
    paths
}

/// Parses a file; its problems name it as `shown`.
pub fn tree(path: &Path, shown: &Arc<str>, problems: &mut Vec<Problem>) -> Option<Node> {
    match std::fs::read_to_string(path) {
        Ok(text) => read::yaml(shown, &text).map_err(|problem| problems.push(problem)).ok(),
        Err(error) => {
            problems.push(Spot::new(shown, 1, 1).problem(format!("cannot be read: {error}")));
            None
        }
    }
}

/// The flows' names, before the flows are read: one may hand callers to another. A name is its file's.
pub fn names(trees: &[(Arc<str>, Node)], problems: &mut Vec<Problem>) -> BTreeSet<FlowName> {
    let mut names = BTreeSet::new();
    for (file, tree) in trees {
        let Some(name) = FlowFile::name_of(tree) else { continue };
        let stem = Path::new(&**file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if stem != &*name {
            let at = tree.get("flow").map_or(&tree.at, |node| &node.at);
            problems.push(at.choose(format!("the flow `{name}` lives in a file of another name"), [stem]));
        }
        names.insert(name);
    }
    names
}

/// What is read of all flows together.
pub struct Flows {
    pub flows: BTreeMap<FlowName, Arc<Flow>>,
    pub files: Vec<FlowFile>,
    pub tests: Vec<FlowTests>,
}

pub fn read_all(trees: &[(Arc<str>, Node)], names: &Names, classes: &mut Classes, now: Time, problems: &mut Vec<Problem>) -> Flows {
    let mut all = Flows { flows: BTreeMap::new(), files: Vec::new(), tests: Vec::new() };
    for (shown, tree) in trees {
        let Some(file) = FlowFile::read(tree, names, classes, problems) else { continue };
        check::unreachable(&file, problems);
        check::emergency(&file, None, problems);
        all.flows.extend(file.flow.clone().map(|flow| (file.name.clone(), Arc::new(flow))));
        if let Some(tests) = &file.tests {
            let tests = tests_of(tests, &file, now, problems);
            all.tests.push(FlowTests { flow: file.name.clone(), file: shown.clone(), tests });
        }
        all.files.push(file);
    }
    check::endless(&all.files, problems);
    all
}

fn tests_of(tests: &Node, file: &FlowFile, now: Time, problems: &mut Vec<Problem>) -> Vec<(Trial, Time)> {
    let trials = Trial::read_all(tests, &file.languages, problems);
    let timed = trials.into_iter().filter_map(|trial| {
        let time = match &trial.time {
            Some((text, at)) => calendars::instant(text, at, problems)?,
            None => now,
        };
        Some((trial, time))
    });
    timed.collect()
}

/// Every number leads to a flow that speaks its language, and a clinical one to its emergency step.
pub fn check_numbers(
    numbers: &mut BTreeMap<Arc<str>, Number>,
    files: &[FlowFile],
    known: &BTreeSet<FlowName>,
    problems: &mut Vec<Problem>,
) {
    for (did, number) in numbers {
        let Some(file) = files.iter().find(|file| file.name == number.config.flow) else {
            // A flow that could not be read has told its own problems.
            if !known.contains(&number.config.flow) {
                let choices = nearest_first(&number.config.flow, known.iter().map(|name| &**name));
                problems.push(number.flow_at.choose(format!("there is no flow `{}`", number.config.flow), choices));
            }
            continue;
        };
        match (&number.language_at, file.languages.first()) {
            (None, Some(first)) => number.config.language = *first,
            (Some(at), Some(_)) if !file.languages.contains(&number.config.language) => {
                let cause = format!("the flow `{}` does not speak `{}`", file.name, number.config.language);
                problems.push(at.choose(cause, file.languages.iter().map(Language::to_string)));
            }
            _ => {}
        }
        if number.clinical {
            check::emergency(file, Some((&number.at, did)), problems);
        }
    }
}

/// Somebody who serves the queue must be able to meet what a caller asks for; if only one can, that is worth a warning.
pub fn check_demand(
    demand: &Demand,
    queue: &str,
    classes: &Classes,
    agents: &BTreeMap<AgentId, &AgentConfig>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    for (language, class) in &demand.classes {
        let entry = &classes.entries[usize::from(class.0)];
        let fits = |agent: &&AgentConfig| {
            agent.queues.contains_key(&demand.queue) && entry.needs.met_by(|skill| agent.skills.get(&skill).copied())
        };
        match agents.values().copied().filter(fits).count() {
            0 => problems.push(demand.at.problem(format!("no agent of the queue `{queue}` meets `{}`", entry.text))),
            1 => warnings.push(
                demand.at.problem(format!("only one agent of the queue `{queue}` can serve callers in `{language}`: `{}`", entry.text)),
            ),
            _ => {}
        }
    }
}

/// Runs the tests that the flows carry; a line for each that fails.
pub fn run(
    tests: &FlowTests,
    flows: &BTreeMap<FlowName, Arc<Flow>>,
    plans: &BTreeMap<Arc<str>, calendars::Plan>,
    names: &TrialNames,
) -> Vec<Problem> {
    let Some(flow) = flows.get(&tests.flow) else { return Vec::new() };
    let mut problems = Vec::new();
    for (trial, time) in &tests.tests {
        let calendars = plans.iter().map(|(name, plan)| (name.clone(), plan.compile(*time))).collect();
        let way = trial.walk(&World { flows, calendars: &calendars }, *time, flow, names);
        if way != trial.expect {
            let cause = format!("{}: expected [{}], and the way was [{}]", trial.name, trial.expect.join(", "), way.join(", "));
            problems.push(trial.expect_at.problem(cause));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agents_hear_of_codes_is_there_in_every_language() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("ivr-flows/prompts");
        let languages = || ["en", "es"].into_iter().filter_map(Language::new);
        let at = Spot::new(&"careline.toml".into(), 1, 1);
        let mut problems = Vec::new();
        prompts(&shipped, &at, languages(), &mut problems);
        assert_eq!(problems, []);
        let poor = std::env::temp_dir().join(format!("careline-prompts-{}", std::process::id()));
        for (language, names) in [("en", &code::PROMPTS[..]), ("es", &code::PROMPTS[1..])] {
            std::fs::create_dir_all(poor.join(language)).unwrap();
            names.iter().for_each(|name| std::fs::write(poor.join(language).join(name).with_extension("wav"), "").unwrap());
        }
        std::fs::write(poor.join("hold-music.wav"), "").unwrap();
        prompts(&poor, &at, languages(), &mut problems);
        std::fs::remove_dir_all(&poor).unwrap();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(problem.cause, "agents who dial a code hear nothing in `es` for want of prompts: agent_number");
    }
}
