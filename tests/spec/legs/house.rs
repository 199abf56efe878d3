//! One caller, two agents, the real core and real legs over modelled dialogs: the shell does what the live node's does.

use super::dialog::{Dialog, Move};
use crate::centre::Centre;
use crate::flows::Plan;
use careline::acd::{self, Acd, AgentState, CallRecord, Command, Event, LegEnd, Purpose, WithdrawWhy};
use careline::leg::machine::{self, Ending};
use careline::leg::negotiate::{self, Codec, Local};
use careline::leg::{Gone, Input, Leg, Order, Report};
use careline::model::{AgentId, CallId, Destination, LegId, OfferId, Phi, PlayId, Time};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const CALL: CallId = CallId(1);
const CALLER: LegId = LegId(1);
const AGENTS: [AgentId; 2] = [AgentId(1), AgentId(2)];

/// One thing that happens to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Caller(Move),
    /// To the leg of an agent that was dialled last.
    Agent(Move),
    /// To the one before, whose CANCEL may still be out.
    Earlier(Move),
    PlayDone(LegId),
    /// The sound of caller and agent is joined.
    Joined,
    /// Nothing, until the core's next deadline.
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Caller,
    Offer(OfferId, AgentId),
}

#[derive(Clone)]
struct Entry {
    machine: Leg,
    role: Role,
    /// `None` while the station still has an offer from before: its INVITE waits.
    dialog: Option<Dialog>,
    play: Option<PlayId>,
    joining: Option<OfferId>,
    sound: bool,
    /// Last words to the core.
    words: u32,
}

#[derive(Clone)]
pub struct House {
    now: Time,
    core: Acd,
    legs: BTreeMap<LegId, Entry>,
    events: VecDeque<Event>,
    records: Vec<CallRecord>,
}

impl House {
    /// Two agents are ready; a caller's INVITE has come and is answered.
    pub fn new() -> House {
        let mut centre = Centre::new();
        centre.set_queue("q", None, |queue| {
            queue.wrap_up = Duration::from_secs(5);
            queue.ring_timeout = Duration::from_secs(15);
        });
        let queue = centre.queue("q");
        let leads = (queue, centre.config.queues[&queue].needs.clone());
        let to = centre.number("+13125550100", "en", &Plan { queues: vec![leads], ..Plan::default() });
        for agent in AGENTS {
            centre.set_agent(agent.0, &["q", "english=5"]);
        }
        let mut house =
            House { now: Time(0), core: Acd::new(centre.config), legs: BTreeMap::new(), events: VecDeque::new(), records: Vec::new() };
        for agent in AGENTS {
            house.events.extend([Event::AgentLoggedIn { agent }, Event::AgentReady { agent }]);
        }
        house.settle();
        let offer = negotiate::offer(&local("127.0.0.2:4000"));
        let machine = Leg::invited(local("127.0.0.1:20000"), Some(&offer)).expect("an ordinary offer");
        house.insert(CALLER, machine, Role::Caller, Some(Dialog::incoming()));
        house.events.push_back(Event::CallArrived { call: CALL, leg: CALLER, from: Phi("+13125550123".to_string()), to });
        house.settle();
        house
    }

    fn insert(&mut self, leg: LegId, machine: Leg, role: Role, dialog: Option<Dialog>) {
        let before = self.legs.insert(leg, Entry { machine, role, dialog, play: None, joining: None, sound: true, words: 0 });
        assert!(before.is_none(), "leg {leg} exists twice");
    }

    /// The agents' legs, the newest first.
    fn stations(&self) -> Vec<LegId> {
        self.legs.iter().rev().filter(|(_, entry)| entry.role != Role::Caller).map(|(leg, _)| *leg).collect()
    }

    /// Everything that can happen now.
    pub fn steps(&self) -> Vec<Step> {
        let moves = |leg: Option<&LegId>| leg.and_then(|leg| self.legs[leg].dialog).map(|dialog| dialog.moves()).unwrap_or_default();
        let stations = self.stations();
        let mut steps: Vec<Step> = moves(self.legs.keys().find(|leg| **leg == CALLER)).into_iter().map(Step::Caller).collect();
        steps.extend(moves(stations.first()).into_iter().map(Step::Agent));
        steps.extend(moves(stations.get(1)).into_iter().map(Step::Earlier));
        for (leg, entry) in &self.legs {
            steps.extend(entry.play.map(|_| Step::PlayDone(*leg)));
            steps.extend(entry.joining.map(|_| Step::Joined));
        }
        steps.extend(self.core.next_deadline().filter(|_| !self.legs.is_empty()).map(|_| Step::Wait));
        steps
    }

    pub fn does(&mut self, step: Step) {
        let stations = self.stations();
        match step {
            Step::Caller(what) => self.happens(CALLER, what),
            Step::Agent(what) => self.happens(stations[0], what),
            Step::Earlier(what) => self.happens(stations[1], what),
            Step::PlayDone(leg) => {
                let play = self.legs.get_mut(&leg).and_then(|entry| entry.play.take()).expect("a play");
                self.events.push_back(Event::PlayDone { leg, play });
            }
            Step::Joined => {
                let offer = self.legs.values_mut().find_map(|entry| entry.joining.take()).expect("a bridge");
                self.events.push_back(Event::Bridged { offer });
            }
            Step::Wait => {
                self.now = self.now.max(self.core.next_deadline().expect("a deadline"));
                self.events.push_back(Event::DeadlineReached);
            }
        }
        self.settle();
        self.check();
    }

    fn happens(&mut self, leg: LegId, what: Move) {
        let input = self.legs.get_mut(&leg).and_then(|entry| entry.dialog.as_mut()).expect("a dialog").play(what);
        self.tell(leg, input);
    }

    // ── what the live node's switchboard does ──

    fn settle(&mut self) {
        while let Some(event) = self.events.pop_front() {
            let mut commands = Vec::new();
            self.core.handle(self.now, event, &mut commands);
            commands.into_iter().for_each(|command| self.obey(command));
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Answer { leg } => self.tell(leg, Input::Answer),
            Command::Play { leg, play, .. } => self.of(leg, |entry| entry.play = Some(play)),
            Command::StopPlay { leg, .. } => self.of(leg, |entry| entry.play = None),
            Command::Dial { leg, target: Destination::Agent(agent), purpose: Purpose::Offer(offer), .. } => self.dial(leg, agent, offer),
            Command::Withdraw { leg, why, .. } => {
                self.tell(leg, Input::End(Ending::Withdrawn { elsewhere: why == WithdrawWhy::AnsweredElsewhere }));
            }
            Command::Hear { bridged: Some(offer), .. } => {
                let leg =
                    self.legs.iter().find(|(_, entry)| matches!(entry.role, Role::Offer(own, _) if own == offer)).map(|(leg, _)| *leg);
                self.of(leg.expect("the offer has a leg"), |entry| entry.joining = Some(offer));
            }
            Command::EndLeg { leg, .. } => self.tell(leg, Input::End(Ending::Done { code: 480 })),
            Command::CloseRecord(record) => self.records.push(*record),
            Command::Dial { .. } => panic!("the core dials agents only"),
            _ => {}
        }
    }

    fn of(&mut self, leg: LegId, act: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.legs.get_mut(&leg) {
            act(entry);
        }
    }

    fn dial(&mut self, leg: LegId, agent: AgentId, offer: OfferId) {
        let engaged = self.legs.values().any(|entry| matches!(entry.role, Role::Offer(_, other) if other == agent));
        let machine = Leg::dialled(local("127.0.0.1:20002"), &mut Vec::new());
        self.insert(leg, machine, Role::Offer(offer, agent), (!engaged).then(Dialog::dialled));
    }

    fn tell(&mut self, leg: LegId, input: Input) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let asks_for_offer = matches!(input, Input::Reoffer { sdp: None });
        let mut orders = Vec::new();
        entry.machine.handle(input, &mut orders);
        if entry.dialog.is_none() && orders.iter().any(|order| matches!(order, Order::Cancel { .. })) {
            entry.machine.handle(Input::TimedOut, &mut orders);
        }
        for order in orders {
            if let Some(dialog) = &mut entry.dialog {
                dialog.obey(&order, false);
                if matches!(order, Order::AnswerReoffer { .. }) && asks_for_offer {
                    dialog.offers();
                }
            }
            match order {
                Order::CloseMedia => {
                    assert!(std::mem::take(&mut entry.sound), "the sound of {leg} ends twice");
                    (entry.play, entry.joining) = (None, None);
                }
                Order::Report(report) => {
                    entry.words += u32::from(matches!(report, Report::Ended(_) | Report::Refused(_)));
                    assert!(entry.words <= 1, "two last words of {leg}");
                    self.events.extend(core_event(leg, entry.role, report));
                }
                _ => {}
            }
        }
        if entry.machine.is_gone()
            && let Some(Entry { role, sound, dialog, .. }) = self.legs.remove(&leg)
        {
            assert!(!sound && dialog.is_none_or(|dialog| dialog.is_over()), "{leg} is gone and something of it goes on");
            let Role::Offer(_, agent) = role else { return };
            // Whoever was held back rings now.
            let waiting =
                self.legs.values_mut().find(|entry| entry.dialog.is_none() && matches!(entry.role, Role::Offer(_, own) if own == agent));
            if let Some(waiting) = waiting {
                waiting.dialog = Some(Dialog::dialled());
            }
        }
    }

    // ── what must hold ──

    fn check(&self) {
        assert!(self.core.violations().is_empty(), "the core's own rules: {:?}", self.core.violations());
        if let Some(caller) = self.legs.get(&CALLER) {
            let there = caller.dialog.is_some_and(|dialog| !dialog.is_over());
            assert_eq!(there, self.core.knows(CALLER), "a caller who is there is known, and one who is not is not");
        }
        for agent in AGENTS {
            let with = |offer| self.legs.values().any(|entry| entry.role == Role::Offer(offer, agent) && !entry.machine.is_gone());
            match self.core.agent_state(agent).expect("an agent of ours") {
                AgentState::Offered(offer) | AgentState::Connecting(offer) => assert!(with(offer), "agent {agent} is stuck in an offer"),
                AgentState::Talking(_) => {
                    let legs = self.legs.values().filter(|entry| matches!(entry.role, Role::Offer(_, own) if own == agent) && entry.sound);
                    assert_eq!(legs.count(), 1, "agent {agent} talks over one leg");
                }
                _ => {}
            }
        }
        assert!(self.records.len() <= 1, "a call is written down once");
    }

    /// Everybody hangs up, what is under way comes to its end, and time passes: then nothing is left, and the call is one record.
    pub fn finish(mut self) {
        for round in 0..64 {
            let cancelling =
                self.legs.iter().find(|(_, entry)| entry.dialog.is_some_and(|dialog| dialog.is_cancelling())).map(|(leg, _)| *leg);
            let caller = self.legs.get(&CALLER).and_then(|entry| entry.dialog).filter(|dialog| !dialog.is_over());
            if let Some(leg) = cancelling {
                self.happens(leg, if round % 2 == 0 { Move::LateAnswer } else { Move::Refuse(487) });
            } else if let Some(dialog) = caller {
                let leave = dialog.moves().into_iter().find(|step| matches!(step, Move::Bye | Move::Cancel));
                self.happens(CALLER, leave.expect("a caller can always leave"));
            } else if self.core.next_deadline().is_some() && self.core.calls_alive() > 0 {
                self.now = self.now.max(self.core.next_deadline().expect("just seen"));
                self.events.push_back(Event::DeadlineReached);
            } else {
                break;
            }
            self.settle();
            self.check();
        }
        let left: Vec<LegId> = self.legs.iter().filter(|(_, entry)| !entry.machine.is_gone()).map(|(leg, _)| *leg).collect();
        assert_eq!((left, self.core.calls_alive(), self.records.len()), (vec![], 0, 1), "nothing is left, and one record");
        for agent in AGENTS {
            let state = self.core.agent_state(agent);
            assert!(matches!(state, Some(AgentState::Ready | AgentState::NotReady(_))), "agent {agent} is stuck: {state:?}");
        }
    }
}

fn local(address: &str) -> Local {
    Local { address: address.parse().expect("an address"), session: 1, version: 1, codecs: vec![Codec::Pcmu] }
}

/// A leg's report in the core's words.
fn core_event(leg: LegId, role: Role, report: Report) -> Option<Event> {
    Some(match (report, role) {
        (Report::Alerting, Role::Offer(offer, _)) => Event::OfferAlerting { offer },
        (Report::Established, Role::Offer(offer, _)) => Event::OfferAccepted { offer },
        (Report::Refused(why), Role::Offer(offer, _)) => Event::OfferRefused { offer, refusal: core_refusal(why) },
        (Report::Established, Role::Caller) => Event::LegEstablished { leg },
        (Report::Ended(Gone::HungUp), _) => Event::LegEnded { leg, cause: LegEnd::HungUp },
        (Report::Ended(Gone::Lost), _) => Event::LegEnded { leg, cause: LegEnd::Lost },
        (Report::Held(held), _) => Event::LegHeld { leg, held },
        (Report::Alerting | Report::Refused(_), Role::Caller) | (Report::Audible, _) => return None,
    })
}

fn core_refusal(why: machine::Refusal) -> acd::Refusal {
    match why {
        machine::Refusal::Declined => acd::Refusal::Declined,
        machine::Refusal::NoAnswer => acd::Refusal::NoAnswer,
        machine::Refusal::Busy => acd::Refusal::Busy,
        machine::Refusal::Unreachable => acd::Refusal::Unreachable,
    }
}
