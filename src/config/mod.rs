//! The configuration: files in, a checked centre out, and every error of every file at once.

pub mod again;
pub mod calendars;
pub mod centre;
pub mod codes;
pub mod flows;
pub mod journal;
pub mod ladder;
pub mod manual;
pub mod outside;
pub mod outward;
pub mod queues;
pub mod read;
pub mod recording;
pub mod secret;
pub mod server;
pub mod trunks;

pub use crate::model::Problem;
pub use again::{Diff, Origin, Parts};
pub use secret::Secret;
pub use server::{Credentials, OnRegister, Server, Transports};
pub use trunks::Trunk;

use crate::acd;
use crate::acd::config::{ClassConfig, QueueConfig};
use crate::ivr::scope::{Demand, Names};
use crate::ivr::trial::TrialNames;
use crate::ivr::{FlowFile, FlowName};
use crate::model::need::Classes;
use crate::model::schema::Reader;
use crate::model::sources::PromptNames;
use crate::model::tree::Node;
use crate::model::{AgentId, QueueId, RequirementClass, SkillId, Sources, Spot, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::sync::Arc;

/// The file of the centre, in the directory of the configuration.
pub const FILE: &str = "careline.toml";

/// A centre without errors.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it was read from, and the time around which its calendars are compiled.
    pub sources: Arc<Sources>,
    pub at: Time,
    pub server: Server,
    pub centre: acd::Config,
    pub warnings: Vec<Problem>,
    /// The calendars as written, to be compiled anew each day.
    pub plans: BTreeMap<Arc<str>, calendars::Plan>,
    /// The centre's own days.
    pub days: calendars::Plan,
    pub files: Vec<FlowFile>,
    pub tests: Vec<flows::FlowTests>,
    /// For reading it again.
    pub origin: Origin,
    /// For saying what was changed since.
    pub parts: Parts,
}

/// Reads and checks a directory. Calendars are compiled around the present.
pub fn load(dir: &Path) -> Result<Loaded, Vec<Problem>> {
    load_at(dir, now())
}

/// The wall clock, around which calendars are compiled.
pub fn now() -> Time {
    Time(0) + std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// As [`load`], with calendars around `now`.
pub fn load_at(dir: &Path, now: Time) -> Result<Loaded, Vec<Problem>> {
    load_with(dir, now, None)
}

/// As [`load_at`], with one more flow file, or with another in place of the directory's of the same name.
pub fn load_with(dir: &Path, now: Time, flow: Option<&Path>) -> Result<Loaded, Vec<Problem>> {
    load_from(now, &Origin::of(dir), flow)
}

/// The centre alone, from what a directory was read into: nothing on disk is asked.
pub fn load_sources(sources: &Sources, now: Time) -> Result<acd::Config, Vec<Problem>> {
    let mut problems = Vec::new();
    let built = build(sources, BTreeSet::new(), now, &mut problems);
    built.filter(|_| problems.is_empty()).map(|built| built.centre).ok_or(problems)
}

fn load_from(now: Time, origin: &Origin, flow: Option<&Path>) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Vec::new();
    let loaded = read_centre(now, origin, flow, &mut problems);
    problems.sort();
    problems.dedup();
    match loaded {
        Some(loaded) if problems.is_empty() => Ok(loaded),
        _ => Err(problems),
    }
}

impl Loaded {
    /// The same centre with opening hours and midnights around `now`: they are compiled for a year or so, and must be renewed.
    pub fn renewed(&self, now: Time) -> acd::Config {
        let mut centre = self.centre.clone();
        centre.calendars = self.plans.iter().map(|(name, plan)| (name.clone(), plan.compile(now))).collect();
        centre.rules.midnights = calendars::midnights(&self.days, now);
        centre
    }

    /// Runs every test of every flow, or of one; the failures.
    pub fn run_tests(&self, flow: Option<&str>) -> (usize, Vec<Problem>) {
        let names = TrialNames { queues: self.centre.queues.iter().map(|(id, queue)| (*id, queue.name.clone())).collect() };
        let chosen: Vec<_> = self.tests.iter().filter(|tests| flow.is_none_or(|flow| *tests.flow == *flow)).collect();
        let count = chosen.iter().map(|tests| tests.tests.len()).sum();
        (count, chosen.iter().flat_map(|tests| flows::run(tests, &self.centre.flows, &self.plans, &names)).collect())
    }
}

fn read_centre(now: Time, origin: &Origin, flow: Option<&Path>, problems: &mut Vec<Problem>) -> Option<Loaded> {
    let dir = &*origin.dir;
    let path = dir.join(FILE);
    let shown: Arc<str> = path.display().to_string().into();
    let text =
        std::fs::read_to_string(&path).map_err(|error| problems.push(Spot::new(&shown, 1, 1).problem(format!("cannot be read: {error}"))));
    let root = read::toml(&shown, &text.ok()?).map_err(|problem| problems.push(problem)).ok()?;
    Reader::open(&root, "the configuration", centre::ROOT_FIELDS, problems)?;
    let server = server::read(&root, dir, problems);
    let (sources, flow_names) = read_sources(root, origin, flow, problems);
    let mut built = build(&sources, flow_names, now, problems)?;
    let mut server = server?;
    let agents = built.agents.keys().copied().collect();
    server.outward = outward::read(&sources.root, &server.sip.trunks, &agents, problems, &mut built.warnings);
    server.codes = codes::read(&sources.root, &server.outward, problems)?;
    built.warnings.sort();
    built.warnings.dedup();
    let parts = Parts::of(&sources.root, &sources.flows, &server.prompts_dir);
    Some(built.into_loaded(Arc::new(sources), now, server, (origin.clone(), parts)))
}

/// What the sources say of the centre.
struct Built {
    centre: acd::Config,
    warnings: Vec<Problem>,
    plans: BTreeMap<Arc<str>, calendars::Plan>,
    days: calendars::Plan,
    flows: flows::Flows,
    agents: BTreeMap<AgentId, Credentials>,
}

impl Built {
    fn into_loaded(self, sources: Arc<Sources>, at: Time, mut server: Server, (origin, parts): (Origin, Parts)) -> Loaded {
        let Built { centre, warnings, plans, days, flows, agents } = self;
        server.agents = agents;
        Loaded { sources, at, server, centre, warnings, plans, days, files: flows.files, tests: flows.tests, origin, parts }
    }
}

/// `flow_names`: of files that could not be read, and have told so.
fn build(sources: &Sources, flow_names: BTreeSet<FlowName>, now: Time, problems: &mut Vec<Problem>) -> Option<Built> {
    let (root, numbers) = (&sources.root, &sources.numbers);
    let plans = calendars::read(root, problems);
    let (skill_names, skills) = centre::skills(root, &numbers.skills, problems);
    let mut names = Names { languages: centre::languages(root, &skill_names, problems), skills: skill_names, ..Names::default() };
    names.calendars = root.get("calendars").and_then(Node::map).unwrap_or(&[]).iter().map(|entry| entry.key.as_str().into()).collect();
    let queue_ids = centre::numbered(centre::named(root, "queues", &mut Vec::new()), &numbers.queues);
    names.queues = queue_ids.into_iter().map(|(name, id)| (name, QueueId(id))).collect();
    let agent_names = centre::AgentNames { skills: &names.skills, queues: &names.queues, languages: &names.languages };
    let agents = centre::agents(root, &agent_names, problems);
    let agent_ids = root.get("agents").and_then(Node::map).unwrap_or(&[]).iter().filter_map(|entry| entry.key.parse().ok());
    names.agents = agent_ids.map(crate::model::AgentId).collect();
    let mut dialled = centre::numbers(root, &names.languages, problems);
    let mut rules = centre::rules(root, problems);
    let days = days(root, problems);
    rules.midnights = days.as_ref().map_or(Arc::from([]), |days| calendars::midnights(days, now));
    let mut classes = Classes::default();
    let own = queues::needs(root, &names, &mut classes, problems);
    names.queue_needs = own.iter().map(|(id, own)| (*id, own.classes.clone())).collect();

    names.prompts = sources.prompts.clone();
    names.flows = flows::names(&sources.flows, problems);
    names.flows.extend(flow_names);
    let mut flows = flows::read_all(&sources.flows, &names, &mut classes, now, problems);
    flows::check_numbers(&mut dialled, &flows.files, &names.flows, problems);
    let demands = demands(&own, &flows.files);
    let queues = read_queues(root, &names, &skills, &demands, &mut classes, problems);

    let entered = dialled.values().map(|number| number.config.flow.clone()).collect();
    recording::check(root, &names, &recording::Ways { queues: &queues, files: &flows.files, entered }, problems);

    let mut warnings = Vec::new();
    let agent_configs = agents.iter().map(|(id, agent)| (*id, &agent.config)).collect();
    let whole = agents.len() == names.agents.len();
    for demand in demands.iter().filter(|_| whole) {
        let queue = names.queues.iter().find(|(_, id)| **id == demand.queue).map_or("?", |(name, _)| name);
        flows::check_demand(demand, queue, &classes, &agent_configs, problems, &mut warnings);
    }
    // Several flows ask for the same: one warning is enough.
    let mut told = BTreeSet::new();
    warnings.retain(|warning: &Problem| told.insert(warning.cause.clone()));
    warn_unused(&agents, &flows.files, &dialled, &mut warnings);
    warnings.sort();
    warnings.dedup();
    let credentials = agents.iter().map(|(id, agent)| (*id, agent.credentials.clone())).collect();
    let calendars = plans.iter().map(|(name, plan)| (name.clone(), plan.compile(now))).collect();
    let class = |entry: crate::model::need::ClassEntry| ClassConfig { text: entry.text, needs: entry.needs, prefers: entry.prefers };
    let centre = acd::Config {
        queues,
        agents: agents.into_iter().map(|(id, agent)| (id, agent.config)).collect(),
        skills,
        languages: names.languages,
        classes: classes.entries.into_iter().map(class).collect(),
        numbers: dialled.into_iter().map(|(did, number)| (did, number.config)).collect(),
        flows: std::mem::take(&mut flows.flows),
        calendars,
        rules,
    };
    Some(Built { centre, warnings, plans, days: days?, flows, agents: credentials })
}

/// Reads the flows and the prompts' names. A file that cannot be read has told its own problem: who names its flow is not told another.
fn read_sources(root: Node, origin: &Origin, flow: Option<&Path>, problems: &mut Vec<Problem>) -> (Sources, BTreeSet<FlowName>) {
    let dir = &*origin.dir;
    let mut sources = Sources { root, flows: Vec::new(), prompts: PromptNames::new(), numbers: origin.numbers.clone() };
    let Some(centre) = sources.root.get("centre").filter(|centre| centre.map().is_some()) else { return (sources, BTreeSet::new()) };
    let Some(reader) = Reader::open(centre, "[centre]", server::CENTRE_FIELDS, &mut Vec::new()) else { return (sources, BTreeSet::new()) };
    let at = |name: &str| centre.get(name).map_or(&centre.at, |node| &node.at);
    let path = |name: &str| reader.text(name, &mut Vec::new()).map(|text| dir.join(text));
    if let Some(prompts) = path("prompts") {
        sources.prompts = flows::prompts(&prompts, at("prompts"), centre::language_tags(&sources.root).into_iter(), problems);
    }
    let mut paths = path("flows").map(|flows| flows::files(&flows, at("flows"), problems)).unwrap_or_default();
    if let Some(flow) = flow {
        paths.retain(|path| path.file_name() != flow.file_name());
        paths.push(flow.to_path_buf());
    }
    let trees = paths.iter().filter_map(|path| {
        let shown: Arc<str> = shown(path).into();
        let tree = flows::tree(path, &shown, problems)?;
        Some((shown, tree))
    });
    sources.flows = trees.collect();
    let names = paths.iter().filter_map(|path| path.file_stem()?.to_str().map(Into::into)).collect();
    (sources, names)
}

fn days(root: &Node, problems: &mut Vec<Problem>) -> Option<calendars::Plan> {
    let zone = root.get("centre").and_then(|centre| centre.get("zone"));
    let (text, at) = zone.map_or(("UTC", &root.at), |node| (node.scalar().unwrap_or_default(), &node.at));
    calendars::days(text, at, problems)
}

/// A path as people would write it: `config/../ivr-flows` is `ivr-flows`.
fn shown(path: &Path) -> String {
    let mut plain = std::path::PathBuf::new();
    for part in path.components() {
        let down = matches!(plain.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::ParentDir if down => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain.display().to_string()
}

/// What callers may ask of each queue: the flows' words, and the queue's own for who comes another way.
fn demands(own: &BTreeMap<QueueId, queues::OwnNeeds>, files: &[FlowFile]) -> Vec<Demand> {
    let own = own.iter().map(|(queue, own)| Demand { at: own.at.clone(), queue: *queue, classes: own.classes.clone() });
    own.chain(files.iter().flat_map(|file| file.demands.clone())).collect()
}

fn read_queues(
    root: &Node,
    names: &Names,
    skills: &BTreeMap<SkillId, acd::config::SkillConfig>,
    demands: &[Demand],
    classes: &mut Classes,
    problems: &mut Vec<Problem>,
) -> BTreeMap<QueueId, QueueConfig> {
    let mut queues = BTreeMap::new();
    for entry in centre::named(root, "queues", &mut Vec::new()) {
        let id = names.queues[entry.key.as_str()];
        let needs = names.queue_needs.get(&id).cloned().unwrap_or_default();
        let Some(mut queue) = queues::read(&entry.key, &entry.node, needs, names, problems) else { continue };
        if let Some(node) = entry.node.get("escalation") {
            // Every class of the centre may come here by widening or overflow of a visit that keeps its own words.
            let asked: BTreeSet<RequirementClass> =
                demands.iter().filter(|demand| demand.queue == id).flat_map(|demand| demand.classes.values().copied()).collect();
            queue.escalation = ladder::read(node, ladder::Ground { names, skills, queue: id, asked }, classes, problems);
        }
        queues.insert(id, queue);
    }
    queues
}

/// What is there and of no use.
fn warn_unused(
    agents: &BTreeMap<crate::model::AgentId, centre::Agent>,
    files: &[FlowFile],
    numbers: &BTreeMap<Arc<str>, centre::Number>,
    warnings: &mut Vec<Problem>,
) {
    for (id, agent) in agents.iter().filter(|(_, agent)| agent.config.queues.is_empty()) {
        warnings.push(agent.at.problem(format!("agent {id} serves no queue")));
    }
    for file in files {
        let by_number = numbers.values().any(|number| number.config.flow == file.name);
        let by_flow = files.iter().any(|other| other.handed_to.iter().any(|(_, flow)| *flow == file.name));
        if !by_number && !by_flow {
            warnings.push(file.at.problem(format!("no number and no flow leads to the flow `{}`", file.name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_give_the_same_centre_without_the_files() {
        let loaded = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config")).unwrap();
        assert_eq!(load_sources(&loaded.sources, loaded.at).unwrap(), loaded.centre);
    }

    /// The shipped centre is good, and so are its flows' tests.
    #[test]
    fn the_demo_centre_is_good() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let loaded = load(&dir).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let (tests, failures) = loaded.run_tests(None);
        assert_eq!(failures, []);
        assert!(tests >= 20, "{tests} tests");
        let names: Vec<&str> = loaded.centre.queues.values().map(|queue| &*queue.name).collect();
        assert_eq!(names, ["scheduling", "billing", "eligibility", "nurse", "operator"]);
        assert_eq!(loaded.centre.agents.keys().map(|agent| agent.0).collect::<Vec<_>>(), (1001..=1008).collect::<Vec<_>>());
        assert_eq!(loaded.server.on_register, OnRegister::Ready);
    }
}
