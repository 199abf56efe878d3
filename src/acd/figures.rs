//! The figures: a fold over the facts, one definition each (docs: figures.md).

use super::agent::{AgentState, NotReadyReason};
use super::call::{Deflection, Refusal, Segment, Stage, TransferKind, VisitOutcome, WithdrawWhy, Withdrawal};
use super::config::Config;
use super::fact::{Fact, OfferOutcome};
use super::window::{Ended, Recent, WindowSums};
use crate::ivr::{FlowName, StepName, StepOutcome};
use crate::model::{Language, QueueId, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Everything that is counted. Equal lists of facts give equal figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub queues: BTreeMap<(QueueId, Language), QueueFigures>,
    /// By queue (`None`: offered to an agent directly), in the order of [`OfferOutcome::LABELS`].
    pub offers: BTreeMap<Option<QueueId>, [u64; 9]>,
    /// By queue, kind and whether it was done.
    pub transfers: BTreeMap<(Option<QueueId>, &'static str, bool), u64>,
    /// Closed calls, by the number dialled and the disposition's label.
    pub calls: BTreeMap<(Arc<str>, &'static str), u64>,
    pub calls_arrived: u64,
    pub calls_ended: u64,
    /// Calls that agents placed, by kind, and those of them that ended, by kind and disposition.
    pub placed: BTreeMap<&'static str, u64>,
    pub placed_ended: BTreeMap<(&'static str, &'static str), u64>,
    pub flow_steps: BTreeMap<(FlowName, StepName, StepOutcome), u64>,
    /// In the order of [`Figures::STATES`].
    pub agents: [StateTime; 14],
    /// Time that agents spent being rung by offers which neither were accepted nor rang out: not occupied.
    pub ring_uncounted: Duration,
    /// Events that came too late to matter, by name.
    pub obsolete: BTreeMap<&'static str, u64>,
    /// What each queue was last called, and every number that was ever ours: what was counted outlives its configuration.
    pub names: BTreeMap<QueueId, Arc<str>>,
    pub numbers: BTreeSet<Arc<str>>,
    /// Facts folded so far.
    pub facts: u64,
    pub targets: BTreeMap<QueueId, Targets>,
    pub recent: Recent,
}

/// Thresholds of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    pub service_level: Duration,
    pub short: Duration,
}

/// One queue in one language, since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueFigures {
    pub offered: u64,
    pub answered: u64,
    /// By the stage at which the caller left, then: not short, short.
    pub abandoned: [[u64; 2]; 3],
    pub overflowed: u64,
    /// To a callback, to voicemail.
    pub deflected: [u64; 2],
    pub failed: u64,
    /// Elsewhere, moved.
    pub withdrawn: [u64; 2],
    pub answered_in_target: u64,
    pub abandoned_in_target: u64,
    pub waiting: u64,
    pub ringing: u64,
    pub connecting: u64,
    /// In the order of [`Figures::WAIT_OUTCOMES`].
    pub wait: [Histogram; 6],
    /// Of the answered: arrival in the centre to the bridge.
    pub wait_from_arrival: Duration,
    pub handle: Histogram,
    pub talk: Histogram,
    pub hold: Histogram,
    pub wrap_up: Histogram,
    pub transferred: u64,
    /// Σ (left − entered) over the visits that ended.
    pub visit_time: Duration,
    /// ∫ (waiting + ringing + connecting) dt, up to `integral_to`.
    pub integral_us: u128,
    pub integral_to: Time,
    /// Over visits that ended in the last 5 minutes, 30 minutes and since midnight; current as of `View::at`.
    pub windows: [WindowSums; 3],
}

/// Counts by bucket, and their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Not cumulative; the last is above every bound.
    pub buckets: [u64; 17],
    pub count: u64,
    pub sum: Duration,
}

impl Histogram {
    /// Upper bounds in seconds, inclusive.
    pub const BOUNDS: [u64; 16] = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800];

    pub fn observe(&mut self, span: Duration) {
        let bucket = Self::BOUNDS.iter().position(|s| span <= Duration::from_secs(*s)).unwrap_or(16);
        self.buckets[bucket] += 1;
        self.count += 1;
        self.sum += span;
    }
}

/// Time in one state: what has ended, and what is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateTime {
    pub agents: u64,
    /// Σ of the times at which those agents entered, in µs.
    pub entered_us: u128,
    pub ended: Duration,
}

impl StateTime {
    /// All of it up to `now`.
    pub fn total(&self, now: Time) -> Duration {
        let open = (u128::from(self.agents) * u128::from(now.0)).saturating_sub(self.entered_us);
        self.ended + Duration::from_micros(u64::try_from(open).unwrap_or(u64::MAX))
    }
}

impl QueueFigures {
    pub fn abandoned_all(&self) -> u64 {
        self.abandoned.iter().flatten().sum()
    }
    pub fn abandoned_short(&self) -> u64 {
        self.abandoned.iter().map(|by_short| by_short[1]).sum()
    }
    /// The left side and the right side of the identity.
    pub fn conservation(&self) -> (u64, u64) {
        let ended = self.answered
            + self.abandoned_all()
            + self.overflowed
            + self.deflected[0]
            + self.deflected[1]
            + self.failed
            + self.withdrawn[0];
        (self.offered, ended + self.withdrawn[1] + self.waiting + self.ringing + self.connecting)
    }
    /// All visits that have ended since the start, as one window.
    pub fn since_the_start(&self) -> WindowSums {
        WindowSums {
            ended: self.offered - self.open(),
            answered: self.answered,
            answered_in_target: self.answered_in_target,
            answered_wait: self.wait[0].sum,
            abandoned: self.abandoned_all(),
            abandoned_short: self.abandoned_short(),
            abandoned_in_target: self.abandoned_in_target,
            withdrawn: self.withdrawn.iter().sum(),
        }
    }
    fn open(&self) -> u64 {
        self.waiting + self.ringing + self.connecting
    }
    /// ∫ open visits dt, up to `now`.
    pub fn integral(&self, now: Time) -> u128 {
        self.integral_us + u128::from(self.open()) * now.since(self.integral_to).as_micros()
    }
    fn advance(&mut self, at: Time) {
        self.integral_us = self.integral(at);
        self.integral_to = at;
    }
    fn stage(&mut self, stage: Stage) -> &mut u64 {
        match stage {
            Stage::Waiting => &mut self.waiting,
            Stage::Ringing => &mut self.ringing,
            Stage::Connecting => &mut self.connecting,
        }
    }
}

impl Figures {
    /// State and reason, as in `agent_state_seconds_total`; those who are logged out accrue nothing.
    pub const STATES: [(&'static str, &'static str); 14] = [
        ("ready", ""),
        ("offered", ""),
        ("connecting", ""),
        ("talking", ""),
        ("wrap_up", ""),
        ("own_call", ""),
        ("not_ready", "logged_in"),
        ("not_ready", "break"),
        ("not_ready", "meal"),
        ("not_ready", "training"),
        ("not_ready", "other"),
        ("not_ready", "ring_no_answer"),
        ("not_ready", "station_lost"),
        ("not_ready", "code"),
    ];
    pub const WAIT_OUTCOMES: [&'static str; 6] = ["answered", "abandoned", "overflowed", "deflected", "failed", "withdrawn"];
    /// What [`transfer_label`] says.
    pub const TRANSFER_KINDS: [&'static str; 5] = ["blind", "consult", "complete", "cancel", "join"];
    /// The label `window`.
    pub const WINDOWS: [&'static str; 3] = ["5m", "30m", "day"];

    /// All that is configured, at zero.
    pub fn new(config: &Config) -> Figures {
        let mut figures = Figures::default();
        figures.configure(config);
        figures
    }

    /// Takes new queues, languages and thresholds; nothing counted is lost.
    pub fn configure(&mut self, config: &Config) {
        self.numbers.extend(config.numbers.keys().cloned());
        for (id, queue) in &config.queues {
            self.names.insert(*id, queue.name.clone());
            for language in config.languages.keys() {
                self.queues.entry((*id, *language)).or_default();
            }
            self.offers.entry(Some(*id)).or_default();
            self.targets.insert(*id, Targets { service_level: queue.service_level, short: queue.short_abandon });
        }
        self.recent.midnights(&config.rules.midnights);
    }

    /// Folds one fact, true since `at`.
    pub fn apply(&mut self, at: Time, fact: &Fact) {
        self.facts += 1;
        match fact {
            Fact::CallArrived { .. } => self.calls_arrived += 1,
            Fact::CallEnded { did, disposition, .. } => {
                self.calls_ended += 1;
                assert!(self.calls_ended <= self.calls_arrived, "a call ended that never arrived");
                *self.calls.entry((did.clone(), disposition.label())).or_default() += 1;
            }
            Fact::CallPlaced { kind, .. } => *self.placed.entry(kind.label()).or_default() += 1,
            Fact::PlacedEnded { kind, disposition, .. } => {
                *self.placed_ended.entry((kind.label(), disposition.label())).or_default() += 1;
            }
            Fact::FlowStep { flow, step, outcome } => *self.flow_steps.entry((flow.clone(), step.clone(), *outcome)).or_default() += 1,
            Fact::VisitEntered { queue, language, .. } => {
                let figures = self.queue(*queue, *language);
                figures.advance(at);
                figures.offered += 1;
                figures.waiting += 1;
            }
            Fact::VisitStage { queue, language, from, to, .. } => {
                let figures = self.queue(*queue, *language);
                assert!(*figures.stage(*from) > 0, "a visit left a stage in which nobody was");
                *figures.stage(*from) -= 1;
                *figures.stage(*to) += 1;
            }
            Fact::VisitEnded { queue, language, stage, outcome, entered_at, arrived_at, .. } => {
                self.visit_ended(at, (*queue, *language), *stage, *outcome, *entered_at, *arrived_at);
            }
            Fact::OfferEnded { queue, outcome, rung_at, accepted_at, .. } => {
                let index = offer_index(*outcome);
                debug_assert_eq!(OfferOutcome::LABELS[index], outcome.label(), "one order of outcomes");
                self.offers.entry(*queue).or_default()[index] += 1;
                if accepted_at.is_none() && index != 0 && index != 2 {
                    self.ring_uncounted += at.since(*rung_at);
                }
            }
            Fact::Agent { from, to, since, .. } => self.agent_changed(at, *from, *to, *since),
            Fact::SegmentEnded { language, segment, .. } => self.segment_ended(*language, segment),
            Fact::Transferred { queue, kind, done } => *self.transfers.entry((*queue, transfer_label(*kind), *done)).or_default() += 1,
            Fact::Obsolete { event } => *self.obsolete.entry(event).or_default() += 1,
            Fact::VisitRanked { .. } | Fact::OfferMade { .. } | Fact::Held { .. } => {}
        }
    }

    /// A copy in which the windows have slid to `now` and which carries no history.
    pub fn snapshot(&self, now: Time) -> Figures {
        let mut copy = self.clone_counters();
        for (key, sums) in self.recent.sums(now) {
            copy.queues.entry(key).or_default().windows = sums;
        }
        copy
    }

    /// Share of staffed time that was spent on calls, agents' own among them, or `None` if nobody was staffed.
    pub fn occupancy(&self, now: Time) -> Option<f64> {
        let all: Vec<Duration> = self.agents.iter().map(|state| state.total(now)).collect();
        let busy = all[1..=5].iter().sum::<Duration>().saturating_sub(self.ring_uncounted);
        let staffed: Duration = all[..=5].iter().sum();
        (staffed > Duration::ZERO).then(|| busy.as_secs_f64() / staffed.as_secs_f64())
    }

    fn clone_counters(&self) -> Figures {
        Figures {
            queues: self.queues.clone(),
            offers: self.offers.clone(),
            transfers: self.transfers.clone(),
            calls: self.calls.clone(),
            calls_arrived: self.calls_arrived,
            calls_ended: self.calls_ended,
            placed: self.placed.clone(),
            placed_ended: self.placed_ended.clone(),
            flow_steps: self.flow_steps.clone(),
            agents: self.agents,
            ring_uncounted: self.ring_uncounted,
            obsolete: self.obsolete.clone(),
            names: self.names.clone(),
            numbers: self.numbers.clone(),
            facts: self.facts,
            targets: self.targets.clone(),
            recent: Recent::default(),
        }
    }

    fn queue(&mut self, queue: QueueId, language: Language) -> &mut QueueFigures {
        self.queues.entry((queue, language)).or_default()
    }

    fn visit_ended(&mut self, at: Time, key: (QueueId, Language), stage: Stage, outcome: VisitOutcome, entered: Time, arrived: Time) {
        let wait = at.since(entered);
        let targets = self.targets.get(&key.0).copied();
        let in_target = targets.is_some_and(|t| wait <= t.service_level);
        let short = targets.is_some_and(|t| wait <= t.short);
        let figures = self.queues.entry(key).or_default();
        assert!(*figures.stage(stage) > 0, "a visit ended at a stage in which nobody was");
        figures.advance(at);
        *figures.stage(stage) -= 1;
        figures.visit_time += wait;
        figures.wait[outcome_index(outcome)].observe(wait);
        match outcome {
            VisitOutcome::Answered => {
                figures.answered += 1;
                figures.answered_in_target += u64::from(in_target);
                figures.wait_from_arrival += at.since(arrived);
            }
            VisitOutcome::Abandoned(stage) => {
                figures.abandoned[stage as usize][usize::from(short)] += 1;
                figures.abandoned_in_target += u64::from(in_target);
            }
            VisitOutcome::Overflowed => figures.overflowed += 1,
            VisitOutcome::Deflected(Deflection::Callback) => figures.deflected[0] += 1,
            VisitOutcome::Deflected(Deflection::Voicemail) => figures.deflected[1] += 1,
            VisitOutcome::Failed => figures.failed += 1,
            VisitOutcome::Withdrawn(Withdrawal::Elsewhere) => figures.withdrawn[0] += 1,
            VisitOutcome::Withdrawn(Withdrawal::Moved) => figures.withdrawn[1] += 1,
        }
        self.recent.ended(at, Ended { key, outcome: outcome_index(outcome) as u8, wait, in_target, short });
    }

    fn agent_changed(&mut self, at: Time, from: AgentState, to: AgentState, since: Time) {
        if let Some(index) = state_index(from) {
            let state = &mut self.agents[index];
            assert!(state.agents > 0, "an agent left a state in which nobody was");
            state.agents -= 1;
            state.entered_us -= u128::from(since.0);
            state.ended += at.since(since);
        }
        if let Some(index) = state_index(to) {
            self.agents[index].agents += 1;
            self.agents[index].entered_us += u128::from(at.0);
        }
    }

    fn segment_ended(&mut self, language: Language, segment: &Segment) {
        let Some(queue) = segment.queue else { return };
        let to = segment.to.expect("a segment that is booked has ended");
        let wrap_up = segment.wrap_up.unwrap_or_default();
        let on_line = to.since(segment.from);
        assert!(segment.held <= on_line, "held longer than connected");
        let figures = self.queue(queue, language);
        figures.handle.observe(on_line + wrap_up);
        figures.talk.observe(on_line - segment.held);
        figures.hold.observe(segment.held);
        figures.wrap_up.observe(wrap_up);
        figures.transferred += u64::from(segment.transferred);
    }
}

fn transfer_label(kind: TransferKind) -> &'static str {
    match kind {
        TransferKind::Blind => "blind",
        TransferKind::Consult => "consult",
        TransferKind::Complete => "complete",
        TransferKind::Cancel => "cancel",
        TransferKind::Join => "join",
    }
}

/// Where an outcome stands in [`OfferOutcome::LABELS`].
fn offer_index(outcome: OfferOutcome) -> usize {
    match outcome {
        OfferOutcome::Accepted => 0,
        OfferOutcome::Refused(Refusal::Declined) => 1,
        OfferOutcome::Refused(Refusal::NoAnswer) | OfferOutcome::Withdrawn(WithdrawWhy::NoAnswer) => 2,
        OfferOutcome::Refused(Refusal::Busy) => 3,
        OfferOutcome::Refused(Refusal::Unreachable) => 4,
        OfferOutcome::Withdrawn(WithdrawWhy::AnsweredElsewhere) => 5,
        OfferOutcome::Withdrawn(WithdrawWhy::CallerLeft) => 6,
        OfferOutcome::Withdrawn(WithdrawWhy::Moved) => 7,
        OfferOutcome::Withdrawn(WithdrawWhy::Shortage) => 8,
    }
}

fn outcome_index(outcome: VisitOutcome) -> usize {
    match outcome {
        VisitOutcome::Answered => 0,
        VisitOutcome::Abandoned(_) => 1,
        VisitOutcome::Overflowed => 2,
        VisitOutcome::Deflected(_) => 3,
        VisitOutcome::Failed => 4,
        VisitOutcome::Withdrawn(_) => 5,
    }
}

/// Where a state stands in [`Figures::STATES`]; `None`: logged out.
pub fn state_index(state: AgentState) -> Option<usize> {
    match state {
        AgentState::LoggedOut => None,
        AgentState::Ready => Some(0),
        AgentState::Offered(_) => Some(1),
        AgentState::Connecting(_) => Some(2),
        AgentState::Talking(_) => Some(3),
        AgentState::WrapUp { .. } => Some(4),
        AgentState::OwnCall => Some(5),
        AgentState::NotReady(reason) => Some(match reason {
            NotReadyReason::LoggedIn => 6,
            NotReadyReason::Break => 7,
            NotReadyReason::Meal => 8,
            NotReadyReason::Training => 9,
            NotReadyReason::Other => 10,
            NotReadyReason::RingNoAnswer => 11,
            NotReadyReason::StationLost => 12,
            NotReadyReason::Code(_) => 13,
        }),
    }
}
