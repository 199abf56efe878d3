//! What a caller or an agent can be made to hear.

use super::Language;
use std::sync::Arc;

/// One recorded prompt in one language: `ivr-flows/prompts/<language>/<name>.wav`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prompt {
    pub language: Language,
    pub name: Arc<str>,
}

impl Prompt {
    pub fn new(language: Language, name: &str) -> Prompt {
        Prompt { language, name: name.into() }
    }
}

impl std::fmt::Display for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.language, self.name)
    }
}
