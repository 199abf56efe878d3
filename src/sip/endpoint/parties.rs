//! Whose request it is, and how they prove it.

use super::{Endpoint, Request};
use crate::model::{Phi, PhoneNumber, Time};
use crate::sip::api::{EMERGENCY, Output};
use crate::sip::auth::Verdict;
use crate::sip::message::{Header, NameAddr, Scheme, Uri, list, unescape};
use std::sync::Arc;

/// Whose request it is.
pub(super) enum Party {
    /// It comes over a flow with a live registration, or asks for what only a station may.
    Station,
    Trunk(Arc<str>),
    Stranger,
}

impl Endpoint {
    pub(super) fn party(&self, request: &Request) -> Party {
        if self.registrar.is_station(&request.flow) || request.method == "REGISTER" || is_feature_code(request) {
            return Party::Station;
        }
        let source = request.flow.remote.ip();
        let trunk = self.settings.trunks.iter().find(|trunk| trunk.holds(source));
        match trunk {
            Some(trunk) => Party::Trunk(trunk.name.clone()),
            // A telephone that registered by a datagram brings what is too big for one by a connection.
            None if self.registrar.is_host(source) => Party::Station,
            None => Party::Stranger,
        }
    }

    /// The number that a trunk's INVITE is for: the user of the Request-URI; but a trunk that we register at may aim at our Contact, and
    /// names the number in To.
    pub(super) fn called(&self, request: &Request, trunk: &Arc<str>) -> String {
        let to = dialled(request);
        let account = self.trunks.get(trunk).filter(|known| known.register.is_some()).and_then(|known| known.account.as_ref());
        let aims_at_us = account.is_some_and(|account| account.user == to);
        if aims_at_us { request.core.to.uri().user().unwrap_or(to) } else { to }
    }

    /// The user that a request proves to be; otherwise it has been challenged.
    pub(super) fn authenticate(&mut self, now: Time, request: &Request, out: &mut Vec<Output>) -> Option<String> {
        let claimed = if request.method == "REGISTER" { &request.core.to } else { &request.core.from };
        let user = claimed.uri().user().unwrap_or_default();
        let known = self.settings.users.get(&user);
        let verdict = self.auth.judge(now, &request.message, (request.method, request.uri), &self.settings.realm, (&user, known));
        let source = request.flow.remote.ip();
        let trusted = self.registrar.is_station(&request.flow) || self.settings.trunks.iter().any(|trunk| trunk.holds(source));
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

/// What was dialled: the user of the Request-URI, a telephone number (RFC 3966), or for a call for help by its service (RFC 5031) its number.
pub(super) fn dialled(request: &Request) -> String {
    if is_help(request.uri) { EMERGENCY[0].to_string() } else { number(request.uri).unwrap_or_default() }
}

/// Whether a Request-URI means something here.
pub(super) fn is_dialable(uri: &[u8]) -> bool {
    let known = Uri::read(uri).is_ok_and(|uri| uri.scheme != Scheme::Other);
    known || is_help(uri) || number(uri).is_some_and(|number| !number.is_empty())
}

fn is_help(uri: &[u8]) -> bool {
    const HELP: &[u8] = b"urn:service:sos";
    uri.get(..HELP.len()).is_some_and(|start| start.eq_ignore_ascii_case(HELP)) && matches!(uri.get(HELP.len()), None | Some(b'.'))
}

/// The user of a SIP URI or the number of a telephone URI, without the marks that people write into numbers.
fn number(uri: &[u8]) -> Option<String> {
    let read = Uri::read(uri).ok()?;
    let user = match read.scheme {
        Scheme::Other if uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"tel:")) => {
            unescape(read.host.split(';').next().unwrap_or_default())
        }
        Scheme::Other => return None,
        _ => read.user()?,
    };
    let marks = |c: char| "-.()".contains(c);
    let digits = user.strip_prefix('+').unwrap_or(&user);
    let written = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || marks(c));
    Some(if written { user.replace(marks, "") } else { user })
}

/// The caller's number: P-Asserted-Identity before From (a trunk is trusted, RFC 3325); empty if the caller withholds it.
pub(super) fn caller(request: &Request) -> PhoneNumber {
    let message = &request.message;
    let private = message.all(Header::Privacy).any(|value| {
        value
            .split(|b| matches!(b, b';' | b','))
            .map(<[u8]>::trim_ascii)
            .any(|p| p.eq_ignore_ascii_case(b"id") || p.eq_ignore_ascii_case(b"user"))
    });
    let asserted =
        message.all(Header::Assertion).flat_map(list).filter_map(|value| NameAddr::read(value).ok()).find_map(|party| number(party.uri));
    let named = asserted.clone().or_else(|| number(request.core.from.uri)).unwrap_or_default();
    let nowhere = request.core.from.uri().host.eq_ignore_ascii_case("anonymous.invalid");
    let hidden =
        private || asserted.is_none() && nowhere || named.eq_ignore_ascii_case("anonymous") || named.eq_ignore_ascii_case("unavailable");
    Phi(if hidden { String::new() } else { named })
}
