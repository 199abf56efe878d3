//! What rang at each agent's telephone, against the offers in the records.

use super::verdict::{HEARABLE, SLACK, Verdict, in_order, steps};
use crate::loadgen::ledger::{CallerEntry, OfferEntry, OfferStep};
use crate::model::Time;
use crate::store::{StoredCall, StoredOffer, StoredVisit};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// One offer of a record, with what surrounds it.
#[derive(Clone, Copy)]
struct Told<'a> {
    offer: &'a StoredOffer,
    visit: &'a StoredVisit,
    record: &'a StoredCall,
    caller: Option<&'a CallerEntry>,
}

struct Pair<'a> {
    rang: &'a OfferEntry,
    told: Told<'a>,
}

impl Pair<'_> {
    fn differs(&self, verdict: &mut Verdict, what: impl Display) {
        let Told { offer, visit, record, .. } = self.told;
        let ms = |at: u64| Time(at).since(self.rang.steps[0].0).as_millis();
        verdict.differences.push(format!(
            "call {} at agent {}: {what} | agent: {} | record: {} {} to {}ms, visit {} {}",
            record.call,
            offer.agent,
            steps(&self.rang.steps),
            offer.outcome,
            ms(offer.rung_at),
            ms(offer.ended_at),
            visit.stage,
            visit.outcome,
        ));
    }
    fn when(&self, step: OfferStep) -> Option<Time> {
        self.rang.when(step)
    }
    fn ended(&self) -> Time {
        Time(self.told.offer.ended_at)
    }
}

pub fn judge(
    rang: &[OfferEntry],
    records: &[StoredCall],
    agents: &BTreeSet<u64>,
    callers: &BTreeMap<u64, &CallerEntry>,
    verdict: &mut Verdict,
) {
    let mut told: BTreeMap<u64, Vec<Told>> = BTreeMap::new();
    for record in records {
        let caller = callers.get(&record.call).copied();
        for visit in &record.visits {
            for offer in visit.offers.iter().filter(|offer| agents.contains(&offer.agent)) {
                told.entry(offer.agent).or_default().push(Told { offer, visit, record, caller });
            }
        }
    }
    for agent in agents {
        let mut rang: Vec<&OfferEntry> = rang.iter().filter(|entry| entry.agent == *agent).collect();
        let mut told = told.remove(agent).unwrap_or_default();
        rang.sort_by_key(|entry| entry.steps[0].0);
        told.sort_by_key(|told| (told.offer.rung_at, told.offer.ended_at));
        let pairs = pairs(rang, told, verdict);
        for (number, pair) in pairs.iter().enumerate() {
            if pair.when(OfferStep::RungWhileBusy).is_some() {
                rung_while_busy(pair, number.checked_sub(1).map(|before| &pairs[before]), verdict);
            }
            judge_one(pair, verdict);
        }
    }
}

/// An agent is rung one call at a time, so both lists are in one order; what stands alone in either is a difference.
fn pairs<'a>(rang: Vec<&'a OfferEntry>, told: Vec<Told<'a>>, verdict: &mut Verdict) -> Vec<Pair<'a>> {
    let mut pairs = Vec::new();
    let mut told = told.into_iter().peekable();
    for rang in rang {
        let at = rang.steps[0].0;
        while let Some(missed) = told.next_if(|told| Time(told.offer.ended_at) + SLACK < at) {
            never_rang(missed, verdict);
        }
        match told.next_if(|told| in_order(Time(told.offer.rung_at), at)) {
            Some(told) => pairs.push(Pair { rang, told }),
            None => verdict.differences.push(format!("agent {}: rang, and no record has it | agent: {}", rang.agent, steps(&rang.steps))),
        }
    }
    for missed in told {
        never_rang(missed, verdict);
    }
    pairs
}

fn never_rang(told: Told, verdict: &mut Verdict) {
    let Told { offer, record, .. } = told;
    verdict.differences.push(format!("call {} at agent {}: {} in the record, and it never rang", record.call, offer.agent, offer.outcome));
}

/// A CANCEL waits for a provisional response (RFC 3261 §9.1), and one that crosses a 200 for the BYE: the INVITE of the next call may
/// overtake either. Anything else is two calls at once for one agent.
fn rung_while_busy(pair: &Pair, before: Option<&Pair>, verdict: &mut Verdict) {
    let Some(before) = before else { return pair.differs(verdict, "a second call rang at an agent who had one") };
    let taken_back = matches!(before.told.offer.outcome.as_str(), "no_answer" | "caller_left" | "answered_elsewhere" | "moved");
    let in_turn = before.told.offer.ended_at <= pair.told.offer.rung_at;
    let soon_over = before.when(OfferStep::Over).is_some_and(|over| in_order(over, pair.rang.steps[0].0));
    if taken_back && in_turn && soon_over {
        return verdict.crossed("the next INVITE and the end of a call taken back");
    }
    let (outcome, call) = (&before.told.offer.outcome, before.told.record.call);
    let apart = Time(pair.told.offer.rung_at).since(Time(before.told.offer.ended_at));
    let had = steps(&before.rang.steps);
    pair.differs(verdict, format!("a second call rang at an agent who had one: call {call}, {outcome} {apart:?} before, agent: {had}"));
}

fn judge_one(pair: &Pair, verdict: &mut Verdict) {
    if pair.when(OfferStep::Lost).is_some() {
        pair.differs(verdict, "the server did not answer the agent");
    }
    if pair.rang.when(OfferStep::Over).is_none() {
        pair.differs(verdict, "the agent's side never ended");
    }
    let refused = pair.rang.refused();
    match pair.told.offer.outcome.as_str() {
        "accepted" => accepted(pair, verdict),
        "declined" => match refused {
            Some((at, 603 | 480)) => in_time(pair, at, verdict),
            // A telephone that has rung and is then "busy" was told so by its owner.
            Some((at, 486)) if pair.when(OfferStep::RingingSent).is_some() => in_time(pair, at, verdict),
            // Answered, and hung up before the bridge.
            None if pair.when(OfferStep::ByeSent).is_some() && pair.told.visit.outcome != "answered" => {}
            _ => pair.differs(verdict, "the agent did not decline"),
        },
        "busy" => match refused {
            Some((at, 486)) if pair.when(OfferStep::RingingSent).is_none() => in_time(pair, at, verdict),
            _ => pair.differs(verdict, "the agent was not busy"),
        },
        "no_answer" | "caller_left" | "answered_elsewhere" | "moved" => withdrawn(pair, verdict),
        other => pair.differs(verdict, format!("no telephone of ours is {other}")),
    }
}

/// The record's end follows what the agent did at `at`.
fn in_time(pair: &Pair, at: Time, verdict: &mut Verdict) {
    if !in_order(at, pair.ended()) {
        pair.differs(verdict, "the refusal is recorded before the agent refused");
    }
}

fn accepted(pair: &Pair, verdict: &mut Verdict) {
    let (Some(answer), Some(_)) = (pair.when(OfferStep::AnswerSent), pair.when(OfferStep::Acknowledged)) else {
        return pair.differs(verdict, "the agent did not answer, or was not acknowledged");
    };
    in_time(pair, answer, verdict);
    if pair.told.visit.outcome == "answered" {
        talked(pair, verdict);
    } else if let Some((_, tone)) = pair.rang.heard() {
        pair.differs(verdict, format!("the agent heard the tone {tone}, and the caller was never answered"));
    }
}

/// The two heard each other, if they had the time, and nobody else; the conversation ended when somebody said goodbye.
fn talked(pair: &Pair, verdict: &mut Verdict) {
    let Told { visit, record, caller, offer } = pair.told;
    let bridged = Time(visit.left_at);
    let bye = pair.when(OfferStep::ByeSent).or(pair.when(OfferStep::ByeReceived)).unwrap_or(bridged);
    let expected = caller.map(|caller| caller.tone);
    match (pair.rang.heard(), expected) {
        (Some((_, heard)), Some(tone)) if heard != tone => {
            pair.differs(verdict, format!("the agent heard the tone {heard}, and the caller's is {tone}"));
        }
        (Some(_), _) if caller.and_then(CallerEntry::heard).is_some_and(|(_, agent)| agent == offer.agent) => verdict.heard_each_other += 1,
        (None, Some(_)) if bye > bridged + HEARABLE + SLACK => {
            pair.differs(verdict, format!("the agent heard nothing of the caller in {:?}", bye.since(bridged)));
        }
        _ => {}
    }
    let segment = record.segments.iter().find(|segment| segment.agent == offer.agent && segment.from + 1 >= visit.left_at);
    let Some(to) = segment.and_then(|segment| segment.to).map(Time) else {
        return pair.differs(verdict, "answered, and the record has no conversation with this agent");
    };
    let first_goodbye = [pair.when(OfferStep::ByeSent), caller.and_then(CallerEntry::left)].into_iter().flatten().min();
    let over = pair.when(OfferStep::Over).unwrap_or(to);
    if first_goodbye.is_some_and(|goodbye| !in_order(goodbye, to)) || !in_order(to, over) {
        pair.differs(verdict, "the conversation's end is recorded before anybody's goodbye, or after the agent's side was over");
    }
    if pair.when(OfferStep::ByeSent).is_some() && pair.when(OfferStep::ByeReceived).is_some() {
        verdict.crossed("BYE and BYE");
    }
}

/// The server took the call back: the agent saw a CANCEL, or had answered or refused before it came.
fn withdrawn(pair: &Pair, verdict: &mut Verdict) {
    if let Some((_, tone)) = pair.rang.heard() {
        return pair.differs(verdict, format!("the agent heard the tone {tone}, and the call was taken back"));
    }
    let stage = pair.told.visit.stage.as_str();
    let ended = pair.ended();
    if let Some((at, _)) = pair.rang.refused() {
        match ended <= at + SLACK {
            true => verdict.crossed("the agent's refusal and our CANCEL"),
            false => pair.differs(verdict, "the agent's refusal had come before the call was taken back"),
        }
    } else if let Some(answer) = pair.when(OfferStep::AnswerSent) {
        if pair.when(OfferStep::ByeReceived).is_none() && pair.when(OfferStep::ByeSent).is_none() {
            pair.differs(verdict, "the agent answered, and was never told that the call was gone");
        } else if stage == "connecting" && in_order(answer, ended) {
            // The caller left while the whisper played: no messages crossed.
        } else if ended <= answer + SLACK {
            verdict.crossed("the agent's 200 and our CANCEL");
        } else {
            pair.differs(verdict, "the agent's answer had come before the call was taken back");
        }
    } else if pair.when(OfferStep::Cancelled).is_none_or(|at| !in_order(ended, at)) {
        pair.differs(verdict, "the call is recorded as taken back after the agent saw it, or the agent never saw it");
    }
}
