//! The series of calls, queues and agents: read off the core's figures.

use super::Metrics;
use super::series::{self, Series};
use super::text::{self, Label};
use crate::acd::agent::AgentState;
use crate::acd::call::Disposition;
use crate::acd::fact::OfferOutcome;
use crate::acd::figures::{Histogram, QueueFigures};
use crate::acd::window::WindowSums;
use crate::acd::{Config, Figures, Placed, View};
use crate::ivr::{FlowName, StepName, StepOutcome};
use crate::model::{Language, QueueId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The label `short`, in the order of `QueueFigures::abandoned`.
const SHORT: [&str; 2] = ["false", "true"];
const STAGES: [&str; 3] = ["waiting", "ringing", "connecting"];

impl Metrics {
    /// Sets every series of the centre to what `view` says, as of `view.at`; what the recorder cannot hold is written to `text`.
    /// `refused` are the calls that were turned away before the core heard of them.
    pub(super) fn centre(&self, config: &Config, view: &View, refused: u64, text: &mut String) {
        let figures = &view.figures;
        self.calls(config, view, refused);
        let queues = queues(config, figures);
        for (queue, language, figures) in &queues {
            self.visits(&[("queue", queue), ("language", language.as_str())], figures);
        }
        self.queues(config, view);
        self.offers(config, figures);
        self.flow_steps(config, figures);
        for (event, count) in &figures.obsolete {
            self.counter(series::LATE_EVENTS, &[("event", event)], *count);
        }
        write_histograms(&queues, text);
        write_agent_state_time(view, text);
    }

    fn calls(&self, config: &Config, view: &View, refused: u64) {
        let ours = &view.figures.numbers;
        let dids = config.numbers.keys().chain(ours).map(|did| &**did).chain(["other"]);
        let mut calls: BTreeMap<(&str, &str), u64> =
            dids.flat_map(|did| Disposition::LABELS.map(|disposition| ((did, disposition), 0))).collect();
        for ((did, disposition), count) in &view.figures.calls {
            let did = if ours.contains(did) { did } else { "other" };
            *calls.entry((did, disposition)).or_default() += count;
        }
        *calls.entry(("other", "refused")).or_default() += refused;
        for ((did, disposition), count) in calls {
            self.counter(series::CALLS, &[("did", did), ("disposition", disposition)], count);
        }
        for (kind, disposition) in Placed::LABELS.iter().flat_map(|kind| Disposition::LABELS_PLACED.map(|disposition| (*kind, disposition)))
        {
            let count = view.figures.placed_ended.get(&(kind, disposition)).copied().unwrap_or_default();
            self.counter(series::CALLS_PLACED, &[("kind", kind), ("disposition", disposition)], count);
        }
        self.gauge(series::CALLS_MAX, &[], f64::from(config.rules.calls_max));
        let states = [("flow", view.in_flow), ("queue", view.in_queue), ("talking", view.talking), ("wrap_up", view.wrapping)];
        for (state, calls) in states.into_iter().chain([("placed", view.placed)]) {
            self.gauge(series::CALLS_IN_PROGRESS, &[("state", state)], calls as f64);
        }
    }

    fn visits(&self, labels: &[Label; 2], figures: &QueueFigures) {
        let [queue, language] = *labels;
        for (series, count) in [
            (series::VISITS_OFFERED, figures.offered),
            (series::VISITS_ANSWERED, figures.answered),
            (series::VISITS_OVERFLOWED, figures.overflowed),
            (series::VISITS_FAILED, figures.failed),
            (series::VISITS_IN_TARGET, figures.answered_in_target),
        ] {
            self.counter(series, labels, count);
        }
        for (phase, by_short) in STAGES.into_iter().zip(figures.abandoned) {
            for (short, count) in SHORT.into_iter().zip(by_short) {
                self.counter(series::VISITS_ABANDONED, &[queue, language, ("phase", phase), ("short", short)], count);
            }
        }
        for (to, count) in ["callback", "voicemail"].into_iter().zip(figures.deflected) {
            self.counter(series::VISITS_DEFLECTED, &[queue, language, ("to", to)], count);
        }
        for (why, count) in ["elsewhere", "moved"].into_iter().zip(figures.withdrawn) {
            self.counter(series::VISITS_WITHDRAWN, &[queue, language, ("why", why)], count);
        }
        self.gauge(series::VISITS_WAITING, labels, figures.waiting as f64);
        self.gauge(series::VISITS_RINGING, labels, figures.ringing as f64);
        self.gauge(series::VISITS_CONNECTING, labels, figures.connecting as f64);
    }

    fn queues(&self, config: &Config, view: &View) {
        // A queue that is gone has nobody in it: its gauges must say so.
        for (id, name) in names(config, &view.figures) {
            let label = ("queue", &*name);
            let state = view.queues.get(&id).cloned().unwrap_or_default();
            let longest = state.longest_since.map_or(0.0, |since| view.at.since(since).as_secs_f64());
            self.gauge(series::LONGEST_WAIT, &[label], longest);
            for (name, agents) in AgentState::LABELS.into_iter().zip(state.agents) {
                self.gauge(series::AGENTS, &[label, ("state", name)], agents as f64);
            }
            for (index, window) in Figures::WINDOWS.into_iter().enumerate() {
                let of_queue = view.figures.queues.iter().filter(|((queue, _), _)| *queue == id);
                let sums = of_queue.fold(WindowSums::default(), |sums, (_, figures)| sum(&sums, &figures.windows[index]));
                self.window(label, ("window", window), &sums);
            }
        }
    }

    fn window(&self, queue: Label, window: Label, sums: &WindowSums) {
        let value = |ratio: Option<f64>| ratio.unwrap_or(f64::NAN);
        self.gauge(series::SPEED_OF_ANSWER, &[queue, window], value(sums.speed_of_answer()));
        self.gauge(series::ABANDONMENT, &[queue, window], value(sums.abandonment()));
        for (definition, ratio) in [
            ("default", sums.service_level()),
            ("of_answered", sums.service_level_of_answered()),
            ("with_abandoned", sums.service_level_with_abandoned()),
            ("of_offered", sums.service_level_of_offered()),
        ] {
            self.gauge(series::SERVICE_LEVEL, &[queue, window, ("definition", definition)], value(ratio));
        }
    }

    fn offers(&self, config: &Config, figures: &Figures) {
        let names = names(config, figures);
        let mut offers: BTreeMap<Option<QueueId>, [u64; 9]> = config.queues.keys().map(|id| (Some(*id), [0; 9])).collect();
        offers.extend(figures.offers.iter());
        for (queue, counts) in offers {
            let queue = queue.map_or(String::new(), |id| queue_name(&names, id));
            for (outcome, count) in OfferOutcome::LABELS.into_iter().zip(counts) {
                self.counter(series::OFFERS, &[("queue", &queue), ("outcome", outcome)], count);
            }
        }
        let configured = config.queues.keys().flat_map(|id| Figures::TRANSFER_KINDS.map(|kind| (*id, kind)));
        let zero = configured.flat_map(|(id, kind)| [true, false].map(|done| ((Some(id), kind, done), 0)));
        let mut transfers: BTreeMap<(Option<QueueId>, &str, bool), u64> = zero.collect();
        transfers.extend(&figures.transfers);
        for ((queue, kind, done), count) in transfers {
            let queue = queue.map_or(String::new(), |id| queue_name(&names, id));
            let outcome = if done { "done" } else { "failed" };
            self.counter(series::TRANSFERS, &[("queue", &queue), ("kind", kind), ("outcome", outcome)], count);
        }
    }

    fn flow_steps(&self, config: &Config, figures: &Figures) {
        let configured = config.flows.iter().flat_map(|(flow, own)| own.steps.keys().map(move |step| (flow.clone(), step.clone())));
        let mut steps: BTreeMap<(FlowName, StepName, StepOutcome), u64> =
            configured.flat_map(|(flow, step)| StepOutcome::ALL.map(|outcome| ((flow.clone(), step.clone(), outcome), 0))).collect();
        steps.extend(figures.flow_steps.iter().map(|(key, count)| (key.clone(), *count)));
        for ((flow, step, outcome), count) in steps {
            self.counter(series::FLOW_STEPS, &[("flow", &flow), ("step", &step), ("outcome", outcome.label())], count);
        }
    }
}

/// Every configured queue in every language at zero, and whatever was counted: names and figures.
fn queues(config: &Config, figures: &Figures) -> Vec<(String, Language, QueueFigures)> {
    let zero = config.queues.keys().flat_map(|id| config.languages.keys().map(|language| (*id, *language)));
    let mut queues: BTreeMap<(QueueId, Language), QueueFigures> = zero.map(|key| (key, QueueFigures::default())).collect();
    queues.extend(figures.queues.iter().map(|(key, figures)| (*key, figures.clone())));
    let names = names(config, figures);
    queues.into_iter().map(|((id, language), figures)| (queue_name(&names, id), language, figures)).collect()
}

/// What every queue is called that is, or was, in the configuration.
fn names(config: &Config, figures: &Figures) -> BTreeMap<QueueId, Arc<str>> {
    let mut names = figures.names.clone();
    names.extend(config.queues.iter().map(|(id, queue)| (*id, queue.name.clone())));
    names
}

fn queue_name(names: &BTreeMap<QueueId, Arc<str>>, id: QueueId) -> String {
    names.get(&id).map_or_else(|| format!("queue-{id}"), ToString::to_string)
}

fn sum(one: &WindowSums, other: &WindowSums) -> WindowSums {
    WindowSums {
        ended: one.ended + other.ended,
        answered: one.answered + other.answered,
        answered_in_target: one.answered_in_target + other.answered_in_target,
        answered_wait: one.answered_wait + other.answered_wait,
        abandoned: one.abandoned + other.abandoned,
        abandoned_short: one.abandoned_short + other.abandoned_short,
        abandoned_in_target: one.abandoned_in_target + other.abandoned_in_target,
        withdrawn: one.withdrawn + other.withdrawn,
    }
}

fn write_histograms(queues: &[(String, Language, QueueFigures)], text: &mut String) {
    let write = |text: &mut String, series: Series, labels: &[Label], histogram: &Histogram| {
        let bounds = Histogram::BOUNDS.iter().map(|bound| *bound as f64);
        text::histogram(text, series.0, labels, bounds, &histogram.buckets, histogram.sum);
    };
    text::open(text, series::WAIT, "histogram");
    for (queue, language, figures) in queues {
        for (outcome, histogram) in Figures::WAIT_OUTCOMES.into_iter().zip(&figures.wait) {
            write(text, series::WAIT, &[("queue", queue), ("language", language.as_str()), ("outcome", outcome)], histogram);
        }
    }
    type Part = fn(&QueueFigures) -> &Histogram;
    let parts: [(Series, Part); 4] = [
        (series::HANDLE, |figures| &figures.handle),
        (series::TALK, |figures| &figures.talk),
        (series::HOLD, |figures| &figures.hold),
        (series::WRAP_UP, |figures| &figures.wrap_up),
    ];
    for (series, part) in parts {
        text::open(text, series, "histogram");
        for (queue, language, figures) in queues {
            write(text, series, &[("queue", queue), ("language", language.as_str())], part(figures));
        }
    }
}

/// The recorder's counters are whole numbers: these are seconds.
fn write_agent_state_time(view: &View, text: &mut String) {
    text::open(text, series::AGENT_STATE_TIME, "counter");
    for ((state, reason), time) in Figures::STATES.into_iter().zip(&view.figures.agents) {
        text::sample(text, series::AGENT_STATE_TIME.0, &[("state", state), ("reason", reason)], time.total(view.at).as_secs_f64());
    }
}
