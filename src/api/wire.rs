//! The API's own JSON types. A field is added, never renamed: programs outside rely on them.

use super::{Explanation, Reloaded};
use crate::acd::agent::{self, AgentState, NextState};
use crate::acd::call::Stage;
use crate::acd::figures::QueueFigures;
use crate::acd::view::{AgentView, QueueView, WaitingView};
use crate::acd::{Config, View};
use crate::model::{Class, QueueId, Time};
use serde::{Deserialize, Serialize};

/// The centre at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Centre {
    /// RFC 3339, UTC.
    pub at: String,
    pub calls: Calls,
    pub queues: Vec<Queue>,
    pub agents: Vec<Agent>,
}

/// Calls in the centre, by what they are in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    pub flow: u64,
    pub queue: u64,
    pub talking: u64,
    pub wrap_up: u64,
    /// By stations: outward, emergencies, codes of the house.
    #[serde(default)]
    pub placed: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    pub name: String,
    /// Waiting, ringing and connecting.
    pub open: u64,
    pub longest_wait_seconds: f64,
    pub agents_ready: u64,
    /// The first fifty by rank.
    pub first: Vec<Waiting>,
    /// By language of the caller.
    #[serde(default)]
    pub figures: Vec<Figures>,
}

/// One queue in one language, since the start: the same counts as the series of `/metrics`, by the same definitions. What has nothing
/// under it is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub language: String,
    pub offered: u64,
    pub answered: u64,
    /// Within the queue's service-level threshold.
    pub answered_in_target: u64,
    pub abandoned: u64,
    /// Of the abandoned: within the short-abandon threshold.
    pub abandoned_short: u64,
    /// Sum of (bridged - entered) / answered.
    pub speed_of_answer_seconds: Option<f64>,
    /// (abandoned - short) / (ended - short), withdrawn ones apart.
    pub abandonment_ratio: Option<f64>,
    /// Answered in target / (answered + abandoned - short).
    pub service_level_ratio: Option<f64>,
    /// Agents' times with a caller that are booked.
    pub handled: u64,
    /// (talk + hold + wrap-up) / handled.
    pub handle_seconds: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub call: u64,
    pub language: String,
    pub class: String,
    pub stage: String,
    pub wait_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    pub id: u64,
    pub name: String,
    pub state: String,
    /// Of `not_ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub state_seconds: f64,
    pub reachable: bool,
    /// The station at which they work, by its owner.
    #[serde(default)]
    pub station: u64,
    /// What the agent asked for and has to wait for, since a call or after-call work comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Calls that rang out since the agent last said that they are ready.
    #[serde(default)]
    pub missed: Vec<Missed>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    pub at: String,
    /// Empty: a call for the agent's own hands.
    pub queue: String,
}

/// What `POST /api/v1/agents/{id}/state` takes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateAsked {
    /// `ready`, `not_ready`, `logged_out`, or `wrap_up` to extend one.
    pub state: String,
    /// Of `not_ready`.
    pub reason: Option<String>,
    /// Of `ready` out of wrap-up: what the call was about, for its record.
    pub code: Option<String>,
    /// Of `wrap_up`: seconds more.
    pub extend: Option<u64>,
}

/// …and answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateAnswer {
    pub agent: u64,
    pub asked: String,
    /// `now`; `after_call` where the agent is offered a call, in one or in its wrap-up; `when_reachable` where the station must come back
    /// first; `up_to_maximum` where a wrap-up is extended by as much of it as the queue still allows. As of the newest view, which may be
    /// 100 ms old.
    pub effective: &'static str,
}

/// What `POST /api/v1/reload` answers: names of what is other now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReloadAnswer {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
    /// Settings that stay as they were until the centre is started anew.
    pub needs_restart: Vec<String>,
}

impl From<Reloaded> for ReloadAnswer {
    fn from(reloaded: Reloaded) -> ReloadAnswer {
        let Reloaded { added, removed, changed, needs_restart } = reloaded;
        ReloadAnswer { added, removed, changed, needs_restart }
    }
}

/// The answer of `why-waiting` and `why-idle`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    pub answer: String,
    pub reasons: Vec<WhyNot>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhyNot {
    pub subject: u64,
    pub reason: String,
}

/// Every error of `/api`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Error {
    pub error: ErrorBody,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorBody {
    /// For programs; never changes.
    pub code: &'static str,
    /// For people: what is wrong and what to do.
    pub message: String,
}

impl Centre {
    pub fn new(view: &View, config: &Config) -> Centre {
        let queues = view.queues.iter().map(|(id, queue)| {
            let name = config.queues.get(id).map_or_else(|| format!("queue-{id}"), |queue| queue.name.to_string());
            let figures = view.figures.queues.iter().filter(|((queue, _), _)| queue == id);
            let figures = figures.map(|((_, language), figures)| Figures::new(language.to_string(), figures)).collect();
            Queue::new(name, queue, figures, view.at)
        });
        let agents = view.agents.iter().map(|(id, agent)| {
            let name = config.agents.get(id).map_or_else(String::new, |agent| agent.name.to_string());
            Agent::new(id.0, name, agent, view.at, config)
        });
        Centre {
            at: rfc3339(view.at),
            calls: Calls { flow: view.in_flow, queue: view.in_queue, talking: view.talking, wrap_up: view.wrapping, placed: view.placed },
            queues: queues.collect(),
            agents: agents.collect(),
        }
    }
}

impl Queue {
    fn new(name: String, queue: &QueueView, figures: Vec<Figures>, now: Time) -> Queue {
        Queue {
            name,
            open: queue.open,
            longest_wait_seconds: queue.longest_since.map_or(0.0, |since| now.since(since).as_secs_f64()),
            agents_ready: queue.agents_ready,
            first: queue.first.iter().map(|waiting| Waiting::new(waiting, now)).collect(),
            figures,
        }
    }
}

impl Figures {
    fn new(language: String, figures: &QueueFigures) -> Figures {
        let sums = figures.since_the_start();
        let handled = figures.handle.count;
        Figures {
            language,
            offered: figures.offered,
            answered: sums.answered,
            answered_in_target: sums.answered_in_target,
            abandoned: sums.abandoned,
            abandoned_short: sums.abandoned_short,
            speed_of_answer_seconds: sums.speed_of_answer(),
            abandonment_ratio: sums.abandonment(),
            service_level_ratio: sums.service_level(),
            handled,
            handle_seconds: (handled > 0).then(|| figures.handle.sum.as_secs_f64() / handled as f64),
        }
    }
}

impl Waiting {
    fn new(waiting: &WaitingView, now: Time) -> Waiting {
        let class = match waiting.class {
            Class::Urgent => "urgent",
            Class::High => "high",
            Class::Normal => "normal",
            Class::Low => "low",
        };
        let stage = match waiting.stage {
            Stage::Waiting => "waiting",
            Stage::Ringing => "ringing",
            Stage::Connecting => "connecting",
        };
        Waiting {
            call: waiting.call.0,
            language: waiting.language.to_string(),
            class: class.into(),
            stage: stage.into(),
            wait_seconds: now.since(waiting.entered_at).as_secs_f64(),
        }
    }
}

impl Agent {
    fn new(id: u64, name: String, agent: &AgentView, now: Time, config: &Config) -> Agent {
        let reason = match agent.state {
            AgentState::NotReady(reason) => Some(reason.label().into()),
            _ => None,
        };
        let state_seconds = now.since(agent.since).as_secs_f64();
        let asked = agent.wish.map(|wish| match wish {
            NextState::Ready => "ready".into(),
            NextState::NotReady(reason) => reason.label().into(),
            NextState::LoggedOut => "logged_out".into(),
        });
        let named = |id: QueueId| config.queues.get(&id).map_or_else(|| format!("queue-{id}"), |queue| queue.name.to_string());
        let missed = |one: &agent::Missed| Missed { at: rfc3339(one.at), queue: one.queue.map_or_else(String::new, named) };
        let missed = agent.missed.iter().map(missed).collect();
        let (state, reachable, station) = (agent.state.label().into(), agent.reachable, agent.station.0);
        Agent { id, name, state, reason, state_seconds, reachable, station, asked, missed }
    }
}

impl Why {
    pub fn new(explanation: Explanation) -> Why {
        let reasons = explanation.reasons.into_iter().map(|why| WhyNot { subject: why.subject, reason: why.reason });
        Why { answer: explanation.answer, reasons: reasons.collect() }
    }
}

fn rfc3339(time: Time) -> String {
    let micros = i64::try_from(time.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX).to_string()
}
