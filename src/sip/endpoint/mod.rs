//! The stack's door: messages and timers in, messages and reports out.

mod actions;
mod bindings;
mod early;
mod forks;
mod outward;
mod parties;
mod register;
mod requests;
mod responses;
mod session;
mod sources;
mod trunks;
mod within;

use super::api::{Counts, DialogId, Flow, Origin, Output, Report, Settings, Transport};
use super::auth::Authenticator;
use super::dialog::{Cancel, Dialog, Stage};
use super::key::{ClientKey, ServerKey, merge_key};
use super::message::{Core, Message, Start};
use super::random::Random;
use super::registrar::Registrar;
use super::timer::{T1_X64, Timer, Timers};
use super::transaction::{Client, Clients, Kind, Servers};
use super::trunk::Trunks;
use super::writer::{Head, reply_flow};
use crate::model::Time;
use forks::Forks;
use sources::Sources;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// One SIP user agent server and client, with its registrar. It owns no socket and no clock.
#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    random: Random,
    /// Keys the transaction table, so that nobody can aim at another's transaction.
    secret: u64,
    timers: Timers,
    servers: Servers,
    clients: Clients,
    dialogs: BTreeMap<DialogId, Dialog>,
    /// Dialogs by our own tag.
    tags: HashMap<u64, DialogId>,
    /// The merge keys of the dialogs that began with their INVITE.
    merges: HashSet<u64>,
    /// Those of the calls that the process before had taken and left behind, and until when they may come again.
    left: HashMap<u64, Time>,
    registrar: Registrar,
    /// Calls that ring at several telephones.
    forks: Forks,
    trunks: Trunks,
    /// Our own addresses.
    locals: Vec<SocketAddr>,
    /// The nonce that each trunk gave us last, and how often it was used.
    nonces: BTreeMap<Arc<str>, (String, u32)>,
    auth: Authenticator,
    sources: Sources,
    last_dialog: u64,
    scratch: Vec<u8>,
    counts: Counts,
    /// New calls from trunks are refused, so that they go elsewhere.
    draining: bool,
}

/// A request that has been read and checked.
struct Request<'a> {
    message: Message<'a>,
    core: Core<'a>,
    method: &'a str,
    uri: &'a [u8],
    flow: Flow,
    key: ServerKey,
}

/// A response that has been read and checked, and the transaction that it belongs to.
#[derive(Clone, Copy)]
struct Response<'a> {
    key: ClientKey,
    code: u16,
    message: &'a Message<'a>,
    core: &'a Core<'a>,
}

impl Request<'_> {
    fn head(&self) -> Head {
        Head::of(&self.message, Some(&self.core), self.flow.remote)
    }

    fn reply_flow(&self) -> Flow {
        reply_flow(self.flow, &self.core.via)
    }
}

impl Endpoint {
    pub fn new(settings: Settings, mut random: Random) -> Endpoint {
        let mut trunks = Trunks::default();
        trunks.configure(&settings.trunks);
        let auth = Authenticator::new(settings.limits.nonce, &mut random);
        let mut clients = Clients::default();
        clients.choice.enabled = settings.tcp;
        Endpoint {
            sources: Sources::new(settings.limits.challenges, settings.limits.sources),
            settings,
            secret: random.draw(),
            random,
            timers: Timers::default(),
            servers: Servers::default(),
            clients,
            dialogs: BTreeMap::new(),
            tags: HashMap::new(),
            merges: HashSet::new(),
            left: HashMap::new(),
            registrar: Registrar::default(),
            forks: Forks::default(),
            trunks,
            locals: Vec::new(),
            nonces: BTreeMap::new(),
            auth,
            last_dialog: 0,
            scratch: Vec::with_capacity(2048),
            counts: Counts::default(),
            draining: false,
        }
    }

    /// Takes new trunks, numbers, users and limits; dialogs, transactions and registrations stay, but for those of users who are gone or
    /// have another password: whoever knows only the old one is a stranger from now on.
    pub fn reconfigure(&mut self, settings: Settings, out: &mut Vec<Output>) {
        self.auth.set_lifetime(settings.limits.nonce);
        self.clients.choice.enabled = settings.tcp;
        self.sources = Sources::new(settings.limits.challenges, settings.limits.sources);
        self.trunks.configure(&settings.trunks);
        for (user, _) in self.settings.users.iter().filter(|(user, proof)| settings.users.get(*user) != Some(proof)) {
            if self.registrar.clear(user) {
                out.push(Output::Report(Report::Unregistered { user: user.clone() }));
            }
        }
        self.settings = settings;
    }

    /// An INVITE that the process before has made a call, at that time: it is no call again, however late its sender gives it up. (An
    /// emergency call is never refused so: nobody says it of one.)
    pub fn left_behind(&mut self, origin: &Origin, at: Time) {
        let key = merge_key(self.secret, (&origin.call_id, &origin.from_tag, origin.cseq));
        self.left.insert(key, at + T1_X64);
    }

    /// What an INVITE to us is known by, while its dialog lasts.
    pub fn origin(&self, dialog: DialogId) -> Option<Origin> {
        let dialog = self.dialogs.get(&dialog).filter(|dialog| dialog.merge.is_some())?;
        Some(Origin { call_id: dialog.call_id.clone(), from_tag: dialog.remote_tag.clone(), cseq: dialog.invite_cseq })
    }

    /// No new call from a trunk is taken from now on, and its OPTIONS say so; what is alive goes on, and stations are served as ever.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    pub fn draining(&self) -> bool {
        self.draining
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Requests received so far, by method, class of the final answer and transport.
    pub fn requests(&self) -> impl Iterator<Item = (&'static str, u16, Transport, u64)> + '_ {
        self.servers.tally.counts()
    }

    pub fn transactions(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    pub fn dialogs(&self) -> usize {
        self.dialogs.len()
    }

    /// Where a dialog's messages come from, and go.
    pub fn flow(&self, dialog: DialogId) -> Option<Flow> {
        self.dialogs.get(&dialog).map(|dialog| dialog.flow)
    }

    /// Users with a live registration.
    pub fn registered(&self) -> usize {
        self.registrar.users()
    }

    /// Where the user's station was last, if it is registered.
    pub fn station(&self, user: &str) -> Option<SocketAddr> {
        self.registrar.newest(user).map(|binding| binding.flow.remote)
    }

    pub fn is_registered(&self, user: &str) -> bool {
        self.registrar.newest(user).is_some()
    }

    /// One message as it came: a datagram, or what the framing of a connection cut out.
    pub fn handle_message(&mut self, now: Time, flow: Flow, bytes: &[u8], out: &mut Vec<Output>) {
        let Some(message) = Message::read(bytes, self.settings.limits.headers) else {
            self.counts.malformed += u64::from(bytes.iter().any(|b| !b.is_ascii_whitespace() && *b != 0));
            return;
        };
        let unframed = flow.transport == Transport::Tcp && !message.framed;
        let from = out.len();
        self.handle_read(now, flow, (message, bytes.len()), out);
        self.join_forks(now, from, out);
        if unframed {
            // Nobody can tell where the next one begins.
            out.push(Output::Close { flow });
        }
    }

    fn handle_read(&mut self, now: Time, flow: Flow, (message, length): (Message, usize), out: &mut Vec<Output>) {
        let unframed = flow.transport == Transport::Tcp && !message.framed;
        match message.start {
            Start::Response { code } => {
                self.counts.responses += 1;
                match Core::read(&message) {
                    Ok(core) if !unframed => self.handle_response(now, code, &message, &core, out),
                    _ => self.counts.malformed += 1,
                }
            }
            Start::Request { method, uri } => {
                self.counts.requests += 1;
                let claimed = message.content_length().ok().flatten().unwrap_or(0);
                let core = match Core::read(&message) {
                    _ if message.other_version => return self.refuse_broken(505, "", flow, &message, out),
                    _ if length.max(claimed) > self.settings.limits.message => return self.refuse_broken(513, "", flow, &message, out),
                    Err(flaw) => return self.refuse_broken(400, flaw.0, flow, &message, out),
                    Ok(_) if unframed => return self.refuse_broken(400, "Missing Content-Length", flow, &message, out),
                    Ok(core) => core,
                };
                let key = ServerKey::of(self.secret, &message, &core, if method == "ACK" { "INVITE" } else { method });
                self.handle_request(now, Request { message, core, method, uri, flow, key }, out);
            }
        }
    }

    /// What the driver says when a connection is gone, or could not be opened (TCP).
    pub fn handle_closed(&mut self, now: Time, flow: Flow, out: &mut Vec<Output>) {
        let from = out.len();
        // An INVITE that was given up would ring for nobody.
        let calls = |id| self.dialogs.get(&id).is_some_and(|dialog| matches!(dialog.stage, Stage::Outgoing { cancel: Cancel::No, .. }));
        let is_wanted = |client: &Client| client.kind != Kind::Invite || client.dialog.is_some_and(calls);
        self.clients.fall_back_from(now, flow, is_wanted, &mut self.timers, out);
        self.flow_failed(now, &flow, out);
        for dialog in self.dialogs.values_mut().filter(|dialog| dialog.flow == flow) {
            dialog.disconnected();
        }
        for user in self.registrar.drop_flow(&flow) {
            out.push(Output::Report(Report::Unregistered { user }));
        }
        self.join_forks(now, from, out);
    }

    /// When to call `handle_timer` next, if nothing happens before.
    pub fn next_timer(&self) -> Option<Time> {
        let errands = self.trunks.next().filter(|_| !self.locals.is_empty());
        [self.timers.next(), self.registrar.next(), errands].into_iter().flatten().min()
    }

    /// Does all that was due by `now`.
    pub fn handle_timer(&mut self, now: Time, out: &mut Vec<Output>) {
        let from = out.len();
        for user in self.registrar.expire(now) {
            out.push(Output::Report(Report::Unregistered { user }));
        }
        if !self.locals.is_empty() {
            self.run_errands(now, out);
        }
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::ClientResend(key) => {
                    self.counts.retransmitted += 1;
                    self.clients.resend(now, key, &mut self.timers, out);
                }
                Timer::ServerResend(key) => {
                    self.counts.retransmitted += 1;
                    self.servers.resend(now, key, &mut self.timers, out);
                }
                Timer::ServerEnd(key) => self.servers.end(key, &mut self.timers),
                Timer::ClientEnd(key) => {
                    if let Some(client) = self.clients.end(key, &mut self.timers) {
                        self.counts.timeouts += 1;
                        self.unanswered(now, &client, out);
                    }
                }
                Timer::AnswerResend(dialog) => self.resend_answer(now, dialog, out),
                Timer::AnswerEnd(dialog) => self.answer_unacknowledged(now, dialog, out),
                Timer::Session(dialog) => self.session_due(now, dialog, out),
                Timer::ReliableResend(dialog) => self.resend_reliable(now, dialog, out),
                Timer::ReliableEnd(dialog) => self.reliable_unacknowledged(now, dialog, out),
                Timer::Patience(dialog) => self.patience_ends(now, dialog, out),
            }
        }
        self.join_forks(now, from, out);
    }

    /// Nobody answered a request of ours.
    fn unanswered(&mut self, now: Time, client: &Client, out: &mut Vec<Output>) {
        if matches!(client.kind, Kind::Register | Kind::Health) {
            return self.errand_failed(now, client, out);
        }
        let Some(id) = client.dialog else { return };
        match client.kind {
            Kind::Invite if self.try_next_peer(now, id, out) => {}
            Kind::Invite => {
                self.remove(id);
                out.push(Output::Report(Report::Timeout { dialog: id }));
            }
            Kind::Bye => self.remove(id),
            Kind::Reinvite | Kind::Update | Kind::Other => self.lose(now, id, out),
            Kind::Cancel | Kind::Prack | Kind::Register | Kind::Health => {}
        }
    }

    /// The dialog is dead on the peer's side: BYE for good measure, and the report.
    fn lose(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let Some(dialog) = self.dialogs.get(&id) else { return };
        let told = dialog.hang_up || dialog.stage == Stage::Closing;
        if dialog.stage == Stage::Up {
            self.send_bye(now, id, None, out);
        }
        if !told {
            out.push(Output::Report(Report::Ended { dialog: id, lost: true }));
        }
    }

    /// Answers what is too broken for a transaction. An ACK is never answered.
    fn refuse_broken(&mut self, code: u16, why: &str, flow: Flow, message: &Message, out: &mut Vec<Output>) {
        self.counts.malformed += 1;
        if matches!(message.start, Start::Request { method: "ACK", .. }) || !message.has(super::message::Header::Via) {
            return;
        }
        let core = Core::lenient(message);
        let to = core.as_ref().map_or(flow, |core| reply_flow(flow, &core.via));
        let head = Head::of(message, core.as_ref(), flow.remote);
        let why = if why.is_empty() { String::new() } else { format!("Warning: 399 careline \"{why}\"\r\n") };
        self.servers.tally.answered(head.method(), code, flow.transport);
        let bytes = head.response(&mut self.scratch, code, self.random.draw(), why.as_bytes(), b"");
        out.push(Output::Send { flow: to, bytes });
    }

    /// Answers without keeping anything: the same answer to each retransmission (RFC 3261 §8.2.7).
    fn refuse(&mut self, request: &Request, code: u16, extra: &str, out: &mut Vec<Output>) {
        if request.method == "ACK" {
            return;
        }
        self.servers.tally.answered(request.method, code, request.flow.transport);
        let bytes = request.head().response(&mut self.scratch, code, request.key.tag(), extra.as_bytes(), b"");
        out.push(Output::Send { flow: request.reply_flow(), bytes });
    }

    /// Opens a transaction for a request in a dialog, or one that changes something, and answers it.
    fn answer_once(&mut self, now: Time, request: &Request, code: u16, extra: &str, out: &mut Vec<Output>) {
        self.servers.open(request.key, request.method == "INVITE", request.reply_flow(), request.head(), request.key.tag(), None);
        self.servers.answer(now, request.key, (code, extra.as_bytes(), b""), &mut self.timers, out);
    }

    fn is_full(&self) -> bool {
        self.transactions() >= self.settings.limits.transactions
    }

    /// Whether there is no room for what one source wants beside all that it has had.
    fn is_full_for(&self, source: IpAddr) -> bool {
        self.is_full() || self.servers.of_source(source) >= self.settings.limits.transactions_per_source
    }

    /// Forgets a dialog and its timers.
    fn remove(&mut self, id: DialogId) {
        let Some(mut dialog) = self.dialogs.remove(&id) else { return };
        self.tags.remove(&dialog.local_tag);
        if let Some(merge) = dialog.merge {
            self.merges.remove(&merge);
        }
        if let Some(session) = &mut dialog.session {
            self.timers.set(&mut session.timer, None, Timer::Session(id));
        }
        if let Some(reliable) = &mut dialog.reliable {
            self.timers.set(&mut reliable.resend, None, Timer::ReliableResend(id));
            self.timers.set(&mut reliable.end, None, Timer::ReliableEnd(id));
        }
        self.timers.set(&mut dialog.patience, None, Timer::Patience(id));
        if let Some(answer) = &mut dialog.answer {
            self.timers.set(&mut answer.resend, None, Timer::AnswerResend(id));
            self.timers.set(&mut answer.end, None, Timer::AnswerEnd(id));
        }
    }
}
