//! Requests: what whoever sends them may ask for.

use super::parties::{Party, caller, dialled, is_dialable};
use super::{Endpoint, Request};
use crate::model::{Phi, PhoneNumber, Time};
use crate::sip::api::{Caller, DialogId, EMERGENCY, Output, Report};
use crate::sip::dialog::{Dialog, Reliability, Stage};
use crate::sip::key::{ServerKey, merge_key};
use crate::sip::message::{Header, Message, list, number, tokens};
use crate::sip::session::Said;
use crate::sip::writer::{ACCEPT, ALLOW, SUPPORTED};
use std::sync::Arc;

/// Methods of the IANA registry: refused with 405 where we do not have them, others with 501.
const KNOWN: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "INFO",
    "PRACK",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "MESSAGE",
    "REFER",
    "UPDATE",
];

/// With a 503: a trunk takes the call to another of its centres, and comes back after so many seconds.
const ELSEWHERE: &str = "Retry-After: 5\r\n";

/// Extensions that a peer may require.
const EXTENSIONS: [&str; 2] = ["100rel", "timer"];

impl Endpoint {
    pub(super) fn handle_request(&mut self, now: Time, request: Request, out: &mut Vec<Output>) {
        if request.method == "ACK" {
            if !self.servers.acknowledged(now, request.key, &mut self.timers) {
                self.handle_ack(now, &request, out);
            }
            return;
        }
        if self.servers.holds(request.key) {
            return self.servers.repeat(request.key, out);
        }
        if request.method == "CANCEL" {
            return self.handle_cancel(now, &request, out);
        }
        if let Some(code) = self.judge_uri(&request) {
            return self.refuse(&request, code, "", out);
        }
        let unsupported = unsupported(&request.message);
        if !unsupported.is_empty() {
            return self.refuse(&request, 420, &format!("Unsupported: {unsupported}\r\n"), out);
        }
        if request.core.to.tag().is_some() {
            if let Some(id) = self.dialog_of(&request.core) {
                return self.handle_within(now, id, request, out);
            }
            if request.method != "REGISTER" {
                let code = if matches!(self.party(&request), Party::Stranger) { 403 } else { 481 };
                return self.refuse(&request, code, "", out);
            }
        }
        self.handle_outside(now, request, out);
    }

    fn judge_uri(&self, request: &Request) -> Option<u16> {
        (!is_dialable(request.uri)).then_some(416)
    }

    fn handle_outside(&mut self, now: Time, request: Request, out: &mut Vec<Output>) {
        let party = self.party(&request);
        match (request.method, party) {
            (_, Party::Stranger) => {
                self.counts.forbidden += 1;
                self.refuse(&request, 403, "", out);
            }
            ("REGISTER", _) => self.handle_register(now, request, out),
            ("OPTIONS", Party::Trunk(_)) if self.draining => self.refuse(&request, 503, ELSEWHERE, out),
            ("OPTIONS", _) => self.refuse(&request, 200, &[ACCEPT, ALLOW, SUPPORTED].concat(), out),
            ("INVITE", Party::Trunk(trunk)) => self.handle_call(now, request, trunk, out),
            ("INVITE", Party::Station) => self.handle_station_call(now, request, out),
            ("BYE" | "INFO" | "PRACK" | "UPDATE", _) => self.refuse(&request, 481, "", out),
            (method, _) => self.refuse_method(method, &request, out),
        }
    }

    pub(super) fn refuse_method(&mut self, method: &str, request: &Request, out: &mut Vec<Output>) {
        let code = if KNOWN.contains(&method) { 405 } else { 501 };
        self.refuse(request, code, ALLOW, out);
    }

    /// A new call from a trunk.
    fn handle_call(&mut self, now: Time, request: Request, trunk: Arc<str>, out: &mut Vec<Output>) {
        let to = self.called(&request, &trunk);
        if self.settings.numbers.as_ref().is_some_and(|numbers| !numbers.contains(&to)) {
            self.counts.refused += 1;
            return self.refuse(&request, 404, "", out);
        }
        let judgement = if self.draining { Some((503, ELSEWHERE)) } else { self.judge_call(&request) };
        if let Some((code, extra)) = judgement {
            self.counts.refused += u64::from(code == 503);
            return self.refuse(&request, code, extra, out);
        }
        let from = caller(&request);
        self.admit(now, &request, (Caller::Trunk(trunk), from, to), out);
    }

    /// What a station dials. No challenge delays an emergency call that comes over the flow of a live registration, and no limit stops it.
    fn handle_station_call(&mut self, now: Time, request: Request, out: &mut Vec<Output>) {
        let to = dialled(&request);
        let claimed = request.core.from.uri().user().unwrap_or_default();
        let urgent = EMERGENCY.contains(&to.as_str()).then(|| self.registrar.user_of(&request.flow, &claimed)).flatten().map(String::from);
        let judgement = if urgent.is_some() { judge_offer(&request.message) } else { self.judge_call(&request) };
        if let Some((code, extra)) = judgement {
            return self.refuse(&request, code, extra, out);
        }
        let Some(user) = urgent.or_else(|| self.authenticate(now, &request, out)) else { return };
        if !self.is_registered(&user) {
            return self.answer_once(now, &request, 403, "", out);
        }
        self.admit(now, &request, (Caller::Station(user.clone()), Phi(user), to), out);
    }

    /// Why an INVITE cannot become a call, whoever sends it.
    fn judge_call(&mut self, request: &Request) -> Option<(u16, &'static str)> {
        let full = self.is_full_for(request.flow.remote.ip()) || self.dialogs.len() >= self.settings.limits.dialogs;
        self.counts.overloaded += u64::from(full);
        if full { Some((503, ELSEWHERE)) } else { judge_offer(&request.message) }
    }

    /// Makes an INVITE a call.
    fn admit(&mut self, now: Time, request: &Request, (who, from, to): (Caller, PhoneNumber, String), out: &mut Vec<Output>) {
        // A call may lead on from here: one without a hop left is going round in a circle (RFC 3261 §16.3).
        if request.message.first(Header::MaxForwards).and_then(number) == Some(0) {
            return self.answer_once(now, request, 483, "", out);
        }
        if let Some(least) = self.too_brief(&request.message) {
            return self.answer_once(now, request, 422, &least, out);
        }
        let core = &request.core;
        let merge = merge_key(self.secret, (core.call_id, core.from_tag(), core.cseq));
        if self.left.get(&merge).is_some_and(|until| now < *until) {
            return self.answer_once(now, request, 500, "", out);
        }
        if !self.merges.insert(merge) {
            return self.answer_once(now, request, 482, "", out);
        }
        let tag = self.random.draw();
        let mut dialog = Dialog::of_invite(&request.message, &request.core, request.key, request.flow, tag);
        dialog.merge = Some(merge);
        // A station may be behind any NAT: its requests go where its INVITE came from.
        dialog.pinned = matches!(who, Caller::Station(_));
        if let Caller::Trunk(trunk) = &who {
            dialog.trunk = Some(trunk.clone());
        }
        let id = self.keep(dialog);
        self.servers.open(request.key, true, request.reply_flow(), request.head(), tag, Some(id));
        self.servers.answer(now, request.key, (100, b"", b""), &mut self.timers, out);
        if self.dialogs[&id].reliability == Reliability::Required {
            self.ring(now, id, out);
        }
        let sdp = request.message.sdp().expect("judged").map(<[u8]>::to_vec);
        out.push(Output::Report(Report::Incoming { dialog: id, who, from, to, sdp, source: request.flow.remote }));
    }

    /// The refusal's header, if a request wants refreshes more often than we do.
    pub(super) fn too_brief(&self, message: &Message) -> Option<String> {
        let own = &self.settings.sessions;
        Said::read(message).is_brief(own).then(|| format!("Min-SE: {}\r\n", own.least))
    }

    /// A caller gave up before our 200 was sent; it may have been decided on, and wait for a PRACK.
    pub(super) fn caller_gone(&mut self, id: DialogId, out: &mut Vec<Output>) {
        let decided = self.dialogs.get(&id).and_then(|dialog| dialog.reliable.as_ref()).is_some_and(|reliable| reliable.answer.is_some());
        self.remove(id);
        out.push(Output::Report(if decided { Report::Ended { dialog: id, lost: false } } else { Report::Cancelled { dialog: id } }));
    }

    pub(super) fn keep(&mut self, dialog: Dialog) -> DialogId {
        self.last_dialog += 1;
        let id = DialogId(self.last_dialog);
        self.tags.insert(dialog.local_tag, id);
        self.dialogs.insert(id, dialog);
        id
    }

    /// CANCEL has the key of its INVITE but for the method (RFC 3261 §9.2). It is answered alike each time it comes.
    fn handle_cancel(&mut self, now: Time, request: &Request, out: &mut Vec<Output>) {
        let invite = ServerKey::of(self.secret, &request.message, &request.core, "INVITE");
        let Some(waiting) = self.servers.unanswered(invite) else {
            let code = if matches!(self.party(request), Party::Stranger) { 403 } else { 481 };
            return self.refuse(request, code, "", out);
        };
        let tag = self.servers.tag(invite).expect("it is there");
        let bytes = request.head().response(&mut self.scratch, 200, tag, b"", b"");
        out.push(Output::Send { flow: request.reply_flow(), bytes });
        self.servers.answer(now, invite, (487, b"", b""), &mut self.timers, out);
        let Some(id) = waiting else { return };
        match self.dialogs.get_mut(&id) {
            Some(dialog) if matches!(dialog.stage, Stage::Incoming(_)) => self.caller_gone(id, out),
            Some(dialog) => dialog.reoffer_in = None,
            None => {}
        }
    }
}

/// The required extensions that we lack, as a list.
fn unsupported(message: &Message) -> String {
    let required = message.all(Header::Require).flat_map(tokens);
    required.filter(|option| !EXTENSIONS.contains(option)).collect::<Vec<&str>>().join(", ")
}

/// Whether the answer to an INVITE can be SDP, and the offer is: the refusal otherwise.
pub(super) fn judge_offer(message: &Message) -> Option<(u16, &'static str)> {
    let takes = |value: &[u8]| {
        let kinds = list(value).map(|kind| kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii());
        kinds.into_iter().any(|kind| [&b"application/sdp"[..], b"application/*", b"*/*"].iter().any(|ours| kind.eq_ignore_ascii_case(ours)))
    };
    if message.has(Header::Accept) && !message.all(Header::Accept).any(takes) {
        return Some((406, ""));
    }
    if message.sdp().is_err() || message.first(Header::ContentEncoding).is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Some((415, ACCEPT));
    }
    let contact = message.first(Header::Contact).is_some_and(|value| value != b"*");
    (!contact).then_some((400, "Warning: 399 careline \"Missing Contact\"\r\n"))
}
