//! Who may call out, where to, and from where an emergency call comes.

use super::trunks::Trunk;
use crate::model::schema::{Field, Kind, Reader, nearest_first};
use crate::model::tree::{Entry, Node};
use crate::model::{AgentId, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What stations may dial beside the codes of the house.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outward {
    /// The trunk of emergency calls.
    pub emergency: Option<Arc<str>>,
    pub rules: Vec<Rule>,
    /// Where each station is, by its owner.
    pub locations: BTreeMap<AgentId, Location>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub numbers: Vec<Pattern>,
    pub trunk: Arc<str>,
    /// Digits taken off the front of what was dialled, and what is then put there.
    pub strip: usize,
    pub prepend: String,
    /// Shown to whoever is called.
    pub caller: String,
    /// `None`: every agent.
    pub agents: Option<BTreeSet<AgentId>>,
}

/// Digits, and letters for any of several: `X` 0–9, `Z` 1–9, `N` 2–9. `.` at the end stands for one digit or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// A place as RFC 5139 says it, and who answers when it is called back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// RFC 5139's element and what it says.
    pub civic: Vec<(&'static str, String)>,
    pub callback: Option<String>,
}

/// Where a call of an agent's goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub trunk: Arc<str>,
    pub number: String,
    pub caller: String,
}

impl Outward {
    /// The first rule that lets this agent dial this.
    pub fn route(&self, agent: AgentId, dialled: &str) -> Option<Route> {
        let may = |rule: &&Rule| rule.agents.as_ref().is_none_or(|agents| agents.contains(&agent));
        let rule = self.rules.iter().filter(may).find(|rule| rule.numbers.iter().any(|pattern| pattern.fits(dialled)))?;
        let number = format!("{}{}", rule.prepend, dialled.get(rule.strip..)?);
        Some(Route { trunk: rule.trunk.clone(), number, caller: rule.caller.clone() })
    }
}

impl Pattern {
    pub fn read(text: &str) -> Option<Pattern> {
        let body = text.strip_suffix('.').unwrap_or(text);
        let known = !body.is_empty() && body.chars().all(|c| c.is_ascii_digit() || "XZN".contains(c));
        known.then(|| Pattern(text.to_string()))
    }

    /// Whether it may be a prefix alone, and how long what it fits is at least.
    fn length(&self) -> usize {
        self.0.len()
    }

    pub fn fits(&self, dialled: &str) -> bool {
        let (body, open) = self.0.strip_suffix('.').map_or((&self.0[..], false), |body| (body, true));
        let long = if open { dialled.len() > body.len() && dialled.len() <= 32 } else { dialled.len() == body.len() };
        let fit = |(want, digit): (char, char)| match want {
            'X' => digit.is_ascii_digit(),
            'Z' => ('1'..='9').contains(&digit),
            'N' => ('2'..='9').contains(&digit),
            want => want == digit,
        };
        long && dialled.bytes().all(|byte| byte.is_ascii_digit()) && body.chars().zip(dialled.chars()).all(fit)
    }
}

pub const FIELDS: &[Field] = &[
    Field::required("numbers", Kind::List, "what may be dialled: digits, `X` 0–9, `Z` 1–9, `N` 2–9, `.` at the end for more: 9NXXNXXXXXX"),
    Field::required("trunk", Kind::Name, "the trunk through which it goes"),
    Field::default("strip", Kind::Count, "digits taken off the front", "0"),
    Field::default("prepend", Kind::Text, "put in front instead: +1", ""),
    Field::required("caller", Kind::Text, "the number shown to whoever is called"),
    Field::optional("agents", Kind::List, "who may dial so; everybody if absent"),
];

pub const LOCATION_FIELDS: &[Field] = &[
    Field::required("country", Kind::Text, "two letters: US"),
    Field::optional("state", Kind::Text, "state or region: IL"),
    Field::optional("city", Kind::Text, "city"),
    Field::optional("street", Kind::Text, "street"),
    Field::optional("number", Kind::Text, "house number"),
    Field::optional("floor", Kind::Text, "floor"),
    Field::optional("room", Kind::Text, "room"),
    Field::optional("postal_code", Kind::Text, "postal code"),
    Field::optional("callback", Kind::Text, "the number at which this place is called back: +13125550100"),
];

/// The fields' elements of RFC 5139.
const ELEMENTS: [(&str, &str); 8] = [
    ("country", "country"),
    ("state", "A1"),
    ("city", "A3"),
    ("street", "RD"),
    ("number", "HNO"),
    ("floor", "FLR"),
    ("room", "ROOM"),
    ("postal_code", "PC"),
];

/// The blocks `outward` and `locations`, and where each agent's station is.
pub fn read(
    root: &Node,
    trunks: &[Trunk],
    agents: &BTreeSet<AgentId>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Outward {
    let places = locations(root, problems);
    let mut at = BTreeMap::new();
    for entry in root.get("agents").and_then(Node::map).unwrap_or(&[]) {
        let Some(node) = entry.node.get("location") else { continue };
        let place = one_of(node, "location", &places, problems).cloned();
        at.extend(entry.key.parse().ok().map(AgentId).zip(place));
    }
    let emergency = trunks.iter().find(|trunk| trunk.emergency).map(|trunk| trunk.name.clone());
    if let (None, Some(sip)) = (&emergency, root.get("sip")) {
        let cause = "no trunk is marked `emergency`: who dials 911 at a station is told to use another telephone";
        warnings.push(sip.at.problem(cause));
    }
    let rules = entries(root, "outward", problems).iter().filter_map(|entry| rule(&entry.key, &entry.node, trunks, agents, problems));
    Outward { emergency, rules: rules.collect(), locations: at }
}

fn entries<'a>(root: &'a Node, block: &str, problems: &mut Vec<Problem>) -> &'a [Entry] {
    root.get(block).and_then(|node| node.expect_map(problems)).unwrap_or(&[])
}

/// What a name stands for in a table.
fn one_of<'a, T>(node: &Node, what: &str, table: &'a BTreeMap<Arc<str>, T>, problems: &mut Vec<Problem>) -> Option<&'a T> {
    let name = node.expect_text(problems)?;
    let found = table.get(name);
    if found.is_none() {
        let choices = nearest_first(name, table.keys().map(|known| &**known));
        problems.push(node.at.choose(format!("there is no {what} `{name}`"), choices));
    }
    found
}

fn locations(root: &Node, problems: &mut Vec<Problem>) -> BTreeMap<Arc<str>, Location> {
    let mut places = BTreeMap::new();
    for entry in entries(root, "locations", problems) {
        let Some(reader) = Reader::open(&entry.node, &format!("[locations.{}]", entry.key), LOCATION_FIELDS, problems) else { continue };
        let said = ELEMENTS.iter().filter_map(|(field, element)| Some((*element, reader.text(field, problems)?.to_string())));
        let civic = said.collect();
        let callback = reader.text("callback", problems).map(String::from);
        places.insert(entry.key.as_str().into(), Location { civic, callback });
    }
    places
}

fn rule(name: &str, node: &Node, trunks: &[Trunk], agents: &BTreeSet<AgentId>, problems: &mut Vec<Problem>) -> Option<Rule> {
    let reader = Reader::open(node, &format!("[outward.{name}]"), FIELDS, problems)?;
    let mut numbers = Vec::new();
    for (text, at) in reader.texts("numbers", problems) {
        match Pattern::read(text) {
            Some(pattern) => numbers.push(pattern),
            None => problems.push(at.choose(format!("`{text}` is not what can be dialled"), ["9NXXNXXXXXX", "9011."])),
        }
    }
    let known: BTreeMap<Arc<str>, &Trunk> = trunks.iter().map(|trunk| (trunk.name.clone(), trunk)).collect();
    let trunk = reader.node("trunk").and_then(|node| {
        let trunk = *one_of(node, "trunk", &known, problems)?;
        if trunk.peers.is_empty() {
            problems.push(node.at.problem(format!("the trunk `{}` has no `peers`: no call can go there", trunk.name)));
        }
        Some(trunk.name.clone())
    });
    let strip = reader.count("strip", 0..=20, problems);
    if let (Some(node), Some(strip)) = (reader.node("strip"), strip)
        && numbers.iter().any(|pattern| pattern.length() <= strip as usize)
    {
        problems.push(node.at.problem(format!("nothing is left of a number after {strip} digits are taken off")));
    }
    let prepend = reader.text("prepend", problems).map(String::from);
    let caller = reader.text("caller", problems).map(String::from);
    let mut allowed = BTreeSet::new();
    for (text, at) in reader.texts("agents", problems) {
        match text.parse().ok().map(AgentId).filter(|agent| agents.contains(agent)) {
            Some(agent) => drop(allowed.insert(agent)),
            None => problems.push(at.choose(format!("there is no agent `{text}`"), agents.iter().map(AgentId::to_string))),
        }
    }
    let agents = reader.node("agents").map(|_| allowed);
    Some(Rule { numbers, trunk: trunk?, strip: strip? as usize, prepend: prepend?, caller: caller?, agents })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_what_it_says() {
        let fits = |pattern: &str, dialled: &str| Pattern::read(pattern).expect("a pattern").fits(dialled);
        assert!(fits("9NXXNXXXXXX", "93125550123"));
        for other in ["93125550", "931255501234", "91125550123", "83125550123", "9312555012x", "", "+3125550123"] {
            assert!(!fits("9NXXNXXXXXX", other), "{other}");
        }
        assert!(fits("9011.", "901144") && !fits("9011.", "9011") && !fits("9011.", &format!("9011{}", "1".repeat(40))));
        for bad in ["", ".", "9Y", "9.1", "+1", "*10"] {
            assert_eq!(Pattern::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_rule_that_lets_the_agent_dial_takes_the_call() {
        let rule = |trunk: &str, pattern: &str, agents: Option<BTreeSet<AgentId>>| Rule {
            numbers: vec![Pattern::read(pattern).expect("a pattern")],
            trunk: trunk.into(),
            strip: 1,
            prepend: "+1".into(),
            caller: "+13125550100".into(),
            agents,
        };
        let only = Some(BTreeSet::from([AgentId(1001)]));
        let outward = Outward { rules: vec![rule("one", "9NXXNXXXXXX", only), rule("two", "9312555XXXX", None)], ..Outward::default() };
        let trunk = |agent, dialled: &str| outward.route(AgentId(agent), dialled).map(|route| (route.trunk.to_string(), route.number));
        assert_eq!(trunk(1001, "92175550123"), Some(("one".into(), "+12175550123".into())));
        assert_eq!(trunk(1002, "92175550123"), None);
        assert_eq!(trunk(1002, "93125550123"), Some(("two".into(), "+13125550123".into())));
        assert_eq!(trunk(1001, "0114420"), None);
    }
}
