//! A media worker: one thread with its sessions, their sockets and one clock of 20 ms, in a few slots over which sessions are spread.
//! Nothing is allocated while sound flows. A panic costs the one session that it happened in.

use super::codec;
use super::command::Command;
use super::event::Event;
use super::mix::Mix;
use super::outbox::Outbox;
use super::rota::{Rota, SLOTS};
use super::session::{Kind, Received, Session, Shared, Sockets};
use super::socket::{Poller, Waker};
use super::tape::{Side, Sink, Tape};
use crate::model::{CallId, Hearing, LegId, OfferId};
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The length of a slot of the clock, in µs.
const SLOT: u64 = 20_000 / SLOTS;
/// A clock that is later than this many slots (the machine slept) goes on from now; listeners' timestamps jump with it.
const LATEST: u64 = 5 * SLOTS;
/// Who sends nothing of its own is looked at so often, in slots, for its reports and its silence: less than `LATEST`.
const QUIET: u64 = 2 * SLOTS;
/// Most sockets that are served between two looks at the clock.
const BATCH: usize = 64;
/// Most commands that are obeyed between two looks at the clock.
const COMMANDS: usize = 32;
/// Longest packet that is read: what comes longer is cut, and is no G.711.
const LONGEST: usize = 1500;
/// The waker's token; a session's is its serial number, its index and a bit for RTCP.
const WAKER: u64 = u64::MAX;

type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// The outside's end of a worker. Dropping it ends the thread.
pub struct Handle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
    /// The worker is awake, and will look for commands before it sleeps.
    awake: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    pub fn send(&self, command: Command) {
        // A worker ends only when its handle is dropped; a panic within it ends one session.
        if self.commands.send(command).is_err() {
            tracing::error!("a media worker is gone");
        }
        if !self.awake.swap(true, Ordering::SeqCst) {
            self.waker.wake();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub struct Worker {
    commands: Receiver<Command>,
    waker: Arc<Waker>,
    awake: Arc<AtomicBool>,
    poller: Poller,
    events: Events,
    shared: Arc<Shared>,
    sessions: Vec<Option<Box<Session>>>,
    serials: Vec<u32>,
    free: Vec<u32>,
    legs: BTreeMap<LegId, u32>,
    calls: BTreeMap<CallId, Vec<u32>>,
    tapes: BTreeMap<CallId, Tape>,
    rota: Rota,
    began: Instant,
    /// µs since then, looked up once a turn.
    now: u64,
    /// The next slot of the clock, counted from the beginning.
    next_slot: u64,
    /// There were more commands than are obeyed at once: the rest, and the packets behind them, follow without a wait.
    behind: bool,
    buffer: Box<[u8; LONGEST]>,
    outbox: Outbox,
    #[cfg(test)]
    broken: Option<LegId>,
}

impl Worker {
    pub fn start(index: usize, shared: Arc<Shared>, events: Events) -> io::Result<Handle> {
        let (sender, commands) = mpsc::channel();
        let waker = Arc::new(Waker::new()?);
        let awake = Arc::new(AtomicBool::new(true));
        let poller = Poller::new(BATCH)?;
        poller.add(&*waker, WAKER)?;
        let mut worker = Worker {
            commands,
            waker: waker.clone(),
            awake: awake.clone(),
            poller,
            events,
            shared,
            sessions: Vec::new(),
            serials: Vec::new(),
            free: Vec::new(),
            legs: BTreeMap::new(),
            calls: BTreeMap::new(),
            tapes: BTreeMap::new(),
            rota: Rota::default(),
            began: Instant::now(),
            now: 0,
            next_slot: 0,
            behind: false,
            buffer: Box::new([0; LONGEST]),
            outbox: Outbox::direct(),
            #[cfg(test)]
            broken: None,
        };
        let thread = std::thread::Builder::new().name(format!("media-{index}")).spawn(move || worker.run())?;
        Ok(Handle { commands: sender, waker, awake, thread: Some(thread) })
    }

    fn run(&mut self) {
        self.outbox = Outbox::new();
        loop {
            self.look_at_clock();
            self.awake.store(false, Ordering::SeqCst);
            // A command that came just before that woke nobody.
            let mut early = self.commands.try_recv().ok();
            let nap = if early.is_some() { Some(Duration::ZERO) } else { self.until_next_slot() };
            let ready = self.poller.wait(nap);
            self.awake.store(true, Ordering::SeqCst);
            self.look_at_clock();
            if (0..ready).any(|index| self.poller.token(index) == WAKER) {
                self.waker.clear();
            }
            // Commands first: what was asked before a packet came is in force when it is read.
            let mut obeyed = 0;
            while obeyed < COMMANDS
                && let Some(command) = early.take().or_else(|| self.commands.try_recv().ok())
            {
                if let Command::Stop = command {
                    return;
                }
                self.guard(None, |worker| worker.obey(command));
                obeyed += 1;
            }
            self.behind = obeyed == COMMANDS;
            for index in 0..if self.behind { 0 } else { ready } {
                match self.poller.token(index) {
                    WAKER => {}
                    token => self.readable(token),
                }
            }
            self.flush();
            self.look_at_clock();
            self.run_slots();
            self.flush();
        }
    }

    /// Hands to the kernel what waits for it.
    fn flush(&mut self) {
        self.outbox.flush();
        if self.outbox.has_refused() {
            for index in self.outbox.refused() {
                if let Some(session) = &mut self.sessions[index as usize] {
                    session.refused();
                }
            }
        }
    }

    fn look_at_clock(&mut self) {
        self.now = self.began.elapsed().as_micros() as u64;
    }

    /// How long until a slot is due in which somebody may send, or a look at those who do not; `None` without sessions.
    fn until_next_slot(&self) -> Option<Duration> {
        if self.behind {
            return Some(Duration::ZERO);
        }
        if self.legs.is_empty() {
            return None;
        }
        let due = self.rota.next_busy(self.next_slot).unwrap_or(self.next_slot + QUIET);
        Some(Duration::from_micros((due * SLOT).saturating_sub(self.now)))
    }

    fn run_slots(&mut self) {
        let current = self.now / SLOT;
        if current > self.next_slot + LATEST {
            self.next_slot = current - LATEST;
        }
        while self.next_slot <= current {
            let mut at = 0;
            // A session that panics leaves its slot: the one that takes its place is served then, too.
            while let Some((index, turn)) = self.rota.turn(self.next_slot, at) {
                if turn {
                    self.guard(Some(index), |worker| worker.tick(index));
                }
                at += usize::from(self.rota.turn(self.next_slot, at).is_some_and(|(other, _)| other == index));
            }
            self.next_slot += 1;
        }
    }

    /// Runs a piece of work; if it panics, the session that it was for is closed and all others go on.
    fn guard(&mut self, index: Option<u32>, work: impl FnOnce(&mut Worker)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            match index.and_then(|index| self.sessions[index as usize].as_ref()).map(|session| session.leg) {
                Some(leg) => {
                    tracing::error!(%leg, "a leg's sound is closed after a panic");
                    self.close(leg);
                }
                None => tracing::error!("a media command ended in a panic"),
            }
        }
    }

    fn readable(&mut self, token: u64) {
        let (serial, index, reports) = ((token >> 32) as u32, (token as u32) >> 1, token & 1 == 1);
        if self.serials[index as usize] == serial && self.sessions[index as usize].is_some() {
            self.guard(Some(index), |worker| if reports { worker.report(index) } else { worker.sound(index) });
        }
    }

    fn report(&mut self, index: u32) {
        let session = self.sessions[index as usize].as_mut().expect("a readable session is open");
        if let Ok((length, from)) = session.sockets().rtcp.recv_from(&mut *self.buffer) {
            session.receive_report(self.now, &self.buffer[..length], from);
        }
    }

    /// One packet of a leg, passed on at once to all who hear it.
    fn sound(&mut self, index: u32) {
        let session = self.sessions[index as usize].as_mut().expect("a readable session is open");
        let Ok((length, from)) = session.sockets().rtp.recv_from(&mut *self.buffer) else { return };
        let Some(received) = session.receive(self.now, &self.buffer[..length], from) else { return };
        let (leg, holds, listeners) = (session.leg, session.holds(), session.heard_by.len());
        if let Some(key) = received.key {
            (self.events)(Event::Key { leg, key });
        }
        if holds {
            return;
        }
        if self.sessions[index as usize].as_ref().is_some_and(|session| session.side.is_some()) {
            self.tape(index, &received);
        }
        for at in 0..listeners {
            let listener = self.sessions[index as usize].as_ref().expect("it is open still").heard_by[at];
            self.pass(index, listener, length, &received);
        }
    }

    /// Lays a packet on its call's tape, unless nobody is made to hear it.
    fn tape(&mut self, index: u32, received: &Received) {
        let session = self.sessions[index as usize].as_ref().expect("who speaks is open");
        let heard = session.heard_by.iter().any(|other| self.sessions[*other as usize].as_ref().is_some_and(|other| !other.holds()));
        if let (Kind::Sound(law), Some(side), true) = (received.kind, session.side, heard)
            && let Some(tape) = self.tapes.get_mut(&session.call)
        {
            tape.hear(self.now, side, law, &received.header, &self.buffer[received.payload.clone()]);
        }
    }

    fn pass(&mut self, from: u32, to: u32, length: usize, received: &Received) {
        let listener = self.sessions[to as usize].as_mut().expect("who hears is open");
        match (&mut listener.mix, received.kind) {
            (None, _) => listener.forward(self.now, &mut self.buffer[..length], received, &mut self.outbox),
            (Some(mix), Kind::Sound(codec)) => {
                let table = codec::decoding(codec);
                mix.hear(from, self.buffer[received.payload.clone()].iter().map(|code| table[usize::from(*code)]));
            }
            (Some(_), Kind::Event) => {}
        }
    }

    fn tick(&mut self, index: u32) {
        #[cfg(test)]
        assert_ne!(self.sessions[index as usize].as_ref().map(|s| s.leg), self.broken, "broken by a test");
        let heard = self.sessions[index as usize].as_ref().map(|session| &session.hears[..]);
        let held = match heard {
            Some([one]) => self.sessions[*one as usize].as_ref().is_some_and(|other| other.holds()),
            _ => false,
        };
        let session = self.sessions[index as usize].as_mut().expect("who has a slot is open");
        let ticked = session.tick(self.now, held, &mut self.outbox);
        self.rota.mark(index, session.may_send(held));
        if session.side == Some(Side::Left)
            && let Some(tape) = self.tapes.get_mut(&session.call)
        {
            tape.advance(self.now);
        }
        let leg = session.leg;
        if let Some(play) = ticked.done {
            (self.events)(Event::PlayDone { leg, play });
        }
        if ticked.silent {
            (self.events)(Event::Silent { leg });
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.now;
        match command {
            Command::Open { call, leg, sockets } => self.open(call, leg, sockets),
            Command::Negotiate { leg, negotiated, signalled } => self.with(leg, |session| session.negotiate(now, negotiated, signalled)),
            Command::Play { leg, play, sounds } => {
                let mut over = None;
                self.with(leg, |session| over = session.play(play, sounds));
                if let Some(play) = over {
                    (self.events)(Event::PlayDone { leg, play });
                }
            }
            Command::StopPlay { leg, play } => self.with(leg, |session| session.stop_play(play)),
            Command::StartMusic { leg, track } => self.with(leg, |session| session.start_music(track)),
            Command::HoldMusic { track } => self.shared = Arc::new(Shared { hold_music: track, ..(*self.shared).clone() }),
            Command::StopMusic { leg } => self.with(leg, Session::stop_music),
            Command::Hear { call, hearing, offer } => self.hear(call, &hearing, offer),
            Command::Record { call, sides, sink } => self.record(call, sides, sink),
            Command::PauseRecording { call, paused } => {
                if let Some(tape) = self.tapes.get_mut(&call) {
                    tape.pause(paused);
                }
            }
            Command::StopRecording { call } => self.stop_recording(call),
            Command::Close { leg } => self.close(leg),
            Command::Stop => unreachable!("the loop ends at it"),
            #[cfg(test)]
            Command::Break { leg } => self.broken = Some(leg),
        }
    }

    fn with(&mut self, leg: LegId, work: impl FnOnce(&mut Session)) {
        if let Some(index) = self.legs.get(&leg) {
            self.rota.mark(*index, true);
            work(self.sessions[*index as usize].as_mut().expect("a leg in the table is open"));
        }
    }

    fn record(&mut self, call: CallId, sides: [LegId; 2], sink: Box<dyn Sink>) {
        self.stop_recording(call);
        let found = sides.map(|leg| self.legs.get(&leg).copied());
        // The leg that is gone is reported as such: the sink is dropped, and an empty recording is its end.
        let [Some(left), Some(right)] = found else { return };
        let laws = [(left, Side::Left), (right, Side::Right)].map(|(index, side)| {
            let session = self.sessions[index as usize].as_mut().expect("a leg in the table is open");
            session.side = Some(side);
            session.law()
        });
        self.tapes.insert(call, Tape::new(sink, self.now, laws));
    }

    fn stop_recording(&mut self, call: CallId) {
        let Some(tape) = self.tapes.remove(&call) else { return };
        tape.finish(self.now);
        for index in self.calls.get(&call).into_iter().flatten() {
            self.sessions[*index as usize].as_mut().expect("a call's legs are open").side = None;
        }
    }

    fn open(&mut self, call: CallId, leg: LegId, sockets: Sockets) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.sessions.push(None);
            self.serials.push(0);
            self.sessions.len() as u32 - 1
        });
        let serial = self.serials[index as usize];
        let token = u64::from(serial) << 32 | u64::from(index) << 1;
        let added = self.poller.add(&sockets.rtp, token).and_then(|()| self.poller.add(&sockets.rtcp, token | 1));
        if let Err(error) = added {
            tracing::error!(%leg, %error, "a leg's sockets cannot be watched: it hears but is not heard");
        }
        let random = || getrandom::u64().expect("the system's generator works");
        let mut session = Session::new(call, leg, sockets, [random(), random()], self.now, self.shared.clone());
        session.index = index;
        self.sessions[index as usize] = Some(Box::new(session));
        self.legs.insert(leg, index);
        self.calls.entry(call).or_default().push(index);
        self.rota.enter(index);
    }

    fn close(&mut self, leg: LegId) {
        let Some(&index) = self.legs.get(&leg) else { return };
        if let Some(call) = self.sessions[index as usize].as_ref().filter(|session| session.side.is_some()).map(|session| session.call) {
            self.stop_recording(call);
        }
        // What it has sent waits for its socket.
        self.flush();
        self.legs.remove(&leg);
        let session = self.sessions[index as usize].take().expect("a leg in the table is open");
        self.serials[index as usize] = self.serials[index as usize].wrapping_add(1) & 0x7FFF_FFFF;
        self.free.push(index);
        self.rota.leave(index);
        let rest = self.calls.get_mut(&session.call).expect("an open leg's call is in the table");
        rest.retain(|other| *other != index);
        if rest.is_empty() {
            self.calls.remove(&session.call);
        }
        for other in session.hears.iter().chain(&session.heard_by) {
            if let Some(other) = &mut self.sessions[*other as usize] {
                other.hears.retain(|heard| *heard != index);
                other.heard_by.retain(|hearer| *hearer != index);
            }
        }
        let stats = session.stats();
        // Its ports and files are free when it is reported.
        drop(session);
        (self.events)(Event::Closed { leg, stats });
    }

    /// Puts a call's matrix in force: who is not in it hears nobody.
    fn hear(&mut self, call: CallId, hearing: &Hearing, offer: Option<OfferId>) {
        let members = self.calls.get(&call).cloned().unwrap_or_default();
        for index in &members {
            let session = self.sessions[*index as usize].as_mut().expect("a call's legs are open");
            (session.hears, session.heard_by, session.mix) = (Vec::new(), Vec::new(), None);
            session.forget_key();
        }
        let mut complete = true;
        for (listener, heard) in hearing {
            let Some(&to) = self.legs.get(listener).filter(|index| members.contains(index)) else {
                complete = false;
                continue;
            };
            for leg in heard {
                match self.legs.get(leg).filter(|index| members.contains(index)) {
                    Some(&from) => self.connect(from, to),
                    None => complete = false,
                }
            }
        }
        for index in &members {
            let session = self.sessions[*index as usize].as_mut().expect("a call's legs are open");
            session.mix = (session.hears.len() > 1).then(|| Mix::new(&session.hears));
            self.rota.mark(*index, true);
        }
        match offer {
            Some(offer) if complete => (self.events)(Event::Joined { offer }),
            // The leg that is gone is reported as such: the offer ends by that.
            Some(offer) => tracing::info!(%call, %offer, "a leg of the bridge is gone"),
            None => {}
        }
    }

    fn connect(&mut self, from: u32, to: u32) {
        self.sessions[from as usize].as_mut().expect("a call's legs are open").heard_by.push(to);
        self.sessions[to as usize].as_mut().expect("a call's legs are open").hears.push(from);
    }
}
