//! What every message must have (RFC 3261 §8.1.1), read and checked once.

use super::{Flaw, Header, Message, NameAddr, Start, Uri, Via, list, number, trim};

/// The headers that name a message's transaction and dialog.
#[derive(Clone, Copy, Debug)]
pub struct Core<'a> {
    pub via: Via<'a>,
    pub from: NameAddr<'a>,
    pub to: NameAddr<'a>,
    pub call_id: &'a [u8],
    pub cseq: u32,
    pub method: &'a str,
}

/// Headers of which a message has at most one.
const SINGLE: [Header; 6] = [Header::From, Header::To, Header::CallId, Header::CSeq, Header::MaxForwards, Header::Expires];

impl<'a> Core<'a> {
    /// Reads and checks; `Err` is the first flaw of the frame or of a header that we would act on.
    pub fn read(message: &Message<'a>) -> Result<Core<'a>, Flaw> {
        if let Some(flaw) = message.flaw {
            return Err(flaw);
        }
        for header in SINGLE {
            if message.all(header).nth(1).is_some() {
                return Err(Flaw("A header more than once"));
            }
        }
        let core = Core::parts(message)?;
        if let Start::Request { method, uri } = message.start {
            core.check_request(message, method, uri)?;
        }
        Ok(core)
    }

    /// What can be read of a message that was found broken elsewhere, so that its answer finds its way.
    pub fn lenient(message: &Message<'a>) -> Option<Core<'a>> {
        Core::parts(message).ok()
    }

    fn parts(message: &Message<'a>) -> Result<Core<'a>, Flaw> {
        let need = |header, flaw| message.first(header).ok_or(Flaw(flaw));
        let hops = need(Header::Via, "Missing Via")?;
        let via = Via::read(list(hops).next().expect("a list has a first value"))?;
        let from = NameAddr::read(need(Header::From, "Missing From")?)?;
        let to = NameAddr::read(need(Header::To, "Missing To")?)?;
        let call_id = need(Header::CallId, "Missing Call-ID")?;
        if call_id.is_empty() || call_id.iter().any(|b| b.is_ascii_whitespace()) {
            return Err(Flaw("Bad Call-ID"));
        }
        let (cseq, method) = cseq(need(Header::CSeq, "Missing CSeq")?).ok_or(Flaw("Bad CSeq"))?;
        Ok(Core { via, from, to, call_id, cseq, method })
    }

    fn check_request(&self, message: &Message<'a>, method: &str, uri: &[u8]) -> Result<(), Flaw> {
        if method != self.method {
            return Err(Flaw("CSeq names another method"));
        }
        if Uri::read(uri)?.headers.is_some() {
            return Err(Flaw("Headers in the Request-URI"));
        }
        for hops in message.all(Header::Via) {
            list(hops).try_for_each(|hop| Via::read(hop).map(drop))?;
        }
        if message.first(Header::MaxForwards).is_some_and(|value| number(value).is_none_or(|hops| hops > 255)) {
            return Err(Flaw("Bad Max-Forwards"));
        }
        let star = |value| trim(value) == b"*";
        for value in message.all(Header::Contact).filter(|value| !star(value)) {
            list(value).try_for_each(|contact| NameAddr::read(contact).map(drop))?;
        }
        for value in message.all(Header::Route).chain(message.all(Header::RecordRoute)) {
            list(value).try_for_each(|route| NameAddr::read(route).map(drop))?;
        }
        Ok(())
    }

    pub fn from_tag(&self) -> &'a [u8] {
        self.from.tag().unwrap_or(&[])
    }

    pub fn to_tag(&self) -> &'a [u8] {
        self.to.tag().unwrap_or(&[])
    }
}

/// `4711 INVITE`; the number is below 2³¹ (RFC 3261 §8.1.1.5).
fn cseq(value: &[u8]) -> Option<(u32, &str)> {
    let value = trim(value);
    let split = value.iter().position(u8::is_ascii_whitespace)?;
    let (digits, method) = value.split_at(split);
    let sequence = number(digits).and_then(|n| u32::try_from(n).ok()).filter(|n| *n < 1 << 31)?;
    let method = std::str::from_utf8(trim(method)).ok()?;
    method.bytes().all(super::is_token).then_some((sequence, method))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\nTo: sip:a@b\r\nCall-ID: x@y\r\nCSeq: 7 OPTIONS\r\n\r\n";

    fn read(text: &str) -> Result<(u32, String), Flaw> {
        let message = Message::read(text.as_bytes(), 64).expect("a start line");
        Core::read(&message).map(|core| (core.cseq, core.method.to_string()))
    }

    #[test]
    fn each_header_is_needed_and_checked() {
        assert_eq!(read(GOOD), Ok((7, "OPTIONS".to_string())));
        for (from, to) in [
            ("Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n", ""),
            ("From: <sip:c@d>;tag=1\r\n", ""),
            ("To: sip:a@b\r\n", ""),
            ("Call-ID: x@y\r\n", ""),
            ("CSeq: 7 OPTIONS\r\n", ""),
            ("7 OPTIONS", "7 INVITE"),
            ("7 OPTIONS", "2147483648 OPTIONS"),
            ("To: ", "To: sip:q@w\r\nTo: "),
            ("x@y", "x y"),
            ("sip:a@b SIP", "sip:a@b?Route=x SIP"),
            ("CSeq", "Max-Forwards: 256\r\nCSeq"),
            ("CSeq", "Contact: sip:a@b?x=y\r\nCSeq"),
        ] {
            assert!(GOOD.contains(from));
            assert!(read(&GOOD.replacen(from, to, 1)).is_err(), "{from:?} -> {to:?}");
        }
    }
}
