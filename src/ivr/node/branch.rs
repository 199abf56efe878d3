//! `branch`: goes by the first condition that holds.

use crate::ivr::expr::Condition;
use crate::ivr::scope::{How, Scope, misread};
use crate::ivr::walk::{Next, Walk};
use crate::ivr::words::{StepName, StepOutcome};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;

/// Of one entry of the list; the last has `else` alone.
pub const FIELDS: &[Field] = &[
    Field::optional(
        "when",
        Kind::Expression,
        "knows ==, !=, <, in, and, or, not over caller.number, caller.language, call.did and gathered values",
    ),
    Field::optional("go", Kind::Step, "where to go when it holds"),
    Field::optional("else", Kind::Step, "where to go when nothing held; the last entry, and always there"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub ways: Vec<(Condition, StepName)>,
    pub otherwise: StepName,
}

impl Branch {
    pub fn read(body: &Node, scope: &mut Scope) -> Option<Branch> {
        let before = scope.problems.len();
        let (mut ways, mut otherwise) = (Vec::new(), None);
        for item in body.expect_list(scope.problems)? {
            let Some(reader) = Reader::open(item, "branch", FIELDS, scope.problems) else { continue };
            if otherwise.is_some() {
                scope.problem(&item.at, "nothing is reached after `else`");
            }
            match (reader.node("when"), reader.node("go"), reader.node("else")) {
                (Some(when), Some(go), None) => {
                    let condition = condition(when, scope);
                    let label = when.scalar().unwrap_or_default().to_string();
                    ways.extend(condition.zip(scope.target(go, How::Alone, &label)));
                }
                (None, None, Some(step)) => otherwise = scope.target(step, How::Alone, "else"),
                _ => scope.choose(&item.at, "an entry of `branch` is one of these", ["{when: …, go: …}", "{else: …}"]),
            }
        }
        if otherwise.is_none() && scope.problems.len() == before {
            scope.problem(&body.at, "`branch` ends with {else: …}, so that every caller goes somewhere");
        }
        Some(Branch { ways, otherwise: otherwise? })
    }

    pub fn enter(&self, walk: &mut Walk) -> Next {
        let session = &*walk.session;
        let way = self.ways.iter().find(|(condition, _)| condition.holds(&|name: &str| session.value(name)));
        Next::Go(way.map_or(&self.otherwise, |(_, step)| step).clone(), StepOutcome::Done)
    }
}

fn condition(node: &Node, scope: &mut Scope) -> Option<Condition> {
    let text = node.expect_text(scope.problems)?;
    let condition = Condition::parse(text).map_err(|mistake| scope.problems.push(misread(node, &mistake))).ok()?;
    scope.asked.extend(condition.names().into_iter().map(|name| (node.at.clone(), name.clone())));
    Some(condition)
}
