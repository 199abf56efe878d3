//! The loop: the very core that the node runs, on a virtual clock, among virtual people.

use super::agenda::{Agenda, Happening};
use super::draw::Random;
use super::ledger::Ledger;
use super::people::{AgentDoes, Callers, People, Rate};
use crate::acd::{Acd, Command, Config, Event, LegEnd, View};
use crate::model::{AgentId, CallId, Language, LegId, OfferId, Phi, PlayId, Time};
use std::collections::BTreeMap;
use std::time::Duration;

const HALF_HOUR: Duration = Duration::from_secs(1800);

/// A centre and its people.
pub struct Sim {
    pub(super) acd: Acd,
    pub(super) people: People,
    pub(super) now: Time,
    pub(super) agenda: Agenda,
    /// Of each kind of caller, and of the agents: who decides otherwise does not shift what others draw.
    pub(super) callers_chance: Vec<Random>,
    pub(super) agents_chance: Random,
    /// By call; a caller's leg bears the number of the call.
    pub(super) callers: BTreeMap<u64, Caller>,
    pub(super) offers: BTreeMap<OfferId, Ringing>,
    /// Agents' legs, by what they were dialled for.
    pub(super) lines: BTreeMap<LegId, OfferId>,
    pub(super) commands: Vec<Command>,
    pub(super) ledger: Ledger,
    pub(super) target: Duration,
    pub(super) dialled: u64,
    pub(super) dialling: bool,
    pub(super) events: u64,
    /// What the core was told, if somebody wants it.
    pub(super) written: Option<Vec<(Time, Event)>>,
}

pub(super) struct Caller {
    pub(super) kind: usize,
    pub(super) language: Language,
    pub(super) patience: Option<Duration>,
    pub(super) talk: Option<Duration>,
    /// The play that they hear.
    pub(super) play: Option<PlayId>,
    pub(super) hears_music: bool,
    /// In line since.
    pub(super) waits: Option<Time>,
    pub(super) patient: bool,
    /// In conversation with.
    pub(super) talks: Option<AgentId>,
}

#[derive(Clone, Copy)]
pub(super) struct Ringing {
    pub(super) call: CallId,
    pub(super) agent: AgentId,
    pub(super) leg: LegId,
}

impl Sim {
    /// `target`: within which the ledger counts an answer as in time.
    pub fn new(config: Config, people: People, seed: u64, target: Duration) -> Sim {
        let mut random = Random::new(seed);
        let mut sim = Sim {
            acd: Acd::new(config),
            now: people.start,
            agenda: Agenda::default(),
            callers_chance: people.callers.iter().map(|_| random.branch()).collect(),
            agents_chance: random.branch(),
            callers: BTreeMap::new(),
            offers: BTreeMap::new(),
            lines: BTreeMap::new(),
            commands: Vec::new(),
            ledger: Ledger::default(),
            target,
            dialled: 0,
            dialling: true,
            events: 0,
            written: None,
            people,
        };
        for agent in &sim.people.agents {
            sim.agenda.add(sim.now, sim.now, Happening::Agent(*agent, AgentDoes::LogIn));
            sim.agenda.add(sim.now, sim.now, Happening::Agent(*agent, AgentDoes::GetReady));
        }
        for kind in 0..sim.people.callers.len() {
            match sim.people.callers[kind].rate {
                Rate::Steady(_) => sim.draw_next_arrival(kind),
                Rate::Day(_) => sim.agenda.add(sim.now, sim.now, Happening::HalfHour(kind)),
            }
        }
        sim
    }

    pub fn now(&self) -> Time {
        self.now
    }

    /// Callers who have dialled so far.
    pub fn dialled(&self) -> u64 {
        self.dialled
    }

    /// Events that the core was given.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The core's own picture at this moment.
    pub fn view(&self) -> View {
        self.acd.view(self.now)
    }

    /// What the people saw, up to this moment.
    pub fn ledger(&mut self) -> &Ledger {
        self.ledger.read(self.now);
        &self.ledger
    }

    /// Σ (now − entered) over the callers who wait at this moment.
    pub fn time_of_those_in_line(&self) -> Duration {
        self.callers.values().filter_map(|caller| caller.waits).map(|since| self.now.since(since)).sum()
    }

    /// Lives until `at`, that moment's happenings included.
    pub fn run_until(&mut self, at: Time) {
        while self.next_time().is_some_and(|next| next <= at) {
            self.step();
        }
        self.now = self.now.max(at);
    }

    /// Lives until so many callers more have dialled.
    pub fn run_arrivals(&mut self, count: u64) {
        let target = self.dialled + count;
        while self.dialled < target && self.step() {}
    }

    /// Lives until the core has been given so many events more.
    pub fn run_events(&mut self, count: u64) {
        let target = self.events + count;
        while self.events < target && self.step() {}
    }

    /// From now on, keeps the list of what the core is told: it can be given to another core.
    pub fn write_down(&mut self) {
        self.written.get_or_insert_default();
    }

    /// The list so far, which begins anew.
    pub fn take_written(&mut self) -> Vec<(Time, Event)> {
        self.written.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Nobody dials any more: lives until nothing more happens.
    pub fn finish(&mut self) {
        self.dialling = false;
        while self.step() {}
    }

    fn next_time(&self) -> Option<Time> {
        [self.agenda.next_time(self.now), self.acd.next_deadline()].into_iter().flatten().min()
    }

    /// The next thing; false if there is none.
    fn step(&mut self) -> bool {
        let deadline = self.acd.next_deadline();
        let Some(next) = self.agenda.next_time(self.now) else {
            let Some(due) = deadline else { return false };
            self.now = self.now.max(due);
            self.tell(Event::DeadlineReached);
            return true;
        };
        if let Some(due) = deadline.filter(|due| *due <= next) {
            self.now = self.now.max(due);
            self.tell(Event::DeadlineReached);
        } else {
            self.now = next;
            let what = self.agenda.take(next).expect("something is due at its time");
            self.happen(what);
        }
        true
    }

    pub(super) fn at(&mut self, span: Duration, what: Happening) {
        self.agenda.add(self.now, self.now + span, what);
    }

    /// One event to the core, and its commands carried out.
    fn tell(&mut self, event: Event) {
        self.events += 1;
        if let Some(written) = &mut self.written {
            written.push((self.now, event.clone()));
        }
        let mut commands = std::mem::take(&mut self.commands);
        self.acd.handle(self.now, event, &mut commands);
        commands.drain(..).for_each(|command| self.obey(command));
        self.commands = commands;
    }

    // ── what people do ──

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Arrive(kind) => {
                if self.dialling {
                    self.draw_next_arrival(kind);
                    self.dial(kind);
                }
            }
            Happening::ArriveOnce(kind) if self.dialling => self.dial(kind),
            Happening::HalfHour(kind) if self.dialling => self.draw_half_hour(kind),
            Happening::ArriveOnce(_) | Happening::HalfHour(_) => {}
            Happening::Established(leg) if self.callers.contains_key(&leg.0) => self.tell(Event::LegEstablished { leg }),
            Happening::Established(_) => {}
            Happening::PlayDone(leg, play) => self.play_done(leg, play),
            Happening::Key(leg, key) => {
                if self.callers.contains_key(&leg.0) {
                    self.tell(Event::DigitsEntered { leg, digits: Phi(key.to_string()) });
                }
            }
            Happening::LookupFailed(call, lookup) => {
                let answer = Err(crate::acd::event::LookupError::Unavailable);
                self.tell(Event::LookupDone { call, lookup, answer });
            }
            Happening::GiveUp(call) => self.give_up(call),
            Happening::Alerting(offer) if self.offers.contains_key(&offer) => self.tell(Event::OfferAlerting { offer }),
            Happening::Accept(offer) if self.offers.contains_key(&offer) => self.tell(Event::OfferAccepted { offer }),
            Happening::Bridged(offer) if self.offers.contains_key(&offer) => self.bridged(offer),
            Happening::Alerting(_) | Happening::Accept(_) | Happening::Bridged(_) => {}
            Happening::Refuse(offer, refusal) => {
                if let Some(ringing) = self.offers.remove(&offer) {
                    self.lines.remove(&ringing.leg);
                    self.tell(Event::OfferRefused { offer, refusal });
                }
            }
            Happening::TalkDone(call, offer) => self.talk_done(call, offer),
            Happening::DialRefused(leg) => self.tell(Event::LegEnded { leg, cause: LegEnd::Refused }),
            Happening::Agent(agent, AgentDoes::LogIn) => self.tell(Event::AgentLoggedIn { agent }),
            Happening::Agent(agent, AgentDoes::GetReady) => self.tell(Event::AgentReady { agent }),
            Happening::Agent(agent, AgentDoes::EndWrapUp) => self.tell(Event::WrapUpDone { agent, code: None }),
            Happening::Agent(agent, AgentDoes::ExtendWrapUp(by)) => self.tell(Event::WrapUpExtended { agent, by }),
        }
    }

    fn draw_next_arrival(&mut self, kind: usize) {
        let Rate::Steady(rate) = self.people.callers[kind].rate else { return };
        assert!(rate > 0.0, "callers who never call are left out");
        let gap = Duration::from_secs_f64(self.callers_chance[kind].exponential() / rate);
        self.at(gap, Happening::Arrive(kind));
    }

    fn draw_half_hour(&mut self, kind: usize) {
        let Rate::Day(day) = &self.people.callers[kind].rate else { return };
        let half_hour = self.now.since(self.people.start).as_secs() / HALF_HOUR.as_secs();
        let mean = day[(half_hour % 48) as usize];
        let chance = &mut self.callers_chance[kind];
        for _ in 0..chance.poisson(mean) {
            let at = self.now + HALF_HOUR.mul_f64(chance.unit());
            self.agenda.add(self.now, at, Happening::ArriveOnce(kind));
        }
        self.at(HALF_HOUR, Happening::HalfHour(kind));
    }

    fn dial(&mut self, kind: usize) {
        let Callers { to, language, patience, talk, shown, .. } = &self.people.callers[kind];
        let chance = &mut self.callers_chance[kind];
        let caller = Caller {
            kind,
            language: *language,
            patience: patience.draw(chance),
            talk: talk.draw(chance),
            play: None,
            hears_music: false,
            waits: None,
            patient: false,
            talks: None,
        };
        let from = if *shown { format!("+1{}55501{:02}", 200 + chance.below(790), chance.below(100)) } else { String::new() };
        let to = Phi(to.to_string());
        self.dialled += 1;
        let call = self.dialled;
        self.ledger.of(caller.language).dialled += 1;
        self.callers.insert(call, caller);
        self.tell(Event::CallArrived { call: CallId(call), leg: LegId(call), from: Phi(from), to });
    }

    fn play_done(&mut self, leg: LegId, play: PlayId) {
        if let Some(caller) = self.callers.get_mut(&leg.0) {
            if caller.play != Some(play) {
                return;
            }
            caller.play = None;
            // Announcements remind a waiting caller of the time.
            let share = self.people.callers[caller.kind].patience.at_announcement;
            let waits = caller.waits.is_some();
            if waits && share > 0.0 && self.callers_chance[caller.kind].chance(share) {
                self.at(Duration::ZERO, Happening::GiveUp(CallId(leg.0)));
            }
        } else if !self.lines.contains_key(&leg) {
            return;
        }
        self.tell(Event::PlayDone { leg, play });
    }

    fn give_up(&mut self, call: CallId) {
        let Some(caller) = self.callers.get(&call.0) else { return };
        if caller.talks.is_some() {
            return;
        }
        let kind = caller.kind;
        let (share, after) = self.people.callers[kind].again;
        if share > 0.0
            && self.callers_chance[kind].chance(share)
            && let Some(span) = after.draw(&mut self.callers_chance[kind])
        {
            self.at(span, Happening::ArriveOnce(kind));
        }
        self.left_queue(call.0, Left::GaveUp);
        self.callers.remove(&call.0);
        self.tell(Event::LegEnded { leg: LegId(call.0), cause: LegEnd::HungUp });
    }

    fn bridged(&mut self, offer: OfferId) {
        let ringing = self.offers[&offer];
        self.left_queue(ringing.call.0, Left::Answered);
        if let Some(caller) = self.callers.get_mut(&ringing.call.0) {
            caller.talks = Some(ringing.agent);
            let talk = caller.talk;
            self.ledger.talking.entry(ringing.agent).or_default().start(self.now);
            if let Some(span) = talk {
                self.at(span, Happening::TalkDone(ringing.call, offer));
            }
        }
        self.tell(Event::Bridged { offer });
    }

    fn talk_done(&mut self, call: CallId, offer: OfferId) {
        let Some(ringing) = self.offers.get(&offer).copied() else { return };
        let Some(caller) = self.callers.get(&call.0) else { return };
        assert!(caller.talks.is_some(), "a conversation that ends has begun");
        let agent_ends = self.people.habits.agent_ends;
        if agent_ends > 0.0 && self.agents_chance.chance(agent_ends) {
            self.agent_line_ends(ringing.leg);
            self.tell(Event::LegEnded { leg: ringing.leg, cause: LegEnd::HungUp });
        } else {
            self.caller_line_ends(call.0);
            self.tell(Event::LegEnded { leg: LegId(call.0), cause: LegEnd::HungUp });
        }
    }
}

/// How a caller's stay in a queue ended.
pub(super) enum Left {
    Answered,
    GaveUp,
    Moved,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acd::config::{Announcement, Comfort};
    use crate::model::QueueId;
    use crate::sim::{Habits, Law, Patience, PromptTimes, Report, centre};

    const START: Time = Time(1_772_460_000_000_000);

    fn seconds(from: u64, to: u64) -> Law {
        Law::Uniform { from: Duration::from_secs(from), to: Duration::from_secs(to) }
    }

    /// Two queues, two languages, five agents who are slow and fickle, callers who are impatient.
    fn clinic() -> (Config, People) {
        let mut config = Config::default();
        let (desk, nurse) = (QueueId(1), QueueId(2));
        let mut queue = centre::plain_queue("desk", Duration::from_secs(20));
        queue.wrap_up = Duration::from_secs(30);
        queue.wrap_up_extension_max = Duration::from_secs(20);
        queue.whisper = true;
        let say = vec![Announcement::Prompts(vec!["please_wait".into()]), Announcement::Position];
        queue.comfort = Some(Comfort { first: Duration::from_secs(10), every: Duration::from_secs(25), say });
        config.queues.insert(desk, queue);
        let mut queue = centre::plain_queue("nurse", Duration::from_secs(20));
        queue.short_abandon = Duration::from_secs(5);
        config.queues.insert(nurse, queue);
        let (english, english_skill, english_class) = centre::language(&mut config, "en", false);
        let (spanish, spanish_skill, spanish_class) = centre::language(&mut config, "es", true);
        for id in 1..=5 {
            let skills = if id > 3 { vec![english_skill, spanish_skill] } else { vec![english_skill] };
            centre::agent(&mut config, id, &skills, &[desk, nurse]);
        }
        let kinds = [(desk, english, english_class, 0.02), (desk, spanish, spanish_class, 0.006), (nurse, english, english_class, 0.004)];
        let callers = kinds.map(|(queue, language, class, rate)| Callers {
            to: centre::straight_to(&mut config, &format!("{language}{queue}"), language, queue, class),
            language,
            rate: Rate::Steady(rate),
            connects: seconds(0, 2),
            keys: BTreeMap::new(),
            key_delay: Law::Never,
            patience: Patience { law: Law::Weibull { mean: 90.0, shape: 0.8 }, hasty: (0.05, seconds(0, 5)), at_announcement: 0.05 },
            talk: Law::LogNormal { mean: 120.0, sigma: 0.9 },
            again: (0.3, seconds(0, 300)),
            shown: true,
        });
        let habits =
            Habits { ring: seconds(1, 8), ring_out: 0.04, decline: 0.05, wrap_up: seconds(5, 60), back: seconds(5, 60), agent_ends: 0.3 };
        let prompts = PromptTimes { other: Duration::from_secs(3), ..PromptTimes::default() };
        let agents = config.agents.keys().copied().collect();
        (config, People { start: START, callers: callers.into(), agents, habits, prompts })
    }

    fn lived(seed: u64, arrivals: u64) -> Sim {
        let (config, people) = clinic();
        let mut sim = Sim::new(config, people, seed, Duration::from_secs(20));
        sim.run_arrivals(arrivals);
        sim
    }

    #[test]
    fn the_same_seed_is_the_same_life() {
        let mut lives = [lived(7, 300), lived(7, 300), lived(8, 300)].map(|mut sim| {
            sim.finish();
            (sim.now(), sim.events(), sim.ledger().clone(), sim.view().figures)
        });
        assert!(lives[0] == lives[1]);
        let other = lives[2].2.total();
        assert_ne!(lives[0].2.total(), other);
        assert!(lives.iter_mut().all(|life| life.2.total().abandoned > 0), "some give up");
    }

    #[test]
    fn the_core_and_the_people_tell_the_same_story() {
        for seed in 1..=10 {
            let mut sim = lived(seed, 500);
            agrees(&mut sim, seed);
            sim.finish();
            let report = agrees(&mut sim, seed);
            assert_eq!(report.seen.records, sim.dialled(), "seed {seed}: every call leaves one record");
            assert!(sim.callers.is_empty() && sim.offers.is_empty() && sim.lines.is_empty(), "seed {seed}: somebody is still on the line");
            let view = sim.view();
            assert_eq!((view.in_flow, view.in_queue, view.talking, view.wrapping), (0, 0, 0, 0), "seed {seed}");
            let idle = view.agents.values().filter(|agent| agent.state == crate::acd::AgentState::Ready).count();
            assert_eq!(idle, 5, "seed {seed}: everybody is ready again");
        }
    }

    fn agrees(sim: &mut Sim, seed: u64) -> Report {
        let figures = sim.view().figures;
        let report = Report::new(START, sim.now(), &figures, sim.ledger());
        assert_eq!(report.contradictions_in_time(), Vec::<String>::new(), "seed {seed}");
        let total = report.total();
        assert_eq!(total.integral, total.visit_time + sim.time_of_those_in_line(), "seed {seed}: Little's law");
        assert_eq!(report.logged_in(), report.span() * 5, "seed {seed}: agents' time by state");
        assert!(figures.queues.values().all(|queue| queue.conservation().0 == queue.conservation().1), "seed {seed}: visits are conserved");
        report
    }
}
