//! Plain centres, built by hand: for mathematics, which knows queues and agents but no menus, and for measuring.

use crate::acd::Config;
use crate::acd::config::{AgentConfig, ClassConfig, NumberConfig, QueueConfig, SkillConfig, Strategy};
use crate::ivr::Flow;
use crate::model::{AgentId, Class, Language, Proficiency, QueueId, Requirement, RequirementClass, SkillId, Term};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A queue without ring limit in sight, wrap-up, announcements, escalation or limits.
pub fn plain_queue(name: &str, service_level: Duration) -> QueueConfig {
    QueueConfig {
        name: name.into(),
        needs: BTreeMap::new(),
        strategy: Strategy::LongestIdle,
        ring_timeout: Duration::from_secs(20),
        wrap_up: Duration::ZERO,
        wrap_up_extension_max: Duration::ZERO,
        service_level,
        short_abandon: Duration::ZERO,
        escalation: Vec::new(),
        comfort: None,
        max_wait: None,
        calls_max: u32::MAX,
        reserve: None,
        last_agent: None,
        progressive_step: Duration::from_secs(10),
        whisper: false,
        record: false,
        closed: false,
    }
}

/// One skill a language; those that are scarce are marked.
pub fn language(config: &mut Config, tag: &str, scarce: bool) -> (Language, SkillId, RequirementClass) {
    let language = Language::new(tag).expect("a language tag");
    let skill = SkillId(config.skills.len() as u64 + 1);
    config.skills.insert(skill, SkillConfig { name: tag.into(), scarce, licence: false });
    config.languages.insert(language, skill);
    let class = RequirementClass(config.classes.len() as u16);
    let least = Proficiency::new(1).expect("one is a proficiency");
    let needs = Requirement { any_of: vec![vec![Term::AtLeast(skill, least)]] };
    config.classes.push(ClassConfig { text: tag.into(), needs, prefers: None });
    (language, skill, class)
}

pub fn agent(config: &mut Config, id: u64, skills: &[SkillId], queues: &[QueueId]) -> AgentId {
    let expert = Proficiency::new(10).expect("ten is a proficiency");
    let agent = AgentConfig {
        name: format!("Agent {id}").into(),
        skills: skills.iter().map(|skill| (*skill, expert)).collect(),
        queues: queues.iter().map(|queue| (*queue, 1)).collect(),
        language: None,
    };
    config.agents.insert(AgentId(id), agent);
    AgentId(id)
}

/// A number that leads straight into a queue, in a language.
pub fn straight_to(config: &mut Config, number: &str, language: Language, queue: QueueId, class: RequirementClass) -> Arc<str> {
    let (number, name): (Arc<str>, Arc<str>) = (number.into(), format!("to {number}").into());
    let flow = Flow::straight_to(&name, queue, Class::Normal, BTreeMap::from([(language, class)]));
    config.flows.insert(name.clone(), Arc::new(flow));
    config.numbers.insert(number.clone(), NumberConfig { flow: name, language });
    number
}
