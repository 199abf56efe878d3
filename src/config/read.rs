//! YAML and TOML to trees that know line and column at every node.

use crate::model::tree::{Entry, Node, Value};
use crate::model::{Problem, Spot};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput};
use std::ops::Range;
use std::sync::Arc;
use toml_edit::{Document, Item, TableLike, Value as Toml};

/// Reads YAML; scalars stay as written.
pub fn yaml(file: &Arc<str>, text: &str) -> Result<Node, Problem> {
    let mut reader = Yaml { file, events: Parser::new_from_str(text), depth: 0 };
    let mut document = None;
    loop {
        match reader.next()? {
            (Event::DocumentStart(_), at) if document.is_some() => return Err(at.problem("one document belongs in a file")),
            (Event::DocumentStart(_), _) => {
                let first = reader.next()?;
                document = Some(reader.node(first)?);
            }
            (Event::StreamEnd, at) => return document.ok_or_else(|| at.problem("the file is empty")),
            _ => {}
        }
    }
}

struct Yaml<'a> {
    file: &'a Arc<str>,
    events: Parser<'a, StrInput<'a>>,
    depth: usize,
}

impl<'a> Yaml<'a> {
    const DEPTH_MAX: usize = 32;

    fn next(&mut self) -> Result<(Event<'a>, Spot), Problem> {
        match self.events.next_event() {
            Some(Ok((event, span))) => Ok((event, self.spot(span.start))),
            Some(Err(error)) => Err(self.spot(*error.marker()).problem(format!("not YAML: {}", error.info()))),
            None => Err(Spot::new(self.file, 1, 1).problem("not YAML: it ends too early")),
        }
    }

    fn spot(&self, marker: Marker) -> Spot {
        Spot::new(self.file, small(marker.line()), small(marker.col() + 1))
    }

    fn node(&mut self, (event, at): (Event<'a>, Spot)) -> Result<Node, Problem> {
        self.depth += 1;
        if self.depth > Self::DEPTH_MAX {
            return Err(at.problem("this is nested too deeply"));
        }
        let value = match event {
            Event::Scalar(text, style, _, None) => {
                Value::Scalar { text: text.trim_end_matches('\n').to_string(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(_, None) => self.list()?,
            Event::MappingStart(_, None) => self.map()?,
            _ => return Err(at.problem("tags and aliases have no place here")),
        };
        self.depth -= 1;
        Ok(Node { at, value })
    }

    fn list(&mut self) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                item => items.push(self.node(item)?),
            }
        }
    }

    fn map(&mut self) -> Result<Value, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (key, key_at) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                (key, at) => (self.node((key, at.clone()))?, at),
            };
            let Value::Scalar { text: key, plain } = key.value else { return Err(key_at.problem("a name belongs here")) };
            if entries.iter().any(|entry| entry.key == key) {
                return Err(key_at.problem(format!("`{key}` stands here twice")));
            }
            let value = self.next()?;
            entries.push(Entry { key, key_at, plain, node: self.node(value)? });
        }
    }
}

/// Reads TOML.
pub fn toml(file: &Arc<str>, text: &str) -> Result<Node, Problem> {
    let lines = Lines { file, text };
    let document = Document::parse(text)
        .map_err(|error| lines.spot(error.span()).problem(format!("not TOML: {}", error.message().replace('\n', ", "))))?;
    Ok(lines.item(document.as_item(), Some(0..0)))
}

struct Lines<'a> {
    file: &'a Arc<str>,
    text: &'a str,
}

impl Lines<'_> {
    fn item(&self, item: &Item, key: Option<Range<usize>>) -> Node {
        match item {
            Item::None => Node { at: self.spot(key), value: Value::Scalar { text: String::new(), plain: true } },
            Item::Value(value) => self.value(value, key),
            Item::Table(table) => self.table(table, table.span().or(key)),
            Item::ArrayOfTables(tables) => {
                let items = tables.iter().map(|table| self.table(table, table.span().or(key.clone()))).collect();
                Node { at: self.spot(tables.span().or(key.clone())), value: Value::List(items) }
            }
        }
    }

    fn value(&self, value: &Toml, key: Option<Range<usize>>) -> Node {
        let span = value.span().or(key);
        let at = self.spot(span.clone());
        let scalar = |text: String, plain: bool| Value::Scalar { text, plain };
        let value = match value {
            Toml::String(text) => scalar(text.value().clone(), false),
            Toml::Integer(number) => scalar(number.value().to_string(), true),
            Toml::Float(number) => scalar(number.value().to_string(), true),
            Toml::Boolean(flag) => scalar(flag.value().to_string(), true),
            Toml::Datetime(time) => scalar(time.value().to_string(), true),
            Toml::Array(items) => Value::List(items.iter().map(|item| self.value(item, span.clone())).collect()),
            Toml::InlineTable(table) => return self.table(table, span),
        };
        Node { at, value }
    }

    fn table(&self, table: &dyn TableLike, span: Option<Range<usize>>) -> Node {
        let entries = table.iter().map(|(name, item)| {
            let key = table.key(name).and_then(toml_edit::Key::span).or(span.clone());
            Entry { key: name.to_string(), key_at: self.spot(key.clone()), plain: false, node: self.item(item, key) }
        });
        Node { at: self.spot(span.clone()), value: Value::Map(entries.collect()) }
    }

    fn spot(&self, span: Option<Range<usize>>) -> Spot {
        let start = span.map_or(0, |span| span.start).min(self.text.len());
        let before = &self.text.as_bytes()[..start];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Spot::new(self.file, small(line), small(column))
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(node: &Node, path: &str, out: &mut Vec<String>) {
        out.push(format!("{path}@{}:{}", node.at.line, node.at.column));
        for (index, item) in node.list().unwrap_or(&[]).iter().enumerate() {
            places(item, &format!("{path}[{index}]"), out);
        }
        for entry in node.map().unwrap_or(&[]) {
            let quotes = if entry.plain { "" } else { "\"" };
            out.push(format!("{path}.{quotes}{}@{}:{}", entry.key, entry.key_at.line, entry.key_at.column));
            places(&entry.node, &format!("{path}.{}", entry.key), out);
        }
    }

    #[test]
    fn yaml_keeps_its_places() {
        let tree = yaml(&"f".into(), "a: 1\n\"0\": {b: [x, 'y z']}\n").unwrap();
        let mut out = Vec::new();
        places(&tree, "", &mut out);
        let expected = ["@1:1", ".a@1:1", ".a@1:4", ".\"0@2:1", ".0@2:6", ".0.b@2:7", ".0.b@2:10", ".0.b[0]@2:11", ".0.b[1]@2:14"];
        assert_eq!(out, expected);
        assert_eq!(tree.get("a").unwrap().scalar(), Some("1"));
    }

    #[test]
    fn toml_keeps_its_places() {
        let tree = toml(&"f".into(), "a = 1\n[t.\"é\"]\nb = [true, \"x\"]\nc = {d = 2}\n").unwrap();
        let mut out = Vec::new();
        places(&tree, "", &mut out);
        let expected = [
            "@1:1",
            ".\"a@1:1",
            ".a@1:5",
            ".\"t@2:2",
            ".t@2:2",
            ".t.\"é@2:4",
            ".t.é@2:1",
            ".t.é.\"b@3:1",
            ".t.é.b@3:5",
            ".t.é.b[0]@3:6",
            ".t.é.b[1]@3:12",
            ".t.é.\"c@4:1",
            ".t.é.c@4:5",
            ".t.é.c.\"d@4:6",
            ".t.é.c.d@4:10",
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        assert_eq!(yaml(&"f".into(), "a: 1\nb: [\n").unwrap_err().line, 3);
        assert_eq!(yaml(&"f".into(), "a: 1\na: 2\n").unwrap_err().line, 2);
        assert_eq!(yaml(&"f".into(), "a: &x 1\nb: *x\n").unwrap_err().cause, "tags and aliases have no place here");
        assert_eq!(yaml(&"f".into(), "a: 1\n---\nb: 1\n").unwrap_err().line, 2);
        assert_eq!(yaml(&"f".into(), &"[".repeat(100)).unwrap_err().cause, "this is nested too deeply");
        assert_eq!(toml(&"f".into(), "a = 1\nb = \n").unwrap_err().line, 2);
    }
}
