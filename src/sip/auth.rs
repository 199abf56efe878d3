//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): two challenges, SHA-256 first, MD5 for phones that need it.

use super::message::{Header, Message, list, trim};
use super::random::Random;
use crate::model::Time;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// What proves a user: the two HA1s of name, realm and password. The password itself is not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    sha256: String,
    md5: String,
}

impl Credentials {
    pub fn new(user: &str, realm: &str, password: &str) -> Credentials {
        let secret = format!("{user}:{realm}:{password}");
        Credentials { sha256: Algorithm::Sha256.hash(secret.as_bytes()), md5: Algorithm::Md5.hash(secret.as_bytes()) }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Sha256,
    Md5,
}

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Md5 => "MD5",
        }
    }

    /// The algorithm of a challenge or an answer: MD5 if none is named (RFC 7616 §3.3).
    pub fn named(name: Option<&str>) -> Option<Algorithm> {
        match name {
            None => Some(Algorithm::Md5),
            Some(name) => [Algorithm::Sha256, Algorithm::Md5].into_iter().find(|known| known.name().eq_ignore_ascii_case(name)),
        }
    }

    pub fn hash(self, bytes: &[u8]) -> String {
        match self {
            Algorithm::Sha256 => hex(&Sha256::digest(bytes)),
            Algorithm::Md5 => hex(&Md5::digest(bytes)),
        }
    }
}

/// The parts of one answer to a challenge; also what our own answers are made of.
pub struct Answer<'a> {
    pub algorithm: Algorithm,
    pub method: &'a str,
    pub uri: &'a str,
    pub nonce: &'a str,
    pub nc: &'a str,
    pub cnonce: &'a str,
}

impl Answer<'_> {
    /// `response` of RFC 7616 §3.4.1 with qop=auth.
    pub fn response(&self, credentials: &Credentials) -> String {
        let ha1 = match self.algorithm {
            Algorithm::Sha256 => &credentials.sha256,
            Algorithm::Md5 => &credentials.md5,
        };
        let ha2 = self.algorithm.hash(format!("{}:{}", self.method, self.uri).as_bytes());
        self.algorithm.hash(format!("{ha1}:{}:{}:{}:auth:{ha2}", self.nonce, self.nc, self.cnonce).as_bytes())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// No answer to a challenge of ours.
    Missing,
    Wrong,
    /// The right password with a nonce that is too old or was used so before: challenge with `stale=true`.
    Stale,
}

/// Makes and checks challenges. A nonce carries its own time and proof, so that only nonces in use take memory.
#[derive(Debug)]
pub struct Authenticator {
    secret: [u8; 32],
    lifetime: Duration,
    /// The highest nonce count seen, of each nonce that somebody proved a password with.
    used: BTreeMap<(u64, u64), u32>,
}

/// Clients that answer no challenge at all if one of them is not MD5.
const MD5_ONLY: [&[u8]; 2] = [b"baresip v0.", b"baresip v1."];

impl Authenticator {
    pub fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    pub fn new(lifetime: Duration, random: &mut Random) -> Authenticator {
        let mut secret = [0; 32];
        for part in secret.chunks_exact_mut(8) {
            part.copy_from_slice(&random.draw().to_le_bytes());
        }
        Authenticator { secret, lifetime, used: BTreeMap::new() }
    }

    /// The WWW-Authenticate lines for a client that calls itself so: SHA-256 first and MD5, or MD5 alone for one that would give up at the
    /// other instead of passing it over (RFC 8760 §2.4). Nothing is lost: whoever pretends to be such a client may choose MD5 anyway.
    pub fn challenge(&self, now: Time, realm: &str, stale: bool, user_agent: &[u8], random: &mut Random) -> String {
        let nonce = self.nonce(now.0, random.draw());
        let stale = if stale { ", stale=true" } else { "" };
        let line = |algorithm: Algorithm| {
            let name = algorithm.name();
            format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm={name}{stale}\r\n")
        };
        let md5_only = MD5_ONLY.iter().any(|client| user_agent.starts_with(client));
        if md5_only { line(Algorithm::Md5) } else { line(Algorithm::Sha256) + &line(Algorithm::Md5) }
    }

    fn nonce(&self, time: u64, salt: u64) -> String {
        let head = format!("{time:016x}{salt:016x}");
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("any length is a key");
        mac.update(head.as_bytes());
        head + &hex(&mac.finalize().into_bytes()[..16])
    }

    /// The time and the salt of a nonce of ours.
    fn own(&self, nonce: &str) -> Option<(u64, u64)> {
        let (time, salt) = (nonce.get(..16)?, nonce.get(16..32)?);
        let (time, salt) = (u64::from_str_radix(time, 16).ok()?, u64::from_str_radix(salt, 16).ok()?);
        same(self.nonce(time, salt).as_bytes(), nonce.as_bytes()).then_some((time, salt))
    }

    /// Judges the Authorization of a request, by its `line` (method and Request-URI), for the `claim` (user and what is known of them).
    /// An unknown user (`None`) is Wrong, after the same work.
    pub fn judge(
        &mut self,
        now: Time,
        message: &Message,
        line: (&str, &[u8]),
        realm: &str,
        claim: (&str, Option<&Credentials>),
    ) -> Verdict {
        let ((method, uri), (user, known)) = (line, claim);
        let digests = message.all(Header::Authorization).filter_map(Fields::read);
        let Some(fields) = digests.filter(|fields| fields.get("realm").as_deref() == Some(realm)).last() else { return Verdict::Missing };
        let Some(given) = fields.answer() else { return Verdict::Wrong };
        let nobody = Credentials { sha256: "0".repeat(64), md5: "0".repeat(32) };
        let part =
            Answer { algorithm: given.algorithm, method, uri: &given.uri, nonce: &given.nonce, nc: &given.nc, cnonce: &given.cnonce };
        let expected = part.response(known.unwrap_or(&nobody));
        let right = same(expected.as_bytes(), given.response.to_ascii_lowercase().as_bytes());
        if !right || known.is_none() || given.user != user || given.uri.as_bytes() != uri {
            return if self.own(&given.nonce).is_some() { Verdict::Wrong } else { Verdict::Missing };
        }
        match self.own(&given.nonce) {
            Some(nonce) if now.since(Time(nonce.0)) <= self.lifetime => self.count(now, nonce, given.count),
            _ => Verdict::Stale,
        }
    }

    fn count(&mut self, now: Time, nonce: (u64, u64), count: u32) -> Verdict {
        let oldest = now - self.lifetime;
        self.used = self.used.split_off(&(oldest.0, 0));
        let last = self.used.entry(nonce).or_insert(0);
        if count <= *last {
            return Verdict::Stale;
        }
        *last = count;
        Verdict::Good
    }
}

/// The fields of a Digest header.
pub struct Fields<'a>(Vec<(&'a str, String)>);

struct Given {
    algorithm: Algorithm,
    user: String,
    uri: String,
    nonce: String,
    nc: String,
    cnonce: String,
    response: String,
    count: u32,
}

impl<'a> Fields<'a> {
    pub fn read(value: &'a [u8]) -> Option<Fields<'a>> {
        let rest = value.get(6..).filter(|_| value[..6].eq_ignore_ascii_case(b"Digest"))?;
        let fields = list(rest).filter_map(|field| {
            let split = field.iter().position(|b| *b == b'=')?;
            let key = std::str::from_utf8(trim(&field[..split])).ok()?;
            Some((key, unquote(trim(&field[split + 1..]))))
        });
        Some(Fields(fields.take(32).collect()))
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }

    fn answer(&self) -> Option<Given> {
        let algorithm = Algorithm::named(self.get("algorithm").as_deref())?;
        let nc = self.get("nc")?;
        let count = u32::from_str_radix(&nc, 16).ok()?;
        let auth = self.get("qop")?.eq_ignore_ascii_case("auth");
        auth.then_some(Given {
            algorithm,
            user: self.get("username")?,
            uri: self.get("uri")?,
            nonce: self.get("nonce")?,
            nc,
            cnonce: self.get("cnonce")?,
            response: self.get("response")?,
            count,
        })
    }
}

fn unquote(value: &[u8]) -> String {
    let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    let mut escaped = false;
    let plain = inner.iter().copied().filter(|byte| {
        escaped = *byte == b'\\' && !escaped;
        !escaped
    });
    String::from_utf8_lossy(&plain.collect::<Vec<u8>>()).into_owned()
}

/// A quoted string (RFC 3261 §25.1).
pub fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|n| char::from_digit(u32::from(n), 16).expect("four bits")).collect()
}

/// Compares without telling by the time taken where the difference is.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1, with its own realm and passwords.
    #[test]
    fn the_responses_of_the_rfc() {
        let credentials = Credentials::new("Mufasa", "http-auth@example.org", "Circle of Life");
        let answer = |algorithm| Answer {
            algorithm,
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            nc: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        assert_eq!(answer(Algorithm::Md5).response(&credentials), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(answer(Algorithm::Sha256).response(&credentials), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    const URI: &str = "sip:127.0.0.1";

    struct Bench {
        auth: Authenticator,
        random: Random,
        known: Credentials,
    }

    impl Bench {
        fn new() -> Bench {
            let mut random = Random::seeded(1);
            let auth = Authenticator::new(Duration::from_secs(300), &mut random);
            Bench { auth, random, known: Credentials::new("1001", "care", "demo-1001") }
        }

        fn nonce(&mut self, now: u64) -> String {
            let lines = self.auth.challenge(Time(now), "care", false, b"", &mut self.random);
            assert!(lines.find("SHA-256").unwrap() < lines.find("MD5").unwrap());
            lines.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_string()
        }

        fn judge(&mut self, now: u64, nonce: &str, nc: u32, algorithm: Algorithm, password: &str) -> Verdict {
            let nc = format!("{nc:08x}");
            let answer = Answer { algorithm, method: "REGISTER", uri: URI, nonce, nc: &nc, cnonce: "c" };
            let response = answer.response(&Credentials::new("1001", "care", password));
            let text = format!(
                "REGISTER {URI} SIP/2.0\r\nAuthorization: Digest username=\"1001\", realm=\"care\", nonce=\"{nonce}\", uri=\"{URI}\", response=\"{response}\", algorithm={}, cnonce=\"c\", qop=auth, nc={nc}\r\n\r\n",
                algorithm.name()
            );
            let message = Message::read(text.as_bytes(), 64).unwrap();
            self.auth.judge(Time(now), &message, ("REGISTER", URI.as_bytes()), "care", ("1001", Some(&self.known)))
        }
    }

    #[test]
    fn good_wrong_replayed_stale_and_forged() {
        let mut bench = Bench::new();
        let nonce = bench.nonce(1_000_000);
        assert_eq!(bench.judge(1_000_000, &nonce, 1, Algorithm::Sha256, "demo-1001"), Verdict::Good);
        assert_eq!(bench.judge(1_000_000, &nonce, 1, Algorithm::Sha256, "demo-1001"), Verdict::Stale, "replayed");
        assert_eq!(bench.judge(1_000_000, &nonce, 2, Algorithm::Md5, "demo-1001"), Verdict::Good);
        assert_eq!(bench.judge(1_000_000, &nonce, 3, Algorithm::Md5, "guess"), Verdict::Wrong);
        assert_eq!(bench.judge(302_000_000, &nonce, 3, Algorithm::Md5, "demo-1001"), Verdict::Stale, "too old");
        assert_eq!(bench.judge(302_000_000, &"0".repeat(64), 1, Algorithm::Md5, "demo-1001"), Verdict::Stale, "not ours");
        let fresh = bench.nonce(302_000_000);
        assert_eq!(bench.judge(302_000_000, &fresh, 1, Algorithm::Sha256, "demo-1001"), Verdict::Good);
        assert_eq!(bench.auth.used.len(), 1, "old nonces are forgotten");
    }

    #[test]
    fn a_client_that_would_give_up_at_sha_256_is_asked_for_md5_alone() {
        let mut bench = Bench::new();
        for (client, algorithms) in [("baresip v1.0.0 (x86_64/linux)", 1), ("baresip v2.0.0", 2), ("Linphone", 2)] {
            let lines = bench.auth.challenge(Time(1), "care", false, client.as_bytes(), &mut bench.random);
            assert_eq!(lines.matches("algorithm=").count(), algorithms, "{client}");
            assert!(lines.contains("algorithm=MD5"), "{client}");
        }
    }

    #[test]
    fn a_forged_nonce_with_a_wrong_password_is_just_unanswered() {
        let mut bench = Bench::new();
        assert_eq!(bench.judge(5, "zz", 1, Algorithm::Md5, "guess"), Verdict::Missing);
    }
}
