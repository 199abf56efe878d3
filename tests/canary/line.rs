//! A trunk's line by hand, so that names stand in it which the virtual callers do not have; and an agent's telephone.

use super::birds::{ASSERTED, ASSERTED_NAME, FROM, NAME, PASSWORD};
use super::centre::http as at;
use careline::loadgen::digest::Challenge;
use careline::loadgen::phone::{DialogId, Output, Phone, Seen};
use careline::loadgen::sdp;
use careline::model::Time;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn socket(address: &str, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((address, port)).expect("the test's addresses are free");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a span above zero");
    socket
}

/// Of a response; 0 of a request.
fn status(message: &str) -> u16 {
    let code = message.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    code.unwrap_or(0)
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}in {message}"))
}

/// One call, or one attempt at one.
pub struct Caller {
    sip: UdpSocket,
    sound: UdpSocket,
    /// Who calls.
    user: String,
    number: String,
    to: String,
    media: Option<SocketAddr>,
    sequence: u32,
    /// The sequence number of the INVITE.
    invited: u32,
    /// Every final answer of 300 or above, without what it must repeat of the request.
    pub refusals: String,
}

impl Caller {
    pub fn new(address: &str, number: &str) -> Caller {
        let to = format!("<sip:{number}@{}>", at(5060));
        Caller {
            sip: socket(address, 5060),
            sound: socket(address, 0),
            user: FROM.into(),
            number: number.into(),
            to,
            media: None,
            sequence: 1,
            invited: 1,
            refusals: String::new(),
        }
    }

    /// Sends one request; `more` are headers.
    pub fn send(&self, method: &str, more: &str, body: &str) {
        let here = self.sip.local_addr().expect("bound");
        let (sequence, length) = (self.sequence, body.len());
        let numbered = if method == "ACK" { self.invited } else { sequence };
        let message = format!(
            "{method} sip:{number}@{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKcanary{method}{numbered}\r\nMax-Forwards: 70\r\n\
             From: \"{NAME}\" <sip:{user}@{ip}>;tag=canary\r\nTo: {to}\r\nCall-ID: canary-{number}@{ip}\r\nCSeq: {numbered} {method}\r\n\
             Contact: \"{NAME}\" <sip:{FROM}@{here}>\r\nP-Asserted-Identity: \"{ASSERTED_NAME}\" <sip:{ASSERTED}@{ip}>\r\n\
             {more}Content-Length: {length}\r\n\r\n{body}",
            user = self.user,
            number = self.number,
            server = at(5060),
            ip = here.ip(),
            to = self.to,
        );
        self.sip.send_to(message.as_bytes(), at(5060)).expect("loopback takes a datagram");
    }

    fn receive(&mut self) -> Option<String> {
        let mut room = [0; 65_536];
        let length = self.sip.recv(&mut room).ok()?;
        Some(String::from_utf8_lossy(&room[..length]).into_owned())
    }

    /// Waits for the final answer to the last request; its status.
    pub fn answer(&mut self) -> u16 {
        let message = self.final_answer();
        status(&message)
    }

    fn final_answer(&mut self) -> String {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let Some(message) = self.receive().filter(|message| status(message) >= 200) else { continue };
            if status(&message) >= 300 {
                let repeated = ["From:", "To:", "Via:", "Call-ID:", "CSeq:"];
                let own = message.lines().filter(|line| !repeated.iter().any(|name| line.starts_with(name)));
                own.for_each(|line| self.refusals += &format!("{line}\n"));
            }
            return message;
        }
        panic!("no answer to the caller");
    }

    /// Calls, and waits until it is answered.
    pub fn dial(&mut self) {
        self.invite("");
        let answer = self.final_answer();
        self.answered(&answer);
    }

    /// Calls as a station does, and proves to be this user.
    pub fn dial_as(&mut self, user: &str, password: &str) {
        self.user = user.into();
        self.invite("");
        let refusal = self.final_answer();
        assert_eq!(status(&refusal), 401, "a station is asked for its password: {refusal}");
        self.send("ACK", "", "");
        let challenge = refusal.lines().find_map(|line| Challenge::read(line.strip_prefix("WWW-Authenticate: ")?)).expect("a challenge");
        let proof = challenge.answer(user, password, "INVITE", &format!("sip:{}@{}", self.number, at(5060)), 1, "c0ffee");
        self.sequence += 1;
        self.invited = self.sequence;
        self.invite(&format!("Authorization: {proof}\r\n"));
        let answer = self.final_answer();
        self.answered(&answer);
    }

    fn invite(&self, more: &str) {
        let offer = sdp::describe(self.sound.local_addr().expect("bound"), 1, Some(sdp::TELEPHONE_EVENT));
        self.send("INVITE", &format!("Content-Type: application/sdp\r\n{more}"), &offer);
    }

    fn answered(&mut self, answer: &str) {
        assert_eq!(status(answer), 200, "{answer}");
        self.to = header(answer, "To: ").to_string();
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        self.media = Some(sdp::read(body.as_bytes()).expect("an answer").address);
        self.send("ACK", "", "");
    }

    /// Waits until the centre hangs up.
    pub fn hears_the_end(&mut self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let Some(bye) = self.receive().filter(|message| message.starts_with("BYE ")) else { continue };
            let repeated: Vec<String> =
                ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "].iter().map(|name| format!("{name}{}", header(&bye, name))).collect();
            let answer = format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", repeated.join("\r\n"));
            self.sip.send_to(answer.as_bytes(), at(5060)).expect("loopback takes a datagram");
            return;
        }
        panic!("the centre never hung up");
    }

    /// A key as SIP INFO says it.
    pub fn key_by_info(&mut self, key: char) {
        self.sequence += 1;
        self.send("INFO", "Content-Type: application/dtmf-relay\r\n", &format!("Signal={key}\r\nDuration=160\r\n"));
        assert_eq!(self.answer(), 200);
    }

    /// A key as RFC 4733 says it, the `index`-th of the call.
    pub fn key_by_event(&self, index: u16, key: char) {
        let event = key.to_digit(10).expect("a digit") as u8;
        for step in 0..6u16 {
            let end = if step >= 3 { 0x80 } else { 0 };
            let duration = (160 * (step.min(3) + 1)).to_be_bytes();
            let sequence = (index * 6 + step + 1).to_be_bytes();
            let stamp = (u32::from(index) * 8_000 + 8_000).to_be_bytes();
            let marker = if step == 0 { 0x80 } else { 0 };
            let head = [0x80, marker | sdp::TELEPHONE_EVENT, sequence[0], sequence[1], stamp[0], stamp[1], stamp[2], stamp[3], 7, 7, 7, 7];
            let packet = [&head[..], &[event, end | 10, duration[0], duration[1]]].concat();
            self.sound.send_to(&packet, self.media.expect("the call is answered")).expect("loopback takes a datagram");
        }
    }

    pub fn hang_up(&mut self) {
        self.sequence += 1;
        self.send("BYE", "", "");
        assert_eq!(self.answer(), 200);
    }
}

/// Agent 1004's telephone.
pub struct Station {
    socket: UdpSocket,
    phone: Phone,
    started: Instant,
    seen: Vec<Seen>,
    /// Every message that came, whole.
    pub received: Vec<u8>,
}

impl Station {
    pub fn start(address: &str) -> Station {
        let socket = socket(address, 5060);
        let phone = Phone::new("1004", socket.local_addr().expect("bound"), at(5060), 4);
        let mut station = Station { socket, phone, started: Instant::now(), seen: Vec::new(), received: Vec::new() };
        station.act(|phone, now, out| phone.register(now, PASSWORD, out));
        station.sees(|seen| *seen == Seen::Registered);
        station
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Phone, Time, &mut Output) -> T) -> T {
        let now = Time(1) + self.started.elapsed();
        let mut out = Output::default();
        let result = act(&mut self.phone, now, &mut out);
        for bytes in &out.send {
            self.socket.send_to(bytes, at(5060)).expect("loopback takes a datagram");
        }
        self.seen.extend(out.seen);
        result
    }

    fn sees(&mut self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let end = Instant::now() + PATIENCE;
        let mut room = [0; 65_536];
        while Instant::now() < end {
            if let Some(at) = self.seen.iter().position(&wanted) {
                return self.seen.remove(at);
            }
            if let Ok(length) = self.socket.recv(&mut room) {
                self.received.extend(&room[..length]);
                self.act(|phone, now, out| phone.receive(now, &room[..length], out));
            }
            self.act(|phone, now, out| phone.handle_timer(now, out));
        }
        panic!("the telephone never saw it: {:?}", self.seen);
    }

    /// Rings, and is answered.
    pub fn takes_the_call(&mut self) -> DialogId {
        let Seen::Incoming { dialog, .. } = self.sees(|seen| matches!(seen, Seen::Incoming { .. })) else {
            unreachable!("it was asked for")
        };
        let sound = SocketAddr::new(self.socket.local_addr().expect("bound").ip(), 40_000);
        self.act(|phone, now, out| phone.answer(now, dialog, sdp::describe(sound, 2, None), out));
        self.sees(|seen| *seen == Seen::Acknowledged { dialog });
        dialog
    }
}
