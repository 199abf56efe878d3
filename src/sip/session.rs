//! Session timers (RFC 4028): what a message says of them, and what both ends agree on.

use super::message::{Header, Message, NameAddr, number};
use crate::model::Time;
use std::time::Duration;

/// Who sends the refreshing requests, as seen by the request that settles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Asker,
    Answerer,
}

/// How long a session lasts without a refresh, in seconds: what we ask for, and the least that we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sessions {
    pub interval: u32,
    pub least: u32,
}

impl Default for Sessions {
    /// As RFC 4028 §4 and §5 recommend.
    fn default() -> Sessions {
        Sessions { interval: 1800, least: 90 }
    }
}

impl Sessions {
    /// The headers of a request of ours; `refresher`: we have that task already.
    pub fn ask(&self, interval: u32, refresher: bool) -> String {
        let side = if refresher { ";refresher=uac" } else { "" };
        format!("Session-Expires: {interval}{side}\r\nMin-SE: {}\r\n", self.least)
    }
}

/// What a request or an answer says of its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub interval: Option<u32>,
    pub refresher: Option<Side>,
    pub least: u32,
    /// The sender knows session timers itself; else what it says was added on the way.
    pub supported: bool,
}

impl Said {
    pub fn read(message: &Message) -> Said {
        let small = |value: &[u8]| number(value).map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
        let semicolon = |value: &[u8]| value.iter().position(|b| *b == b';').unwrap_or(value.len());
        let expires = message.first(Header::SessionExpires);
        let refresher = expires.and_then(|value| {
            // The parameters of a value that has no address: read them behind one.
            let whole = [b"<sip:x>", &value[semicolon(value)..]].concat();
            match NameAddr::read(&whole).ok()?.params.get("refresher")? {
                side if side.eq_ignore_ascii_case(b"uac") => Some(Side::Asker),
                side if side.eq_ignore_ascii_case(b"uas") => Some(Side::Answerer),
                _ => None,
            }
        });
        Said {
            interval: expires.and_then(|value| small(&value[..semicolon(value)])),
            refresher,
            least: message.first(Header::MinSe).and_then(|value| small(&value[..semicolon(value)])).unwrap_or(0),
            supported: message.lists(Header::Supported, "timer") || message.lists(Header::Require, "timer"),
        }
    }

    /// Whether a request must be refused with 422: it wants refreshes more often than we do.
    pub fn is_brief(&self, own: &Sessions) -> bool {
        self.supported && self.interval.is_some_and(|interval| interval < own.least)
    }

    /// What we answer to a request: the interval, who refreshes, and the headers that say so. Whoever does not know session timers
    /// leaves the refreshes to us (§9).
    pub fn answer(&self, own: &Sessions) -> (u32, Side, String) {
        let least = own.least.max(self.least);
        let interval = self.interval.map_or(own.interval, |theirs| theirs.min(own.interval)).max(least);
        let side = match (self.supported, self.refresher) {
            (false, _) => Side::Answerer,
            (true, said) => said.unwrap_or(Side::Asker),
        };
        let (name, require) = match side {
            Side::Asker => ("uac", "Require: timer\r\n"),
            Side::Answerer => ("uas", ""),
        };
        (interval, side, format!("{require}Session-Expires: {interval};refresher={name}\r\n"))
    }

    /// What the answer to a request of ours settles. An answerer that does not know session timers leaves all of it to us.
    pub fn settled(&self, own: &Sessions, asked: u32) -> (u32, Side) {
        match self.interval {
            Some(interval) => (interval.max(own.least), self.refresher.unwrap_or(Side::Asker)),
            None => (asked, Side::Asker),
        }
    }
}

/// A session that ends unless it is refreshed.
#[derive(Debug)]
pub struct Session {
    pub interval: u32,
    /// The refreshes are our task.
    pub ours: bool,
    /// When we hang up.
    pub end: Time,
    /// When we refresh, or hang up.
    pub timer: Option<Time>,
}

impl Session {
    pub fn new(now: Time, interval: u32, ours: bool) -> Session {
        // §10: a little before the end, so that the BYE still passes proxies that keep time too.
        let margin = (interval / 3).min(32);
        Session { interval, ours, end: now + Duration::from_secs(u64::from(interval - margin)), timer: None }
    }

    /// What is next, after a refresh at `now` (§10: at half the interval).
    pub fn next(&self, now: Time) -> Time {
        if self.ours { now + Duration::from_secs(u64::from(self.interval)) / 2 } else { self.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(headers: &str) -> Said {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{headers}\r\n");
        Said::read(&Message::read(text.as_bytes(), 64).unwrap())
    }

    #[test]
    fn what_both_ends_agree_on() {
        let own = Sessions::default();
        for (headers, interval, side) in [
            ("Supported: timer\r\n", 1800, Side::Asker),
            ("Supported: 100rel\r\n", 1800, Side::Answerer),
            ("k: timer\r\nx: 600\r\n", 600, Side::Asker),
            ("k: timer\r\nx: 600;refresher=UAS\r\n", 600, Side::Answerer),
            ("k: timer\r\nSession-Expires: 7200 ; x=y;refresher=uac\r\n", 1800, Side::Asker),
            ("k: timer\r\nx: 7200\r\nMin-SE: 3600;x\r\n", 3600, Side::Asker),
            ("x: 30;refresher=uac\r\n", 90, Side::Answerer),
        ] {
            let (agreed, by, text) = said(headers).answer(&own);
            assert_eq!((agreed, by), (interval, side), "{headers}");
            assert_eq!(text.contains("Require: timer"), side == Side::Asker, "{headers}");
        }
        assert!(
            said("k: timer\r\nx: 89\r\n").is_brief(&own)
                && !said("x: 89\r\n").is_brief(&own)
                && !said("k: timer\r\nx: 90\r\n").is_brief(&own)
        );
        assert_eq!(said("x: 300;refresher=uas\r\n").settled(&own, 1800), (300, Side::Answerer));
        assert_eq!(said("").settled(&own, 1800), (1800, Side::Asker));
        assert_eq!(said("x: 1;refresher=uas\r\n").settled(&own, 1800), (90, Side::Answerer), "nobody makes us hurry");
    }

    #[test]
    fn a_session_is_refreshed_at_half_its_time_and_ended_before_the_whole() {
        let session = Session::new(Time(0), 90, true);
        assert_eq!((session.next(Time(0)), session.end), (Time(45_000_000), Time(60_000_000)));
        let theirs = Session::new(Time(0), 1800, false);
        assert_eq!((theirs.next(Time(0)), theirs.end), (Time(1_768_000_000), Time(1_768_000_000)));
    }
}
