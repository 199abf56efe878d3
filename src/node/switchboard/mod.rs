//! The switchboard: what a dialog, the media or the core says, passed on to whom it concerns. One thread owns all of it; one arm a
//! command, one arm a report.

mod commands;
mod fault;
mod orders;
mod reports;

use super::clock::Clock;
use super::codes::Codes;
use super::headroom::Headroom;
use super::journal::{Book, registration};
use super::legs::Legs;
use super::pins::Pins;
use super::recover::Start;
use super::settings;
use super::sinks::Sinks;
use super::sound::{self, Sound};
use crate::acd::{self, Acd, AgentState, Command, Event, LegEnd};
use crate::config::Loaded;
use crate::config::outward::Outward;
use crate::leg::code::Plan;
use crate::leg::negotiate::{Codec, Local};
use crate::leg::{Ending, Input, Order};
use crate::media::{self, Library, Media};
use crate::metrics::Edges;
use crate::model::{AgentId, CallId, LegId, OfferId, Phi, QueueId, Time};
use crate::sip::{self, Endpoint, Output};
use crate::store::Recorder;
use crate::store::journal::Invited;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// An INVITE that waits for its station to be free of the offer before.
struct HeldBack {
    agent: AgentId,
    offer: OfferId,
    leg: LegId,
    sdp: String,
    show: acd::command::Show,
}

/// What is known of the people who work here, beside what the core knows.
pub struct People {
    pub ready_on_register: bool,
    pub pins: Pins,
    pub codes: Plan,
    pub outward: Outward,
    pub headroom: Headroom,
}

pub struct Switchboard {
    pub clock: Clock,
    pub core: Acd,
    pub endpoint: Endpoint,
    pub media: Media,
    pub sinks: Sinks,
    pub book: Book,
    sound: Sound,
    /// Who talks with whom, the caller first.
    pairs: BTreeMap<CallId, [LegId; 2]>,
    /// Makes an agent ready when their station logs them in.
    pub ready_on_register: bool,
    /// No new calls: the node is stopping.
    pub draining: bool,
    headroom: Headroom,
    /// Calls that had no room for their sound.
    refused: u64,
    pub(super) legs: Legs,
    held_back: Vec<HeldBack>,
    pub(super) codes: Codes,
    pub(super) outward: Outward,
    /// Emergency calls that stations place: by the station's leg, the call and the station.
    pub(super) emergencies: BTreeMap<LegId, (CallId, AgentId)>,
    /// All of them since the start.
    pub(super) calls_for_help: u64,
    /// What stations dialled and no rule lets out.
    pub(super) forbidden: u64,
    /// Queues by name, for their music.
    queues: BTreeMap<QueueId, Arc<str>>,
    /// When the core failed lately.
    faults: Vec<Instant>,
    next_call: u64,
    next_leg: u64,
    pub(super) events: VecDeque<Event>,
    pub(super) outputs: Vec<Output>,
    /// Connections that the endpoint is done with, for whoever owns the sockets.
    pub closing: Vec<sip::Flow>,
    commands: Vec<Command>,
    orders: Vec<Order>,
    /// When media was last found wanting.
    shortage: Option<Instant>,
    /// When the event that is being worked on reached us; for `dispatch_seconds`.
    received: Instant,
}

impl Switchboard {
    /// Takes up what was left behind: stations that registered before can be rung at once.
    pub fn new(start: Start, mut endpoint: Endpoint, media: Media, sinks: Sinks, recorder: Recorder, people: People) -> Switchboard {
        let Start { core, clock, next_call, contacts, sounds, invited, mut book } = start;
        for (user, contacts) in contacts {
            let registered: Vec<_> = contacts.into_iter().filter_map(|contact| registration(contact, endpoint.locals())).collect();
            for registration in registered {
                endpoint.restore(clock.now(), &user, registration);
            }
        }
        for Invited { at, call_id, from_tag, cseq } in invited {
            endpoint.left_behind(&sip::Origin { call_id, from_tag, cseq }, at);
        }
        // Whatever comes before the first event (a station that registers again, say) has a file to be written to.
        book.turn(&core, &endpoint, next_call, || true);
        let queues = core.config().queues.iter().map(|(id, queue)| (*id, queue.name.clone())).collect();
        Switchboard {
            queues,
            next_call,
            // The core numbers the legs that it dials from 1; callers' legs count on from the wall clock.
            next_leg: clock.now().0,
            clock,
            core,
            endpoint,
            media,
            sinks,
            book,
            faults: Vec::new(),
            sound: Sound::new(recorder, sounds),
            pairs: BTreeMap::new(),
            ready_on_register: people.ready_on_register,
            headroom: people.headroom,
            draining: false,
            refused: 0,
            legs: Legs::default(),
            held_back: Vec::new(),
            codes: Codes::new(people.pins, people.codes),
            outward: people.outward,
            emergencies: BTreeMap::new(),
            calls_for_help: 0,
            forbidden: 0,
            events: VecDeque::new(),
            outputs: Vec::new(),
            closing: Vec::new(),
            commands: Vec::new(),
            orders: Vec::new(),
            shortage: None,
            received: Instant::now(),
        }
    }

    /// Takes another configuration: sounds and doors first, so that whatever the core now does has them.
    pub fn reconfigure(
        &mut self,
        loaded: &Loaded,
        sip: sip::Settings,
        library: Option<Arc<Library>>,
        send: &mut impl FnMut(sip::Flow, &[u8]),
    ) {
        if let Some(library) = library {
            self.media.set_library(library);
        }
        self.endpoint.reconfigure(sip, &mut self.outputs);
        self.settle(send);
        self.ready_on_register = settings::ready_on_register(&loaded.server);
        self.codes.pins.set(settings::pins(&loaded.server));
        self.codes.plan = loaded.server.codes.clone();
        self.outward = loaded.server.outward.clone();
        self.queues.extend(loaded.centre.queues.iter().map(|(id, queue)| (*id, queue.name.clone())));
        self.sinks.rename(&loaded.centre);
        self.book.configured(loaded.at, Some(loaded.sources.clone()));
        self.event(Event::ConfigChanged(Box::new(loaded.centre.clone())), send);
    }

    // ── what comes in ──

    pub fn message(&mut self, flow: sip::Flow, bytes: &[u8], send: &mut impl FnMut(sip::Flow, &[u8])) {
        self.received = Instant::now();
        let mut outputs = std::mem::take(&mut self.outputs);
        self.endpoint.handle_message(self.clock.now(), flow, bytes, &mut outputs);
        self.outputs = outputs;
        self.settle(send);
    }

    /// A connection is gone.
    pub fn closed(&mut self, flow: sip::Flow, send: &mut impl FnMut(sip::Flow, &[u8])) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.endpoint.handle_closed(self.clock.now(), flow, &mut outputs);
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
            media::Event::PlayDone { leg, play } if self.legs.is_code(leg) => self.code_said(leg, play),
            media::Event::PlayDone { leg, play } => self.events.push_back(Event::PlayDone { leg, play }),
            media::Event::Key { leg, key } => self.key(leg, key),
            media::Event::Joined { offer } => self.events.push_back(Event::Bridged { offer }),
            media::Event::Closed { leg, stats } => {
                self.sinks.media_closed(&stats);
                let ready = self.sound.closed(leg, &stats);
                self.write(ready);
            }
            media::Event::Silent { leg } => self.fell_silent(leg),
        }
        self.settle(send);
    }

    fn key(&mut self, leg: LegId, key: char) {
        match self.legs.is_code(leg) {
            true => self.code_key(leg, key),
            // Between a station and whom it called, keys are theirs alone.
            false if !self.legs.has_keys(leg) => {}
            false => self.events.push_back(Event::DigitsEntered { leg, digits: Phi(key.to_string()) }),
        }
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
        self.codes_due();
        self.settle(send);
        due
    }

    /// When [`Switchboard::tick`] must be called if nothing comes in.
    pub fn next_wake(&self) -> Option<Time> {
        [self.endpoint.next_timer(), self.core.next_deadline(), self.codes.next()].into_iter().flatten().min()
    }

    /// What the edges hold, for the metrics.
    pub fn edges(&self, inbox: usize) -> Edges {
        let records = self.sinks.status();
        let recordings = self.sound.outcomes();
        let journal = self.book.status();
        let guards = self.endpoint.counts();
        Edges {
            core_inbox: inbox as u64,
            sip_transactions: self.endpoint.transactions() as u64,
            registrations: self.endpoint.registered() as u64,
            media_sessions: self.media.sessions() as u64,
            media_room: self.media.room() as u64,
            draining: self.endpoint.draining(),
            recordings: [recordings.complete, recordings.incomplete, recordings.failed],
            records_written: records.written,
            records_doubled: records.doubled,
            records_spooled: records.spooled,
            records_lost: records.lost,
            journal_failures: journal.failures,
            journal_lag: journal.lag,
            sip_requests: self
                .endpoint
                .requests()
                .map(|(method, class, transport, count)| (method, class, transport.label(), count))
                .collect(),
            trunks: self.endpoint.trunks().map(|(name, up)| (name.clone(), up)).collect(),
            sip_guards: [
                guards.forbidden + self.forbidden,
                guards.challenged,
                guards.malformed,
                guards.overloaded,
                guards.timeouts,
                guards.retransmitted,
            ],
            emergency_calls: self.calls_for_help,
            calls_refused: guards.refused + self.refused,
            rtp_received: self.media.totals().received(),
            rtp_sent: self.media.totals().sent(),
            rtp_strangers: self.media.totals().strangers(),
        }
    }

    /// Holds the core's state against its own rules: a broken one is an incident, and tells nobody's number.
    pub fn check(&self) {
        for (rule, what) in self.core.violations() {
            tracing::error!(rule, what, "an invariant is violated");
            self.sinks.violated(rule);
        }
    }

    /// Writes a record, if all of it is known.
    fn write(&mut self, ready: sound::Ready) {
        if let Some((record, sounds)) = ready {
            self.pairs.remove(&record.call);
            self.sinks.close(&record, sounds);
        }
    }

    /// Waits until every record is written. `heard` is what the media still says while it ends.
    pub fn finish(mut self, heard: &mut mpsc::UnboundedReceiver<media::Event>) {
        self.book.close();
        drop(self.media);
        while let Ok(event) = heard.try_recv() {
            if let media::Event::Closed { leg, stats } = event {
                self.sinks.media_closed(&stats);
                if let Some((record, sounds)) = self.sound.closed(leg, &stats) {
                    self.sinks.close(&record, sounds);
                }
            }
        }
        self.sound.rest().into_iter().for_each(|(record, sounds)| self.sinks.close(&record, sounds));
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

    /// Leaves the registrars of the trunks; true while one has not answered.
    pub fn leave_trunks(&mut self, send: &mut impl FnMut(sip::Flow, &[u8])) -> bool {
        let leaving = self.endpoint.leave_trunks(self.clock.now(), &mut self.outputs);
        self.settle(send);
        leaving
    }

    // ── the loop within ──

    fn settle(&mut self, send: &mut impl FnMut(sip::Flow, &[u8])) {
        loop {
            for output in std::mem::take(&mut self.outputs) {
                match output {
                    Output::Send { flow, bytes } => send(flow, &bytes),
                    Output::Close { flow } => self.closing.push(flow),
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

    /// Tells the core, and does what it commands; what it was told is written before anything of that leaves.
    fn apply(&mut self, event: Event) {
        let settled = || self.sinks.is_settled() && !self.sound.waits();
        self.book.turn(&self.core, &self.endpoint, self.next_call, settled);
        let mut commands = std::mem::take(&mut self.commands);
        let (now, name) = (self.clock.now(), event.name());
        self.book.told(now, &event);
        // A configuration is as long as a book, and stands in the journal.
        if !matches!(event, Event::ConfigChanged(_)) {
            tracing::trace!(?event, "told");
        }
        let begun = Instant::now();
        let handled = catch_unwind(AssertUnwindSafe(|| self.core.handle(now, event, &mut commands)));
        self.sinks.handled(name, begun.elapsed());
        if let Err(fault) = handled {
            commands.clear();
            self.commands = commands;
            return self.recover(name, fault);
        }
        self.book.taken(&commands);
        for command in commands.drain(..) {
            tracing::trace!(?command, "asked");
            self.obey(command);
        }
        self.commands = commands;
        if name == "edge_resumed" {
            self.end_unknown();
        }
    }
}

/// Where a leg's sound is received.
pub(super) fn local(leg: LegId, address: SocketAddr) -> Local {
    Local { address, session: leg.0, version: 1, codecs: vec![Codec::Pcmu, Codec::Pcma] }
}
