//! The configuration, without what the sources say better: flows, and calendars around a time.

use super::disguise::{house, values};
use super::{Broken, Disguise, Input, Invent, Wire, wire_enum, wire_struct};
use crate::acd::Config;
use crate::acd::config::{
    AgentConfig, Announcement, ClassConfig, Comfort, Escalation, NumberConfig, QueueConfig, Rules, SkillConfig, Strategy,
};
use std::collections::BTreeMap;

/// Read back without flows and calendars: whoever reads it adds them from the sources that the journal holds before it.
impl Wire for Config {
    fn put(&self, out: &mut Vec<u8>) {
        let Config { queues, agents, skills, languages, classes, numbers, flows: _, calendars: _, rules } = self;
        queues.put(out);
        agents.put(out);
        skills.put(out);
        languages.put(out);
        classes.put(out);
        numbers.put(out);
        rules.put(out);
    }
    fn take(input: &mut Input) -> Result<Self, Broken> {
        Ok(Config {
            queues: Wire::take(input)?,
            agents: Wire::take(input)?,
            skills: Wire::take(input)?,
            languages: Wire::take(input)?,
            classes: Wire::take(input)?,
            numbers: Wire::take(input)?,
            flows: BTreeMap::new(),
            calendars: BTreeMap::new(),
            rules: Wire::take(input)?,
        })
    }
}

impl Disguise for Config {
    fn disguise(&mut self, by: &mut dyn Invent) {
        let Config { queues, agents, skills, languages, classes, numbers, flows, calendars, rules } = self;
        queues.disguise(by);
        agents.disguise(by);
        skills.disguise(by);
        languages.disguise(by);
        classes.disguise(by);
        values(numbers, by);
        house(flows, by);
        house(calendars, by);
        rules.disguise(by);
    }
}

wire_struct! {
    NumberConfig { flow: house, language }
    SkillConfig { name: house, scarce, licence }
    ClassConfig { text: house, needs, prefers }
    QueueConfig {
        name: house, needs, strategy, ring_timeout, wrap_up, wrap_up_extension_max, service_level, short_abandon, escalation, comfort, max_wait,
        calls_max, reserve, last_agent, progressive_step, whisper, record, closed,
    }
    Comfort { first, every, say }
    AgentConfig { name: person, skills, queues, language }
    Rules {
        holds, no_answers_max, direct_ring, calls_max, answer_timeout, bridge_timeout, last_agents_max, not_ready_codes, wait_max, midnights: house,
    }
}

wire_enum! {
    Strategy {
        0 LongestIdle, 1 LeastOccupied, 2 MostProficient, 3 FewestCalls, 4 RoundRobin, 5 Linear, 6 RingAll, 7 Progressive,
    }
    Escalation { 0 Announce(what), 1 RaiseClass(class), 2 Relax(classes), 3 Widen(queue), 4 Overflow(to) }
    Announcement { 0 Prompts(names: house), 1 Position }
}
