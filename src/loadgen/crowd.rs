//! The thread in which all virtual callers and agents live, with their sockets and their 20 ms clock.

use super::agent::Agent;
use super::caller::Caller;
use super::clock::Clock;
use super::ledger::Ledger;
use super::phone::{DialogId, Output, Phone, Seen};
use super::plan::Plan;
use crate::model::Time;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

const STEP: Duration = Duration::from_millis(20);
/// Steps from one report to the next.
const REPORT_EVERY: u64 = 5;
/// A step that comes so late is worth noting.
const PAUSE: Duration = Duration::from_millis(60);
/// Agents who are not registered after so long will not be.
const REGISTER_MAX: Duration = Duration::from_secs(10);

/// How it goes, for a board.
#[derive(Clone, Debug, Default)]
pub struct Status {
    pub registered: usize,
    pub dialled: u64,
    pub alive: usize,
    pub talking: usize,
    /// Why the run cannot go on.
    pub trouble: Option<String>,
}

/// A running crowd.
pub struct Crowd {
    thread: std::thread::JoinHandle<Ledger>,
    stop: mpsc::UnboundedSender<()>,
    reports: mpsc::UnboundedReceiver<Status>,
    status: Status,
}

impl Crowd {
    /// Binds every socket on the server's own address, registers the agents, and begins to call when all are registered. An agent who
    /// let the telephone ring out and is back at the desk is sent to `back`, to be made ready again.
    pub fn start(plan: Plan, back: mpsc::UnboundedSender<u64>) -> io::Result<Crowd> {
        let (stop, stopped) = mpsc::unbounded_channel();
        let (report, reports) = mpsc::unbounded_channel();
        let mut people = People::gather(plan, back)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("crowd".into()).spawn(move || runtime.block_on(people.live(stopped, report)))?;
        Ok(Crowd { thread, stop, reports, status: Status::default() })
    }

    /// The newest.
    pub fn status(&mut self) -> &Status {
        while let Ok(status) = self.reports.try_recv() {
            self.status = status;
        }
        &self.status
    }

    /// No new calls from now on.
    pub fn stop(&self) {
        // The thread may have ended already.
        let _ = self.stop.send(());
    }

    /// True when no new call comes and none is alive.
    pub fn done(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the last goodbye.
    pub fn finish(self) -> Ledger {
        self.stop();
        self.thread.join().expect("the crowd does not panic")
    }
}

struct People {
    plan: Plan,
    at: IpAddr,
    clock: Clock,
    started: Option<Time>,
    next_call: Time,
    stepped: Time,
    trunk: Desk<BTreeMap<DialogId, Caller>>,
    agents: Vec<Desk<Agent>>,
    /// By the number of their tone.
    agent_ids: Vec<u64>,
    ledger: Ledger,
    dialled: u64,
    back: mpsc::UnboundedSender<u64>,
    trouble: Option<String>,
}

/// Somebody with a telephone.
struct Desk<Who> {
    socket: Option<std::net::UdpSocket>,
    sending: Option<Arc<UdpSocket>>,
    phone: Phone,
    who: Who,
}

impl<Who> Desk<Who> {
    fn new(user: &str, plan: &Plan, number: u64, who: Who) -> io::Result<Desk<Who>> {
        let socket = std::net::UdpSocket::bind((plan.server.ip(), 0))?;
        socket.set_nonblocking(true)?;
        let phone = Phone::new(user, socket.local_addr()?, plan.server, plan.seed ^ number.rotate_left(40));
        Ok(Desk { socket: Some(socket), sending: None, phone, who })
    }

    /// Reads the socket in a task of its own, so that each datagram has the time of its arrival.
    fn listen(&mut self, number: usize, clock: Clock, inbox: mpsc::UnboundedSender<Datagram>) {
        let socket = self.socket.take().expect("a desk listens once");
        let socket = Arc::new(UdpSocket::from_std(socket).expect("the runtime takes a socket that does not block"));
        self.sending = Some(socket.clone());
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            loop {
                // An ICMP "port unreachable" is an error of one read, not the socket's end.
                let Ok((length, _)) = socket.recv_from(&mut buffer).await else { continue };
                if inbox.send(Datagram { number, at: clock.now(), bytes: buffer[..length].to_vec() }).is_err() {
                    return;
                }
            }
        });
    }

    fn send(&self, server: SocketAddr, out: &mut Output) {
        let socket = self.sending.as_ref().expect("a desk listens before it speaks");
        for bytes in out.send.drain(..) {
            // A full socket loses a datagram, as a network does: the transactions repeat it.
            let _ = socket.try_send_to(&bytes, server);
        }
    }
}

struct Datagram {
    number: usize,
    at: Time,
    bytes: Vec<u8>,
}

/// The trunk's number among the desks.
const TRUNK: usize = usize::MAX;

impl People {
    fn gather(plan: Plan, back: mpsc::UnboundedSender<u64>) -> io::Result<People> {
        let at = plan.server.ip();
        let trunk = Desk::new("trunk", &plan, 0, BTreeMap::new())?;
        let agents: io::Result<Vec<_>> = plan
            .agents
            .iter()
            .enumerate()
            .map(|(tone, station)| Desk::new(&station.agent.to_string(), &plan, station.agent, Agent::new(station.agent, tone, at)))
            .collect();
        let agent_ids = plan.agents.iter().map(|station| station.agent).collect();
        Ok(People {
            at,
            clock: Clock::start(),
            started: None,
            next_call: Time(0),
            stepped: Time(u64::MAX),
            trunk,
            agents: agents?,
            agent_ids,
            ledger: Ledger::default(),
            dialled: 0,
            back,
            trouble: None,
            plan,
        })
    }

    async fn live(&mut self, mut stop: mpsc::UnboundedReceiver<()>, report: mpsc::UnboundedSender<Status>) -> Ledger {
        let (inbox, mut arriving) = mpsc::unbounded_channel();
        self.begin(inbox);
        let mut steps = tokio::time::interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let began = self.clock.now();
        let mut stopped = false;
        let mut age = 0u64;
        loop {
            tokio::select! {
                biased;
                Some(datagram) = arriving.recv() => self.receive(datagram),
                _ = steps.tick() => {
                    let now = self.clock.now();
                    stopped |= stop.try_recv().is_ok();
                    self.step(now, now.since(began), stopped);
                    age += 1;
                    let over = self.over(stopped, now);
                    if over || age.is_multiple_of(REPORT_EVERY) {
                        // Nobody reads it when the run is being torn down.
                        let _ = report.send(self.status());
                    }
                    if over {
                        return self.close();
                    }
                }
            }
        }
    }

    fn begin(&mut self, inbox: mpsc::UnboundedSender<Datagram>) {
        let (now, clock, server) = (self.clock.now(), self.clock, self.plan.server);
        self.trunk.listen(TRUNK, clock, inbox.clone());
        for (number, (desk, station)) in self.agents.iter_mut().zip(&self.plan.agents).enumerate() {
            desk.listen(number, clock, inbox.clone());
            let mut out = Output::default();
            desk.phone.register(now, &station.password, &mut out);
            desk.send(server, &mut out);
        }
    }

    fn receive(&mut self, datagram: Datagram) {
        let Datagram { number, at, bytes } = datagram;
        let mut out = Output::default();
        if number == TRUNK {
            self.trunk.phone.receive(at, &bytes, &mut out);
            self.settle_callers(at, &mut out);
        } else {
            self.agents[number].phone.receive(at, &bytes, &mut out);
            self.settle_agent(at, number, &mut out);
        }
    }

    fn settle_callers(&mut self, now: Time, out: &mut Output) {
        let desk = &mut self.trunk;
        while let Some(seen) = out.seen.pop_front() {
            let Some(dialog) = dialog_of(&seen) else { continue };
            if let Some(caller) = desk.who.get_mut(&dialog) {
                caller.see(now, seen, &mut desk.phone, out);
                if caller.over {
                    let caller = desk.who.remove(&dialog).expect("it was there");
                    self.ledger.callers.push(caller.entry);
                }
            }
        }
        desk.send(self.plan.server, out);
    }

    fn settle_agent(&mut self, now: Time, number: usize, out: &mut Output) {
        let desk = &mut self.agents[number];
        while let Some(seen) = out.seen.pop_front() {
            desk.who.see(now, seen, &self.plan, &mut desk.phone, out);
        }
        desk.send(self.plan.server, out);
    }

    /// 20 ms of everybody's life.
    fn step(&mut self, now: Time, age: Duration, stopped: bool) {
        if now.since(self.stepped) >= PAUSE {
            self.ledger.pauses.push((self.stepped, now));
        }
        self.stepped = now;
        self.check_registrations(now, age);
        self.call(now, stopped);
        let mut out = Output::default();
        let desk = &mut self.trunk;
        desk.phone.handle_timer(now, &mut out);
        for caller in desk.who.values_mut() {
            caller.step(now, &self.agent_ids, &mut desk.phone, &mut out);
        }
        self.settle_callers(now, &mut out);
        for number in 0..self.agents.len() {
            let desk = &mut self.agents[number];
            desk.phone.handle_timer(now, &mut out);
            if desk.who.step(now, &mut desk.phone, &mut out) {
                // Nobody listens when the run is being torn down.
                let _ = self.back.send(desk.who.agent);
            }
            self.settle_agent(now, number, &mut out);
        }
    }

    fn check_registrations(&mut self, now: Time, age: Duration) {
        if self.started.is_some() || self.trouble.is_some() {
            return;
        }
        if let Some((agent, code)) = self.agents.iter().find_map(|desk| desk.who.refused.map(|code| (desk.who.agent, code))) {
            self.trouble = Some(format!("agent {agent} could not register: the server says {code}"));
        } else if self.agents.iter().all(|desk| desk.who.registered) {
            self.started = Some(now);
            self.next_call = now + self.plan.gap(0);
        } else if age > REGISTER_MAX {
            self.trouble = Some(format!("no answer to REGISTER from {}", self.plan.server));
        }
    }

    fn call(&mut self, now: Time, stopped: bool) {
        let Some(started) = self.started else { return };
        let closed = stopped || self.plan.arrivals_for.is_some_and(|span| now.since(started) >= span);
        while !closed && self.next_call <= now {
            let mut out = Output::default();
            let plan = self.plan.caller(self.dialled);
            match Caller::dial(now, self.dialled, plan, self.at, &mut self.trunk.phone, &mut out) {
                Ok(caller) => {
                    self.trunk.who.insert(caller.dialog, caller);
                    self.settle_callers(now, &mut out);
                }
                Err(error) => self.trouble = Some(format!("no socket for another caller: {error}")),
            }
            self.dialled += 1;
            self.next_call = self.next_call + self.plan.gap(self.dialled);
        }
    }

    fn over(&self, stopped: bool, now: Time) -> bool {
        let closed = stopped || self.started.zip(self.plan.arrivals_for).is_some_and(|(started, span)| now.since(started) >= span);
        let idle = self.trunk.who.is_empty() && self.agents.iter().all(|desk| desk.who.idle());
        self.trouble.is_some() || (closed && idle)
    }

    fn status(&self) -> Status {
        Status {
            registered: self.agents.iter().filter(|desk| desk.who.registered).count(),
            dialled: self.dialled,
            alive: self.trunk.who.len(),
            talking: self.trunk.who.values().filter(|caller| caller.talking()).count(),
            trouble: self.trouble.clone(),
        }
    }

    fn close(&mut self) -> Ledger {
        let mut ledger = std::mem::take(&mut self.ledger);
        for desk in &mut self.agents {
            ledger.offers.append(&mut desk.who.entries);
            ledger.unreadable += desk.phone.unreadable;
        }
        ledger.unreadable += self.trunk.phone.unreadable;
        ledger.callers.extend(std::mem::take(&mut self.trunk.who).into_values().map(|caller| caller.entry));
        ledger.callers.sort_by_key(|entry| entry.steps[0].0);
        ledger.offers.sort_by_key(|entry| entry.steps[0].0);
        ledger
    }
}

fn dialog_of(seen: &Seen) -> Option<DialogId> {
    match seen {
        Seen::Registered | Seen::RegistrationRefused(_) => None,
        Seen::Progress { dialog, .. }
        | Seen::Established { dialog, .. }
        | Seen::Refused { dialog, .. }
        | Seen::LateAnswer { dialog }
        | Seen::Incoming { dialog, .. }
        | Seen::Cancelled { dialog }
        | Seen::Acknowledged { dialog }
        | Seen::ByeReceived { dialog }
        | Seen::ByeAnswered { dialog }
        | Seen::Lost { dialog } => Some(*dialog),
    }
}
