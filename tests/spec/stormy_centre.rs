//! A random centre for a storm: five queues, sixteen agents, a dozen numbers, and configurations to change to.

use crate::centre::{Centre, language};
use crate::flows::Plan;
use crate::random::Random;
use crate::settings::STRATEGIES;
use careline::acd::Config;
use careline::acd::config::{Announcement, Comfort, Escalation, QueueConfig};
use careline::model::{AgentId, Class, Destination, PhoneNumber, QueueId};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

pub const AGENTS: Range<u64> = 1001..1017;
const QUEUES: [&str; 5] = ["scheduling", "billing", "eligibility", "nurse", "operator"];
const NEEDS: [&str; 8] = [
    "",
    "language>=5",
    "language>=3 and billing>=2",
    "licence>=1",
    "licence>=1 and language>=5 or licence>=5",
    "billing>=5 or eligibility>=3 and not trainee",
    "language>=1; prefer billing>=5",
    "eligibility>=1",
];

pub struct Stormy {
    /// The first is in force at the start; the others are what it may be changed to.
    pub variants: Vec<Config>,
    pub numbers: Vec<PhoneNumber>,
}

impl Stormy {
    pub fn new(random: &mut Random) -> Stormy {
        let mut centre = Centre::new();
        for (name, scarce, licence) in
            [("spanish", true, false), ("licence", false, true), ("billing", false, false), ("trainee", false, false)]
        {
            let id = centre.skill(name);
            let skill = centre.config.skills.get_mut(&id).expect("just named");
            (skill.scarce, skill.licence) = (scarce, licence);
        }
        for name in QUEUES {
            let need = *random.pick(&NEEDS);
            centre.set_queue(name, Some(need), |_| {});
        }
        for id in AGENTS {
            agent(&mut centre, id, random);
        }
        let numbers = (0..12).map(|index| number(&mut centre, index, random)).collect();
        for name in QUEUES {
            let queue = settings(&mut centre, name, random);
            centre.set_queue(name, None, |old| *old = queue);
        }
        let mut variants: Vec<Config> = (0..4).map(|variant| vary(&mut centre, variant, random)).collect();
        variants.iter_mut().for_each(|variant| variant.classes.clone_from(&centre.config.classes));
        Stormy { variants, numbers }
    }
}

fn agent(centre: &mut Centre, id: u64, random: &mut Random) {
    let mut words: Vec<String> = Vec::new();
    for skill in ["english", "spanish", "licence", "billing", "eligibility", "trainee"] {
        if random.below(10) < if skill == "english" { 9 } else { 4 } {
            words.push(format!("{skill}={}", 1 + random.below(10)));
        }
    }
    for queue in QUEUES {
        if random.one_in(2) || queue == QUEUES[id as usize % 5] {
            words.push(format!("{queue}:{}", 1 + random.below(3)));
        }
    }
    centre.set_agent(id, &words.iter().map(String::as_str).collect::<Vec<_>>());
}

fn number(centre: &mut Centre, index: usize, random: &mut Random) -> PhoneNumber {
    let first = random.below(5);
    let mut queues = vec![leads(centre, QUEUES[first], random)];
    if random.one_in(3) {
        queues.push(leads(centre, QUEUES[(first + 1) % 5], random));
    }
    let plan = Plan {
        queues,
        class: *random.pick(&[Class::Urgent, Class::High, Class::Normal, Class::Normal, Class::Low]),
        credit: Duration::from_secs(if random.one_in(2) { 0 } else { random.below(120) as u64 }),
        max_wait: random.one_in(3).then(|| Duration::from_secs(5 + random.below(60) as u64)),
        agent_first: random
            .one_in(4)
            .then(|| (AgentId(AGENTS.start + random.below(16) as u64), Duration::from_secs(1 + random.below(20) as u64))),
        keys: vec![('9', leads(centre, QUEUES[(first + 2) % 5], random))],
        then: random.one_in(2).then(|| leads(centre, QUEUES[(first + 3) % 5], random)),
        hand_to: random.one_in(6).then(|| AgentId(AGENTS.start + random.below(16) as u64)),
        again: false,
    };
    let tag = *random.pick(&["en", "en", "es"]);
    centre.number(&format!("+131255501{index:02}"), tag, &plan)
}

fn leads(centre: &mut Centre, name: &str, random: &mut Random) -> crate::settings::Leads {
    let need = *random.pick(&NEEDS);
    let needs = ["en", "es"].map(|tag| (language(tag), centre.class(need, tag)));
    (centre.queue(name), BTreeMap::from(needs))
}

fn settings(centre: &mut Centre, name: &str, random: &mut Random) -> QueueConfig {
    let seconds = |random: &mut Random, from: usize, to: usize| Duration::from_secs((from + random.below(to - from)) as u64);
    let mut queue = centre.config.queues[&centre.queue(name)].clone();
    queue.strategy = random.pick(&STRATEGIES).1;
    queue.ring_timeout = seconds(random, 5, 25);
    queue.wrap_up = if random.one_in(3) { Duration::ZERO } else { seconds(random, 1, 40) };
    queue.max_wait = random.one_in(2).then(|| seconds(random, 20, 300));
    queue.calls_max = 5 + random.below(60) as u32;
    queue.reserve = random.one_in(4).then(|| (centre.skill("spanish"), 1 + random.below(2) as u32));
    queue.last_agent = random.one_in(3).then(|| seconds(random, 1, 40));
    queue.whisper = random.one_in(3);
    queue.record = random.one_in(5);
    let say = vec![Announcement::Prompts(vec!["patience".into()]), Announcement::Position];
    queue.comfort = random.one_in(2).then(|| Comfort { first: seconds(random, 3, 20), every: seconds(random, 10, 40), say });
    queue.escalation = (0..random.below(4)).map(|rung| (Duration::from_secs(10 * (rung as u64 + 1)), escalation(centre, random))).collect();
    queue
}

fn escalation(centre: &mut Centre, random: &mut Random) -> Escalation {
    let elsewhere = QueueId(1 + random.below(5) as u64);
    match random.below(6) {
        0 => Escalation::Announce(Announcement::Position),
        1 => Escalation::RaiseClass(*random.pick(&[Class::Urgent, Class::High])),
        2 | 3 => {
            let (from, to) = (*random.pick(&NEEDS), *random.pick(&NEEDS));
            Escalation::Relax(["en", "es"].map(|tag| (centre.class(from, tag), centre.class(to, tag))).into())
        }
        4 => Escalation::Widen(elsewhere),
        _ => Escalation::Overflow(Destination::Queue(elsewhere)),
    }
}

/// The configuration as it is, then others that a manager might load in the middle of the day.
fn vary(centre: &mut Centre, variant: usize, random: &mut Random) -> Config {
    let mut changed = centre.clone();
    match variant {
        0 => {}
        1 => {
            let gone = AgentId(AGENTS.start + random.below(16) as u64);
            changed.config.agents.remove(&gone);
        }
        2 => {
            let name = *random.pick(&QUEUES);
            changed.set_queue(name, None, |queue| queue.closed = true);
        }
        _ => {
            let name = *random.pick(&QUEUES);
            let queue = settings(&mut changed, name, random);
            changed.set_queue(name, None, |old| *old = queue);
            agent(&mut changed, AGENTS.start + random.below(16) as u64, random);
        }
    }
    // Classes are only added: all variants number them alike.
    centre.config.classes.clone_from(&changed.config.classes);
    changed.config
}
