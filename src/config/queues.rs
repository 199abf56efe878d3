//! The queues' settings; their escalations are beside, in `ladder`.

use super::centre::{find, lookup, named};
use crate::acd::config::{Announcement, Comfort, QueueConfig, Strategy};
use crate::ivr::scope::{Names, misread};
use crate::model::need::{Classes, Need};
use crate::model::schema::{Field, Kind, Reader, nearest_first};
use crate::model::tree::Node;
use crate::model::{Language, Problem, QueueId, RequirementClass, Spot};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const FIELDS: &[Field] = &[
    Field::default("needs", Kind::Expression, "what an agent must master when a flow does not say", "language >= 1"),
    Field::optional("prefers", Kind::Expression, "ranks those who meet `needs`"),
    Field::default("strategy", Kind::Text, "who is offered a call first, among those who fit", "longest_idle"),
    Field::default("ring_timeout", Kind::Timeout, "how long an agent's station rings", "15s"),
    Field::default("wrap_up", Kind::Span, "time for after-call work", "15s"),
    Field::default("wrap_up_extension_max", Kind::Span, "an agent may extend one wrap-up by so much altogether", "2m"),
    Field::default("service_level", Kind::Span, "callers are to be answered within", "20s"),
    Field::default("short_abandon", Kind::Span, "who leaves within this is not counted as lost", "5s"),
    Field::optional("escalation", Kind::List, "what time in the queue changes"),
    Field::optional("comfort", Kind::Map, "spoken over the music, again and again"),
    Field::optional("max_wait", Kind::Timeout, "longest wait; then the flow goes on with `on_timeout`"),
    Field::default("calls_max", Kind::Count, "longest queue; one more is `on_full`", "1000"),
    Field::optional("reserve", Kind::Map, "keeps so many who have a skill free of calls that do not need it"),
    Field::optional("last_agent", Kind::Span, "a returning caller waits so long for the agent they spoke to last"),
    Field::default("progressive_step", Kind::Timeout, "with `progressive`: one more agent rings after each such span", "5s"),
    Field::default("whisper", Kind::Flag, "speaks queue and language to the agent before the caller is joined", "false"),
    Field::default(
        "record",
        Kind::Flag,
        "records the conversation, sealed, for the key's owner; every flow that leads here says the notice before",
        "false",
    ),
    Field::default("closed", Kind::Flag, "takes no callers: they go on with `on_closed`", "false"),
];
pub const COMFORT_FIELDS: &[Field] = &[
    Field::default("first", Kind::Timeout, "after so long", "20s"),
    Field::default("every", Kind::Timeout, "and again after each", "45s"),
    Field::required("say", Kind::List, "in turn: a prompt, a list of prompts, or `position`"),
];
pub const RESERVE_FIELDS: &[Field] =
    &[Field::required("skill", Kind::Name, "the skill that is kept free"), Field::required("agents", Kind::Count, "how many who have it")];
const STRATEGIES: [(&str, Strategy); 8] = [
    ("longest_idle", Strategy::LongestIdle),
    ("least_occupied", Strategy::LeastOccupied),
    ("most_proficient", Strategy::MostProficient),
    ("fewest_calls", Strategy::FewestCalls),
    ("round_robin", Strategy::RoundRobin),
    ("linear", Strategy::Linear),
    ("ring_all", Strategy::RingAll),
    ("progressive", Strategy::Progressive),
];

/// A queue's own `needs`, where it stands.
pub struct OwnNeeds {
    pub at: Spot,
    pub classes: BTreeMap<Language, RequirementClass>,
}

/// Numbers what each queue asks for by itself.
pub fn needs(root: &Node, names: &Names, classes: &mut Classes, problems: &mut Vec<Problem>) -> BTreeMap<QueueId, OwnNeeds> {
    let mut all = BTreeMap::new();
    for entry in named(root, "queues", problems) {
        let id = names.queues[entry.key.as_str()];
        let read = |name: &str, problems: &mut Vec<Problem>| {
            let node = entry.node.get(name)?;
            let text = node.expect_text(problems)?;
            Need::parse(text, &names.skills).map_err(|mistake| problems.push(misread(node, &mistake))).ok()
        };
        let own = match entry.node.get("needs") {
            Some(_) => read("needs", problems),
            None => Need::parse("language >= 1", &names.skills).ok(),
        };
        let prefers = read("prefers", problems);
        let Some(own) = own else { continue };
        let at = entry.node.get("needs").map_or(&entry.key_at, |node| &node.at).clone();
        match classes.number_each(&own, prefers.as_ref(), &names.languages) {
            Ok(classes) => drop(all.insert(id, OwnNeeds { at, classes })),
            Err(too_many) => problems.push(at.problem(too_many.to_string())),
        }
    }
    all
}

/// Reads one queue but for its escalation.
pub fn read(
    name: &str,
    node: &Node,
    needs: BTreeMap<Language, RequirementClass>,
    names: &Names,
    problems: &mut Vec<Problem>,
) -> Option<QueueConfig> {
    let reader = Reader::open(node, &format!("[queues.{name}]"), FIELDS, problems)?;
    let strategy = reader.word("strategy", &STRATEGIES, problems);
    let calls_max = reader.count("calls_max", 1..=100_000, problems).and_then(|count| u32::try_from(count).ok());
    let reserve = reader.node("reserve").and_then(|node| {
        let reserve = Reader::open(node, "`reserve`", RESERVE_FIELDS, problems)?;
        let skill = lookup(reserve.node("skill")?, "skill", &names.skills, problems);
        let agents = reserve.count("agents", 1..=1_000, problems).and_then(|count| u32::try_from(count).ok());
        skill.zip(agents)
    });
    // Whoever waits here may lose their agent.
    prompt(crate::acd::APOLOGY, &node.at, names, problems);
    let comfort = reader.node("comfort").and_then(|node| comfort(node, names, problems));
    let whisper = reader.flag("whisper", problems);
    if whisper == Some(true) {
        let at = reader.node("whisper").map_or(&node.at, |node| &node.at).clone();
        for language in names.languages.keys() {
            prompt(&format!("whisper_{name}_{language}"), &at, names, problems);
        }
    }
    let mut span = |name: &str| reader.span(name, problems);
    let (ring_timeout, wrap_up, extension) = (span("ring_timeout"), span("wrap_up"), span("wrap_up_extension_max"));
    let (service_level, short_abandon, progressive_step) = (span("service_level"), span("short_abandon"), span("progressive_step"));
    let (max_wait, last_agent) = (span("max_wait"), span("last_agent"));
    let (record, closed) = (reader.flag("record", problems), reader.flag("closed", problems));
    Some(QueueConfig {
        name: name.into(),
        needs,
        strategy: strategy?,
        ring_timeout: ring_timeout?,
        wrap_up: wrap_up?,
        wrap_up_extension_max: extension?,
        service_level: service_level?,
        short_abandon: short_abandon?,
        escalation: Vec::new(),
        comfort,
        max_wait,
        calls_max: calls_max?,
        reserve,
        last_agent,
        progressive_step: progressive_step?,
        whisper: whisper?,
        record: record?,
        closed: closed?,
    })
}

fn comfort(node: &Node, names: &Names, problems: &mut Vec<Problem>) -> Option<Comfort> {
    let reader = Reader::open(node, "`comfort`", COMFORT_FIELDS, problems)?;
    let (first, every) = (reader.span("first", problems), reader.span("every", problems));
    let nodes = reader.node("say").and_then(|node| node.expect_list(problems)).unwrap_or(&[]);
    let say: Vec<Announcement> = nodes.iter().filter_map(|node| announcement(node, names, problems)).collect();
    if let (true, Some(node)) = (nodes.is_empty(), reader.node("say").filter(|node| node.list().is_some())) {
        problems.push(node.at.problem("`say` says nothing"));
    }
    Some(Comfort { first: first?, every: every?, say })
}

/// A prompt, several, or the position.
pub fn announcement(node: &Node, names: &Names, problems: &mut Vec<Problem>) -> Option<Announcement> {
    let nodes = if node.scalar().is_some() { std::slice::from_ref(node) } else { node.expect_list(problems)? };
    let before = problems.len();
    if let Some("position") = node.scalar() {
        for part in std::iter::once("caller_number".to_string()).chain((1..=60).map(|number| format!("n{number}"))) {
            prompt(&part, &node.at, names, problems);
        }
        return (problems.len() == before).then_some(Announcement::Position);
    }
    let mut prompts: Vec<Arc<str>> = Vec::new();
    for item in nodes {
        let Some(name) = item.expect_text(problems) else { continue };
        prompt(name, &item.at, names, problems);
        prompts.push(name.into());
    }
    (problems.len() == before).then_some(Announcement::Prompts(prompts))
}

/// A prompt exists in every language of the centre.
fn prompt(name: &str, at: &Spot, names: &Names, problems: &mut Vec<Problem>) {
    for language in names.languages.keys() {
        let known = names.prompts.get(language);
        if !known.is_some_and(|known| known.contains_key(name)) {
            let others = known.into_iter().flat_map(BTreeMap::keys).map(|known| &**known);
            let near: Vec<String> = nearest_first(name, others).into_iter().take(5).collect();
            problems.push(at.choose(format!("there is no prompt `{name}` in `{language}`: prompts/{language}/{name}.wav"), near));
        }
    }
}

/// A queue by its name.
pub fn queue(name: &str, at: &Spot, names: &Names, problems: &mut Vec<Problem>) -> Option<QueueId> {
    find(name, at, "queue", &names.queues, problems)
}
