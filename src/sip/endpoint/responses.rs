//! Responses to our own requests.

use super::{Endpoint, Response};
use crate::model::Time;
use crate::sip::api::{DialogId, Output, Report};
use crate::sip::dialog::{Cancel, Dialog, Stage, hop_request};
use crate::sip::key::ClientKey;
use crate::sip::message::{Core, Header, Message};
use crate::sip::transaction::{Ask, Kind, Receipt};
use std::time::Duration;

/// Forks of one INVITE that we acknowledge and hang up.
const FORKS_MAX: usize = 16;

impl Endpoint {
    pub(super) fn handle_response(&mut self, now: Time, code: u16, message: &Message, core: &Core, out: &mut Vec<Output>) {
        let Some(key) = ClientKey::of(core) else { return };
        let Some(client) = self.clients.get(key).filter(|client| client.kind.is_asked_by(core.method)) else { return };
        let dialog = client.dialog;
        let response = Response { key, code, message, core };
        match self.clients.receive(now, key, code, &mut self.timers, out) {
            Receipt::Nothing => {}
            Receipt::Further => self.handle_further(now, &response, out),
            Receipt::Provisional(Kind::Invite) => match dialog {
                Some(id) => self.handle_progress(now, id, &response, out),
                None => self.handle_abandoned(now, &response, out),
            },
            Receipt::Provisional(_) => {}
            Receipt::Final(kind) => {
                if code >= 300 && matches!(kind, Kind::Invite | Kind::Reinvite) {
                    let request = self.clients.get(key).expect("just answered").request.clone();
                    let ack = hop_request(&mut self.scratch, &request, "ACK", message.first(Header::To), b"");
                    self.clients.acknowledge(key, ack, out);
                }
                if matches!(code, 401 | 407) && self.prove(now, &response, out) {
                    return;
                }
                if code == 422 && self.lengthen(now, &response, out) {
                    return;
                }
                match (kind, dialog) {
                    (Kind::Update, Some(id)) => self.handle_update_answer(now, id, &response, out),
                    (Kind::Register | Kind::Health, _) => self.handle_errand_answer(now, kind, &response, out),
                    (Kind::Invite, None) => self.handle_abandoned(now, &response, out),
                    (Kind::Invite, Some(id)) if code < 300 => {
                        let id = self.first_answer(id);
                        self.handle_answer(now, id, &response, out);
                    }
                    (Kind::Invite, Some(id)) => self.handle_refusal(now, id, &response, out),
                    (Kind::Reinvite, Some(id)) => self.handle_reoffer_answer(now, id, &response, out),
                    (Kind::Bye, Some(id)) => self.remove(id),
                    (Kind::Other, Some(id)) if code == 481 || code == 408 => self.lose(now, id, out),
                    _ => {}
                }
            }
        }
    }

    fn handle_progress(&mut self, now: Time, id: DialogId, response: &Response, out: &mut Vec<Output>) {
        let Response { code, message, .. } = *response;
        self.settle_on_peer(id, code);
        let fresh = self.handle_reliable(now, id, response, out);
        let Some(Stage::Outgoing { invite, provisional, cancel }) = self.dialogs.get_mut(&id).map(|dialog| &mut dialog.stage) else {
            return;
        };
        *provisional = true;
        if let Cancel::Wanted(reason) = *cancel {
            *cancel = Cancel::Sent;
            let invite = *invite;
            return self.send_cancel(now, invite, reason, out);
        }
        if code > 100 && *cancel == Cancel::No && fresh {
            let sdp = message.sdp().ok().flatten().map(<[u8]>::to_vec);
            out.push(Output::Report(Report::Alerting { dialog: id, sdp }));
        }
    }

    /// The first 2xx to our INVITE.
    fn handle_answer(&mut self, now: Time, id: DialogId, response: &Response, out: &mut Vec<Output>) {
        let message = response.message;
        self.settle_on_peer(id, response.code);
        let mut up = self.acknowledge_answer(response, out);
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let Stage::Outgoing { cancel, .. } = dialog.stage else { return };
        (up.pinned, up.trunk, up.own_sdp) = (dialog.pinned, dialog.trunk.take(), std::mem::take(&mut dialog.own_sdp));
        up.local_cseq = dialog.local_cseq;
        let early = dialog.early.iter_mut().find(|early| early.tag == up.remote_tag).and_then(|early| early.sdp.take());
        *dialog = up;
        if cancel == Cancel::No {
            self.settle_session(now, id, message);
            // What a provisional answer that had to arrive has said need not be said again (RFC 3262 §5).
            let sdp = message.sdp().ok().flatten().map(<[u8]>::to_vec).or(early);
            return out.push(Output::Report(Report::Established { dialog: id, sdp }));
        }
        self.send_bye(now, id, None, out);
        out.push(Output::Report(Report::LateAnswer { dialog: id }));
    }

    /// Sends the ACK to a 2xx, and keeps it for when that 2xx comes again.
    fn acknowledge_answer(&mut self, response: &Response, out: &mut Vec<Output>) -> Dialog {
        let Response { key, message, core, .. } = *response;
        let client = self.clients.get_mut(key).expect("just answered");
        let invite = Message::read(&client.request, usize::MAX).expect("our own INVITE");
        let dialog = Dialog::of_answer(&invite, message, core, client.home);
        let (flow, bytes) = dialog.request(&mut self.scratch, "ACK", core.cseq, self.random.draw(), b"", b"");
        out.push(Output::Send { flow, bytes: bytes.clone() });
        client.acks.push((core.to_tag().to_vec(), flow, bytes));
        dialog
    }

    /// A 2xx after the first: the same again wants its ACK again; another fork's is acknowledged and hung up (RFC 3261 §13.2.2.4).
    fn handle_further(&mut self, now: Time, response: &Response, out: &mut Vec<Output>) {
        let Response { key, core, .. } = *response;
        let client = self.clients.get(key).expect("just received");
        if let Some((_, flow, ack)) = client.acks.iter().find(|(tag, ..)| tag == core.to_tag()) {
            return out.push(Output::Send { flow: *flow, bytes: ack.clone() });
        }
        if client.kind != Kind::Invite || client.acks.len() >= FORKS_MAX {
            return;
        }
        self.hang_up_fork(now, response, out);
    }

    /// ACK and BYE to an answer that nobody wants.
    pub(super) fn hang_up_fork(&mut self, now: Time, response: &Response, out: &mut Vec<Output>) {
        let mut fork = self.acknowledge_answer(response, out);
        fork.pinned = self.clients.get(response.key).is_some_and(|client| client.trunk.is_none());
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        let request = fork.request(&mut self.scratch, "BYE", response.core.cseq + 1, key.branch, b"", b"");
        let trunk = self.clients.get(response.key).and_then(|client| client.trunk.clone());
        self.clients.open(now, Ask { key, kind: Kind::Bye, request, dialog: None, trunk, proofs: 0 }, &mut self.timers, out);
    }

    fn handle_reoffer_answer(&mut self, now: Time, id: DialogId, response: &Response, out: &mut Vec<Output>) {
        let Response { key, code, message, core } = *response;
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.reoffer_out = None;
        let refreshes = std::mem::take(&mut dialog.refreshes);
        if code < 300 {
            dialog.retarget(message);
            let (flow, bytes) = dialog.request(&mut self.scratch, "ACK", core.cseq, self.random.draw(), b"", b"");
            out.push(Output::Send { flow, bytes: bytes.clone() });
            self.clients.get_mut(key).expect("just answered").acks.push((core.to_tag().to_vec(), flow, bytes));
        }
        if dialog.stage != Stage::Up || dialog.hang_up {
            return;
        }
        match code {
            ..300 => self.settle_session(now, id, message),
            408 | 481 | 491 => {}
            _ if refreshes => self.refresh_refused(now, id, None),
            _ => {}
        }
        match code {
            408 | 481 => self.lose(now, id, out),
            491 => {
                let wait = self.glare(id);
                match refreshes {
                    true => self.refresh_refused(now, id, Some(wait)),
                    false => out.push(Output::Report(Report::Glare { dialog: id, wait })),
                }
            }
            _ if refreshes => {}
            ..300 => {
                let sdp = message.sdp().ok().flatten().map(<[u8]>::to_vec);
                out.push(Output::Report(Report::ReofferAnswered { dialog: id, sdp }));
            }
            _ => out.push(Output::Report(Report::ReofferRefused { dialog: id, code })),
        }
    }
}

impl Endpoint {
    /// How long to wait after a 491 (RFC 3261 §14.1): who chose the Call-ID waits longer, so that both do not meet again.
    fn glare(&mut self, id: DialogId) -> Duration {
        let own = self.dialogs.get(&id).is_some_and(|dialog| dialog.own_call_id);
        let (least, span) = if own { (2100, 1900) } else { (0, 2000) };
        Duration::from_millis(least + self.random.draw() % (span / 10) * 10)
    }
}

impl Kind {
    fn is_asked_by(self, method: &str) -> bool {
        match self {
            Kind::Invite | Kind::Reinvite => method == "INVITE",
            Kind::Bye => method == "BYE",
            Kind::Cancel => method == "CANCEL",
            Kind::Prack => method == "PRACK",
            Kind::Update => method == "UPDATE",
            Kind::Register => method == "REGISTER",
            Kind::Health | Kind::Other => !matches!(method, "INVITE" | "BYE" | "CANCEL"),
        }
    }
}
