//! Requests: whom they come from, and what that allows.

use super::{Endpoint, Request};
use crate::model::{Phi, PhoneNumber, Time};
use crate::sip::api::{DialogId, Output, Report};
use crate::sip::auth::Verdict;
use crate::sip::dialog::{Dialog, Stage};
use crate::sip::key::{ServerKey, merge_key};
use crate::sip::message::{Header, Message, NameAddr, Scheme, Uri, list, tokens, unescape};
use crate::sip::writer::{ACCEPT, ALLOW};
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

/// Extensions that a peer may require.
const SUPPORTED: [&str; 0] = [];

/// Whose request it is.
enum Party {
    /// It comes over a flow with a live registration, or asks for what only a station may.
    Station,
    Trunk(Arc<str>),
    Stranger,
}

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
        let uri = Uri::read(request.uri).expect("checked");
        (uri.scheme == Scheme::Other).then_some(416)
    }

    fn party(&self, request: &Request) -> Party {
        if self.registrar.is_station(&request.flow) || request.method == "REGISTER" || is_feature_code(request) {
            return Party::Station;
        }
        let source = request.flow.remote.ip();
        let trunk = self.settings.trunks.iter().find(|trunk| trunk.addresses.iter().any(|network| network.contains(source)));
        trunk.map_or(Party::Stranger, |trunk| Party::Trunk(trunk.name.clone()))
    }

    fn handle_outside(&mut self, now: Time, request: Request, out: &mut Vec<Output>) {
        let party = self.party(&request);
        match (request.method, party) {
            (_, Party::Stranger) => {
                self.counts.forbidden += 1;
                self.refuse(&request, 403, "", out);
            }
            ("REGISTER", _) => self.handle_register(now, request, out),
            ("OPTIONS", _) => self.refuse(&request, 200, &[ACCEPT, ALLOW].concat(), out),
            ("INVITE", Party::Trunk(trunk)) => self.handle_invite(now, request, trunk, out),
            ("INVITE", Party::Station) => {
                if self.authenticate(now, &request, out).is_some() {
                    self.refuse(&request, 403, "", out);
                }
            }
            ("BYE" | "INFO", _) => self.refuse(&request, 481, "", out),
            (method, _) => self.refuse_method(method, &request, out),
        }
    }

    pub(super) fn refuse_method(&mut self, method: &str, request: &Request, out: &mut Vec<Output>) {
        let code = if KNOWN.contains(&method) { 405 } else { 501 };
        self.refuse(request, code, ALLOW, out);
    }

    /// A new call from a trunk.
    fn handle_invite(&mut self, now: Time, request: Request, trunk: Arc<str>, out: &mut Vec<Output>) {
        let to = Uri::read(request.uri).expect("checked").user().unwrap_or_default();
        if self.settings.numbers.as_ref().is_some_and(|numbers| !numbers.contains(&to)) {
            return self.refuse(&request, 404, "", out);
        }
        if let Some((code, extra)) = judge_offer(&request.message) {
            return self.refuse(&request, code, extra, out);
        }
        if self.is_full() || self.dialogs.len() >= self.settings.limits.dialogs {
            self.counts.overloaded += 1;
            return self.refuse(&request, 503, "Retry-After: 5\r\n", out);
        }
        let merge = merge_key(self.secret, &request.core);
        if !self.merges.insert(merge) {
            return self.refuse(&request, 482, "", out);
        }
        let tag = self.random.draw();
        let mut dialog = Dialog::of_invite(&request.message, &request.core, request.key, request.flow, tag);
        dialog.merge = Some(merge);
        let id = self.keep(dialog);
        self.servers.open(request.key, true, request.reply_flow(), request.head(), tag, Some(id));
        self.servers.answer(now, request.key, (100, b"", b""), &mut self.timers, out);
        let sdp = request.message.sdp().expect("judged").map(<[u8]>::to_vec);
        out.push(Output::Report(Report::Incoming { dialog: id, from: caller(&request), to, sdp, trunk, source: request.flow.remote }));
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
            Some(dialog) if matches!(dialog.stage, Stage::Incoming(_)) => {
                self.remove(id);
                out.push(Output::Report(Report::Cancelled { dialog: id }));
            }
            Some(dialog) => dialog.reoffer_in = None,
            None => {}
        }
    }

    /// The user that a request proves to be; otherwise it has been challenged.
    pub(super) fn authenticate(&mut self, now: Time, request: &Request, out: &mut Vec<Output>) -> Option<String> {
        let claimed = if request.method == "REGISTER" { &request.core.to } else { &request.core.from };
        let user = claimed.uri().user().unwrap_or_default();
        let known = self.settings.users.get(&user);
        let verdict = self.auth.judge(now, &request.message, (request.method, request.uri), &self.settings.realm, (&user, known));
        let source = request.flow.remote.ip();
        let trusted =
            self.registrar.is_station(&request.flow) || self.settings.trunks.iter().any(|t| t.addresses.iter().any(|n| n.contains(source)));
        if verdict == Verdict::Good {
            self.sources.forgive(source);
            return Some(user);
        }
        if !trusted && !self.sources.allow(now, source) {
            self.counts.forbidden += 1;
            self.refuse(request, 403, "", out);
            return None;
        }
        self.counts.challenged += 1;
        let user_agent = request.message.first(Header::UserAgent).unwrap_or_default();
        let challenge = self.auth.challenge(now, &self.settings.realm, verdict == Verdict::Stale, user_agent, &mut self.random);
        self.refuse(request, 401, &challenge, out);
        None
    }
}

fn is_feature_code(request: &Request) -> bool {
    let uri = Uri::read(request.uri).expect("checked");
    request.method == "INVITE" && uri.user.is_some_and(|user| user.starts_with('*') || user.starts_with("%2A") || user.starts_with("%2a"))
}

/// The required extensions that we lack, as a list.
fn unsupported(message: &Message) -> String {
    let required = message.all(Header::Require).flat_map(tokens);
    required.filter(|option| !SUPPORTED.contains(option)).collect::<Vec<&str>>().join(", ")
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

/// The caller's number: P-Asserted-Identity before From (a trunk is trusted, RFC 3325); empty if the caller withholds it.
fn caller(request: &Request) -> PhoneNumber {
    let message = &request.message;
    let private = message.all(Header::Privacy).any(|value| {
        value
            .split(|b| matches!(b, b';' | b','))
            .map(<[u8]>::trim_ascii)
            .any(|p| p.eq_ignore_ascii_case(b"id") || p.eq_ignore_ascii_case(b"user"))
    });
    let number = |party: &NameAddr| {
        let uri = party.uri();
        match uri.scheme {
            Scheme::Other if party.uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"tel:")) => {
                Some(unescape(uri.host.split(';').next().unwrap_or_default()))
            }
            Scheme::Other => None,
            _ => uri.user(),
        }
    };
    let asserted =
        message.all(Header::Assertion).flat_map(list).filter_map(|value| NameAddr::read(value).ok()).find_map(|party| number(&party));
    let named = asserted.or_else(|| number(&request.core.from)).unwrap_or_default();
    let hidden = private || named.eq_ignore_ascii_case("anonymous") || named.eq_ignore_ascii_case("unavailable");
    Phi(if hidden { String::new() } else { named })
}
