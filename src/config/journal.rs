//! The block `journal`: how much of what happened is kept.

use crate::model::Problem;
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::{Node, Value};
use std::time::Duration;

pub const FIELDS: &[Field] = &[
    Field::default("roll", Kind::Count, "MiB at which a file of the journal is followed by the next", "64"),
    Field::default("keep", Kind::Timeout, "how long files are kept", "7d"),
    Field::default("size", Kind::Count, "MiB that all of them together may have; the oldest go first", "4096"),
];

const MIB: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journal {
    /// In bytes.
    pub roll: u64,
    pub keep: Duration,
    /// In bytes.
    pub size: u64,
}

/// Absent is as all defaults.
pub fn read(root: &Node, problems: &mut Vec<Problem>) -> Option<Journal> {
    let empty = Node { at: root.at.clone(), value: Value::Map(Vec::new()) };
    let node = root.get("journal").unwrap_or(&empty);
    let reader = Reader::open(node, "[journal]", FIELDS, problems)?;
    let roll = reader.count("roll", 1..=1024, problems);
    let keep = reader.span("keep", problems);
    let size = reader.count("size", 1..=1_048_576, problems);
    let (roll, size) = (roll?, size?);
    if size < 2 * roll {
        let at = reader.node("size").or(reader.node("roll")).map_or(&node.at, |node| &node.at);
        problems.push(at.problem(format!("`size` ({size} MiB) must hold two files of `roll` ({roll} MiB) at least")));
        return None;
    }
    Some(Journal { roll: roll * MIB, keep: keep?, size: size * MIB })
}
