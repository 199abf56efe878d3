//! Typed header values, read on demand: lists, name-addr, Via, parameters, numbers.

use super::uri::host_port;
use super::{Flaw, Uri, is_space, is_token};
use std::borrow::Cow;

pub fn trim(bytes: &[u8]) -> &[u8] {
    let Some(first) = bytes.iter().position(|b| !is_space(*b)) else { return &[] };
    let last = bytes.iter().rposition(|b| !is_space(*b)).expect("one octet is no space");
    &bytes[first..=last]
}

/// The value as text, for tokens that we compare or keep; what is not UTF-8 becomes U+FFFD.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(trim(bytes))
}

/// A decimal number that fits in 64 bits, and nothing else.
pub fn number(bytes: &[u8]) -> Option<u64> {
    let digits = trim(bytes);
    let fits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    fits.then(|| digits.iter().try_fold(0u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0')))).flatten()
}

/// The length of the quoted string that `bytes` starts with, quotes included.
fn quoted(bytes: &[u8]) -> Result<usize, Flaw> {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Err(Flaw("Unbalanced quotes"))
}

/// The values of a comma-separated list; commas in quotes and in angle brackets do not count.
pub fn list(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let (mut at, mut angle) = (0, false);
        while at < bytes.len() {
            match bytes[at] {
                b'"' if !angle => {
                    at += quoted(&bytes[at..]).unwrap_or(bytes.len() - at);
                    continue;
                }
                b'<' => angle = true,
                b'>' => angle = false,
                b',' if !angle => break,
                _ => {}
            }
            at += 1;
        }
        let at = at.min(bytes.len());
        rest = bytes.get(at + 1..).filter(|_| at < bytes.len());
        Some(trim(&bytes[..at]))
    })
}

/// The tokens of a comma-separated list (Require, Supported, Allow).
pub fn tokens(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes.split(|b| *b == b',').map(trim).filter(|t| !t.is_empty()).filter_map(|t| std::str::from_utf8(t).ok())
}

/// One parameter's name and value, and what follows it.
type Step<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// `;name=value` parameters, checked when they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Checks that all of `bytes` is parameters, each with a name.
    pub fn read(bytes: &'a [u8]) -> Result<Params<'a>, Flaw> {
        const BAD: Flaw = Flaw("Bad parameters");
        let mut rest = trim(bytes);
        let whole = rest;
        while !rest.is_empty() {
            let (_, _, next) = Params::step(rest).ok_or(BAD)?;
            rest = next;
        }
        Ok(Params(whole))
    }

    fn step(bytes: &'a [u8]) -> Option<Step<'a>> {
        let rest = trim(bytes).strip_prefix(b";")?;
        let rest = &rest[rest.iter().position(|b| !is_space(*b))?..];
        let end = rest.iter().position(|b| !is_token(*b)).unwrap_or(rest.len());
        let (name, rest) = (&rest[..end], trim(&rest[end..]));
        if name.is_empty() {
            return None;
        }
        let Some(rest) = rest.strip_prefix(b"=") else {
            return (rest.is_empty() || rest[0] == b';').then_some((name, None, rest));
        };
        let rest = trim(rest);
        let end = match rest.first() {
            Some(b'"') => quoted(rest).ok()?,
            _ => rest.iter().position(|b| is_space(*b) || b";,<>\"?".contains(b)).unwrap_or(rest.len()),
        };
        let (value, rest) = (&rest[..end], trim(&rest[end..]));
        (rest.is_empty() || rest[0] == b';').then_some((name, Some(value), rest))
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, value, next) = Params::step(rest)?;
            rest = next;
            Some((name, value))
        })
    }

    /// The value of a parameter: empty if it has none, `None` if it is absent. Quotes are kept.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value.unwrap_or(&[]))
    }
}

/// A party: `"Display" <uri>;params` or `uri;params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// As written, quotes included.
    pub display: &'a [u8],
    pub uri: &'a [u8],
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value (not a list); the URI itself is checked too.
    pub fn read(value: &'a [u8]) -> Result<NameAddr<'a>, Flaw> {
        const BAD: Flaw = Flaw("Bad address");
        let value = trim(value);
        let shown = if value.first() == Some(&b'"') { quoted(value)? } else { 0 };
        let mark = shown + value[shown..].iter().position(|b| b"<;,".contains(b)).unwrap_or(value.len() - shown);
        if value.get(mark) == Some(&b'<') {
            let name = &value[shown..mark];
            if !name.iter().all(|b| is_space(*b) || shown == 0 && (is_token(*b) || *b >= 0x80)) {
                return Err(BAD);
            }
            let close = mark + value[mark..].iter().position(|b| *b == b'>').ok_or(BAD)?;
            let uri = &value[mark + 1..close];
            Uri::read(uri)?;
            let params = Params::read(&value[close + 1..])?;
            return Ok(NameAddr { display: trim(&value[..mark]), uri, params });
        }
        let uri = trim(&value[..mark]);
        if shown > 0 || Uri::read(uri)?.headers.is_some() {
            return Err(BAD);
        }
        Ok(NameAddr { display: &[], uri, params: Params::read(&value[mark..])? })
    }

    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.get("tag")
    }

    /// The URI's parts; it was checked when the address was read.
    pub fn uri(&self) -> Uri<'a> {
        Uri::read(self.uri).expect("checked by read")
    }
}

/// One hop: `SIP/2.0/UDP host:port;branch=…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    pub transport: &'a str,
    pub host: &'a str,
    pub port: Option<u16>,
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one value (not a list).
    pub fn read(value: &'a [u8]) -> Result<Via<'a>, Flaw> {
        const BAD: Flaw = Flaw("Bad Via");
        let mut rest = value;
        let mut part = |end: u8| {
            let at = rest.iter().position(|b| *b == end)?;
            let (head, tail) = rest.split_at(at);
            rest = &tail[1..];
            let head = trim(head);
            (!head.is_empty() && head.iter().all(|b| is_token(*b))).then_some(head)
        };
        let (protocol, version) = (part(b'/').ok_or(BAD)?, part(b'/').ok_or(BAD)?);
        if !protocol.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
            return Err(BAD);
        }
        let rest = trim(rest);
        let space = rest.iter().position(|b| is_space(*b)).ok_or(BAD)?;
        let (transport, rest) = (&rest[..space], &rest[space..]);
        let semicolon = rest.iter().position(|b| *b == b';').unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(semicolon);
        let transport = std::str::from_utf8(transport).ok().filter(|t| t.bytes().all(is_token)).ok_or(BAD)?;
        let sent_by = std::str::from_utf8(trim(sent_by)).map_err(|_| BAD)?;
        let (host, port) = host_port(sent_by).ok_or(BAD)?;
        Ok(Via { transport, host, port, params: Params::read(params)? })
    }

    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.get("branch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_respects_quotes_and_brackets() {
        let values: Vec<&[u8]> = list(b"\"a,\\\"b\" <sip:x@y;p=1,2>;q=1 , <sip:z>,,sip:w").collect();
        assert_eq!(values, [&b"\"a,\\\"b\" <sip:x@y;p=1,2>;q=1"[..], b"<sip:z>", b"", b"sip:w"]);
        assert_eq!(list(b"").count(), 1);
    }

    #[test]
    fn parties_in_every_spelling() {
        let party = NameAddr::read(b"\"J \\\\\\\"\" \r\n <sip:a@b;lr>\r\n ; tag = 98").unwrap();
        assert_eq!((party.uri, party.tag()), (&b"sip:a@b;lr"[..], Some(&b"98"[..])));
        let party = NameAddr::read(b"sip:a@b;tag=7;x").unwrap();
        assert_eq!(
            (party.uri, party.tag(), party.params.get("X"), party.params.get("y")),
            (&b"sip:a@b"[..], Some(&b"7"[..]), Some(&b""[..]), None)
        );
        for bad in [
            "",
            "\"x <sip:a@b>",
            "Bell, A <sip:a@b>",
            "< sip:a@b>",
            "<sip:a@b",
            "sip:a@b?x=y",
            "<sip:a@b>;;",
            "<sip:a@b> x",
            "\"x\" sip:a@b",
        ] {
            assert!(NameAddr::read(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hops_in_every_spelling() {
        let via = Via::read(b"SIP  / 2.0\r\n /UDP\r\n    [::1]:5070 ; branch = z9 ;rport").unwrap();
        assert_eq!((via.transport, via.host, via.port, via.branch()), ("UDP", "[::1]", Some(5070), Some(&b"z9"[..])));
        assert_eq!(via.params.get("rport"), Some(&b""[..]));
        for bad in ["", "SIP/2.0/UDP", "SIP/2.0/UDP ;branch=1", "SIP/2.0/UDP 192.0.2.15;;,;,,", "XIP/2.0/UDP h", "SIP/2.0 h"] {
            assert!(Via::read(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_do_not_wrap() {
        assert_eq!(number(b" 0009 "), Some(9));
        for bad in ["", "-1", "+1", "1 2", "36893488147419103232", "0x1"] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
    }
}
