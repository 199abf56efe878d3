//! One SIP user agent on one UDP socket, sans-IO: a trunk's worth of callers, or one agent's telephone.

use super::chance::Chance;
use super::message::{self, Draft, Lines};
use super::registration::{Registration, Told};
use super::transaction::{Due, Response, Transactions};
use crate::model::Time;
use rsip::{Method, Request, SipMessage};
use std::collections::HashMap;
use std::net::SocketAddr;

pub use super::seen::{Goodbye, Output, Seen};
pub use super::transaction::DialogId;

#[derive(Debug)]
struct Dialog {
    call_id: String,
    /// Our From value with its tag, and theirs.
    local: String,
    remote: String,
    /// Where requests within the dialog go.
    target: String,
    user: String,
    cseq: u32,
    /// The branch of the INVITE that made it.
    invite: String,
    stage: Stage,
    sdp: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Our INVITE is out; `progress`: it has had a provisional response, so a CANCEL may go.
    Calling {
        progress: bool,
        cancel: bool,
    },
    /// Theirs has not been answered yet.
    Ringing,
    Established,
    Over,
}

#[derive(Debug)]
pub struct Phone {
    user: String,
    local: SocketAddr,
    server: SocketAddr,
    chance: Chance,
    transactions: Transactions,
    dialogs: HashMap<DialogId, Dialog>,
    by_call_id: HashMap<String, DialogId>,
    next_dialog: u64,
    registration: Option<Registration>,
    /// Messages that rsip could not read or that fit nothing of ours.
    pub unreadable: u64,
    /// What we sent again, and what we were sent again.
    pub resent: u64,
    pub repeated: u64,
    /// OPTIONS that asked whether we are still there.
    pub probed: u64,
}

impl Phone {
    /// `local` is the socket's own address; `seed` makes tags, branches and Call-IDs.
    pub fn new(user: &str, local: SocketAddr, server: SocketAddr, seed: u64) -> Phone {
        Phone {
            user: user.to_string(),
            local,
            server,
            chance: Chance::new(seed),
            transactions: Transactions::default(),
            dialogs: HashMap::new(),
            by_call_id: HashMap::new(),
            next_dialog: 1,
            registration: None,
            unreadable: 0,
            resent: 0,
            repeated: 0,
            probed: 0,
        }
    }

    // ── what the person does ──

    pub fn register(&mut self, now: Time, password: &str, out: &mut Output) {
        let (call_id, tag) = (self.word("r"), self.word("t"));
        self.registration = Some(Registration::new(&self.user, password, self.local, self.server, call_id, tag));
        self.send_register(now, out);
    }

    /// Calls `to` at the server, with `from` as the calling number.
    pub fn invite(&mut self, now: Time, from: &str, to: &str, sdp: String, out: &mut Output) -> DialogId {
        let dialog = DialogId(self.next_dialog);
        self.next_dialog += 1;
        let (call_id, tag, branch) = (self.word("c"), self.word("t"), self.branch());
        let uri = format!("sip:{to}@{}", self.server);
        let made = Dialog {
            call_id: call_id.clone(),
            local: format!("<sip:{from}@{}>;tag={tag}", self.local.ip()),
            remote: format!("<{uri}>"),
            target: uri,
            user: from.to_string(),
            cseq: 1,
            invite: branch.clone(),
            stage: Stage::Calling { progress: false, cancel: false },
            sdp: Some(sdp),
        };
        self.dialogs.insert(dialog, made);
        self.by_call_id.insert(call_id, dialog);
        let bytes = self.in_dialog(dialog, Method::Invite, &branch);
        out.send.push(bytes.clone());
        self.transactions.request(now, &branch, Method::Invite, Some(dialog), bytes);
        dialog
    }

    pub fn ring(&mut self, now: Time, dialog: DialogId, out: &mut Output) {
        self.answer_invite(now, dialog, 180, None, out);
    }

    pub fn answer(&mut self, now: Time, dialog: DialogId, sdp: String, out: &mut Output) {
        self.answer_invite(now, dialog, 200, Some(sdp), out);
    }

    pub fn refuse(&mut self, now: Time, dialog: DialogId, code: u16, out: &mut Output) {
        self.answer_invite(now, dialog, code, None, out);
        self.forget(dialog);
    }

    /// Ends the dialog from our side, whatever its stage. A CANCEL that may not go yet waits for the first provisional response.
    pub fn hang_up(&mut self, now: Time, dialog: DialogId, out: &mut Output) -> Goodbye {
        match self.dialogs.get_mut(&dialog).map(|d| &mut d.stage) {
            Some(Stage::Calling { progress, cancel }) => {
                *cancel = true;
                if *progress {
                    self.send_cancel(now, dialog, out);
                }
                Goodbye::Cancel
            }
            Some(Stage::Established) => {
                self.send_bye(now, dialog, out);
                Goodbye::Bye
            }
            Some(Stage::Ringing) => {
                self.refuse(now, dialog, 480, out);
                Goodbye::Nothing
            }
            Some(Stage::Over) | None => Goodbye::Nothing,
        }
    }

    /// The Call-ID of a dialog that is not over.
    pub fn call_id(&self, dialog: DialogId) -> Option<&str> {
        self.dialogs.get(&dialog).map(|d| &*d.call_id)
    }

    // ── what the network and the clock do ──

    pub fn receive(&mut self, now: Time, bytes: &[u8], out: &mut Output) {
        let understood = match SipMessage::try_from(bytes) {
            Ok(SipMessage::Request(request)) => message::lines(&request.headers).map(|lines| self.request(now, request, lines, out)),
            Ok(SipMessage::Response(response)) => message::lines(&response.headers).map(|lines| self.response(now, &response, lines, out)),
            // Keep-alives of two line ends are no message (RFC 5626 §3.5.1).
            Err(_) => bytes.iter().all(|b| matches!(b, b'\r' | b'\n')).then_some(true),
        };
        self.unreadable += u64::from(understood != Some(true));
    }

    pub fn next_timer(&self) -> Option<Time> {
        let renew = self.registration.as_ref().and_then(Registration::renew_at);
        [self.transactions.next_timer(), renew].into_iter().flatten().min()
    }

    pub fn handle_timer(&mut self, now: Time, out: &mut Output) {
        let mut due = Vec::new();
        self.transactions.due(now, &mut due);
        for one in due {
            match one {
                Due::Send(bytes) => {
                    self.resent += 1;
                    out.send.push(bytes);
                }
                Due::Lost(Some(dialog), _) => {
                    out.seen.push_back(Seen::Lost { dialog });
                    self.forget(dialog);
                }
                Due::Lost(None, Method::Register) => out.seen.push_back(Seen::RegistrationRefused(408)),
                Due::Lost(None, _) => {}
            }
        }
        if self.registration.as_ref().and_then(Registration::renew_at).is_some_and(|at| at <= now) {
            self.send_register(now, out);
        }
    }

    // ── responses ──

    fn response(&mut self, now: Time, response: &rsip::Response, lines: Lines, out: &mut Output) -> bool {
        let code = u16::from(response.status_code.clone());
        match self.transactions.response(now, &lines.branch, lines.method, code) {
            Response::Stray => return false,
            Response::Repeated(ack) => {
                self.repeated += 1;
                out.send.extend(ack);
            }
            Response::Fresh(Some(dialog)) if lines.method == Method::Invite => {
                self.invite_response(now, dialog, code, response, &lines, out);
            }
            Response::Fresh(Some(dialog)) if lines.method == Method::Bye && code >= 200 => {
                out.seen.push_back(Seen::ByeAnswered { dialog });
                self.forget(dialog);
            }
            Response::Fresh(None) if lines.method == Method::Register && code >= 200 => {
                self.register_response(now, code, &response.headers, out);
            }
            Response::Fresh(_) => {}
        }
        true
    }

    fn invite_response(&mut self, now: Time, dialog: DialogId, code: u16, response: &rsip::Response, lines: &Lines, out: &mut Output) {
        let Some(d) = self.dialogs.get_mut(&dialog) else { return };
        let Stage::Calling { progress, cancel } = d.stage else { return };
        if code < 200 {
            d.stage = Stage::Calling { progress: true, cancel };
            out.seen.push_back(Seen::Progress { dialog, code });
            if cancel && !progress {
                self.send_cancel(now, dialog, out);
            }
            return;
        }
        let invite = d.invite.clone();
        d.remote = lines.to.clone();
        if code >= 300 {
            // The ACK to a refusal belongs to the INVITE's own transaction (§17.1.1.3).
            let ack = self.in_dialog(dialog, Method::Ack, &invite);
            out.send.push(ack.clone());
            self.transactions.acknowledge(&invite, ack);
            out.seen.push_back(Seen::Refused { dialog, code });
            self.forget(dialog);
            return;
        }
        if let Some(contact) = &lines.contact {
            d.target = contact.clone();
        }
        d.stage = Stage::Established;
        let branch = self.branch();
        let ack = self.in_dialog(dialog, Method::Ack, &branch);
        out.send.push(ack.clone());
        self.transactions.acknowledge(&invite, ack);
        if cancel {
            out.seen.push_back(Seen::LateAnswer { dialog });
            self.send_bye(now, dialog, out);
        } else {
            out.seen.push_back(Seen::Established { dialog, sdp: response.body.clone() });
        }
    }

    fn register_response(&mut self, now: Time, code: u16, headers: &rsip::Headers, out: &mut Output) {
        match self.registration.as_mut().map(|registration| registration.response(now, code, headers)) {
            Some(Told::Registered) => out.seen.push_back(Seen::Registered),
            Some(Told::Again) => self.send_register(now, out),
            Some(Told::Refused) => out.seen.push_back(Seen::RegistrationRefused(code)),
            None => {}
        }
    }

    // ── requests ──

    /// True if the request makes sense here.
    fn request(&mut self, now: Time, request: Request, lines: Lines, out: &mut Output) -> bool {
        if request.method == Method::Ack {
            return self.ack(now, &lines, out);
        }
        if let Some(again) = self.transactions.repeated(&lines.branch, request.method) {
            self.repeated += 1;
            // Nothing has been answered yet: the first response will serve the repetition as well.
            if !again.is_empty() {
                out.send.push(again.to_vec());
            }
            return true;
        }
        let dialog = self.by_call_id.get(&lines.call_id).copied();
        match (request.method, dialog) {
            (Method::Invite, None) => self.incoming(now, request, lines, out),
            (Method::Cancel, Some(dialog)) => self.cancelled(now, dialog, &request, &lines, out),
            (Method::Options, _) => {
                self.probed += 1;
                self.respond(now, &request, &lines, None, 200, None, out);
            }
            (_, None) => {
                self.respond(now, &request, &lines, None, 481, None, out);
                // A BYE or CANCEL may cross the end of the dialog; anything else has lost its way.
                return matches!(request.method, Method::Bye | Method::Cancel);
            }
            (_, Some(dialog)) => return self.within(now, dialog, &request, &lines, out),
        }
        true
    }

    fn within(&mut self, now: Time, dialog: DialogId, request: &Request, lines: &Lines, out: &mut Output) -> bool {
        let d = self.dialogs.get_mut(&dialog).expect("a Call-ID names a dialog");
        if message::parameter(&lines.to, "tag") != message::parameter(&d.local, "tag") {
            self.respond(now, request, lines, None, 481, None, out);
            return false;
        }
        match request.method {
            Method::Bye => {
                d.stage = Stage::Over;
                self.respond(now, request, lines, None, 200, None, out);
                out.seen.push_back(Seen::ByeReceived { dialog });
                self.forget(dialog);
            }
            Method::Invite => {
                d.invite = lines.branch.clone();
                let sdp = d.sdp.clone();
                self.respond(now, request, lines, Some(dialog), 200, sdp, out);
            }
            _ => self.respond(now, request, lines, None, 200, None, out),
        }
        true
    }

    fn incoming(&mut self, now: Time, request: Request, lines: Lines, out: &mut Output) {
        let dialog = DialogId(self.next_dialog);
        self.next_dialog += 1;
        let tag = self.word("t");
        let made = Dialog {
            call_id: lines.call_id.clone(),
            local: format!("{};tag={tag}", lines.to),
            remote: lines.from.clone(),
            target: lines.contact.clone().unwrap_or_else(|| message::uri_in(&lines.from).unwrap_or_default().to_string()),
            user: self.user.clone(),
            cseq: 0,
            invite: lines.branch.clone(),
            stage: Stage::Ringing,
            sdp: None,
        };
        self.by_call_id.insert(lines.call_id, dialog);
        self.dialogs.insert(dialog, made);
        let shown = message::display_name(&lines.from).to_string();
        let sdp = request.body.clone();
        self.transactions.answer(now, &lines.branch, &request, Some(dialog), 100, Vec::new());
        out.seen.push_back(Seen::Incoming { dialog, shown, sdp });
    }

    fn answer_invite(&mut self, now: Time, dialog: DialogId, code: u16, sdp: Option<String>, out: &mut Output) {
        let Some(d) = self.dialogs.get_mut(&dialog) else { return };
        let Some(request) = self.transactions.invite(&d.invite).cloned() else { return };
        d.sdp = sdp.clone();
        if (200..300).contains(&code) {
            d.stage = Stage::Established;
        }
        let (branch, tag) = (d.invite.clone(), message::parameter(&d.local, "tag").map(str::to_string));
        let bytes = message::response(&request, code, tag.as_deref(), Some((&self.user, self.local)), sdp);
        out.send.push(bytes.clone());
        self.transactions.answer(now, &branch, &request, Some(dialog), code, bytes);
    }

    fn cancelled(&mut self, now: Time, dialog: DialogId, request: &Request, lines: &Lines, out: &mut Output) {
        self.respond(now, request, lines, None, 200, None, out);
        if self.dialogs.get(&dialog).is_some_and(|d| d.stage == Stage::Ringing && d.invite == lines.branch) {
            self.answer_invite(now, dialog, 487, None, out);
            out.seen.push_back(Seen::Cancelled { dialog });
            self.forget(dialog);
        }
    }

    fn ack(&mut self, now: Time, lines: &Lines, out: &mut Output) -> bool {
        if self.transactions.acknowledged(now, &lines.branch) {
            return true;
        }
        // To a 2xx the ACK has a branch of its own; the dialog is the link.
        let Some(dialog) = self.by_call_id.get(&lines.call_id).copied() else { return true };
        let invite = self.dialogs[&dialog].invite.clone();
        if self.transactions.acknowledged(now, &invite) {
            out.seen.push_back(Seen::Acknowledged { dialog });
        }
        true
    }

    #[allow(clippy::too_many_arguments)]
    fn respond(
        &mut self,
        now: Time,
        request: &Request,
        lines: &Lines,
        dialog: Option<DialogId>,
        code: u16,
        sdp: Option<String>,
        out: &mut Output,
    ) {
        let tag = self.word("t");
        let bytes = message::response(request, code, Some(&tag), Some((&self.user, self.local)), sdp);
        out.send.push(bytes.clone());
        self.transactions.answer(now, &lines.branch, request, dialog, code, bytes);
    }

    // ── requests of ours ──

    fn send_register(&mut self, now: Time, out: &mut Output) {
        let (branch, cnonce) = (self.branch(), self.word("n"));
        let Some(registration) = &mut self.registration else { return };
        let bytes = registration.request(&branch, &cnonce);
        out.send.push(bytes.clone());
        self.transactions.request(now, &branch, Method::Register, None, bytes);
    }

    fn send_cancel(&mut self, now: Time, dialog: DialogId, out: &mut Output) {
        // A CANCEL has the branch of what it cancels (§9.1).
        let branch = self.dialogs[&dialog].invite.clone();
        let bytes = self.in_dialog(dialog, Method::Cancel, &branch);
        out.send.push(bytes.clone());
        self.transactions.request(now, &branch, Method::Cancel, Some(dialog), bytes);
    }

    fn send_bye(&mut self, now: Time, dialog: DialogId, out: &mut Output) {
        let branch = self.branch();
        let d = self.dialogs.get_mut(&dialog).expect("who hangs up has a dialog");
        d.cseq += 1;
        d.stage = Stage::Over;
        let bytes = self.in_dialog(dialog, Method::Bye, &branch);
        out.send.push(bytes.clone());
        self.transactions.request(now, &branch, Method::Bye, Some(dialog), bytes);
    }

    fn in_dialog(&self, dialog: DialogId, method: Method, branch: &str) -> Vec<u8> {
        let d = &self.dialogs[&dialog];
        let calls = matches!(method, Method::Invite);
        let draft = Draft {
            method,
            uri: &d.target,
            local: self.local,
            branch,
            from: &d.local,
            to: &d.remote,
            call_id: &d.call_id,
            cseq: d.cseq,
            contact: calls.then_some(d.user.as_str()),
            more: Vec::new(),
            sdp: if calls { d.sdp.clone() } else { None },
        };
        message::request(draft).expect("a Contact that rsip has read is a URI")
    }

    fn forget(&mut self, dialog: DialogId) {
        if let Some(d) = self.dialogs.remove(&dialog) {
            self.by_call_id.remove(&d.call_id);
        }
    }

    fn branch(&mut self) -> String {
        format!("z9hG4bK{:016x}", self.chance.draw())
    }
    fn word(&mut self, prefix: &str) -> String {
        format!("{prefix}{:016x}", self.chance.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsip::Header;
    use std::time::Duration;

    /// Two phones and the wire between them; `lose` says which datagrams, counted from 0, never arrive.
    struct Wire {
        now: Time,
        phones: [Phone; 2],
        seen: [Vec<Seen>; 2],
        lose: fn(usize) -> bool,
        carried: usize,
        sent: Vec<String>,
    }

    impl Wire {
        fn new(lose: fn(usize) -> bool) -> Wire {
            let at = |port| SocketAddr::new("127.0.0.1".parse().unwrap(), port);
            let phones = [Phone::new("+12015550100", at(4000), at(5060), 1), Phone::new("1004", at(5060), at(4000), 2)];
            Wire { now: Time(1_000_000), phones, seen: Default::default(), lose, carried: 0, sent: Vec::new() }
        }

        fn act<T>(&mut self, who: usize, act: impl FnOnce(&mut Phone, Time, &mut Output) -> T) -> T {
            let mut out = Output::default();
            let result = act(&mut self.phones[who], self.now, &mut out);
            self.carry(who, out);
            result
        }

        fn carry(&mut self, from: usize, out: Output) {
            self.seen[from].extend(out.seen);
            for bytes in out.send {
                self.sent.push(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_string());
                self.carried += 1;
                if !(self.lose)(self.carried - 1) {
                    self.act(1 - from, |phone, now, out| phone.receive(now, &bytes, out));
                }
            }
        }

        fn pass(&mut self, span: Duration) {
            let until = self.now + span;
            while let Some(at) = self.phones.iter().filter_map(Phone::next_timer).min().filter(|at| *at <= until) {
                self.now = at;
                for who in 0..2 {
                    self.act(who, |phone, now, out| phone.handle_timer(now, out));
                }
            }
            self.now = until;
        }

        fn invite(&mut self) -> DialogId {
            self.act(0, |p, now, out| p.invite(now, "+12015550100", "1004", "v=0\r\n".into(), out))
        }
    }

    const CALLER: DialogId = DialogId(1);

    fn whole_call(lose: fn(usize) -> bool) -> Wire {
        let mut wire = Wire::new(lose);
        wire.invite();
        wire.pass(Duration::from_secs(1));
        wire.act(1, |p, now, out| p.ring(now, CALLER, out));
        wire.act(1, |p, now, out| p.answer(now, CALLER, "v=1\r\n".into(), out));
        wire.pass(Duration::from_secs(5));
        assert_eq!(wire.act(0, |p, now, out| p.hang_up(now, CALLER, out)), Goodbye::Bye);
        wire.pass(Duration::from_secs(60));
        wire
    }

    #[test]
    fn a_call_from_invite_to_bye() {
        let wire = whole_call(|_| false);
        assert_eq!(
            wire.seen[0],
            [
                Seen::Progress { dialog: CALLER, code: 180 },
                Seen::Established { dialog: CALLER, sdp: b"v=1\r\n".to_vec() },
                Seen::ByeAnswered { dialog: CALLER },
            ]
        );
        assert_eq!(
            wire.seen[1],
            [
                Seen::Incoming { dialog: CALLER, shown: String::new(), sdp: b"v=0\r\n".to_vec() },
                Seen::Acknowledged { dialog: CALLER },
                Seen::ByeReceived { dialog: CALLER },
            ]
        );
        assert_eq!(wire.phones.iter().map(|p| p.unreadable + p.dialogs.len() as u64).sum::<u64>(), 0);
    }

    #[test]
    fn the_same_call_whichever_datagram_is_lost() {
        let whole = whole_call(|_| false);
        macro_rules! losing { ($($n:literal)*) => { $(
            let wire = whole_call(|n| n == $n);
            let settled = |seen: &[Seen]| seen.iter().filter(|s| !matches!(s, Seen::Progress { .. })).cloned().collect::<Vec<_>>();
            assert_eq!(settled(&wire.seen[0]), settled(&whole.seen[0]), "lost {}: {:?}", $n, wire.sent);
            assert_eq!(wire.seen[1], whole.seen[1], "lost {}: {:?}", $n, wire.sent);
        )* } }
        losing!(0 1 2 3 4 5 6);
        assert_eq!(whole.carried, 7, "with the INVITE once repeated: {:?}", whole.sent);
    }

    #[test]
    fn a_cancel_ends_the_ringing() {
        let mut wire = Wire::new(|_| false);
        wire.invite();
        // Too early for a CANCEL: it waits for the first provisional response.
        assert_eq!(wire.act(0, |p, now, out| p.hang_up(now, CALLER, out)), Goodbye::Cancel);
        assert!(wire.sent.iter().all(|line| !line.starts_with("CANCEL")));
        wire.act(1, |p, now, out| p.ring(now, CALLER, out));
        assert!(wire.seen[0].contains(&Seen::Refused { dialog: CALLER, code: 487 }), "{:?}", wire.seen);
        assert!(wire.seen[1].contains(&Seen::Cancelled { dialog: CALLER }));
        wire.pass(Duration::from_secs(60));
        assert!(wire.phones.iter().all(|p| p.dialogs.is_empty() && p.unreadable == 0));
    }

    #[test]
    fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
        let mut wire = Wire::new(|_| false);
        wire.invite();
        wire.act(0, |p, now, out| p.hang_up(now, CALLER, out));
        wire.act(1, |p, now, out| p.answer(now, CALLER, "v=1\r\n".into(), out));
        assert!(wire.seen[0].contains(&Seen::LateAnswer { dialog: CALLER }));
        assert!(wire.seen[1].ends_with(&[Seen::Acknowledged { dialog: CALLER }, Seen::ByeReceived { dialog: CALLER }]), "{:?}", wire.seen);
    }

    #[test]
    fn a_refusal_is_acknowledged_once_and_for_all() {
        let mut wire = Wire::new(|_| false);
        wire.invite();
        wire.act(1, |p, now, out| p.refuse(now, CALLER, 486, out));
        assert_eq!(wire.seen[0], [Seen::Refused { dialog: CALLER, code: 486 }]);
        let before = wire.carried;
        wire.pass(Duration::from_secs(60));
        assert_eq!(wire.carried, before, "{:?}", wire.sent);
    }

    #[test]
    fn a_server_that_has_vanished_is_noticed() {
        let mut wire = Wire::new(|_| true);
        wire.invite();
        wire.pass(Duration::from_secs(40));
        assert_eq!(wire.seen[0], [Seen::Lost { dialog: CALLER }]);
    }

    #[test]
    fn a_registration_answers_its_challenge_and_is_renewed() {
        let at: SocketAddr = "127.0.0.1:4000".parse().unwrap();
        let mut phone = Phone::new("1004", at, "127.0.0.1:5060".parse().unwrap(), 9);
        let mut out = Output::default();
        phone.register(Time(0), "demo-1004", &mut out);
        let challenge = "Digest realm=\"careline\", nonce=\"abc\", algorithm=SHA-256, qop=\"auth\"";
        let mut answers = 0;
        for (code, expected) in [(401, None), (200, Some(Seen::Registered))] {
            let request = Request::try_from(&out.send.pop().unwrap()[..]).unwrap();
            answers += request.headers.iter().filter(|h| matches!(h, Header::Authorization(_))).count();
            let mut text = String::from_utf8(message::response(&request, code, Some("s"), None, None)).unwrap();
            if code == 401 {
                text = text.replace("Content-Length", &format!("WWW-Authenticate: {challenge}\r\nContent-Length"));
            }
            out = Output::default();
            phone.receive(Time(1), text.as_bytes(), &mut out);
            assert_eq!(out.seen.pop_back(), expected);
        }
        assert_eq!(answers, 1);
        phone.handle_timer(Time(151_000_000), &mut out);
        let renewal = String::from_utf8(out.send.pop().unwrap()).unwrap();
        assert!(renewal.contains("nc=00000002") && renewal.contains("CSeq: 3 REGISTER"), "{renewal}");
    }

    #[test]
    fn what_cannot_be_read_is_counted() {
        let mut phone = Wire::new(|_| false).phones.into_iter().next().unwrap();
        let mut out = Output::default();
        phone.receive(Time(0), b"hello", &mut out);
        phone.receive(Time(0), b"\r\n\r\n", &mut out);
        phone.receive(Time(0), b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: q\r\nCSeq: 1 BYE\r\n\r\n", &mut out);
        assert_eq!(phone.unreadable, 2);
        assert!(out.send.is_empty());
    }
}
