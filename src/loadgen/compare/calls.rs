//! One call as its caller lived it, against its record.

use super::verdict::{HEARABLE, SLACK, Verdict, in_order, steps};
use crate::loadgen::ledger::{CallerEntry, CallerStep};
use crate::model::Time;
use crate::store::{StoredCall, StoredVisit};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

/// A caller who stays so much longer than the way to the queue takes has surely joined it.
const JOINED: Duration = Duration::from_millis(2_500);

pub struct Pair<'a> {
    pub caller: &'a CallerEntry,
    pub record: &'a StoredCall,
}

impl Pair<'_> {
    fn differs(&self, verdict: &mut Verdict, what: impl Display) {
        let Pair { caller, record } = self;
        let visits: Vec<String> = record.visits.iter().map(|v| format!("{} {} {}", v.queue, v.stage, v.outcome)).collect();
        verdict.differences.push(format!(
            "call {} from {}: {what} | caller ({} {:?}): {} | record: {} in {}, visits {visits:?}",
            record.call,
            caller.from,
            caller.language,
            caller.queue,
            steps(&caller.steps),
            record.disposition,
            record.language,
        ));
    }

    fn answered_visit(&self) -> Option<&StoredVisit> {
        self.record.visits.iter().rev().find(|visit| visit.outcome == "answered")
    }

    /// The agent who answered: the accepted offer of the answered visit.
    fn answered_by(&self) -> Option<u64> {
        let visit = self.answered_visit()?;
        visit.offers.iter().find(|offer| offer.outcome == "accepted").map(|offer| offer.agent)
    }

    /// The end of the caller's leg as the caller knows it: the first and the last moment at which it may have been.
    fn ended(&self) -> Option<(Time, Time)> {
        let over = self.caller.when(CallerStep::Over)?;
        let first = self.caller.left().unwrap_or(self.caller.steps[0].0);
        Some((first.min(over), over))
    }
}

/// Everything that the two sides say of one call.
pub fn judge(pair: &Pair, agents: &BTreeSet<u64>, verdict: &mut Verdict) {
    let Pair { caller, record } = pair;
    if caller.when(CallerStep::Lost).is_some() {
        return pair.differs(verdict, "the server did not answer the caller");
    }
    if record.did != caller.dialled {
        pair.differs(verdict, format!("dialled {}, recorded {}", caller.dialled, record.did));
    }
    if let Some((_, CallerStep::HeardStranger(tone))) = caller.steps.iter().find(|(_, s)| matches!(s, CallerStep::HeardStranger(_))) {
        pair.differs(verdict, format!("the caller heard the tone {tone}, which is no agent's"));
    }
    times(pair, verdict);
    visits(pair, verdict);
    match record.disposition.as_str() {
        "answered" => answered(pair, agents, verdict),
        "abandoned" => abandoned(pair, verdict),
        "abandoned_in_flow" => abandoned_in_flow(pair, verdict),
        "completed_in_flow" if caller.when(CallerStep::ByeReceived).is_some() && caller.heard().is_none() => {}
        "refused" if caller.refused().is_some() => {}
        other => pair.differs(verdict, format!("no caller of ours ends as {other}")),
    }
    crossings(pair, verdict);
}

fn crossings(pair: &Pair, verdict: &mut Verdict) {
    let caller = pair.caller;
    if caller.when(CallerStep::LateAnswer).is_some() {
        verdict.crossed("the caller's CANCEL and our 200");
    }
    if caller.when(CallerStep::ByeSent).is_some() && caller.when(CallerStep::ByeReceived).is_some() {
        verdict.crossed("BYE and BYE");
    }
}

fn times(pair: &Pair, verdict: &mut Verdict) {
    let Pair { caller, record } = pair;
    let dialled = caller.steps[0].0;
    let arrived = Time(record.arrived_at);
    if !in_order(dialled, arrived) {
        pair.differs(verdict, format!("arrived {:?} before it was dialled", dialled.since(arrived)));
    }
    let heard_back = caller
        .steps
        .get(1..)
        .and_then(|rest| rest.iter().find(|(_, s)| !matches!(s, CallerStep::CancelSent | CallerStep::ByeSent)).map(|(at, _)| *at));
    if heard_back.is_some_and(|back| !in_order(arrived, back)) {
        pair.differs(verdict, "arrived after the caller had its first response");
    }
    match (caller.when(CallerStep::Established), record.answered_at.map(Time)) {
        (Some(established), Some(answered)) if !in_order(answered, established) => {
            pair.differs(verdict, "its 200 is recorded after the caller had it");
        }
        (Some(_), None) => pair.differs(verdict, "the caller had a 200, the record has none"),
        (_, Some(answered)) if !in_order(arrived, answered) => pair.differs(verdict, "its 200 is recorded before its arrival"),
        _ => {}
    }
    let Some((first, last)) = pair.ended() else { return pair.differs(verdict, "the caller's side never ended") };
    let ended = Time(record.ended_at);
    if !in_order(first, ended) || !in_order(ended, last) {
        let (early, late) = (first.since(ended), ended.since(last));
        pair.differs(verdict, format!("the end is recorded {early:?} too early or {late:?} too late"));
    }
}

/// The record's visits are where the caller's keys led.
fn visits(pair: &Pair, verdict: &mut Verdict) {
    let Pair { caller, record } = pair;
    let mut overflowed = false;
    for visit in &record.visits {
        let wanted = [&caller.queue, &caller.changed_to].into_iter().flatten().any(|queue| *queue == visit.queue);
        if !wanted && !overflowed {
            pair.differs(verdict, format!("waited in {}", visit.queue));
        }
        overflowed = visit.outcome == "overflowed";
    }
    let counted = record.visits.iter().filter(|v| v.outcome == "answered").count();
    if counted > 1 || (counted == 1) != (record.disposition == "answered") {
        pair.differs(verdict, format!("{counted} visits were answered"));
    }
    if !record.visits.is_empty() && record.language != caller.language {
        pair.differs(verdict, format!("queued in {}", record.language));
    }
}

fn answered(pair: &Pair, agents: &BTreeSet<u64>, verdict: &mut Verdict) {
    let Some(agent) = pair.answered_by() else { return pair.differs(verdict, "answered, and no offer was accepted") };
    let bridged = Time(pair.answered_visit().expect("it has an accepted offer").left_at);
    let caller = pair.caller;
    changed_queue(pair, bridged, verdict);
    if !agents.contains(&agent) {
        return;
    }
    match caller.heard() {
        Some((_, heard)) if heard != agent => pair.differs(verdict, format!("answered by {agent}, and the caller heard {heard}")),
        Some((at, _)) if !in_order(bridged, at) => pair.differs(verdict, format!("the caller heard {agent} before the bridge")),
        Some(_) => {}
        None => {
            let end = pair.ended().map_or(bridged, |(first, last)| if caller.left().is_some() { first } else { last });
            if !in_order(bridged, end) {
                pair.differs(verdict, format!("bridged to {agent} after the caller had left"));
            } else if end > bridged + HEARABLE + SLACK {
                pair.differs(verdict, format!("answered by {agent}, whom the caller never heard in {:?}", end.since(bridged)));
            } else {
                verdict.crossed("the caller's BYE and the agent's 200");
            }
        }
    }
}

/// Who asked for another queue while waiting, and was answered well after that, was answered there.
fn changed_queue(pair: &Pair, bridged: Time, verdict: &mut Verdict) {
    let Some(changed) = &pair.caller.changed_to else { return };
    let pressed = pair.caller.steps.iter().rev().find(|(_, step)| matches!(step, CallerStep::KeyPressed(_))).map(|(at, _)| *at);
    let visit = pair.answered_visit().expect("it was answered");
    if pressed.is_some_and(|pressed| bridged > pressed + Duration::from_secs(1)) && visit.queue != *changed {
        pair.differs(verdict, format!("asked for {changed}, answered in {}", visit.queue));
    }
}

fn abandoned(pair: &Pair, verdict: &mut Verdict) {
    let Pair { caller, record } = pair;
    let Some(left) = caller.left() else { return pair.differs(verdict, "abandoned, and the caller did not hang up") };
    if let Some((_, agent)) = caller.heard() {
        return pair.differs(verdict, format!("abandoned, and the caller heard {agent}"));
    }
    let Some(visit) = record.visits.iter().find(|visit| visit.outcome == "abandoned") else {
        return pair.differs(verdict, "abandoned, and no visit was");
    };
    let (entered, ended) = (Time(visit.entered_at), Time(visit.left_at));
    let over = caller.when(CallerStep::Over).unwrap_or(left);
    if !in_order(left, ended) || !in_order(ended, over) {
        pair.differs(verdict, format!("left the queue {:?} before, {:?} after the caller hung up", left.since(ended), ended.since(over)));
    }
    if entered > ended || caller.when(CallerStep::Established).is_some_and(|at| !in_order(Time(record.arrived_at), at)) {
        pair.differs(verdict, "entered the queue after leaving it, or before arriving");
    }
}

fn abandoned_in_flow(pair: &Pair, verdict: &mut Verdict) {
    let caller = pair.caller;
    let Some(left) = caller.left() else { return pair.differs(verdict, "abandoned in the flow, and the caller did not hang up") };
    if let Some((_, agent)) = caller.heard() {
        return pair.differs(verdict, format!("abandoned in the flow, and the caller heard {agent}"));
    }
    let joined = caller.when(CallerStep::Established).map(|at| at + caller.joins_after + JOINED);
    if caller.queue.is_some() && joined.is_some_and(|joined| left > joined) {
        pair.differs(verdict, "abandoned in the flow, and the keys had led to a queue long before");
    }
}
