//! Whether the records tell the story that the clients lived, call by call and offer by offer.
//!
//! Clocks are one machine's, so order is judged by cause: what a client sent happened before the server acted on it, what it received
//! after. Where two messages crossed, each side saw its own first, and either order is true; those are counted as crossings. Everything
//! else that does not fit is a difference.

mod calls;
#[cfg(test)]
pub(super) mod example;
mod offers;
mod verdict;

pub use verdict::Verdict;

use super::ledger::{CallerEntry, Ledger};
use crate::store::StoredCall;
use std::collections::{BTreeMap, BTreeSet};
use verdict::steps;

/// Holds the clients' `ledger` against the server's `records` of the same time. `agents` are those whom the ledger knows.
pub fn compare(ledger: &Ledger, records: &[StoredCall], agents: &[u64]) -> Verdict {
    let mut verdict = Verdict { calls: records.len(), ..Verdict::default() };
    let agents: BTreeSet<u64> = agents.iter().copied().collect();
    let mut by_number: BTreeMap<&str, (Vec<&CallerEntry>, Vec<&StoredCall>)> = BTreeMap::new();
    for caller in &ledger.callers {
        by_number.entry(&caller.from).or_default().0.push(caller);
    }
    for record in records {
        count(&mut verdict, record);
        match by_number.get_mut(record.from.0.as_str()) {
            Some((_, kept)) => kept.push(record),
            None if is_invented(&record.from.0) => {
                verdict.differences.push(format!("call {}: a record from {}, who never dialled", record.call, record.from.0));
            }
            None => verdict.guests += 1,
        }
    }
    let mut callers = BTreeMap::new();
    for (from, (dialled, kept)) in by_number {
        if dialled.len() != kept.len() {
            let told: Vec<String> = dialled.iter().map(|caller| steps(&caller.steps)).collect();
            let ids: Vec<u64> = kept.iter().map(|record| record.call).collect();
            verdict.differences.push(format!(
                "{from}: {} calls dialled, {} records kept | caller: {} | records: {ids:?}",
                dialled.len(),
                kept.len(),
                told.join("; ")
            ));
            continue;
        }
        for (caller, record) in dialled.into_iter().zip(kept) {
            callers.insert(record.call, caller);
            calls::judge(&calls::Pair { caller, record }, &agents, &mut verdict);
        }
    }
    offers::judge(&ledger.offers, records, &agents, &callers, &mut verdict);
    if ledger.unreadable > 0 {
        let line = format!("{} messages to the clients cannot be read by rsip or fit nothing that they did", ledger.unreadable);
        verdict.differences.push(line);
    }
    verdict
}

fn count(verdict: &mut Verdict, record: &StoredCall) {
    let answered = record.disposition == "answered";
    let spanish = record.language == "es";
    verdict.answered += usize::from(answered);
    verdict.abandoned += usize::from(record.disposition == "abandoned");
    verdict.spanish += usize::from(spanish);
    verdict.spanish_answered += usize::from(spanish && answered);
}

/// One of `plan::caller_number`.
fn is_invented(number: &str) -> bool {
    number.len() == 12 && number.starts_with("+1") && &number[5..10] == "55501"
}

#[cfg(test)]
mod tests;
