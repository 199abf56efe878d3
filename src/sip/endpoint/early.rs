//! Provisional answers that must arrive: 100rel and PRACK (RFC 3262), in both roles.

use super::{Endpoint, Request, Response};
use crate::model::Time;
use crate::sip::api::{DialogId, Output, Report};
use crate::sip::dialog::{Dialog, Early, Reliability, Reliable, Stage};
use crate::sip::key::ClientKey;
use crate::sip::message::{Header, Message, number, trim};
use crate::sip::timer::{T1, T1_X64, Timer};
use crate::sip::transaction::{Ask, Kind};
use crate::sip::writer::{ALLOW, contact};

/// Forks of one INVITE whose provisional answers are followed.
const EARLY_MAX: usize = 16;

impl Endpoint {
    /// 180 to their INVITE; if it requires that, again until its PRACK.
    pub fn ring(&mut self, now: Time, dialog: DialogId, out: &mut Vec<Output>) {
        self.answer_early(now, dialog, (180, b""), out);
    }

    /// 183 to their INVITE, with our answer to its offer: early media. It comes again until its PRACK, if the caller can say one.
    pub fn progress(&mut self, now: Time, dialog: DialogId, sdp: &[u8], out: &mut Vec<Output>) {
        match self.dialogs.get_mut(&dialog).and_then(|known| known.reliable.as_mut()) {
            // One at a time (§3).
            Some(reliable) => reliable.next = Some(sdp.to_vec()),
            None => self.answer_early(now, dialog, (183, sdp), out),
        }
    }

    fn answer_early(&mut self, now: Time, dialog: DialogId, (code, sdp): (u16, &[u8]), out: &mut Vec<Output>) {
        let Some(known) = self.dialogs.get(&dialog).filter(|known| known.reliable.is_none()) else { return };
        let Stage::Incoming(key) = known.stage else { return };
        let mut extra = format!("Contact: {}\r\n{ALLOW}", contact(&known.flow));
        let reliable = known.reliability == Reliability::Required || known.reliability == Reliability::Known && !sdp.is_empty();
        let number = reliable.then(|| (self.random.draw() as u32 & 0x7fff_ffff).max(1));
        if let Some(number) = number {
            extra += &format!("Require: 100rel\r\nRSeq: {number}\r\n");
        }
        let sent = self.servers.answer(now, key, (code, extra.as_bytes(), sdp), &mut self.timers, out);
        let (Some(number), Some((flow, bytes)), Some(known)) = (number, sent, self.dialogs.get_mut(&dialog)) else { return };
        let fresh = Reliable { number, flow, bytes, interval: T1, next: None, answer: None, resend: None, end: None };
        let reliable = known.reliable.insert(fresh);
        self.timers.set(&mut reliable.resend, Some(now + T1), Timer::ReliableResend(dialog));
        self.timers.set(&mut reliable.end, Some(now + T1_X64), Timer::ReliableEnd(dialog));
    }

    /// Their PRACK: to what we repeat, or to nothing that we know.
    pub(super) fn handle_prack(&mut self, now: Time, id: DialogId, request: &Request, out: &mut Vec<Output>) {
        let dialog = self.dialogs.get_mut(&id).expect("just found");
        let named = request.message.first(Header::RAck).and_then(rack);
        let expected = dialog.reliable.as_ref().map(|reliable| (reliable.number, dialog.invite_cseq));
        if named.is_none() || named != expected {
            return self.answer_once(now, request, if named.is_none() { 400 } else { 481 }, "", out);
        }
        let mut reliable = dialog.reliable.take().expect("just seen");
        self.timers.set(&mut reliable.resend, None, Timer::ReliableResend(id));
        self.timers.set(&mut reliable.end, None, Timer::ReliableEnd(id));
        self.answer_once(now, request, 200, "", out);
        match (reliable.answer, reliable.next) {
            (Some(sdp), _) => self.accept(now, id, &sdp, out),
            (None, Some(sdp)) => self.progress(now, id, &sdp, out),
            (None, None) => {}
        }
    }

    pub(super) fn resend_reliable(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let Some(reliable) = self.dialogs.get_mut(&id).and_then(|dialog| dialog.reliable.as_mut()) else { return };
        self.counts.retransmitted += 1;
        reliable.resend = None;
        // Unlike a 200 it may double for ever: 64·T1 ends it.
        reliable.interval *= 2;
        out.push(Output::Send { flow: reliable.flow, bytes: reliable.bytes.clone() });
        self.timers.set(&mut reliable.resend, Some(now + reliable.interval), Timer::ReliableResend(id));
    }

    /// 64·T1 without a PRACK: the caller is not there (§3).
    pub(super) fn reliable_unacknowledged(&mut self, now: Time, id: DialogId, out: &mut Vec<Output>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        let Some(reliable) = dialog.reliable.as_mut() else { return };
        reliable.end = None;
        self.counts.timeouts += 1;
        let answered = reliable.answer.is_some();
        if let Stage::Incoming(key) = dialog.stage {
            self.servers.answer(now, key, (504, b"", b""), &mut self.timers, out);
        }
        self.remove(id);
        out.push(Output::Report(if answered { Report::Ended { dialog: id, lost: true } } else { Report::Cancelled { dialog: id } }));
    }

    /// A provisional answer to our INVITE: one that must arrive gets its PRACK. False if it is to be passed over: it came before, or out
    /// of order, and comes again (§4).
    pub(super) fn handle_reliable(&mut self, now: Time, id: DialogId, response: &Response, out: &mut Vec<Output>) -> bool {
        let Response { message, core, .. } = *response;
        let tag = core.to_tag();
        let Some(dialog) = self.dialogs.get_mut(&id) else { return false };
        if response.code == 100 || tag.is_empty() {
            return true;
        }
        let number = message.first(Header::RSeq).and_then(number).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|_| message.lists(Header::Require, "100rel"));
        let room = dialog.early.len() < EARLY_MAX;
        let known = dialog.early.iter_mut().find(|early| early.tag == tag);
        match (known, number) {
            (Some(early), Some(number)) if early.number.is_some_and(|last| last.checked_add(1) != Some(number)) => return false,
            (Some(early), Some(number)) => early.number = Some(number),
            (None, number) if room => dialog.early.push(Early { tag: tag.to_vec(), number, sdp: None }),
            (None, Some(_)) => return false,
            _ => {}
        }
        let Some(number) = number else { return true };
        if let (Ok(Some(sdp)), Some(early)) = (message.sdp(), dialog.early.iter_mut().find(|early| early.tag == tag)) {
            early.sdp.get_or_insert_with(|| sdp.to_vec());
        }
        let client = self.clients.get(response.key).expect("just received");
        let invite = Message::read(&client.request, usize::MAX).expect("our own INVITE");
        let mut asker = Dialog::of_answer(&invite, message, core, client.flow);
        (asker.pinned, dialog.local_cseq) = (dialog.pinned, dialog.local_cseq + 1);
        let key = ClientKey { branch: self.random.draw(), cancel: false };
        let extra = format!("RAck: {number} {} INVITE\r\n", core.cseq);
        let request = asker.request(&mut self.scratch, "PRACK", dialog.local_cseq, key.branch, extra.as_bytes(), b"");
        let ask = Ask { key, kind: Kind::Prack, request, dialog: Some(id), trunk: dialog.trunk.clone(), proofs: 0 };
        self.clients.open(now, ask, &mut self.timers, out);
        true
    }
}

/// `776656 1 INVITE`: the answer's number, and its request's.
fn rack(value: &[u8]) -> Option<(u32, u32)> {
    let mut words = trim(value).split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut small = || number(words.next()?).and_then(|number| u32::try_from(number).ok());
    let numbers = (small()?, small()?);
    (words.next()? == b"INVITE" && words.next().is_none()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_prack_names() {
        assert_eq!(rack(b" 776656  1\tINVITE"), Some((776_656, 1)));
        for bad in ["", "1 INVITE", "1 2 BYE", "1 2 INVITE 3", "x 2 INVITE", "4294967296 2 INVITE"] {
            assert_eq!(rack(bad.as_bytes()), None, "{bad}");
        }
    }
}
