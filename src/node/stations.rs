//! Codes that stations dial: `leg::code` asks and speaks, the core knows who may what, and here each hears of the other.

use super::codes::Line;
use super::legs::Entry;
use super::switchboard::Switchboard;
use crate::acd::{AgentState, Event, LegEnd, NotReadyReason, Placed};
use crate::leg::code::{Begins, Code, CodeCall, Input, Outcome, Output, Pause, Wish};
use crate::leg::{self, Ending};
use crate::model::{AgentId, CallId, Language, LegId, Phi, PlayId, Prompt};
use std::collections::{BTreeMap, BTreeSet};

impl Switchboard {
    /// A station dials a code: it is answered at once, whoever works there is busy meanwhile.
    pub(super) fn serve_code(&mut self, (call, leg): (CallId, LegId), station: AgentId, code: Code, entry: Entry, to: String) {
        // Of whoever is called there: an owner who logs in meanwhile, by a registration, is not rung within it.
        let agent = self.worker_at(station);
        self.legs.insert(leg, entry);
        self.begin_code((call, leg), station, code);
        self.events.push_back(Event::CallPlaced { call, leg, agent, to: Phi(to), kind: Placed::InHouse });
        self.tell(leg, leg::Input::Answer);
    }

    /// A station dials what nothing lets out: it is told so before the refusal, as an announcement of any network is, which nobody takes
    /// for an answer. One at a time: who tries many numbers is refused without a word.
    pub(super) fn say_refused(&mut self, (call, leg): (CallId, LegId), station: AgentId, entry: Entry, to: String) {
        let agent = self.worker_at(station);
        self.legs.insert(leg, entry);
        self.begin_code((call, leg), station, Code::Refused);
        self.events.push_back(Event::CallPlaced { call, leg, agent, to: Phi(to), kind: Placed::InHouse });
        self.tell(leg, leg::Input::FarAudible);
        self.code(leg, Input::Answered);
    }

    /// Whether this station hears that it may not dial a number.
    pub(super) fn hears_a_refusal(&self, station: AgentId) -> bool {
        self.codes.calls.values().any(|line| line.station == station && line.machine.refuses())
    }

    /// A leg that is a code's from now on, to be answered.
    pub(super) fn begin_code(&mut self, (call, leg): (CallId, LegId), station: AgentId, code: Code) {
        let machine = CodeCall::new(self.clock.now(), code);
        let language = self.language_of(self.core.agent_at(station).unwrap_or(station));
        self.codes.due.insert((machine.due(), leg));
        self.codes.calls.insert(leg, Line { machine, call, station, language, play: PlayId(0) });
    }

    /// In which an agent is spoken to.
    pub(super) fn language_of(&self, agent: AgentId) -> Language {
        let config = self.core.config();
        let own = config.agents.get(&agent).and_then(|agent| agent.language);
        own.or_else(|| config.languages.keys().next().copied()).unwrap_or_else(|| Language::new("en").expect("a tag"))
    }

    /// What the station's leg reports.
    pub(super) fn code_leg(&mut self, leg: LegId, report: leg::Report) {
        match report {
            leg::Report::Established => self.code(leg, Input::Answered),
            leg::Report::Ended(gone) => {
                self.forget_code(leg);
                let cause = if gone == leg::Gone::Lost { LegEnd::Lost } else { LegEnd::HungUp };
                self.code_over(leg, cause);
            }
            leg::Report::Alerting | leg::Report::Audible | leg::Report::Refused(_) | leg::Report::Held(_) => {}
        }
    }

    /// The core hears of it, unless it has done with this leg before.
    fn code_over(&mut self, leg: LegId, cause: LegEnd) {
        if self.core.knows(leg) {
            self.events.push_back(Event::LegEnded { leg, cause });
        }
    }

    pub(super) fn code_key(&mut self, leg: LegId, key: char) {
        self.code(leg, Input::Key(key));
    }

    pub(super) fn code_said(&mut self, leg: LegId, play: PlayId) {
        if self.codes.calls.get(&leg).is_some_and(|line| line.play == play) {
            self.code(leg, Input::Said);
        }
    }

    pub(super) fn codes_due(&mut self) {
        let now = self.clock.now();
        while let Some((at, leg)) = self.codes.due.first().copied().filter(|(at, _)| *at <= now) {
            self.codes.due.remove(&(at, leg));
            self.code(leg, Input::Waited);
        }
    }

    /// The leg is gone, or about to be.
    pub(super) fn forget_code(&mut self, leg: LegId) {
        if let Some(line) = self.codes.calls.remove(&leg) {
            self.codes.due.remove(&(line.machine.due(), leg));
        }
    }

    fn code(&mut self, leg: LegId, input: Input) {
        let now = self.clock.now();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let Some(line) = self.codes.calls.get_mut(&leg) else { return };
            let was = line.machine.due();
            let mut out = Vec::new();
            line.machine.handle(now, input, &mut out);
            self.codes.renew(leg, was);
            for output in out {
                inputs.extend(self.code_asks(leg, output));
            }
        }
    }

    fn code_asks(&mut self, leg: LegId, output: Output) -> Option<Input> {
        let line = self.codes.calls.get_mut(&leg)?;
        match output {
            Output::Say(names) => {
                line.play = PlayId(line.play.0 + 1);
                let prompts = names.iter().map(|name| Prompt::new(line.language, name)).collect();
                self.media.play(leg, line.play, prompts);
            }
            Output::Hush => {
                self.media.stop_play(leg, line.play);
                line.play = PlayId(line.play.0 + 1);
            }
            Output::Echo => self.media.hear(line.call, BTreeMap::from([(leg, BTreeSet::from([leg]))]), None),
            Output::HangUp => {
                let code = if line.machine.refuses() { 403 } else { 480 };
                self.forget_code(leg);
                self.tell(leg, leg::Input::End(Ending::Done { code }));
                self.code_over(leg, LegEnd::HungUp);
            }
            Output::Wish(wish) => {
                let station = line.station;
                let (outcome, begins) = self.grant(leg, station, wish);
                return Some(Input::Granted(outcome, begins));
            }
        }
        None
    }

    /// Does what is wished, as far as it may be; what becomes of it is known before the core has heard of it.
    fn grant(&mut self, leg: LegId, station: AgentId, wish: Wish) -> (Outcome, Begins) {
        if let Wish::LogIn { number, pin } = wish {
            return (self.log_in(leg, station, &number, &pin), Begins::Now);
        }
        let Some(agent) = self.core.agent_at(station) else {
            return (Outcome::Nobody { as_recorded: self.codes.plan.is_as_recorded() }, Begins::Now);
        };
        let state = self.core.agent_state(agent);
        let begins = match state {
            Some(AgentState::Offered(_)) if wish == Wish::LogOut => Begins::Now,
            Some(AgentState::Offered(_) | AgentState::Connecting(_) | AgentState::Talking(_)) => Begins::AfterCall,
            Some(AgentState::WrapUp { .. }) => Begins::AfterWrapUp,
            // This call of the code is one of them.
            _ if self.core.own_calls(agent) > 1 => Begins::AfterCall,
            _ => Begins::Now,
        };
        let outcome = match wish {
            Wish::LogIn { .. } => unreachable!("done above"),
            Wish::Ready => {
                let missed = self.core.missed(agent).count() as u32;
                self.events.push_back(Event::AgentReady { agent });
                Outcome::Ready { missed }
            }
            Wish::NotReady(pause) => {
                let reason = match pause {
                    Pause::Break => NotReadyReason::Break,
                    Pause::Meal => NotReadyReason::Meal,
                    Pause::Training => NotReadyReason::Training,
                    Pause::Other => NotReadyReason::Other,
                };
                self.events.push_back(Event::AgentNotReady { agent, reason });
                Outcome::NotReady(pause)
            }
            Wish::EndWrapUp if begins == Begins::AfterWrapUp => {
                self.events.push_back(Event::WrapUpDone { agent, code: None });
                return (Outcome::WrapUpEnded, Begins::Now);
            }
            Wish::EndWrapUp => return (Outcome::NoWrapUp, Begins::Now),
            Wish::LogOut => {
                self.events.push_back(Event::AgentLoggedOut { agent });
                Outcome::LoggedOut
            }
        };
        (outcome, begins)
    }

    /// An agent comes to this station: who was there before leaves it, but nobody is put out of a call.
    fn log_in(&mut self, leg: LegId, station: AgentId, number: &str, pin: &str) -> Outcome {
        let now = self.clock.now();
        let agent = number.parse().map(AgentId).ok().filter(|agent| self.core.agent_state(*agent).is_some());
        let Some(agent) = self.codes.pins.judge(now, station, number, pin).then_some(agent).flatten() else { return Outcome::WrongPin };
        if let Some(other) = self.core.agent_at(station).filter(|other| *other != agent) {
            let idle = matches!(self.core.agent_state(other), Some(AgentState::Ready | AgentState::NotReady(_)))
                || self.core.agent_state(other) == Some(AgentState::OwnCall) && self.core.own_calls(other) == 1;
            if !idle {
                return Outcome::InUse;
            }
            self.events.push_back(Event::AgentLoggedOut { agent: other });
        }
        self.events.push_back(Event::AgentSeated { agent, station });
        if !self.core.is_reachable(agent) {
            self.events.push_back(Event::StationFound { agent });
        }
        if self.core.agent_state(agent) == Some(AgentState::LoggedOut) || self.core.is_leaving(agent) {
            self.events.push_back(Event::AgentLoggedIn { agent });
        }
        let language = self.language_of(agent);
        if let Some(line) = self.codes.calls.get_mut(&leg) {
            line.language = language;
        }
        Outcome::LoggedIn
    }

    /// Who is lost and found with a station: who is logged in there, else its owner, unless they work elsewhere.
    pub(super) fn worker_at(&self, station: AgentId) -> Option<AgentId> {
        self.core.agent_at(station).or_else(|| Some(station).filter(|owner| self.core.station_of(*owner) == station))
    }
}
