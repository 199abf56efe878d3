//! What the core asks for: one arm a command.

use super::{HeldBack, Switchboard, local};
use crate::acd::command::{RecordAction, Show};
use crate::acd::{Command, EndWhy, Event, Purpose, WithdrawWhy};
use crate::leg::{Ending, Input, Leg, Order};
use crate::model::{AgentId, CallId, Destination, Hearing, LegId, OfferId, QueueId};
use crate::node::legs::{Entry, Role};
use crate::node::sound;
use crate::sip;

impl Switchboard {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Answer { leg } => self.tell(leg, Input::Answer),
            Command::Play { leg, play, prompts } => self.media.play(leg, play, prompts),
            Command::StopPlay { leg, play } => self.media.stop_play(leg, play),
            Command::StartTreatment { leg, queue } => self.music(leg, queue),
            Command::StopTreatment { leg } => self.media.stop_music(leg),
            Command::Dial { leg, call, target, purpose, show } => self.dial(leg, call, &target, purpose, &show),
            Command::Withdraw { leg, why, .. } => {
                self.tell(leg, Input::End(Ending::Withdrawn { elsewhere: why == WithdrawWhy::AnsweredElsewhere }));
            }
            Command::Hear { call, matrix, bridged } => self.hear(call, matrix, bridged),
            Command::EndLeg { leg, why } => self.tell(leg, Input::End(Ending::Done { code: refusal_code(why) })),
            Command::Unreached { leg } => self.say_no_emergency(leg),
            Command::CloseRecord(record) => {
                let ready = self.sound.record(record);
                self.write(ready);
            }
            Command::Record { call, action } => self.record(call, action),
            Command::Note { fact, .. } => self.sinks.note(&fact),
            // Asked for by no flow and no queue that `config` lets through.
            Command::Lookup { .. } | Command::Divert { .. } => {
                unreachable!("the configuration offers no lookup and no diversion")
            }
        }
    }

    fn hear(&mut self, call: CallId, matrix: Hearing, bridged: Option<OfferId>) {
        match sound::pair(&matrix, |leg| self.legs.get(leg).is_some_and(|entry| entry.role == Role::Caller)) {
            Some(pair) => self.pairs.insert(call, pair),
            None => self.pairs.remove(&call),
        };
        self.media.hear(call, matrix, bridged);
    }

    fn record(&mut self, call: CallId, action: RecordAction) {
        match (action, self.pairs.get(&call)) {
            (RecordAction::Start, Some(pair)) => self.media.record(call, *pair, self.sound.begin(call, self.clock.now())),
            (RecordAction::Start, None) => tracing::error!(%call, "nobody to record"),
            (RecordAction::Pause | RecordAction::Resume, _) => self.media.pause_recording(call, action == RecordAction::Pause),
            (RecordAction::Stop, _) => self.media.stop_recording(call),
        }
    }

    /// The queue's own music if there is a track of its name, else the house's.
    fn music(&mut self, leg: LegId, queue: QueueId) {
        self.media.start_music(leg, self.queues.get(&queue).map_or("", |name| name));
    }

    fn dial(&mut self, leg: LegId, call: CallId, target: &Destination, purpose: Purpose, show: &Show) {
        let (Purpose::Offer(offer), &Destination::Agent(agent)) = (purpose, target) else {
            return self.dial_out(leg, call, target, purpose);
        };
        let station = self.endpoint.station(&self.core.station_of(agent).to_string());
        let Some(address) = self.open(call, leg, station) else {
            // Our shortage, not the agent's fault.
            self.events.push_back(Event::OfferFailed { offer });
            return;
        };
        let engaged = self.legs.engages(agent);
        let mut orders = std::mem::take(&mut self.orders);
        let machine = Leg::dialled(local(leg, address), &mut orders);
        self.legs.insert(leg, Entry { machine, role: Role::Offer(offer, agent), dialog: None });
        for order in orders.drain(..) {
            match order {
                // The CANCEL of a withdrawn offer waits for the station's first response (RFC 3261 §9.1): an INVITE that overtook it
                // would ring an agent who still has a call.
                Order::Invite { sdp } if engaged => self.held_back.push(HeldBack { agent, offer, leg, sdp, show: show.clone() }),
                Order::Invite { sdp } => self.invite(leg, agent, offer, sdp, show),
                other => self.carry_out(leg, other),
            }
        }
        self.orders = orders;
        self.sinks.dispatched(self.received.elapsed());
    }

    pub(super) fn invite(&mut self, leg: LegId, agent: AgentId, offer: OfferId, sdp: String, show: &Show) {
        let language = show.language.as_str().to_ascii_uppercase();
        let station = self.core.station_of(agent).to_string();
        let invite = sip::Invite {
            caller_name: show.queue.as_ref().map_or_else(|| language.clone(), |queue| format!("{} · {language}", capitalised(queue))),
            from_user: "careline".to_string(),
            sdp: Some(sdp.into_bytes()),
            ..sip::Invite::to(sip::Target::Station(station.clone()))
        };
        match self.endpoint.invite(self.clock.now(), invite, &mut self.outputs) {
            Ok(dialog) => self.legs.set_dialog(leg, dialog),
            Err(sip::NotReachable) if self.endpoint.is_registered(&station) => {
                // The stack is full.
                self.tell(leg, Input::End(Ending::Withdrawn { elsewhere: false }));
                self.events.push_back(Event::OfferFailed { offer });
            }
            Err(sip::NotReachable) => self.tell(leg, Input::TimedOut),
        }
    }
}

/// `billing` as a screen shows it: `Billing`.
fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// The response to a caller whom we do not take.
fn refusal_code(why: EndWhy) -> u16 {
    match why {
        EndWhy::Done => 480,
        EndWhy::NotFound => 404,
        EndWhy::Full => 503,
        EndWhy::Failed => 500,
        EndWhy::Busy => 486,
        EndWhy::Forbidden => 403,
        EndWhy::NotReached => 480,
    }
}
