//! The thread on which the swarm lives: it reads and writes every SIP socket, and does what callers and agents do when their time comes.

mod phases;

use super::order::{Order, Sound};
use super::seat::{Seat, Wire};
use super::sound::SoundThread;
use super::tally::{Report, Traffic};
use crate::loadgen::chance::Chance;
use crate::loadgen::clock::Clock;
use crate::loadgen::phone::{DialogId, Goodbye, Output, Seen};
use crate::loadgen::plan::caller_number;
use crate::loadgen::sdp::{self, TELEPHONE_EVENT};
use crate::media::socket::{Poller, raise_open_files};
use crate::model::Time;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Retransmissions and phases are looked at so often.
const TICK: Duration = Duration::from_millis(10);
/// A caller who was refused is followed by another after so long.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// Datagrams taken from one socket before the others have their turn.
const BURST: usize = 32;
/// The callers' token; agents have their number.
const TRUNK: u64 = u64::MAX;

/// What somebody will do at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    Dial,
    Answer(usize, DialogId),
    HangUp(usize, DialogId),
    GiveUp(DialogId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Registering { until: Time },
    Gathering { until: Time },
    Warming { until: Time },
    Measuring { since: Time, until: Time },
    Ending { until: Time },
    Over,
}

/// One caller's call.
struct Line {
    number: u64,
    dialled_at: Time,
    leaving: bool,
}

struct Stage<'a> {
    order: Order,
    clock: Clock,
    began: Time,
    poller: Poller,
    /// Where our sockets are.
    at: IpAddr,
    trunk: Wire,
    lines: HashMap<DialogId, Line>,
    seats: Vec<Seat>,
    sound: Option<SoundThread>,
    /// Everybody's RTCP goes here, and is not read.
    rtcp: UdpSocket,
    agenda: BinaryHeap<Reverse<(Time, Job)>>,
    chance: Chance,
    phase: Phase,
    traffic: Traffic,
    /// The traffic and the calls completed when the window began.
    before: (Traffic, u64, u64),
    offered: BTreeSet<String>,
    sampled_at: Time,
    report: Report,
    tell: &'a mut dyn FnMut(&str),
}

/// Runs the order to its end; `tell` gets a line about how it goes now and then.
pub fn run(order: Order, tell: &mut dyn FnMut(&str)) -> io::Result<Report> {
    // Each caller has a socket; fewer are enough for few.
    let _ = raise_open_files();
    let mut stage = Stage::set(order, tell)?;
    stage.register();
    while stage.phase != Phase::Over {
        stage.turn();
    }
    Ok(stage.close())
}

/// The address from which this machine reaches the server.
fn own_address(server: SocketAddr) -> io::Result<IpAddr> {
    if server.ip().is_loopback() {
        return Ok(server.ip());
    }
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(server)?;
    Ok(probe.local_addr()?.ip())
}

impl<'a> Stage<'a> {
    fn set(order: Order, tell: &'a mut dyn FnMut(&str)) -> io::Result<Stage<'a>> {
        let (at, server, clock) = (own_address(order.server)?, order.server, Clock::start());
        let poller = Poller::new(256)?;
        let trunk = Wire::open("trunk", at, server, order.seed)?;
        poller.add(&trunk.socket, TRUNK)?;
        let mut seats = Vec::new();
        for (number, station) in order.agents.iter().enumerate() {
            let wire = Wire::open(&station.agent.to_string(), at, server, order.seed ^ station.agent.rotate_left(40))?;
            poller.add(&wire.socket, number as u64)?;
            seats.push(Seat::new(wire, &station.password));
        }
        let sound = if order.sound == Sound::None { None } else { Some(SoundThread::start()?) };
        let now = clock.now();
        Ok(Stage {
            began: now,
            poller,
            at,
            trunk,
            lines: HashMap::new(),
            seats,
            sound,
            rtcp: UdpSocket::bind((at, 0))?,
            agenda: BinaryHeap::new(),
            chance: Chance::new(!order.seed),
            phase: Phase::Registering { until: now + phases::GATHER_MAX },
            traffic: Traffic::default(),
            before: Default::default(),
            offered: BTreeSet::new(),
            sampled_at: now,
            report: Report::default(),
            clock,
            order,
            tell,
        })
    }

    fn register(&mut self) {
        let now = self.clock.now();
        for seat in &mut self.seats {
            let mut out = Output::default();
            let password = seat.password.clone();
            seat.wire.phone.register(now, &password, &mut out);
            seat.wire.flush(&mut out, &mut self.traffic);
        }
    }

    fn turn(&mut self) {
        let now = self.clock.now();
        let next = self.agenda.peek().map_or(TICK, |Reverse((at, _))| at.since(now)).min(TICK);
        let ready = self.poller.wait(Some(next));
        for index in 0..ready {
            match self.poller.token(index) {
                TRUNK => self.hear_trunk(),
                seat => self.hear_seat(seat as usize),
            }
        }
        let now = self.clock.now();
        while let Some(Reverse((_, job))) = self.agenda.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.agenda.pop();
            self.perform(now, job);
        }
        self.timers(now);
        self.look(now);
        self.advance(now);
    }

    // ── what comes in ──

    fn hear_trunk(&mut self) {
        let (mut room, mut out) = ([0; 65_536], Output::default());
        for _ in 0..BURST {
            let Ok(length) = self.trunk.socket.recv(&mut room) else { break };
            let now = self.clock.now();
            self.traffic.received += 1;
            self.traffic.bytes += length as u64;
            self.trunk.phone.receive(now, &room[..length], &mut out);
            self.settle_lines(now, &mut out);
        }
    }

    fn hear_seat(&mut self, number: usize) {
        let (mut room, mut out) = ([0; 65_536], Output::default());
        for _ in 0..BURST {
            let Ok(length) = self.seats[number].wire.socket.recv(&mut room) else { break };
            let now = self.clock.now();
            self.traffic.received += 1;
            self.traffic.bytes += length as u64;
            self.seats[number].wire.phone.receive(now, &room[..length], &mut out);
            self.settle_seat(now, number, &mut out);
        }
    }

    fn settle_lines(&mut self, now: Time, out: &mut Output) {
        while let Some(seen) = out.seen.pop_front() {
            self.caller_sees(now, seen, out);
        }
        self.trunk.flush(out, &mut self.traffic);
    }

    fn caller_sees(&mut self, now: Time, seen: Seen, out: &mut Output) {
        let calls = &mut self.report.calls;
        match seen {
            Seen::Established { dialog, sdp } => {
                let Some(line) = self.lines.get(&dialog) else { return };
                calls.established += 1;
                if matches!(self.phase, Phase::Measuring { .. }) {
                    self.report.window.answer.add(now.since(line.dialled_at));
                }
                if let (Some(sound), Ok(to)) = (&self.sound, sdp::read(&sdp)) {
                    sound.talk(line.number * 2, to, &self.order.keys, self.order.sound == Sound::Aloud);
                }
                if let Some(patience) = self.order.patience {
                    self.agenda.push(Reverse((now + patience, Job::GiveUp(dialog))));
                }
            }
            Seen::Refused { dialog, code } => {
                let leaving = self.gone(now, dialog, AFTER_REFUSAL);
                if !(leaving && code == 487) {
                    *self.report.calls.refused.entry(code).or_default() += 1;
                }
            }
            Seen::ByeReceived { dialog } => {
                calls.completed += 1;
                self.gone(now, dialog, Duration::ZERO);
            }
            Seen::ByeAnswered { dialog } => {
                self.gone(now, dialog, Duration::ZERO);
            }
            Seen::Lost { dialog } => {
                calls.lost += 1;
                self.gone(now, dialog, AFTER_REFUSAL);
            }
            Seen::LateAnswer { .. } | Seen::Progress { .. } => {}
            // Nobody calls a caller.
            Seen::Incoming { dialog, .. } => self.trunk.phone.refuse(now, dialog, 480, out),
            _ => {}
        }
    }

    /// A call is over; another follows where there is to be a crowd. True if the caller was hanging up.
    fn gone(&mut self, now: Time, dialog: DialogId, rest: Duration) -> bool {
        let Some(line) = self.lines.remove(&dialog) else { return false };
        if let Some(sound) = &self.sound {
            sound.leave(line.number * 2);
        }
        if self.order.rate.is_none() {
            self.agenda.push(Reverse((now + rest, Job::Dial)));
        }
        line.leaving
    }

    fn settle_seat(&mut self, now: Time, number: usize, out: &mut Output) {
        while let Some(seen) = out.seen.pop_front() {
            self.agent_sees(now, number, seen, out);
        }
        self.seats[number].wire.flush(out, &mut self.traffic);
    }

    fn agent_sees(&mut self, now: Time, number: usize, seen: Seen, out: &mut Output) {
        let seat = &mut self.seats[number];
        match seen {
            Seen::Registered => seat.registered = true,
            Seen::RegistrationRefused(code) => seat.refused = Some(code),
            Seen::Incoming { dialog, sdp, .. } => self.offered(now, number, dialog, sdp, out),
            Seen::Acknowledged { dialog } => {
                let talk = self.chance.between(self.order.talk.0, self.order.talk.1);
                if let Some(current) = seat.on(dialog) {
                    current.talking = true;
                    self.agenda.push(Reverse((now + talk, Job::HangUp(number, dialog))));
                }
            }
            Seen::Cancelled { dialog } => {
                self.report.calls.offers_withdrawn += 1;
                self.free(now, number, dialog);
            }
            // The caller hung up first.
            Seen::ByeReceived { dialog } => self.report.calls.offers_left += u64::from(self.free(now, number, dialog)),
            Seen::Lost { dialog } => {
                self.report.calls.offers_lost += 1;
                self.free(now, number, dialog);
            }
            _ => {}
        }
    }

    fn offered(&mut self, now: Time, number: usize, dialog: DialogId, sdp: Vec<u8>, out: &mut Output) {
        let seat = &mut self.seats[number];
        let call_id = seat.wire.phone.call_id(dialog).unwrap_or_default().to_string();
        let calls = &mut self.report.calls;
        match self.offered.insert(call_id) {
            true => calls.offers += 1,
            false => calls.offers_repeated += 1,
        }
        if seat.current.is_some() {
            calls.offers_while_busy += 1;
            return seat.wire.phone.refuse(now, dialog, 486, out);
        }
        seat.wire.phone.ring(now, dialog, out);
        if let Some(idle) = seat.rings(now, dialog, sdp)
            && matches!(self.phase, Phase::Measuring { .. })
        {
            self.report.window.dispatch.add(idle);
        }
        if self.order.ring.is_zero() {
            return self.answer(now, number, dialog, out);
        }
        self.agenda.push(Reverse((now + self.order.ring, Job::Answer(number, dialog))));
    }

    fn free(&mut self, now: Time, number: usize, dialog: DialogId) -> bool {
        let window = self.window();
        if self.seats[number].frees(now, dialog, window).is_none() {
            return false;
        }
        if let Some(sound) = &self.sound {
            sound.leave(dialog.0 << 20 | (number as u64) << 1 | 1);
        }
        true
    }

    // ── what people do ──

    fn perform(&mut self, now: Time, job: Job) {
        let mut out = Output::default();
        match job {
            Job::Dial => self.dial(now),
            Job::Answer(number, dialog) => {
                self.answer(now, number, dialog, &mut out);
                self.settle_seat(now, number, &mut out);
            }
            Job::HangUp(number, dialog) => {
                if self.seats[number].on(dialog).is_some() && self.seats[number].wire.phone.hang_up(now, dialog, &mut out) == Goodbye::Bye {
                    self.report.calls.served += 1;
                    self.free(now, number, dialog);
                    self.settle_seat(now, number, &mut out);
                }
            }
            Job::GiveUp(dialog) => self.report.calls.abandoned += u64::from(self.hang_up(now, dialog)),
        }
    }

    /// True if the caller was still there.
    fn hang_up(&mut self, now: Time, dialog: DialogId) -> bool {
        let Some(line) = self.lines.get_mut(&dialog).filter(|line| !line.leaving) else { return false };
        line.leaving = true;
        let mut out = Output::default();
        self.trunk.phone.hang_up(now, dialog, &mut out);
        self.settle_lines(now, &mut out);
        true
    }

    fn dial(&mut self, now: Time) {
        if matches!(self.phase, Phase::Ending { .. } | Phase::Over)
            || self.order.calls.is_some_and(|most| self.report.calls.dialled >= most)
        {
            return;
        }
        if let Some(rate) = self.order.rate {
            let gap = self.chance.exponential(Duration::from_secs_f64(1.0 / rate));
            self.agenda.push(Reverse((now + gap, Job::Dial)));
        }
        if self.lines.len() >= self.order.callers {
            return;
        }
        let number = self.report.calls.dialled;
        self.report.calls.dialled += 1;
        let Some(offer) = self.description(number * 2, None) else { return };
        let mut out = Output::default();
        let dialog = self.trunk.phone.invite(now, &caller_number(number), &self.order.number, offer, &mut out);
        self.lines.insert(dialog, Line { number, dialled_at: now, leaving: false });
        self.settle_lines(now, &mut out);
    }

    fn answer(&mut self, now: Time, number: usize, dialog: DialogId, out: &mut Output) {
        let party = dialog.0 << 20 | (number as u64) << 1 | 1;
        let Some(current) = self.seats[number].on(dialog).filter(|current| !current.answered) else { return };
        current.answered = true;
        let offer = std::mem::take(&mut current.offer);
        let Ok(to) = sdp::read(&offer) else {
            self.report.trouble = Some("the server's offer to an agent cannot be read".to_string());
            return;
        };
        let Some(answer) = self.description(party, to.telephone_event) else { return };
        if let Some(sound) = &self.sound {
            sound.talk(party, to, "", self.order.sound == Sound::Aloud);
        }
        self.seats[number].wire.phone.answer(now, dialog, answer, out);
    }

    /// A party's session description, with a socket of its own if there is to be sound.
    fn description(&mut self, party: u64, event: Option<u8>) -> Option<String> {
        let event = event.or(Some(TELEPHONE_EVENT));
        let rtcp = self.rtcp.local_addr().expect("a bound socket has an address").port();
        let Some(sound) = &self.sound else {
            let nowhere = SocketAddr::new(self.at, 9);
            let inactive = sdp::describe(nowhere, party + 1, event).replace("a=sendrecv", "a=inactive");
            // Reports are sent without sound too (RFC 3264 §5.1), and a telephone is there to take them.
            return Some(format!("{inactive}a=rtcp:{rtcp}\r\n"));
        };
        let socket = UdpSocket::bind((self.at, 0)).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        match socket.and_then(|socket| socket.local_addr().map(|local| (socket, local))) {
            Ok((socket, local)) => {
                sound.enter(party, socket);
                Some(format!("{}a=rtcp:{rtcp}\r\n", sdp::describe(local, party + 1, event)))
            }
            Err(error) => {
                self.report.trouble = Some(format!("no socket for another party: {error}"));
                None
            }
        }
    }
}
