//! What the people of one run are going to do: who calls when, what they press, how patient they are, how agents answer.

use super::chance::Chance;
use std::net::SocketAddr;
use std::time::Duration;

/// One run, from outside the server.
#[derive(Clone, Debug)]
pub struct Plan {
    pub server: SocketAddr,
    pub seed: u64,
    pub calls_per_minute: f64,
    /// No new calls after so long; `None`: until told to stop.
    pub arrivals_for: Option<Duration>,
    /// What callers can dial; drawn by weight.
    pub errands: Vec<Errand>,
    pub agents: Vec<Station>,
    pub manners: Manners,
}

/// One thing that people call for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    pub number: String,
    pub keys: String,
    pub language: String,
    pub queue: String,
    /// What the number says before the first key counts; who hangs up earlier has joined no queue.
    pub preamble: Duration,
    /// A key that takes a waiting caller to another queue, and that queue.
    pub change: Option<(char, String)>,
    pub weight: u64,
}

/// An agent's telephone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    pub agent: u64,
    pub password: String,
}

/// How people behave: spans are drawn evenly, shares are percent.
#[derive(Clone, Debug)]
pub struct Manners {
    pub patience: (Duration, Duration),
    /// Talking ends within this, by the agent, unless the caller hangs up first.
    pub talk: (Duration, Duration),
    /// The caller hangs up after so long of talk, if the agent has not.
    pub caller_talk: (Duration, Duration),
    pub ring: (Duration, Duration),
    /// An agent who let the telephone ring out comes back after so long.
    pub away: (Duration, Duration),
    pub hang_up_in_flow: u64,
    /// Hangs up within a second and a half of joining the queue: mostly while the agent's station rings.
    pub hang_up_at_once: u64,
    pub change_queue: u64,
    /// Hangs up at once after dialling: CANCEL, or BYE if the answer was faster.
    pub regret: u64,
    pub decline: u64,
    pub busy: u64,
    pub no_answer: u64,
}

impl Default for Manners {
    fn default() -> Manners {
        let ms = Duration::from_millis;
        Manners {
            patience: (ms(5_000), ms(40_000)),
            talk: (ms(1_000), ms(4_000)),
            caller_talk: (ms(1_000), ms(7_000)),
            ring: (ms(200), ms(1_000)),
            away: (ms(1_000), ms(3_000)),
            hang_up_in_flow: 5,
            hang_up_at_once: 4,
            change_queue: 2,
            regret: 1,
            decline: 4,
            busy: 2,
            no_answer: 2,
        }
    }
}

/// What one caller will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub from: String,
    pub errand: Errand,
    /// After the answer; keys pressed during the first words are kept by the server.
    pub keys: Vec<(Duration, char)>,
    /// The keys lead to the queue so long after the answer.
    pub joins: Duration,
    /// Hangs up so long after the answer if no agent has been heard.
    pub patience: Duration,
    /// Never reaches a queue: hangs up during the first words.
    pub hurried: bool,
    pub regrets: bool,
    pub change_at: Option<Duration>,
    pub talk: Duration,
}

/// What an agent will do with one ringing call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub after: Duration,
    pub how: How,
    pub talk: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Answer,
    Decline,
    Busy,
    /// Lets it ring; comes back after so long.
    Ignore(Duration),
}

/// The number of caller `n`: 555-0100 … 555-0199 (never assigned to anybody) of one area code after another, so that each of
/// 79,800 callers has their own.
pub fn caller_number(n: u64) -> String {
    let area = 201 + (n / 100) % 798;
    // The centre's own area code is left out, so that nobody calls from its own numbers.
    let area = if area >= 312 { area + 1 } else { area };
    format!("+1{area}55501{:02}", n % 100)
}

impl Plan {
    /// What caller `n` of this run will do.
    pub fn caller(&self, n: u64) -> Caller {
        let mut chance = Chance::person(self.seed, n);
        let errand = self.errand(&mut chance);
        let manners = &self.manners;
        let mut at = chance.between(Duration::from_millis(300), Duration::from_millis(2_500));
        let mut keys = Vec::new();
        for key in errand.keys.chars() {
            keys.push((at, key));
            at += chance.between(Duration::from_millis(400), Duration::from_millis(1_500));
        }
        let joined = at.max(errand.preamble);
        let hurried = chance.percent(manners.hang_up_in_flow) && errand.preamble > Duration::from_secs(1);
        let patience = if hurried {
            chance.between(Duration::from_millis(50), errand.preamble.mul_f64(0.9))
        } else if chance.percent(manners.hang_up_at_once) {
            joined + chance.between(Duration::from_millis(100), Duration::from_millis(1_500))
        } else {
            joined + chance.between(manners.patience.0, manners.patience.1)
        };
        keys.retain(|(at, _)| *at < patience);
        let change = errand.change.is_some() && !hurried && chance.percent(manners.change_queue);
        let change_at = change.then(|| joined + chance.between(Duration::from_millis(500), Duration::from_millis(4_000)));
        let talk = chance.between(manners.caller_talk.0, manners.caller_talk.1);
        let regrets = chance.percent(manners.regret);
        Caller { from: caller_number(n), errand, keys, joins: joined, patience, hurried, regrets, change_at, talk }
    }

    fn errand(&self, chance: &mut Chance) -> Errand {
        let total: u64 = self.errands.iter().map(|e| e.weight).sum();
        let mut drawn = chance.below(total.max(1));
        for errand in &self.errands {
            if drawn < errand.weight {
                return errand.clone();
            }
            drawn -= errand.weight;
        }
        unreachable!("the plan has an errand of weight above 0")
    }

    /// What `agent` will do with the call that rings there as number `n`.
    pub fn answer(&self, agent: u64, n: u64) -> Answer {
        let mut chance = Chance::person(self.seed ^ agent.rotate_left(32), n);
        let manners = &self.manners;
        let after = chance.between(manners.ring.0, manners.ring.1);
        let talk = chance.between(manners.talk.0, manners.talk.1);
        let drawn = chance.below(100);
        let how = if drawn < manners.decline {
            How::Decline
        } else if drawn < manners.decline + manners.busy {
            How::Busy
        } else if drawn < manners.decline + manners.busy + manners.no_answer {
            How::Ignore(chance.between(manners.away.0, manners.away.1))
        } else {
            How::Answer
        };
        Answer { after, how, talk }
    }

    /// The time from caller `n` − 1 to caller `n`: even times within ±50 % of the mean, so that every run has its number of calls.
    pub fn gap(&self, n: u64) -> Duration {
        let mean = Duration::from_secs_f64(60.0 / self.calls_per_minute);
        Chance::person(!self.seed, n).between(mean / 2, mean * 3 / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn plan(seed: u64) -> Plan {
        let errand = |language: &str, keys: &str, weight| Errand {
            number: "+13125550100".into(),
            keys: keys.into(),
            language: language.into(),
            queue: "billing".into(),
            preamble: Duration::from_secs(10),
            change: Some(('9', "nurse".into())),
            weight,
        };
        Plan {
            server: "127.0.0.1:5060".parse().unwrap(),
            seed,
            calls_per_minute: 90.0,
            arrivals_for: None,
            errands: vec![errand("en", "12", 72), errand("es", "22", 28)],
            agents: Vec::new(),
            manners: Manners::default(),
        }
    }

    #[test]
    fn every_caller_has_a_number_of_their_own_that_nobody_has() {
        let numbers: BTreeSet<String> = (0..79_800).map(caller_number).collect();
        assert_eq!(numbers.len(), 79_800);
        assert!(numbers.iter().all(|n| n.len() == 12 && &n[5..10] == "55501" && !n.starts_with("+1312")));
    }

    #[test]
    fn a_quarter_to_a_third_speak_spanish_and_a_minute_has_its_calls() {
        for seed in 0..200 {
            let plan = plan(seed);
            let spanish = (0..300).filter(|n| plan.caller(*n).errand.language == "es").count();
            assert!((50..=120).contains(&spanish), "seed {seed}: {spanish}");
            let minute: Duration = (0..90).map(|n| plan.gap(n)).sum();
            assert!((50..=70).contains(&minute.as_secs()), "seed {seed}: {minute:?}");
        }
    }

    #[test]
    fn people_keep_to_their_manners() {
        let plan = plan(3);
        for n in 0..2_000 {
            let caller = plan.caller(n);
            assert_eq!(caller, plan.caller(n));
            assert!(caller.keys.iter().all(|(at, _)| *at < caller.patience));
            assert!(caller.patience < Duration::from_secs(52));
            let answer = plan.answer(1004, n);
            assert!(answer.after >= plan.manners.ring.0 && answer.after <= plan.manners.ring.1);
            assert!(answer.talk >= plan.manners.talk.0 && answer.talk <= plan.manners.talk.1);
        }
        let refused = (0..2_000).filter(|n| plan.answer(1004, *n).how != How::Answer).count();
        assert!((100..240).contains(&refused), "{refused}");
    }
}
