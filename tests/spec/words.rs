//! The core's commands in the words of a scenario.

use crate::shell::{Party, Shell};
use careline::acd::agent::{Missed, NextState};
use careline::acd::call::{Disposition, Stage, VisitOutcome, Withdrawal};
use careline::acd::view::AgentView;
use careline::acd::{AgentState, Command, Config, EndWhy, Fact, NotReadyReason, Purpose, Refusal, WithdrawWhy};
use careline::model::{Destination, LegId, Prompt, QueueId, Time};
use std::time::Duration;

/// These are compared on every line; others only on lines that name one of their kind.
pub const ALWAYS: [&str; 4] = ["ring", "withdraw", "hold", "bridge"];

/// One command as a scenario writes it, or nothing for what scenarios never mention. To be asked before the shell obeys.
pub fn say(command: &Command, shell: &Shell, config: &Config) -> Option<String> {
    Some(match command {
        Command::Answer { leg } => format!("answer {}", party(*leg, shell)),
        Command::Play { leg, prompts, .. } => format!("play {} {}", party(*leg, shell), prompts_text(prompts)),
        Command::StopPlay { leg, .. } => format!("stop {}", party(*leg, shell)),
        Command::StartTreatment { leg, queue } => format!("music {} {}", party(*leg, shell), queue_name(*queue, config)),
        Command::StopTreatment { leg } => format!("silence {}", party(*leg, shell)),
        Command::Dial { call, target, purpose, .. } => match (target, purpose) {
            (Destination::Agent(agent), Purpose::Offer(_)) => format!("ring {call} {agent}"),
            _ => format!("dial {call}"),
        },
        Command::Withdraw { offer, why, .. } => match shell.offers.get(offer) {
            Some(offer) => format!("withdraw {} {} {}", offer.call, offer.agent, withdraw_word(*why)),
            None => "withdraw late".to_string(),
        },
        Command::Hear { call, bridged: Some(offer), .. } => format!("bridge {call} {}", shell.offers.get(offer)?.agent),
        Command::Hear { call, matrix, bridged: None } => format!("hear {call} {}", matrix.len()),
        Command::EndLeg { leg, why } => format!("end {}{}", party(*leg, shell), end_word(*why)),
        Command::Unreached { leg } => format!("unreached {}", party(*leg, shell)),
        Command::Record { call, action } => format!("tape {call} {}", format!("{action:?}").to_lowercase()),
        Command::CloseRecord(record) => format!("record {} {}", record.call, disposition_word(&record.disposition)),
        Command::Note { at, fact, .. } => return say_fact(fact, *at, config),
        _ => return None,
    })
}

fn say_fact(fact: &Fact, at: careline::model::Time, config: &Config) -> Option<String> {
    Some(match fact {
        Fact::VisitEntered { call, queue, .. } => format!("enter {call} {}", queue_name(*queue, config)),
        Fact::VisitEnded { call, queue, outcome, .. } => format!("leave {call} {} {}", queue_name(*queue, config), outcome_word(outcome)),
        Fact::VisitRanked { call, class, .. } => format!("rank {call} {}", format!("{class:?}").to_lowercase()),
        Fact::Held { agent, call, until, .. } => format!("hold {agent} {call} {}", span(until.since(at))),
        Fact::Agent { agent, to, .. } => format!("agent {agent} {}", state_word(*to)),
        Fact::SegmentEnded { call, segment, .. } => {
            let talk = segment.to.expect("ended").since(segment.from);
            format!("segment {call} {} {} {}", segment.agent, span(talk), span(segment.wrap_up.unwrap_or_default()))
        }
        Fact::OfferEnded { call, agent, outcome, .. } => format!("offer {call} {agent} {}", outcome.label()),
        Fact::Transferred { done, .. } => format!("transferred {done}"),
        Fact::Obsolete { event } => format!("obsolete {event}"),
        _ => return None,
    })
}

/// A caller by the call's number, an agent by theirs.
fn party(leg: LegId, shell: &Shell) -> String {
    match shell.legs.get(&leg).map(|leg| (leg.call, leg.party)) {
        Some((call, Party::Caller)) => call.to_string(),
        Some((_, Party::Agent(agent, _) | Party::Station(Some(agent), _))) => agent.to_string(),
        Some((call, Party::Station(None, _))) => format!("station {call}"),
        Some((call, Party::Far)) => format!("far {call}"),
        None => format!("{leg:?}, which is gone"),
    }
}

pub fn queue_name(queue: QueueId, config: &Config) -> String {
    config.queues.get(&queue).map_or_else(|| queue.to_string(), |queue| queue.name.to_string())
}

fn prompts_text(prompts: &[Prompt]) -> String {
    prompts.iter().map(Prompt::to_string).collect::<Vec<_>>().join("+")
}

fn end_word(why: EndWhy) -> &'static str {
    match why {
        EndWhy::Done => "",
        EndWhy::NotFound => " not-found",
        EndWhy::Full => " full",
        EndWhy::Failed => " failed",
        EndWhy::Busy => " busy",
        EndWhy::Forbidden => " forbidden",
        EndWhy::NotReached => " not-reached",
    }
}

fn withdraw_word(why: WithdrawWhy) -> &'static str {
    match why {
        WithdrawWhy::AnsweredElsewhere => "elsewhere",
        WithdrawWhy::CallerLeft => "caller-left",
        WithdrawWhy::NoAnswer => "no-answer",
        WithdrawWhy::Moved => "moved",
        WithdrawWhy::Shortage => "shortage",
    }
}

pub fn disposition_word(disposition: &Disposition) -> String {
    disposition.label().replace('_', "-")
}

fn outcome_word(outcome: &VisitOutcome) -> &'static str {
    match outcome {
        VisitOutcome::Answered => "answered",
        VisitOutcome::Abandoned(Stage::Waiting) => "abandoned",
        VisitOutcome::Abandoned(Stage::Ringing) => "abandoned-ringing",
        VisitOutcome::Abandoned(Stage::Connecting) => "abandoned-connecting",
        VisitOutcome::Overflowed => "overflowed",
        VisitOutcome::Deflected(_) => "deflected",
        VisitOutcome::Failed => "failed",
        VisitOutcome::Withdrawn(Withdrawal::Elsewhere) => "withdrawn-elsewhere",
        VisitOutcome::Withdrawn(Withdrawal::Moved) => "withdrawn-moved",
    }
}

pub fn state_word(state: AgentState) -> String {
    match state {
        AgentState::NotReady(reason) => format!("not-ready {}", reason_word(reason)),
        other => other.label().replace('_', "-"),
    }
}

pub fn wish(agent: &AgentView) -> String {
    let wish = match agent.wish {
        None => "nothing".to_string(),
        Some(NextState::Ready) => "ready".to_string(),
        Some(NextState::NotReady(reason)) => reason_word(reason),
        Some(NextState::LoggedOut) => "logged-out".to_string(),
    };
    format!("wish {wish}")
}

/// Each call that rang out, by its queue and how long ago it began to ring.
pub fn missed(agent: &AgentView, config: &Config, now: Time) -> String {
    let one = |missed: &Missed| {
        format!(" {} {}", missed.queue.map_or_else(|| "direct".to_string(), |queue| queue_name(queue, config)), span(now.since(missed.at)))
    };
    format!("missed{}", agent.missed.iter().map(one).collect::<String>())
}

fn reason_word(reason: NotReadyReason) -> String {
    reason.label().replace('_', "-")
}

pub fn refusal(word: &str) -> Option<Refusal> {
    Some(match word {
        "declines" => Refusal::Declined,
        "misses" => Refusal::NoAnswer,
        "busy" => Refusal::Busy,
        "unreachable" => Refusal::Unreachable,
        _ => return None,
    })
}

/// `90s`, `1.5s`.
fn span(span: Duration) -> String {
    format!("{}s", span.as_secs_f64())
}
