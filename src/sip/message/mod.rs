//! A SIP message as received: an index of header spans over its octets, typed on demand (RFC 3261 §7, §25).

mod body;
mod core;
mod header;
mod uri;
mod value;

pub use self::core::Core;
pub use header::Header;
pub use uri::{Scheme, Uri, address, escape_user, unescape};
pub use value::{NameAddr, Params, Via, list, number, text, tokens, trim};

/// What is wrong with a message, as the reason phrase says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw(pub &'static str);

/// One header line: folded lines are one value, their line ends still inside.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub header: Header,
    pub name: &'a [u8],
    pub value: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<'a> {
    Request { method: &'a str, uri: &'a [u8] },
    Response { code: u16 },
}

/// A message that has a start line; `flaw` is the first thing found wrong with its frame.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub start: Start<'a>,
    pub fields: Vec<Field<'a>>,
    pub body: &'a [u8],
    pub flaw: Option<Flaw>,
    /// `SIP/` and something else than `2.0`.
    pub other_version: bool,
    /// One Content-Length says where the body ends, and it is all there: what a stream's messages need (RFC 3261 §18.3).
    pub framed: bool,
}

/// Header lines of one part of a body.
const PART_HEADERS_MAX: usize = 16;

pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The next line from `at`: its end (without CRLF or LF) and where the next one starts.
fn line_end(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let lf = at + bytes[at..].iter().position(|b| *b == b'\n')?;
    let end = if lf > at && bytes[lf - 1] == b'\r' { lf - 1 } else { lf };
    Some((end, lf + 1))
}

impl<'a> Message<'a> {
    /// Indexes the message; `None` if there is no start line to answer (keep-alives, noise, a broken status line).
    pub fn read(bytes: &'a [u8], headers_max: usize) -> Option<Message<'a>> {
        let lead = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n'))?;
        let (end, next) = line_end(bytes, lead)?;
        let mut message = Message::start_line(&bytes[lead..end])?;
        message.fields.reserve(24);
        match message.index(bytes, next, headers_max) {
            Ok(body) => message.frame(&bytes[body..]),
            Err(flaw) => message.flaw = message.flaw.or(Some(flaw)),
        }
        Some(message)
    }

    fn start_line(line: &'a [u8]) -> Option<Message<'a>> {
        let message = |start, flaw, other_version| Message { start, fields: Vec::new(), body: &[], flaw, other_version, framed: false };
        if line.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/")) {
            let mut parts = line.splitn(3, |b| *b == b' ');
            let (version, code) = (parts.next()?, parts.next()?);
            let fits = version.eq_ignore_ascii_case(b"SIP/2.0") && code.len() == 3 && code.iter().all(u8::is_ascii_digit);
            let code = code.iter().take(3).fold(0, |code, digit| code * 10 + u16::from(digit.wrapping_sub(b'0')));
            return (fits && (100..700).contains(&code)).then(|| message(Start::Response { code }, None, false));
        }
        let first = line.iter().position(|b| *b == b' ')?;
        let (method, rest) = (&line[..first], &line[first + 1..]);
        if method.is_empty() || !method.iter().all(|b| is_token(*b)) {
            return None;
        }
        let trimmed = trim(rest);
        let last = trimmed.iter().rposition(|b| is_space(*b))?;
        let (uri, version) = (trim(&trimmed[..last]), &trimmed[last + 1..]);
        if !version.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/")) {
            return None;
        }
        let other = !version.eq_ignore_ascii_case(b"SIP/2.0");
        let spaced = uri.len() + 1 + version.len() != rest.len();
        let flaw = spaced.then_some(Flaw("Bad white space in the request line"));
        let method = std::str::from_utf8(method).ok()?;
        Some(message(Start::Request { method, uri }, flaw, other))
    }

    /// Fills `fields`; gives where the body starts.
    fn index(&mut self, bytes: &'a [u8], mut at: usize, headers_max: usize) -> Result<usize, Flaw> {
        loop {
            let (mut end, mut next) = line_end(bytes, at).ok_or(Flaw("Missing blank line after the headers"))?;
            if end == at {
                return Ok(next);
            }
            if self.fields.len() >= headers_max {
                return Err(Flaw("Too many headers"));
            }
            while bytes.get(next).is_some_and(|b| matches!(b, b' ' | b'\t')) {
                (end, next) = line_end(bytes, next).ok_or(Flaw("Missing blank line after the headers"))?;
            }
            let line = &bytes[at..end];
            at = next;
            let Some(colon) = line.iter().position(|b| *b == b':') else {
                self.flaw = self.flaw.or(Some(Flaw("A header without a colon")));
                continue;
            };
            let name = trim_end(&line[..colon]);
            if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
                self.flaw = self.flaw.or(Some(Flaw("Bad header name")));
                continue;
            }
            self.fields.push(Field { header: Header::of(name), name, value: trim(&line[colon + 1..]) });
        }
    }

    /// Content-Length decides how much of what follows is the body (RFC 3261 §18.3); what is beyond it is dropped.
    fn frame(&mut self, rest: &'a [u8]) {
        self.body = rest;
        match self.content_length() {
            Err(flaw) => self.flaw = self.flaw.or(Some(flaw)),
            Ok(Some(length)) if length > rest.len() => self.flaw = self.flaw.or(Some(Flaw("Content-Length beyond the message"))),
            Ok(Some(length)) => {
                self.body = &rest[..length];
                self.framed = true;
            }
            Ok(None) => {}
        }
    }

    /// What follows a message's head on a stream: the one length that its headers claim. `None`: where it ends cannot be told.
    pub fn body_length(head: &[u8], headers_max: usize) -> Option<usize> {
        let (_, headers) = line_end(head, 0)?;
        let mut message =
            Message { start: Start::Response { code: 0 }, fields: Vec::new(), body: &[], flaw: None, other_version: false, framed: false };
        message.index(head, headers, headers_max).ok()?;
        message.content_length().ok()?
    }

    /// The length that the message claims for its body; different claims contradict each other.
    pub fn content_length(&self) -> Result<Option<usize>, Flaw> {
        let mut claimed = None;
        for value in self.all(Header::ContentLength) {
            let length = number(value).and_then(|n| usize::try_from(n).ok()).ok_or(Flaw("Bad Content-Length"))?;
            if claimed.is_some_and(|other| other != length) {
                return Err(Flaw("Conflicting Content-Length"));
            }
            claimed = Some(length);
        }
        Ok(claimed)
    }

    /// One part of a multipart body: its headers, and what follows them.
    fn part(bytes: &'a [u8]) -> Option<(Message<'a>, &'a [u8])> {
        let mut message =
            Message { start: Start::Response { code: 0 }, fields: Vec::new(), body: &[], flaw: None, other_version: false, framed: false };
        let content = message.index(bytes, 0, PART_HEADERS_MAX).ok()?;
        Some((message, &bytes[content..]))
    }

    pub fn all(&self, header: Header) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.fields.iter().filter(move |field| field.header == header).map(|field| field.value)
    }

    pub fn first(&self, header: Header) -> Option<&'a [u8]> {
        self.fields.iter().find(|field| field.header == header).map(|field| field.value)
    }

    pub fn has(&self, header: Header) -> bool {
        self.first(header).is_some()
    }

    /// Whether a header that is a list of tokens names `token`, in any of its lines.
    pub fn lists(&self, header: Header, token: &str) -> bool {
        self.all(header).any(|value| tokens(value).any(|t| t.eq_ignore_ascii_case(token)))
    }

    /// The media type, without its parameters.
    pub fn content_type(&self) -> Option<&'a str> {
        let value = self.first(Header::ContentType)?;
        let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
        std::str::from_utf8(trim(&value[..end])).ok()
    }

    /// The body if it is SDP; `Err` if it is something that we do not read.
    pub fn sdp(&self) -> Result<Option<&'a [u8]>, Flaw> {
        match self.content_type() {
            _ if self.body.is_empty() => Ok(None),
            Some(kind) if kind.eq_ignore_ascii_case("application/sdp") => Ok(Some(self.body)),
            Some(kind) if kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/")) => {
                let whole = self.first(Header::ContentType).unwrap_or_default();
                body::sdp_part(whole, self.body).map(Some).ok_or(Flaw("Unsupported Media Type"))
            }
            _ => Err(Flaw("Unsupported Media Type")),
        }
    }
}

fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| !is_space(*b)).map_or(0, |last| last + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Message<'_> {
        Message::read(text.as_bytes(), 64).expect("a start line")
    }

    #[test]
    fn folded_lines_are_one_value() {
        let message = read("OPTIONS sip:a@b SIP/2.0\r\ns : one\r\n  two\r\nv: x\r\nLength: 7\r\nl: 2\r\n\r\nabc");
        assert_eq!(message.fields.len(), 4);
        assert_eq!(text(message.first(Header::Via).unwrap()), "x");
        assert_eq!(message.fields[0].value, b"one\r\n  two");
        assert_eq!(message.body, b"ab");
        assert_eq!(message.flaw, None);
    }

    #[test]
    fn what_has_no_start_line_is_noise() {
        for noise in [
            "",
            "\r\n\r\n",
            "hello",
            "SIP/2.0 99 x\r\n\r\n",
            "SIP/2.0 4294967301 x\r\n\r\n",
            "INVITE sip:a@b\r\n\r\n",
            "A\u{e9} sip:x SIP/2.0\r\n\r\n",
        ] {
            assert!(Message::read(noise.as_bytes(), 64).is_none(), "{noise:?}");
        }
    }

    #[test]
    fn a_broken_frame_is_a_flaw() {
        for bad in [
            "OPTIONS  sip:a@b SIP/2.0\r\n\r\n",
            "OPTIONS sip:a@b SIP/2.0 \r\n\r\n",
            "OPTIONS sip:a@b SIP/2.0\r\nTo: x\r\n",
            "OPTIONS sip:a@b SIP/2.0\r\nTo x\r\n\r\n",
            "OPTIONS sip:a@b SIP/2.0\r\nT o: x\r\n\r\n",
            "OPTIONS sip:a@b SIP/2.0\r\nl: 5\r\n\r\nabc",
            "OPTIONS sip:a@b SIP/2.0\r\nl: -5\r\n\r\nabc",
            "OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\nabc",
        ] {
            assert!(read(bad).flaw.is_some(), "{bad:?}");
        }
        assert!(read("OPTIONS sip:a@b SIP/7.0\r\n\r\n").other_version);
        assert!(Message::read(b"OPTIONS sip:a@b SIP/2.0\r\na: 1\r\nb: 2\r\n\r\n", 1).unwrap().flaw.is_some());
    }
}
