//! SIP messages, made and read with rsip. Its limits (no folding, no compact names, no IPv6, unknown methods, a dot in a user name) are
//! met here: we write none of these, and what rsip cannot read is counted, not guessed at.

use rsip::headers::UntypedHeader;
use rsip::{Header, Headers, Method, Request, Response, SipMessage, StatusCode, Uri, Version};
use std::net::SocketAddr;

/// A request's own lines; the rest is common to all requests.
pub struct Draft<'a> {
    pub method: Method,
    pub uri: &'a str,
    pub local: SocketAddr,
    pub branch: &'a str,
    /// The whole From value, with its tag.
    pub from: &'a str,
    pub to: &'a str,
    pub call_id: &'a str,
    pub cseq: u32,
    /// The user of our Contact, where the request has one.
    pub contact: Option<&'a str>,
    pub more: Vec<Header>,
    pub sdp: Option<String>,
}

/// A request as bytes, ready to send. Fails if rsip cannot hold the URI.
pub fn request(draft: Draft) -> Result<Vec<u8>, rsip::Error> {
    let local = draft.local;
    let via = format!("SIP/2.0/UDP {local};rport;branch={}", draft.branch);
    let mut headers: Headers = vec![
        Header::Via(via.into()),
        Header::MaxForwards(rsip::headers::MaxForwards::new("70")),
        Header::From(draft.from.into()),
        Header::To(draft.to.into()),
        Header::CallId(draft.call_id.into()),
        Header::CSeq(format!("{} {}", draft.cseq, draft.method).into()),
    ]
    .into();
    if let Some(user) = draft.contact {
        headers.push(Header::Contact(format!("<sip:{user}@{local}>").into()));
    }
    headers.push(Header::UserAgent("Careline-loadgen".into()));
    headers.extend(draft.more);
    let body = with_body(&mut headers, draft.sdp);
    let uri = Uri::try_from(draft.uri)?;
    Ok(SipMessage::from(Request { method: draft.method, uri, version: Version::V2, headers, body }).into())
}

/// The response to `request`: its Via, From, Call-ID and CSeq as they came, its To with our tag.
pub fn response(request: &Request, code: u16, tag: Option<&str>, contact: Option<(&str, SocketAddr)>, sdp: Option<String>) -> Vec<u8> {
    let mut headers = Headers::default();
    for header in request.headers.iter() {
        match header {
            Header::Via(_) | Header::From(_) | Header::CallId(_) | Header::CSeq(_) | Header::RecordRoute(_) => headers.push(header.clone()),
            Header::To(to) => {
                let value = to.value();
                let to = match tag {
                    Some(tag) if !value.contains(";tag=") => format!("{value};tag={tag}"),
                    _ => value.to_string(),
                };
                headers.push(Header::To(to.into()));
            }
            _ => {}
        }
    }
    if let Some((user, local)) = contact {
        headers.push(Header::Contact(format!("<sip:{user}@{local}>").into()));
    }
    let body = with_body(&mut headers, sdp);
    SipMessage::from(Response { status_code: StatusCode::from(code), version: Version::V2, headers, body }).into()
}

fn with_body(headers: &mut Headers, sdp: Option<String>) -> Vec<u8> {
    let body = sdp.unwrap_or_default().into_bytes();
    if !body.is_empty() {
        headers.push(Header::ContentType("application/sdp".to_string().into()));
    }
    headers.push(Header::ContentLength(body.len().to_string().into()));
    body
}

/// One header's value, by its variant.
macro_rules! value {
    ($headers:expr, $variant:ident) => {
        $headers.iter().find_map(|h| if let Header::$variant(v) = h { Some(v.value()) } else { None })
    };
}

/// What the transactions and dialogs here need of a message.
#[derive(Clone, Debug)]
pub struct Lines {
    pub branch: String,
    pub call_id: String,
    pub from: String,
    pub to: String,
    pub cseq: u32,
    /// The method in CSeq.
    pub method: Method,
    /// The URI of the first Contact.
    pub contact: Option<String>,
    /// The text of a Reason header (RFC 3326).
    pub reason: Option<String>,
}

/// Reads what a phone needs; `None` if something that every message has is missing or unreadable.
pub fn lines(headers: &Headers) -> Option<Lines> {
    let (number, method) = value!(headers, CSeq)?.split_once(' ')?;
    let reason = headers.iter().find_map(|h| match h {
        Header::Other(name, value) if name.eq_ignore_ascii_case("Reason") => Some(value.clone()),
        _ => None,
    });
    Some(Lines {
        branch: parameter(value!(headers, Via)?, "branch")?.to_string(),
        call_id: value!(headers, CallId)?.to_string(),
        from: value!(headers, From)?.to_string(),
        to: value!(headers, To)?.to_string(),
        cseq: number.parse().ok()?,
        method: method.trim().parse().ok()?,
        // A Contact that rsip cannot hold could not be written back.
        contact: value!(headers, Contact).and_then(uri_in).filter(|uri| Uri::try_from(*uri).is_ok()).map(str::to_string),
        reason,
    })
}

/// The challenge of a 401.
pub fn challenges(headers: &Headers) -> impl Iterator<Item = &str> {
    headers.iter().filter_map(|h| if let Header::WwwAuthenticate(v) = h { Some(v.value()) } else { None })
}

/// `;name=value` outside the angle brackets.
pub fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rfind('>').map_or(value, |end| &value[end + 1..]);
    after.split(';').skip(1).find_map(|p| {
        let (key, value) = p.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The URI in `"Name" <uri>;params` or `uri;params`.
pub fn uri_in(value: &str) -> Option<&str> {
    match (value.find('<'), value.find('>')) {
        (Some(start), Some(end)) if start < end => Some(&value[start + 1..end]),
        _ => value.split(';').next(),
    }
}

/// The display name in front of a URI, without quotes.
pub fn display_name(value: &str) -> &str {
    value.find('<').map_or("", |end| value[..end].trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> SocketAddr {
        "127.0.0.2:40000".parse().unwrap()
    }

    fn draft<'a>(method: Method, sdp: Option<String>) -> Draft<'a> {
        Draft {
            method,
            uri: "sip:+13125550100@127.0.0.1:5060",
            local: local(),
            branch: "z9hG4bK-1",
            from: "<sip:+12015550100@127.0.0.2>;tag=a1",
            to: "<sip:+13125550100@127.0.0.1:5060>",
            call_id: "c1@127.0.0.2",
            cseq: 7,
            contact: Some("+12015550100"),
            more: vec![],
            sdp,
        }
    }

    #[test]
    fn a_request_reads_back() {
        let bytes = request(draft(Method::Invite, Some("v=0\r\n".into()))).unwrap();
        let Ok(SipMessage::Request(read)) = SipMessage::try_from(&bytes[..]) else { panic!("{}", String::from_utf8_lossy(&bytes)) };
        let lines = lines(&read.headers).unwrap();
        assert_eq!((lines.branch.as_str(), lines.cseq, lines.method), ("z9hG4bK-1", 7, Method::Invite));
        assert_eq!(lines.contact.as_deref(), Some("sip:+12015550100@127.0.0.2:40000"));
        assert_eq!(read.body, b"v=0\r\n");
        assert_eq!(parameter(&lines.from, "tag"), Some("a1"));
    }

    #[test]
    fn a_response_mirrors_its_request_and_tags_once() {
        let bytes = request(draft(Method::Invite, None)).unwrap();
        let read = Request::try_from(&bytes[..]).unwrap();
        let ringing = response(&read, 180, Some("b2"), Some(("1004", local())), None);
        let Ok(SipMessage::Response(ringing)) = SipMessage::try_from(&ringing[..]) else { panic!() };
        let lines = lines(&ringing.headers).unwrap();
        assert_eq!(parameter(&lines.to, "tag"), Some("b2"));
        assert_eq!(lines.branch, "z9hG4bK-1");
        assert_eq!(u16::from(ringing.status_code), 180);
    }

    #[test]
    fn names_and_parameters_are_found_where_they_stand() {
        let value = "\"Billing · ES\" <sip:care@127.0.0.1:5060;transport=udp>;tag=x9";
        assert_eq!(display_name(value), "Billing · ES");
        assert_eq!(uri_in(value), Some("sip:care@127.0.0.1:5060;transport=udp"));
        assert_eq!(parameter(value, "tag"), Some("x9"));
        assert_eq!(parameter(value, "transport"), None);
        assert_eq!(uri_in("sip:a@b;tag=1"), Some("sip:a@b"));
    }
}
