//! A centre for one test: its configuration, by names.

use crate::flows::{Plan, flow_of};
use careline::acd::Config;
use careline::acd::config::{AgentConfig, ClassConfig, NumberConfig, QueueConfig, SkillConfig, Strategy};
use careline::model::{AgentId, Language, Phi, PhoneNumber, Proficiency, QueueId, Requirement, RequirementClass, SkillId, Term};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Grows a configuration; what is named for the first time gets the next number.
#[derive(Clone, Default)]
pub struct Centre {
    pub config: Config,
}

pub fn language(tag: &str) -> Language {
    Language::new(tag).unwrap_or_else(|| panic!("not a language tag: {tag}"))
}

/// A queue with the settings of a quiet one: longest idle, 20 s of ringing, no wrap-up, nothing else.
pub fn plain_queue(name: &str, needs: BTreeMap<Language, RequirementClass>) -> QueueConfig {
    QueueConfig {
        name: name.into(),
        needs,
        strategy: Strategy::LongestIdle,
        ring_timeout: Duration::from_secs(20),
        wrap_up: Duration::ZERO,
        wrap_up_extension_max: Duration::from_secs(60),
        service_level: Duration::from_secs(20),
        short_abandon: Duration::from_secs(5),
        escalation: Vec::new(),
        comfort: None,
        max_wait: None,
        calls_max: 1000,
        reserve: None,
        last_agent: None,
        progressive_step: Duration::from_secs(5),
        whisper: false,
        record: false,
        closed: false,
    }
}

impl Centre {
    pub fn new() -> Centre {
        let mut centre = Centre::default();
        for (tag, name) in [("en", "english"), ("es", "spanish")] {
            let skill = centre.skill(name);
            centre.config.languages.insert(language(tag), skill);
        }
        centre
    }

    pub fn skill(&mut self, name: &str) -> SkillId {
        if let Some((id, _)) = self.config.skills.iter().find(|(_, skill)| &*skill.name == name) {
            return *id;
        }
        let id = SkillId(self.config.skills.len() as u64 + 1);
        self.config.skills.insert(id, SkillConfig { name: name.into(), scarce: false, licence: false });
        id
    }

    pub fn queue_named(&self, name: &str) -> Option<QueueId> {
        self.config.queues.iter().find(|(_, queue)| &*queue.name == name).map(|(id, _)| *id)
    }

    pub fn queue(&self, name: &str) -> QueueId {
        self.queue_named(name).unwrap_or_else(|| panic!("no queue {name}"))
    }

    /// Adds a queue, or changes the settings of the one of that name. `need` is as [`Centre::need`] reads it.
    pub fn set_queue(&mut self, name: &str, need: Option<&str>, set: impl FnOnce(&mut QueueConfig)) -> QueueId {
        let id = self.queue_named(name).unwrap_or(QueueId(self.config.queues.len() as u64 + 1));
        let mut queue = self.config.queues.remove(&id).unwrap_or_else(|| plain_queue(name, self.needs("")));
        if let Some(need) = need {
            queue.needs = self.needs(need);
        }
        set(&mut queue);
        self.config.queues.insert(id, queue);
        id
    }

    fn needs(&mut self, need: &str) -> BTreeMap<Language, RequirementClass> {
        ["en", "es"].map(|tag| (language(tag), self.class(need, tag))).into_iter().collect()
    }

    /// The class of a requirement as a flow writes it: `language>=5 and nurse>=1 or operator and not trainee; prefer cardiology>=3`.
    /// `language` stands for the skill of the caller's language; `anybody` needs nothing.
    pub fn class(&mut self, need: &str, tag: &str) -> RequirementClass {
        let (needs, prefers) = need.split_once("; prefer ").map_or((need, None), |(needs, prefers)| (needs, Some(prefers)));
        let needs = self.need(needs, tag);
        let prefers = prefers.map(|prefers| self.need(prefers, tag));
        let class = ClassConfig { text: need.into(), needs, prefers };
        let known = self.config.classes.iter().position(|c| c.needs == class.needs && c.prefers == class.prefers);
        let index = known.unwrap_or_else(|| {
            self.config.classes.push(class);
            self.config.classes.len() - 1
        });
        RequirementClass(u16::try_from(index).expect("few classes"))
    }

    fn need(&mut self, need: &str, tag: &str) -> Requirement {
        if need.is_empty() || need == "anybody" {
            return Requirement::anybody();
        }
        Requirement {
            any_of: need.split(" or ").map(|terms| terms.split(" and ").map(|term| self.term(term.trim(), tag)).collect()).collect(),
        }
    }

    fn term(&mut self, term: &str, tag: &str) -> Term {
        if let Some(name) = term.strip_prefix("not ") {
            return Term::Without(self.skill(name));
        }
        let (name, level) = term.split_once(">=").unwrap_or((term, "1"));
        let skill = if name == "language" { self.config.languages[&language(tag)] } else { self.skill(name) };
        Term::AtLeast(skill, level.parse().ok().and_then(Proficiency::new).unwrap_or_else(|| panic!("not a proficiency: {term}")))
    }

    /// Adds an agent, or changes what the one of that number is: `nurse billing:2 spanish=8`, queues with preferences and skills with levels.
    pub fn set_agent(&mut self, id: u64, words: &[&str]) -> AgentId {
        let mut agent = AgentConfig { name: id.to_string().into(), skills: BTreeMap::new(), queues: BTreeMap::new(), language: None };
        for word in words {
            if let Some(tag) = word.strip_prefix("language=") {
                agent.language = Some(language(tag));
            } else if let Some((skill, level)) = word.split_once('=') {
                let level = level.parse().ok().and_then(Proficiency::new).unwrap_or_else(|| panic!("not a proficiency: {word}"));
                agent.skills.insert(self.skill(skill), level);
            } else {
                let (queue, preference) = word.split_once(':').unwrap_or((word, "1"));
                agent.queues.insert(self.queue(queue), preference.parse().unwrap_or_else(|_| panic!("not a preference: {word}")));
            }
        }
        self.config.agents.insert(AgentId(id), agent);
        AgentId(id)
    }

    /// A number that leads into a flow of this plan.
    pub fn number(&mut self, number: &str, tag: &str, plan: &Plan) -> PhoneNumber {
        let flow: Arc<str> = format!("flow-{number}").into();
        self.config.flows.insert(flow.clone(), Arc::new(flow_of(&flow, plan, &[language("en"), language("es")])));
        self.config.numbers.insert(number.into(), NumberConfig { flow, language: language(tag) });
        Phi(number.to_string())
    }
}
