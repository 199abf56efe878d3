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
}
