//! What the core tells the virtual people, and what they make of it.

use super::agenda::Happening;
use super::people::{AgentDoes, Callers};
use super::run::{Left, Ringing, Sim};
use crate::acd::{AgentState, Command, Fact, NotReadyReason, Purpose, Refusal};
use crate::model::{AgentId, CallId, Destination, LegId, OfferId, PlayId, Prompt, Time};
use std::time::Duration;

impl Sim {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Note { at, fact, .. } => self.note(at, &fact),
            Command::Answer { leg } => self.connect(leg),
            Command::Play { leg, play, prompts } => {
                let span = self.people.prompts.of(&prompts);
                self.at(span, Happening::PlayDone(leg, play));
                self.hear_prompts(leg, play, &prompts);
            }
            Command::StopPlay { leg, play } => {
                if let Some(caller) = self.callers.get_mut(&leg.0).filter(|caller| caller.play == Some(play)) {
                    caller.play = None;
                }
            }
            Command::Lookup { call, lookup, .. } => self.at(Duration::ZERO, Happening::LookupFailed(call, lookup)),
            Command::StartTreatment { leg, .. } => self.start_waiting(leg),
            Command::StopTreatment { leg } => {
                if let Some(caller) = self.callers.get_mut(&leg.0) {
                    caller.hears_music = false;
                }
            }
            Command::Dial { leg, call, target: Destination::Agent(agent), purpose: Purpose::Offer(offer), .. } => {
                self.ring(offer, Ringing { call, agent, leg });
            }
            // Nobody outside the centre answers.
            Command::Dial { leg, .. } => self.at(Duration::ZERO, Happening::DialRefused(leg)),
            Command::Withdraw { offer, leg, .. } => {
                self.offers.remove(&offer);
                self.lines.remove(&leg);
            }
            Command::Hear { bridged: Some(offer), .. } => self.at(Duration::ZERO, Happening::Bridged(offer)),
            Command::EndLeg { leg, .. } | Command::Divert { leg, .. } | Command::Unreached { leg } => {
                if self.callers.contains_key(&leg.0) {
                    self.left_queue(leg.0, Left::Moved);
                    self.caller_line_ends(leg.0);
                } else {
                    self.agent_line_ends(leg);
                }
            }
            Command::CloseRecord(_) => self.ledger.records += 1,
            Command::Hear { bridged: None, .. } | Command::Record { .. } => {}
        }
    }

    fn connect(&mut self, leg: LegId) {
        let Some(caller) = self.callers.get(&leg.0) else { return };
        let span = self.people.callers[caller.kind].connects.draw(&mut self.callers_chance[caller.kind]);
        if let Some(span) = span {
            self.at(span, Happening::Established(leg));
        }
    }

    fn hear_prompts(&mut self, leg: LegId, play: PlayId, prompts: &[Prompt]) {
        let Some(caller) = self.callers.get_mut(&leg.0) else { return };
        caller.play = Some(play);
        if caller.waits.is_some() && !caller.hears_music {
            self.left_queue(leg.0, Left::Moved);
        }
        let Some(caller) = self.callers.get(&leg.0) else { return };
        let Callers { keys, key_delay, .. } = &self.people.callers[caller.kind];
        let key = prompts.iter().find_map(|prompt| keys.get(&prompt.name).copied());
        if let (Some(key), Some(span)) = (key, key_delay.draw(&mut self.callers_chance[caller.kind])) {
            self.at(span, Happening::Key(leg, key));
        }
    }

    fn start_waiting(&mut self, leg: LegId) {
        self.left_queue(leg.0, Left::Moved);
        let now = self.now;
        let Some(caller) = self.callers.get_mut(&leg.0) else { return };
        caller.hears_music = true;
        caller.waits = Some(now);
        let first = !std::mem::replace(&mut caller.patient, true);
        let (language, patience) = (caller.language, caller.patience);
        let count = self.ledger.of(language);
        count.entered += 1;
        count.waiting.start(now);
        if let Some(span) = patience.filter(|_| first) {
            self.at(span, Happening::GiveUp(CallId(leg.0)));
        }
    }

    /// Closes the caller's stopwatch, if it runs.
    pub(super) fn left_queue(&mut self, call: u64, how: Left) {
        let (now, target) = (self.now, self.target);
        let Some(caller) = self.callers.get_mut(&call) else { return };
        let Some(since) = caller.waits.take() else { return };
        let wait = now.since(since);
        let count = self.ledger.of(caller.language);
        count.waiting.stop(now);
        count.waited += u64::from(!wait.is_zero());
        let (number, sum) = match how {
            Left::Answered => {
                count.in_target += u64::from(wait <= target);
                (&mut count.answered, &mut count.wait_answered)
            }
            Left::GaveUp => (&mut count.abandoned, &mut count.wait_abandoned),
            Left::Moved => (&mut count.moved, &mut count.wait_moved),
        };
        *number += 1;
        *sum += wait;
    }

    fn ring(&mut self, offer: OfferId, ringing: Ringing) {
        assert!(!self.callers.contains_key(&ringing.leg.0), "an agent's leg bears the number of a caller's");
        self.offers.insert(offer, ringing);
        self.lines.insert(ringing.leg, offer);
        let habits = self.people.habits;
        let chance = &mut self.agents_chance;
        let ring_out = habits.ring_out > 0.0 && chance.chance(habits.ring_out);
        let declines = habits.decline > 0.0 && chance.chance(habits.decline);
        let Some(span) = habits.ring.draw(chance) else { return };
        if !span.is_zero() {
            self.at(Duration::ZERO, Happening::Alerting(offer));
        }
        match (ring_out, declines) {
            (true, _) => {}
            (false, true) => self.at(span, Happening::Refuse(offer, Refusal::Declined)),
            (false, false) => self.at(span, Happening::Accept(offer)),
        }
    }

    pub(super) fn caller_line_ends(&mut self, call: u64) {
        let Some(caller) = self.callers.remove(&call) else { return };
        if let Some(agent) = caller.talks {
            self.ledger.talking.entry(agent).or_default().stop(self.now);
        }
    }

    pub(super) fn agent_line_ends(&mut self, leg: LegId) {
        let Some(offer) = self.lines.remove(&leg) else { return };
        let Some(ringing) = self.offers.remove(&offer) else { return };
        let Some(caller) = self.callers.get_mut(&ringing.call.0) else { return };
        if let Some(agent) = caller.talks.take_if(|agent| *agent == ringing.agent) {
            self.ledger.talking.entry(agent).or_default().stop(self.now);
        }
    }

    /// Agents notice what becomes of them.
    fn note(&mut self, at: Time, fact: &Fact) {
        let Fact::Agent { agent, from, to, .. } = fact else { return };
        match to {
            AgentState::NotReady(NotReadyReason::RingNoAnswer) => {
                if let Some(span) = self.people.habits.back.draw(&mut self.agents_chance) {
                    self.at(span, Happening::Agent(*agent, AgentDoes::GetReady));
                }
            }
            AgentState::WrapUp { until, .. } if !matches!(from, AgentState::WrapUp { .. }) => self.wrap_up(*agent, at, *until),
            _ => {}
        }
    }

    fn wrap_up(&mut self, agent: AgentId, from: Time, until: Time) {
        let law = self.people.habits.wrap_up;
        let Some(span) = law.draw(&mut self.agents_chance) else { return };
        let done = from + span;
        if done < until {
            self.agenda.add(self.now, done.max(self.now), Happening::Agent(agent, AgentDoes::EndWrapUp));
        } else if done > until {
            self.at(Duration::ZERO, Happening::Agent(agent, AgentDoes::ExtendWrapUp(done.since(until))));
        }
    }
}
