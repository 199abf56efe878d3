//! The witness's books: calls, visits and offers, each of which must end once and be written down as it was.

use careline::acd::call::Disposition;
use careline::acd::fact::OfferOutcome;
use careline::acd::record::{OfferRecord, VisitRecord};
use careline::acd::{CallRecord, Command, Event, Fact, Figures, Placed, Purpose};
use careline::model::{AgentId, CallId, LegId, OfferId, QueueId, Time};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
struct Open {
    arrived_at: Time,
    visits: Vec<VisitRecord>,
    /// Offers that are over, of visits that are not.
    offers: BTreeMap<QueueId, Vec<OfferRecord>>,
    /// Said, so that the record must follow at once.
    disposition: Option<Disposition>,
    answered: u32,
}

#[derive(Clone, Debug)]
struct Made {
    call: CallId,
    queue: Option<QueueId>,
    agent: AgentId,
    at: Time,
}

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    open: BTreeMap<CallId, Open>,
    /// Calls that stations placed; how they ended, if that was said.
    placed: BTreeMap<CallId, Option<Disposition>>,
    closed: BTreeSet<CallId>,
    records: Vec<CallRecord>,
    offers: BTreeMap<OfferId, Made>,
    dialled: BTreeMap<OfferId, LegId>,
    facts: u64,
    last: Time,
}

impl Ledger {
    pub fn told(&mut self, now: Time, event: &Event) {
        if let Event::CallArrived { call, .. } = event {
            let open = Open { arrived_at: now, visits: Vec::new(), offers: BTreeMap::new(), disposition: None, answered: 0 };
            assert!(self.open.insert(*call, open).is_none(), "the test gives a call twice");
        }
        if let Event::CallPlaced { call, kind: Placed::Outward | Placed::Emergency, .. } = event {
            assert!(self.placed.insert(*call, None).is_none(), "the test gives a call twice");
        }
    }

    pub fn saw(&mut self, command: &Command) {
        match command {
            Command::Note { number, at, fact } => {
                self.facts += 1;
                assert_eq!(*number, self.facts, "facts are numbered without a gap");
                assert!(*at >= self.last, "time runs backwards at fact {number}");
                self.last = *at;
                self.noted(*at, fact);
            }
            Command::Dial { leg, purpose: Purpose::Offer(offer), call, .. } => {
                assert!(self.dialled.insert(*offer, *leg).is_none(), "offer {offer} is dialled twice");
                self.open_call(*call);
            }
            Command::Dial { purpose: Purpose::Placed(_), call, .. } => {
                assert_eq!(self.placed.get(call), Some(&None), "dialled for a placed call that lives: {call}");
            }
            Command::Hear { call, .. } if self.placed.contains_key(call) => {}
            Command::Hear { call, .. } | Command::Divert { call, .. } | Command::Record { call, .. } => drop(self.open_call(*call)),
            Command::CloseRecord(record) => self.close(record),
            _ => {}
        }
    }

    fn open_call(&mut self, call: CallId) -> &mut Open {
        self.open.get_mut(&call).unwrap_or_else(|| panic!("call {call} is closed, or never came"))
    }

    fn noted(&mut self, at: Time, fact: &Fact) {
        match fact {
            Fact::VisitEntered { call, .. } => drop(self.open_call(*call)),
            Fact::VisitEnded { call, queue, language, stage, outcome, entered_at, arrived_at } => {
                let open = self.open_call(*call);
                assert_eq!(open.arrived_at, *arrived_at, "when call {call} came");
                let offers = open.offers.remove(queue).unwrap_or_default();
                let (queue, language, stage, outcome) = (*queue, *language, *stage, *outcome);
                open.visits.push(VisitRecord { queue, language, entered_at: *entered_at, left_at: at, stage, outcome, offers });
            }
            Fact::OfferMade { offer, call, queue, agent } => {
                self.open_call(*call);
                let one = self.offers.values().find(|made| made.agent == *agent);
                assert!(one.is_none(), "agent {agent} has two offers");
                let made = Made { call: *call, queue: *queue, agent: *agent, at };
                assert!(self.offers.insert(*offer, made).is_none(), "offer {offer} is made twice");
            }
            Fact::OfferEnded { offer, call, queue, agent, outcome, rung_at, .. } => {
                let made = self.offers.remove(offer).unwrap_or_else(|| panic!("offer {offer} ends twice, or was never made"));
                assert_eq!((made.call, made.queue, made.agent, made.at), (*call, *queue, *agent, *rung_at), "offer {offer}");
                let record = OfferRecord { agent: *agent, rung_at: *rung_at, ended_at: at, outcome: *outcome };
                if *outcome == OfferOutcome::Accepted {
                    self.open_call(*call).answered += 1;
                }
                if let Some(queue) = queue {
                    self.open_call(*call).offers.entry(*queue).or_default().push(record);
                }
            }
            Fact::CallEnded { call, disposition, arrived_at, .. } => {
                let open = self.open_call(*call);
                assert_eq!(open.arrived_at, *arrived_at, "when call {call} came");
                assert!(open.disposition.replace(disposition.clone()).is_none(), "call {call} ends twice");
            }
            Fact::PlacedEnded { call, disposition, .. } => {
                let own = self.placed.get_mut(call).unwrap_or_else(|| panic!("call {call} was never placed, or has its record"));
                assert!(own.replace(disposition.clone()).is_none(), "call {call} ends twice");
            }
            _ => {}
        }
    }

    fn close(&mut self, record: &CallRecord) {
        let call = record.call;
        if let Some(disposition) = self.placed.remove(&call) {
            assert!(self.closed.insert(call), "call {call} has a second record");
            assert_eq!(disposition.as_ref(), Some(&record.disposition), "how call {call} ended");
            return self.records.push(record.clone());
        }
        let open = self.open.remove(&call).unwrap_or_else(|| panic!("call {call} has a second record"));
        assert!(self.closed.insert(call), "call {call} has a second record");
        assert_eq!(open.disposition.as_ref(), Some(&record.disposition), "how call {call} ended");
        assert_eq!(open.arrived_at, record.arrived_at, "when call {call} came");
        let by_entry = |visits: &[VisitRecord]| {
            let mut visits = visits.to_vec();
            visits.sort_by_key(|visit| (visit.entered_at, visit.left_at, visit.queue));
            visits
        };
        assert_eq!(by_entry(&open.visits), by_entry(&record.visits), "the visits of call {call}");
        assert!(!self.offers.values().any(|made| made.call == call), "call {call} ends while it rings");
        self.records.push(record.clone());
        if record.disposition == Disposition::Answered {
            assert!(!record.segments.is_empty(), "call {call} is answered by nobody");
        }
    }

    /// A call whose end was said has its record by the end of that event.
    pub fn check(&self) {
        for (call, open) in &self.open {
            assert!(open.disposition.is_none(), "call {call} ended without its record");
        }
        assert!(self.placed.values().all(Option::is_none), "a placed call ended without its record");
    }

    pub fn finish(&self, figures: &Figures, now: Time) {
        crate::books::agree(figures, &self.records, now);
        assert!(self.placed.is_empty(), "placed calls without an end: {:?}", self.placed);
        assert!(self.open.is_empty(), "calls without an end: {:?}", self.open);
        assert!(self.offers.is_empty(), "offers without an end: {:?}", self.offers);
    }
}
