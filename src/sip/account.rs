//! How we prove to a trunk who we are: answers to its challenges (RFC 3261 §22.2, RFC 7616, RFC 8760).

use super::auth::{Algorithm, Fields, quote};
use super::message::{Header, Message};

/// A user and a password of ours at a trunk. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

/// A challenge that we can answer.
#[derive(Debug)]
pub struct Challenge {
    /// The header that answers it.
    pub header: Header,
    pub realm: String,
    pub nonce: String,
    /// The answer before was right, its nonce too old.
    pub stale: bool,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// Written in the challenge, so that it is repeated in the answer.
    algorithm_named: bool,
    /// Whether `qop=auth` is offered; without it the old form of RFC 2069 is meant.
    qop: bool,
}

impl Challenge {
    /// The first that we can answer of a 401 or 407: the challenger sorts them, best first (RFC 8760 §2.4).
    pub fn read(message: &Message, code: u16) -> Option<Challenge> {
        let (asks, header) = match code {
            401 => (Header::WwwAuthenticate, Header::Authorization),
            407 => (Header::ProxyAuthenticate, Header::ProxyAuthorization),
            _ => return None,
        };
        message.all(asks).filter_map(Fields::read).find_map(|fields| {
            let named = fields.get("algorithm");
            let offers = fields.get("qop");
            let qop = offers.as_ref().is_some_and(|offers| offers.split(',').any(|offer| offer.trim().eq_ignore_ascii_case("auth")));
            (qop || offers.is_none()).then_some(())?;
            Some(Challenge {
                header,
                realm: fields.get("realm")?,
                nonce: fields.get("nonce")?,
                stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
                opaque: fields.get("opaque"),
                algorithm: Algorithm::named(named.as_deref())?,
                algorithm_named: named.is_some(),
                qop,
            })
        })
    }

    /// The whole line that answers, for a request's method and Request-URI; `count` is how often this nonce has been used, with this time.
    pub fn answer(&self, account: &Account, line: (&str, &str), count: u32, cnonce: u64) -> String {
        let (method, uri) = line;
        let (user, nonce) = (&account.user, &self.nonce);
        let (ha1, ha2) = (format!("{user}:{}:{}", self.realm, account.password), format!("{method}:{uri}"));
        let (ha1, ha2) = (self.algorithm.hash(ha1.as_bytes()), self.algorithm.hash(ha2.as_bytes()));
        let (nc, cnonce) = (format!("{count:08x}"), format!("{cnonce:016x}"));
        let response = match self.qop {
            true => self.algorithm.hash(format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}").as_bytes()),
            false => self.algorithm.hash(format!("{ha1}:{nonce}:{ha2}").as_bytes()),
        };
        let mut text = format!(
            "{}: Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            self.header.name(),
            quote(user),
            quote(&self.realm),
            quote(nonce),
            quote(uri)
        );
        if self.algorithm_named {
            text += &format!(", algorithm={}", self.algorithm.name());
        }
        if let Some(opaque) = &self.opaque {
            text += &format!(", opaque={}", quote(opaque));
        }
        if self.qop {
            text += &format!(", qop=auth, cnonce=\"{cnonce}\", nc={nc}");
        }
        text + "\r\n"
    }

    /// Whether a request already tried to answer this realm in this header.
    pub fn was_answered(&self, request: &Message) -> bool {
        request.all(self.header).filter_map(Fields::read).any(|fields| fields.get("realm").as_deref() == Some(&self.realm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(code: u16, lines: &str) -> Option<Challenge> {
        let text = format!("SIP/2.0 {code} x\r\n{lines}\r\n");
        Challenge::read(&Message::read(text.as_bytes(), 64).unwrap(), code)
    }

    fn account() -> Account {
        Account { user: "Mufasa".to_string(), password: "Circle Of Life".to_string() }
    }

    #[test]
    fn the_first_that_we_can_answer_is_answered() {
        let line = |algorithm: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int,auth\"{algorithm}\r\n");
        let both = line(", algorithm=SHA-512-256") + &line(", algorithm=SHA-256") + &line(", algorithm=MD5, stale=TRUE");
        let first = challenge(401, &both).unwrap();
        assert_eq!((first.algorithm, first.stale, first.header), (Algorithm::Sha256, false, Header::Authorization));
        assert_eq!(challenge(401, &line("")).unwrap().algorithm, Algorithm::Md5);
        assert!(challenge(407, &both).is_none(), "a 407 asks in its own header");
        assert!(challenge(401, "WWW-Authenticate: Basic realm=\"r\"\r\n").is_none());
        assert!(challenge(401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"\r\n").is_none());
    }

    /// The example of RFC 2617 §3.5 in the older form, without qop.
    #[test]
    fn the_responses_of_the_rfc() {
        let asked =
            "Proxy-Authenticate: Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5c\\\"c\"";
        let old = challenge(407, &format!("{asked}\r\n")).unwrap().answer(&account(), ("GET", "/dir/index.html"), 1, 7);
        assert!(old.starts_with("Proxy-Authorization: Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "), "{old}");
        assert!(old.ends_with("response=\"670fd8c2df070c60b045671b8b24ff02\", opaque=\"5c\\\"c\"\r\n"), "{old}");
        let new = challenge(407, &format!("{asked}, qop=auth, algorithm=MD5\r\n")).unwrap();
        let new = new.answer(&account(), ("GET", "/dir/index.html"), 1, 7);
        assert!(new.contains(", algorithm=MD5, ") && new.ends_with(", qop=auth, cnonce=\"0000000000000007\", nc=00000001\r\n"), "{new}");
        assert!(!format!("{:?}", account()).contains("Circle"));
    }

    #[test]
    fn an_answer_is_recognised_as_one() {
        let challenge = challenge(401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=auth\r\n").unwrap();
        let line = challenge.answer(&account(), ("REGISTER", "sip:h"), 1, 7);
        let read = |line: &str| {
            let text = format!("REGISTER sip:h SIP/2.0\r\n{line}\r\n");
            challenge.was_answered(&Message::read(text.as_bytes(), 64).unwrap())
        };
        assert!(read(&line) && !read(&line.replace("realm=\"r\"", "realm=\"s\"")) && !read(""));
    }
}
