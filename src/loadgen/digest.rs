//! The answer to a digest challenge (RFC 7616, RFC 8760), worked out a second time: the server has its own.

use md5::Md5;
use sha2::{Digest, Sha256};

/// What a 401 asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub algorithm: Algorithm,
    /// The server offers `qop=auth`.
    pub qop: bool,
    pub stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }
    fn hash(self, text: &str) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
        match self {
            Algorithm::Md5 => hex(&Md5::digest(text.as_bytes())),
            Algorithm::Sha256 => hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

impl Challenge {
    /// Reads a `WWW-Authenticate` value; `None` if it is no digest, or of an algorithm that we do not know (the next is tried then).
    pub fn read(value: &str) -> Option<Challenge> {
        let rest = value.trim();
        let rest = rest.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("digest ")).map(|_| &rest[7..])?;
        let (mut realm, mut nonce, mut opaque, mut qop, mut stale) = (None, None, None, false, false);
        let mut algorithm = Algorithm::Md5;
        for (name, value) in pairs(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "nonce" => nonce = Some(value),
                "opaque" => opaque = Some(value),
                "qop" => qop = value.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")),
                "stale" => stale = value.eq_ignore_ascii_case("true"),
                "algorithm" if value.eq_ignore_ascii_case("md5") => algorithm = Algorithm::Md5,
                "algorithm" if value.eq_ignore_ascii_case("sha-256") => algorithm = Algorithm::Sha256,
                "algorithm" => return None,
                _ => {}
            }
        }
        Some(Challenge { realm: realm?, nonce: nonce?, opaque, algorithm, qop, stale })
    }

    /// The `Authorization` value. `count` is the nonce's use, from 1.
    pub fn answer(&self, user: &str, password: &str, method: &str, uri: &str, count: u32, cnonce: &str) -> String {
        let hash = |text: String| self.algorithm.hash(&text);
        let ha1 = hash(format!("{user}:{}:{password}", self.realm));
        let ha2 = hash(format!("{method}:{uri}"));
        let (realm, nonce, name) = (&self.realm, &self.nonce, self.algorithm.name());
        let response =
            if self.qop { hash(format!("{ha1}:{nonce}:{count:08x}:{cnonce}:auth:{ha2}")) } else { hash(format!("{ha1}:{nonce}:{ha2}")) };
        let mut line = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm={name}"
        );
        if self.qop {
            line += &format!(", qop=auth, nc={count:08x}, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            line += &format!(", opaque=\"{opaque}\"");
        }
        line
    }
}

/// `name=value` pairs between commas; a quoted value may hold commas.
fn pairs(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').map_or((after, ""), |(value, _)| (value, &after[value.len()..])),
        };
        found.push((name.trim(), value.trim().to_string()));
        rest = next.trim_start().trim_start_matches(',');
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1, both algorithms.
    #[test]
    fn the_vectors_of_rfc_7616() {
        for (algorithm, expected) in
            [("MD5", "8ca523f5e9506fed4657c9700eebdbec"), ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")]
        {
            let challenge = Challenge::read(&format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            ))
            .unwrap();
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let line = challenge.answer("Mufasa", "Circle of Life", "GET", "/dir/index.html", 1, cnonce);
            assert!(line.contains(&format!("response=\"{expected}\"")), "{line}");
            assert!(line.contains("qop=auth, nc=00000001"), "{line}");
        }
    }

    #[test]
    fn a_challenge_without_qop_is_answered_the_old_way() {
        // RFC 2617 §3.5 without qop, as older proxies ask: HA1:nonce:HA2.
        let challenge = Challenge::read("Digest realm=\"a\", nonce=\"n\"").unwrap();
        let line = challenge.answer("u", "p", "REGISTER", "sip:h", 1, "c");
        let md5 = |t: &str| Algorithm::Md5.hash(t);
        assert!(line.contains(&md5(&format!("{}:n:{}", md5("u:a:p"), md5("REGISTER:sip:h")))), "{line}");
        assert!(!line.contains("nc="));
    }

    #[test]
    fn what_is_no_digest_of_ours_is_left_to_the_next_line() {
        assert_eq!(Challenge::read("Basic realm=\"x\""), None);
        assert_eq!(Challenge::read("Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512-256"), None);
        assert_eq!(Challenge::read(""), None);
        assert!(Challenge::read("Digest realm=\"x\",nonce=\"n\",stale=TRUE").unwrap().stale);
    }
}
