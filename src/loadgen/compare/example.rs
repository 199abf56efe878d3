//! Calls on which both sides agree, for the tests to spoil.

use crate::loadgen::ledger::{CallerEntry, CallerStep, OfferEntry, OfferStep};
use crate::model::{Phi, Time};
use crate::store::{Sounds, StoredCall, StoredOffer, StoredSegment, StoredVisit};
use std::time::Duration;

pub const AGENT: u64 = 1004;
pub const FROM: &str = "+12015550107";

/// Milliseconds of an invented day.
pub fn ms(ms: u64) -> u64 {
    1_000_000_000 + ms * 1_000
}

fn caller(steps: &[(u64, CallerStep)]) -> CallerEntry {
    CallerEntry {
        from: FROM.into(),
        dialled: "+13125550100".into(),
        language: "es".into(),
        queue: Some("billing".into()),
        joins_after: Duration::from_secs(10),
        changed_to: None,
        tone: 107,
        steps: steps.iter().map(|(at, step)| (Time(ms(*at)), *step)).collect(),
    }
}

fn rang(steps: &[(u64, OfferStep)]) -> OfferEntry {
    let steps = steps.iter().map(|(at, step)| (Time(ms(*at)), *step)).collect();
    OfferEntry { agent: AGENT, shown: "Billing · ES".into(), steps }
}

fn record(disposition: &str, ended: u64, visits: Vec<StoredVisit>, segments: Vec<StoredSegment>) -> StoredCall {
    StoredCall {
        call: 7,
        from: Phi(FROM.into()),
        to: Phi("+13125550100".into()),
        did: "+13125550100".into(),
        language: "es".into(),
        arrived_at: ms(1),
        answered_at: Some(ms(2)),
        ended_at: ms(ended),
        disposition: disposition.into(),
        detail: None,
        wrap_up_code: None,
        visits,
        segments,
        sounds: Sounds::default(),
    }
}

fn visit(left: u64, stage: &str, outcome: &str, offer: (u64, u64, &str)) -> StoredVisit {
    let (rung, ended, how) = offer;
    StoredVisit {
        queue: "billing".into(),
        language: "es".into(),
        entered_at: ms(10_000),
        left_at: ms(left),
        stage: stage.into(),
        outcome: outcome.into(),
        detail: None,
        offers: vec![StoredOffer { agent: AGENT, rung_at: ms(rung), ended_at: ms(ended), outcome: how.into() }],
    }
}

/// Joined after 10 s, rang at once, answered after 0.5 s, talked for 3 s, ended by the agent.
pub fn answered() -> (CallerEntry, StoredCall, OfferEntry) {
    use CallerStep as C;
    use OfferStep as O;
    let caller = caller(&[
        (0, C::InviteSent),
        (3, C::Established),
        (800, C::KeyPressed('2')),
        (1_900, C::KeyPressed('2')),
        (10_900, C::HeardAgent(AGENT)),
        (13_600, C::ByeReceived),
        (13_600, C::Over),
    ]);
    let segment = StoredSegment {
        agent: AGENT,
        queue: Some("billing".into()),
        from: ms(10_600),
        to: Some(ms(13_601)),
        held: 0,
        wrap_up: Some(1_000_000),
        transferred: false,
    };
    let record = record("answered", 13_600, vec![visit(10_600, "connecting", "answered", (10_001, 10_502, "accepted"))], vec![segment]);
    let rang = rang(&[
        (10_002, O::InviteReceived),
        (10_002, O::RingingSent),
        (10_500, O::AnswerSent),
        (10_503, O::Acknowledged),
        (10_850, O::HeardCaller(107)),
        (13_598, O::ByeSent),
        (13_602, O::Over),
    ]);
    (caller, record, rang)
}

/// Hung up while the agent's telephone rang.
pub fn abandoned() -> (CallerEntry, StoredCall, OfferEntry) {
    use CallerStep as C;
    use OfferStep as O;
    let caller = caller(&[
        (0, C::InviteSent),
        (3, C::Established),
        (800, C::KeyPressed('2')),
        (1_900, C::KeyPressed('2')),
        (11_000, C::ByeSent),
        (11_004, C::Over),
    ]);
    let record = record("abandoned", 11_001, vec![visit(11_001, "ringing", "abandoned", (10_001, 11_001, "caller_left"))], vec![]);
    let rang = rang(&[(10_002, O::InviteReceived), (10_002, O::RingingSent), (11_003, O::Cancelled), (11_003, O::Over)]);
    (caller, record, rang)
}
