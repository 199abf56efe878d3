//! What a caller or an agent can be made to hear.

use super::Language;
use std::sync::Arc;

/// One recorded prompt in one language: `ivr-flows/prompts/<language>/<name>.wav`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prompt {
    pub language: Language,
    pub name: Arc<str>,
    /// It says back what a caller entered: its name is protected health information.
    pub entered: bool,
}

impl Prompt {
    pub fn new(language: Language, name: &str) -> Prompt {
        Prompt { language, name: name.into(), entered: false }
    }

    /// One that says back a key that a caller pressed as data.
    pub fn entered(language: Language, name: &str) -> Prompt {
        Prompt { entered: true, ..Prompt::new(language, name) }
    }

    /// The recording, whatever it is played for.
    pub fn recording(&self) -> Prompt {
        Prompt { entered: false, ..self.clone() }
    }
}

impl std::fmt::Display for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.entered { "[phi]" } else { &*self.name };
        write!(f, "{}/{name}", self.language)
    }
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_entered_is_not_printed() {
        let english = Language::new("en").unwrap();
        let (read_back, position) = (Prompt::entered(english, "n7"), Prompt::new(english, "n7"));
        assert_eq!(format!("{read_back} {read_back:?} {position} {position:?}"), "en/[phi] en/[phi] en/n7 en/n7");
        assert!(read_back != position && read_back.recording() == position, "the same is played");
    }
}
