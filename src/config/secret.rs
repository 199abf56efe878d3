//! Secrets: in the file, in a file of their own, or in the environment.

use crate::model::Problem;
use crate::model::schema::Reader;
use std::path::Path;

/// Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// A secret that stands in the file, in a file of its own or in the environment: in exactly one of the three fields `ways`.
pub fn secret(reader: &Reader, cause: &str, ways: [&'static str; 3], dir: &Path, problems: &mut Vec<Problem>) -> Option<Secret> {
    let [clear, file, variable] = ways.map(|way| reader.node(way));
    if [clear, file, variable].iter().flatten().count() != 1 {
        problems.push(reader.at.choose(cause, ways));
        return None;
    }
    let text = if let Some(node) = file {
        let path = dir.join(node.expect_text(problems)?);
        let read = std::fs::read_to_string(&path);
        read.map_err(|error| problems.push(node.at.problem(format!("cannot read {}: {error}", path.display())))).ok()
    } else if let Some(node) = variable {
        let name = node.expect_text(problems)?;
        let read = std::env::var(name);
        read.map_err(|_| problems.push(node.at.problem(format!("the environment has no `{name}`")))).ok()
    } else {
        reader.text(ways[0], problems).map(String::from)
    };
    Some(Secret(text?.trim().to_string()))
}
