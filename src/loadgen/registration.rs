//! An agent's telephone at the registrar: REGISTER, its challenge, its renewal (RFC 3261 §10.2, RFC 8760).

use super::digest::Challenge;
use super::message::{self, Draft};
use crate::model::Time;
use rsip::{Header, Headers, Method};
use std::net::SocketAddr;
use std::time::Duration;

/// A registration asks for so long, and is renewed at half of it.
const LASTS: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub struct Registration {
    user: String,
    password: String,
    local: SocketAddr,
    server: SocketAddr,
    call_id: String,
    tag: String,
    cseq: u32,
    /// The challenge in use, and how often it has been.
    challenge: Option<(Challenge, u32)>,
    /// Credentials went with the last request.
    tried: bool,
    renew_at: Option<Time>,
}

/// What a final response means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Registered,
    /// A challenge that has not been answered yet.
    Again,
    Refused,
}

impl Registration {
    pub fn new(user: &str, password: &str, local: SocketAddr, server: SocketAddr, call_id: String, tag: String) -> Registration {
        let (user, password) = (user.to_string(), password.to_string());
        Registration { user, password, local, server, call_id, tag, cseq: 0, challenge: None, tried: false, renew_at: None }
    }

    pub fn renew_at(&self) -> Option<Time> {
        self.renew_at
    }

    /// The next REGISTER, with credentials once there is a challenge.
    pub fn request(&mut self, branch: &str, cnonce: &str) -> Vec<u8> {
        let uri = format!("sip:{}", self.server.ip());
        self.cseq += 1;
        self.renew_at = None;
        self.tried = self.challenge.is_some();
        let mut more = vec![Header::Expires(LASTS.as_secs().to_string().into())];
        if let Some((challenge, count)) = &mut self.challenge {
            *count += 1;
            let line = challenge.answer(&self.user, &self.password, "REGISTER", &uri, *count, cnonce);
            more.push(Header::Authorization(line.into()));
        }
        let address = format!("<sip:{}@{}>", self.user, self.server.ip());
        let draft = Draft {
            method: Method::Register,
            uri: &uri,
            local: self.local,
            branch,
            from: &format!("{address};tag={}", self.tag),
            to: &address,
            call_id: &self.call_id,
            cseq: self.cseq,
            contact: Some(&self.user),
            more,
            sdp: None,
        };
        message::request(draft).expect("our own address is a URI")
    }

    /// A final response to the last request.
    pub fn response(&mut self, now: Time, code: u16, headers: &Headers) -> Told {
        if code == 200 {
            self.renew_at = Some(now + LASTS / 2);
            return Told::Registered;
        }
        match message::challenges(headers).find_map(Challenge::read) {
            Some(challenge) if code == 401 && (!self.tried || challenge.stale) => {
                self.challenge = Some((challenge, 0));
                Told::Again
            }
            _ => Told::Refused,
        }
    }
}
