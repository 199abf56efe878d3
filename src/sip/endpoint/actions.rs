//! What can be asked of a dialog. An action that comes too late does nothing: late truth is normal.

use super::Endpoint;
use crate::model::Time;
use crate::sip::api::{DialogId, Flow, Output, Reason};
use crate::sip::dialog::{Answer, Cancel, Stage, hop_request};
use crate::sip::key::ClientKey;
use crate::sip::timer::{T1, T1_X64, Timer};
use crate::sip::transaction::{Ask, Kind};
use crate::sip::writer::{ALLOW, SUPPORTED, contact};
use std::sync::Arc;

impl Endpoint {
    /// 200 to their INVITE, again until its ACK; [`Report::Acked`](crate::sip::Report::Acked) or `Ended { lost }` follows.
    pub fn accept(&mut self, now: Time, dialog: DialogId, sdp: &[u8], out: &mut Vec<Output>) {
        let Some(Stage::Incoming(key)) = self.dialogs.get(&dialog).map(|dialog| dialog.stage) else { return };
        if let Some(reliable) = self.dialogs.get_mut(&dialog).and_then(|known| known.reliable.as_mut()) {
            // Not before the PRACK, so that nothing overtakes (RFC 3262 §3).
            reliable.answer = Some(sdp.to_vec());
            return;
        }
        let extra = self.success_headers(now, dialog, sdp);
        let sent = self.servers.answer(now, key, (200, extra.as_bytes(), sdp), &mut self.timers, out);
        let Some(known) = self.dialogs.get_mut(&dialog) else { return };
        known.stage = Stage::Up;
        self.repeat_answer(now, dialog, sent);
    }

    /// The headers of a 200 that describes a session; it is kept from now on.
    pub(super) fn success_headers(&mut self, now: Time, id: DialogId, sdp: &[u8]) -> String {
        let session = self.answer_session(now, id);
        let dialog = self.dialogs.get_mut(&id).expect("just found");
        if !sdp.is_empty() {
            dialog.own_sdp = sdp.into();
        }
        format!("Contact: {}\r\n{ALLOW}{SUPPORTED}{session}", contact(&dialog.flow))
    }

    fn repeat_answer(&mut self, now: Time, id: DialogId, sent: Option<(Flow, Arc<[u8]>)>) {
        let (Some((flow, bytes)), Some(dialog)) = (sent, self.dialogs.get_mut(&id)) else { return };
        let cseq = dialog.invite_cseq;
        let answer = dialog.answer.insert(Answer { flow, bytes, cseq, interval: T1, resend: None, end: None });
        self.timers.set(&mut answer.resend, Some(now + T1), Timer::AnswerResend(id));
        self.timers.set(&mut answer.end, Some(now + T1_X64), Timer::AnswerEnd(id));
    }

    /// Refuses their INVITE with a code of 300 or above. There is no last word.
    pub fn reject(&mut self, now: Time, dialog: DialogId, code: u16, out: &mut Vec<Output>) {
        assert!((300..700).contains(&code), "{code} refuses nothing");
        let Some(Stage::Incoming(key)) = self.dialogs.get(&dialog).map(|dialog| dialog.stage) else { return };
        let extra: &[u8] = if code == 503 { b"Retry-After: 5\r\n" } else { b"" };
        self.servers.answer(now, key, (code, extra, b""), &mut self.timers, out);
        self.remove(dialog);
    }

    /// Gives up our INVITE: one of Refused, LateAnswer and Timeout follows. The CANCEL waits for a provisional answer.
    pub fn cancel(&mut self, now: Time, dialog: DialogId, reason: Option<Reason>, out: &mut Vec<Output>) {
        if self.cancel_all(now, dialog, reason, out) {
            return;
        }
        let Some(Stage::Outgoing { invite, provisional, cancel }) = self.dialogs.get_mut(&dialog).map(|dialog| &mut dialog.stage) else {
            return;
        };
        match (*cancel, *provisional) {
            (Cancel::No, false) => *cancel = Cancel::Wanted(reason),
            (Cancel::No, true) => {
                *cancel = Cancel::Sent;
                let invite = *invite;
                self.send_cancel(now, invite, reason, out);
            }
            _ => {}
        }
    }

    pub(super) fn send_cancel(&mut self, now: Time, invite: ClientKey, reason: Option<Reason>, out: &mut Vec<Output>) {
        let Some(client) = self.clients.get(invite) else { return };
        let extra: &[u8] = match reason {
            Some(Reason::CompletedElsewhere) => b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n",
            None => b"",
        };
        let (flow, request, dialog, trunk) = (client.flow, client.request.clone(), client.dialog, client.trunk.clone());
        let bytes = hop_request(&mut self.scratch, &request, "CANCEL", None, extra);
        let key = ClientKey { cancel: true, ..invite };
        let ask = Ask { key, kind: Kind::Cancel, request: (flow, bytes), dialog, trunk, proofs: 0 };
        self.clients.open(now, ask, &mut self.timers, out);
        self.clients.limit(now + T1_X64, invite, &mut self.timers);
    }

    /// Ends the dialog, in whatever stage it is: BYE (after the ACK to our 200, if that is still out), CANCEL, or 480.
    pub fn bye(&mut self, now: Time, dialog: DialogId, out: &mut Vec<Output>) {
        if self.cancel_all(now, dialog, None, out) {
            return;
        }
        let Some(known) = self.dialogs.get_mut(&dialog) else { return };
        match known.stage {
            Stage::Up if known.answer.is_some() => known.hang_up = true,
            Stage::Up => self.send_bye(now, dialog, None, out),
            Stage::Incoming(_) => self.reject(now, dialog, 480, out),
            Stage::Outgoing { .. } => self.cancel(now, dialog, None, out),
            Stage::Closing => {}
        }
    }

    pub(super) fn send_bye(&mut self, now: Time, id: DialogId, reason: Option<Reason>, out: &mut Vec<Output>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.stage = Stage::Closing;
        if let Some(key) = dialog.reoffer_in.take() {
            self.servers.answer(now, key, (487, b"", b""), &mut self.timers, out);
        }
        let extra: &[u8] = if reason.is_some() { b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n" } else { b"" };
        self.ask_within(now, id, ("BYE", Kind::Bye), (extra, b""), out);
    }

    /// Sends a request in a dialog, with further header lines and a body.
    pub(super) fn ask_within(
        &mut self,
        now: Time,
        id: DialogId,
        (method, kind): (&str, Kind),
        (extra, body): (&[u8], &[u8]),
        out: &mut Vec<Output>,
    ) -> ClientKey {
        let dialog = self.dialogs.get_mut(&id).expect("who asks has just seen it");
        dialog.local_cseq += 1;
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        let request = dialog.request(&mut self.scratch, method, dialog.local_cseq, key.branch, extra, body);
        let ask = Ask { key, kind, request, dialog: Some(id), trunk: dialog.trunk.clone(), proofs: 0 };
        self.clients.open(now, ask, &mut self.timers, out);
        key
    }

    /// Asks an established peer whether it is still there (OPTIONS in the dialog). 481, or no answer within the limit, ends the
    /// dialog as lost.
    pub fn probe(&mut self, now: Time, dialog: DialogId, out: &mut Vec<Output>) {
        if self.dialogs.get(&dialog).is_some_and(|known| known.stage == Stage::Up) {
            let asked = self.ask_within(now, dialog, ("OPTIONS", Kind::Other), (b"", b""), out);
            self.clients.limit(now + self.settings.limits.probe, asked, &mut self.timers);
        }
    }

    /// Offers anew in an established dialog. False if it cannot be done now: another offer is open.
    pub fn reoffer(&mut self, now: Time, dialog: DialogId, sdp: &[u8], out: &mut Vec<Output>) -> bool {
        let Some(known) = self.dialogs.get_mut(&dialog).filter(|known| known.is_free()) else { return false };
        known.own_sdp = sdp.into();
        let headers = format!("{ALLOW}{SUPPORTED}{}", self.session_headers(dialog));
        let key = self.ask_within(now, dialog, ("INVITE", Kind::Reinvite), (headers.as_bytes(), sdp), out);
        self.dialogs.get_mut(&dialog).expect("just seen").reoffer_out = Some(key);
        true
    }

    /// 200 to their re-INVITE or UPDATE, with our answer (or, to one without an offer, our offer).
    pub fn answer_reoffer(&mut self, now: Time, dialog: DialogId, sdp: &[u8], out: &mut Vec<Output>) {
        let Some(key) = self.dialogs.get_mut(&dialog).and_then(|known| known.reoffer_in.take()) else { return };
        let extra = self.success_headers(now, dialog, sdp);
        let invite = self.servers.is_invite(key);
        let sent = self.servers.answer(now, key, (200, extra.as_bytes(), sdp), &mut self.timers, out);
        if invite {
            self.repeat_answer(now, dialog, sent);
        }
    }

    /// Refuses their re-INVITE or UPDATE (488, 491…): the dialog stands as it was.
    pub fn reject_reoffer(&mut self, now: Time, dialog: DialogId, code: u16, out: &mut Vec<Output>) {
        assert!((300..700).contains(&code), "{code} refuses nothing");
        let Some(key) = self.dialogs.get_mut(&dialog).and_then(|known| known.reoffer_in.take()) else { return };
        self.servers.answer(now, key, (code, b"", b""), &mut self.timers, out);
    }
}
