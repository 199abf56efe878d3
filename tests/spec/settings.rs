//! The lines of a scenario that say what the centre is.

use crate::centre::{Centre, language};
use crate::flows::Plan;
use crate::language::span;
use careline::acd::Refusal;
use careline::acd::config::{Announcement, Comfort, Escalation, QueueConfig, Strategy};
use careline::model::{AgentId, Class, Destination, Language, PhoneNumber, RequirementClass};
use std::collections::BTreeMap;

/// How an agent stands at the start of the day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    LoggedOut,
    NotReady,
    Ready,
}

/// Applies one setting; an agent's line also says how that agent starts.
pub fn apply(centre: &mut Centre, words: &[String]) -> Option<(AgentId, Start)> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["queue", name, ref options @ ..] => queue(centre, name, options),
        ["ladder", name, after, ref rung @ ..] => {
            let rung = escalation(centre, rung);
            centre.set_queue(name, None, |queue| {
                queue.escalation.push((span(after), rung));
                queue.escalation.sort_by_key(|(after, _)| *after);
            });
        }
        ["skill", name, ref flags @ ..] => {
            let id = centre.skill(name);
            let skill = centre.config.skills.get_mut(&id).expect("just named");
            (skill.scarce, skill.licence) = (flags.contains(&"scarce"), flags.contains(&"licence"));
        }
        ["rules", ref options @ ..] => options.iter().for_each(|option| rule(centre, option)),
        ["agent", id, ref rest @ ..] => return Some(agent(centre, id, rest)),
        _ => panic!("not a setting: {words:?}"),
    }
    None
}

fn agent(centre: &mut Centre, id: &str, rest: &[&str]) -> (AgentId, Start) {
    let start = match rest.last() {
        Some(&"ready") => Start::Ready,
        Some(&"not-ready") => Start::NotReady,
        Some(&"logged-out") => Start::LoggedOut,
        _ => panic!("agent {id}: ends with ready, not-ready or logged-out"),
    };
    (centre.set_agent(number(id), &rest[..rest.len() - 1]), start)
}

pub fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}

fn queue(centre: &mut Centre, name: &str, options: &[&str]) {
    let need = options.iter().find_map(|option| option.strip_prefix("need="));
    let reserve = options.iter().find_map(|option| option.strip_prefix("reserve=")).map(|reserve| {
        let (skill, count) = reserve.split_once(':').expect("reserve=skill:count");
        (centre.skill(skill), number(count) as u32)
    });
    centre.set_queue(name, need, |queue| {
        queue.reserve = reserve.or(queue.reserve);
        options.iter().for_each(|option| queue_option(queue, option));
    });
}

fn queue_option(queue: &mut QueueConfig, option: &str) {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    match name {
        "need" | "reserve" => {}
        "ring" => queue.ring_timeout = span(value),
        "wrap" => queue.wrap_up = span(value),
        "wrap_more" => queue.wrap_up_extension_max = span(value),
        "max_wait" => queue.max_wait = Some(span(value)),
        "calls_max" => queue.calls_max = number(value) as u32,
        "last_agent" => queue.last_agent = Some(span(value)),
        "step" => queue.progressive_step = span(value),
        "service" => queue.service_level = span(value),
        "short" => queue.short_abandon = span(value),
        "whisper" => queue.whisper = true,
        "record" => queue.record = true,
        "mute" => queue.record = false,
        "closed" => queue.closed = true,
        "open" => queue.closed = false,
        "comfort" => {
            let (first, every) = value.split_once('/').expect("comfort=first/every");
            let say = vec![Announcement::Prompts(vec!["patience".into()]), Announcement::Position];
            queue.comfort = Some(Comfort { first: span(first), every: span(every), say });
        }
        "strategy" => queue.strategy = strategy(value),
        _ => panic!("not an option of a queue: {option}"),
    }
}

pub const STRATEGIES: [(&str, Strategy); 8] = [
    ("longest-idle", Strategy::LongestIdle),
    ("least-occupied", Strategy::LeastOccupied),
    ("most-proficient", Strategy::MostProficient),
    ("fewest-calls", Strategy::FewestCalls),
    ("round-robin", Strategy::RoundRobin),
    ("linear", Strategy::Linear),
    ("ring-all", Strategy::RingAll),
    ("progressive", Strategy::Progressive),
];

fn strategy(word: &str) -> Strategy {
    STRATEGIES.iter().find(|(name, _)| *name == word).unwrap_or_else(|| panic!("not a strategy: {word}")).1
}

pub fn class(word: &str) -> Class {
    match word {
        "urgent" => Class::Urgent,
        "high" => Class::High,
        "normal" => Class::Normal,
        "low" => Class::Low,
        _ => panic!("not a class: {word}"),
    }
}

fn escalation(centre: &mut Centre, rung: &[&str]) -> Escalation {
    match rung {
        ["raise", word] => Escalation::RaiseClass(class(word)),
        ["relax", from, "to", to] => {
            let classes = ["en", "es"].map(|tag| (centre.class(from, tag), centre.class(to, tag)));
            Escalation::Relax(BTreeMap::from(classes))
        }
        ["widen", queue] => Escalation::Widen(centre.queue(queue)),
        ["overflow", "agent", agent] => Escalation::Overflow(Destination::Agent(AgentId(number(agent)))),
        ["overflow", queue] => Escalation::Overflow(Destination::Queue(centre.queue(queue))),
        ["say", "position"] => Escalation::Announce(Announcement::Position),
        ["say", prompt] => Escalation::Announce(Announcement::Prompts(vec![(*prompt).into()])),
        _ => panic!("not a rung: {rung:?}"),
    }
}

fn rule(centre: &mut Centre, option: &str) {
    let rules = &mut centre.config.rules;
    let (name, value) = option.split_once('=').expect("name=value");
    match name {
        "no_answers" => rules.no_answers_max = number(value) as u32,
        "direct_ring" => rules.direct_ring = span(value),
        "calls_max" => rules.calls_max = number(value) as u32,
        "bridge" => rules.bridge_timeout = span(value),
        "declined" => drop(rules.holds.insert(Refusal::Declined, span(value))),
        "busy" => drop(rules.holds.insert(Refusal::Busy, span(value))),
        _ => panic!("not a rule: {option}"),
    }
}

/// What a `call N -> nurse+billing …` line dials and says.
pub struct Dialled {
    pub number: PhoneNumber,
    pub from: String,
}

/// Makes the number and the flow for one call of the scenario. Every number is a fictional one.
pub fn dial(centre: &mut Centre, call: u64, words: &[&str]) -> Dialled {
    assert!(call < 90, "a scenario has few calls");
    let number_text = format!("+131255501{call:02}");
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let tag = option("language").unwrap_or("en");
    let from = option("from").map_or_else(|| format!("+131255502{call:02}"), |from| format!("+1312555{from}"));
    let to = words[0];
    if to == "nowhere" {
        return Dialled { number: careline::model::Phi("+13125550199".into()), from };
    }
    let names: Vec<&str> = to.split('+').collect();
    let mut plan = Plan::default();
    for name in &names {
        let id = centre.queue(name);
        let needs = match option("need") {
            Some(need) => ["en", "es"].map(|tag| (language(tag), centre.class(need, tag))).into_iter().collect(),
            None => centre.config.queues[&id].needs.clone(),
        };
        plan.queues.push((id, needs));
    }
    plan.class = option("class").map(class).unwrap_or_default();
    plan.credit = option("credit").map(span).unwrap_or_default();
    plan.max_wait = option("max_wait").map(span);
    plan.agent_first = option("agent").map(|agent| {
        let (id, wait) = agent.split_once('/').expect("agent=id/wait");
        (AgentId(number(id)), span(wait))
    });
    plan.hand_to = option("hand_to").map(|agent| AgentId(number(agent)));
    plan.again = words.contains(&"again");
    plan.then = option("then").map(|name| leads(centre, name));
    plan.keys = words.iter().filter_map(|word| key(centre, word)).collect();
    Dialled { number: centre.number(&number_text, tag, &plan), from }
}

/// `9=billing`: a key pressed while waiting leads to another queue.
fn key(centre: &Centre, word: &str) -> Option<(char, Leads)> {
    let (key, name) = word.split_once('=')?;
    let mut chars = key.chars();
    let (first, rest) = (chars.next()?, chars.next());
    (rest.is_none() && first.is_ascii_digit()).then(|| (first, leads(centre, name)))
}

fn leads(centre: &Centre, name: &str) -> Leads {
    let queue = centre.queue(name);
    (queue, centre.config.queues[&queue].needs.clone())
}

/// Another queue, with what each language needs there.
pub type Leads = (careline::model::QueueId, BTreeMap<Language, RequirementClass>);
