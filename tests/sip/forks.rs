//! A user with several telephones: all ring, one talks, and whoever asked hears of one call.

use crate::wire::{ANSWER, OFFER, START, Wire, at, ms, open_settings, register, settings};
use careline::sip::{DialogId, Flow, Invite, Reason, Report, Target};
use std::net::SocketAddr;

const PHONES: [&str; 2] = ["127.0.0.8:5071", "127.0.0.8:5072"];

fn invite() -> Invite {
    Invite { sdp: Some(OFFER.to_vec()), ..Invite::to(Target::Station("1001".to_string())) }
}

/// Telephone `n` of user 1001 registers.
fn register_phone(wire: &mut Wire, centre: SocketAddr, n: usize) {
    let contact = format!("Contact: <sip:1001@{}>\r\n", PHONES[n]);
    let party = wire.parties.get_mut(&centre).unwrap();
    register(party, START, Flow::udp(centre, at(PHONES[n])), &format!("r{n}"), &contact);
}

struct Bench {
    wire: Wire,
    centre: SocketAddr,
    call: DialogId,
    /// Each telephone with its own side of the call.
    rung: Vec<(SocketAddr, DialogId)>,
}

/// User 1001 has these telephones, and is called; the first `alive` of them are there.
fn bench(seed: u64, alive: usize) -> Bench {
    let mut wire = Wire::new(seed);
    let centre = wire.join("127.0.0.1:5060", settings());
    for (n, phone) in PHONES.iter().enumerate() {
        if n < alive {
            wire.join(phone, open_settings());
        }
        register_phone(&mut wire, centre, n);
    }
    let call = wire.act(centre, |party, now, out| party.invite(now, invite(), out)).unwrap();
    wire.run_for(ms(50));
    let rung = PHONES[..alive].iter().map(|phone| {
        let phone = at(phone);
        let [Report::Incoming { dialog, .. }] = wire.take_reports(phone)[..] else { panic!("{phone} does not ring") };
        (phone, dialog)
    });
    let rung = rung.collect();
    Bench { wire, centre, call, rung }
}

impl Bench {
    fn ring(&mut self, phone: usize) {
        let (who, dialog) = self.rung[phone];
        self.wire.act(who, |party, now, out| party.ring(now, dialog, out));
        self.wire.run_for(ms(50));
    }

    fn accept(&mut self, phone: usize) {
        let (who, dialog) = self.rung[phone];
        self.wire.act(who, |party, now, out| party.accept(now, dialog, ANSWER, out));
    }

    fn reject(&mut self, phone: usize, code: u16) {
        let (who, dialog) = self.rung[phone];
        self.wire.act(who, |party, now, out| party.reject(now, dialog, code, out));
        self.wire.run_for(ms(50));
    }

    fn told(&mut self) -> Vec<Report> {
        self.wire.take_reports(self.centre)
    }

    fn at_phone(&mut self, phone: usize) -> Vec<Report> {
        self.wire.take_reports(self.rung[phone].0)
    }

    /// Everybody hangs up, and nothing is left.
    fn ends(mut self) {
        let (centre, call) = (self.centre, self.call);
        self.wire.act(centre, |party, now, out| party.bye(now, call, out));
        self.wire.settle();
        self.wire.assert_empty();
    }
}

fn established(call: DialogId) -> Report {
    Report::Established { dialog: call, sdp: Some(ANSWER.to_vec()) }
}

#[test]
fn who_answers_first_has_the_call_and_the_others_hear_that_it_was_taken() {
    let mut bench = bench(1, 2);
    let call = bench.call;
    bench.ring(0);
    bench.ring(1);
    assert_eq!(bench.told(), [Report::Alerting { dialog: call, sdp: None }, Report::Alerting { dialog: call, sdp: None }]);
    bench.accept(1);
    bench.wire.run_for(ms(100));
    assert_eq!(bench.told(), [established(call)]);
    let other = bench.rung[0].1;
    assert_eq!(bench.at_phone(0), [Report::Cancelled { dialog: other }]);
    assert_eq!(bench.wire.sent_by(bench.centre, "CANCEL").len(), 1);
    let (who, winner) = bench.rung[1];
    bench.wire.act(who, |party, now, out| party.bye(now, winner, out));
    bench.wire.run_for(ms(50));
    assert_eq!(bench.told(), [Report::Ended { dialog: call, lost: false }]);
    bench.ends();
}

#[test]
fn two_answers_at_once_are_one_call_and_one_goodbye() {
    let mut bench = bench(2, 2);
    let call = bench.call;
    bench.accept(0);
    bench.accept(1);
    bench.wire.run_for(ms(100));
    assert_eq!(bench.told(), [established(call)]);
    let ended = |bench: &mut Bench, phone: usize| bench.at_phone(phone).iter().any(|report| matches!(report, Report::Ended { .. }));
    assert!(!ended(&mut bench, 0) && ended(&mut bench, 1));
    assert_eq!((bench.wire.sent_by(bench.centre, "ACK").len(), bench.wire.sent_by(bench.centre, "BYE").len()), (2, 1));
    bench.ends();
}

#[test]
fn a_refusal_counts_when_nobody_else_can_still_hear_the_call() {
    // One says no while the other rings: it goes on ringing.
    let mut both = bench(3, 2);
    let call = both.call;
    both.ring(0);
    both.ring(1);
    both.told();
    both.reject(0, 486);
    assert_eq!(both.told(), []);
    both.accept(1);
    both.wire.run_for(ms(50));
    assert_eq!(both.told(), [established(call)]);
    both.ends();
    // The other is dead: nobody waits for it.
    let mut one = bench(4, 1);
    one.ring(0);
    one.told();
    one.reject(0, 486);
    assert_eq!(one.told(), [Report::Refused { dialog: one.call, code: 486 }]);
    one.wire.settle();
    assert_eq!(one.told(), [], "and what it still says is nobody's business");
    // A telephone that is busy before it rings speaks for itself alone; the last to go gives the most telling word.
    let mut quick = bench(5, 2);
    quick.reject(0, 486);
    assert_eq!(quick.told(), []);
    quick.reject(1, 480);
    assert_eq!(quick.told(), [Report::Refused { dialog: quick.call, code: 486 }]);
    quick.ends();
    // 6xx is everybody's (RFC 3261 §21.6).
    let mut all = bench(6, 2);
    all.ring(1);
    all.told();
    all.reject(0, 603);
    assert_eq!(all.told(), [Report::Refused { dialog: all.call, code: 603 }]);
    all.wire.run_for(ms(50));
    assert!(matches!(all.at_phone(1)[..], [Report::Cancelled { .. }]));
    all.ends();
}

#[test]
fn a_call_that_is_given_up_has_one_last_word() {
    for (crossing, seed) in [(false, 7), (true, 8)] {
        let mut bench = bench(seed, 2);
        let (centre, call) = (bench.centre, bench.call);
        bench.ring(0);
        bench.ring(1);
        bench.told();
        bench.wire.act(centre, |party, now, out| party.cancel(now, call, Some(Reason::CompletedElsewhere), out));
        if crossing {
            bench.accept(0);
        }
        bench.wire.run_for(ms(200));
        let last = if crossing { Report::LateAnswer { dialog: call } } else { Report::Refused { dialog: call, code: 487 } };
        assert_eq!(bench.told(), [last]);
        assert_eq!(bench.wire.sent_by(centre, "CANCEL").len(), 2);
        bench.ends();
    }
    let mut silent = bench(9, 0);
    silent.wire.run_for(ms(40_000));
    assert_eq!(silent.told(), [Report::Timeout { dialog: silent.call }]);
    silent.ends();
}

/// User 1001 is called at one telephone, which is dead.
fn called_in_vain(seed: u64) -> (Wire, SocketAddr, DialogId) {
    let mut wire = Wire::new(seed);
    let centre = wire.join("127.0.0.1:5060", settings());
    register_phone(&mut wire, centre, 0);
    let call = wire.act(centre, |party, now, out| party.invite(now, invite(), out)).unwrap();
    (wire, centre, call)
}

#[test]
fn a_telephone_that_registers_while_a_dead_one_is_asked_rings_at_once_and_has_the_call() {
    let (mut wire, centre, call) = called_in_vain(10);
    wire.run_for(ms(1_000));
    let phone = wire.join(PHONES[1], open_settings());
    register_phone(&mut wire, centre, 1);
    wire.run_for(ms(600));
    let [Report::Incoming { dialog, .. }] = wire.take_reports(phone)[..] else { panic!("it does not ring") };
    // The dead one is given up meanwhile, and nobody hears of it.
    wire.run_for(ms(5_000));
    assert_eq!(wire.take_reports(centre), []);
    wire.act(phone, |party, now, out| party.accept(now, dialog, ANSWER, out));
    wire.run_for(ms(100));
    assert_eq!(wire.take_reports(centre), [established(call)]);
    wire.act(centre, |party, now, out| party.bye(now, call, out));
    wire.settle();
    wire.assert_empty();
}

#[test]
fn nobody_rings_for_a_call_that_has_been_given_up() {
    let (mut wire, centre, call) = called_in_vain(11);
    wire.act(centre, |party, now, out| party.cancel(now, call, None, out));
    let phone = wire.join(PHONES[1], open_settings());
    register_phone(&mut wire, centre, 1);
    wire.settle();
    assert_eq!((wire.take_reports(centre), wire.take_reports(phone)), (vec![Report::Timeout { dialog: call }], vec![]));
    wire.assert_empty();
}

#[test]
fn a_telephone_that_is_silent_is_given_up_after_eight_seconds_and_found_when_it_speaks() {
    let (mut wire, centre, call) = called_in_vain(12);
    wire.run_for(ms(7_999));
    assert_eq!(wire.take_reports(centre), []);
    wire.run_for(ms(1));
    assert_eq!(wire.take_reports(centre), [Report::Timeout { dialog: call }]);
    // It was away for a moment: the INVITE reaches it, and is taken back.
    let phone = wire.join(PHONES[0], open_settings());
    wire.run_for(ms(8_000));
    let reports = wire.take_reports(phone);
    let [Report::Incoming { dialog, .. }, Report::Cancelled { dialog: same }] = reports[..] else { panic!("{reports:?}") };
    assert_eq!(dialog, same);
    let told = wire.take_reports(centre);
    assert!(!told.is_empty() && told.iter().all(|report| *report == Report::Found { user: "1001".to_string() }), "{told:?}");
    wire.settle();
    wire.assert_empty();
}
