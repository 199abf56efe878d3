//! Client transactions: repeat a request until it is answered, absorb what is answered again.

use super::streams::Choice;
use crate::model::Time;
use crate::sip::api::{DialogId, Flow, Output, Transport};
use crate::sip::key::ClientKey;
use crate::sip::timer::{T1, T1_X64, T2, T4, Timer, Timers};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What was asked, as far as the answer's meaning needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Invite,
    Reinvite,
    Bye,
    Cancel,
    /// Our registration at a trunk.
    Register,
    /// OPTIONS to a trunk's peer.
    Health,
    Prack,
    Update,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Calling or Trying.
    Asked,
    Proceeding,
    Completed,
    /// A 2xx to INVITE has come; others may follow from other forks (RFC 6026 §7.2).
    Accepted,
}

/// A request to be sent, and repeated until it is answered.
#[derive(Debug)]
pub struct Ask {
    pub key: ClientKey,
    pub kind: Kind,
    pub request: (Flow, Arc<[u8]>),
    pub dialog: Option<DialogId>,
    /// The trunk that it goes to, whose challenges we answer.
    pub trunk: Option<Arc<str>>,
    /// How often it was sent again with proof.
    pub proofs: u8,
}

#[derive(Debug)]
pub struct Client {
    pub kind: Kind,
    pub flow: Flow,
    /// The flow that was asked for: another than `flow` while its length alone makes the request go by TCP.
    pub home: Flow,
    pub request: Arc<[u8]>,
    pub dialog: Option<DialogId>,
    pub trunk: Option<Arc<str>>,
    pub proofs: u8,
    state: State,
    /// Our ACK to an answer of 300 or above.
    ack: Option<Arc<[u8]>>,
    /// Our ACKs to 2xx, by the tag of who sent it.
    pub acks: Vec<(Vec<u8>, Flow, Arc<[u8]>)>,
    interval: Duration,
    resend: Option<Time>,
    end: Option<Time>,
}

impl Client {
    fn is_invite(&self) -> bool {
        matches!(self.kind, Kind::Invite | Kind::Reinvite)
    }

    /// Whether no final answer has come.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Asked | State::Proceeding)
    }
}

/// What a response means to its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// None of ours, or come again and dealt with.
    Nothing,
    Provisional(Kind),
    /// The first final answer; to INVITE, an ACK is wanted.
    Final(Kind),
    /// A further 2xx to INVITE: the same one again, or another fork's.
    Further,
}

#[derive(Debug, Default)]
pub struct Clients {
    /// In boxes: a table keeps the size of the busiest half minute.
    table: HashMap<ClientKey, Box<Client>>,
    pub choice: Choice,
}

impl Clients {
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn get(&self, key: ClientKey) -> Option<&Client> {
        self.table.get(&key).map(Box::as_ref)
    }

    pub fn get_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        self.table.get_mut(&key).map(Box::as_mut)
    }

    /// The transactions over a flow that have no final answer.
    pub fn open_on(&self, flow: &Flow) -> Vec<(ClientKey, Kind, Option<DialogId>)> {
        let open = self.table.iter().filter(|(_, client)| client.flow == *flow && client.is_open());
        let mut found: Vec<_> = open.map(|(key, client)| (*key, client.kind, client.dialog)).collect();
        found.sort_by_key(|(key, ..)| *key);
        found
    }

    pub fn open(&mut self, now: Time, asks: Ask, timers: &mut Timers, out: &mut Vec<Output>) {
        let Ask { key, kind, request: (home, request), dialog, trunk, proofs } = asks;
        // The CANCEL goes where its INVITE went.
        let (flow, request) = if kind == Kind::Cancel { (home, request) } else { self.choice.of(now, home, &request) };
        out.push(Output::Send { flow, bytes: request.clone() });
        let mut client = Client {
            kind,
            flow,
            home,
            request,
            dialog,
            trunk,
            proofs,
            state: State::Asked,
            ack: None,
            acks: Vec::new(),
            interval: T1,
            resend: None,
            end: None,
        };
        let repeats = flow.transport == Transport::Udp;
        timers.set(&mut client.resend, repeats.then(|| now + T1), Timer::ClientResend(key));
        timers.set(&mut client.end, Some(now + T1_X64), Timer::ClientEnd(key));
        self.table.insert(key, Box::new(client));
    }

    /// Moves the transaction by a response's code.
    pub fn receive(&mut self, now: Time, key: ClientKey, code: u16, timers: &mut Timers, out: &mut Vec<Output>) -> Receipt {
        let Some(client) = self.table.get_mut(&key) else { return Receipt::Nothing };
        if !client.is_open() {
            if client.state == State::Accepted && (200..300).contains(&code) {
                return Receipt::Further;
            }
            if client.state == State::Completed
                && code >= 300
                && let Some(ack) = client.ack.clone()
            {
                out.push(Output::Send { flow: client.flow, bytes: ack });
            }
            return Receipt::Nothing;
        }
        if code < 200 {
            if client.state == State::Asked && client.is_invite() {
                timers.set(&mut client.resend, None, Timer::ClientResend(key));
                timers.set(&mut client.end, None, Timer::ClientEnd(key));
            }
            client.state = State::Proceeding;
            return Receipt::Provisional(client.kind);
        }
        let reliable = client.flow.transport == Transport::Tcp;
        let (state, lasts) = match client.is_invite() {
            true if code < 300 => (State::Accepted, T1_X64),
            true => (State::Completed, if reliable { Duration::ZERO } else { T1_X64 }),
            false => (State::Completed, if reliable { Duration::ZERO } else { T4 }),
        };
        client.state = state;
        timers.set(&mut client.resend, None, Timer::ClientResend(key));
        timers.set(&mut client.end, Some(now + lasts), Timer::ClientEnd(key));
        Receipt::Final(client.kind)
    }

    /// Sends the ACK to an answer of 300 or above, and again whenever that answer comes again.
    pub fn acknowledge(&mut self, key: ClientKey, ack: Arc<[u8]>, out: &mut Vec<Output>) {
        let Some(client) = self.table.get_mut(&key) else { return };
        out.push(Output::Send { flow: client.flow, bytes: ack.clone() });
        client.ack = Some(ack);
    }

    /// The request must be answered by `end`, whatever its timers said.
    pub fn limit(&mut self, end: Time, key: ClientKey, timers: &mut Timers) {
        if let Some(client) = self.table.get_mut(&key).filter(|client| client.is_open()) {
            timers.set(&mut client.end, Some(end), Timer::ClientEnd(key));
        }
    }

    /// Timers A and E.
    pub fn resend(&mut self, now: Time, key: ClientKey, timers: &mut Timers, out: &mut Vec<Output>) {
        let Some(client) = self.table.get_mut(&key) else { return };
        client.resend = None;
        out.push(Output::Send { flow: client.flow, bytes: client.request.clone() });
        client.interval = match client.is_invite() {
            true => client.interval * 2,
            false if client.state == State::Proceeding => T2,
            false => (client.interval * 2).min(T2),
        };
        timers.set(&mut client.resend, Some(now + client.interval), Timer::ClientResend(key));
    }

    /// Its way is gone: the transaction, if nobody answered it.
    pub fn fail(&mut self, key: ClientKey, timers: &mut Timers) -> Option<Client> {
        let client = self.table.get_mut(&key)?;
        timers.set(&mut client.end, None, Timer::ClientEnd(key));
        self.end(key, timers)
    }

    /// A connection is gone: what was asked over it for its length alone, and is still wanted, is asked again by datagrams.
    pub fn fall_back_from(
        &mut self,
        now: Time,
        flow: Flow,
        is_wanted: impl Fn(&Client) -> bool,
        timers: &mut Timers,
        out: &mut Vec<Output>,
    ) {
        let is_on_it = |client: &Client| client.flow == flow && client.home != flow && client.is_open() && is_wanted(client);
        let mut keys: Vec<ClientKey> = self.table.iter().filter(|(_, client)| is_on_it(client)).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        for key in keys {
            let client = self.table.get_mut(&key).expect("just found");
            (client.flow, client.state, client.interval) = (client.home, State::Asked, T1);
            client.request = self.choice.fall_back(now, client.home, &client.request);
            out.push(Output::Send { flow: client.flow, bytes: client.request.clone() });
            timers.set(&mut client.resend, Some(now + T1), Timer::ClientResend(key));
            timers.set(&mut client.end, Some(now + T1_X64), Timer::ClientEnd(key));
        }
    }

    /// Timers B, D, F, K and M: the transaction, if nobody answered it.
    pub fn end(&mut self, key: ClientKey, timers: &mut Timers) -> Option<Client> {
        let mut client = self.table.remove(&key)?;
        timers.set(&mut client.resend, None, Timer::ClientResend(key));
        client.is_open().then_some(*client)
    }
}
