//! Calls of ours: to a station over its flow, or to a trunk, by its peers in turn and with our answer to its challenge.

use super::{Endpoint, Response};
use crate::model::Time;
use crate::sip::account::Challenge;
use crate::sip::api::{DialogId, Flow, Invite, NotReachable, Output, Peer, Report, Target, Transport};
use crate::sip::dialog::{Attempt, Cancel, Dialog, Stage};
use crate::sip::key::ClientKey;
use crate::sip::message::{Core, Message, Start, escape_user};
use crate::sip::timer::Timer;
use crate::sip::transaction::{Ask, Kind};
use crate::sip::writer::{ALLOW, Change, SUPPORTED, rewrite};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// So long may a trunk's peer be silent before the next one is tried: three retransmissions.
pub(super) const PEER_PATIENCE: Duration = Duration::from_secs(4);
/// How often one request is sent again because of challenges: for a proxy, for whom it asks, and for one old nonce.
const PROOFS_MAX: u8 = 3;

/// Where an INVITE of ours goes.
pub(super) struct Route {
    uri: String,
    to: String,
    flow: Flow,
    pinned: bool,
    attempt: Option<Attempt>,
}

impl Route {
    /// To one of a user's telephones.
    pub(super) fn to_contact(user: &str, uri: String, flow: Flow) -> Route {
        Route { uri, to: address_of("", user, &flow), flow, pinned: true, attempt: None }
    }
}

impl Endpoint {
    /// The addresses that we receive on: requests of ours that answer no other's leave from there.
    pub fn listen(&mut self, locals: Vec<SocketAddr>) {
        self.locals = locals;
    }

    /// Our own addresses.
    pub fn locals(&self) -> &[SocketAddr] {
        &self.locals
    }

    /// Calls somebody. One of Established, Refused and Timeout follows, unless the call is given up.
    pub fn invite(&mut self, now: Time, invite: Invite, out: &mut Vec<Output>) -> Result<DialogId, NotReachable> {
        let route = match &invite.target {
            Target::Station(user) => {
                let user = user.clone();
                return self.invite_all(now, user, invite, out);
            }
            Target::Trunk { trunk, user } => self.route_to_trunk(trunk, user)?,
            Target::Direct { uri, flow } => Route { to: format!("<{uri}>"), uri: uri.clone(), flow: *flow, pinned: false, attempt: None },
        };
        self.invite_by(now, route, invite, out)
    }

    /// Calls somebody by this route.
    pub(super) fn invite_by(&mut self, now: Time, route: Route, invite: Invite, out: &mut Vec<Output>) -> Result<DialogId, NotReachable> {
        if self.is_full() || self.dialogs.len() >= self.settings.limits.dialogs {
            self.counts.overloaded += 1;
            return Err(NotReachable);
        }
        let from = address_of(&invite.caller_name, &invite.from_user, &route.flow);
        let call_id = format!("{:016x}{:016x}", self.random.draw(), self.random.draw());
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        let mut dialog = Dialog::to_send(key, route.flow, self.random.draw(), call_id, (from, route.to), route.uri);
        (dialog.pinned, dialog.own_call_id, dialog.local_cseq) = (route.pinned, true, 1);
        dialog.trunk = route.attempt.as_ref().map(|attempt| attempt.trunk.clone());
        dialog.attempt = route.attempt;
        let mut extra = format!("{ALLOW}{SUPPORTED}{}", self.settings.sessions.ask(self.settings.sessions.interval, false));
        for (name, value) in &invite.headers {
            let _ = write!(extra, "{name}: {}\r\n", value.replace(['\r', '\n'], " "));
        }
        let mut body = invite.sdp.unwrap_or_default();
        dialog.own_sdp = body.as_slice().into();
        if let Some(location) = &invite.location {
            let boundary = format!("b{:016x}", self.random.draw());
            let _ = write!(extra, "{GEOLOCATION}Content-Type: multipart/mixed;boundary={boundary}\r\n");
            body = with_location(&boundary, &body, location);
        }
        // Over this flow, whatever the target says: the route names it.
        let (_, bytes) = dialog.request(&mut self.scratch, "INVITE", 1, key.branch, extra.as_bytes(), &body);
        let (request, trunk) = ((route.flow, bytes), dialog.trunk.clone());
        let id = self.keep(dialog);
        self.clients.open(now, Ask { key, kind: Kind::Invite, request, dialog: Some(id), trunk, proofs: 0 }, &mut self.timers, out);
        self.be_patient(now, id);
        Ok(id)
    }

    fn route_to_trunk(&self, trunk: &Arc<str>, user: &str) -> Result<Route, NotReachable> {
        let peers = self.trunks.peers(trunk);
        let mut ways = peers.iter().filter_map(|peer| Some((*peer, self.flow_to(peer)?)));
        let (first, flow) = ways.next().ok_or(NotReachable)?;
        let others = ways.map(|(peer, _)| peer).collect();
        let uri = peer_uri(user, &first);
        let attempt = Attempt { trunk: trunk.clone(), user: user.to_string(), others };
        Ok(Route { to: format!("<{uri}>"), uri, flow, pinned: false, attempt: Some(attempt) })
    }

    /// The flow to a peer, from our own address of its family.
    pub(super) fn flow_to(&self, peer: &Peer) -> Option<Flow> {
        let local = self.locals.iter().find(|local| local.is_ipv4() == peer.address.is_ipv4())?;
        Some(Flow { local: *local, remote: peer.address, transport: peer.transport })
    }

    /// A telephone has only so long to show itself, twice as long as for an OPTIONS, and a trunk's peer while there is another to try. As
    /// shipped an INVITE is sent five times in it: where one datagram in twenty is lost each way, one telephone in 100,000 is missed, not in 10,000.
    fn be_patient(&mut self, now: Time, id: DialogId) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let span = match &dialog.attempt {
            Some(attempt) => (!attempt.others.is_empty()).then_some(PEER_PATIENCE),
            None => dialog.pinned.then_some(self.settings.limits.probe * 2),
        };
        self.timers.set(&mut dialog.patience, span.map(|span| now + span), Timer::Patience(id));
    }

    /// Whom we call has shown itself: no other peer is tried while it works. After 100 it may still say that it is overloaded; after more
    /// than that the call stays with it.
    pub(super) fn settle_on_peer(&mut self, id: DialogId, code: u16) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        self.timers.set(&mut dialog.patience, None, Timer::Patience(id));
        if let Some(attempt) = dialog.attempt.as_mut().filter(|_| code > 100) {
            attempt.others.clear();
        }
    }

    /// The peer is silent, unreachable or overloaded: the same INVITE goes to the next. False if there is none, or nobody wants the call
    /// any more. The old transaction stays without its dialog: whatever it still brings is cancelled, or acknowledged and hung up.
    pub(super) fn try_next_peer(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) -> bool {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return false };
        let Stage::Outgoing { invite, cancel: Cancel::No, .. } = dialog.stage else { return false };
        let Some(attempt) = dialog.attempt.as_mut().filter(|attempt| !attempt.others.is_empty()) else { return false };
        let peer = attempt.others.remove(0);
        let uri = peer_uri(&attempt.user, &peer);
        let (Some(flow), Some(old)) = (self.flow_to(&peer), self.clients.get_mut(invite)) else { return false };
        old.dialog = None;
        let (old, trunk) = (old.request.clone(), old.trunk.clone());
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        let message = Message::read(&old, usize::MAX).expect("our own INVITE");
        let dialog = self.dialogs.get_mut(&id).expect("just seen");
        let change = Change { uri: Some(&uri), flow: &flow, branch: key.branch, cseq: dialog.local_cseq, extra: "", without: &[] };
        let bytes = rewrite(&mut self.scratch, &message, &change);
        (dialog.flow, dialog.target) = (flow, uri.into_bytes());
        dialog.early.clear();
        dialog.stage = Stage::Outgoing { invite: key, provisional: false, cancel: Cancel::No };
        let ask = Ask { key, kind: Kind::Invite, request: (flow, bytes), dialog: Some(id), trunk, proofs: 0 };
        self.clients.open(now, ask, &mut self.timers, out);
        self.be_patient(now, id);
        true
    }

    /// Whom we call has been silent for long enough.
    pub(super) fn patience_ends(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.patience = None;
        match dialog.stage {
            _ if dialog.attempt.is_some() => drop(self.try_next_peer(now, id, out)),
            Stage::Outgoing { invite, .. } => {
                // The INVITE is still repeated without its dialog: an answer tells that the telephone is there after all.
                if let Some(client) = self.clients.get_mut(invite) {
                    client.dialog = None;
                }
                self.remove(id);
                out.push(Output::Report(Report::Timeout { dialog: id }));
            }
            Stage::Incoming(_) | Stage::Up | Stage::Closing => {}
        }
    }

    /// Answers a 401 or 407 to a request of ours: the request again, with proof. False if there is nothing to prove with, if it was not
    /// believed, or if nobody wants the call any more.
    pub(super) fn prove(&mut self, now: Time, response: &Response, out: &mut Vec<Output>) -> bool {
        let Some(challenge) = Challenge::read(response.message, response.code) else { return false };
        let Some(client) = self.clients.get(response.key).filter(|client| client.proofs < PROOFS_MAX) else { return false };
        let (kind, id, flow, proofs) = (client.kind, client.dialog, client.home, client.proofs + 1);
        let (Some(trunk), request) = (client.trunk.clone(), client.request.clone()) else { return false };
        let Some(account) = self.trunks.get(&trunk).and_then(|known| known.account.clone()) else { return false };
        let message = Message::read(&request, usize::MAX).expect("our own request");
        let Start::Request { method, uri } = message.start else { return false };
        if challenge.was_answered(&message) && !challenge.stale {
            return false;
        }
        let own = Core::read(&message).expect("our own request").cseq;
        let cseq = id.and_then(|id| self.dialogs.get(&id)).map_or(own, |dialog| dialog.local_cseq) + 1;
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        if !self.renew(id, kind, response.key, (key, cseq)) {
            return false;
        }
        let count = self.uses(&trunk, &challenge.nonce);
        let line = (method, std::str::from_utf8(uri).expect("we write ASCII"));
        let extra = challenge.answer(&account, line, count, self.random.draw());
        let change = Change { uri: None, flow: &flow, branch: key.branch, cseq, extra: &extra, without: &[challenge.header] };
        let bytes = rewrite(&mut self.scratch, &message, &change);
        self.clients.open(now, Ask { key, kind, request: (flow, bytes), dialog: id, trunk: Some(trunk), proofs }, &mut self.timers, out);
        true
    }

    /// How often a trunk's nonce has been used, this time included.
    fn uses(&mut self, trunk: &Arc<str>, nonce: &str) -> u32 {
        let (known, count) = self.nonces.entry(trunk.clone()).or_default();
        if known != nonce {
            (*known, *count) = (nonce.to_string(), 0);
        }
        *count += 1;
        *count
    }

    /// No way to the peer any more: what waits for its answer goes elsewhere, or is over.
    pub(super) fn flow_failed(&mut self, now: Time, flow: &Flow, out: &mut Vec<Output>) {
        for (key, kind, dialog) in self.clients.open_on(flow) {
            let elsewhere = kind == Kind::Invite && dialog.is_some_and(|id| self.try_next_peer(now, id, out));
            let Some(client) = self.clients.fail(key, &mut self.timers).filter(|_| !elsewhere) else { continue };
            match (kind, client.dialog) {
                (Kind::Update, Some(id)) => self.refresh_refused(now, id, None),
                (Kind::Reinvite, Some(id)) => self.reoffer_failed(now, id, out),
                _ => self.unanswered(now, &client, out),
            }
        }
    }

    /// Something comes of an INVITE that went to another peer since, or to a telephone that had been silent: nobody wants it.
    pub(super) fn handle_abandoned(&mut self, now: Time, response: &Response, out: &mut Vec<Output>) {
        if let Some(client) = self.clients.get(response.key).filter(|client| client.trunk.is_none()) {
            out.extend(self.registrar.users_on(&client.home).map(|user| Output::Report(Report::Found { user: user.to_string() })));
        }
        if response.code < 200 && self.clients.get(ClientKey { cancel: true, ..response.key }).is_none() {
            self.send_cancel(now, response.key, None, out);
        } else if (200..300).contains(&response.code) {
            self.hang_up_fork(now, response, out);
        }
    }

    /// A final answer of 300 or above to our INVITE.
    pub(super) fn handle_refusal(&mut self, now: Time, id: DialogId, response: &Response, out: &mut Vec<Output>) {
        if response.code == 503 && self.try_next_peer(now, id, out) {
            return;
        }
        self.remove(id);
        out.push(Output::Report(Report::Refused { dialog: id, code: response.code }));
    }
}

/// A number at a peer.
fn peer_uri(user: &str, peer: &Peer) -> String {
    let mut uri = b"sip:".to_vec();
    if !user.is_empty() {
        escape_user(user, &mut uri);
        uri.push(b'@');
    }
    let uri = String::from_utf8(uri).expect("escaped");
    let tcp = if peer.transport == Transport::Tcp { ";transport=tcp" } else { "" };
    format!("{uri}{}{tcp}", peer.address)
}

/// `"Name" <sip:user@host:port>` of ours.
fn address_of(name: &str, user: &str, flow: &Flow) -> String {
    let mut text = Vec::new();
    if !name.is_empty() {
        let plain: String = name.chars().filter(|c| !c.is_control()).collect();
        text.extend_from_slice(format!("\"{}\" ", plain.replace('\\', "\\\\").replace('"', "\\\"")).as_bytes());
    }
    text.extend_from_slice(b"<sip:");
    if !user.is_empty() {
        escape_user(user, &mut text);
        text.push(b'@');
    }
    text.extend_from_slice(format!("{}>", flow.local).as_bytes());
    String::from_utf8(text).expect("made of text")
}

/// The location goes with the call itself, to be routed by (RFC 6442 §4).
const GEOLOCATION: &str = "Geolocation: <cid:location@careline>\r\nGeolocation-Routing: yes\r\n";

/// SDP and PIDF-LO in one body (RFC 2046 §5.1.3).
fn with_location(boundary: &str, sdp: &[u8], location: &str) -> Vec<u8> {
    let mut body = format!("--{boundary}\r\nContent-Type: application/sdp\r\n\r\n").into_bytes();
    body.extend_from_slice(sdp);
    let head =
        "Content-Type: application/pidf+xml\r\nContent-ID: <location@careline>\r\nContent-Disposition: by-reference;handling=optional";
    body.extend(format!("\r\n--{boundary}\r\n{head}\r\n\r\n{location}\r\n--{boundary}--\r\n").into_bytes());
    body
}
