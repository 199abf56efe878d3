//! What a step says: prompts, already chosen for every language.

use super::scope::Scope;
use crate::model::schema::{Field, Kind, Reader, nearest_first};
use crate::model::tree::Node;
use crate::model::{Language, Prompt, Spot};
use std::collections::BTreeMap;

/// Spoken words. Every language of the flow has its own list; it is the same list where the flow speaks in all languages at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Say {
    pub prompts: BTreeMap<Language, Vec<Prompt>>,
    /// A key ends it.
    pub barge_in: bool,
    /// Every language in turn, whatever the caller's.
    pub in_all: bool,
}

pub const FIELDS: &[Field] = &[
    Field::optional("prompt", Kind::Name, "the prompt to play"),
    Field::optional("prompts", Kind::List, "several prompts, in this order"),
    Field::optional("text", Kind::Map, "the words in each language; a prompt with these words must have been made beforehand"),
    Field::default(
        "in",
        Kind::Text,
        "`caller`: the caller's language; `all`: every language in turn; `own`: each prompt in the language that it exists in",
        "caller",
    ),
    Field::default("barge_in", Kind::Flag, "whether a key ends it; keys pressed while it may not be ended are kept", "true"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    Caller,
    All,
    Own,
}

impl Say {
    /// The prompts for a caller's language; the flow's first language where the caller's is not one of the flow's.
    pub fn in_language(&self, language: Language) -> &[Prompt] {
        self.prompts.get(&language).or_else(|| self.prompts.values().next()).map_or(&[], Vec::as_slice)
    }

    pub fn read(node: &Node, scope: &mut Scope) -> Option<Say> {
        let before = scope.problems.len();
        let reader = Reader::open(node, "say", FIELDS, scope.problems)?;
        let table = [("caller", In::Caller), ("all", In::All), ("own", In::Own)];
        let language = reader.word("in", &table, scope.problems);
        let barge_in = reader.flag("barge_in", scope.problems);
        let written = [reader.node("prompt"), reader.node("prompts"), reader.node("text")];
        let prompts = match written.iter().flatten().count() {
            1 => match reader.node("text") {
                Some(text) => worded(text, scope),
                None => named(&reader, language == Some(In::Own), scope),
            },
            _ => {
                scope.choose(&node.at, "say exactly one of these", ["prompt", "prompts", "text"]);
                return None;
            }
        };
        let prompts = match language? {
            In::Caller => prompts,
            In::All | In::Own => in_turn(&prompts, &scope.languages),
        };
        let say = Say { prompts, barge_in: barge_in?, in_all: language == Some(In::All) };
        (scope.problems.len() == before).then_some(say)
    }

    /// A prompt that the flow says on its own account, such as "that is not a valid choice".
    pub fn named(name: &str, at: &Spot, scope: &mut Scope) -> Say {
        let mut say = Say { barge_in: true, ..Say::default() };
        for language in scope.languages.clone() {
            find(name, language, at, scope);
            say.prompts.insert(language, vec![Prompt::new(language, name)]);
        }
        say
    }
}

fn named(reader: &Reader, own: bool, scope: &mut Scope) -> BTreeMap<Language, Vec<Prompt>> {
    let mut names = reader.texts("prompt", scope.problems);
    names.extend(reader.texts("prompts", scope.problems));
    let mut prompts: BTreeMap<Language, Vec<Prompt>> = BTreeMap::new();
    for language in scope.languages.clone() {
        let of_language = prompts.entry(language).or_default();
        for (name, at) in &names {
            let exists = |language: &Language| scope.names.prompts.get(language).is_some_and(|known| known.contains_key(*name));
            let elsewhere = own && scope.languages.iter().any(exists);
            if elsewhere && !exists(&language) {
                continue;
            }
            if find(name, language, at, scope) {
                of_language.push(Prompt::new(language, name));
            }
        }
    }
    prompts
}

fn find(name: &str, language: Language, at: &Spot, scope: &mut Scope) -> bool {
    let known = scope.names.prompts.get(&language);
    let found = known.is_some_and(|known| known.contains_key(name));
    if !found {
        let others = known.into_iter().flat_map(BTreeMap::keys).map(|name| &**name);
        let near: Vec<String> = nearest_first(name, others).into_iter().take(5).collect();
        scope.choose(at, format!("there is no prompt `{name}` in `{language}`: prompts/{language}/{name}.wav"), near);
    }
    found
}

/// Finds the prompts that say these words.
fn worded(node: &Node, scope: &mut Scope) -> BTreeMap<Language, Vec<Prompt>> {
    let mut prompts = BTreeMap::new();
    for entry in node.expect_map(scope.problems).unwrap_or(&[]) {
        let language = Language::new(&entry.key).filter(|language| scope.languages.contains(language));
        let (Some(language), Some(words)) = (language, entry.node.expect_text(scope.problems)) else {
            if language.is_none() {
                let languages: Vec<String> = scope.languages.iter().map(Language::to_string).collect();
                scope.choose(&entry.key_at, format!("the flow does not speak `{}`", entry.key), languages);
            }
            continue;
        };
        let known = scope.names.prompts.get(&language);
        match known.and_then(|known| known.iter().find(|(_, spoken)| spoken.trim() == words.trim())) {
            Some((name, _)) => {
                prompts.insert(language, vec![Prompt::new(language, name)]);
            }
            None => {
                let cause = format!("no prompt says this in `{language}`: add it to the manifest and make it with tools/voices/speak.py");
                scope.problem(&entry.node.at, cause);
            }
        }
    }
    for language in scope.languages.clone() {
        if node.map().is_some() && node.get(language.as_str()).is_none() {
            scope.problem(&node.at, format!("the words are missing in `{language}`"));
        }
    }
    prompts
}

fn in_turn(prompts: &BTreeMap<Language, Vec<Prompt>>, languages: &[Language]) -> BTreeMap<Language, Vec<Prompt>> {
    let all: Vec<Prompt> = languages.iter().filter_map(|language| prompts.get(language)).flatten().cloned().collect();
    languages.iter().map(|language| (*language, all.clone())).collect()
}
