//! A caller whose every message is written by hand.

use crate::wire::{ANSWER, START, hand, part};
use careline::model::Time;
use careline::sip::{DialogId, Endpoint, Flow, Output, Random, Report, Settings};
use std::time::Duration;

pub struct Hand {
    pub endpoint: Endpoint,
    pub dialog: DialogId,
    pub flow: Flow,
    pub now: Time,
    /// What was reported while time passed.
    pub reports: Vec<Report>,
    /// The centre's tag.
    tag: String,
    invite: String,
}

impl Hand {
    /// A call to the centre with these headers in its INVITE.
    pub fn calls(settings: Settings, extra: &str) -> Hand {
        let mut endpoint = Endpoint::new(settings, Random::seeded(1));
        let flow = Flow::udp("127.0.0.1:5060".parse().unwrap(), "127.0.0.9:5060".parse().unwrap());
        let invite = message("INVITE", 1, "", &format!("Contact: <sip:x@127.0.0.9:5060>\r\n{extra}"), "");
        let (sent, reports) = hand(&mut endpoint, START, flow, &invite);
        let Some(Report::Incoming { dialog, .. }) = reports.first() else { panic!("{sent:?}") };
        let tag = sent.last().and_then(|text| Some(header(text, "To").split_once(";tag=")?.1.to_string())).unwrap_or_default();
        Hand { endpoint, dialog: *dialog, flow, now: START, reports: Vec::new(), tag, invite }
    }

    pub fn invite(&self) -> String {
        self.invite.clone()
    }

    pub fn acts(&mut self, act: impl FnOnce(&mut Endpoint, DialogId, Time, &mut Vec<Output>)) -> (Vec<String>, Vec<Report>) {
        let mut out = Vec::new();
        act(&mut self.endpoint, self.dialog, self.now, &mut out);
        let (sent, reports) = part(out);
        let mut tags = sent
            .iter()
            .filter(|text| text.starts_with("SIP/2.0 "))
            .filter_map(|text| Some(header(text, "To").split_once(";tag=")?.1.to_string()));
        self.tag = tags.next_back().unwrap_or(std::mem::take(&mut self.tag));
        (sent, reports)
    }

    /// The centre answers; its 200.
    pub fn accept(&mut self) -> String {
        let (mut sent, _) = self.acts(|endpoint, dialog, now, out| endpoint.accept(now, dialog, ANSWER, out));
        let ok = sent.pop().expect("a 200");
        assert!(ok.starts_with("SIP/2.0 200 "), "{ok}");
        ok
    }

    pub fn ack(&mut self, ok: &str, body: &str) -> Vec<Report> {
        let cseq = header(ok, "CSeq").split(' ').next().unwrap().parse().unwrap();
        let (sent, reports) = self.asks("ACK", cseq, "", body);
        assert!(sent.is_empty());
        reports
    }

    /// A request within the call.
    pub fn asks(&mut self, method: &str, cseq: u32, extra: &str, body: &str) -> (Vec<String>, Vec<Report>) {
        let text = message(method, cseq, &self.tag, extra, body);
        self.gives(&text)
    }

    pub fn gives(&mut self, text: &str) -> (Vec<String>, Vec<Report>) {
        hand(&mut self.endpoint, self.now, self.flow, text)
    }

    /// A response to what the centre sent.
    pub fn response(&self, request: &str, code: &str, extra: &str, body: &str) -> String {
        let repeats = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        let lines = request.lines().filter(|line| repeats.iter().any(|name| line.starts_with(name)));
        let head: String = lines.map(|line| format!("{line}\r\n")).collect();
        format!("SIP/2.0 {code}\r\n{head}{extra}{}", finish(body))
    }

    /// Time passes; what the centre sends meanwhile.
    pub fn pass(&mut self, span: Duration) -> Vec<String> {
        let until = self.now + span;
        let mut out = Vec::new();
        while let Some(at) = self.endpoint.next_timer().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timer(self.now, &mut out);
        }
        self.now = until;
        let (sent, reports) = part(out);
        self.reports.extend(reports);
        sent
    }
}

/// A header's value.
pub fn header(text: &str, name: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_string()
}

fn message(method: &str, cseq: u32, tag: &str, extra: &str, body: &str) -> String {
    let to = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "{method} sip:+13125550100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bK{method}{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:+13125550123@127.0.0.9>;tag=hand\r\nTo: <sip:+13125550100@127.0.0.1>{to}\r\nCall-ID: by-hand\r\nCSeq: {cseq} {method}\r\n{extra}{}",
        finish(body)
    )
}

fn finish(body: &str) -> String {
    let kind = if body.is_empty() || body.starts_with("Signal") { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}
