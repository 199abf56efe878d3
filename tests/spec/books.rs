//! The figures and the records are two accounts of one day: at its end they must agree to the last visit and the last microsecond.

use careline::acd::call::VisitOutcome;
use careline::acd::fact::OfferOutcome;
use careline::acd::{CallRecord, Figures, Placed};
use careline::model::{Language, QueueId, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// What can be counted of the visits to one queue in one language from either side.
#[derive(Clone, Debug, Default, PartialEq)]
struct Count {
    offered: u64,
    answered: u64,
    abandoned: [u64; 3],
    overflowed: u64,
    deflected: u64,
    failed: u64,
    withdrawn: u64,
    /// Σ (left − entered).
    time: Duration,
    /// Of the answered: Σ (bridged − entered).
    answer_wait: Duration,
}

fn by_records(records: &[CallRecord]) -> BTreeMap<(QueueId, Language), Count> {
    let mut counts: BTreeMap<(QueueId, Language), Count> = BTreeMap::new();
    for visit in records.iter().flat_map(|record| &record.visits) {
        let count = counts.entry((visit.queue, visit.language)).or_default();
        let time = visit.left_at.since(visit.entered_at);
        count.offered += 1;
        count.time += time;
        match visit.outcome {
            VisitOutcome::Answered => {
                count.answered += 1;
                count.answer_wait += time;
            }
            VisitOutcome::Abandoned(stage) => count.abandoned[stage as usize] += 1,
            VisitOutcome::Overflowed => count.overflowed += 1,
            VisitOutcome::Deflected(_) => count.deflected += 1,
            VisitOutcome::Failed => count.failed += 1,
            VisitOutcome::Withdrawn(_) => count.withdrawn += 1,
        }
    }
    counts
}

fn by_figures(figures: &Figures) -> BTreeMap<(QueueId, Language), Count> {
    let queues = figures.queues.iter().filter(|(_, queue)| queue.offered > 0);
    queues
        .map(|(key, queue)| {
            let count = Count {
                offered: queue.offered,
                answered: queue.answered,
                abandoned: queue.abandoned.map(|[long, short]| long + short),
                overflowed: queue.overflowed,
                deflected: queue.deflected.iter().sum(),
                failed: queue.failed,
                withdrawn: queue.withdrawn.iter().sum(),
                time: queue.visit_time,
                answer_wait: queue.wait[0].sum,
            };
            (*key, count)
        })
        .collect()
}

/// With nobody left in the centre.
pub fn agree(figures: &Figures, records: &[CallRecord], now: Time) {
    assert_eq!(by_figures(figures), by_records(records), "visits by the figures and by the records");
    for (key, queue) in &figures.queues {
        let (offered, accounted) = queue.conservation();
        assert_eq!(offered, accounted, "conservation in {key:?}");
        assert_eq!(queue.integral(now), queue.visit_time.as_micros(), "Little's law in {key:?}");
    }
    let (placed, records): (Vec<&CallRecord>, Vec<&CallRecord>) = records.iter().partition(|record| Placed::LABELS.contains(&&*record.did));
    let mut ended = BTreeMap::new();
    for record in &placed {
        *ended.entry((&*record.did, record.disposition.label())).or_insert(0) += 1;
    }
    let counted: BTreeMap<_, _> = figures.placed_ended.iter().map(|((kind, disposition), n)| ((*kind, *disposition), *n)).collect();
    assert_eq!(counted, ended, "placed calls by the figures and by the records");
    assert_eq!(figures.placed.values().sum::<u64>(), placed.len() as u64, "calls placed");
    let mut calls = BTreeMap::new();
    for record in &records {
        *calls.entry((record.did.clone(), record.disposition.label())).or_insert(0) += 1;
    }
    let counted: BTreeMap<_, _> = figures.calls.iter().filter(|(_, n)| **n > 0).map(|(key, n)| (key.clone(), *n)).collect();
    assert_eq!(counted, calls, "calls by the figures and by the records");
    assert_eq!((figures.calls_arrived, figures.calls_ended), (records.len() as u64, records.len() as u64), "calls arrived and ended");
    let mut offers: BTreeMap<QueueId, [u64; 9]> = BTreeMap::new();
    for visit in records.iter().flat_map(|record| &record.visits) {
        for offer in &visit.offers {
            let label = OfferOutcome::LABELS.iter().position(|label| *label == offer.outcome.label()).expect("a known label");
            offers.entry(visit.queue).or_default()[label] += 1;
        }
    }
    let counted: BTreeMap<QueueId, [u64; 9]> =
        figures.offers.iter().filter_map(|(queue, n)| Some(((*queue)?, *n))).filter(|(_, n)| n.iter().any(|n| *n > 0)).collect();
    assert_eq!(counted, offers, "offers by the figures and by the records");
}
