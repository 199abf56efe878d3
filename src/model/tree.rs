//! A document as people wrote it, with line and column at every node, whatever format it came in.

use super::problem::{Problem, Spot};

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub at: Spot,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, number, flag: as written. `plain`: without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value`, in the order of the file; no key appears twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_at: Spot,
    /// The key stood without quotes.
    pub plain: bool,
    pub node: Node,
}

impl Node {
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// What stands here, in the words of a reader.
    pub fn shape(&self) -> &'static str {
        match &self.value {
            Value::Scalar { text, plain: true } if text.is_empty() => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    pub fn expect_text(&self, problems: &mut Vec<Problem>) -> Option<&str> {
        let text = self.scalar().filter(|text| !text.is_empty());
        if text.is_none() {
            problems.push(self.at.problem(format!("a text belongs here, not {}", self.shape())));
        }
        text
    }

    pub fn expect_list(&self, problems: &mut Vec<Problem>) -> Option<&[Node]> {
        let list = self.list();
        if list.is_none() {
            problems.push(self.at.problem(format!("a list belongs here, not {}", self.shape())));
        }
        list
    }

    pub fn expect_map(&self, problems: &mut Vec<Problem>) -> Option<&[Entry]> {
        let map = self.map();
        if map.is_none() {
            problems.push(self.at.problem(format!("a map belongs here, not {}", self.shape())));
        }
        map
    }
}
