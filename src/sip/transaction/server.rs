//! Server transactions: absorb what comes again, repeat what was answered.

use crate::model::Time;
use crate::sip::api::{DialogId, Flow, Output, Transport, source_of};
use crate::sip::key::ServerKey;
use crate::sip::tally::Tally;
use crate::sip::timer::{T1, T1_X64, T2, T4, Timer, Timers};
use crate::sip::writer::Head;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not finally answered.
    Proceeding,
    /// Finally answered; an INVITE's answer of 300 and above is repeated until its ACK.
    Completed,
    /// The ACK has come; more of them are absorbed.
    Confirmed,
    /// A 2xx to INVITE was sent: its repetition belongs to the dialog (RFC 6026 §7.1).
    Accepted,
}

#[derive(Debug)]
struct Server {
    invite: bool,
    state: State,
    /// Where the answers go.
    flow: Flow,
    head: Head,
    tag: u64,
    dialog: Option<DialogId>,
    last: Option<Arc<[u8]>>,
    interval: Duration,
    resend: Option<Time>,
    end: Option<Time>,
}

#[derive(Debug, Default)]
pub struct Servers {
    /// In boxes: a table keeps the size of the busiest half minute.
    table: HashMap<ServerKey, Box<Server>>,
    per_source: BTreeMap<IpAddr, usize>,
    scratch: Vec<u8>,
    pub tally: Tally,
}

impl Servers {
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Transactions of one address.
    pub fn of_source(&self, source: IpAddr) -> usize {
        self.per_source.get(&source_of(source)).copied().unwrap_or(0)
    }

    pub fn holds(&self, key: ServerKey) -> bool {
        self.table.contains_key(&key)
    }

    /// Whether it is an INVITE's: its 2xx wants an ACK.
    pub fn is_invite(&self, key: ServerKey) -> bool {
        self.table.get(&key).is_some_and(|server| server.invite)
    }

    /// The dialog whose INVITE this is, while it waits for its final answer.
    pub fn unanswered(&self, key: ServerKey) -> Option<Option<DialogId>> {
        self.table.get(&key).map(|server| server.dialog.filter(|_| server.state == State::Proceeding))
    }

    /// The To tag of all answers of a transaction.
    pub fn tag(&self, key: ServerKey) -> Option<u64> {
        self.table.get(&key).map(|server| server.tag)
    }

    pub fn open(&mut self, key: ServerKey, invite: bool, flow: Flow, head: Head, tag: u64, dialog: Option<DialogId>) {
        let server =
            Server { invite, state: State::Proceeding, flow, head, tag, dialog, last: None, interval: T1, resend: None, end: None };
        *self.per_source.entry(source_of(flow.remote.ip())).or_insert(0) += 1;
        let old = self.table.insert(key, Box::new(server));
        assert!(old.is_none(), "a request that comes again does not open a second transaction");
    }

    /// The request came again: so does our last answer (RFC 3261 §17.2.1, §17.2.2).
    pub fn repeat(&self, key: ServerKey, out: &mut Vec<Output>) {
        let Some(server) = self.table.get(&key) else { return };
        if matches!(server.state, State::Proceeding | State::Completed)
            && let Some(bytes) = server.last.clone()
        {
            out.push(Output::Send { flow: server.flow, bytes });
        }
    }

    /// Sends an answer; nothing once there has been a final one. Gives what was sent and where, for a dialog to repeat.
    pub fn answer(
        &mut self,
        now: Time,
        key: ServerKey,
        answer: (u16, &[u8], &[u8]),
        timers: &mut Timers,
        out: &mut Vec<Output>,
    ) -> Option<(Flow, Arc<[u8]>)> {
        let server = self.table.get_mut(&key).filter(|server| server.state == State::Proceeding)?;
        let (code, extra, body) = answer;
        let bytes = server.head.response(&mut self.scratch, code, server.tag, extra, body);
        let flow = server.flow;
        out.push(Output::Send { flow, bytes: bytes.clone() });
        server.last = Some(bytes.clone());
        if code < 200 {
            return Some((flow, bytes));
        }
        self.tally.answered(server.head.method(), code, flow.transport);
        let reliable = flow.transport == Transport::Tcp;
        server.state = if server.invite && code < 300 { State::Accepted } else { State::Completed };
        // Half a minute of absorbing what comes again needs neither: thousands of calls do it at once.
        server.head = Head::default();
        if server.state == State::Accepted {
            server.last = None;
        }
        let repeats = server.invite && code >= 300 && !reliable;
        let lasts = if server.invite || !reliable { T1_X64 } else { Duration::ZERO };
        timers.set(&mut server.resend, repeats.then(|| now + T1), Timer::ServerResend(key));
        timers.set(&mut server.end, Some(now + lasts), Timer::ServerEnd(key));
        Some((flow, bytes))
    }

    /// An ACK with the INVITE's branch. True if it was for an answer of 300 or above, and so is done with.
    pub fn acknowledged(&mut self, now: Time, key: ServerKey, timers: &mut Timers) -> bool {
        let Some(server) = self.table.get_mut(&key).filter(|server| server.invite) else { return false };
        if server.state == State::Completed {
            server.state = State::Confirmed;
            let lasts = if server.flow.transport == Transport::Tcp { Duration::ZERO } else { T4 };
            timers.set(&mut server.resend, None, Timer::ServerResend(key));
            timers.set(&mut server.end, Some(now + lasts), Timer::ServerEnd(key));
        }
        server.state == State::Confirmed
    }

    /// Timer G.
    pub fn resend(&mut self, now: Time, key: ServerKey, timers: &mut Timers, out: &mut Vec<Output>) {
        let Some(server) = self.table.get_mut(&key) else { return };
        server.resend = None;
        let bytes = server.last.clone().expect("only an answer is repeated");
        out.push(Output::Send { flow: server.flow, bytes });
        server.interval = (server.interval * 2).min(T2);
        timers.set(&mut server.resend, Some(now + server.interval), Timer::ServerResend(key));
    }

    /// Timers H, I, J and L: forgotten.
    pub fn end(&mut self, key: ServerKey, timers: &mut Timers) {
        let Some(mut server) = self.table.remove(&key) else { return };
        let source = source_of(server.flow.remote.ip());
        let count = self.per_source.get_mut(&source).expect("every transaction is counted");
        *count -= 1;
        if *count == 0 {
            self.per_source.remove(&source);
        }
        timers.set(&mut server.resend, None, Timer::ServerResend(key));
    }
}
