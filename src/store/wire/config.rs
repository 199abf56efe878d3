//! The configuration, without what the sources say better: flows, and calendars around a time.

use super::{Broken, Input, Wire, wire_enum, wire_struct};
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

wire_struct! {
    NumberConfig { flow, language }
    SkillConfig { name, scarce, licence }
    ClassConfig { text, needs, prefers }
    QueueConfig {
        name, needs, strategy, ring_timeout, wrap_up, wrap_up_extension_max, service_level, short_abandon, escalation, comfort, max_wait,
        calls_max, reserve, last_agent, progressive_step, whisper, record, closed,
    }
    Comfort { first, every, say }
    AgentConfig { name, skills, queues, language }
    Rules {
        holds, no_answers_max, direct_ring, calls_max, answer_timeout, bridge_timeout, last_agents_max, not_ready_codes, wait_max, midnights,
    }
}

wire_enum! {
    Strategy {
        0 LongestIdle, 1 LeastOccupied, 2 MostProficient, 3 FewestCalls, 4 RoundRobin, 5 Linear, 6 RingAll, 7 Progressive,
    }
    Escalation { 0 Announce(what), 1 RaiseClass(class), 2 Relax(classes), 3 Widen(queue), 4 Overflow(to) }
    Announcement { 0 Prompts(names), 1 Position }
}
