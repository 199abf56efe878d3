//! A dialog (RFC 3261 §12): tags, sequence numbers, route set, remote target, and what is pending in it.

use super::api::{Flow, Peer, Reason, Transport};
use super::key::{ClientKey, ServerKey, tag};
use super::message::{Core, Header, Message, NameAddr, Scheme, Start, Uri, address, list};
use super::session::{Said, Session};
use super::writer::{contact, finish, header_line, via};
use crate::model::Time;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Their INVITE, not finally answered.
    Incoming(ServerKey),
    /// Our INVITE, not finally answered.
    Outgoing {
        invite: ClientKey,
        provisional: bool,
        cancel: Cancel,
    },
    Up,
    /// Our BYE is on its way.
    Closing,
}

/// How far our CANCEL is: it may leave only after a provisional answer (RFC 3261 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    No,
    Wanted(Option<Reason>),
    Sent,
}

/// A 2xx to INVITE that is repeated until its ACK.
#[derive(Debug)]
pub struct Answer {
    pub flow: Flow,
    pub bytes: Arc<[u8]>,
    pub cseq: u32,
    pub interval: Duration,
    pub resend: Option<Time>,
    pub end: Option<Time>,
}

/// A call of ours to a trunk that has not shown itself yet.
#[derive(Debug)]
pub struct Attempt {
    pub trunk: Arc<str>,
    /// The number.
    pub user: String,
    /// The peers that have not been tried.
    pub others: Vec<Peer>,
}

/// A provisional answer of ours that is repeated until its PRACK.
#[derive(Debug)]
pub struct Reliable {
    /// Its RSeq.
    pub number: u32,
    pub flow: Flow,
    pub bytes: Arc<[u8]>,
    pub interval: Duration,
    /// The next one's description, which waits for the PRACK.
    pub next: Option<Vec<u8>>,
    /// Our 200's description, which waits for the PRACK.
    pub answer: Option<Vec<u8>>,
    pub resend: Option<Time>,
    pub end: Option<Time>,
}

/// What a caller knows of 100rel (RFC 3262).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliability {
    Unknown,
    Known,
    Required,
}

/// One early dialog (RFC 3261 §12.1) of an INVITE of ours.
#[derive(Debug)]
pub struct Early {
    pub tag: Vec<u8>,
    /// The RSeq of its last answer that had one.
    pub number: Option<u32>,
    /// The answer to our offer, if one came that had to arrive.
    pub sdp: Option<Vec<u8>>,
}

#[derive(Debug)]
pub struct Dialog {
    pub stage: Stage,
    pub call_id: Vec<u8>,
    /// Our From or To value, without the tag.
    pub local: Vec<u8>,
    pub local_tag: u64,
    /// Theirs, with the tag once there is one.
    pub remote: Vec<u8>,
    pub remote_tag: Vec<u8>,
    pub local_cseq: u32,
    pub remote_cseq: Option<u32>,
    /// Where requests are aimed: the peer's Contact.
    pub target: Vec<u8>,
    /// Record-Routes, ours to follow, nearest first; each in angle brackets.
    pub routes: Vec<Vec<u8>>,
    /// Where its INVITE came from or went to.
    pub flow: Flow,
    /// False once the flow's connection is gone (TCP).
    connected: bool,
    /// Requests go over the flow whatever the target says: to a station, behind any NAT.
    pub pinned: bool,
    /// The trunk that it goes through: its challenges are answered.
    pub trunk: Option<Arc<str>>,
    pub attempt: Option<Attempt>,
    /// Until when whom we call must have shown itself.
    pub patience: Option<Time>,
    /// Whether provisional answers to their INVITE can be made sure to arrive.
    pub reliability: Reliability,
    pub reliable: Option<Reliable>,
    /// Who has answered our INVITE provisionally.
    pub early: Vec<Early>,
    /// What their last request said of the session.
    pub said: Said,
    pub session: Option<Session>,
    /// The peer takes UPDATE.
    pub updates: bool,
    /// What we last described, for refreshes that must offer something.
    pub own_sdp: Box<[u8]>,
    /// Our open re-INVITE only refreshes: nobody asked for it.
    pub refreshes: bool,
    /// The number of their last INVITE or re-INVITE.
    pub invite_cseq: u32,
    /// Whether the Call-ID is ours: who retries later after a glare (RFC 3261 §14.1).
    pub own_call_id: bool,
    /// By what another path's copy of its INVITE is known.
    pub merge: Option<u64>,
    pub answer: Option<Answer>,
    /// BYE as soon as our 2xx is acknowledged (RFC 3261 §15: not before).
    pub hang_up: bool,
    /// Their re-INVITE, or UPDATE with an offer, that waits for our answer.
    pub reoffer_in: Option<ServerKey>,
    /// Our re-INVITE that waits for theirs.
    pub reoffer_out: Option<ClientKey>,
}

impl Dialog {
    /// The callee's side, from their INVITE.
    pub fn of_invite(message: &Message, core: &Core, key: ServerKey, flow: Flow, local_tag: u64) -> Dialog {
        let mut dialog = Dialog::new(Stage::Incoming(key), flow, local_tag);
        dialog.call_id = core.call_id.to_vec();
        dialog.local = message.first(Header::To).expect("checked").to_vec();
        dialog.remote = message.first(Header::From).expect("checked").to_vec();
        dialog.remote_tag = core.from_tag().to_vec();
        (dialog.remote_cseq, dialog.invite_cseq) = (Some(core.cseq), core.cseq);
        dialog.reliability = match (message.lists(Header::Require, "100rel"), message.lists(Header::Supported, "100rel")) {
            (true, _) => Reliability::Required,
            (false, true) => Reliability::Known,
            (false, false) => Reliability::Unknown,
        };
        (dialog.said, dialog.updates) = (Said::read(message), message.lists(Header::Allow, "UPDATE"));
        dialog.routes = routes(message);
        dialog.retarget(message);
        dialog
    }

    /// The caller's side, before any answer.
    pub fn to_send(invite: ClientKey, flow: Flow, local_tag: u64, call_id: String, parties: (String, String), target: String) -> Dialog {
        let mut dialog = Dialog::new(Stage::Outgoing { invite, provisional: false, cancel: Cancel::No }, flow, local_tag);
        dialog.call_id = call_id.into_bytes();
        dialog.local = parties.0.into_bytes();
        dialog.remote = parties.1.into_bytes();
        dialog.target = target.into_bytes();
        dialog
    }

    fn new(stage: Stage, flow: Flow, local_tag: u64) -> Dialog {
        Dialog {
            stage,
            call_id: Vec::new(),
            local: Vec::new(),
            local_tag,
            remote: Vec::new(),
            remote_tag: Vec::new(),
            local_cseq: 0,
            remote_cseq: None,
            target: Vec::new(),
            routes: Vec::new(),
            flow,
            connected: true,
            pinned: false,
            trunk: None,
            attempt: None,
            patience: None,
            reliability: Reliability::Unknown,
            reliable: None,
            early: Vec::new(),
            said: Said::default(),
            session: None,
            updates: false,
            own_sdp: Box::default(),
            refreshes: false,
            invite_cseq: 0,
            own_call_id: false,
            merge: None,
            answer: None,
            hang_up: false,
            reoffer_in: None,
            reoffer_out: None,
        }
    }

    /// The dialog that a 2xx to an INVITE of ours makes (RFC 3261 §12.1.2), from that INVITE; each fork makes its own.
    pub fn of_answer(invite: &Message, response: &Message, core: &Core, flow: Flow) -> Dialog {
        let own = Core::read(invite).expect("our own INVITE");
        let from = invite.first(Header::From).expect("our own INVITE");
        let tag_at = from.windows(5).rposition(|part| part == b";tag=").expect("our From has a tag");
        let mut dialog = Dialog::new(Stage::Up, flow, tag(own.from_tag()).expect("our tag"));
        dialog.call_id = own.call_id.to_vec();
        dialog.local = from[..tag_at].to_vec();
        dialog.local_cseq = own.cseq;
        dialog.remote = response.first(Header::To).expect("checked").to_vec();
        dialog.remote_tag = core.to_tag().to_vec();
        if let Start::Request { uri, .. } = invite.start {
            dialog.target = uri.to_vec();
        }
        dialog.pinned = true;
        dialog.own_call_id = true;
        dialog.routes = routes(response);
        dialog.routes.reverse();
        dialog.retarget(response);
        dialog
    }

    /// Takes the peer's Contact as the remote target, if it gives one (RFC 3261 §12.2).
    pub fn retarget(&mut self, message: &Message) {
        let first = message.first(Header::Contact).and_then(|value| list(value).next());
        if let Some(contact) = first.and_then(|value| NameAddr::read(value).ok()).filter(|contact| contact.uri().scheme != Scheme::Other) {
            self.target = contact.uri.to_vec();
        }
    }

    pub fn belongs(&self, core: &Core) -> bool {
        let tag = core.from_tag();
        let known = match self.stage {
            Stage::Outgoing { .. } => self.early.iter().any(|early| early.tag == tag),
            _ => self.remote_tag == tag,
        };
        known && self.call_id == core.call_id
    }

    /// Whether a request with an offer may be sent now (RFC 3261 §14.1).
    pub fn is_free(&self) -> bool {
        self.stage == Stage::Up && self.reoffer_in.is_none() && self.reoffer_out.is_none() && self.answer.is_none() && !self.hang_up
    }

    /// Writes a request in the dialog, and says where it goes. `extra` is header lines; a body is SDP.
    pub fn request(&self, scratch: &mut Vec<u8>, method: &str, cseq: u32, branch: u64, extra: &[u8], body: &[u8]) -> (Flow, Arc<[u8]>) {
        let strict = self.routes.first().is_some_and(|route| !is_loose(route));
        let next_hop = self.routes.first().map_or(&self.target[..], |route| bare(route));
        let flow = self.next_flow(next_hop);
        scratch.clear();
        scratch.extend_from_slice(method.as_bytes());
        scratch.push(b' ');
        scratch.extend_from_slice(if strict { next_hop } else { &self.target });
        scratch.extend_from_slice(b" SIP/2.0\r\n");
        via(scratch, &flow, branch);
        scratch.extend_from_slice(b"Max-Forwards: 70\r\n");
        for route in self.routes.iter().skip(usize::from(strict)) {
            header_line(scratch, "Route", route);
        }
        if strict {
            let _ = write!(scratch, "Route: <{}>\r\n", String::from_utf8_lossy(&self.target));
        }
        header_line(scratch, "From", &self.local);
        scratch.truncate(scratch.len() - 2);
        let _ = write!(scratch, ";tag={:016x}\r\n", self.local_tag);
        header_line(scratch, "To", &self.remote);
        header_line(scratch, "Call-ID", &self.call_id);
        let _ = write!(scratch, "CSeq: {cseq} {method}\r\n");
        if method == "INVITE" || method == "UPDATE" {
            let _ = write!(scratch, "Contact: {}\r\n", contact(&flow));
        }
        (flow, finish(scratch, extra, body))
    }

    /// Its connection is gone (TCP): the next request goes by the peer's Contact.
    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// The peer speaks from somewhere else: a telephone whose connection or address has changed.
    pub fn follow(&mut self, flow: Flow) {
        if self.pinned || flow.transport == Transport::Tcp {
            (self.flow, self.connected) = (flow, true);
        }
    }

    /// A station registers this contact over a flow, and did over others before: if it is this one, it is spoken to where it is now.
    pub fn station_registered(&mut self, uri: &str, before: &[Flow], flow: Flow) {
        let is_it = || Uri::read(&self.target).is_ok_and(|own| Uri::read(uri.as_bytes()).is_ok_and(|uri| own.place() == uri.place()));
        if self.pinned && (!self.connected || before.contains(&self.flow)) && is_it() {
            self.follow(flow);
        }
    }

    /// Names are not resolved here: where the next hop is no address literal, the INVITE's own flow is the way back.
    fn next_flow(&self, next_hop: &[u8]) -> Flow {
        if self.connected && (self.pinned || self.flow.transport == Transport::Tcp) {
            return self.flow;
        }
        let Ok(uri) = Uri::read(next_hop) else { return self.flow };
        let transport = match uri.param("transport") {
            None => Transport::Udp,
            Some(name) if name.eq_ignore_ascii_case("udp") => Transport::Udp,
            Some(name) if name.eq_ignore_ascii_case("tcp") && !self.connected => Transport::Tcp,
            Some(_) => return self.flow,
        };
        match address(uri.host).filter(|ip| ip.is_ipv4() == self.flow.local.is_ipv4()) {
            Some(ip) => Flow { remote: SocketAddr::new(ip, uri.port.unwrap_or(5060)), transport, ..self.flow },
            None => self.flow,
        }
    }
}

/// The ACK to an answer of 300 or above, or the CANCEL, of a request of ours: they repeat its first hop (RFC 3261 §9.1, §17.1.1.3).
pub fn hop_request(scratch: &mut Vec<u8>, request: &[u8], method: &str, to: Option<&[u8]>, extra: &[u8]) -> Arc<[u8]> {
    let message = Message::read(request, usize::MAX).expect("our own request");
    let own = Core::read(&message).expect("our own request");
    let Start::Request { uri, .. } = message.start else { unreachable!("our own request") };
    scratch.clear();
    let _ = write!(scratch, "{method} {} SIP/2.0\r\n", String::from_utf8_lossy(uri));
    for field in &message.fields {
        let value = match field.header {
            Header::To => to.unwrap_or(field.value),
            Header::Via | Header::Route | Header::From | Header::CallId | Header::MaxForwards => field.value,
            _ => continue,
        };
        header_line(scratch, field.header.name(), value);
    }
    let _ = write!(scratch, "CSeq: {} {method}\r\n", own.cseq);
    finish(scratch, extra, b"")
}

/// The Record-Route set in the order of the message.
fn routes(message: &Message) -> Vec<Vec<u8>> {
    let values = message.all(Header::RecordRoute).flat_map(list);
    values.filter_map(|value| NameAddr::read(value).ok()).map(|route| [b"<", route.uri, b">"].concat()).collect()
}

fn bare(route: &[u8]) -> &[u8] {
    &route[1..route.len() - 1]
}

fn is_loose(route: &[u8]) -> bool {
    Uri::read(bare(route)).is_ok_and(|uri| uri.param("lr").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog(routes: &[&str], target: &str) -> Dialog {
        let flow = Flow::udp("127.0.0.1:5060".parse().unwrap(), "127.0.0.9:5070".parse().unwrap());
        let mut dialog = Dialog::new(Stage::Up, flow, 0xab);
        dialog.target = target.as_bytes().to_vec();
        dialog.routes = routes.iter().map(|route| route.as_bytes().to_vec()).collect();
        dialog
    }

    fn sent(dialog: &Dialog) -> (String, String) {
        let (flow, bytes) = dialog.request(&mut Vec::new(), "BYE", 1, 7, b"", b"");
        (flow.remote.to_string(), String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn requests_follow_the_routes() {
        let (to, text) = sent(&dialog(&[], "sip:a@192.0.2.1:5080"));
        assert!(to == "192.0.2.1:5080" && text.starts_with("BYE sip:a@192.0.2.1:5080 SIP/2.0\r\n") && !text.contains("Route"));
        let (to, text) = sent(&dialog(&["<sip:192.0.2.7;lr>", "<sip:p2;lr>"], "sip:a@h"));
        assert!(
            to == "192.0.2.7:5060"
                && text.starts_with("BYE sip:a@h SIP/2.0\r\n")
                && text.contains("Route: <sip:192.0.2.7;lr>\r\nRoute: <sip:p2;lr>\r\n")
        );
        let (to, text) = sent(&dialog(&["<sip:192.0.2.7>", "<sip:p2;lr>"], "sip:a@h"));
        assert!(
            to == "192.0.2.7:5060"
                && text.starts_with("BYE sip:192.0.2.7 SIP/2.0\r\n")
                && text.contains("Route: <sip:p2;lr>\r\nRoute: <sip:a@h>\r\n")
        );
    }

    #[test]
    fn a_connection_is_used_while_it_lives() {
        let mut known = dialog(&[], "sip:a@192.0.2.1:5080;transport=tcp");
        known.flow.transport = Transport::Tcp;
        assert_eq!(sent(&known).0, "127.0.0.9:5070");
        known.disconnected();
        let (to, text) = sent(&known);
        assert!(to == "192.0.2.1:5080" && text.contains("Via: SIP/2.0/TCP "));
        known.target = b"sip:a@192.0.2.1".to_vec();
        let (to, text) = sent(&known);
        assert!(to == "192.0.2.1:5060" && text.contains("Via: SIP/2.0/UDP "));
        known.follow(Flow { remote: "127.0.0.9:6000".parse().unwrap(), ..known.flow });
        assert_eq!(sent(&known).0, "127.0.0.9:6000");
    }

    #[test]
    fn a_name_is_never_resolved() {
        assert_eq!(sent(&dialog(&[], "sip:a@no.such.host:5080")).0, "127.0.0.9:5070");
        let mut pinned = dialog(&[], "sip:a@10.0.0.1:5080");
        pinned.pinned = true;
        assert_eq!(sent(&pinned).0, "127.0.0.9:5070");
    }
}
