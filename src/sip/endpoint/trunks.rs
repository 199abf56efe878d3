//! Our own questions to trunks: REGISTER and OPTIONS, and what their answers mean.

use super::{Endpoint, Response};
use crate::model::Time;
use crate::sip::api::{Output, Peer, Registration, Report, Trunk};
use crate::sip::dialog::Dialog;
use crate::sip::key::ClientKey;
use crate::sip::message::{Core, Header, Message, NameAddr, list, number};
use crate::sip::transaction::{Ask, Client, Kind};
use crate::sip::trunk::{Errand, Outcome};
use crate::sip::writer::{ACCEPT, user_contact};
use std::sync::Arc;

impl Endpoint {
    /// Each trunk, and whether it is up.
    pub fn trunks(&self) -> impl Iterator<Item = (&Arc<str>, bool)> {
        self.trunks.states()
    }

    /// Takes trunks whose addresses have changed; what is known of those that stay as they were is kept.
    pub fn set_trunks(&mut self, trunks: Vec<Trunk>) {
        self.trunks.configure(&trunks);
        self.settings.trunks = trunks;
    }

    /// Asks every registrar at which we are to forget us (RFC 3261 §10.2.2); true while one has not answered.
    pub fn leave_trunks(&mut self, now: Time, out: &mut Vec<Output>) -> bool {
        self.trunks.leave(now);
        self.run_errands(now, out);
        self.is_leaving()
    }

    pub fn is_leaving(&self) -> bool {
        self.trunks.is_leaving()
    }

    pub(super) fn run_errands(&mut self, now: Time, out: &mut Vec<Output>) {
        let mut changed = Vec::new();
        for errand in self.trunks.due(now, &mut changed) {
            match errand {
                Errand::Options { trunk, peer } => self.ask_options(now, trunk, &peer, out),
                Errand::Register { trunk, registration, seconds, cseq } => {
                    self.ask_registrar(now, trunk, &registration, (seconds, cseq), out);
                }
            }
        }
        say(changed, out);
    }

    fn ask_options(&mut self, now: Time, trunk: Arc<str>, peer: &Peer, out: &mut Vec<Output>) {
        let Some(flow) = self.flow_to(peer) else { return };
        let (from, to) = (format!("<sip:{}>", flow.local), format!("<sip:{}>", peer.address));
        let call_id = format!("{:016x}", self.random.draw());
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        let uri = format!("sip:{}", peer.address);
        let asker = Dialog::to_send(key, flow, self.random.draw(), call_id, (from, to), uri);
        let (_, bytes) = asker.request(&mut self.scratch, "OPTIONS", 1, key.branch, ACCEPT.as_bytes(), b"");
        let ask = Ask { key, kind: Kind::Health, request: (flow, bytes), dialog: None, trunk: Some(trunk), proofs: 0 };
        self.clients.open(now, ask, &mut self.timers, out);
    }

    /// One Call-ID for all of a trunk's registrations, as RFC 3261 §10.2.4 asks.
    fn ask_registrar(&mut self, now: Time, trunk: Arc<str>, to: &Registration, (seconds, cseq): (u32, u32), out: &mut Vec<Output>) {
        let Some(flow) = self.flow_to(&to.registrar) else {
            let mut changed = Vec::new();
            self.trunks.registered(now, &trunk, cseq, Outcome::Nothing, &mut changed);
            return say(changed, out);
        };
        let user = self.trunks.get(&trunk).and_then(|known| known.account.as_ref()).map(|account| account.user.clone()).unwrap_or_default();
        let ours = format!("<sip:{user}@{}>", to.domain);
        let call_id = format!("{:016x}{trunk}", self.secret);
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        let asker = Dialog::to_send(key, flow, self.random.draw(), call_id, (ours.clone(), ours), format!("sip:{}", to.domain));
        let extra = format!("Contact: {}\r\nExpires: {seconds}\r\n", user_contact(Some(&user), &flow));
        let (_, bytes) = asker.request(&mut self.scratch, "REGISTER", cseq, key.branch, extra.as_bytes(), b"");
        let ask = Ask { key, kind: Kind::Register, request: (flow, bytes), dialog: None, trunk: Some(trunk), proofs: 0 };
        self.clients.open(now, ask, &mut self.timers, out);
    }

    /// A final answer to a REGISTER or OPTIONS of ours.
    pub(super) fn handle_errand_answer(&mut self, now: Time, kind: Kind, response: &Response, out: &mut Vec<Output>) {
        let client = self.clients.get(response.key).expect("just answered");
        let (Some(trunk), remote) = (client.trunk.clone(), client.flow.remote) else { return };
        let outcome = match response.code {
            200..300 if kind == Kind::Register => Outcome::Registered(granted(response.message, &client.request)),
            423 => Outcome::TooBrief(response.message.first(Header::MinExpires).and_then(number).map_or(0, small)),
            code => Outcome::Answered(code),
        };
        let mut changed = Vec::new();
        match kind {
            Kind::Register => self.trunks.registered(now, &trunk, response.core.cseq, outcome, &mut changed),
            _ => self.trunks.heard(&trunk, remote, outcome, &mut changed),
        }
        say(changed, out);
    }

    /// Nobody answered a REGISTER or OPTIONS of ours.
    pub(super) fn errand_failed(&mut self, now: Time, client: &Client, out: &mut Vec<Output>) {
        let Some(trunk) = &client.trunk else { return };
        let mut changed = Vec::new();
        match client.kind {
            Kind::Register => {
                let message = Message::read(&client.request, usize::MAX).expect("our own request");
                let cseq = Core::read(&message).expect("our own request").cseq;
                self.trunks.registered(now, trunk, cseq, Outcome::Nothing, &mut changed);
            }
            _ => self.trunks.heard(trunk, client.flow.remote, Outcome::Nothing, &mut changed),
        }
        say(changed, out);
    }
}

fn say(changed: Vec<(Arc<str>, bool)>, out: &mut Vec<Output>) {
    out.extend(changed.into_iter().map(|(name, up)| Output::Report(Report::TrunkState { name, up })));
}

/// For how long the registrar took our Contact: as it says beside that Contact, or for the whole answer, or as we asked.
fn granted(answer: &Message, request: &[u8]) -> u32 {
    let request = Message::read(request, usize::MAX).expect("our own request");
    let contact = |message: &Message| -> Option<Vec<u8>> {
        let value = list(message.first(Header::Contact)?).next()?;
        Some(NameAddr::read(value).ok()?.uri.to_vec())
    };
    let ours = contact(&request);
    let beside = answer.all(Header::Contact).flat_map(list).filter_map(|value| NameAddr::read(value).ok());
    let own = beside.filter(|given| Some(given.uri) == ours.as_deref()).find_map(|given| given.params.get("expires").and_then(number));
    let all = || answer.first(Header::Expires).and_then(number);
    let asked = || request.first(Header::Expires).and_then(number);
    own.or_else(all).or_else(asked).map_or(0, small)
}

fn small(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
