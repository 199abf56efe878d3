//! What of a configuration's sources may leave the house: all that the core goes by, and nobody who is in it.

use crate::model::sources::PromptNames;
use crate::model::tree::{Entry, Node, Value};
use crate::model::{Sources, Spot};
use std::path::Path;

/// The blocks that the core goes by. Any other stays at home: addresses, accounts, tokens, directories, places.
const BLOCKS: [&str; 8] = ["centre", "recording", "rules", "calendars", "skills", "queues", "agents", "numbers"];
/// …and of these blocks only this.
const CENTRE: [&str; 2] = ["languages", "zone"];
const AGENT: [&str; 3] = ["skills", "queues", "language"];
/// What an agent must have, and whoever replays needs not.
const NO_PASSWORD: &str = "none";
/// So many digits in a row are somebody's number, wherever they stand.
const NUMBER: usize = 7;

/// Who takes the places of people.
pub trait Inventor {
    /// In place of a number, or of digits with which a flow compares what callers enter.
    fn digits(&mut self, digits: &str) -> String;
    /// In place of an agent's name.
    fn name(&mut self, name: &str) -> String;
}

/// The same sources without people: a centre can be built of them that decides as this one does.
pub fn without_people(sources: &Sources, by: &mut dyn Inventor) -> Sources {
    let Sources { root, flows, prompts, numbers } = sources;
    let entries = root.map().unwrap_or(&[]).iter().filter(|entry| BLOCKS.contains(&&*entry.key));
    let blocks = entries.map(|entry| Entry { node: block(entry, by), ..with_key(entry, by) }).collect();
    let root = Node { at: place(&root.at), value: Value::Map(blocks) };
    let flows = flows.iter().map(|(file, tree)| (name_of(file).into(), flow(tree, by))).collect();
    let mut words = PromptNames::new();
    for (language, prompts) in prompts {
        let said = |(name, words): (&std::sync::Arc<str>, &String)| (name.clone(), scrubbed(words, NUMBER, by));
        words.insert(*language, prompts.iter().map(said).collect());
    }
    Sources { root, flows, prompts: words, numbers: numbers.clone() }
}

fn block(entry: &Entry, by: &mut dyn Inventor) -> Node {
    match &*entry.key {
        "centre" => only(&CENTRE, &entry.node, by),
        "agents" => {
            let agents = entry.node.map().unwrap_or(&[]).iter();
            let agents = agents.map(|entry| Entry { node: agent(&entry.node, by), ..with_key(entry, by) }).collect();
            Node { at: place(&entry.node.at), value: Value::Map(agents) }
        }
        _ => rest(&entry.node, NUMBER, by),
    }
}

fn agent(node: &Node, by: &mut dyn Inventor) -> Node {
    let mut kept = only(&AGENT, node, by);
    let said = |key: &str, text: String| {
        let node = Node { at: place(&node.at), value: Value::Scalar { text, plain: false } };
        Entry { key: key.into(), key_at: node.at.clone(), plain: true, node }
    };
    if let Value::Map(entries) = &mut kept.value {
        entries.push(said("name", by.name(node.get("name").and_then(Node::scalar).unwrap_or_default())));
        entries.push(said("password", NO_PASSWORD.into()));
    }
    kept
}

/// These fields of a map.
fn only(fields: &[&str], node: &Node, by: &mut dyn Inventor) -> Node {
    let entries = node.map().unwrap_or(&[]).iter().filter(|entry| fields.contains(&&*entry.key));
    let kept = entries.map(|entry| Entry { node: rest(&entry.node, NUMBER, by), ..with_key(entry, by) }).collect();
    Node { at: place(&node.at), value: Value::Map(kept) }
}

/// A flow without its tests: those say who calls.
fn flow(tree: &Node, by: &mut dyn Inventor) -> Node {
    let entries = tree.map().unwrap_or(&[]).iter().filter(|entry| entry.key != "tests");
    let kept = entries.map(|entry| Entry { node: rest(&entry.node, NUMBER, by), ..with_key(entry, by) }).collect();
    Node { at: place(&tree.at), value: Value::Map(kept) }
}

/// `least`: so many digits in a row are exchanged. All are in what is compared with a caller's.
fn rest(node: &Node, least: usize, by: &mut dyn Inventor) -> Node {
    let value = match &node.value {
        Value::Scalar { text, plain } => Value::Scalar { text: scrubbed(text, least, by), plain: *plain },
        Value::List(items) => Value::List(items.iter().map(|item| rest(item, least, by)).collect()),
        Value::Map(entries) => {
            let inside = |entry: &Entry| if ["when", "set"].contains(&&*entry.key) { 1 } else { least };
            Value::Map(entries.iter().map(|entry| Entry { node: rest(&entry.node, inside(entry), by), ..with_key(entry, by) }).collect())
        }
    };
    Node { at: place(&node.at), value }
}

/// The entry's key; its node is to be given anew.
fn with_key(entry: &Entry, by: &mut dyn Inventor) -> Entry {
    let Entry { key, key_at, plain, node } = entry;
    let nothing = Node { at: place(&node.at), value: Value::List(Vec::new()) };
    Entry { key: scrubbed(key, NUMBER, by), key_at: place(key_at), plain: *plain, node: nothing }
}

/// Files by their names alone: where they lie is the machine's affair.
fn place(at: &Spot) -> Spot {
    Spot::new(&name_of(&at.file).into(), at.line, at.column)
}

fn name_of(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

/// Exchanges each run of so many digits; fewer than a number's only where they stand alone.
fn scrubbed(text: &str, least: usize, by: &mut dyn Inventor) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |length| start + length);
        let start = if rest[..start].ends_with('+') { start - 1 } else { start };
        let (before, digits) = (&rest[..start], &rest[start..end]);
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.');
        let alone = !joins(before.chars().next_back()) && !joins(rest[end..].chars().next());
        out += before;
        let count = digits.trim_start_matches('+').len();
        if count >= NUMBER || count >= least && alone {
            out += &by.digits(digits);
        } else {
            out += digits;
        }
        rest = &rest[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stars;

    impl Inventor for Stars {
        fn digits(&mut self, digits: &str) -> String {
            "*".repeat(digits.len())
        }
        fn name(&mut self, _: &str) -> String {
            "Somebody".into()
        }
    }

    #[test]
    fn numbers_go_wherever_they_stand_and_short_ones_where_they_are_compared() {
        let cases = [
            ("call +13125550142 now", 7, "call ************ now"),
            ("x13125550142y", 7, "x***********y"),
            ("2026-11-26, 30m, prompt2", 7, "2026-11-26, 30m, prompt2"),
            ("code == '4711' and step2 < 9", 1, "code == '****' and step2 < *"),
            ("ünder 12345678", 7, "ünder ********"),
            ("", 1, ""),
        ];
        for (text, least, expected) in cases {
            assert_eq!(scrubbed(text, least, &mut Stars), expected, "{text}");
        }
    }

    /// Of the shipped centre nothing is left but what the core goes by, and the core is the same.
    #[test]
    fn the_shipped_centre_is_the_same_without_people() {
        struct Kept;
        impl Inventor for Kept {
            fn digits(&mut self, digits: &str) -> String {
                digits.into()
            }
            fn name(&mut self, _: &str) -> String {
                "Somebody".into()
            }
        }
        let loaded = crate::config::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config")).unwrap();
        let outside = without_people(&loaded.sources, &mut Kept);
        let text = format!("{outside:?}");
        for word in ["Alice", "demo-1001", "demo-token", "riverside.example", "127.0.0", env!("CARGO_MANIFEST_DIR"), "../"] {
            assert!(!text.contains(word), "{word} is in it");
        }
        let mut again = crate::config::load_sources(&outside, loaded.at).unwrap();
        assert!(again.agents.values().all(|agent| &*agent.name == "Somebody"));
        for (id, agent) in &mut again.agents {
            agent.name = loaded.centre.agents[id].name.clone();
        }
        assert_eq!(again, loaded.centre);
    }
}
