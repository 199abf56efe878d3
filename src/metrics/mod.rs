//! The centre's figures as Prometheus reads them.
//!
//! What is counted of calls, queues and agents comes from the core's own fold, [`Figures`], at each scrape: the series cannot disagree with
//! the API or the board. Edges count their own affairs here. One recorder a centre, none global: several centres run in one process.

mod centre;
mod process;
pub mod series;
mod text;

use crate::acd::invariants::RULES;
use crate::acd::{Config, Event, View};
use crate::model::Time;
use metrics::{Key, KeyName, Label as Tag, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use text::{Label, Timings};

const METADATA: Metadata = Metadata::new("careline", Level::INFO, None);

/// What the edges hold now, as the node sees them at a scrape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    pub core_inbox: u64,
    pub sip_transactions: u64,
    pub registrations: u64,
    pub media_sessions: u64,
    /// Sessions for which there are ports.
    pub media_room: u64,
    /// The centre takes no new calls.
    pub draining: bool,
    pub records_written: u64,
    pub records_doubled: u64,
    pub records_spooled: u64,
    pub records_lost: u64,
    pub journal_failures: u64,
    pub journal_lag: Duration,
    /// Requests that got a final answer: by method, class of the answer (2 to 6) and transport.
    pub sip_requests: Vec<(&'static str, u16, &'static str, u64)>,
    /// Each trunk, and whether it is up.
    pub trunks: Vec<(Arc<str>, bool)>,
    /// What the endpoint's guards counted, in the order of [`Edges::SIP_GUARDS`].
    pub sip_guards: [u64; 6],
    /// Calls turned away at the door: they have no record.
    pub calls_refused: u64,
    /// Calls for help that stations began.
    pub emergency_calls: u64,
    /// RTP packets of all sessions, open ones included.
    pub rtp_received: u64,
    pub rtp_sent: u64,
    pub rtp_strangers: u64,
    /// In the order of [`Edges::RECORDINGS`].
    pub recordings: [u64; 3],
}

impl Edges {
    pub const RECORDINGS: [&str; 3] = ["complete", "incomplete", "failed"];
    pub const SIP_GUARDS: [&str; 6] = ["forbidden", "challenged", "malformed", "overloaded", "timeouts", "retransmitted"];
}

/// What became of a reload.
const RELOADS: [&str; 2] = ["taken", "refused"];

/// Requests that every centre has, and the classes of their final answers.
const METHODS: [&str; 5] = ["INVITE", "BYE", "CANCEL", "REGISTER", "OPTIONS"];
const CLASSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "6xx"];

pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    core_handle: Timings<12>,
    /// How often each kind of event came: too often for the recorder, which makes a key of its labels each time.
    core_events: BTreeMap<&'static str, AtomicU64>,
    dispatch: Timings<13>,
    jitter: Timings<8>,
    round_trip: Timings<8>,
    /// A score of 4.2 counts as 4.2 s.
    scores: Timings<8>,
}

impl Metrics {
    /// A new recorder, on which all that `config` names stands at zero.
    pub fn new(config: &Config) -> Metrics {
        let recorder = PrometheusBuilder::new().build_recorder();
        for (name, help) in series::COUNTERS {
            recorder.describe_counter(KeyName::from(*name), None, (*help).into());
        }
        for (name, help) in series::GAUGES {
            recorder.describe_gauge(KeyName::from(*name), None, (*help).into());
        }
        let metrics = Metrics {
            handle: recorder.handle(),
            recorder,
            core_handle: Timings::new([1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000]),
            core_events: Event::NAMES.into_iter().map(|event| (event, AtomicU64::new(0))).collect(),
            dispatch: Timings::new([100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000]),
            jitter: Timings::new([1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 50_000, 100_000]),
            round_trip: Timings::new([1_000, 5_000, 10_000, 50_000, 100_000, 150_000, 300_000, 500_000]),
            scores: Timings::new([1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 3_800_000, 4_000_000, 4_300_000]),
        };
        metrics.gauge(series::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        metrics.gauge(series::LAST_RELOAD, &[], 1.0);
        metrics.centre(config, &View::default(), 0, &mut String::new());
        metrics.stand_at_zero();
        metrics
    }

    /// What is counted one by one, and may never be: a rate needs a zero to begin with.
    fn stand_at_zero(&self) {
        RULES.iter().for_each(|rule| self.add(series::VIOLATIONS, &[("rule", rule)], 0));
        RELOADS.iter().for_each(|outcome| self.add(series::RELOADS, &[("outcome", outcome)], 0));
        for event in Event::NAMES {
            self.add(series::LATE_EVENTS, &[("event", event)], 0);
        }
        for (method, class) in METHODS.iter().flat_map(|method| CLASSES.map(|class| (method, class))) {
            for transport in ["udp", "tcp"] {
                self.add(series::SIP_REQUESTS, &[("method", method), ("code_class", class), ("transport", transport)], 0);
            }
        }
        self.add(series::CORE_RECOVERIES, &[], 0);
        self.add(series::RTP_LOST, &[], 0);
    }

    /// The core took so long for one event, by `Event::name`.
    pub fn core_handled(&self, event: &'static str, took: Duration) {
        self.core_handle.observe(took);
        self.core_events[event].fetch_add(1, Ordering::Relaxed);
    }

    /// From the event that made an offer possible to its INVITE.
    pub fn dispatched(&self, took: Duration) {
        self.dispatch.observe(took);
    }

    /// The core failed at an event and was built again as it was before.
    pub fn recovered(&self) {
        self.add(series::CORE_RECOVERIES, &[], 1);
    }

    /// The core's state broke one of its rules.
    pub fn violation(&self, rule: &'static str) {
        self.add(series::VIOLATIONS, &[("rule", rule)], 1);
    }

    /// A configuration was taken, the first one too.
    pub fn configured(&self, now: Time) {
        self.gauge(series::CONFIGURED, &[], now.0 as f64 / 1e6);
    }

    /// Somebody asked for a reload: whether the configuration was taken.
    pub fn reloaded(&self, taken: bool, now: Time) {
        self.add(series::RELOADS, &[("outcome", RELOADS[usize::from(!taken)])], 1);
        self.gauge(series::LAST_RELOAD, &[], f64::from(u8::from(taken)));
        if taken {
            self.configured(now);
        }
    }

    /// A media session has ended: packets that it missed, if it received any, their jitter and the mean opinion score of their sound,
    /// and the round trip if its party reported.
    pub fn media_closed(&self, lost: u64, heard: Option<(Duration, f64)>, round_trip: Option<Duration>) {
        self.add(series::RTP_LOST, &[], lost);
        if let Some(round_trip) = round_trip {
            self.round_trip.observe(round_trip);
        }
        if let Some((jitter, score)) = heard {
            self.jitter.observe(jitter);
            self.scores.observe(Duration::from_secs_f64(score));
        }
    }

    /// Everything in Prometheus' text format, as it is at `now`. `view` is the core's newest.
    pub fn render(&self, config: &Config, view: &View, now: Time, edges: &Edges) -> String {
        let mut text = String::with_capacity(128 * 1024);
        self.centre(config, &View { at: view.at.max(now), ..view.clone() }, edges.calls_refused, &mut text);
        self.edges(edges);
        self.process(&mut text);
        for (event, count) in &self.core_events {
            self.counter(series::CORE_EVENTS, &[("event", event)], count.load(Ordering::Relaxed));
        }
        self.core_handle.write(&mut text, series::CORE_HANDLE);
        self.dispatch.write(&mut text, series::DISPATCH);
        self.jitter.write(&mut text, series::RTP_JITTER);
        self.round_trip.write(&mut text, series::RTP_ROUND_TRIP);
        self.scores.write(&mut text, series::MOS);
        text.push_str(&self.handle.render());
        text
    }

    fn edges(&self, edges: &Edges) {
        self.counter(series::EMERGENCY_CALLS, &[], edges.emergency_calls);
        self.gauge(series::CORE_INBOX, &[], edges.core_inbox as f64);
        self.gauge(series::SIP_TRANSACTIONS, &[], edges.sip_transactions as f64);
        self.gauge(series::REGISTRATIONS, &[], edges.registrations as f64);
        self.gauge(series::MEDIA_SESSIONS, &[], edges.media_sessions as f64);
        self.gauge(series::MEDIA_ROOM, &[], edges.media_room as f64);
        self.gauge(series::DRAINING, &[], f64::from(u8::from(edges.draining)));
        self.gauge(series::JOURNAL_LAG, &[], edges.journal_lag.as_secs_f64());
        self.counter(series::JOURNAL_FAILURES, &[], edges.journal_failures);
        self.gauge(series::SPOOL_RECORDS, &[], edges.records_spooled as f64);
        for (method, class, transport, requests) in &edges.sip_requests {
            let class = format!("{class}xx");
            self.counter(series::SIP_REQUESTS, &[("method", method), ("code_class", &class), ("transport", transport)], *requests);
        }
        for (name, up) in &edges.trunks {
            self.gauge(series::TRUNK_UP, &[("trunk", name)], f64::from(u8::from(*up)));
        }
        for (what, count) in Edges::SIP_GUARDS.into_iter().zip(edges.sip_guards) {
            self.counter(series::SIP_GUARD, &[("what", what)], count);
        }
        for (direction, packets) in [("in", edges.rtp_received), ("out", edges.rtp_sent)] {
            self.counter(series::RTP_PACKETS, &[("direction", direction)], packets);
        }
        self.counter(series::RTP_STRANGERS, &[], edges.rtp_strangers);
        for (outcome, recordings) in Edges::RECORDINGS.into_iter().zip(edges.recordings) {
            self.counter(series::RECORDINGS, &[("outcome", outcome)], recordings);
        }
        let outcomes = [("written", edges.records_written), ("doubled", edges.records_doubled), ("lost", edges.records_lost)];
        for (outcome, records) in outcomes {
            self.counter(series::RECORDS, &[("outcome", outcome)], records);
        }
    }

    fn add(&self, series: series::Series, labels: &[Label], more: u64) {
        self.recorder.register_counter(&key(series, labels), &METADATA).increment(more);
    }

    fn counter(&self, series: series::Series, labels: &[Label], total: u64) {
        self.recorder.register_counter(&key(series, labels), &METADATA).absolute(total);
    }

    fn gauge(&self, series: series::Series, labels: &[Label], value: f64) {
        self.recorder.register_gauge(&key(series, labels), &METADATA).set(value);
    }
}

fn key((name, _): series::Series, labels: &[Label]) -> Key {
    let tags: Vec<Tag> = labels.iter().map(|(label, value)| Tag::new(*label, value.to_string())).collect();
    Key::from_parts(name, tags)
}

#[cfg(test)]
mod tests;
