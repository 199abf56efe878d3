//! What a configuration was read from, so that it can be built again without its files.

use super::Language;
use super::tree::Node;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The recorded prompts, each with its words.
pub type PromptNames = BTreeMap<Language, BTreeMap<Arc<str>, String>>;

/// The files of a configuration as trees: comments are gone, places are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Sources {
    /// The centre's own file.
    pub root: Node,
    /// The flows, each by its file.
    pub flows: Vec<(Arc<str>, Node)>,
    pub prompts: PromptNames,
    pub numbers: Numbers,
}

/// The numbers that queues and skills have had, by name: one who has a number keeps it, and it is never another's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub queues: BTreeMap<Arc<str>, u64>,
    pub skills: BTreeMap<Arc<str>, u64>,
}
