//! Writing messages: responses made from their request's headers, requests, and the phrases of the codes.

use super::api::{Flow, Transport};
use super::message::{Core, Header, Message, Start, Via, list};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

/// The methods that a dialog or a trunk may use here.
pub const ALLOW: &str = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REGISTER\r\n";
/// The extensions that we know (RFC 3262, RFC 4028).
pub const SUPPORTED: &str = "Supported: 100rel, timer\r\n";
pub const ACCEPT: &str = "Accept: application/sdp\r\n";

/// What every response to one request repeats (RFC 3261 §8.2.6.2), with `received` and `rport` filled in (RFC 3581).
#[derive(Clone, Debug, Default)]
pub struct Head {
    lines: Box<[u8]>,
    /// Where a tag of ours goes, if To has none.
    tag_at: Option<usize>,
    /// Record-Route lines, for the responses that make a dialog.
    routes: Box<[u8]>,
}

impl Head {
    /// From a request that was checked, or (`core` absent) from whatever a broken one has.
    pub fn of(message: &Message, core: Option<&Core>, source: SocketAddr) -> Head {
        let mut lines = Vec::with_capacity(512);
        let mut first = true;
        for hops in message.all(Header::Via) {
            lines.extend_from_slice(b"Via: ");
            match core.filter(|_| first) {
                Some(core) => top_via(&mut lines, hops, &core.via, source),
                None => copy(&mut lines, hops),
            }
            first = false;
            lines.extend_from_slice(b"\r\n");
        }
        let mut tag_at = None;
        for header in [Header::From, Header::To, Header::CallId, Header::CSeq] {
            let Some(value) = message.first(header) else { continue };
            header_line(&mut lines, header.name(), value);
            if header == Header::To && core.is_some_and(|core| core.to.tag().is_none()) {
                tag_at = Some(lines.len() - 2);
            }
        }
        let mut routes = Vec::new();
        for value in message.all(Header::RecordRoute) {
            header_line(&mut routes, "Record-Route", value);
        }
        Head { lines: lines.into(), tag_at, routes: routes.into() }
    }

    /// The method of the request that is answered, as its CSeq says it.
    pub fn method(&self) -> &str {
        let lines = std::str::from_utf8(&self.lines).unwrap_or_default();
        lines.trim_end().rsplit("\r\n").find_map(|line| line.strip_prefix("CSeq: ")?.split_whitespace().nth(1)).unwrap_or_default()
    }

    /// A whole response. `extra` is header lines; a body is SDP. `scratch` is room to write in.
    pub fn response(&self, scratch: &mut Vec<u8>, code: u16, tag: u64, extra: &[u8], body: &[u8]) -> Arc<[u8]> {
        scratch.clear();
        let _ = write!(scratch, "SIP/2.0 {code} {}\r\n", phrase(code));
        match self.tag_at.filter(|_| code > 100) {
            Some(at) => {
                scratch.extend_from_slice(&self.lines[..at]);
                let _ = write!(scratch, ";tag={tag:016x}");
                scratch.extend_from_slice(&self.lines[at..]);
            }
            None => scratch.extend_from_slice(&self.lines),
        }
        if (101..300).contains(&code) {
            scratch.extend_from_slice(&self.routes);
        }
        finish(scratch, extra, body)
    }
}

/// How a request of ours is written anew: for another peer, or with proof.
pub struct Change<'a> {
    pub uri: Option<&'a str>,
    pub flow: &'a Flow,
    pub branch: u64,
    pub cseq: u32,
    pub extra: &'a str,
    /// The headers that `extra` takes the place of.
    pub without: &'a [Header],
}

/// The same request for another transaction.
pub fn rewrite(scratch: &mut Vec<u8>, request: &Message, change: &Change) -> Arc<[u8]> {
    let Start::Request { method, uri } = request.start else { unreachable!("a request of ours") };
    scratch.clear();
    let uri = change.uri.map_or(uri, str::as_bytes);
    let _ = write!(scratch, "{method} {} SIP/2.0\r\n", String::from_utf8_lossy(uri));
    via(scratch, change.flow, change.branch);
    for field in &request.fields {
        match field.header {
            Header::Via | Header::ContentLength => {}
            header if change.without.contains(&header) => {}
            Header::CSeq => {
                let _ = write!(scratch, "CSeq: {} {method}\r\n", change.cseq);
            }
            Header::Contact => header_line(scratch, "Contact", moved_contact(field.value, change.flow).as_bytes()),
            _ => header_line(scratch, &String::from_utf8_lossy(field.name), field.value),
        }
    }
    finish(scratch, change.extra.as_bytes(), request.body)
}

/// Our Contact, with its user and parameters, on another flow.
fn moved_contact(value: &[u8], flow: &Flow) -> String {
    let text = String::from_utf8_lossy(value);
    let user = text.split_once('@').and_then(|(head, _)| head.strip_prefix("<sip:"));
    let params = text.split_once('>').map_or("", |(_, params)| params);
    format!("{}{params}", user_contact(user, flow))
}

/// The Via line of a request of ours.
pub fn via(scratch: &mut Vec<u8>, flow: &Flow, branch: u64) {
    let transport = if flow.transport == Transport::Udp { "UDP" } else { "TCP" };
    let _ = write!(scratch, "Via: SIP/2.0/{transport} {};branch=z9hG4bK{branch:016x};rport\r\n", flow.local);
}

/// Ends a message: further header lines, the body and its length.
pub fn finish(scratch: &mut Vec<u8>, extra: &[u8], body: &[u8]) -> Arc<[u8]> {
    scratch.extend_from_slice(extra);
    if !body.is_empty() && !contains_content_type(scratch) {
        scratch.extend_from_slice(b"Content-Type: application/sdp\r\n");
    }
    let _ = write!(scratch, "Content-Length: {}\r\n\r\n", body.len());
    scratch.extend_from_slice(body);
    Arc::from(&scratch[..])
}

fn contains_content_type(headers: &[u8]) -> bool {
    headers.split(|b| *b == b'\n').any(|line| line.len() > 13 && line[..13].eq_ignore_ascii_case(b"Content-Type:"))
}

/// The value in one line: a fold or a stray CR becomes a space.
pub fn copy(out: &mut Vec<u8>, value: &[u8]) {
    match value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        false => out.extend_from_slice(value),
        true => out.extend(value.iter().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b })),
    }
}

pub fn header_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    copy(out, value);
    out.extend_from_slice(b"\r\n");
}

fn top_via(out: &mut Vec<u8>, hops: &[u8], via: &Via, source: SocketAddr) {
    let _ = write!(out, "SIP/2.0/{} {}", via.transport, via.host);
    if let Some(port) = via.port {
        let _ = write!(out, ":{port}");
    }
    let mut asked = false;
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case(b"received") {
            continue;
        }
        out.push(b';');
        out.extend_from_slice(name);
        if name.eq_ignore_ascii_case(b"rport") {
            asked = true;
            let _ = write!(out, "={}", source.port());
        } else if let Some(value) = value {
            out.push(b'=');
            copy(out, value);
        }
    }
    if asked || super::message::address(via.host) != Some(source.ip()) {
        let _ = write!(out, ";received={}", source.ip());
    }
    for hop in list(hops).skip(1) {
        out.extend_from_slice(b", ");
        copy(out, hop);
    }
}

/// Where a response goes (RFC 3261 §18.2.2, RFC 3581 §4): over the connection; else to the source's address, at its port if it asked
/// for that by `rport`, else at the port of the Via. `maddr` is not followed: it would let a stranger aim our answers.
pub fn reply_flow(flow: Flow, via: &Via) -> Flow {
    if flow.transport != Transport::Udp || via.params.get("rport").is_some() {
        return flow;
    }
    Flow { remote: SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(5060)), ..flow }
}

/// Our own URI on a flow, in angle brackets: Contact of what we send.
pub fn contact(flow: &Flow) -> String {
    user_contact(None, flow)
}

/// The same with a user, already escaped.
pub fn user_contact(user: Option<&str>, flow: &Flow) -> String {
    let user = user.map_or(String::new(), |user| format!("{user}@"));
    match flow.transport {
        Transport::Udp => format!("<sip:{user}{}>", flow.local),
        Transport::Tcp => format!("<sip:{user}{};transport=tcp>", flow.local),
    }
}

pub fn phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        606 => "Not Acceptable",
        _ => match code / 100 {
            1 => "Progress",
            2 => "Accepted",
            3 => "Redirected",
            4 => "Refused",
            5 => "Failed",
            _ => "Declined",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str, source: &str) -> (String, String) {
        let message = Message::read(text.as_bytes(), 64).unwrap();
        let core = Core::read(&message).unwrap();
        let flow = Flow::udp("127.0.0.1:5060".parse().unwrap(), source.parse().unwrap());
        let response = Head::of(&message, Some(&core), flow.remote).response(&mut Vec::new(), 180, 7, b"", b"");
        (String::from_utf8(response.to_vec()).unwrap(), reply_flow(flow, &core.via).remote.to_string())
    }

    #[test]
    fn a_response_repeats_its_request() {
        let rest = "From: <sip:c@d>;tag=1\r\nTo: a\r\n <sip:a@b>\r\ni: x@y\r\nCSeq: 7\r\n INVITE\r\nRecord-Route: <sip:p;lr>\r\n\r\n";
        let (text, to) = head(
            &format!("INVITE sip:a@b SIP/2.0\r\nv: SIP / 2.0/UDP h:5070 ; rport;branch=z9hG4bK1, SIP/2.0/UDP q\r\n{rest}"),
            "192.0.2.9:4000",
        );
        assert_eq!(
            text,
            "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP h:5070;rport=4000;branch=z9hG4bK1;received=192.0.2.9, SIP/2.0/UDP q\r\nFrom: <sip:c@d>;tag=1\r\nTo: a   <sip:a@b>;tag=0000000000000007\r\nCall-ID: x@y\r\nCSeq: 7   INVITE\r\nRecord-Route: <sip:p;lr>\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(to, "192.0.2.9:4000");
        let (text, to) = head(
            &format!("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;maddr=1.2.3.4;branch=z9hG4bK1\r\n{rest}"),
            "192.0.2.9:4000",
        );
        assert!(text.contains("UDP 192.0.2.9;maddr=1.2.3.4;branch=z9hG4bK1\r\n"));
        assert_eq!(to, "192.0.2.9:5060");
    }
}
