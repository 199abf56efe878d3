//! The virtual clients' SIP transactions over UDP (RFC 3261 §17): what is repeated, until when, and what a repetition gets.

use crate::model::Time;
use rsip::{Method, Request};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

pub const T1: Duration = Duration::from_millis(500);
pub const T2: Duration = Duration::from_secs(4);
/// 64 × T1: then the other side is gone.
pub const GIVE_UP: Duration = Duration::from_secs(32);
/// How long a finished transaction still answers repetitions (T4).
const LINGER: Duration = Duration::from_secs(5);
/// An INVITE that rings is not given up before this (Timer C).
const RINGS_MAX: Duration = Duration::from_secs(180);

/// A user agent's dialog, numbered by its phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Client,
    Server,
}

#[derive(Debug)]
struct Client {
    method: Method,
    dialog: Option<DialogId>,
    bytes: Vec<u8>,
    sent_at: Time,
    interval: Duration,
    stage: Stage,
    due: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Calling,
    Proceeding,
    /// What a repeated final response gets: the ACK, for an INVITE.
    Completed(Option<Vec<u8>>),
}

#[derive(Debug)]
struct Server {
    request: Request,
    dialog: Option<DialogId>,
    response: Vec<u8>,
    /// A final answer to an INVITE is repeated until its ACK comes.
    awaits_ack: bool,
    answered_at: Time,
    interval: Duration,
    due: Option<Time>,
}

/// What became of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Response {
    /// Fits no transaction of ours.
    Stray,
    /// Seen before.
    Repeated(Option<Vec<u8>>),
    Fresh(Option<DialogId>),
}

/// What became due.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    Send(Vec<u8>),
    /// Nobody answers this request, or acknowledges our answer.
    Lost(Option<DialogId>, Method),
}

/// All transactions of one phone, by branch and method.
#[derive(Debug, Default)]
pub struct Transactions {
    clients: HashMap<(String, &'static str), Client>,
    servers: HashMap<(String, &'static str), Server>,
    timers: BTreeSet<(Time, Side, String, &'static str)>,
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Invite => "INVITE",
        Method::Cancel => "CANCEL",
        Method::Bye => "BYE",
        Method::Register => "REGISTER",
        _ => "other",
    }
}

impl Transactions {
    /// A request of ours, just sent.
    pub fn request(&mut self, now: Time, branch: &str, method: Method, dialog: Option<DialogId>, bytes: Vec<u8>) {
        let key = (branch.to_string(), name(method));
        let client = Client { method, dialog, bytes, sent_at: now, interval: T1, stage: Stage::Calling, due: now + T1 };
        self.timers.insert((client.due, Side::Client, key.0.clone(), key.1));
        self.clients.insert(key, client);
    }

    /// A response to a request of ours.
    pub fn response(&mut self, now: Time, branch: &str, method: Method, code: u16) -> Response {
        let key = (branch.to_string(), name(method));
        let Some(client) = self.clients.get_mut(&key) else { return Response::Stray };
        if let Stage::Completed(ack) = &client.stage {
            return Response::Repeated(ack.clone());
        }
        self.timers.remove(&(client.due, Side::Client, key.0.clone(), key.1));
        client.due = if code >= 200 {
            client.stage = Stage::Completed(None);
            now + if client.method == Method::Invite { GIVE_UP } else { LINGER }
        } else {
            client.stage = Stage::Proceeding;
            now + if client.method == Method::Invite { RINGS_MAX } else { T2 }
        };
        self.timers.insert((client.due, Side::Client, key.0, key.1));
        Response::Fresh(client.dialog)
    }

    /// The ACK that every repetition of this INVITE's final response gets.
    pub fn acknowledge(&mut self, branch: &str, ack: Vec<u8>) {
        if let Some(client) = self.clients.get_mut(&(branch.to_string(), "INVITE")) {
            client.stage = Stage::Completed(Some(ack));
        }
    }

    /// A request of the other side that was seen before: what it gets again.
    pub fn repeated(&self, branch: &str, method: Method) -> Option<&[u8]> {
        self.servers.get(&(branch.to_string(), name(method))).map(|server| &server.response[..])
    }

    /// Our answer to a request: kept for its repetitions; the final one to an INVITE is itself repeated until its ACK.
    pub fn answer(&mut self, now: Time, branch: &str, request: &Request, dialog: Option<DialogId>, code: u16, bytes: Vec<u8>) {
        let key = (branch.to_string(), name(request.method));
        self.stop(&key);
        let awaits_ack = request.method == Method::Invite && code >= 200;
        let due = match (awaits_ack, code >= 200) {
            (true, _) => Some(now + T1),
            (false, true) => Some(now + LINGER),
            (false, false) => None,
        };
        if let Some(due) = due {
            self.timers.insert((due, Side::Server, key.0.clone(), key.1));
        }
        let server = Server { request: request.clone(), dialog, response: bytes, awaits_ack, answered_at: now, interval: T1, due };
        self.servers.insert(key, server);
    }

    /// The INVITE of this branch, to answer it.
    pub fn invite(&self, branch: &str) -> Option<&Request> {
        self.servers.get(&(branch.to_string(), "INVITE")).map(|server| &server.request)
    }

    /// An ACK for the INVITE of this branch; true if it is the first.
    pub fn acknowledged(&mut self, now: Time, branch: &str) -> bool {
        let key = (branch.to_string(), "INVITE");
        self.stop(&key);
        let Some(server) = self.servers.get_mut(&key) else { return false };
        let first = server.awaits_ack;
        server.awaits_ack = false;
        server.due = Some(now + LINGER);
        self.timers.insert((now + LINGER, Side::Server, key.0, key.1));
        first
    }

    fn stop(&mut self, key: &(String, &'static str)) {
        if let Some(due) = self.servers.get(key).and_then(|server| server.due) {
            self.timers.remove(&(due, Side::Server, key.0.clone(), key.1));
        }
    }

    pub fn next_timer(&self) -> Option<Time> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// Everything due by `now`.
    pub fn due(&mut self, now: Time, out: &mut Vec<Due>) {
        while let Some((at, side, branch, method)) = self.timers.first().cloned().filter(|(at, ..)| *at <= now) {
            self.timers.remove(&(at, side, branch.clone(), method));
            let key = (branch, method);
            match side {
                Side::Client => self.client_due(now, key, out),
                Side::Server => self.server_due(now, key, out),
            }
        }
    }

    fn client_due(&mut self, now: Time, key: (String, &'static str), out: &mut Vec<Due>) {
        let client = self.clients.get_mut(&key).expect("a timer names a transaction");
        let rings = client.stage == Stage::Proceeding && client.method == Method::Invite;
        if matches!(client.stage, Stage::Completed(_)) {
            self.clients.remove(&key);
        } else if rings || now.since(client.sent_at) >= GIVE_UP {
            out.push(Due::Lost(client.dialog, client.method));
            self.clients.remove(&key);
        } else {
            out.push(Due::Send(client.bytes.clone()));
            client.interval *= 2;
            if client.method != Method::Invite {
                client.interval = client.interval.min(T2);
            }
            client.due = (now + client.interval).min(client.sent_at + GIVE_UP);
            self.timers.insert((client.due, Side::Client, key.0, key.1));
        }
    }

    fn server_due(&mut self, now: Time, key: (String, &'static str), out: &mut Vec<Due>) {
        let server = self.servers.get_mut(&key).expect("a timer names a transaction");
        if !server.awaits_ack {
            self.servers.remove(&key);
        } else if now.since(server.answered_at) >= GIVE_UP {
            out.push(Due::Lost(server.dialog, Method::Ack));
            self.servers.remove(&key);
        } else {
            out.push(Due::Send(server.response.clone()));
            server.interval = (server.interval * 2).min(T2);
            let due = (now + server.interval).min(server.answered_at + GIVE_UP);
            server.due = Some(due);
            self.timers.insert((due, Side::Server, key.0, key.1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(t: &mut Transactions, until: Time) -> (Vec<u64>, Vec<Due>) {
        let (mut sent, mut lost) = (Vec::new(), Vec::new());
        while let Some(at) = t.next_timer().filter(|at| *at <= until) {
            let mut out = Vec::new();
            t.due(at, &mut out);
            for due in out {
                match due {
                    Due::Send(_) => sent.push(at.0 / 1000),
                    lost_one => lost.push(lost_one),
                }
            }
        }
        (sent, lost)
    }

    /// RFC 3261 §17.1.1.2: at 0.5, 1.5, 3.5 … s, and given up after 32 s.
    #[test]
    fn an_invite_that_nobody_answers_is_repeated_and_given_up() {
        let mut t = Transactions::default();
        t.request(Time(0), "b", Method::Invite, Some(DialogId(4)), vec![1]);
        let (sent, lost) = drive(&mut t, Time(100_000_000));
        assert_eq!(sent, [500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!(lost, [Due::Lost(Some(DialogId(4)), Method::Invite)]);
        assert_eq!(t.next_timer(), None);
    }

    #[test]
    fn another_request_is_repeated_at_most_every_four_seconds() {
        let mut t = Transactions::default();
        t.request(Time(0), "b", Method::Bye, None, vec![1]);
        let (sent, lost) = drive(&mut t, Time(100_000_000));
        assert_eq!(sent[..5], [500, 1500, 3500, 7500, 11500]);
        assert_eq!(lost.len(), 1);
    }

    #[test]
    fn a_repeated_final_response_gets_the_same_acknowledgement() {
        let mut t = Transactions::default();
        t.request(Time(0), "b", Method::Invite, None, vec![1]);
        assert_eq!(t.response(Time(1), "b", Method::Invite, 180), Response::Fresh(None));
        assert_eq!(t.response(Time(2), "b", Method::Invite, 200), Response::Fresh(None));
        t.acknowledge("b", vec![7]);
        assert_eq!(t.response(Time(3), "b", Method::Invite, 200), Response::Repeated(Some(vec![7])));
        assert_eq!(t.response(Time(3), "other", Method::Invite, 200), Response::Stray);
        assert_eq!(drive(&mut t, Time(100_000_000)), (vec![], vec![]));
    }

    #[test]
    fn our_answer_to_an_invite_is_repeated_until_it_is_acknowledged() {
        let request = Request::try_from(
            &b"INVITE sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nCSeq: 1 INVITE\r\n\r\n"[..],
        )
        .unwrap();
        let mut t = Transactions::default();
        t.answer(Time(0), "b", &request, Some(DialogId(1)), 180, vec![1]);
        assert_eq!(t.next_timer(), None);
        t.answer(Time(0), "b", &request, Some(DialogId(1)), 200, vec![2]);
        assert_eq!(drive(&mut t, Time(2_000_000)).0, [500, 1500]);
        assert_eq!(t.repeated("b", Method::Invite), Some(&[2][..]));
        assert!(t.acknowledged(Time(2_000_000), "b"));
        assert!(!t.acknowledged(Time(2_000_000), "b"));
        assert_eq!(drive(&mut t, Time(100_000_000)), (vec![], vec![]));
        t.answer(Time(0), "c", &request, Some(DialogId(2)), 200, vec![2]);
        assert_eq!(drive(&mut t, Time(100_000_000)).1, [Due::Lost(Some(DialogId(2)), Method::Ack)]);
    }
}
