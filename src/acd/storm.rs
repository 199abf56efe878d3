//! A small storm of random events over the whole core, checked after each; and the first scenarios.

use super::call::{Stage, TransferKind};
use super::config::{AgentConfig, Announcement, ClassConfig, Comfort, Escalation, NumberConfig, QueueConfig, SkillConfig, Strategy};
use super::*;
use crate::ivr::Flow;
use crate::model::{AgentId, Class, Destination, EdgeId, Language, Phi, Proficiency, Requirement, RequirementClass, SkillId, Term};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SECOND: u64 = 1_000_000;

fn tag(language: &str) -> Language {
    Language::new(language).unwrap()
}

fn needs(skills: &[(u64, u8)]) -> ClassConfig {
    let terms = skills.iter().map(|(skill, level)| Term::AtLeast(SkillId(*skill), Proficiency::new(*level).unwrap())).collect();
    ClassConfig { text: format!("{skills:?}").into(), needs: Requirement { any_of: vec![terms] }, prefers: None }
}

/// Skills: 1 English, 2 Spanish (scarce), 3 nurse (a licence). Classes: 0 English, 1 Spanish, 2 Spanish nurse, 3 Spanish a little.
fn queue(name: &str, strategy: Strategy) -> QueueConfig {
    let seconds = Duration::from_secs;
    QueueConfig {
        name: name.into(),
        needs: BTreeMap::from([(tag("en"), RequirementClass(0)), (tag("es"), RequirementClass(1))]),
        strategy,
        ring_timeout: seconds(15),
        wrap_up: seconds(30),
        wrap_up_extension_max: seconds(60),
        service_level: seconds(20),
        short_abandon: seconds(5),
        escalation: Vec::new(),
        comfort: None,
        max_wait: None,
        calls_max: 100,
        reserve: None,
        last_agent: None,
        progressive_step: seconds(5),
        whisper: false,
        record: false,
        closed: false,
    }
}

fn agent(id: u64, skills: &[(u64, u8)], queues: &[(u64, u8)]) -> (AgentId, AgentConfig) {
    let skills = skills.iter().map(|(skill, level)| (SkillId(*skill), Proficiency::new(*level).unwrap())).collect();
    let queues = queues.iter().map(|(queue, preference)| (QueueId(*queue), *preference)).collect();
    (AgentId(id), AgentConfig { name: id.to_string().into(), skills, queues, language: None })
}

fn centre(queues: Vec<QueueConfig>, agents: Vec<(AgentId, AgentConfig)>) -> Config {
    let languages = BTreeMap::from([(tag("en"), SkillId(1)), (tag("es"), SkillId(2))]);
    let skill = |name: &str, scarce, licence| SkillConfig { name: name.into(), scarce, licence };
    let mut config = Config {
        queues: queues.into_iter().zip(1..).map(|(queue, id)| (QueueId(id), queue)).collect(),
        agents: agents.into_iter().collect(),
        skills: BTreeMap::from([
            (SkillId(1), skill("english", false, false)),
            (SkillId(2), skill("spanish", true, false)),
            (SkillId(3), skill("nurse", false, true)),
        ]),
        languages,
        classes: vec![needs(&[(1, 5)]), needs(&[(2, 5)]), needs(&[(2, 5), (3, 1)]), needs(&[(2, 1)])],
        ..Config::default()
    };
    for id in config.queues.keys() {
        for (language, class) in [("en", 0), ("es", 1)] {
            let did = format!("{}{language}", id.0);
            let flow: Arc<str> = did.clone().into();
            let needs = BTreeMap::from([(tag(language), RequirementClass(class))]);
            config.flows.insert(flow.clone(), Arc::new(Flow::straight_to(&did, *id, Class::Normal, needs)));
            config.numbers.insert(flow.clone(), NumberConfig { flow, language: tag(language) });
        }
    }
    config
}

/// A core with a clock, and all that it ever asked for.
struct Desk {
    seed: u64,
    acd: Acd,
    now: u64,
    said: Vec<Command>,
    notes: u64,
}

impl Desk {
    fn new(config: Config) -> Desk {
        Desk { seed: 0, acd: Acd::new(config), now: 1_000 * SECOND, said: Vec::new(), notes: 0 }
    }
    fn tell(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.acd.handle(Time(self.now), event, &mut out);
        let violations = self.acd.violations();
        assert!(violations.is_empty(), "seed {}: {violations:?}", self.seed);
        for command in &out {
            if let Command::Note { number, .. } = command {
                self.notes += 1;
                assert_eq!(*number, self.notes, "facts are numbered without a gap");
            }
        }
        self.said.extend(out.iter().cloned());
        out
    }
    fn after(&mut self, seconds: u64) -> &mut Desk {
        self.now += seconds * SECOND;
        self
    }
    fn tick(&mut self, seconds: u64) -> Vec<Command> {
        self.after(seconds).tell(Event::DeadlineReached)
    }
    fn ready(&mut self, id: u64) -> Vec<Command> {
        let mut said = self.tell(Event::AgentLoggedIn { agent: AgentId(id) });
        said.extend(self.tell(Event::AgentReady { agent: AgentId(id) }));
        said
    }
    fn arrives(&mut self, call: u64, number: &str) -> Vec<Command> {
        let (to, from) = (Phi(number.to_string()), Phi(format!("+1312555{call:04}")));
        let mut said = self.tell(Event::CallArrived { call: CallId(call), leg: LegId(call), from, to });
        said.extend(self.tell(Event::LegEstablished { leg: LegId(call) }));
        said
    }
    fn answers(&mut self, offer: OfferId) -> Vec<Command> {
        let mut said = self.tell(Event::OfferAccepted { offer });
        said.extend(self.tell(Event::Bridged { offer }));
        said
    }
}

/// Whom the commands ring: call and agent.
fn rings(said: &[Command]) -> Vec<(u64, u64)> {
    let ring = |command: &Command| match command {
        Command::Dial { call, target: Destination::Agent(agent), .. } => Some((call.0, agent.0)),
        _ => None,
    };
    said.iter().filter_map(ring).collect()
}

fn offer_in(said: &[Command]) -> OfferId {
    let offer = |command: &Command| match command {
        Command::Dial { purpose: Purpose::Offer(offer), .. } => Some(*offer),
        _ => None,
    };
    said.iter().find_map(offer).expect("somebody rings")
}

#[test]
fn a_call_is_offered_answered_wrapped_up_and_closed() {
    let mut desk = Desk::new(centre(vec![queue("billing", Strategy::LongestIdle)], vec![agent(1, &[(1, 9)], &[(1, 1)])]));
    assert_eq!(rings(&desk.arrives(1, "1en")), [], "nobody is logged in");
    desk.ready(1);
    let said = desk.after(1).arrives(2, "1en");
    assert_eq!(rings(&said), [(2, 1)]);
    let offer = offer_in(&said);
    let said = desk.after(3).answers(offer);
    assert!(said.iter().any(|command| matches!(command, Command::StopTreatment { .. })));
    desk.after(60).tell(Event::LegEnded { leg: LegId(2), cause: LegEnd::HungUp });
    assert!(matches!(desk.acd.desks.by_id(AgentId(1)).unwrap().agent.state, AgentState::WrapUp { .. }));
    let said = desk.tick(30);
    let record = said.iter().find_map(|command| if let Command::CloseRecord(record) = command { Some(record) } else { None });
    let record = record.expect("the call closes with its wrap-up");
    assert_eq!(record.disposition.label(), "answered");
    assert_eq!(record.segments[0].wrap_up, Some(Duration::from_secs(30)));
    assert_eq!(record.visits[0].stage, Stage::Connecting);
}

#[test]
fn a_refused_call_keeps_its_place() {
    let agents = vec![agent(1007, &[(1, 9)], &[(1, 1)]), agent(1008, &[(1, 9)], &[(1, 1)])];
    let mut desk = Desk::new(centre(vec![queue("nurse", Strategy::LongestIdle)], agents));
    desk.ready(1007);
    let said = desk.arrives(1, "1en");
    assert_eq!(rings(&said), [(1, 1007)]);
    assert_eq!(rings(&desk.after(5).arrives(2, "1en")), []);
    let said = desk.after(5).tell(Event::OfferRefused { offer: offer_in(&said), refusal: Refusal::Declined });
    assert_eq!(rings(&said), [(2, 1007)]);
    assert_eq!(rings(&desk.after(2).ready(1008)), [(1, 1008)]);
}

#[test]
fn bilinguals_are_offered_english_calls_last() {
    let agents = vec![agent(1, &[(1, 9), (2, 9)], &[(1, 1)]), agent(2, &[(1, 9)], &[(1, 1)])];
    let mut desk = Desk::new(centre(vec![queue("billing", Strategy::LongestIdle)], agents));
    desk.ready(1);
    desk.after(10).ready(2);
    assert_eq!(rings(&desk.arrives(1, "1en")), [(1, 2)]);
    assert_eq!(rings(&desk.arrives(2, "1es")), [(2, 1)]);
}

#[test]
fn of_all_who_ring_the_first_has_the_call_and_the_others_the_next() {
    let agents = (1..=3).map(|id| agent(id, &[(1, 9)], &[(1, 1)])).collect();
    let mut desk = Desk::new(centre(vec![queue("operator", Strategy::RingAll)], agents));
    (1..=3).for_each(|id| drop(desk.ready(id)));
    let said = desk.arrives(1, "1en");
    assert_eq!(rings(&said), [(1, 1), (1, 2), (1, 3)]);
    desk.arrives(2, "1en");
    let said = desk.after(1).tell(Event::OfferAccepted { offer: offer_in(&said) });
    assert_eq!(rings(&said), [(2, 2), (2, 3)]);
    assert_eq!(rings(&desk.after(1).ready(4)), [], "an unknown agent is nobody");
}

#[test]
fn the_ladder_relaxes_widens_and_raises_but_never_a_licence() {
    let mut first = queue("nurse", Strategy::LongestIdle);
    let relax = |from, to| Escalation::Relax(BTreeMap::from([(RequirementClass(from), RequirementClass(to))]));
    let seconds = Duration::from_secs;
    first.escalation =
        vec![(seconds(10), relax(1, 3)), (seconds(20), Escalation::RaiseClass(Class::High)), (seconds(30), Escalation::Widen(QueueId(2)))];
    first.comfort = Some(Comfort { first: seconds(5), every: seconds(7), say: vec![Announcement::Position] });
    let agents = vec![agent(1, &[(1, 9), (2, 9)], &[(1, 1)]), agent(2, &[(2, 2)], &[(1, 1)]), agent(3, &[(1, 9), (2, 9)], &[(2, 1)])];
    let mut desk = Desk::new(centre(vec![first, queue("other", Strategy::Linear)], agents));
    desk.tell(Event::AgentLoggedIn { agent: AgentId(1) });
    desk.ready(2);
    assert_eq!(rings(&desk.arrives(1, "1es")), []);
    let said = desk.tick(9);
    assert!(said.iter().any(|command| matches!(command, Command::Play { prompts, .. } if &*prompts[1].name == "n1")));
    let said = desk.tick(1);
    assert_eq!(rings(&said), [(1, 2)], "who speaks a little Spanish will do now");
    desk.tell(Event::OfferRefused { offer: offer_in(&said), refusal: Refusal::Unreachable });
    desk.ready(3);
    desk.tick(10);
    assert_eq!(desk.acd.visit(CallId(1), QueueId(1)).unwrap().class, Class::High);
    assert_eq!(rings(&desk.tick(10)), [(1, 3)]);
    assert!(!ladder::keeps_licences(desk.acd.config(), RequirementClass(2), RequirementClass(1)));
}

#[test]
fn the_last_log_out_sends_the_waiting_on() {
    let mut desk = Desk::new(centre(vec![queue("billing", Strategy::LongestIdle)], vec![agent(1, &[(1, 9)], &[(1, 1)])]));
    desk.tell(Event::AgentLoggedIn { agent: AgentId(1) });
    desk.arrives(1, "1en");
    let said = desk.after(5).tell(Event::AgentLoggedOut { agent: AgentId(1) });
    assert!(said.iter().any(|command| matches!(command, Command::Note { fact: Fact::VisitEnded { .. }, .. })));
    assert!(said.iter().any(|command| matches!(command, Command::Play { .. })), "the flow goes on to its goodbye");
}

/// Everything that a storm may ask of a centre: each strategy, a ladder, a reserve, a last agent, whispers.
fn stormy() -> Config {
    let strategies = [Strategy::LongestIdle, Strategy::RingAll, Strategy::Progressive, Strategy::RoundRobin, Strategy::LeastOccupied];
    let mut queues: Vec<QueueConfig> = strategies.iter().map(|strategy| queue("q", *strategy)).collect();
    let seconds = Duration::from_secs;
    queues[0].escalation = vec![
        (seconds(10), Escalation::Relax(BTreeMap::from([(RequirementClass(1), RequirementClass(3))]))),
        (seconds(15), Escalation::RaiseClass(Class::High)),
        (seconds(20), Escalation::Widen(QueueId(2))),
        (seconds(60), Escalation::Overflow(Destination::Queue(QueueId(4)))),
    ];
    queues[1].max_wait = Some(seconds(45));
    queues[2].reserve = Some((SkillId(2), 1));
    queues[3].last_agent = Some(seconds(20));
    queues[3].whisper = true;
    queues[3].comfort = Some(Comfort { first: seconds(5), every: seconds(5), say: vec![Announcement::Position] });
    queues[4].escalation = vec![
        (seconds(30), Escalation::Overflow(Destination::Agent(AgentId(3)))),
        (seconds(40), Escalation::Overflow(Destination::Flow("1en".into()))),
    ];
    queues[4].wrap_up = Duration::ZERO;
    queues[4].calls_max = 3;
    let agents = (1..=9).map(|id| {
        let skills: &[(u64, u8)] = [&[(1, 9)][..], &[(1, 5), (2, 8)], &[(2, 3), (1, 7), (3, 4)]][id as usize % 3];
        agent(id, skills, &[(1 + id % 5, 1), (1 + (id + 1) % 5, 2), (1 + (id + 2) % 5, 1)])
    });
    centre(queues, agents.collect())
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// What would come next in a centre that works: most events are of this kind, or nothing would ever get far.
fn likely_event(random: &mut Random, acd: &Acd) -> Option<Event> {
    let offers = acd.offers.ids();
    if !offers.is_empty() && random.below(3) == 0 {
        let offer = offers[random.below(offers.len() as u64) as usize];
        return Some(match acd.offers.get(offer).unwrap() {
            own if own.stage != call::OfferStage::Accepted => Event::OfferAccepted { offer },
            own => own.whisper.map_or(Event::Bridged { offer }, |play| Event::PlayDone { leg: own.leg, play }),
        });
    }
    if let Some((_, call)) = acd.calls.unordered().find(|(_, call)| call.answer_due.is_some()) {
        return offer::caller_of(call).map(|leg| Event::LegEstablished { leg });
    }
    let agent = AgentId(1 + random.below(9));
    match acd.desks.by_id(agent).map(|desk| (desk.agent.state, desk.agent.reachable))? {
        (_, false) => Some(Event::StationFound { agent }),
        (AgentState::LoggedOut, _) => Some(Event::AgentLoggedIn { agent }),
        (AgentState::NotReady(_), _) => Some(Event::AgentReady { agent }),
        _ => None,
    }
}

fn random_event(random: &mut Random, acd: &Acd, next_call: &mut u64) -> Event {
    let agent = AgentId(1 + random.below(10));
    let offers = acd.offers.ids();
    let offer = if offers.is_empty() || random.below(20) == 0 {
        OfferId(random.below(50))
    } else {
        offers[random.below(offers.len() as u64) as usize]
    };
    let legs = [acd.legs.ids(), acd.own_legs.ids()].concat();
    let leg = if legs.is_empty() { LegId(1) } else { legs[random.below(legs.len() as u64) as usize] };
    let call = CallId(1 + random.below(*next_call));
    let reason = [NotReadyReason::Break, NotReadyReason::Meal, NotReadyReason::Code(7)][random.below(3) as usize];
    let refusal = [Refusal::Declined, Refusal::Busy, Refusal::Unreachable, Refusal::NoAnswer][random.below(4) as usize];
    let to = match random.below(4) {
        0 => Destination::Agent(agent),
        1 => Destination::Flow("3es".into()),
        _ => Destination::Queue(QueueId(1 + random.below(6))),
    };
    match random.below(40) {
        0 => {
            *next_call += 1;
            let kind = [Placed::Outward, Placed::Emergency, Placed::InHouse][random.below(3) as usize];
            let (call, leg, to) = (CallId(*next_call), LegId(*next_call), Phi("+13125550142".to_string()));
            Event::CallPlaced { call, leg, agent: (random.below(8) > 0).then_some(agent), to, kind }
        }
        1..=5 => {
            *next_call += 1;
            let to = format!("{}{}", 1 + random.below(5), ["en", "es"][random.below(2) as usize]);
            Event::CallArrived {
                call: CallId(*next_call),
                leg: LegId(*next_call),
                from: Phi(format!("+1312555{:04}", random.below(9))),
                to: Phi(to),
            }
        }
        6..=9 => Event::LegEstablished { leg },
        10 | 11 => Event::LegEnded { leg, cause: [LegEnd::HungUp, LegEnd::Lost][(random.below(4) == 0) as usize] },
        12 => Event::PlayDone { leg, play: PlayId(acd.ids.plays.saturating_sub(random.below(4))) },
        13 => Event::OfferAlerting { offer },
        14..=18 => Event::OfferAccepted { offer },
        19..=23 => Event::Bridged { offer },
        24 if random.below(3) == 0 => Event::OfferFailed { offer },
        24 => Event::OfferRefused { offer, refusal },
        25 => Event::LegHeld { leg, held: random.below(2) == 0 },
        26 => Event::TransferAsked { by: leg, to, kind: [TransferKind::Blind, TransferKind::Consult][(random.below(5) == 0) as usize] },
        27 | 28 => Event::AgentLoggedIn { agent },
        29 => Event::AgentLoggedOut { agent },
        30..=32 => Event::AgentReady { agent },
        33 => Event::AgentNotReady { agent, reason },
        34 => Event::WrapUpDone { agent, code: None },
        35 => Event::WrapUpExtended { agent, by: Duration::from_secs(20) },
        36 => {
            if random.below(2) == 0 {
                Event::StationLost { agent }
            } else {
                Event::StationFound { agent }
            }
        }
        37 => Event::CallMoved { call, to },
        38 => Event::ClassRaised { call, class: [Class::Urgent, Class::High][random.below(2) as usize] },
        _ => Event::DeadlineReached,
    }
}

fn storm(seed: u64, events: u32, reload: bool) -> Vec<Command> {
    watched(seed, events, reload, &mut |_, _| ())
}

/// A storm that shows each event and the core after it.
pub fn watched(seed: u64, events: u32, reload: bool, seen: &mut dyn FnMut(&Event, &Acd)) -> Vec<Command> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut desk = Desk { seed, ..Desk::new(stormy()) };
    let mut twin: Option<Acd> = None;
    let mut next_call = 1;
    for step in 0..events {
        desk.now += random.below(3) * random.below(SECOND);
        let likely = if random.below(2) == 0 { likely_event(&mut random, &desk.acd) } else { None };
        let mut event = likely.unwrap_or_else(|| random_event(&mut random, &desk.acd, &mut next_call));
        if reload && step % 97 == 50 {
            let mut config = stormy();
            if step % 2 == 0 {
                config.queues.remove(&QueueId(2));
                config.agents.remove(&AgentId(2));
                config.classes.rotate_left(1);
                config.queues.get_mut(&QueueId(1)).unwrap().closed = true;
                config.queues.values_mut().for_each(|queue| queue.needs.values_mut().for_each(|class| class.0 = (class.0 + 3) % 4));
            }
            event = Event::ConfigChanged(Box::new(config));
        }
        if step % 211 == 200 {
            let legs = desk.acd.legs.ids().into_iter().chain(desk.acd.own_legs.ids()).filter(|_| random.below(3) > 0).collect();
            event = Event::EdgeResumed { edge: EdgeId(0), legs };
        }
        let said = desk.tell(event.clone());
        seen(&event, &desk.acd);
        if let Some(acd) = &mut twin {
            let mut out = Vec::new();
            acd.handle(Time(desk.now), event.clone(), &mut out);
            assert_eq!(out, said, "seed {seed}, step {step}: a core from a checkpoint goes on as the other");
        }
        if step % 50 == 0 {
            let mut acd = Acd::new(Config::default());
            for piece in desk.acd.checkpoint() {
                acd.handle(Time(desk.now), piece, &mut Vec::new());
            }
            acd.check_invariants();
            assert_eq!(acd.checkpoint(), desk.acd.checkpoint(), "seed {seed}, step {step}");
            twin = Some(acd);
        }
        for call in desk.acd.calls.ids() {
            desk.acd.why_waiting(call);
        }
        desk.acd.why_idle(AgentId(1 + u64::from(step) % 9)).expect("known agents can be explained");
    }
    desk.said
}

#[test]
fn a_storm_breaks_nothing() {
    let seeds = std::env::var("STORM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6);
    for seed in 1..=seeds {
        storm(seed, 2_000, seed % 2 == 0);
    }
}

#[test]
fn the_same_events_give_the_same_commands() {
    assert_eq!(storm(7, 500, true), storm(7, 500, true));
}
