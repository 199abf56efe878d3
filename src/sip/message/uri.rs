//! SIP and SIPS URIs (RFC 3261 §19.1, §25.1).

use super::{Flaw, is_token};
use std::net::{IpAddr, Ipv6Addr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Sip,
    Sips,
    /// Any other: then `host` holds all behind the colon.
    Other,
}

/// The parts of a URI, still escaped. All ASCII, without spaces, quotes or angle brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    pub scheme: Scheme,
    pub user: Option<&'a str>,
    pub host: &'a str,
    pub port: Option<u16>,
    /// Without the first `;`.
    pub params: &'a str,
    /// Behind the `?`.
    pub headers: Option<&'a str>,
}

impl<'a> Uri<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Uri<'a>, Flaw> {
        const BAD: Flaw = Flaw("Bad URI");
        if !bytes.iter().all(|b| (0x21..0x7f).contains(b) && !matches!(b, b'<' | b'>' | b'"')) {
            return Err(BAD);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BAD)?;
        let (scheme, rest) = text.split_once(':').ok_or(BAD)?;
        let named = scheme.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
        if !named || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
            return Err(BAD);
        }
        let scheme = match scheme {
            s if s.eq_ignore_ascii_case("sip") => Scheme::Sip,
            s if s.eq_ignore_ascii_case("sips") => Scheme::Sips,
            _ => return Ok(Uri { scheme: Scheme::Other, user: None, host: rest, port: None, params: "", headers: None }),
        };
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) => (Some(user.split_once(':').map_or(user, |(user, _password)| user)), rest),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.is_empty() || !escapes_hold(user)) {
            return Err(BAD);
        }
        let (rest, headers) = rest.split_once('?').map_or((rest, None), |(rest, headers)| (rest, Some(headers)));
        let (authority, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = host_port(authority).ok_or(BAD)?;
        Ok(Uri { scheme, user, host, port, params, headers })
    }

    /// The user, unescaped, without parameters of its own (`+1312…;phone-context=…`).
    pub fn user(&self) -> Option<String> {
        self.user.map(|user| unescape(user.split_once(';').map_or(user, |(user, _)| user)))
    }

    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.split(';').find_map(|param| {
            let (key, value) = param.split_once('=').unwrap_or((param, ""));
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Who is meant and where, whatever the parameters say.
    pub fn place(&self) -> (Option<&'a str>, &'a str, Option<u16>) {
        (self.user, self.host, self.port)
    }

    /// The host if it is an address: names are never resolved here.
    pub fn address(&self) -> Option<IpAddr> {
        address(self.host)
    }
}

/// An address literal, IPv6 in brackets.
pub fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok().filter(IpAddr::is_ipv4),
    }
}

/// Splits `host[:port]`; `None` unless the host is a name, an IPv4 address or an IPv6 reference.
pub fn host_port(text: &str) -> Option<(&str, Option<u16>)> {
    let split = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(split);
    let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let literal = host.starts_with('[') && address(host).is_some();
    if !named && !literal {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().map(|port| (host, Some(port))),
        _ => None,
    }
}

/// Every `%` is followed by two hexadecimal digits.
fn escapes_hold(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(i, b)| *b != b'%' || bytes.get(i + 1..i + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

/// Replaces `%xx` by the octet it stands for; what is then not UTF-8 becomes U+FFFD.
pub fn unescape(text: &str) -> String {
    if !text.contains('%') {
        return text.to_string();
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped.filter(|_| *first == b'%') {
            Some(octet) => {
                octets.push(octet);
                rest = &tail[2..];
            }
            None => {
                octets.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Escapes a user for a URI of ours.
pub fn escape_user(user: &str, out: &mut Vec<u8>) {
    for byte in user.bytes() {
        if is_token(byte) && byte != b'%' && byte != b'`' || b"&=$,?/()".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_uri() {
        let uri = Uri::read(b"sip:+13125550100;phone-context=x:pw@[2001:db8::1]:5070;transport=tcp;lr?Subject=a").unwrap();
        assert_eq!((uri.user().as_deref(), uri.host, uri.port), (Some("+13125550100"), "[2001:db8::1]", Some(5070)));
        assert_eq!((uri.param("Transport"), uri.param("lr"), uri.headers), (Some("tcp"), Some(""), Some("Subject=a")));
        assert_eq!(uri.address(), Some("2001:db8::1".parse().unwrap()));
        let uri = Uri::read(b"sip:sips%3Auser%40example.com@example.net").unwrap();
        assert_eq!((uri.user().as_deref(), uri.host, uri.address()), (Some("sips:user@example.com"), "example.net", None));
        assert_eq!(Uri::read(b"tel:+1").unwrap().scheme, Scheme::Other);
    }

    #[test]
    fn what_is_no_uri() {
        for bad in [
            "",
            "sip",
            "sip:",
            "sip:@h",
            "sip:a@",
            "sip:a b@h",
            "<sip:a@h>",
            "sip:a@h:x",
            "sip:a@h:99999",
            "sip:a@[::1",
            "sip:a@[x]",
            "1:a",
            "sip:a%4@h",
        ] {
            assert!(Uri::read(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_user_survives_escaping() {
        for user in ["+13125550100", "a b", "ñ", "<\">", "100%", ";x"] {
            let mut out = b"sip:".to_vec();
            escape_user(user, &mut out);
            out.extend_from_slice(b"@h");
            assert_eq!(Uri::read(&out).unwrap().user().as_deref(), Some(user));
        }
    }
}
