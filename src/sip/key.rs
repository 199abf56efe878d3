//! By what a message finds its transaction (RFC 3261 §17.1.3, §17.2.3) and its dialog.

use super::message::{Core, Header, Message, Start};
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

/// What every branch of ours and of every RFC 3261 peer begins with.
pub const COOKIE: &[u8] = b"z9hG4bK";

/// A server transaction (RFC 3261 §17.2.3): branch, sent-by and method of the request, or for a peer of RFC 2543 all that stays the
/// same in a retransmission. A digest of them, keyed with a secret, so that nobody can aim at another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(u128);

impl ServerKey {
    /// The key under which a request finds the transaction of `method`: its own, or for ACK and CANCEL `INVITE`.
    pub fn of(secret: u64, message: &Message, core: &Core, method: &str) -> ServerKey {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(secret ^ salt);
            let mut part = |bytes: &[u8]| {
                hasher.write(bytes);
                hasher.write_usize(bytes.len());
            };
            part(method.as_bytes());
            match core.via.branch().filter(|branch| branch.len() > COOKIE.len() && branch[..COOKIE.len()].eq_ignore_ascii_case(COOKIE)) {
                Some(branch) => {
                    part(branch);
                    part(core.via.host.as_bytes());
                    part(&core.via.port.unwrap_or(0).to_be_bytes());
                }
                None => {
                    if let Start::Request { uri, .. } = message.start {
                        part(uri);
                    }
                    part(message.first(Header::Via).unwrap_or_default());
                    part(core.call_id);
                    part(core.from_tag());
                    part(&core.cseq.to_be_bytes());
                }
            }
            hasher.finish()
        };
        ServerKey(u128::from(half(0)) << 64 | u128::from(half(0x5851_F42D_4C95_7F2D)))
    }

    /// A To tag that is the same for every retransmission (stateless answers, RFC 3261 §8.2.7).
    pub fn tag(&self) -> u64 {
        (self.0 >> 64) as u64 ^ self.0 as u64
    }
}

/// By what the copies of one INVITE are known, keyed like a [`ServerKey`]: its Call-ID, From tag and CSeq.
pub fn merge_key(secret: u64, (call_id, from_tag, cseq): (&[u8], &[u8], u32)) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(secret);
    for part in [call_id, from_tag, &cseq.to_be_bytes()] {
        hasher.write(part);
        hasher.write_usize(part.len());
    }
    hasher.finish()
}

/// A client transaction: its branch; a CANCEL shares that of its INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    pub branch: u64,
    pub cancel: bool,
}

impl ClientKey {
    /// The key of the transaction that a response belongs to, if its branch can be ours.
    pub fn of(core: &Core) -> Option<ClientKey> {
        let branch = core.via.branch()?.strip_prefix(COOKIE)?;
        Some(ClientKey { branch: tag(branch)?, cancel: core.method == "CANCEL" })
    }
}

/// Reads a tag or a branch of ours: sixteen hexadecimal digits.
pub fn tag(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() == 16 && !text.starts_with('+'))?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(via: &str, rest: &str, method: &str) -> ServerKey {
        let text = format!("INVITE sip:a@b SIP/2.0\r\nVia: {via}\r\nTo: <sip:a@b>\r\nCSeq: 1 INVITE\r\n{rest}\r\n\r\n");
        let message = Message::read(text.as_bytes(), 64).unwrap();
        ServerKey::of(1, &message, &Core::read(&message).unwrap(), method)
    }

    #[test]
    fn the_branch_decides_where_it_can() {
        let rest = "From: <sip:c@d>;tag=1\r\nCall-ID: x";
        let one = key("SIP/2.0/UDP h;branch=z9hG4bK1", rest, "INVITE");
        assert_eq!(one, key("SIP/2.0/UDP h;branch=z9hG4bK1;rport", "From: <sip:c@d>;tag=2\r\nCall-ID: y", "INVITE"));
        assert_ne!(one, key("SIP/2.0/UDP h;branch=z9hG4bK2", rest, "INVITE"));
        assert_ne!(one, key("SIP/2.0/UDP i;branch=z9hG4bK1", rest, "INVITE"));
        assert_ne!(one, key("SIP/2.0/UDP h;branch=z9hG4bK1", rest, "BYE"));
    }

    #[test]
    fn a_bare_cookie_decides_nothing() {
        for via in ["SIP/2.0/UDP h;branch=z9hG4bK", "SIP/2.0/UDP h", "SIP/2.0/UDP h;branch=1"] {
            let one = key(via, "From: <sip:c@d>;tag=1\r\nCall-ID: x", "INVITE");
            assert_eq!(one, key(via, "From: <sip:c@d>;tag=1\r\nCall-ID: x", "INVITE"));
            assert_ne!(one, key(via, "From: <sip:c@d>;tag=1\r\nCall-ID: y", "INVITE"));
        }
    }
}
