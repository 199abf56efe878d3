//! The virtual clients, whose messages are made and read with rsip, against the SIP stack, whose are its own.

use careline::loadgen::phone::{self, Goodbye, Phone, Seen};
use careline::model::{Network, Time};
use careline::sip::{Credentials, Endpoint, Flow, Invite, Output, Random, Report, Settings, Target, Trunk};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
/// Who has which socket.
const TRUNK: usize = 0;
const STATION: usize = 1;

/// To the stack, or from it.
enum Way {
    In,
    Out,
}

/// The stack, a trunk of callers and one station, on a wire that `loses` datagrams by their number.
struct House {
    now: Time,
    server: SocketAddr,
    endpoint: Endpoint,
    phones: [(SocketAddr, Phone); 2],
    reports: Vec<Report>,
    seen: [Vec<Seen>; 2],
    wire: VecDeque<(usize, Way, Vec<u8>)>,
    carried: usize,
    loses: fn(usize) -> bool,
    lines: Vec<String>,
}

impl House {
    fn new(loses: fn(usize) -> bool) -> House {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let server = at("127.0.0.1:5060");
        let network: Network = "127.0.0.0/8".parse().unwrap();
        let settings = Settings {
            realm: "careline".into(),
            trunks: vec![Trunk { name: "local".into(), addresses: vec![network], ..Trunk::default() }],
            numbers: Some(["+13125550100".to_string()].into()),
            users: [("1004".to_string(), Credentials::new("1004", "careline", "demo-1004"))].into(),
            ..Settings::default()
        };
        let phone = |user, local, seed| (at(local), Phone::new(user, at(local), server, seed));
        House {
            now: Time(1_000_000_000),
            server,
            endpoint: Endpoint::new(settings, Random::seeded(3)),
            phones: [phone("trunk", "127.0.0.1:40000", 1), phone("1004", "127.0.0.1:40002", 2)],
            reports: Vec::new(),
            seen: Default::default(),
            wire: VecDeque::new(),
            carried: 0,
            loses,
            lines: Vec::new(),
        }
    }

    fn arrives(&mut self, bytes: &[u8]) -> bool {
        self.lines.push(String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_string());
        self.carried += 1;
        !(self.loses)(self.carried - 1)
    }

    /// Somebody acts at a telephone; whatever follows from it at once, follows.
    fn act<T>(&mut self, who: usize, act: impl FnOnce(&mut Phone, Time, &mut phone::Output) -> T) -> T {
        let mut out = phone::Output::default();
        let result = act(&mut self.phones[who].1, self.now, &mut out);
        self.says(who, out);
        self.carry();
        result
    }

    fn serve<T>(&mut self, act: impl FnOnce(&mut Endpoint, Time, &mut Vec<Output>) -> T) -> T {
        let mut out = Vec::new();
        let result = act(&mut self.endpoint, self.now, &mut out);
        self.answers(out);
        self.carry();
        result
    }

    fn says(&mut self, who: usize, out: phone::Output) {
        self.seen[who].extend(out.seen);
        self.wire.extend(out.send.into_iter().map(|bytes| (who, Way::In, bytes)));
    }

    fn answers(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Report(report) => self.reports.push(report),
                Output::Close { .. } => unreachable!("nobody speaks TCP here"),
                Output::Send { flow, bytes } => {
                    let who = self.phones.iter().position(|(at, _)| *at == flow.remote).expect("only these two have sockets");
                    self.wire.push_back((who, Way::Out, bytes.to_vec()));
                }
            }
        }
    }

    /// Brings every datagram to its other end, in the order sent.
    fn carry(&mut self) {
        while let Some((who, way, bytes)) = self.wire.pop_front() {
            if !self.arrives(&bytes) {
                continue;
            }
            match way {
                Way::In => {
                    let mut out = Vec::new();
                    self.endpoint.handle_message(self.now, Flow::udp(self.server, self.phones[who].0), &bytes, &mut out);
                    self.answers(out);
                }
                Way::Out => {
                    let mut out = phone::Output::default();
                    self.phones[who].1.receive(self.now, &bytes, &mut out);
                    self.says(who, out);
                }
            }
        }
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let timers = [self.endpoint.next_timer(), self.phones[0].1.next_timer(), self.phones[1].1.next_timer()];
            let Some(at) = timers.into_iter().flatten().min().filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            self.serve(|endpoint, now, out| endpoint.handle_timer(now, out));
            for who in [TRUNK, STATION] {
                self.act(who, |phone, now, out| phone.handle_timer(now, out));
            }
        }
        self.now = until;
    }

    fn registered(loses: fn(usize) -> bool) -> House {
        let mut house = House::new(loses);
        house.act(STATION, |phone, now, out| phone.register(now, "demo-1004", out));
        house.pass(Duration::from_secs(3));
        assert_eq!(house.seen[STATION], [Seen::Registered], "{:#?}", house.lines);
        house
    }

    fn ring_station(&mut self) -> careline::sip::DialogId {
        let invite = Invite {
            caller_name: "Billing · ES".into(),
            from_user: "careline".into(),
            sdp: Some(SDP.into()),
            ..Invite::to(Target::Station("1004".into()))
        };
        self.serve(|endpoint, now, out| endpoint.invite(now, invite, out)).expect("the station is registered")
    }

    /// Nothing was misread on either side, and nothing is left open.
    fn settled(mut self) {
        self.pass(Duration::from_secs(60));
        for (_, phone) in &self.phones {
            assert_eq!(phone.unreadable, 0, "{:#?}", self.lines);
        }
        assert_eq!((self.endpoint.counts().malformed, self.endpoint.dialogs()), (0, 0), "{:#?}", self.lines);
    }
}

fn only_dialog(seen: &[Seen]) -> phone::DialogId {
    seen.iter().find_map(|seen| if let Seen::Incoming { dialog, .. } = seen { Some(*dialog) } else { None }).expect("it rang")
}

#[test]
fn a_station_registers_with_its_password_and_not_with_another() {
    House::registered(|_| false).settled();
    let mut house = House::new(|_| false);
    house.act(STATION, |phone, now, out| phone.register(now, "wrong", out));
    assert!(matches!(house.seen[STATION][..], [Seen::RegistrationRefused(401 | 403)]), "{:?}", house.seen);
}

/// The caller's whole call, whichever of its datagrams is lost.
#[test]
fn a_caller_calls_is_answered_and_hangs_up() {
    fn whole(loses: fn(usize) -> bool) {
        let mut house = House::new(loses);
        let mine = house.act(TRUNK, |p, now, out| p.invite(now, "+12015550100", "+13125550100", SDP.into(), out));
        house.pass(Duration::from_secs(2));
        let Some(Report::Incoming { dialog, from, to, .. }) = house.reports.first().cloned() else { panic!("{:#?}", house.lines) };
        assert_eq!((from.0.as_str(), to.as_str()), ("+12015550100", "+13125550100"));
        house.serve(|endpoint, now, out| endpoint.accept(now, dialog, SDP.as_bytes(), out));
        house.pass(Duration::from_secs(4));
        assert!(house.reports.contains(&Report::Acked { dialog, sdp: None }), "{:#?}", house.reports);
        assert_eq!(house.act(TRUNK, |p, now, out| p.hang_up(now, mine, out)), Goodbye::Bye);
        house.pass(Duration::from_secs(4));
        assert!(house.reports.ends_with(&[Report::Ended { dialog, lost: false }]), "{:#?}", house.reports);
        let told: Vec<_> = house.seen[TRUNK].iter().filter(|seen| !matches!(seen, Seen::Progress { .. })).collect();
        assert_eq!(told, [&Seen::Established { dialog: mine, sdp: SDP.into() }, &Seen::ByeAnswered { dialog: mine }]);
        house.settled();
    }
    whole(|_| false);
    whole(|n| n == 0);
    whole(|n| n == 1);
    whole(|n| n == 2);
    whole(|n| n == 3);
    whole(|n| n == 4);
    whole(|n| n == 5);
    whole(|n| n % 3 == 1);
}

#[test]
fn an_unknown_number_is_refused() {
    let mut house = House::new(|_| false);
    let mine = house.act(TRUNK, |p, now, out| p.invite(now, "+12015550100", "+13125550199", SDP.into(), out));
    assert!(house.seen[TRUNK].contains(&Seen::Refused { dialog: mine, code: 404 }), "{:?}", house.seen);
    house.settled();
}

#[test]
fn a_caller_who_regrets_is_cancelled() {
    let mut house = House::new(|_| false);
    let mine = house.act(TRUNK, |p, now, out| p.invite(now, "+12015550100", "+13125550100", SDP.into(), out));
    assert_eq!(house.act(TRUNK, |p, now, out| p.hang_up(now, mine, out)), Goodbye::Cancel);
    assert!(house.seen[TRUNK].contains(&Seen::Refused { dialog: mine, code: 487 }), "{:?}", house.seen);
    assert!(matches!(house.reports[..], [Report::Incoming { .. }, Report::Cancelled { .. }]), "{:?}", house.reports);
    house.settled();
}

#[test]
fn a_station_rings_answers_and_is_hung_up_on() {
    let mut house = House::registered(|_| false);
    let theirs = house.ring_station();
    let mine = only_dialog(&house.seen[STATION]);
    let shown = Seen::Incoming { dialog: mine, shown: "Billing · ES".into(), sdp: SDP.into() };
    assert!(house.seen[STATION].contains(&shown), "{:?}", house.seen);
    house.act(STATION, |p, now, out| p.ring(now, mine, out));
    house.act(STATION, |p, now, out| p.answer(now, mine, SDP.into(), out));
    assert!(house.reports.contains(&Report::Alerting { dialog: theirs, sdp: None }), "{:?}", house.reports);
    assert!(house.reports.contains(&Report::Established { dialog: theirs, sdp: Some(SDP.into()) }), "{:?}", house.reports);
    assert!(house.seen[STATION].contains(&Seen::Acknowledged { dialog: mine }));
    house.serve(|endpoint, now, out| endpoint.bye(now, theirs, out));
    assert!(house.seen[STATION].ends_with(&[Seen::ByeReceived { dialog: mine }]), "{:?}", house.seen);
    house.settled();
}

#[test]
fn a_station_refuses_or_stops_ringing() {
    for code in [486, 603] {
        let mut house = House::registered(|_| false);
        let theirs = house.ring_station();
        let mine = only_dialog(&house.seen[STATION]);
        house.act(STATION, |p, now, out| p.refuse(now, mine, code, out));
        assert!(house.reports.contains(&Report::Refused { dialog: theirs, code }), "{:?}", house.reports);
        house.settled();
    }
    let mut house = House::registered(|_| false);
    let theirs = house.ring_station();
    let mine = only_dialog(&house.seen[STATION]);
    house.act(STATION, |p, now, out| p.ring(now, mine, out));
    house.serve(|endpoint, now, out| endpoint.cancel(now, theirs, None, out));
    assert!(house.seen[STATION].contains(&Seen::Cancelled { dialog: mine }), "{:?}", house.seen);
    assert!(house.reports.contains(&Report::Refused { dialog: theirs, code: 487 }), "{:?}", house.reports);
    house.settled();
}

/// The CANCEL never arrives in time: the answer crosses it, and the stack ends what it did not want.
#[test]
fn an_answer_that_crosses_the_stacks_cancel_is_taken_back() {
    let mut house = House::registered(|_| false);
    let theirs = house.ring_station();
    let mine = only_dialog(&house.seen[STATION]);
    house.act(STATION, |p, now, out| p.ring(now, mine, out));
    house.loses = |_| true;
    house.serve(|endpoint, now, out| endpoint.cancel(now, theirs, None, out));
    house.loses = |_| false;
    house.act(STATION, |p, now, out| p.answer(now, mine, SDP.into(), out));
    house.pass(Duration::from_secs(5));
    assert!(house.reports.contains(&Report::LateAnswer { dialog: theirs }), "{:?}", house.reports);
    let told = [Seen::Acknowledged { dialog: mine }, Seen::ByeReceived { dialog: mine }];
    assert!(house.seen[STATION].ends_with(&told), "{:?}", house.seen);
    house.settled();
}
