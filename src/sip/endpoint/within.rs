//! Requests in a dialog, and the ACK to our 200.

use super::requests::judge_offer;
use super::{Endpoint, Request};
use crate::model::{Phi, Time};
use crate::sip::api::{DialogId, Output, Report};
use crate::sip::dialog::Stage;
use crate::sip::key::tag;
use crate::sip::message::Core;
use crate::sip::session::Said;
use crate::sip::timer::{T2, Timer};
use crate::sip::writer::{ACCEPT, ALLOW, SUPPORTED};

impl Endpoint {
    /// The dialog that a request says it is in; its tags and its Call-ID must all be right.
    pub(super) fn dialog_of(&self, core: &Core) -> Option<DialogId> {
        let id = *self.tags.get(&tag(core.to_tag())?)?;
        self.dialogs.get(&id).filter(|dialog| dialog.belongs(core)).map(|_| id)
    }

    pub(super) fn handle_within(&mut self, now: Time, id: DialogId, request: Request, out: &mut Vec<Output>) {
        let dialog = self.dialogs.get_mut(&id).expect("just found");
        if dialog.remote_cseq.is_some_and(|last| request.core.cseq < last) {
            return self.refuse(&request, 500, "Retry-After: 1\r\n", out);
        }
        dialog.remote_cseq = Some(request.core.cseq);
        dialog.follow(request.flow);
        let early = matches!(dialog.stage, Stage::Outgoing { .. });
        match request.method {
            // The callee of an early dialog refuses the INVITE instead (RFC 3261 §15).
            "BYE" | "INVITE" | "PRACK" if early => self.answer_once(now, &request, 481, "", out),
            "PRACK" => self.handle_prack(now, id, &request, out),
            "UPDATE" => self.handle_update(now, id, &request, out),
            "BYE" => self.handle_bye(now, id, &request, out),
            "INVITE" => self.handle_reinvite(now, id, &request, out),
            "INFO" => self.handle_info(now, id, &request, out),
            "OPTIONS" => self.answer_once(now, &request, 200, &[ACCEPT, ALLOW, SUPPORTED].concat(), out),
            method => self.refuse_method(method, &request, out),
        }
    }

    fn handle_bye(&mut self, now: Time, id: DialogId, request: &Request, out: &mut Vec<Output>) {
        self.answer_once(now, request, 200, "", out);
        let dialog = self.dialogs.get(&id).expect("just found");
        let (stage, hang_up, reoffer) = (dialog.stage, dialog.hang_up, dialog.reoffer_in);
        if let Some(key) = reoffer {
            self.servers.answer(now, key, (487, b"", b""), &mut self.timers, out);
        }
        match stage {
            Stage::Incoming(key) => {
                self.servers.answer(now, key, (487, b"", b""), &mut self.timers, out);
                return self.caller_gone(id, out);
            }
            Stage::Up if !hang_up => out.push(Output::Report(Report::Ended { dialog: id, lost: false })),
            _ => {}
        }
        self.remove(id);
    }

    /// An UPDATE (RFC 3311): a refresh of the session, or a new offer that wants its answer at once.
    fn handle_update(&mut self, now: Time, id: DialogId, request: &Request, out: &mut Vec<Output>) {
        if let Some(least) = self.too_brief(&request.message) {
            return self.answer_once(now, request, 422, &least, out);
        }
        let dialog = self.dialogs.get_mut(&id).expect("just found");
        let offer = match request.message.sdp() {
            Ok(offer) => offer,
            Err(_) => return self.answer_once(now, request, 415, ACCEPT, out),
        };
        let refusal = match (offer, dialog.stage) {
            (_, Stage::Closing) => Some((481, "")),
            (None, _) => None,
            // Our offer waits for its answer, or theirs for ours (§5.2).
            (Some(_), Stage::Outgoing { .. }) if dialog.early.iter().all(|early| early.sdp.is_none()) => Some((491, "")),
            (Some(_), Stage::Outgoing { .. } | Stage::Incoming(_)) => Some((500, "Retry-After: 2\r\n")),
            (Some(_), Stage::Up) if dialog.reoffer_out.is_some() || dialog.answer.is_some() => Some((491, "")),
            (Some(_), Stage::Up) if dialog.reoffer_in.is_some() => Some((500, "Retry-After: 2\r\n")),
            (Some(_), Stage::Up) => None,
        };
        if let Some((code, extra)) = refusal {
            return self.answer_once(now, request, code, extra, out);
        }
        if dialog.stage == Stage::Up {
            dialog.retarget(&request.message);
            dialog.said = Said::read(&request.message);
        }
        let Some(offer) = offer else {
            let up = dialog.stage == Stage::Up;
            let headers = if up { self.success_headers(now, id, b"") } else { format!("{ALLOW}{SUPPORTED}") };
            return self.answer_once(now, request, 200, &headers, out);
        };
        dialog.reoffer_in = Some(request.key);
        self.servers.open(request.key, false, request.reply_flow(), request.head(), dialog.local_tag, Some(id));
        out.push(Output::Report(Report::Reoffer { dialog: id, sdp: Some(offer.to_vec()) }));
    }

    /// A new offer in the dialog (RFC 3261 §14.2): 491 while ours is open, 500 while an earlier one of theirs is.
    fn handle_reinvite(&mut self, now: Time, id: DialogId, request: &Request, out: &mut Vec<Output>) {
        if let Some(least) = self.too_brief(&request.message) {
            return self.answer_once(now, request, 422, &least, out);
        }
        let dialog = self.dialogs.get_mut(&id).expect("just found");
        let refusal = match dialog.stage {
            Stage::Up if dialog.reoffer_out.is_some() || dialog.answer.is_some() => Some((491, "")),
            Stage::Up if dialog.reoffer_in.is_some() => Some((500, "Retry-After: 2\r\n")),
            Stage::Up => judge_offer(&request.message),
            Stage::Incoming(_) => Some((500, "Retry-After: 2\r\n")),
            Stage::Outgoing { .. } | Stage::Closing => Some((481, "")),
        };
        if let Some((code, extra)) = refusal {
            return self.answer_once(now, request, code, extra, out);
        }
        dialog.retarget(&request.message);
        (dialog.said, dialog.invite_cseq) = (Said::read(&request.message), request.core.cseq);
        dialog.reoffer_in = Some(request.key);
        self.servers.open(request.key, true, request.reply_flow(), request.head(), dialog.local_tag, Some(id));
        self.servers.answer(now, request.key, (100, b"", b""), &mut self.timers, out);
        let sdp = request.message.sdp().expect("judged").map(<[u8]>::to_vec);
        out.push(Output::Report(Report::Reoffer { dialog: id, sdp }));
    }

    fn handle_info(&mut self, now: Time, id: DialogId, request: &Request, out: &mut Vec<Output>) {
        let body = String::from_utf8_lossy(request.message.body);
        let key = match request.message.content_type() {
            _ if body.is_empty() => return self.answer_once(now, request, 200, "", out),
            Some(kind) if kind.eq_ignore_ascii_case("application/dtmf-relay") => relayed_key(&body),
            Some(kind) if kind.eq_ignore_ascii_case("application/dtmf") => key(body.trim()),
            _ => return self.answer_once(now, request, 415, "Accept: application/dtmf-relay, application/dtmf\r\n", out),
        };
        match key {
            Some(key) => {
                self.answer_once(now, request, 200, "", out);
                out.push(Output::Report(Report::Digit { dialog: id, key: Phi(key) }));
            }
            None => self.answer_once(now, request, 400, "", out),
        }
    }

    /// The ACK to a 2xx of ours; what matches nothing is dropped.
    pub(super) fn handle_ack(&mut self, now: Time, request: &Request, out: &mut Vec<Output>) {
        let Some(id) = self.dialog_of(&request.core) else { return };
        let dialog = self.dialogs.get_mut(&id).expect("just found");
        if dialog.answer.as_ref().is_none_or(|answer| answer.cseq != request.core.cseq) {
            return;
        }
        let mut answer = dialog.answer.take().expect("just seen");
        self.timers.set(&mut answer.resend, None, Timer::AnswerResend(id));
        self.timers.set(&mut answer.end, None, Timer::AnswerEnd(id));
        if dialog.hang_up {
            return self.send_bye(now, id, None, out);
        }
        let sdp = request.message.sdp().ok().flatten().map(<[u8]>::to_vec);
        out.push(Output::Report(Report::Acked { dialog: id, sdp }));
    }

    /// Our 2xx again, until its ACK (RFC 3261 §13.3.1.4).
    pub(super) fn resend_answer(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let Some(answer) = self.dialogs.get_mut(&id).and_then(|dialog| dialog.answer.as_mut()) else { return };
        self.counts.retransmitted += 1;
        answer.resend = None;
        answer.interval = (answer.interval * 2).min(T2);
        out.push(Output::Send { flow: answer.flow, bytes: answer.bytes.clone() });
        self.timers.set(&mut answer.resend, Some(now + answer.interval), Timer::AnswerResend(id));
    }

    /// 64·T1 without an ACK: the peer is not there (RFC 3261 §13.3.1.4).
    pub(super) fn answer_unacknowledged(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let Some(mut answer) = dialog.answer.take() else { return };
        self.counts.timeouts += 1;
        self.timers.set(&mut answer.resend, None, Timer::AnswerResend(id));
        self.lose(now, id, out);
    }
}

/// `Signal=5` of application/dtmf-relay.
fn relayed_key(body: &str) -> Option<char> {
    let signal = body.lines().find_map(|line| line.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("signal")))?;
    key(signal.1.trim())
}

/// A key by its name or its RFC 4733 number.
fn key(text: &str) -> Option<char> {
    match text {
        "10" => Some('*'),
        "11" => Some('#'),
        _ => {
            let mut chars = text.chars();
            let key = chars.next()?.to_ascii_uppercase();
            (chars.next().is_none() && (key.is_ascii_digit() || "*#ABCD".contains(key))).then_some(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_by_info() {
        assert_eq!(relayed_key("Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(relayed_key("Duration=160\r\nsignal = 11"), Some('#'));
        assert_eq!((key("a"), key("*"), key("x"), key(""), key("12")), (Some('A'), Some('*'), None, None, None));
    }
}
