//! Whole calls, over a network that is not kind.

use crate::wire::{ANSWER, START, Wire, ms, open_settings, register, settings};
use careline::sip::{DialogId, Flow, Invite, NotReachable, Reason, Report, Target};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const CENTRE: &str = "127.0.0.1:5060";
const CALLER: &str = "127.0.0.9:5060";

fn pair(seed: u64) -> (Wire, SocketAddr, SocketAddr) {
    let mut wire = Wire::new(seed);
    let centre = wire.join(CENTRE, settings());
    let caller = wire.join(CALLER, open_settings());
    (wire, centre, caller)
}

type Told = BTreeMap<(SocketAddr, DialogId), Vec<&'static str>>;

/// Acts on what was reported: the centre rings and answers, and either side may hang up.
fn hear(wire: &mut Wire, told: &mut Told, seed: u64) {
    for (who, report) in std::mem::take(&mut wire.reports) {
        let (dialog, word) = match report {
            Report::Incoming { dialog, .. } => {
                wire.act(who, |party, now, out| party.ring(now, dialog, out));
                wire.act(who, |party, now, out| party.accept(now, dialog, ANSWER, out));
                (dialog, "incoming")
            }
            Report::Acked { dialog, .. } => {
                if wire.dice(2) == 0 {
                    wire.act(who, |party, now, out| party.bye(now, dialog, out));
                }
                (dialog, "acked")
            }
            Report::Established { dialog, .. } => {
                if wire.dice(2) == 0 {
                    wire.act(who, |party, now, out| party.bye(now, dialog, out));
                }
                (dialog, "established")
            }
            Report::Ended { dialog, lost: false } => (dialog, "ended"),
            Report::Alerting { .. } => continue,
            other => panic!("seed {seed}: {other:?}"),
        };
        told.entry((who, dialog)).or_default().push(word);
    }
}

/// The centre answers each call; then one side hangs up.
fn lossy_calls(seed: u64, calls: usize) {
    let (mut wire, centre, caller) = pair(seed);
    (wire.loss, wire.doubling, wire.delay) = (10, 5, (1, 200));
    let mut told = Told::new();
    for _ in 0..calls {
        wire.call(caller, centre);
        wire.run_for(ms(50));
    }
    let until = START + Duration::from_secs(300);
    while wire.step(until) {
        hear(&mut wire, &mut told, seed);
    }
    // Whom neither side hung up, the centre does now.
    let open: Vec<_> = told.keys().filter(|(who, _)| *who == centre).map(|(_, dialog)| *dialog).collect();
    open.into_iter().for_each(|dialog| wire.act(centre, |party, now, out| party.bye(now, dialog, out)));
    while wire.step(until + Duration::from_secs(300)) {
        hear(&mut wire, &mut told, seed);
    }
    wire.assert_empty();
    for who in [centre, caller] {
        assert_eq!(told.keys().filter(|(by, _)| *by == who).count(), calls, "seed {seed}: {who} saw every call once");
    }
    for ((who, dialog), words) in told {
        let first = if who == centre { "incoming" } else { "established" };
        assert_eq!(words[0], first, "seed {seed}");
        let once = |word| words.iter().filter(|w| **w == word).count() <= 1;
        assert!(once("incoming") && once("acked") && once("established") && once("ended"), "seed {seed}: {dialog:?} {words:?}");
    }
}

#[test]
fn every_call_completes_once_whatever_the_network_loses() {
    for seed in 0..40 {
        lossy_calls(seed, 50);
    }
}

#[test]
fn cancel_and_answer_cross_in_every_way() {
    let mut late = 0;
    for seed in 0..200 {
        let (mut wire, centre, caller) = pair(seed);
        wire.delay = (1, 30);
        let dialog = wire.call(caller, centre);
        wire.run_for(ms(100));
        let Report::Incoming { dialog: incoming, .. } = wire.take_reports(centre).remove(0) else { panic!() };
        let (first, gap) = (wire.dice(2), wire.dice(40));
        let cancel = |wire: &mut Wire| wire.act(caller, |party, now, out| party.cancel(now, dialog, None, out));
        let accept = |wire: &mut Wire| wire.act(centre, |party, now, out| party.accept(now, incoming, ANSWER, out));
        if first == 0 {
            cancel(&mut wire)
        } else {
            accept(&mut wire)
        }
        wire.run_for(ms(gap));
        if first == 0 {
            accept(&mut wire)
        } else {
            cancel(&mut wire)
        }
        wire.settle();
        let (theirs, ours) = (wire.take_reports(caller), wire.take_reports(centre));
        match &theirs[..] {
            [Report::Refused { code: 487, .. }] => assert_eq!(ours, [Report::Cancelled { dialog: incoming }], "seed {seed}"),
            [Report::LateAnswer { .. }] | [Report::Established { .. }, ..] => {
                late += 1;
                // The BYE may overtake the ACK.
                let ours: Vec<_> = ours.into_iter().filter(|report| !matches!(report, Report::Acked { .. })).collect();
                if let [Report::Established { dialog, .. }] = theirs[..] {
                    wire.act(caller, |party, now, out| party.bye(now, dialog, out));
                    wire.settle();
                }
                let ended = ours.first().cloned().or_else(|| wire.take_reports(centre).pop());
                assert_eq!(ended, Some(Report::Ended { dialog: incoming, lost: false }), "seed {seed}");
            }
            other => panic!("seed {seed}: {other:?}"),
        }
        wire.assert_empty();
    }
    assert!((20..180).contains(&late), "both ways are seen: {late}");
}

#[test]
fn a_cancel_waits_for_a_sign_of_life() {
    let (mut wire, centre, caller) = pair(1);
    let dialog = wire.call(caller, centre);
    wire.act(caller, |party, now, out| party.cancel(now, dialog, Some(Reason::CompletedElsewhere), out));
    assert!(wire.sent_by(caller, "CANCEL").is_empty());
    wire.settle();
    assert_eq!(wire.sent_by(caller, "CANCEL").len(), 1);
    assert_eq!(wire.take_reports(caller), [Report::Refused { dialog, code: 487 }]);
    wire.assert_empty();
}

#[test]
fn a_cancelled_call_that_nobody_answers_times_out() {
    let (mut wire, _, caller) = pair(1);
    let dialog = wire.call(caller, "127.0.0.77:5060".parse().unwrap());
    wire.act(caller, |party, now, out| party.cancel(now, dialog, None, out));
    wire.settle();
    assert_eq!(wire.take_reports(caller), [Report::Timeout { dialog }]);
    assert!(wire.sent_by(caller, "CANCEL").is_empty());
    wire.assert_empty();
}

#[test]
fn a_registered_station_is_called_over_its_flow() {
    let mut wire = Wire::new(3);
    let centre = wire.join(CENTRE, settings());
    let station = wire.join("127.0.0.8:5071", open_settings());
    let flow = Flow::udp(centre, station);
    let invite = || Invite {
        caller_name: "Billing · \"ES\"".to_string(),
        sdp: Some(ANSWER.to_vec()),
        ..Invite::to(Target::Station("1001".to_string()))
    };
    let refused = wire.act(centre, |party, now, out| party.invite(now, invite(), out));
    assert_eq!(refused, Err(NotReachable));
    // The contact names a host behind NAT: nobody resolves it or sends there.
    let (_, reports) = register(wire.parties.get_mut(&centre).unwrap(), START, flow, "r1", "Contact: <sip:1001@phone.invalid;ob>\r\n");
    assert_eq!(reports, [Report::Registered { user: "1001".to_string(), fresh: true, flow }]);
    let headers = vec![("Alert-Info".to_string(), "<urn:alert:service:call-waiting>\r\nX-Evil: 1".to_string())];
    let dialog = wire.act(centre, |party, now, out| party.invite(now, Invite { headers, ..invite() }, out)).unwrap();
    wire.run_for(ms(100));
    let [Report::Incoming { dialog: ringing, from, to, sdp, .. }] = &wire.take_reports(station)[..] else { panic!("it rings") };
    let ringing = *ringing;
    assert_eq!((from.0.as_str(), to.as_str(), sdp.as_deref()), ("", "1001", Some(ANSWER)));
    assert!(!wire.log.iter().any(|(_, _, line)| line.starts_with("X-Evil")));
    wire.act(station, |party, now, out| party.ring(now, ringing, out));
    wire.act(station, |party, now, out| party.accept(now, ringing, ANSWER, out));
    wire.run_for(ms(100));
    let told = wire.take_reports(centre);
    assert_eq!(told, [Report::Alerting { dialog, sdp: None }, Report::Established { dialog, sdp: Some(ANSWER.to_vec()) }]);
    wire.act(centre, |party, now, out| party.bye(now, dialog, out));
    wire.run_for(ms(100));
    assert_eq!(wire.take_reports(station)[1..], [Report::Ended { dialog: ringing, lost: false }]);
}

#[test]
fn both_hang_up_at_once() {
    let (mut wire, centre, caller) = pair(5);
    let dialog = wire.call(caller, centre);
    wire.run_for(ms(50));
    let Report::Incoming { dialog: incoming, .. } = wire.take_reports(centre).remove(0) else { panic!() };
    wire.act(centre, |party, now, out| party.accept(now, incoming, ANSWER, out));
    wire.run_for(ms(100));
    wire.reports.clear();
    wire.act(centre, |party, now, out| party.bye(now, incoming, out));
    wire.act(caller, |party, now, out| party.bye(now, dialog, out));
    wire.settle();
    assert!(wire.reports.is_empty(), "after bye there is no last word: {:?}", wire.reports);
    assert!(!wire.log.iter().any(|(_, _, line)| line.contains(" 481 ")));
    wire.assert_empty();
}

#[test]
fn a_bye_waits_for_the_ack() {
    let (mut wire, centre, caller) = pair(5);
    wire.call(caller, centre);
    wire.run_for(ms(50));
    let Report::Incoming { dialog, .. } = wire.take_reports(centre).remove(0) else { panic!() };
    wire.act(centre, |party, now, out| party.accept(now, dialog, ANSWER, out));
    wire.act(centre, |party, now, out| party.bye(now, dialog, out));
    assert!(wire.sent_by(centre, "BYE").is_empty());
    wire.settle();
    assert_eq!(wire.sent_by(centre, "BYE").len(), 1);
    assert!(wire.take_reports(centre).is_empty());
    wire.assert_empty();
}
