//! REGISTER (RFC 3261 §10.3): digest, then contacts.

use super::{Endpoint, Request};
use crate::model::Time;
use crate::sip::api::{Output, Report};
use crate::sip::message::{Header, NameAddr, Scheme, list, number};
use crate::sip::registrar::{Denied, Wish};
use std::fmt::Write as _;

/// What a REGISTER wants of the contacts.
enum Wishes {
    Clear,
    /// None: only a question.
    Each(Vec<Wish>),
}

const EXPIRES_DEFAULT: u32 = 3600;

impl Endpoint {
    pub(super) fn handle_register(&mut self, now: Time, request: Request, out: &mut Vec<Output>) {
        if request.core.to.uri().scheme == Scheme::Other {
            return self.refuse(&request, 400, "Warning: 399 careline \"To is no SIP URI\"\r\n", out);
        }
        let wishes = match wishes(&request) {
            Ok(wishes) => wishes,
            Err(why) => return self.refuse(&request, 400, &format!("Warning: 399 careline \"{why}\"\r\n"), out),
        };
        let Some(user) = self.authenticate(now, &request, out) else { return };
        if self.is_full_for(request.flow.remote.ip()) {
            self.counts.overloaded += 1;
            return self.refuse(&request, 503, "Retry-After: 5\r\n", out);
        }
        let before = self.is_registered(&user);
        if let Err((code, extra)) = self.bind(now, &user, &request, wishes) {
            return self.answer_once(now, &request, code, &extra, out);
        }
        let mut contacts = String::new();
        for binding in self.registrar.bindings(&user) {
            let _ = write!(contacts, "Contact: <{}>;expires={}\r\n", binding.uri, binding.expires.since(now).as_secs());
        }
        self.answer_once(now, &request, 200, &contacts, out);
        self.ring_newcomers(now, &user, out);
        let asked = request.message.has(Header::Contact);
        match (before, self.is_registered(&user)) {
            (fresh, true) if asked => out.push(Output::Report(Report::Registered { user, fresh: !fresh, flow: request.flow })),
            (true, false) => out.push(Output::Report(Report::Unregistered { user })),
            _ => {}
        }
    }

    fn bind(&mut self, now: Time, user: &str, request: &Request, wishes: Wishes) -> Result<(), (u16, String)> {
        let limits = &self.settings.limits;
        let mut wishes = match wishes {
            Wishes::Clear => {
                self.registrar.clear(user);
                return Ok(());
            }
            Wishes::Each(wishes) => wishes,
        };
        if wishes.iter().any(|wish| (1..limits.expires_min).contains(&wish.seconds)) {
            return Err((423, format!("Min-Expires: {}\r\n", limits.expires_min)));
        }
        wishes.iter_mut().for_each(|wish| wish.seconds = wish.seconds.min(limits.expires_max));
        let from = (request.flow, request.core.call_id, request.core.cseq);
        let before = self.registrar.register(now, user, from, &wishes, limits.contacts).map_err(|denied| match denied {
            Denied::OutOfOrder => (500, "Retry-After: 1\r\n".to_string()),
            Denied::TooMany => (403, "Warning: 399 careline \"Too many contacts\"\r\n".to_string()),
        })?;
        for wish in wishes.iter().filter(|wish| wish.seconds > 0) {
            self.dialogs.values_mut().for_each(|dialog| dialog.station_registered(&wish.uri, &before, request.flow));
        }
        Ok(())
    }
}

fn wishes(request: &Request) -> Result<Wishes, &'static str> {
    let message = &request.message;
    let seconds = |value: &[u8]| number(value).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let default = message.first(Header::Expires).map_or(EXPIRES_DEFAULT, |value| seconds(value).unwrap_or(EXPIRES_DEFAULT));
    let contacts: Vec<&[u8]> = message.all(Header::Contact).flat_map(list).collect();
    if contacts.contains(&&b"*"[..]) {
        let alone = contacts.len() == 1 && message.first(Header::Expires).and_then(number) == Some(0);
        return if alone { Ok(Wishes::Clear) } else { Err("Contact: * goes with Expires: 0 and nothing else") };
    }
    let mut wishes = Vec::with_capacity(contacts.len());
    for contact in contacts {
        let contact = NameAddr::read(contact).map_err(|flaw| flaw.0)?;
        let uri = contact.uri();
        if uri.scheme == Scheme::Other || uri.headers.is_some() {
            return Err("A contact must be a SIP URI without headers");
        }
        let seconds = contact.params.get("expires").map_or(default, |value| seconds(value).unwrap_or(EXPIRES_DEFAULT));
        let uri = String::from_utf8_lossy(contact.uri).into_owned();
        wishes.push(Wish { uri, seconds, instance: contact.params.get("+sip.instance").map(<[u8]>::to_vec) });
    }
    Ok(Wishes::Each(wishes))
}
