//! What a block of a file may say: its fields, and the reading of one block by them.
//!
//! The reference manual and the checks come from the same tables.

use super::problem::{Problem, Spot};
use super::tree::Node;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One field of a block. Tables of fields are `const FIELDS` beside the code that reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    pub presence: Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
    /// As if this had been written.
    Default(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or free text.
    Text,
    /// The name of a step of the same flow.
    Step,
    /// The name of something in the configuration.
    Name,
    /// A span of time with its unit.
    Span,
    /// A span that must pass before something happens, [`TIMEOUT_MIN`] at least: with less the centre would spin, or a telephone never ring.
    Timeout,
    Count,
    Flag,
    /// Quoted keys of a telephone, each with the step it leads to.
    Keys,
    /// What is spoken.
    Say,
    /// A requirement or a condition.
    Expression,
    List,
    Map,
}

/// The least of [`Kind::Timeout`].
pub const TIMEOUT_MIN: Duration = Duration::from_secs(1);

impl Kind {
    pub fn label(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Step => "step",
            Kind::Name => "name",
            Kind::Span => "time with unit",
            Kind::Timeout => "time with unit, 1s at least",
            Kind::Count => "number",
            Kind::Flag => "true or false",
            Kind::Keys => "quoted keys, each with a step",
            Kind::Say => "prompts",
            Kind::Expression => "expression",
            Kind::List => "list",
            Kind::Map => "map",
        }
    }
}

impl Field {
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Field {
        Field { name, kind, doc, presence: Presence::Required }
    }
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Field {
        Field { name, kind, doc, presence: Presence::Optional }
    }
    pub const fn default(name: &'static str, kind: Kind, doc: &'static str, value: &'static str) -> Field {
        Field { name, kind, doc, presence: Presence::Default(value) }
    }
}

/// The fields as a table of the manual.
pub fn table(fields: &[Field]) -> String {
    let mut text = String::from("| field | kind | meaning | if absent |\n|---|---|---|---|\n");
    for field in fields {
        let absent = match field.presence {
            Presence::Required => "required".to_string(),
            Presence::Optional => String::new(),
            Presence::Default("") => "nothing".to_string(),
            Presence::Default(value) => format!("`{value}`"),
        };
        text += &format!("| `{}` | {} | {} | {absent} |\n", field.name, field.kind.label(), field.doc);
    }
    text
}

/// One block, its unknown and missing fields already reported.
pub struct Reader<'a> {
    pub at: Spot,
    block: &'a Node,
    fields: &'static [Field],
}

impl<'a> Reader<'a> {
    /// `what` names the block in messages: `menu`, `[queues.billing]`.
    pub fn open(block: &'a Node, what: &str, fields: &'static [Field], problems: &mut Vec<Problem>) -> Option<Reader<'a>> {
        for entry in block.expect_map(problems)? {
            if !fields.iter().any(|field| field.name == entry.key) {
                let names = fields.iter().map(|field| field.name);
                problems.push(entry.key_at.choose(format!("{what} has no field `{}`", entry.key), names));
            }
        }
        for field in fields.iter().filter(|field| field.presence == Presence::Required && block.get(field.name).is_none()) {
            problems.push(block.at.problem(format!("{what} needs `{}`: {}", field.name, field.doc)));
        }
        Some(Reader { at: block.at.clone(), block, fields })
    }

    /// A block whose unknown and missing fields the caller reports.
    pub fn of(block: &'a Node, fields: &'static [Field]) -> Reader<'a> {
        Reader { at: block.at.clone(), block, fields }
    }

    pub fn node(&self, name: &str) -> Option<&'a Node> {
        debug_assert!(self.fields.iter().any(|field| field.name == name), "`{name}` is missing from its table");
        self.block.get(name)
    }

    pub fn text(&self, name: &str, problems: &mut Vec<Problem>) -> Option<&'a str> {
        match self.node(name) {
            Some(node) => node.expect_text(problems),
            None => self.default_of(name),
        }
    }

    pub fn span(&self, name: &str, problems: &mut Vec<Problem>) -> Option<Duration> {
        match self.node(name) {
            Some(node) if self.fields.iter().any(|field| field.name == name && field.kind == Kind::Timeout) => {
                read_timeout(name, node, problems)
            }
            Some(node) => read_span(node, problems),
            None => self.default_of(name).map(|text| parse_span(text).expect("defaults are valid spans")),
        }
    }

    pub fn count(&self, name: &str, valid: RangeInclusive<u64>, problems: &mut Vec<Problem>) -> Option<u64> {
        match self.node(name) {
            Some(node) => read_count(node, valid, problems),
            None => self.default_of(name).map(|text| text.parse().expect("defaults are valid numbers")),
        }
    }

    pub fn flag(&self, name: &str, problems: &mut Vec<Problem>) -> Option<bool> {
        match self.node(name).map(|node| (node, node.scalar())) {
            None => self.default_of(name).map(|text| text == "true"),
            Some((_, Some("true"))) => Some(true),
            Some((_, Some("false"))) => Some(false),
            Some((node, _)) => {
                problems.push(node.at.choose(format!("`{name}` is a flag"), ["true", "false"]));
                None
            }
        }
    }

    /// Reads a word out of a table; reports one that is not in it.
    pub fn word<T: Copy>(&self, name: &str, table: &[(&'static str, T)], problems: &mut Vec<Problem>) -> Option<T> {
        let text = self.text(name, problems)?;
        let found = table.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if let (None, Some(node)) = (found, self.node(name)) {
            problems.push(node.at.choose(format!("`{name}` cannot be `{text}`"), table.iter().map(|(word, _)| *word)));
        }
        found
    }

    /// The texts of a list; a single text is a list of one.
    pub fn texts(&self, name: &str, problems: &mut Vec<Problem>) -> Vec<(&'a str, &'a Spot)> {
        let Some(node) = self.node(name) else { return Vec::new() };
        let nodes = if node.scalar().is_some() { std::slice::from_ref(node) } else { node.expect_list(problems).unwrap_or(&[]) };
        nodes.iter().filter_map(|item| item.expect_text(problems).map(|text| (text, &item.at))).collect()
    }

    fn default_of(&self, name: &str) -> Option<&'static str> {
        match self.fields.iter().find(|field| field.name == name).expect("a field of the table").presence {
            Presence::Default(text) => Some(text),
            _ => None,
        }
    }
}

pub fn read_span(node: &Node, problems: &mut Vec<Problem>) -> Option<Duration> {
    let text = node.expect_text(problems)?;
    let span = parse_span(text);
    if span.is_none() {
        let cause = if text.parse::<f64>().is_ok() { format!("`{text}` has no unit") } else { format!("`{text}` is not a span of time") };
        problems.push(node.at.choose(cause, ["500ms", "20s", "5m", "1m30s", "2h"]));
    }
    span
}

/// A span of [`TIMEOUT_MIN`] or longer.
pub fn read_timeout(name: &str, node: &Node, problems: &mut Vec<Problem>) -> Option<Duration> {
    let span = read_span(node, problems)?;
    if span < TIMEOUT_MIN {
        problems.push(node.at.choose(format!("`{name}` is shorter than a second"), ["1s", "20s", "5m", "1m30s", "2h"]));
        return None;
    }
    Some(span)
}

/// `500ms`, `20s`, `1m30s`, `2h`: whole numbers, each with its unit; at most 31 days.
pub fn parse_span(text: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let millis = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(millis)?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty() && total <= 31 * 86_400_000).then(|| Duration::from_millis(total))
}

pub fn read_count(node: &Node, valid: RangeInclusive<u64>, problems: &mut Vec<Problem>) -> Option<u64> {
    let text = node.expect_text(problems)?;
    let number = text.parse().ok().filter(|number| valid.contains(number));
    if number.is_none() {
        problems.push(node.at.choose(format!("`{text}` is not a number that fits here"), [format!("{}–{}", valid.start(), valid.end())]));
    }
    number
}

/// The nearest of `names` to what was written, for "did you mean"; then all of them, in order.
pub fn nearest_first<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| (distance(written, name) > 2, *name));
    names.into_iter().map(String::from).collect()
}

/// Levenshtein's distance, by bytes.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let substitute = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_carries_its_unit() {
        let spans = [("500ms", 500), ("20s", 20_000), ("1m30s", 90_000), ("2h", 7_200_000), ("0s", 0)];
        for (text, millis) in spans {
            assert_eq!(parse_span(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "20", "s", "20 s", "1.5s", "20sec", "-1s", "99999999999999999999s", "32d"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_finds_its_neighbour_first() {
        assert_eq!(nearest_first("biling", ["appointments", "billing", "nurse"]), ["billing", "appointments", "nurse"]);
    }
}
