//! Session timers (RFC 4028), both roles: who refreshes, how, and what becomes of a call that nobody refreshes.

use crate::by_hand::{Hand, header};
use crate::wire::{ANSWER, OFFER, Wire, at, ms, open_settings, settings};
use careline::sip::{DialogId, Report, Sessions, Settings};
use std::net::SocketAddr;
use std::time::Duration;

fn brief(settings: Settings, interval: u32) -> Settings {
    Settings { sessions: Sessions { interval, least: 10 }, ..settings }
}

/// A call that is up, each side with its own wish.
fn up(centre: u32, caller: u32) -> (Wire, (SocketAddr, DialogId), (SocketAddr, DialogId)) {
    let mut wire = Wire::new(1);
    let own = wire.join("127.0.0.1:5060", brief(settings(), centre));
    let other = wire.join("127.0.0.9:5060", brief(open_settings(), caller));
    let dialog = wire.call(other, own);
    wire.run_for(ms(50));
    let Report::Incoming { dialog: incoming, .. } = wire.take_reports(own).remove(0) else { panic!() };
    wire.act(own, |party, now, out| party.accept(now, incoming, ANSWER, out));
    wire.run_for(ms(100));
    wire.reports.clear();
    (wire, (own, incoming), (other, dialog))
}

#[test]
fn a_call_is_refreshed_for_as_long_as_it_lasts() {
    let (mut wire, centre, caller) = up(60, 40);
    wire.run_for(Duration::from_secs(3600));
    assert!(wire.reports.is_empty(), "nobody hears of it: {:?}", wire.reports);
    assert_eq!(wire.sent_by(caller.0, "UPDATE").len(), 179, "the caller, at half of the shorter wish and twenty milliseconds");
    assert!(wire.sent_by(centre.0, "UPDATE").is_empty() && wire.sent_by(caller.0, "INVITE").len() == 1);
    wire.act(centre.0, |party, now, out| party.bye(now, centre.1, out));
    wire.settle();
    wire.assert_empty();
}

#[test]
fn a_call_whose_peer_is_gone_ends_on_time() {
    let (mut wire, centre, caller) = up(60, 40);
    wire.parties.remove(&caller.0);
    wire.run_for(Duration::from_millis(26_500));
    assert!(wire.take_reports(centre.0).is_empty());
    wire.run_for(Duration::from_secs(1));
    assert_eq!(wire.take_reports(centre.0), [Report::Ended { dialog: centre.1, lost: true }]);
    assert_eq!(wire.sent_by(centre.0, "BYE").len(), 2);
    // The other way round: the refresh itself finds nobody.
    let (mut wire, centre, caller) = up(60, 40);
    wire.parties.remove(&centre.0);
    wire.run_for(Duration::from_secs(60));
    assert_eq!(wire.take_reports(caller.0), [Report::Ended { dialog: caller.1, lost: true }]);
}

#[test]
fn an_interval_too_small_is_refused_and_asked_for_again() {
    let mut wire = Wire::new(1);
    let centre = wire.join("127.0.0.1:5060", settings());
    let caller = wire.join("127.0.0.9:5060", brief(open_settings(), 40));
    let dialog = wire.call(caller, centre);
    wire.run_for(ms(100));
    let Report::Incoming { dialog: incoming, .. } = wire.take_reports(centre).remove(0) else { panic!() };
    assert_eq!(wire.sent_by(centre, "SIP/2.0 422").len(), 1);
    wire.act(centre, |party, now, out| party.accept(now, incoming, ANSWER, out));
    wire.run_for(ms(100));
    assert!(wire.take_reports(caller).contains(&Report::Established { dialog, sdp: Some(ANSWER.to_vec()) }));
    wire.run_for(Duration::from_secs(44));
    assert!(wire.sent_by(caller, "UPDATE").is_empty());
    wire.run_for(Duration::from_secs(2));
    assert_eq!(wire.sent_by(caller, "UPDATE").len(), 1, "at half of ninety seconds");
}

#[test]
fn a_caller_without_timers_is_refreshed_by_us_with_what_it_takes() {
    let mut hand = Hand::calls(brief(settings(), 60), "");
    let ok = hand.accept();
    assert_eq!(header(&ok, "Session-Expires"), "60;refresher=uas");
    assert!(!ok.contains("Require:"));
    hand.ack(&ok, "");
    let [refresh] = &hand.pass(Duration::from_secs(30))[..] else { panic!() };
    assert!(refresh.starts_with("INVITE sip:x@127.0.0.9:5060 ") && refresh.ends_with(std::str::from_utf8(ANSWER).unwrap()), "{refresh}");
    assert_eq!(header(refresh, "Session-Expires"), "60;refresher=uac");
    // It is in the middle of an offer of its own: we wait, and ask again.
    let (sent, reports) = hand.gives(&hand.response(refresh, "491 Request Pending", "", ""));
    assert!(sent[0].starts_with("ACK ") && reports.is_empty());
    let again = hand.pass(Duration::from_secs(2));
    assert!(again[0].starts_with("INVITE "), "within two seconds: the Call-ID is theirs");
    let (sent, reports) = hand.gives(&hand.response(&again[0], "200 OK", "Contact: <sip:x@127.0.0.9:5060>\r\n", ""));
    assert!(sent[0].starts_with("ACK ") && reports.is_empty(), "a refresh is nobody else's affair");
    assert!(hand.pass(Duration::from_secs(28)).is_empty());
    let [refresh] = &hand.pass(Duration::from_secs(2))[..] else { panic!() };
    let (_, reports) = hand.gives(&hand.response(refresh, "481 Gone", "", ""));
    assert_eq!(reports, [Report::Ended { dialog: hand.dialog, lost: true }]);
}

#[test]
fn an_update_that_is_not_taken_becomes_an_invite() {
    let mut hand = Hand::calls(brief(settings(), 60), "Allow: INVITE, UPDATE\r\n");
    let ok = hand.accept();
    hand.ack(&ok, "");
    let [update] = &hand.pass(Duration::from_secs(30))[..] else { panic!() };
    assert!(update.starts_with("UPDATE ") && update.ends_with("Content-Length: 0\r\n\r\n"), "no offer");
    hand.gives(&hand.response(update, "405 No", "", ""));
    let [invite] = &hand.pass(ms(1))[..] else { panic!() };
    assert!(invite.starts_with("INVITE "));
    // Nobody answers that, and the session runs out.
    let end: Vec<String> = hand.pass(Duration::from_secs(12));
    assert!(end.iter().any(|text| text.starts_with("BYE ")), "{end:?}");
    assert_eq!(hand.reports, [Report::Ended { dialog: hand.dialog, lost: true }]);
}

#[test]
fn an_update_refreshes_or_offers() {
    let mut hand = Hand::calls(brief(settings(), 60), "Supported: timer\r\nSession-Expires: 30\r\n");
    let ok = hand.accept();
    assert_eq!((header(&ok, "Session-Expires"), header(&ok, "Require")), ("30;refresher=uac".to_string(), "timer".to_string()));
    hand.ack(&ok, "");
    hand.pass(Duration::from_secs(15));
    let (sent, reports) =
        hand.asks("UPDATE", 2, "Supported: timer\r\nSession-Expires: 30;refresher=uac\r\nContact: <sip:y@127.0.0.9>\r\n", "");
    assert!(sent[0].starts_with("SIP/2.0 200 ") && reports.is_empty());
    assert_eq!(header(&sent[0], "Session-Expires"), "30;refresher=uac");
    assert!(hand.pass(Duration::from_secs(19)).is_empty());
    let (sent, reports) =
        hand.asks("UPDATE", 3, "k: timer\r\nx: 30;refresher=uac\r\nContact: <sip:y@127.0.0.9>\r\n", std::str::from_utf8(OFFER).unwrap());
    assert!(sent.is_empty());
    assert_eq!(reports, [Report::Reoffer { dialog: hand.dialog, sdp: Some(OFFER.to_vec()) }]);
    let (sent, _) = hand.acts(|endpoint, dialog, now, out| endpoint.answer_reoffer(now, dialog, ANSWER, out));
    assert!(sent[0].starts_with("SIP/2.0 200 ") && sent[0].ends_with(std::str::from_utf8(ANSWER).unwrap()));
    assert!(hand.pass(Duration::from_secs(5)).is_empty(), "no ACK is waited for");
    let (sent, _) = hand.asks("UPDATE", 4, "Supported: timer\r\nSession-Expires: 5\r\n", "");
    assert!(sent[0].starts_with("SIP/2.0 422 ") && header(&sent[0], "Min-SE") == "10");
    let sent = hand.pass(Duration::from_secs(60));
    assert!(sent[0].starts_with("BYE sip:y@127.0.0.9 "), "{sent:?}");
    assert_eq!(hand.reports, [Report::Ended { dialog: hand.dialog, lost: true }]);
    assert_eq!(at("127.0.0.9:5060"), hand.flow.remote);
}
