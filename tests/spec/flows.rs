//! Flows for tests: one queue step, what its keys and its exits lead to, and a goodbye.

use crate::settings::Leads;
use careline::ivr::Flow;
use careline::ivr::QueueExit;
use careline::ivr::node::Verb;
use careline::ivr::node::hangup::HangUp;
use careline::ivr::node::queue::Queue;
use careline::ivr::node::transfer::{To, Transfer};
use careline::ivr::say::Say;
use careline::ivr::walk::Common;
use careline::model::{AgentId, Class, Language, Prompt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the flow of one number does with its caller.
#[derive(Clone, Default)]
pub struct Plan {
    /// The queues to wait in at once.
    pub queues: Vec<Leads>,
    pub class: Class,
    pub credit: Duration,
    pub max_wait: Option<Duration>,
    pub agent_first: Option<(AgentId, Duration)>,
    /// Keys that lead to another queue.
    pub keys: Vec<(char, Leads)>,
    /// Where the caller goes whom the queue lets go; otherwise the goodbye.
    pub then: Option<Leads>,
    /// The agent whom the flow tries to hand the caller to before all else.
    pub hand_to: Option<AgentId>,
    /// And from `then` back to where they came from, after as long a wait.
    pub again: bool,
}

impl Plan {
    fn step(&self, queues: Vec<Leads>, exit: &str, keys: BTreeMap<char, Arc<str>>) -> Verb {
        let exits = [QueueExit::Timeout, QueueExit::Full, QueueExit::Nobody, QueueExit::Closed, QueueExit::Failed];
        Verb::Queue(Queue {
            queues,
            class: self.class,
            credit: self.credit,
            max_wait: self.max_wait,
            agent_first: self.agent_first,
            exit_keys: keys,
            exits: exits.map(|why| (why, exit.into())).into(),
        })
    }
}

pub fn flow_of(name: &Arc<str>, plan: &Plan, languages: &[Language]) -> Flow {
    let goodbye = languages.iter().map(|language| (*language, vec![Prompt::new(*language, "goodbye")])).collect();
    let mut steps = BTreeMap::from([("goodbye".into(), Verb::HangUp(HangUp { say: Say { prompts: goodbye, ..Say::default() } }))]);
    let mut keys = BTreeMap::new();
    for (key, leads) in &plan.keys {
        let step: Arc<str> = format!("key-{key}").into();
        steps.insert(step.clone(), plan.step(vec![leads.clone()], "goodbye", BTreeMap::new()));
        keys.insert(*key, step);
    }
    if let Some(leads) = &plan.then {
        let onward = Plan { max_wait: plan.max_wait.filter(|_| plan.again), ..plan.clone() };
        steps.insert("then".into(), onward.step(vec![leads.clone()], if plan.again { "wait" } else { "goodbye" }, BTreeMap::new()));
    }
    let exit = if plan.then.is_some() { "then" } else { "goodbye" };
    steps.insert("wait".into(), plan.step(plan.queues.clone(), exit, keys));
    if let Some(agent) = plan.hand_to {
        steps.insert("hand".into(), Verb::Transfer(Transfer { to: To::Agent(agent, "wait".into()) }));
    }
    let start = if plan.hand_to.is_some() { "hand" } else { "wait" };
    Flow { name: name.clone(), start: start.into(), common: Common { languages: languages.to_vec(), ..Common::default() }, steps }
}
