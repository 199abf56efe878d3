//! Drives a core through a scenario and compares what it asks for with what the scenario says.

use crate::centre::Centre;
use crate::language::{Line, read, span};
use crate::settings::{self, Start, number};
use crate::shell::{Party, Ring, Shell, caller_leg};
use crate::witness::Witness;
use crate::{replay, words};
use careline::acd::call::TransferKind;
use careline::acd::{Acd, Command, Event, LegEnd, NotReadyReason, Placed};
use careline::model::{AgentId, CallId, Destination, LegId, Phi, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// Plays `scenario` and panics where the core does something else than it says, contradicts itself, loses or doubles anything.
pub fn check(scenario: &str) {
    let lines = read(scenario);
    let mut centre = Centre::new();
    let mut agents = Vec::new();
    for line in lines.iter().filter(|line| line.at.is_none() && line.words != ["slow", "plays"]) {
        agents.extend(settings::apply(&mut centre, &line.words));
    }
    let mut dialled = BTreeMap::new();
    for line in lines.iter().filter(|line| line.at.is_some() && line.words.first().is_some_and(|word| word == "call")) {
        let words: Vec<&str> = line.words[3..].iter().map(String::as_str).collect();
        let call = number(&line.words[1]);
        dialled.insert(call, settings::dial(&mut centre, call, &words));
    }
    let day = lines.iter().find_map(|line| line.at).expect("a scenario has events");
    let mut driver = Driver::new(centre, dialled, lines.iter().any(|line| line.words == ["slow", "plays"]));
    let mut early = day - Duration::from_secs(3600);
    for (agent, start) in agents {
        driver.start_agent(early, agent, start);
        early = early + Duration::from_secs(1);
    }
    driver.said.clear();
    for line in lines.iter().filter(|line| line.at.is_some()) {
        driver.play(line);
    }
    driver.finish();
    replay::check_all(&driver.first_config, &driver.told);
}

pub struct Driver {
    centre: Centre,
    first_config: careline::acd::Config,
    dialled: BTreeMap<u64, settings::Dialled>,
    /// Plays to callers go on until the scenario ends them.
    slow: bool,
    acd: Acd,
    shell: Shell,
    witness: Witness,
    /// All that the core was told and all that it said, for replay.
    told: Vec<(Time, Event, Vec<Command>)>,
    /// What was said since the last line.
    said: Vec<String>,
    now: Time,
}

impl Driver {
    fn new(centre: Centre, dialled: BTreeMap<u64, settings::Dialled>, slow: bool) -> Driver {
        let first_config = centre.config.clone();
        let acd = Acd::new(first_config.clone());
        let witness = Witness::new(first_config.clone());
        Driver {
            centre,
            first_config,
            dialled,
            slow,
            acd,
            shell: Shell::default(),
            witness,
            told: Vec::new(),
            said: Vec::new(),
            now: Time(0),
        }
    }

    fn start_agent(&mut self, now: Time, agent: AgentId, start: Start) {
        if start == Start::LoggedOut {
            return;
        }
        self.tell(now, Event::StationFound { agent });
        self.tell(now, Event::AgentLoggedIn { agent });
        if start == Start::Ready {
            self.tell(now, Event::AgentReady { agent });
        }
    }

    fn tell(&mut self, now: Time, event: Event) {
        self.now = now;
        let overdue = self.acd.next_deadline().is_some_and(|due| due <= now);
        self.shell.tell(&event, overdue);
        self.witness.told(now, &event);
        let mut out = Vec::new();
        self.acd.handle(now, event.clone(), &mut out);
        for command in &out {
            self.said.extend(words::say(command, &self.shell, &self.centre.config));
            self.shell.obey(command);
            self.witness.saw(command);
        }
        self.shell.told();
        self.acd.check_invariants();
        self.witness.check(now);
        self.told.push((now, event, out));
        self.react(now);
    }

    /// What the outside does at once and by itself: established legs, and plays that are over.
    fn react(&mut self, now: Time) {
        if let Some(leg) = self.shell.answering.first().copied() {
            return self.tell(now, Event::LegEstablished { leg });
        }
        let over = self.shell.legs.iter().find(|(_, leg)| leg.party == Party::Caller && leg.play.is_some() && !self.slow);
        if let Some((leg, play)) = over.map(|(id, leg)| (*id, leg.play.expect("found by it"))) {
            self.tell(now, Event::PlayDone { leg, play });
        }
    }

    /// Lets time pass; every deadline is delivered on its own time.
    fn advance(&mut self, to: Time) {
        let mut deliveries = 0;
        while let Some(due) = self.acd.next_deadline().filter(|due| *due <= to) {
            self.tell(due.max(self.now), Event::DeadlineReached);
            deliveries += 1;
            assert!(deliveries < 10_000, "a deadline comes again and again: {due:?}");
        }
    }

    fn play(&mut self, line: &Line) {
        let at = line.at.expect("an event has its time");
        self.advance(at);
        self.act(at, line);
        let said = std::mem::take(&mut self.said);
        let kind = |text: &str| text.split(' ').next().expect("a word").to_string();
        let compared: Vec<String> = words::ALWAYS.iter().map(|w| (*w).to_string()).chain(line.expect.iter().map(|e| kind(e))).collect();
        let mut got: Vec<&String> = said.iter().filter(|text| compared.contains(&kind(text))).collect();
        // A kind alone: none of it.
        let mut expected: Vec<&String> = line.expect.iter().filter(|text| text.contains(' ')).collect();
        got.sort();
        expected.sort();
        assert!(got == expected, "line {}: {}\nexpected {expected:?}\ngot      {got:?}\nall said {said:#?}", line.number, line.text);
    }

    fn act(&mut self, at: Time, line: &Line) {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        match words[..] {
            ["."] => {}
            ["call", call, "->", ..] => self.call(at, number(call)),
            ["see", "station", station, who] => assert_eq!(self.acd.agent_at(AgentId(number(station))), Some(AgentId(number(who)))),
            ["see", who, ref what @ ..] => self.see(who, &what.join(" ")),
            ["why", call, agent, ref what @ ..] => self.why(number(call), number(agent), &what.join(" ")),
            ["queue" | "rules" | "skill" | "ladder" | "agent", ..] => {
                let agent = settings::apply(&mut self.centre, &line.words);
                self.tell(at, Event::ConfigChanged(Box::new(self.centre.config.clone())));
                if let Some((agent, start)) = agent {
                    self.start_agent(at, agent, start);
                }
            }
            ["remove", "agent", id] => {
                self.centre.config.agents.remove(&AgentId(number(id)));
                self.tell(at, Event::ConfigChanged(Box::new(self.centre.config.clone())));
            }
            ["remove", "queue", name] => {
                let queue = self.centre.queue(name);
                self.centre.config.queues.remove(&queue);
                for agent in self.centre.config.agents.values_mut() {
                    agent.queues.remove(&queue);
                }
                self.tell(at, Event::ConfigChanged(Box::new(self.centre.config.clone())));
            }
            ["move", call, "->", ref to @ ..] => {
                let event = Event::CallMoved { call: CallId(number(call)), to: self.destination(to) };
                self.tell(at, event);
            }
            ["station", "dials", "911", call] => self.place(at, None, Placed::Emergency, number(call)),
            ["far", call, what] => self.far(at, CallId(number(call)), what),
            ["raise", call, class] => self.tell(at, Event::ClassRaised { call: CallId(number(call)), class: settings::class(class) }),
            [who, ref what @ ..] if number(who) >= 1000 => self.agent_does(at, AgentId(number(who)), what),
            [who, ref what @ ..] => self.caller_does(at, CallId(number(who)), what),
            [] => panic!("line {}: nothing happens", line.number),
        }
    }

    fn call(&mut self, at: Time, call: u64) {
        let dialled = &self.dialled[&call];
        let event =
            Event::CallArrived { call: CallId(call), leg: caller_leg(call), from: Phi(dialled.from.clone()), to: dialled.number.clone() };
        self.tell(at, event);
    }

    fn destination(&self, to: &[&str]) -> Destination {
        match to {
            ["agent", id] => Destination::Agent(AgentId(number(id))),
            [queue] => Destination::Queue(self.centre.queue(queue)),
            _ => panic!("not a destination: {to:?}"),
        }
    }

    fn caller_does(&mut self, at: Time, call: CallId, what: &[&str]) {
        let leg = self.shell.caller_leg(call).unwrap_or_else(|| panic!("the caller of {call} is gone"));
        match what {
            ["hangs", "up"] => self.tell(at, Event::LegEnded { leg, cause: LegEnd::HungUp }),
            ["vanishes"] => self.tell(at, Event::LegEnded { leg, cause: LegEnd::Lost }),
            ["presses", key] => self.tell(at, Event::DigitsEntered { leg, digits: Phi((*key).to_string()) }),
            ["hears"] => {
                let play = self.shell.legs[&leg].play.unwrap_or_else(|| panic!("nothing is played to {call}"));
                self.tell(at, Event::PlayDone { leg, play });
            }
            _ => panic!("callers do not do that: {what:?}"),
        }
    }

    fn agent_does(&mut self, at: Time, agent: AgentId, what: &[&str]) {
        let event = match what {
            ["ready"] => Event::AgentReady { agent },
            ["break"] => Event::AgentNotReady { agent, reason: NotReadyReason::Break },
            ["meal"] => Event::AgentNotReady { agent, reason: NotReadyReason::Meal },
            ["logs", "in"] => Event::AgentLoggedIn { agent },
            ["logs", "out"] => Event::AgentLoggedOut { agent },
            ["done", code @ ..] => Event::WrapUpDone { agent, code: code.first().map(|code| Phi((*code).to_string())) },
            ["extends", by] => Event::WrapUpExtended { agent, by: span(by) },
            ["station", "lost"] => Event::StationLost { agent },
            ["station", "found"] => Event::StationFound { agent },
            ["sits", "at", station] => Event::AgentSeated { agent, station: AgentId(number(station)) },
            ["hangs", "up"] => Event::LegEnded { leg: self.agent_leg(agent), cause: LegEnd::HungUp },
            ["vanishes"] => Event::LegEnded { leg: self.agent_leg(agent), cause: LegEnd::Lost },
            ["holds"] => Event::LegHeld { leg: self.agent_leg(agent), held: true },
            ["retrieves"] => Event::LegHeld { leg: self.agent_leg(agent), held: false },
            ["transfers", "->", to @ ..] => {
                Event::TransferAsked { by: self.agent_leg(agent), to: self.destination(to), kind: TransferKind::Blind }
            }
            ["answers", call] => return self.answers(at, agent, CallId(number(call))),
            ["dials", what, call] => {
                let kind = match *what {
                    "out" => Placed::Outward,
                    "911" => Placed::Emergency,
                    "in" => Placed::InHouse,
                    _ => panic!("agents do not dial that: {what}"),
                };
                return self.place(at, Some(agent), kind, number(call));
            }
            ["ends", "own"] => Event::LegEnded { leg: self.station_leg(agent), cause: LegEnd::HungUp },
            ["loses", "own"] => Event::LegEnded { leg: self.station_leg(agent), cause: LegEnd::Lost },
            ["holds", "own"] => Event::LegHeld { leg: self.station_leg(agent), held: true },
            ["retrieves", "own"] => Event::LegHeld { leg: self.station_leg(agent), held: false },
            ["whisper", "heard"] => {
                let leg = self.agent_leg(agent);
                Event::PlayDone { leg, play: self.shell.legs[&leg].play.expect("a whisper plays") }
            }
            [word, call] => self.offer_event(agent, word, CallId(number(call))),
            _ => panic!("agents do not do that: {what:?}"),
        };
        self.tell(at, event);
    }

    fn place(&mut self, at: Time, agent: Option<AgentId>, kind: Placed, call: u64) {
        let to = Phi(if kind == Placed::Outward { "+13125550142" } else { "911" }.to_string());
        self.tell(at, Event::CallPlaced { call: CallId(call), leg: caller_leg(call), agent, to, kind });
    }

    fn far(&mut self, at: Time, call: CallId, what: &str) {
        let leg = self.shell.far_leg(call).unwrap_or_else(|| panic!("nobody was dialled for {call}"));
        let ended = |cause| Event::LegEnded { leg, cause };
        self.tell(
            at,
            match what {
                "answers" => Event::LegEstablished { leg },
                "refuses" => ended(LegEnd::Refused),
                "hangs-up" => ended(LegEnd::HungUp),
                _ => panic!("the far side does not do that: {what}"),
            },
        );
    }

    fn station_leg(&self, agent: AgentId) -> LegId {
        self.shell.station_leg(agent).unwrap_or_else(|| panic!("{agent} placed no call"))
    }

    fn agent_leg(&self, agent: AgentId) -> LegId {
        self.shell.agent_leg(agent).unwrap_or_else(|| panic!("{agent} is on no call"))
    }

    /// An event of an offer that is alive; with `late`, of the newest one that was withdrawn.
    fn offer_event(&self, agent: AgentId, word: &str, call: CallId) -> Event {
        if word == "late-accepts" {
            return Event::OfferAccepted { offer: *self.shell.crossed.last().expect("an offer was withdrawn") };
        }
        let offer = self.shell.offer(call, agent).unwrap_or_else(|| panic!("{call} does not ring at {agent}"));
        match word {
            "alerts" => Event::OfferAlerting { offer },
            "accepts" => Event::OfferAccepted { offer },
            "bridged" => Event::Bridged { offer },
            "fails" => Event::OfferFailed { offer },
            word => Event::OfferRefused { offer, refusal: words::refusal(word).unwrap_or_else(|| panic!("agents do not do that: {word}")) },
        }
    }

    /// Accepts, hears the whisper to its end, and is bridged.
    fn answers(&mut self, at: Time, agent: AgentId, call: CallId) {
        let accepted = self.offer_event(agent, "accepts", call);
        self.tell(at, accepted);
        let leg = self.agent_leg(agent);
        if let Some(play) = self.shell.legs[&leg].play {
            self.tell(at, Event::PlayDone { leg, play });
        }
        let offer = self.shell.offer(call, agent).expect("accepted");
        assert_eq!(self.shell.offers[&offer].ring, Ring::Joining, "the bridge is asked for once the whisper is over");
        self.tell(at, Event::Bridged { offer });
    }

    fn see(&mut self, who: &str, what: &str) {
        let view = self.acd.view(self.now);
        let short = |queue| {
            let figures = view.figures.queues.iter().filter(|((id, _), _)| *id == queue);
            figures.map(|(_, figures)| figures.abandoned_short()).sum::<u64>()
        };
        let seen = match self.centre.queue_named(who) {
            Some(queue) if what.starts_with("short") => format!("short {}", short(queue)),
            Some(queue) => view.queues[&queue].open.to_string(),
            None if what.starts_with("wish") => words::wish(&view.agents[&AgentId(number(who))]),
            None if what.starts_with("missed") => words::missed(&view.agents[&AgentId(number(who))], &self.centre.config, self.now),
            None => words::state_word(view.agents[&AgentId(number(who))].state),
        };
        assert_eq!(seen, what, "{who}");
    }

    /// `why 1 1007 LacksSkills`: what stands between a waiting call and an agent, as `explain` says it.
    fn why(&mut self, call: u64, agent: u64, what: &str) {
        let why = self.acd.why_waiting(CallId(call)).unwrap_or_else(|| panic!("{call} waits nowhere"));
        let said: Vec<String> = why
            .visits
            .iter()
            .flat_map(|visit| visit.agents.iter().filter(|(id, _)| *id == AgentId(agent)).map(|(_, standing)| format!("{standing:?}")))
            .collect();
        assert!(said.iter().any(|said| said.contains(what)), "{agent} and {call}: {said:?}, expected {what}");
    }

    /// Everybody goes home; nothing may be left behind.
    fn finish(&mut self) {
        while let Some((leg, _)) = self.shell.legs.iter().find(|(_, leg)| matches!(leg.party, Party::Caller | Party::Station(..))) {
            let leg = *leg;
            self.tell(self.now, Event::LegEnded { leg, cause: LegEnd::HungUp });
        }
        self.advance(self.now + Duration::from_secs(7200));
        let view = self.acd.view(self.now);
        assert_eq!((view.in_flow, view.in_queue, view.talking, view.wrapping, view.placed), (0, 0, 0, 0, 0), "somebody is left: {view:#?}");
        assert!(self.shell.legs.is_empty() && self.shell.offers.is_empty(), "legs are left: {:?}", self.shell.legs);
        self.witness.finish(&view.figures, self.now);
    }
}
