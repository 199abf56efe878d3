//! The core's explanations in words that a supervisor can read.

use crate::acd::explain::{Excluded, Standing};
use crate::acd::{AgentState, Config, Refusal, WhyIdle, WhyWaiting};
use crate::api::{Explanation, Reason};
use crate::model::{AgentId, QueueId, Time};

/// Why is this caller waiting?
pub fn waiting(why: &WhyWaiting, config: &Config, now: Time) -> Explanation {
    let mut answer = Vec::new();
    let mut reasons = Vec::new();
    for visit in &why.visits {
        answer.push(format!(
            "number {} in {} for {} s (class {:?}, {:?}), needs {}",
            visit.position,
            queue(visit.queue, config),
            now.since(visit.since).as_secs(),
            visit.class,
            visit.stage,
            visit.needs,
        ));
        let tell = |(agent, standing): &(AgentId, Standing)| Reason { subject: agent.0, reason: standing_in_words(standing, now) };
        reasons.extend(visit.agents.iter().map(tell));
    }
    if let Some((agent, until)) = why.preferred {
        answer.push(format!("kept for agent {agent} for another {} s", until.since(now).as_secs()));
    }
    Explanation { answer: answer.join("; "), reasons }
}

/// Why is this agent idle, or not?
pub fn idle(why: &WhyIdle, config: &Config, now: Time) -> Explanation {
    let state = match why.state {
        AgentState::NotReady(reason) => format!("not ready ({})", reason.label()),
        other => other.label().replace('_', " "),
    };
    let reach = if why.reachable { "" } else { "; the station does not answer" };
    // Who has not logged in since the start has no time of it.
    let span = if why.since == Time(0) { String::new() } else { format!(" for {} s", now.since(why.since).as_secs()) };
    let answer = format!("agent {} is {state}{span}{reach}", why.agent);
    let reasons = why.queues.iter().map(|each| {
        let first =
            each.first.as_ref().map_or(String::new(), |(call, standing)| format!("; call {call}: {}", standing_in_words(standing, now)));
        let name = queue(each.queue, config);
        Reason { subject: each.queue.0, reason: format!("{name}: {} waiting, {} of them fit{first}", each.waiting, each.fitting) }
    });
    Explanation { answer, reasons: reasons.collect() }
}

fn queue(id: QueueId, config: &Config) -> String {
    config.queues.get(&id).map_or_else(|| format!("queue {id}"), |queue| queue.name.to_string())
}

fn standing_in_words(standing: &Standing, now: Time) -> String {
    let seconds = |until: &Time| until.since(now).as_secs();
    match standing {
        Standing::Candidate(_) => "could be offered the call".to_string(),
        Standing::Excluded(why) => match why {
            Excluded::LoggedOut => "logged out".to_string(),
            Excluded::NotReady(reason) => format!("not ready: {}", reason.label()),
            Excluded::Unreachable => "the station does not answer".to_string(),
            Excluded::Busy(state) => state.label().replace('_', " "),
            Excluded::LacksSkills => "lacks the skills".to_string(),
            Excluded::Refused(refusal, until) => format!("{} this call; may have it in {} s", refused(*refusal), seconds(until)),
            Excluded::Reserved => "kept free for calls that need a scarce skill".to_string(),
            Excluded::Preferred(agent, until) => format!("the call is kept for agent {agent} for another {} s", seconds(until)),
            Excluded::Paused(until) => format!("we lacked the means to ring; again in {} s", seconds(until)),
            Excluded::Progressive(Some(until)) => format!("rings in {} s", seconds(until)),
            Excluded::Progressive(None) => "another agent rings".to_string(),
        },
    }
}

fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Declined => "declined",
        Refusal::NoAnswer => "did not answer",
        Refusal::Busy => "was busy for",
        Refusal::Unreachable => "could not be reached for",
    }
}
