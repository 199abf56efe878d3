//! `set`: remembers the caller's language, or a value for a later `branch`.

use crate::ivr::scope::{How, Scope};
use crate::ivr::walk::{Gathered, Next, Walk};
use crate::ivr::words::{Action, StepName, StepOutcome};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;
use crate::model::{Language, Phi};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Any other name is a value of that name.
pub const FIELDS: &[Field] =
    &[Field::optional("language", Kind::Name, "the caller's language from here on; any other name is a value for `branch`")];
/// Beside the verb.
pub const BESIDE: &[Field] = &[Field::required("next", Kind::Step, "the step that follows")];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    pub language: Option<Language>,
    pub values: BTreeMap<Arc<str>, String>,
    pub next: StepName,
}

impl Set {
    pub fn read(body: &Node, beside: &Reader, scope: &mut Scope) -> Option<Set> {
        let next = beside.node("next").and_then(|node| scope.target(node, How::Alone, ""));
        let mut set = Set { language: None, values: BTreeMap::new(), next: next? };
        let entries = body.expect_map(scope.problems)?;
        if entries.is_empty() {
            scope.problem(&body.at, "`set` sets nothing");
        }
        for entry in entries {
            let Some(text) = entry.node.expect_text(scope.problems) else { continue };
            if entry.key != FIELDS[0].name {
                scope.values.insert(entry.key.as_str().into());
                set.values.insert(entry.key.as_str().into(), text.to_string());
                continue;
            }
            set.language = Language::new(text).filter(|language| scope.languages.contains(language));
            if set.language.is_none() {
                let languages: Vec<String> = scope.languages.iter().map(Language::to_string).collect();
                scope.choose(&entry.node.at, format!("the flow does not speak `{text}`"), languages);
            }
        }
        Some(set)
    }

    pub fn enter(&self, walk: &mut Walk) -> Next {
        if let Some(language) = self.language.filter(|language| *language != walk.session.language) {
            walk.session.language = language;
            walk.out.push(Action::Language(language));
        }
        for (name, value) in &self.values {
            walk.session.values.insert(name.clone(), Gathered { value: Phi(value.clone()), secret: false });
        }
        Next::Go(self.next.clone(), StepOutcome::Done)
    }
}
