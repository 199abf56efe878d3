//! A make-believe outside: it knows which legs, offers and plays live, and objects to a command that names a dead one.

use careline::acd::command::RecordAction;
use careline::acd::{Command, Event, Placed, Purpose};
use careline::model::{AgentId, CallId, Destination, LegId, OfferId, PlayId};
use std::collections::{BTreeMap, BTreeSet};

/// The leg of the caller of a call: the core numbers its own from 1.
pub fn caller_leg(call: u64) -> LegId {
    LegId(1_000_000 + call)
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Party {
    Caller,
    Agent(AgentId, OfferId),
    /// The station that placed a call.
    Station(Option<AgentId>, Placed),
    /// Whom it reached.
    Far,
}

#[derive(Clone, Debug)]
pub struct Leg {
    pub call: CallId,
    pub party: Party,
    /// 200 was sent, or has come.
    pub established: bool,
    pub play: Option<PlayId>,
    pub music: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ring {
    Dialled,
    Accepted,
    /// The core has asked for the bridge.
    Joining,
    Joined,
}

#[derive(Clone, Copy, Debug)]
pub struct Offer {
    pub call: CallId,
    pub agent: AgentId,
    pub leg: LegId,
    pub ring: Ring,
}

#[derive(Clone, Default)]
pub struct Shell {
    pub legs: BTreeMap<LegId, Leg>,
    pub offers: BTreeMap<OfferId, Offer>,
    /// Legs to be answered: `LegEstablished` is due.
    pub answering: Vec<LegId>,
    /// Withdrawn offers: a late acceptance may still cross.
    pub crossed: Vec<OfferId>,
    /// Conversations that are written down; true while the agent holds.
    tapes: BTreeMap<CallId, bool>,
    used: BTreeSet<LegId>,
    late: Option<OfferId>,
    /// Ended by the event under way; a deadline that was due before it may still speak to them.
    ending: Vec<LegId>,
}

impl Shell {
    /// The leg by which an agent is on a call, if there is one.
    pub fn agent_leg(&self, agent: AgentId) -> Option<LegId> {
        let mut legs = self.legs.iter().filter(|(id, _)| !self.ending.contains(id));
        legs.find(|(_, leg)| matches!(leg.party, Party::Agent(a, _) if a == agent)).map(|(id, _)| *id)
    }

    /// The leg by which an agent placed a call, the newest first.
    pub fn station_leg(&self, agent: AgentId) -> Option<LegId> {
        let mut legs = self.legs.iter().rev().filter(|(id, _)| !self.ending.contains(id));
        legs.find(|(_, leg)| matches!(leg.party, Party::Station(own, _) if own == Some(agent))).map(|(id, _)| *id)
    }

    pub fn far_leg(&self, call: CallId) -> Option<LegId> {
        self.legs.iter().find(|(_, leg)| leg.call == call && leg.party == Party::Far).map(|(id, _)| *id)
    }

    pub fn caller_leg(&self, call: CallId) -> Option<LegId> {
        self.legs.iter().find(|(_, leg)| leg.call == call && leg.party == Party::Caller).map(|(id, _)| *id)
    }

    pub fn offer(&self, call: CallId, agent: AgentId) -> Option<OfferId> {
        self.offers.iter().find(|(_, offer)| offer.call == call && offer.agent == agent).map(|(id, _)| *id)
    }

    /// What the outside knows once it has told this. `overdue`: deadlines are applied before it, within the same call.
    pub fn tell(&mut self, event: &Event, overdue: bool) {
        self.late = None;
        match event {
            Event::CallArrived { call, leg, .. } => {
                assert!(self.used.insert(*leg), "the test gives a leg twice");
                self.legs.insert(*leg, Leg { call: *call, party: Party::Caller, established: false, play: None, music: false });
            }
            Event::CallPlaced { call, leg, agent, kind, .. } => {
                assert!(self.used.insert(*leg), "the test gives a leg twice");
                let established = *kind == Placed::InHouse;
                self.legs.insert(*leg, Leg { call: *call, party: Party::Station(*agent, *kind), established, play: None, music: false });
            }
            Event::LegEstablished { leg } => {
                self.answering.retain(|l| l != leg);
                if let Some(leg) = self.legs.get_mut(leg) {
                    leg.established = true;
                }
            }
            Event::LegEnded { leg, .. } => self.ending.push(*leg),
            Event::PlayDone { leg, play } => {
                if let Some(leg) = self.legs.get_mut(leg).filter(|leg| leg.play == Some(*play)) {
                    leg.play = None;
                }
            }
            Event::OfferAccepted { offer } => {
                if let Some(alive) = self.offers.get_mut(offer) {
                    alive.ring = Ring::Accepted;
                    let leg = alive.leg;
                    self.legs.get_mut(&leg).expect("an offer has its leg").established = true;
                }
                if overdue || !self.offers.contains_key(offer) {
                    self.late = Some(*offer);
                }
            }
            Event::OfferRefused { offer, .. } | Event::OfferFailed { offer } => {
                self.ending.extend(self.offers.get(offer).map(|gone| gone.leg))
            }
            Event::Bridged { offer } => {
                if let Some(alive) = self.offers.get_mut(offer) {
                    alive.ring = Ring::Joined;
                }
            }
            _ => {}
        }
        if !overdue {
            self.told();
        }
    }

    /// After the event and all its commands: what it ended is gone.
    pub fn told(&mut self) {
        for leg in std::mem::take(&mut self.ending) {
            self.end(leg);
        }
    }

    /// Carries out one command.
    pub fn obey(&mut self, command: &Command) {
        match command {
            Command::Answer { leg } => {
                assert!(!self.alive(*leg, command).established, "answered twice: {command:?}");
                self.answering.push(*leg);
            }
            Command::Play { leg, play, prompts } => {
                assert!(!prompts.is_empty(), "nothing to play: {command:?}");
                self.alive(*leg, command).play = Some(*play);
            }
            Command::StopPlay { leg, play } => {
                let leg = self.alive(*leg, command);
                if leg.play == Some(*play) {
                    leg.play = None;
                }
            }
            Command::StartTreatment { leg, .. } => self.alive(*leg, command).music = true,
            Command::StopTreatment { leg } => self.alive(*leg, command).music = false,
            Command::Dial { leg, call, target, purpose, .. } => self.dial(*leg, *call, target, *purpose),
            Command::Withdraw { offer, leg, .. } => match self.offers.get(offer) {
                Some(alive) => {
                    assert_eq!(alive.leg, *leg, "the offer's own leg: {command:?}");
                    self.crossed.push(*offer);
                    self.end(*leg);
                }
                None => assert_eq!(self.late, Some(*offer), "withdrawn without a living leg: {command:?}"),
            },
            Command::Hear { matrix, bridged, .. } => self.hear(matrix.keys().chain(matrix.values().flatten()), *bridged, command),
            Command::EndLeg { leg, .. } => {
                self.alive(*leg, command);
                self.end(*leg);
            }
            Command::Record { call, action } => self.tape(*call, *action),
            Command::CloseRecord(record) => assert!(!self.tapes.contains_key(&record.call), "still written down: {command:?}"),
            Command::Divert { leg, .. } | Command::Unreached { leg } => {
                self.alive(*leg, command);
            }
            _ => {}
        }
    }

    fn dial(&mut self, leg: LegId, call: CallId, target: &Destination, purpose: Purpose) {
        assert!(self.used.insert(leg), "{leg:?} was dialled before");
        if let (Destination::Number(_), Purpose::Placed(kind)) = (target, purpose) {
            let placed = self.legs.values().any(|own| own.call == call && matches!(own.party, Party::Station(_, of) if of == kind));
            assert!(placed && kind != Placed::InHouse, "dialled for nobody: {call}");
            self.legs.insert(leg, Leg { call, party: Party::Far, established: false, play: None, music: false });
            return;
        }
        let (Destination::Agent(agent), Purpose::Offer(offer)) = (target, purpose) else {
            panic!("only offers are dialled: {target:?} {purpose:?}")
        };
        assert!(self.agent_leg(*agent).is_none(), "agent {agent} is rung while in another call or offer");
        assert!(self.station_leg(*agent).is_none(), "agent {agent} is rung while in a call of their own");
        self.legs.insert(leg, Leg { call, party: Party::Agent(*agent, offer), established: false, play: None, music: false });
        let before = self.offers.insert(offer, Offer { call, agent: *agent, leg, ring: Ring::Dialled });
        assert!(before.is_none(), "offer {offer} was made before");
    }

    fn hear<'a>(&mut self, legs: impl Iterator<Item = &'a LegId>, bridged: Option<OfferId>, command: &Command) {
        for leg in legs {
            let leg = self.alive(*leg, command);
            assert!(leg.established && !leg.music, "heard before it is up, or with music: {command:?}");
        }
        if let Some(offer) = bridged {
            let alive = self.offers.get_mut(&offer).unwrap_or_else(|| panic!("no such offer: {command:?}"));
            assert_eq!(alive.ring, Ring::Accepted, "bridged before the agent accepted: {command:?}");
            alive.ring = Ring::Joining;
            let (call, winner) = (alive.call, offer);
            let others =
                self.offers.iter().filter(|(id, o)| **id != winner && o.call == call && o.ring != Ring::Dialled && o.ring != Ring::Joined);
            assert_eq!(others.count(), 0, "two agents answer the same call: {command:?}");
        }
    }

    fn tape(&mut self, call: CallId, action: RecordAction) {
        let before = match action {
            RecordAction::Stop => self.tapes.remove(&call).map(|_| action),
            RecordAction::Start => self.tapes.insert(call, false).is_none().then_some(action),
            RecordAction::Pause => self.tapes.insert(call, true).filter(|held| !held).map(|_| action),
            RecordAction::Resume => self.tapes.insert(call, false).filter(|held| *held).map(|_| action),
        };
        assert!(before.is_some(), "{action:?} of {call}: out of turn");
        let talking = self.legs.values().filter(|leg| leg.call == call && leg.established).count();
        assert!(action == RecordAction::Stop || talking == 2, "{action:?} of {call}: {talking} talk");
    }

    fn alive(&mut self, leg: LegId, command: &Command) -> &mut Leg {
        self.legs.get_mut(&leg).unwrap_or_else(|| panic!("the leg is gone: {command:?}"))
    }

    fn end(&mut self, leg: LegId) {
        self.answering.retain(|l| *l != leg);
        if let Some(Leg { party: Party::Agent(_, offer), .. }) = self.legs.remove(&leg) {
            self.offers.remove(&offer);
        }
    }
}
