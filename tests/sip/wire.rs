//! A virtual network between endpoints, with a clock that the tests move.

use careline::model::Time;
use careline::sip::auth::{Algorithm, Answer};
use careline::sip::{Credentials, DialogId, Endpoint, Flow, Invite, Limits, Output, Random, Report, Sessions, Settings, Target, Trunk};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub const START: Time = Time(1_700_000_000_000_000);
pub const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub const ANSWER: &[u8] = b"v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n";

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn at(address: &str) -> SocketAddr {
    address.parse().expect("an address")
}

/// The centre that the tests are about: trunks on 127.0.0.0/9, strangers elsewhere, one user.
pub fn settings() -> Settings {
    Settings {
        realm: "care".to_string(),
        trunks: vec![Trunk { name: "test".into(), addresses: vec!["127.0.0.0/9".parse().unwrap()], ..Trunk::default() }],
        numbers: Some(["+13125550100".to_string()].into()),
        users: ["1001", "1002"].map(|user| (user.to_string(), Credentials::new(user, "care", &format!("demo-{user}")))).into(),
        tcp: false,
        sessions: Sessions::default(),
        limits: Limits::default(),
    }
}

/// A party that takes any call: a trunk's far end, or a telephone.
pub fn open_settings() -> Settings {
    Settings {
        numbers: None,
        trunks: vec![Trunk { name: "any".into(), addresses: vec!["0.0.0.0/0".parse().unwrap()], ..Trunk::default() }],
        ..settings()
    }
}

pub struct Wire {
    pub now: Time,
    pub parties: BTreeMap<SocketAddr, Endpoint>,
    /// What is under way: when it arrives, in order of sending, from, to, what.
    under_way: BTreeMap<(Time, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    sent: u64,
    dice: Random,
    pub loss: u64,
    pub doubling: u64,
    pub delay: (u64, u64),
    /// What was reported and not yet looked at.
    pub reports: Vec<(SocketAddr, Report)>,
    /// First lines of all that was sent, with when and by whom.
    pub log: Vec<(Time, SocketAddr, String)>,
}

impl Wire {
    pub fn new(seed: u64) -> Wire {
        Wire {
            now: START,
            parties: BTreeMap::new(),
            under_way: BTreeMap::new(),
            sent: 0,
            dice: Random::seeded(seed),
            loss: 0,
            doubling: 0,
            delay: (10, 10),
            reports: Vec::new(),
            log: Vec::new(),
        }
    }

    pub fn join(&mut self, address: &str, settings: Settings) -> SocketAddr {
        let address = at(address);
        let seed = self.dice.draw();
        self.parties.insert(address, Endpoint::new(settings, Random::seeded(seed)));
        address
    }

    /// A number below `n`.
    pub fn dice(&mut self, n: u64) -> u64 {
        self.dice.draw() % n
    }

    /// Lets one party do something now.
    pub fn act<T>(&mut self, who: SocketAddr, what: impl FnOnce(&mut Endpoint, Time, &mut Vec<Output>) -> T) -> T {
        let mut out = Vec::new();
        let result = what(self.parties.get_mut(&who).expect("joined"), self.now, &mut out);
        for output in out {
            match output {
                Output::Send { flow, bytes } => self.send(who, flow.remote, bytes.to_vec()),
                Output::Report(report) => self.reports.push((who, report)),
                Output::Close { .. } => panic!("there are no connections here"),
            }
        }
        result
    }

    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let first = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_string();
        self.log.push((self.now, from, first));
        let copies = u64::from(self.dice(100) >= self.loss) * (1 + u64::from(self.dice(100) < self.doubling));
        for _ in 0..copies {
            let (least, most) = self.delay;
            let delay = least + self.dice(most - least + 1);
            self.sent += 1;
            self.under_way.insert((self.now + ms(delay), self.sent), (from, to, bytes.clone()));
        }
    }

    /// Lets the next thing happen that is due by `until`; false if there is none.
    pub fn step(&mut self, until: Time) -> bool {
        let message = self.under_way.keys().next().map(|(at, _)| *at);
        let timer = self.parties.iter().filter_map(|(who, party)| party.next_timer().map(|at| (at, *who))).min();
        let next = [message, timer.map(|(at, _)| at)].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= until) else {
            self.now = self.now.max(until.min(next.unwrap_or(until)));
            return false;
        };
        self.now = self.now.max(next);
        if message == Some(next) {
            let (_, (from, to, bytes)) = self.under_way.pop_first().expect("just seen");
            if self.parties.contains_key(&to) {
                self.act(to, |party, now, out| party.handle_message(now, Flow::udp(to, from), &bytes, out));
            }
        } else {
            let who = timer.expect("it was due").1;
            self.act(who, |party, now, out| party.handle_timer(now, out));
        }
        true
    }

    pub fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while self.step(until) {}
    }

    /// Runs until nothing is left to happen: at most ten minutes, registrations apart.
    pub fn settle(&mut self) {
        self.run_for(Duration::from_secs(600));
    }

    pub fn take_reports(&mut self, who: SocketAddr) -> Vec<Report> {
        let (own, others) = std::mem::take(&mut self.reports).into_iter().partition(|(by, _)| *by == who);
        self.reports = others;
        own.into_iter().map(|(_, report)| report).collect()
    }

    /// The first lines that `who` sent so far that begin with `start`, with when they left.
    pub fn sent_by(&self, who: SocketAddr, start: &str) -> Vec<Duration> {
        self.log.iter().filter(|(_, by, line)| *by == who && line.starts_with(start)).map(|(at, ..)| at.since(START)).collect()
    }

    /// A caller's INVITE to the main number.
    pub fn call(&mut self, from: SocketAddr, to: SocketAddr) -> DialogId {
        let target = Target::Direct { uri: format!("sip:+13125550100@{to}"), flow: Flow::udp(from, to) };
        let invite = Invite { from_user: "+13125550123".to_string(), sdp: Some(OFFER.to_vec()), ..Invite::to(target) };
        self.act(from, |party, now, out| party.invite(now, invite, out)).expect("not full")
    }

    /// Nothing is kept of calls that are over.
    pub fn assert_empty(&self) {
        for (who, party) in &self.parties {
            assert_eq!((party.dialogs(), party.transactions()), (0, 0), "{who} keeps something");
        }
        assert!(self.under_way.is_empty());
    }
}

/// A message of a hand-made client at `from`.
pub fn request(method: &str, uri: &str, from: SocketAddr, id: &str, cseq: u32, extra: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{id}{method}{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:1001@127.0.0.1>;tag={id}\r\nTo: <sip:1001@127.0.0.1>\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\n{extra}Content-Length: 0\r\n\r\n"
    )
}

/// The field of a challenge, from its first line.
pub fn field(response: &str, name: &str) -> String {
    response.split(&format!("{name}=\"")).nth(1).unwrap_or_default().split('"').next().unwrap_or_default().to_string()
}

/// An Authorization line for a challenge.
pub fn authorization(challenge: &str, line: (&str, &str), user: &str, password: &str, algorithm: Algorithm, count: u32) -> String {
    let (nonce, realm, nc) = (field(challenge, "nonce"), field(challenge, "realm"), format!("{count:08x}"));
    let (method, uri) = line;
    let response =
        Answer { algorithm, method, uri, nonce: &nonce, nc: &nc, cnonce: "abc" }.response(&Credentials::new(user, &realm, password));
    let name = if algorithm == Algorithm::Md5 { "MD5" } else { "SHA-256" };
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm={name}, qop=auth, cnonce=\"abc\", nc={nc}\r\n"
    )
}

/// Hands a message to an endpoint; the responses and reports.
pub fn hand(endpoint: &mut Endpoint, now: Time, flow: Flow, text: &str) -> (Vec<String>, Vec<Report>) {
    let mut out = Vec::new();
    endpoint.handle_message(now, flow, text.as_bytes(), &mut out);
    part(out)
}

/// What was sent, and what was reported.
pub fn part(out: Vec<Output>) -> (Vec<String>, Vec<Report>) {
    let (mut sent, mut reports) = (Vec::new(), Vec::new());
    for output in out {
        match output {
            Output::Send { bytes, .. } => sent.push(String::from_utf8_lossy(&bytes).into_owned()),
            Output::Report(report) => reports.push(report),
            Output::Close { .. } => panic!("there are no connections here"),
        }
    }
    (sent, reports)
}

/// Registers user 1001 over a flow, by challenge and answer.
pub fn register(endpoint: &mut Endpoint, now: Time, flow: Flow, id: &str, extra: &str) -> (Vec<String>, Vec<Report>) {
    let (sent, _) = hand(endpoint, now, flow, &request("REGISTER", "sip:127.0.0.1", flow.remote, id, 1, extra));
    assert!(sent[0].starts_with("SIP/2.0 401 "), "{}", sent[0]);
    let answer = authorization(&sent[0], ("REGISTER", "sip:127.0.0.1"), "1001", "demo-1001", Algorithm::Sha256, 1);
    hand(endpoint, now, flow, &request("REGISTER", "sip:127.0.0.1", flow.remote, id, 2, &(answer + extra)))
}
