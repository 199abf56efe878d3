//! The block `codes`: what stations dial for the services of the house.

use super::outward::Outward;
use crate::leg::code::Plan;
use crate::model::Problem;
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::{Node, Value};
use std::collections::BTreeMap;

pub const FIELDS: &[Field] = &[
    Field::default("log_in", Kind::Text, "log in: agent's number `#` PIN `#`; stars and digits, two to eight, as every code", "*10"),
    Field::default("ready", Kind::Text, "ready; says how many calls were missed", "*11"),
    Field::default("not_ready", Kind::Text, "a break: 1 break, 2 meal, 3 training, 4 other, asked for or dialled at once: *121", "*12"),
    Field::default("end_wrap_up", Kind::Text, "end after-call work", "*13"),
    Field::default("log_out", Kind::Text, "log out", "*14"),
    Field::default("echo", Kind::Text, "hear yourself", "*43"),
];

/// What nobody may be kept from dialling.
const HELP: [&str; 2] = ["911", "9911"];

/// Absent is as shipped.
pub fn read(root: &Node, outward: &Outward, problems: &mut Vec<Problem>) -> Option<Plan> {
    let empty = Node { at: root.at.clone(), value: Value::Map(Vec::new()) };
    let node = root.get("codes").unwrap_or(&empty);
    let reader = Reader::open(node, "[codes]", FIELDS, problems)?;
    let mut code = |name: &str| {
        let text = reader.text(name, problems)?;
        let spelled = (2..=8).contains(&text.len()) && text.bytes().all(|byte| byte == b'*' || byte.is_ascii_digit());
        if let (false, Some(node)) = (spelled, reader.node(name)) {
            problems.push(node.at.choose(format!("`{text}` is no code: two to eight stars and digits"), ["*10", "710"]));
        }
        spelled.then(|| text.to_string())
    };
    let (log_in, ready, not_ready) = (code("log_in"), code("ready"), code("not_ready"));
    let (end_wrap_up, log_out, echo) = (code("end_wrap_up"), code("log_out"), code("echo"));
    let plan = Plan { log_in: log_in?, ready: ready?, not_ready: not_ready?, end_wrap_up: end_wrap_up?, log_out: log_out?, echo: echo? };
    let before = problems.len();
    let mut taken = BTreeMap::new();
    for (dialled, code) in plan.all() {
        let rule = outward.rules.iter().find(|rule| rule.numbers.iter().any(|pattern| pattern.fits(&dialled)));
        let cause = match (taken.insert(dialled.clone(), code), rule) {
            _ if HELP.contains(&&*dialled) => format!("`{dialled}` is for emergencies alone"),
            (Some(_), _) => format!("`{dialled}` stands for two codes"),
            (None, Some(_)) => format!("`{dialled}` is also a number that a rule of `outward` lets out"),
            (None, None) => continue,
        };
        let spelled = |field: &&Field| reader.text(field.name, &mut Vec::new()).is_some_and(|text| dialled.starts_with(text));
        let at = FIELDS.iter().filter(spelled).find_map(|field| reader.node(field.name)).map_or(&node.at, |node| &node.at);
        problems.push(at.problem(cause));
    }
    (problems.len() == before).then_some(plan)
}
