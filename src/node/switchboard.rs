//! The switchboard: what a dialog, the media or the core says, passed on to whom it concerns. One thread owns all of it; one arm a
//! command, one arm a report.

use super::clock::Clock;
use super::legs::{Entry, Legs, Role};
use super::sinks::Sinks;
use crate::acd::{self, Acd, AgentState, Command, Config, EndWhy, Event, LegEnd, Purpose, WithdrawWhy};
use crate::leg::negotiate::{Codec, Local};
use crate::leg::{Ending, Gone, Input, Leg, Order, Report};
use crate::media::{self, Media};
use crate::metrics::Edges;
use crate::model::{AgentId, CallId, Destination, LegId, OfferId, Phi, QueueId, Time};
use crate::sip::{self, DialogId, Endpoint, Output};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An INVITE that waits for its station to be free of the offer before.
struct HeldBack {
    agent: AgentId,
    offer: OfferId,
    leg: LegId,
    sdp: String,
    show: acd::command::Show,
}

pub struct Switchboard {
    pub clock: Clock,
    pub core: Acd,
    pub endpoint: Endpoint,
    pub media: Media,
    pub sinks: Sinks,
    /// Makes an agent ready when their station logs them in.
    pub ready_on_register: bool,
    /// No new calls: the node is stopping.
    pub draining: bool,
    legs: Legs,
    held_back: Vec<HeldBack>,
    /// Queues by name, for their music.
    queues: BTreeMap<QueueId, Arc<str>>,
    next_call: u64,
    next_leg: u64,
    events: VecDeque<Event>,
    outputs: Vec<Output>,
    commands: Vec<Command>,
    orders: Vec<Order>,
    /// When media was last found wanting.
    shortage: Option<Instant>,
    /// When the event that is being worked on reached us; for `dispatch_seconds`.
    received: Instant,
}

impl Switchboard {
    pub fn new(config: Config, endpoint: Endpoint, media: Media, sinks: Sinks, ready_on_register: bool) -> Switchboard {
        let clock = Clock::start();
        let queues = config.queues.iter().map(|(id, queue)| (*id, queue.name.clone())).collect();
        Switchboard {
            queues,
            next_call: sinks.next_call(),
            // The core numbers the legs that it dials from 1; callers' legs count on from the wall clock.
            next_leg: clock.now().0,
            clock,
            core: Acd::new(config),
            endpoint,
            media,
            sinks,
            ready_on_register,
            draining: false,
            legs: Legs::default(),
            held_back: Vec::new(),
            events: VecDeque::new(),
            outputs: Vec::new(),
            commands: Vec::new(),
            orders: Vec::new(),
            shortage: None,
            received: Instant::now(),
        }
    }

    // ── what comes in ──

    pub fn datagram(&mut self, flow: sip::Flow, bytes: &[u8], send: &mut impl FnMut(sip::Flow, &[u8])) {
        self.received = Instant::now();
        let mut outputs = std::mem::take(&mut self.outputs);
        self.endpoint.handle_message(self.clock.now(), flow, bytes, &mut outputs);
        self.outputs = outputs;
        self.settle(send);
    }

    pub fn event(&mut self, event: Event, send: &mut impl FnMut(sip::Flow, &[u8])) {
        self.received = Instant::now();
        self.events.push_back(event);
        self.settle(send);
    }

    pub fn heard(&mut self, event: media::Event, send: &mut impl FnMut(sip::Flow, &[u8])) {
        self.received = Instant::now();
        match event {
            media::Event::PlayDone { leg, play } => self.events.push_back(Event::PlayDone { leg, play }),
            media::Event::Key { leg, key } => self.events.push_back(Event::DigitsEntered { leg, digits: Phi(key.to_string()) }),
            media::Event::Joined { offer } => self.events.push_back(Event::Bridged { offer }),
            media::Event::Closed { stats, .. } => self.sinks.media_closed(&stats),
            media::Event::Silent { leg } => tracing::info!(%leg, "silent for ten seconds"),
        }
        self.settle(send);
    }

    /// Fires whatever is due; true if anything was.
    pub fn tick(&mut self, send: &mut impl FnMut(sip::Flow, &[u8])) -> bool {
        let now = self.clock.now();
        let due = self.next_wake().is_some_and(|at| at <= now);
        self.received = Instant::now();
        if self.endpoint.next_timer().is_some_and(|at| at <= now) {
            let mut outputs = std::mem::take(&mut self.outputs);
            self.endpoint.handle_timer(now, &mut outputs);
            self.outputs = outputs;
        }
        if self.core.next_deadline().is_some_and(|at| at <= now) {
            self.events.push_back(Event::DeadlineReached);
        }
        self.settle(send);
        due
    }

    /// When [`Switchboard::tick`] must be called if nothing comes in.
    pub fn next_wake(&self) -> Option<Time> {
        [self.endpoint.next_timer(), self.core.next_deadline()].into_iter().flatten().min()
    }

    /// What the edges hold, for the metrics.
    pub fn edges(&self, inbox: usize) -> Edges {
        let records = self.sinks.status();
        let guards = self.endpoint.counts();
        Edges {
            core_inbox: inbox as u64,
            sip_transactions: self.endpoint.transactions() as u64,
            registrations: self.endpoint.registered() as u64,
            media_sessions: self.media.sessions() as u64,
            records_written: records.written,
            records_doubled: records.doubled,
            records_spooled: records.spooled,
            records_lost: records.lost,
            sip_requests: self
                .endpoint
                .requests()
                .map(|(method, class, transport, count)| (method, class, transport.label(), count))
                .collect(),
            sip_guards: [guards.forbidden, guards.challenged, guards.malformed, guards.overloaded, guards.timeouts, guards.retransmitted],
            rtp_received: self.media.totals().received(),
            rtp_sent: self.media.totals().sent(),
        }
    }

    /// Holds the core's state against its own rules: a broken one is an incident, and tells nobody's number.
    pub fn check(&self) {
        for (rule, what) in self.core.violations() {
            tracing::error!(rule, what, "an invariant is violated");
            self.sinks.violated(rule);
        }
    }

    /// Waits until every record is written.
    pub fn finish(self) {
        self.sinks.finish();
    }

    /// Ends every call: the node stops. The core hears that each caller was lost and lets everybody else go; after-call work ends now,
    /// so that every call has its record. True if there was anybody.
    pub fn end_all(&mut self, send: &mut impl FnMut(sip::Flow, &[u8])) -> bool {
        self.draining = true;
        let callers = self.legs.callers();
        for leg in &callers {
            self.tell(*leg, Input::End(Ending::Done { code: 503 }));
            self.events.push_back(Event::LegEnded { leg: *leg, cause: LegEnd::Lost });
        }
        self.settle(send);
        let agents: Vec<AgentId> = self.core.config().agents.keys().copied().collect();
        for agent in agents {
            if matches!(self.core.agent_state(agent), Some(AgentState::WrapUp { .. })) {
                self.events.push_back(Event::WrapUpDone { agent, code: None });
            }
        }
        self.settle(send);
        !callers.is_empty()
    }

    // ── the loop within ──

    fn settle(&mut self, send: &mut impl FnMut(sip::Flow, &[u8])) {
        loop {
            for output in std::mem::take(&mut self.outputs) {
                match output {
                    Output::Send { flow, bytes } => send(flow, &bytes),
                    Output::Close { .. } => {}
                    Output::Report(report) => self.reported(report),
                }
            }
            match self.events.pop_front() {
                Some(event) => self.apply(event),
                None if self.outputs.is_empty() => return,
                None => {}
            }
        }
    }

    fn apply(&mut self, event: Event) {
        let mut commands = std::mem::take(&mut self.commands);
        let name = event.name();
        let begun = Instant::now();
        self.core.handle(self.clock.now(), event, &mut commands);
        self.sinks.handled(name, begun.elapsed());
        for command in commands.drain(..) {
            self.obey(command);
        }
        self.commands = commands;
    }

    // ── the core's commands ──

    fn obey(&mut self, command: Command) {
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
            Command::Hear { call, matrix, bridged } => self.media.hear(call, matrix, bridged),
            Command::EndLeg { leg, why } => self.tell(leg, Input::End(Ending::Done { code: refusal_code(why) })),
            Command::CloseRecord(record) => self.sinks.close(&record),
            Command::Note { fact, .. } => self.sinks.note(&fact),
            // Asked for by no flow and no queue that `config` lets through.
            Command::Lookup { .. } | Command::Record { .. } | Command::Divert { .. } => {
                unreachable!("the configuration offers no lookup, recording or diversion")
            }
        }
    }

    /// The queue's own music if there is a track of its name, else the house's.
    fn music(&mut self, leg: LegId, queue: QueueId) {
        self.media.start_music(leg, self.queues.get(&queue).map_or("", |name| name));
    }

    fn dial(&mut self, leg: LegId, call: CallId, target: &Destination, purpose: Purpose, show: &acd::command::Show) {
        let (Purpose::Offer(offer), &Destination::Agent(agent)) = (purpose, target) else {
            unreachable!("the core dials agents only");
        };
        let Some(address) = self.open(call, leg) else {
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

    fn invite(&mut self, leg: LegId, agent: AgentId, offer: OfferId, sdp: String, show: &acd::command::Show) {
        let language = show.language.as_str().to_ascii_uppercase();
        let invite = sip::Invite {
            user: agent.to_string(),
            caller_name: show.queue.as_ref().map_or_else(|| language.clone(), |queue| format!("{queue} · {language}")),
            from_user: "careline".to_string(),
            sdp: Some(sdp.into_bytes()),
            ..sip::Invite::default()
        };
        match self.endpoint.invite(self.clock.now(), invite, &mut self.outputs) {
            Ok(dialog) => self.legs.set_dialog(leg, dialog),
            Err(sip::NotReachable) if self.endpoint.is_registered(&agent.to_string()) => {
                // The stack is full.
                self.tell(leg, Input::End(Ending::Withdrawn { elsewhere: false }));
                self.events.push_back(Event::OfferFailed { offer });
            }
            Err(sip::NotReachable) => self.tell(leg, Input::TimedOut),
        }
    }

    // ── a leg's orders ──

    fn tell(&mut self, leg: LegId, input: Input) {
        let Some(entry) = self.legs.get_mut(leg) else { return };
        let mut orders = Vec::new();
        entry.machine.handle(input, &mut orders);
        if entry.dialog.is_none() && orders.iter().any(|order| matches!(order, Order::Cancel { .. })) {
            // Withdrawn before its INVITE was sent: there is nobody whose last word to wait for.
            self.held_back.retain(|held| held.leg != leg);
            entry.machine.handle(Input::TimedOut, &mut orders);
        }
        for order in orders {
            self.carry_out(leg, order);
        }
        if self.legs.get(leg).is_some_and(|entry| entry.machine.is_gone())
            && let Some(Role::Offer(_, agent)) = self.legs.remove(leg)
        {
            self.let_go(agent);
        }
    }

    /// The station is free: whoever was held back rings it.
    fn let_go(&mut self, agent: AgentId) {
        if let Some(at) = self.held_back.iter().position(|held| held.agent == agent) {
            let HeldBack { offer, leg, sdp, show, .. } = self.held_back.remove(at);
            self.invite(leg, agent, offer, sdp, &show);
        }
    }

    fn carry_out(&mut self, leg: LegId, order: Order) {
        let Some(entry) = self.legs.get(leg) else { return };
        let (now, dialog, role) = (self.clock.now(), entry.dialog, entry.role);
        let out = &mut self.outputs;
        match (order, dialog) {
            (Order::Negotiate(agreed), _) => self.media.negotiate(leg, agreed),
            (Order::CloseMedia, _) => self.media.close(leg),
            (Order::Report(report), _) => self.events.extend(core_event(leg, role, report)),
            (Order::Accept { sdp }, Some(dialog)) => self.endpoint.accept(now, dialog, sdp.as_bytes(), out),
            (Order::Reject { code }, Some(dialog)) => self.endpoint.reject(now, dialog, code, out),
            (Order::Cancel { elsewhere }, Some(dialog)) => {
                self.endpoint.cancel(now, dialog, elsewhere.then_some(sip::Reason::CompletedElsewhere), out);
            }
            (Order::Bye, Some(dialog)) => self.endpoint.bye(now, dialog, out),
            (Order::AnswerReoffer { sdp }, Some(dialog)) => self.endpoint.answer_reoffer(now, dialog, sdp.as_bytes(), out),
            (Order::RejectReoffer { code }, Some(dialog)) => self.endpoint.reject_reoffer(now, dialog, code, out),
            (Order::Invite { .. }, _) => unreachable!("an INVITE is sent once, by dial"),
            (_, None) => {}
        }
    }

    // ── what the dialogs report ──

    fn reported(&mut self, report: sip::Report) {
        use sip::Report as R;
        match report {
            R::Incoming { dialog, from, to, sdp, .. } => self.incoming(dialog, from, to, sdp),
            R::Cancelled { dialog } => self.dialog(dialog, Input::Cancelled),
            R::Acked { dialog, sdp } => self.dialog(dialog, Input::Acked { sdp: text(sdp) }),
            R::Alerting { dialog, .. } => self.dialog(dialog, Input::Alerting),
            R::Established { dialog, sdp } => self.dialog(dialog, Input::Established { sdp: text(sdp) }),
            R::Refused { dialog, code } => self.dialog(dialog, Input::Refused { code }),
            R::Timeout { dialog } => self.dialog(dialog, Input::TimedOut),
            R::LateAnswer { dialog } => self.dialog(dialog, Input::LateAnswer),
            R::Reoffer { dialog, sdp } => self.dialog(dialog, Input::Reoffer { sdp: text(sdp) }),
            R::Ended { dialog, lost } => self.dialog(dialog, Input::Ended { lost }),
            // We send no re-INVITE of our own.
            R::ReofferAnswered { .. } | R::ReofferRefused { .. } | R::Glare { .. } => {}
            R::Digit { dialog, key } => {
                if let Some(leg) = self.legs.of_dialog(dialog) {
                    self.events.push_back(Event::DigitsEntered { leg, digits: Phi(key.0.to_string()) });
                }
            }
            R::Registered { user, fresh, .. } => self.registered(&user, fresh),
            R::Unregistered { user } => {
                if let Some(agent) = self.agent(&user) {
                    self.events.push_back(Event::StationLost { agent });
                }
            }
        }
    }

    fn dialog(&mut self, dialog: DialogId, input: Input) {
        if let Some(leg) = self.legs.of_dialog(dialog) {
            self.tell(leg, input);
        }
    }

    fn incoming(&mut self, dialog: DialogId, from: Phi<String>, to: String, sdp: Option<Vec<u8>>) {
        let now = self.clock.now();
        let (call, leg) = (CallId(mint(&mut self.next_call)), LegId(mint(&mut self.next_leg)));
        let Some(address) = self.open(call, leg).filter(|_| !self.draining) else {
            self.media.close(leg);
            self.endpoint.reject(now, dialog, 503, &mut self.outputs);
            return;
        };
        match Leg::invited(local(leg, address), text(sdp).as_deref()) {
            Ok(machine) => {
                self.legs.insert(leg, Entry { machine, role: Role::Caller, dialog: Some(dialog) });
                self.events.push_back(Event::CallArrived { call, leg, from, to: Phi(to) });
            }
            Err(order) => {
                let Order::Reject { code } = order else { unreachable!("a leg that cannot be is rejected") };
                self.media.close(leg);
                self.endpoint.reject(now, dialog, code, &mut self.outputs);
            }
        }
    }

    /// A leg's media, or a line for the person on call why there is none: at most one a second, whoever calls.
    fn open(&mut self, call: CallId, leg: LegId) -> Option<SocketAddr> {
        match self.media.open(call, leg) {
            Ok(address) => Some(address),
            Err(error) => {
                if self.shortage.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) {
                    self.shortage = Some(Instant::now());
                    tracing::error!(%call, %error, "a call or an offer without media");
                }
                None
            }
        }
    }

    /// A station that registers anew logs its owner in; one that was lost is found by any registration. An agent who logged out stays
    /// so while the telephone only keeps its registration alive.
    fn registered(&mut self, user: &str, fresh: bool) {
        let Some(agent) = self.agent(user) else { return };
        if !self.core.is_reachable(agent) {
            self.events.push_back(Event::StationFound { agent });
        }
        if fresh && self.core.agent_state(agent) == Some(AgentState::LoggedOut) {
            self.events.push_back(Event::AgentLoggedIn { agent });
            if self.ready_on_register {
                self.events.push_back(Event::AgentReady { agent });
            }
        }
    }

    fn agent(&self, user: &str) -> Option<AgentId> {
        let agent = AgentId(user.parse().ok()?);
        self.core.agent_state(agent).map(|_| agent)
    }
}

fn mint(next: &mut u64) -> u64 {
    *next += 1;
    *next - 1
}

fn text(sdp: Option<Vec<u8>>) -> Option<String> {
    sdp.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The response to a caller whom we do not take.
fn refusal_code(why: EndWhy) -> u16 {
    match why {
        EndWhy::Done => 480,
        EndWhy::NotFound => 404,
        EndWhy::Full => 503,
        EndWhy::Failed => 500,
    }
}

/// Where a leg's sound is received.
fn local(leg: LegId, address: SocketAddr) -> Local {
    Local { address, session: leg.0, version: 1, codecs: vec![Codec::Pcmu, Codec::Pcma] }
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
        (Report::Alerting | Report::Refused(_), Role::Caller) => return None,
    })
}

fn core_refusal(why: crate::leg::Refusal) -> acd::Refusal {
    match why {
        crate::leg::Refusal::Declined => acd::Refusal::Declined,
        crate::leg::Refusal::NoAnswer => acd::Refusal::NoAnswer,
        crate::leg::Refusal::Busy => acd::Refusal::Busy,
        crate::leg::Refusal::Unreachable => acd::Refusal::Unreachable,
    }
}
