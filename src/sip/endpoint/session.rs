//! Keeping sessions: the refreshes that are our task, and the end of those that nobody refreshes (RFC 4028).

use super::{Endpoint, Response};
use crate::model::Time;
use crate::sip::api::{DialogId, Output, Report};
use crate::sip::dialog::{Cancel, Stage};
use crate::sip::key::ClientKey;
use crate::sip::message::{Core, Header, Message, number};
use crate::sip::session::{Said, Session, Side};
use crate::sip::timer::Timer;
use crate::sip::transaction::{Ask, Kind};
use crate::sip::writer::{ALLOW, Change, SUPPORTED, rewrite};
use std::time::Duration;

/// A refresh that could not be sent, or was refused, is tried again so much later.
const AGAIN: Duration = Duration::from_secs(5);

impl Endpoint {
    /// Begins a session, or refreshes it.
    fn keep_session(&mut self, now: Time, id: DialogId, (interval, ours): (u32, bool)) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let mut session = Session::new(now, interval, ours);
        session.timer = dialog.session.take().and_then(|old| old.timer);
        let next = session.next(now);
        self.timers.set(&mut session.timer, Some(next), Timer::Session(id));
        dialog.session = Some(session);
    }

    /// We answer a request that keeps the session; the headers that say so.
    pub(super) fn answer_session(&mut self, now: Time, id: DialogId) -> String {
        let Some(dialog) = self.dialogs.get(&id) else { return String::new() };
        let (interval, side, headers) = dialog.said.answer(&self.settings.sessions);
        self.keep_session(now, id, (interval, side == Side::Answerer));
        headers
    }

    /// A request of ours that keeps the session was answered.
    pub(super) fn settle_session(&mut self, now: Time, id: DialogId, answer: &Message) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        if answer.has(Header::Allow) {
            dialog.updates = answer.lists(Header::Allow, "UPDATE");
        }
        let asked = dialog.session.as_ref().map_or(self.settings.sessions.interval, |session| session.interval);
        let (interval, side) = Said::read(answer).settled(&self.settings.sessions, asked);
        self.keep_session(now, id, (interval, side == Side::Asker));
    }

    /// The session headers of a request of ours in a dialog.
    pub(super) fn session_headers(&self, id: DialogId) -> String {
        let session = self.dialogs.get(&id).and_then(|dialog| dialog.session.as_ref());
        let interval = session.map_or(self.settings.sessions.interval, |session| session.interval);
        self.settings.sessions.ask(interval, session.is_some_and(|session| session.ours))
    }

    pub(super) fn session_due(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let free = dialog.is_free();
        let Some(session) = dialog.session.as_mut() else { return };
        session.timer = None;
        if dialog.stage != Stage::Up || dialog.hang_up {
            return;
        }
        if now >= session.end {
            return self.lose(now, id, out);
        }
        let next = if free { session.end } else { session.end.min(now + AGAIN) };
        self.timers.set(&mut session.timer, Some(next), Timer::Session(id));
        if free {
            self.refresh(now, id, out);
        }
    }

    /// UPDATE without an offer where the peer takes it; else a re-INVITE that offers what it has already.
    fn refresh(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let dialog = self.dialogs.get(&id).expect("just seen");
        let (updates, sdp) = (dialog.updates, dialog.own_sdp.clone());
        let headers = self.session_headers(id);
        if updates {
            self.ask_within(now, id, ("UPDATE", Kind::Update), (format!("{SUPPORTED}{headers}").as_bytes(), b""), out);
            return;
        }
        let key = self.ask_within(now, id, ("INVITE", Kind::Reinvite), (format!("{ALLOW}{SUPPORTED}{headers}").as_bytes(), &sdp), out);
        let dialog = self.dialogs.get_mut(&id).expect("just seen");
        (dialog.reoffer_out, dialog.refreshes) = (Some(key), true);
    }

    /// A refresh was refused: it is tried again, while there is time.
    pub(super) fn refresh_refused(&mut self, now: Time, id: DialogId, wait: Option<Duration>) {
        let Some(session) = self.dialogs.get_mut(&id).and_then(|dialog| dialog.session.as_mut()) else { return };
        let next = session.end.min(now + wait.unwrap_or(AGAIN));
        self.timers.set(&mut session.timer, Some(next), Timer::Session(id));
    }

    /// The way to the peer was lost under a re-INVITE of ours: the call goes on as it was (RFC 5057 §5.1: as after a 503).
    pub(super) fn reoffer_failed(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.reoffer_out = None;
        match std::mem::take(&mut dialog.refreshes) {
            true => self.refresh_refused(now, id, None),
            false if dialog.stage == Stage::Up && !dialog.hang_up => {
                out.push(Output::Report(Report::ReofferRefused { dialog: id, code: 503 }))
            }
            false => {}
        }
    }

    /// The answer to an UPDATE of ours.
    pub(super) fn handle_update_answer(&mut self, now: Time, id: DialogId, response: &Response, out: &mut Vec<Output>) {
        match response.code {
            ..300 => self.settle_session(now, id, response.message),
            408 | 481 => self.lose(now, id, out),
            405 | 501 => {
                if let Some(dialog) = self.dialogs.get_mut(&id) {
                    dialog.updates = false;
                }
                self.refresh_refused(now, id, Some(Duration::ZERO));
            }
            _ => self.refresh_refused(now, id, None),
        }
    }

    /// 422 to a request of ours: the same again with the interval that the peer can bear. False if it makes no sense.
    pub(super) fn lengthen(&mut self, now: Time, response: &Response, out: &mut Vec<Output>) -> bool {
        let least = response.message.first(Header::MinSe).and_then(number).and_then(|least| u32::try_from(least).ok());
        let Some((client, least)) = self.clients.get(response.key).zip(least) else { return false };
        let (kind, flow, trunk, proofs) = (client.kind, client.flow, client.trunk.clone(), client.proofs);
        let (Some(id), request) = (client.dialog, client.request.clone()) else { return false };
        let message = Message::read(&request, usize::MAX).expect("our own request");
        if Said::read(&message).interval.is_none_or(|asked| asked >= least) {
            return false;
        }
        let cseq = self.dialogs.get(&id).map_or(Core::read(&message).expect("our own request").cseq, |dialog| dialog.local_cseq) + 1;
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        if !self.renew(Some(id), kind, response.key, (key, cseq)) {
            return false;
        }
        let extra = format!("Session-Expires: {least}\r\nMin-SE: {least}\r\n");
        let without = [Header::SessionExpires, Header::MinSe];
        let change = Change { uri: None, flow: &flow, branch: key.branch, cseq, extra: &extra, without: &without };
        let bytes = rewrite(&mut self.scratch, &message, &change);
        self.clients.open(now, Ask { key, kind, request: (flow, bytes), dialog: Some(id), trunk, proofs }, &mut self.timers, out);
        true
    }

    /// Makes the dialog wait for the request's new transaction; false if it no longer waits for the old one.
    pub(super) fn renew(&mut self, id: Option<DialogId>, kind: Kind, old: ClientKey, (key, cseq): (ClientKey, u32)) -> bool {
        let Some(id) = id else { return !matches!(kind, Kind::Invite | Kind::Cancel) };
        let Some(dialog) = self.dialogs.get_mut(&id) else { return false };
        match (&mut dialog.stage, kind) {
            (Stage::Outgoing { invite, provisional, cancel: Cancel::No }, Kind::Invite) if *invite == old => {
                (*invite, *provisional) = (key, false);
            }
            (_, Kind::Invite | Kind::Cancel) => return false,
            (_, Kind::Reinvite) => dialog.reoffer_out = Some(key),
            _ => {}
        }
        dialog.local_cseq = dialog.local_cseq.max(cseq);
        true
    }
}
