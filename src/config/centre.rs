//! Skills, agents, numbers and rules.

use super::secret::Secret;
use super::server::Credentials;
use crate::acd::call::Refusal;
use crate::acd::config::{AgentConfig, NumberConfig, Rules, SkillConfig};
use crate::model::schema::{Field, Kind, Reader, nearest_first, read_count};
use crate::model::tree::{Entry, Node};
use crate::model::{AgentId, Language, Problem, Proficiency, QueueId, SkillId, Spot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const ROOT_FIELDS: &[Field] = &[
    Field::required("centre", Kind::Map, "the centre's name, languages and directories"),
    Field::required("sip", Kind::Map, "addresses, trunks and limits of SIP"),
    Field::required("http", Kind::Map, "figures and API"),
    Field::required("media", Kind::Map, "addresses of sound"),
    Field::optional("recording", Kind::Map, "what callers hear before they can be recorded"),
    Field::optional("journal", Kind::Map, "how much of what happened is kept"),
    Field::optional("rules", Kind::Map, "the centre's rules and limits"),
    Field::optional("calendars", Kind::Map, "opening hours"),
    Field::required("skills", Kind::Map, "every skill, by its name"),
    Field::required("queues", Kind::Map, "every queue, by its name"),
    Field::required("agents", Kind::Map, "every agent, by their number"),
    Field::required("numbers", Kind::Map, "every number that callers dial"),
    Field::optional("codes", Kind::Map, "what agents dial for the services of the house"),
    Field::optional("outward", Kind::Map, "what agents may dial; anything else is refused"),
    Field::optional("locations", Kind::Map, "where stations are, for emergency calls"),
];

pub const SKILL_FIELDS: &[Field] = &[
    Field::default("scarce", Kind::Flag, "few have it: calls that need it come first for them, and other calls last", "false"),
    Field::default("licence", Kind::Flag, "never relaxed by an escalation", "false"),
];
pub const AGENT_FIELDS: &[Field] = &[
    Field::required("name", Kind::Text, "as colleagues know them"),
    Field::required("password", Kind::Text, "of their station"),
    Field::optional("pin", Kind::Text, "four to twelve digits: who logs in by telephone (`codes`) proves it with them"),
    Field::required("skills", Kind::Map, "each skill with its proficiency, 1 to 10"),
    Field::required("queues", Kind::Map, "each queue with the agent's own preference: 1 is served first"),
    Field::optional("language", Kind::Name, "of whispers and confirmations"),
    Field::optional("location", Kind::Name, "where their station is, for emergency calls"),
];
pub const NUMBER_FIELDS: &[Field] = &[
    Field::required("flow", Kind::Name, "the flow that answers"),
    Field::optional("language", Kind::Name, "the language that it begins in; otherwise the flow's first"),
    Field::default("clinical", Kind::Flag, "callers may be in danger: the flow begins with its emergency step", "false"),
];
pub const RULE_FIELDS: &[Field] = &[
    Field::default("hold_declined", Kind::Span, "a declined call is not offered to the same agent for so long", "10s"),
    Field::default("hold_busy", Kind::Span, "the same after a busy station", "5s"),
    Field::default("no_answers_max", Kind::Count, "so many offers in a row that ring out make an agent not ready", "1"),
    Field::default("direct_ring", Kind::Timeout, "a call for an agent's own hands rings so long", "20s"),
    Field::default("calls_max", Kind::Count, "calls at once", "10000"),
    Field::default("answer_timeout", Kind::Timeout, "how long a leg may take to be established", "40s"),
    Field::default("bridge_timeout", Kind::Timeout, "how long sound may take to be joined", "10s"),
    Field::default("last_agents_max", Kind::Count, "returning callers that are remembered", "100000"),
    Field::default("wait_max", Kind::Timeout, "no caller waits longer in one queue, whatever the queue says", "4h"),
    Field::optional("not_ready_codes", Kind::List, "known reasons for not ready, as numbers"),
];

/// A number, with what is checked against its flow.
pub struct Number {
    pub config: NumberConfig,
    pub clinical: bool,
    pub at: Spot,
    pub flow_at: Spot,
    /// The language was written, here.
    pub language_at: Option<Spot>,
}

/// Every entry of a block, in the order of the file.
pub fn named<'a>(root: &'a Node, block: &str, problems: &mut Vec<Problem>) -> &'a [Entry] {
    let entries = root.get(block).and_then(|node| node.expect_map(problems)).unwrap_or(&[]);
    for entry in entries {
        let label = entry.key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-' || c == '+');
        if !label || entry.key.is_empty() {
            problems.push(entry.key_at.problem(format!("`{}` is not a name: a–z, 0–9, _ and -", entry.key)));
        }
    }
    entries
}

/// Numbers from 1 in the order of the file; but a name that is known keeps its number, and a new one takes none that was another's.
pub fn numbered(entries: &[Entry], known: &BTreeMap<Arc<str>, u64>) -> BTreeMap<Arc<str>, u64> {
    let mut next = known.values().max().map_or(1, |last| last + 1);
    let mut numbers = BTreeMap::new();
    for entry in entries {
        let number = known.get(entry.key.as_str()).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        numbers.insert(entry.key.as_str().into(), number);
    }
    numbers
}

/// Skills by name, and what is said of each; `known` are those of a configuration in force.
pub fn skills(
    root: &Node,
    known: &BTreeMap<Arc<str>, u64>,
    problems: &mut Vec<Problem>,
) -> (BTreeMap<Arc<str>, SkillId>, BTreeMap<SkillId, SkillConfig>) {
    let entries = named(root, "skills", problems);
    let names: BTreeMap<Arc<str>, SkillId> = numbered(entries, known).into_iter().map(|(name, id)| (name, SkillId(id))).collect();
    let mut skills = BTreeMap::new();
    for entry in entries {
        if ["language", "and", "or", "not"].contains(&&*entry.key) {
            problems.push(entry.key_at.problem(format!("`{}` means something else in a requirement: name the skill otherwise", entry.key)));
        }
        let Some(reader) = Reader::open(&entry.node, &format!("[skills.{}]", entry.key), SKILL_FIELDS, problems) else { continue };
        let (scarce, licence) = (reader.flag("scarce", problems), reader.flag("licence", problems));
        if let Some((scarce, licence)) = scarce.zip(licence) {
            skills.insert(names[entry.key.as_str()], SkillConfig { name: entry.key.as_str().into(), scarce, licence });
        }
    }
    (names, skills)
}

pub fn languages(root: &Node, skills: &BTreeMap<Arc<str>, SkillId>, problems: &mut Vec<Problem>) -> BTreeMap<Language, SkillId> {
    let mut languages = BTreeMap::new();
    let node = root.get("centre").and_then(|centre| centre.get("languages"));
    for entry in node.and_then(|node| node.expect_map(problems)).unwrap_or(&[]) {
        let language = Language::new(&entry.key);
        if language.is_none() {
            problems.push(entry.key_at.choose(format!("`{}` is not a language tag", entry.key), ["en", "es"]));
        }
        let skill = lookup(&entry.node, "skill", skills, problems);
        languages.extend(language.zip(skill));
    }
    languages
}

/// The tags of the centre's languages, whatever else is wrong with them.
pub fn language_tags(root: &Node) -> BTreeSet<Language> {
    let node = root.get("centre").and_then(|centre| centre.get("languages"));
    node.and_then(Node::map).unwrap_or(&[]).iter().filter_map(|entry| Language::new(&entry.key)).collect()
}

/// A name that must be in a table.
pub fn lookup<T: Copy>(node: &Node, what: &str, table: &BTreeMap<Arc<str>, T>, problems: &mut Vec<Problem>) -> Option<T> {
    let name = node.expect_text(problems)?;
    find(name, &node.at, what, table, problems)
}

pub fn find<T: Copy>(name: &str, at: &Spot, what: &str, table: &BTreeMap<Arc<str>, T>, problems: &mut Vec<Problem>) -> Option<T> {
    let found = table.get(name).copied();
    if found.is_none() {
        let choices = nearest_first(name, table.keys().map(|known| &**known));
        problems.push(at.choose(format!("there is no {what} `{name}`"), choices));
    }
    found
}

/// An agent, with what only the edges need.
pub struct Agent {
    pub config: AgentConfig,
    pub credentials: Credentials,
    pub at: Spot,
}

pub struct AgentNames<'a> {
    pub skills: &'a BTreeMap<Arc<str>, SkillId>,
    pub queues: &'a BTreeMap<Arc<str>, QueueId>,
    pub languages: &'a BTreeMap<Language, SkillId>,
}

pub fn agents(root: &Node, names: &AgentNames, problems: &mut Vec<Problem>) -> BTreeMap<AgentId, Agent> {
    let mut agents = BTreeMap::new();
    for entry in named(root, "agents", problems) {
        let Ok(id) = entry.key.parse::<u64>() else {
            problems.push(entry.key_at.choose(format!("an agent is a number, not `{}`", entry.key), ["1001"]));
            continue;
        };
        agents.extend(agent(entry, names, problems).map(|agent| (AgentId(id), agent)));
    }
    agents
}

fn agent(entry: &Entry, names: &AgentNames, problems: &mut Vec<Problem>) -> Option<Agent> {
    let reader = Reader::open(&entry.node, &format!("[agents.{}]", entry.key), AGENT_FIELDS, problems)?;
    let name = reader.text("name", problems);
    let password = reader.text("password", problems);
    let pin = reader.text("pin", problems);
    if let (Some(pin), Some(node)) = (pin, reader.node("pin"))
        && !(4..=12).contains(&pin.len()) | !pin.bytes().all(|digit| digit.is_ascii_digit())
    {
        problems.push(node.at.problem("a PIN is four to twelve digits"));
    }
    let mut skills = BTreeMap::new();
    for skill in reader.node("skills").and_then(|node| node.expect_map(problems)).unwrap_or(&[]) {
        let id = find(&skill.key, &skill.key_at, "skill", names.skills, problems);
        let level = read_count(&skill.node, 1..=10, problems).and_then(|level| Proficiency::new(u8::try_from(level).ok()?));
        skills.extend(id.zip(level));
    }
    let mut queues = BTreeMap::new();
    for queue in reader.node("queues").and_then(|node| node.expect_map(problems)).unwrap_or(&[]) {
        let id = find(&queue.key, &queue.key_at, "queue", names.queues, problems);
        let preference = read_count(&queue.node, 1..=99, problems).and_then(|preference| u8::try_from(preference).ok());
        queues.extend(id.zip(preference));
    }
    let language = reader.node("language").and_then(|node| language(node, names.languages, problems));
    let config = AgentConfig { name: name?.into(), skills, queues, language };
    let credentials = Credentials { password: Secret(password?.to_string()), pin: pin.map(|pin| Secret(pin.to_string())) };
    Some(Agent { config, credentials, at: entry.key_at.clone() })
}

fn language(node: &Node, languages: &BTreeMap<Language, SkillId>, problems: &mut Vec<Problem>) -> Option<Language> {
    let text = node.expect_text(problems)?;
    let language = Language::new(text).filter(|language| languages.contains_key(language));
    if language.is_none() {
        problems.push(node.at.choose(format!("the centre does not speak `{text}`"), languages.keys().map(Language::to_string)));
    }
    language
}

/// The numbers; whether their flows exist, and speak their languages, is checked with the flows.
pub fn numbers(root: &Node, languages: &BTreeMap<Language, SkillId>, problems: &mut Vec<Problem>) -> BTreeMap<Arc<str>, Number> {
    let mut numbers = BTreeMap::new();
    for entry in named(root, "numbers", problems) {
        let Some(reader) = Reader::open(&entry.node, &format!("[numbers.\"{}\"]", entry.key), NUMBER_FIELDS, problems) else { continue };
        if !entry.key.bytes().skip(usize::from(entry.key.starts_with('+'))).all(|byte| byte.is_ascii_digit()) {
            problems.push(entry.key_at.choose(format!("`{}` is not a number that can be dialled", entry.key), ["+13125550100"]));
        }
        let written = reader.node("language").and_then(|node| Some((language(node, languages, problems)?, node.at.clone())));
        let clinical = reader.flag("clinical", problems);
        let flow = reader.text("flow", problems);
        let first = written.as_ref().map(|(language, _)| *language).or_else(|| languages.keys().next().copied());
        let (Some(flow), Some(clinical), Some(language)) = (flow, clinical, first) else { continue };
        let flow_at = reader.node("flow").map_or(&entry.key_at, |node| &node.at).clone();
        let config = NumberConfig { flow: flow.into(), language };
        let number = Number { config, clinical, at: entry.key_at.clone(), flow_at, language_at: written.map(|(_, at)| at) };
        numbers.insert(entry.key.as_str().into(), number);
    }
    numbers
}

pub fn rules(root: &Node, problems: &mut Vec<Problem>) -> Rules {
    let empty = Node { at: root.at.clone(), value: crate::model::tree::Value::Map(Vec::new()) };
    let node = root.get("rules").unwrap_or(&empty);
    let Some(reader) = Reader::open(node, "[rules]", RULE_FIELDS, problems) else { return Rules::default() };
    let count = |name: &str, least: u64, problems: &mut Vec<Problem>| {
        reader.count(name, least..=1_000_000, problems).and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
    };
    let span = |name: &str, problems: &mut Vec<Problem>| reader.span(name, problems).unwrap_or_default();
    let codes = reader.node("not_ready_codes").and_then(|node| node.expect_list(problems)).unwrap_or(&[]);
    let codes = codes.iter().filter_map(|code| read_count(code, 0..=65_535, problems).and_then(|code| u16::try_from(code).ok())).collect();
    Rules {
        holds: BTreeMap::from([(Refusal::Declined, span("hold_declined", problems)), (Refusal::Busy, span("hold_busy", problems))]),
        no_answers_max: count("no_answers_max", 1, problems),
        direct_ring: span("direct_ring", problems),
        calls_max: count("calls_max", 1, problems),
        answer_timeout: span("answer_timeout", problems),
        bridge_timeout: span("bridge_timeout", problems),
        last_agents_max: count("last_agents_max", 0, problems),
        not_ready_codes: codes,
        wait_max: span("wait_max", problems),
        midnights: Arc::from([]),
    }
}
