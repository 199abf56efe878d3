//! Where what happened goes: the figures' series, the records and the log.

use crate::acd::{CallRecord, Config, Fact};
use crate::media;
use crate::metrics::Metrics;
use crate::store::{self, Sounds, Store};
use std::sync::Arc;
use std::time::Duration;

pub struct Sinks {
    store: Store,
    metrics: Arc<Metrics>,
}

impl Sinks {
    pub fn new(store: Store, metrics: Arc<Metrics>) -> Sinks {
        Sinks { store, metrics }
    }

    /// After a reload: what queues are called.
    pub fn rename(&mut self, config: &Config) {
        self.store.rename(config);
    }

    /// For the person on call: what happened to calls, never who called.
    pub fn note(&self, fact: &Fact) {
        match fact {
            Fact::CallEnded { call, disposition, .. } => tracing::info!(%call, disposition = disposition.label(), "call ended"),
            Fact::OfferEnded { call, agent, outcome, .. } => tracing::debug!(%call, %agent, outcome = outcome.label(), "offer ended"),
            Fact::Agent { agent, to, .. } => tracing::debug!(%agent, state = to.label(), "agent"),
            Fact::Obsolete { event } => tracing::debug!(event, "came too late"),
            _ => {}
        }
    }

    pub fn close(&self, record: &CallRecord, sounds: Sounds) {
        self.store.write_with(record, sounds);
    }

    pub fn handled(&self, event: &'static str, took: Duration) {
        self.metrics.core_handled(event, took);
    }

    /// The core has failed, and was built again.
    pub fn recovered(&self) {
        self.metrics.recovered();
    }

    /// Whether every record so far is on disk.
    pub fn is_settled(&self) -> bool {
        self.store.is_settled()
    }

    pub fn violated(&self, rule: &'static str) {
        self.metrics.violation(rule);
    }

    /// From the event that freed an agent, or brought a call, to the INVITE.
    pub fn dispatched(&self, took: Duration) {
        self.metrics.dispatched(took);
    }

    pub fn media_closed(&self, stats: &media::Stats) {
        self.metrics.media_closed(stats.lost, stats.mos().map(|score| (stats.jitter, score)), stats.round_trip);
    }

    pub fn status(&self) -> store::Status {
        self.store.status()
    }

    /// Waits until every record is written.
    pub fn finish(self) {
        let status = self.store.close();
        if status.lost > 0 || status.spooled > 0 {
            tracing::error!(?status, "records are not in the database");
        }
    }
}
