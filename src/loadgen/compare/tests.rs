//! Each kind of lie is caught, and each true order of crossing messages is not.

use super::example::{AGENT, abandoned, answered, ms};
use super::*;
use crate::loadgen::ledger::{CallerStep, OfferEntry, OfferStep};
use crate::model::{Phi, Time};
use crate::store::StoredOffer;

type Case = (CallerEntry, StoredCall, OfferEntry);

fn verdict(case: Case) -> Verdict {
    let (caller, record, rang) = case;
    compare(&Ledger { callers: vec![caller], offers: vec![rang], ..Ledger::default() }, &[record], &[AGENT])
}

/// The spoilt case must give a difference that says `expected`.
fn caught(case: fn() -> Case, expected: &str, spoil: impl FnOnce(&mut Case)) {
    let mut spoilt = case();
    spoil(&mut spoilt);
    let verdict = verdict(spoilt);
    assert!(verdict.differences.iter().any(|line| line.contains(expected)), "no '{expected}' in {:#?}", verdict.differences);
}

/// The case must agree, with exactly this crossing.
fn crosses(case: fn() -> Case, expected: &str, change: impl FnOnce(&mut Case)) {
    let mut changed = case();
    change(&mut changed);
    let verdict = verdict(changed);
    assert_eq!(verdict.differences, Vec::<String>::new());
    assert_eq!(verdict.crossings.into_iter().collect::<Vec<_>>(), [(expected, 1)]);
}

fn at(t: u64) -> Time {
    Time(ms(t))
}

#[test]
fn two_true_stories_agree() {
    let told = verdict(answered());
    assert_eq!(told.differences, Vec::<String>::new());
    assert_eq!((told.answered, told.spanish, told.spanish_answered, told.heard_each_other, told.crossings_all()), (1, 1, 1, 1, 0));
    let left = verdict(abandoned());
    assert_eq!(left.differences, Vec::<String>::new());
    assert_eq!((left.abandoned, left.heard_each_other, left.crossings_all()), (1, 0, 0));
}

#[test]
fn a_call_has_one_record_and_a_record_its_call() {
    let (caller, record, rang) = answered();
    let ledger = Ledger { callers: vec![caller], offers: vec![rang], ..Ledger::default() };
    let twice = compare(&ledger, &[record.clone(), StoredCall { call: 8, visits: vec![], ..record.clone() }], &[AGENT]);
    assert!(twice.differences[0].contains("1 calls dialled, 2 records kept"), "{:?}", twice.differences);
    let none = compare(&ledger, &[], &[AGENT]);
    assert!(none.differences[0].contains("1 calls dialled, 0 records kept"), "{:?}", none.differences);
    assert!(none.differences[1].contains("rang, and no record has it"), "{:?}", none.differences);
    let nobodys = compare(&Ledger::default(), &[StoredCall { visits: vec![], ..record.clone() }], &[]);
    assert!(nobodys.differences[0].contains("who never dialled"), "{:?}", nobodys.differences);
    let guest = StoredCall { from: Phi("anonymous".into()), visits: vec![], ..record };
    let guest = compare(&Ledger::default(), &[guest], &[]);
    assert!(guest.agree() && guest.guests == 1);
}

#[test]
fn a_wrong_disposition_is_caught() {
    caught(answered, "abandoned, and the caller did not hang up", |c| c.1.disposition = "abandoned".into());
    caught(answered, "no caller of ours ends as failed", |c| c.1.disposition = "failed".into());
    caught(answered, "no caller of ours ends as refused", |c| c.1.disposition = "refused".into());
    caught(answered, "no caller of ours ends as completed_in_flow", |c| c.1.disposition = "completed_in_flow".into());
    caught(abandoned, "answered, and no offer was accepted", |c| c.1.disposition = "answered".into());
    caught(abandoned, "0 visits were answered", |c| c.1.disposition = "answered".into());
    caught(abandoned, "no visit was", |c| c.1.visits.clear());
    caught(abandoned, "the caller heard 1004", |c| c.0.steps.insert(4, (at(10_900), CallerStep::HeardAgent(AGENT))));
    caught(abandoned, "the keys had led to a queue long before", |c| {
        c.1.disposition = "abandoned_in_flow".into();
        c.0.steps[4].0 = at(14_000);
        c.0.steps[5].0 = at(14_003);
    });
}

#[test]
fn a_wrong_place_language_or_number_is_caught() {
    caught(answered, "waited in eligibility", |c| c.1.visits[0].queue = "eligibility".into());
    caught(answered, "queued in en", |c| c.1.language = "en".into());
    caught(answered, "recorded +13125550110", |c| c.1.did = "+13125550110".into());
    caught(abandoned, "waited in billing", |c| c.0.queue = None);
    caught(answered, "asked for nurse, answered in billing", |c| {
        c.0.changed_to = Some("nurse".into());
        c.0.steps[3] = (at(5_000), CallerStep::KeyPressed('9'));
    });
}

#[test]
fn a_wrong_time_is_caught() {
    caught(answered, "before it was dialled", |c| c.0.steps[0].0 = at(600));
    caught(answered, "after the caller had its first response", |c| c.1.arrived_at = ms(600));
    caught(answered, "its 200 is recorded after the caller had it", |c| c.1.answered_at = Some(ms(600)));
    caught(answered, "the record has none", |c| c.1.answered_at = None);
    caught(answered, "too late", |c| c.1.ended_at = ms(14_500));
    caught(abandoned, "too early", |c| c.1.ended_at = ms(10_300));
    caught(abandoned, "after the caller hung up", |c| c.1.visits[0].left_at = ms(11_900));
    caught(answered, "before the bridge", |c| c.1.visits[0].left_at = ms(12_000));
    caught(answered, "the refusal is recorded before", |c| c.1.visits[0].offers[0].ended_at = ms(10_002));
    caught(answered, "the conversation's end is recorded before anybody's goodbye", |c| c.1.segments[0].to = Some(ms(12_000)));
    caught(answered, "after the agent's side was over", |c| c.1.segments[0].to = Some(ms(14_600)));
    caught(answered, "no conversation with this agent", |c| c.1.segments.clear());
}

#[test]
fn who_heard_whom_is_caught() {
    caught(answered, "the caller heard 1005", |c| c.0.steps[4].1 = CallerStep::HeardAgent(1005));
    caught(answered, "which is no agent's", |c| c.0.steps[4].1 = CallerStep::HeardStranger(140));
    caught(answered, "whom the caller never heard", |c| _ = c.0.steps.remove(4));
    caught(answered, "the agent heard the tone 150", |c| c.2.steps[4].1 = OfferStep::HeardCaller(150));
    caught(answered, "the agent heard nothing of the caller", |c| _ = c.2.steps.remove(4));
    caught(abandoned, "the agent heard the tone 107", |c| c.2.steps.insert(2, (at(10_900), OfferStep::HeardCaller(107))));
}

#[test]
fn an_offer_that_nobody_or_another_saw_is_caught() {
    caught(answered, "it never rang", |c| {
        let extra = StoredOffer { agent: AGENT, rung_at: ms(9_000), ended_at: ms(9_300), outcome: "declined".into() };
        c.1.visits[0].offers.insert(0, extra);
    });
    caught(answered, "rang, and no record has it", |c| c.1.visits[0].offers.clear());
    caught(answered, "the agent did not decline", |c| c.1.visits[0].offers[0].outcome = "declined".into());
    caught(answered, "the agent was not busy", |c| c.1.visits[0].offers[0].outcome = "busy".into());
    caught(answered, "no telephone of ours is unreachable", |c| c.1.visits[0].offers[0].outcome = "unreachable".into());
    caught(abandoned, "the agent did not answer", |c| c.1.visits[0].offers[0].outcome = "accepted".into());
    caught(abandoned, "never saw it", |c| c.2.steps.retain(|(_, step)| *step != OfferStep::Cancelled));
    caught(abandoned, "a second call rang", |c| c.2.steps.insert(1, (at(10_002), OfferStep::RungWhileBusy)));
    caught(abandoned, "the server did not answer the agent", |c| c.2.steps.push((at(43_000), OfferStep::Lost)));
    caught(abandoned, "the agent's side never ended", |c| _ = c.2.steps.pop());
    caught(abandoned, "the caller's side never ended", |c| _ = c.0.steps.pop());
    caught(abandoned, "the server did not answer the caller", |c| c.0.steps.insert(4, (at(10_900), CallerStep::Lost)));
}

#[test]
fn messages_that_cross_are_counted_and_agree() {
    crosses(abandoned, "the agent's 200 and our CANCEL", |c| {
        c.2.steps.truncate(2);
        c.2.steps.extend([
            (at(11_002), OfferStep::AnswerSent),
            (at(11_004), OfferStep::Acknowledged),
            (at(11_004), OfferStep::ByeReceived),
            (at(11_004), OfferStep::Over),
        ]);
    });
    crosses(abandoned, "the agent's refusal and our CANCEL", |c| {
        c.2.steps.truncate(2);
        c.2.steps.extend([(at(11_002), OfferStep::RefusalSent(603)), (at(11_002), OfferStep::Over)]);
    });
    crosses(answered, "BYE and BYE", |c| c.0.steps.insert(5, (at(13_599), CallerStep::ByeSent)));
    // Bridged, and gone before a tone could be known.
    crosses(answered, "the caller's BYE and the agent's 200", |c| {
        c.0.steps.truncate(4);
        c.0.steps.extend([(at(10_601), CallerStep::ByeSent), (at(10_604), CallerStep::Over)]);
        c.1.ended_at = ms(10_602);
        c.1.segments[0].to = Some(ms(10_602));
        c.2.steps.truncate(4);
        c.2.steps.extend([(at(10_603), OfferStep::ByeReceived), (at(10_603), OfferStep::Over)]);
    });
}

/// The caller left as the telephone began to ring: the next call's INVITE came before the CANCEL.
#[test]
fn the_next_call_may_overtake_the_end_of_one_that_was_taken_back() {
    let told = |outcome: &str, rung_next: u64| {
        let (caller, mut record, rang) = abandoned();
        record.visits[0].offers[0].outcome = outcome.into();
        let (mut next_caller, mut next, _) = answered();
        next_caller.from = "+12015550108".into();
        (next.call, next.from) = (8, Phi("+12015550108".into()));
        let busy = StoredOffer { agent: AGENT, rung_at: ms(rung_next), ended_at: ms(11_003), outcome: "busy".into() };
        next.visits[0].offers = vec![busy, StoredOffer { agent: 1, rung_at: ms(11_003), ended_at: ms(11_100), outcome: "accepted".into() }];
        let steps = [OfferStep::InviteReceived, OfferStep::RungWhileBusy, OfferStep::RefusalSent(486), OfferStep::Over];
        let second = OfferEntry { agent: AGENT, shown: String::new(), steps: steps.iter().map(|step| (at(11_002), *step)).collect() };
        let ledger = Ledger { callers: vec![caller, next_caller], offers: vec![rang, second], ..Ledger::default() };
        compare(&ledger, &[record, next], &[AGENT])
    };
    let crossed = told("caller_left", 11_002);
    assert_eq!(crossed.differences, Vec::<String>::new());
    assert_eq!(crossed.crossings_all(), 1);
    let twice = told("caller_left", 10_900);
    assert!(twice.differences.iter().any(|line| line.contains("a second call rang")), "{:#?}", twice.differences);
    let talking = told("accepted", 11_002);
    assert!(talking.differences.iter().any(|line| line.contains("a second call rang")), "{:#?}", talking.differences);
}

#[test]
fn what_came_long_before_did_not_cross() {
    caught(abandoned, "the agent's answer had come before", |c| {
        c.2.steps.truncate(2);
        let late = [(at(10_300), OfferStep::AnswerSent), (at(11_004), OfferStep::ByeReceived), (at(11_004), OfferStep::Over)];
        c.2.steps.extend(late);
    });
    caught(abandoned, "the agent's refusal had come before", |c| {
        c.2.steps.truncate(2);
        c.2.steps.extend([(at(10_300), OfferStep::RefusalSent(603)), (at(10_300), OfferStep::Over)]);
    });
    caught(abandoned, "never told that the call was gone", |c| {
        c.2.steps.truncate(2);
        c.2.steps.extend([(at(11_002), OfferStep::AnswerSent), (at(11_004), OfferStep::Over)]);
    });
}

#[test]
fn a_caller_who_leaves_during_the_whisper_crosses_nothing() {
    let mut case = abandoned();
    case.1.visits[0].stage = "connecting".into();
    case.2.steps.truncate(2);
    case.2.steps.extend([
        (at(10_400), OfferStep::AnswerSent),
        (at(10_402), OfferStep::Acknowledged),
        (at(11_004), OfferStep::ByeReceived),
        (at(11_004), OfferStep::Over),
    ]);
    let verdict = verdict(case);
    assert!(verdict.agree() && verdict.crossings_all() == 0, "{verdict:#?}");
}

#[test]
fn what_the_clients_could_not_read_is_a_difference() {
    let verdict = compare(&Ledger { unreadable: 2, ..Ledger::default() }, &[], &[]);
    assert!(verdict.differences[0].starts_with("2 messages"), "{:?}", verdict.differences);
}
