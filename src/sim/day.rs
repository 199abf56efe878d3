//! A realistic day of a clinic's telephones, after shared figures of such centres.

use super::draw::Law;
use super::people::{Callers, Habits, Patience, People, PromptTimes, Rate};
use crate::acd::Config;
use crate::model::{AgentId, Language, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How busy each half hour is beside the others, from midnight: the morning's peak from eight to ten, a second, lower one after lunch, and
/// a trickle at night.
const SHAPE: [f64; 48] = [
    0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.05, 0.05, 0.1, 0.1, 0.4, 0.7, // to 8:00
    1.6, 1.7, 1.7, 1.6, 1.3, 1.2, 1.1, 1.0, 0.8, 0.8, 1.1, 1.2, 1.1, 1.0, 0.9, 0.8, // to 16:00
    0.7, 0.5, 0.3, 0.2, 0.1, 0.1, 0.05, 0.05, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02,
];

const MONDAY: f64 = 1.3;
const SPANISH: f64 = 0.25;

/// What callers want, which key says so at the main menu, and how many of a hundred want it.
const REASONS: [(&str, char, f64); 8] = [
    ("scheduling", '1', 44.0),
    ("billing", '2', 19.5),
    ("insurance", '3', 5.0),
    ("clinical", '4', 11.5),
    ("refill", '4', 8.0),
    ("records", '0', 5.0),
    ("other", '0', 5.0),
    ("urgent", '9', 2.0),
];

/// What the caller of the shipped flow is asked, by the name of the prompt.
const ASKS_LANGUAGE: &str = "language_en";
const ASKS_REASON: &str = "main_menu";

/// A Monday at a number, with `calls` on a usual day.
#[derive(Clone, Debug)]
pub struct Day {
    pub number: Arc<str>,
    /// The language of key 1, then of key 2.
    pub languages: [Language; 2],
    pub calls: f64,
    /// The time of local midnight, and how far from it the clock starts; whole half hours.
    pub midnight: Time,
    pub opens: Duration,
    pub agents: Vec<AgentId>,
    pub prompts: PromptTimes,
}

impl Day {
    pub fn people(&self) -> People {
        let mut callers = Vec::new();
        for (language, key, share) in [(self.languages[0], '1', 1.0 - SPANISH), (self.languages[1], '2', SPANISH)] {
            for (_, reason, of_hundred) in REASONS {
                callers.push(self.callers(language, [key, reason], share * of_hundred / 100.0));
            }
        }
        People {
            start: self.midnight + self.opens,
            callers,
            agents: self.agents.clone(),
            habits: Habits {
                ring: Law::LogNormal { mean: 4.0, sigma: 0.4 },
                ring_out: 0.03,
                decline: 0.0,
                wrap_up: Law::LogNormal { mean: 45.0, sigma: 0.6 },
                back: Law::Uniform { from: Duration::from_secs(30), to: Duration::from_secs(120) },
                agent_ends: 0.2,
            },
            prompts: self.prompts.clone(),
        }
    }

    fn callers(&self, language: Language, [speaks, wants]: [char; 2], share: f64) -> Callers {
        let all: f64 = SHAPE.iter().sum();
        let first = (self.opens.as_secs() / 1800) as usize;
        let rate = std::array::from_fn(|half_hour| share * self.calls * MONDAY * SHAPE[(first + half_hour) % 48] / all);
        Callers {
            to: self.number.clone(),
            language,
            rate: Rate::Day(Box::new(rate)),
            connects: Law::Uniform { from: Duration::from_millis(50), to: Duration::from_millis(300) },
            keys: BTreeMap::from([(ASKS_LANGUAGE.into(), speaks), (ASKS_REASON.into(), wants)]),
            key_delay: Law::Uniform { from: Duration::from_secs(1), to: Duration::from_secs(6) },
            patience: Patience {
                law: Law::Weibull { mean: 360.0, shape: 0.8 },
                hasty: (0.05, Law::Uniform { from: Duration::ZERO, to: Duration::from_secs(5) }),
                at_announcement: 0.03,
            },
            talk: Law::LogNormal { mean: 240.0, sigma: 0.9 },
            again: (0.3, Law::Uniform { from: Duration::ZERO, to: Duration::from_secs(900) }),
            shown: true,
        }
    }
}

/// The same centre with so many agents: the configured ones in turn, again and again, the copies under new numbers.
pub fn with_agents(config: &mut Config, count: usize) -> Vec<AgentId> {
    assert!(!config.agents.is_empty(), "a centre has agents");
    let models: Vec<_> = config.agents.iter().map(|(id, agent)| (*id, agent.clone())).collect();
    let highest = models.last().map_or(0, |(id, _)| id.0);
    config.agents = (0..count)
        .map(|n| {
            let (id, agent) = &models[n % models.len()];
            (if n < models.len() { *id } else { AgentId(highest + 1 + (n - models.len()) as u64) }, agent.clone())
        })
        .collect();
    config.agents.keys().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_calls_and_its_mix() {
        let tag = |tag| Language::new(tag).unwrap();
        let day = Day {
            number: "+13125550100".into(),
            languages: [tag("en"), tag("es")],
            calls: 480.0,
            midnight: Time(0),
            opens: Duration::from_secs(8 * 3600),
            agents: Vec::new(),
            prompts: PromptTimes::default(),
        };
        let people = day.people();
        let calls = |callers: &Callers| match &callers.rate {
            Rate::Day(half_hours) => half_hours.iter().sum::<f64>(),
            Rate::Steady(_) => panic!("a day is not steady"),
        };
        let all: f64 = people.callers.iter().map(calls).sum();
        assert!((all - 480.0 * 1.3).abs() < 1e-6, "{all}");
        let spanish: f64 = people.callers.iter().filter(|callers| callers.language == tag("es")).map(calls).sum();
        assert!((spanish / all - 0.25).abs() < 1e-9);
        let Rate::Day(first) = &people.callers[0].rate else { panic!("a day is not steady") };
        assert!(first[0] / first[47] > 2.0, "the clock starts at the peak");
    }
}
