//! `transfer`: to an agent, to a queue as it stands, or on to another flow.

use crate::ivr::scope::{How, Scope};
use crate::ivr::walk::{Next, Phase, Walk};
use crate::ivr::words::{Action, FlowName, StepName, StepOutcome};
use crate::model::schema::{Field, Kind, Reader, nearest_first};
use crate::model::tree::Node;
use crate::model::{AgentId, Destination, QueueId};

pub const FIELDS: &[Field] = &[
    Field::required("to", Kind::Text, "`agent 1001`, `queue billing` or `flow office_hours`"),
    Field::optional("on_fail", Kind::Step, "where to go when the agent or the queue cannot take the caller; not for a flow"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub to: To,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    Agent(AgentId, StepName),
    Queue(QueueId, StepName),
    Flow(FlowName),
}

impl Transfer {
    pub fn read(body: &Node, scope: &mut Scope) -> Option<Transfer> {
        let reader = Reader::open(body, "transfer", FIELDS, scope.problems)?;
        let node = reader.node("to")?;
        let to = node.expect_text(scope.problems)?;
        let (kind, name) = to.split_once(' ').unwrap_or((to, ""));
        let on_fail = reader.node("on_fail");
        if kind == "flow" {
            if let Some(node) = on_fail {
                scope.problem(&node.at, "another flow takes every caller: `on_fail` would never be used");
            }
            return flow(name.trim(), node, scope).map(|flow| Transfer { to: To::Flow(flow) });
        }
        let to_target = to_whom(kind, name.trim(), node, scope);
        if on_fail.is_none() {
            scope.problem(&body.at, "transfer needs `on_fail`: where to go when nobody takes the caller");
        }
        let step = on_fail.and_then(|node| scope.target(node, How::Alone, "on_fail"));
        match (to_target?, step?) {
            (Destination::Agent(agent), step) => Some(Transfer { to: To::Agent(agent, step) }),
            (Destination::Queue(queue), step) => Some(Transfer { to: To::Queue(queue, step) }),
            _ => None,
        }
    }

    pub fn enter(&self, walk: &mut Walk) -> Next {
        let destination = match &self.to {
            To::Agent(agent, _) => Destination::Agent(*agent),
            To::Queue(queue, _) => Destination::Queue(*queue),
            To::Flow(flow) => return Next::Flow(flow.clone()),
        };
        walk.session.ahead.0.clear();
        walk.session.phase = Phase::Transferring;
        let (flow, step) = (walk.session.flow.clone(), walk.session.step.clone());
        walk.out.push(Action::Step { flow, step, outcome: StepOutcome::Done });
        walk.out.push(Action::Transfer(destination));
        Next::Stay
    }

    pub fn failed(&self) -> Next {
        match &self.to {
            To::Agent(_, step) | To::Queue(_, step) => Next::On(step.clone()),
            To::Flow(_) => Next::Stay,
        }
    }
}

fn flow(name: &str, node: &Node, scope: &mut Scope) -> Option<FlowName> {
    let Some(flow) = scope.names.flows.get(name).cloned() else {
        let choices: Vec<String> = nearest_first(name, scope.names.flows.iter().map(|flow| &**flow));
        scope.choose(&node.at, format!("there is no flow `{name}`"), choices);
        return None;
    };
    scope.handed_to.push((scope.step.clone(), flow.clone()));
    Some(flow)
}

fn to_whom(kind: &str, name: &str, node: &Node, scope: &mut Scope) -> Option<Destination> {
    match kind {
        "agent" => {
            let agent = name.parse().ok().map(AgentId).filter(|agent| scope.names.agents.contains(agent));
            if agent.is_none() {
                let agents: Vec<String> = scope.names.agents.iter().map(AgentId::to_string).collect();
                scope.choose(&node.at, format!("there is no agent `{name}`"), agents);
            }
            agent.map(Destination::Agent)
        }
        "queue" => {
            let queue = scope.names.queues.get(name).copied();
            if queue.is_none() {
                let queues = nearest_first(name, scope.names.queues.keys().map(|queue| &**queue));
                scope.choose(&node.at, format!("there is no queue `{name}`"), queues);
            }
            queue.map(Destination::Queue)
        }
        _ => {
            scope.choose(&node.at, format!("`{kind}` is nothing to transfer to"), ["agent ID", "queue NAME", "flow NAME"]);
            None
        }
    }
}
