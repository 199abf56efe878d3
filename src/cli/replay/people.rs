//! Invented people: for each text that is about somebody another that is about nobody, always the same, and no two alike.

use crate::acd::Config;
use crate::config::outside::Inventor;
use crate::ivr::expr::less;
use crate::ivr::node::Verb;
use crate::ivr::node::gather::is_date;
use crate::store::wire::Invent;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Numbers in area codes 201 to 999, exchange 555, lines 0100 to 0199: nobody's, by the numbering plan.
const NUMBERS: u64 = 799 * 100;
/// So many inventions are tried before one is taken that may compare otherwise.
const TRIES: u32 = 2_000;
/// Of so many digits each text that is about somebody is avoided as an invention too; of fewer there are too few.
const TELLING: usize = 5;

/// Whom each text has become.
pub struct People {
    /// Nobody without it can say which invention stands for whom.
    key: [u8; 32],
    table: BTreeMap<String, String>,
    given: BTreeSet<String>,
    /// Texts that are about people: none is given to another.
    met: BTreeSet<String>,
    /// Words and numbers of the house, which stay.
    house: BTreeSet<String>,
    /// What flows compare by `<`: inventions lie on the same side.
    ordered: BTreeSet<String>,
    numbers: u64,
    names: BTreeMap<String, Arc<str>>,
}

impl People {
    pub fn new(key: [u8; 32]) -> People {
        let house = ["0", "911", "9911", "anonymous"].map(String::from);
        let (table, given, met, ordered, names) = Default::default();
        People { key, table, given, met, house: house.into(), ordered, numbers: 0, names }
    }

    /// What a configuration says of the house: the numbers that callers dial, and what its flows compare and set.
    pub fn house(&mut self, config: &Config) {
        self.house.extend(config.numbers.keys().map(ToString::to_string));
        for verb in config.flows.values().flat_map(|flow| flow.steps.values()) {
            match verb {
                Verb::Branch(branch) => {
                    for (text, by_order) in branch.ways.iter().flat_map(|(condition, _)| condition.texts()) {
                        if by_order {
                            self.ordered.insert(text.to_string());
                            self.house.insert(text.to_string());
                        } else if !is_number(text) {
                            self.house.insert(text.to_string());
                        }
                    }
                }
                Verb::Set(set) => self.house.extend(set.values.values().filter(|text| !is_number(text)).cloned()),
                _ => {}
            }
        }
    }

    /// How many numbers and entries have been exchanged, and how many names.
    pub fn counts(&self) -> (usize, usize) {
        (self.table.len(), self.names.len())
    }

    pub fn other(&mut self, text: &str) -> String {
        let code = text.strip_prefix('*').is_some_and(|code| code.len() <= 2 && code.bytes().all(|byte| byte.is_ascii_digit()));
        if text.is_empty() || code || self.house.contains(text) {
            return text.to_string();
        }
        if let Some(known) = self.table.get(text) {
            return known.clone();
        }
        let other = if is_number(text) { self.other_number(text) } else { format!("invented-{}", self.table.len() + 1) };
        self.given.insert(other.clone());
        self.table.insert(text.to_string(), other.clone());
        other
    }

    fn other_number(&mut self, text: &str) -> String {
        let tried =
            (0..TRIES).map(|attempt| self.candidate(text, attempt)).find(|other| self.is_free(text, other) && self.alike(text, other));
        let digits = digits_of(text);
        let each = |most: u32| (0..10_u64.pow(most)).map(|number| like(text, &format!("{number:0width$}", width = digits.len())));
        let most = u32::try_from(digits.len()).unwrap_or(u32::MAX).min(4);
        let other = tried.or_else(|| each(most).find(|other| self.is_free(text, other) && self.alike(text, other)));
        let other = other.or_else(|| (0..TRIES).map(|attempt| self.candidate(text, attempt)).find(|other| self.is_free(text, other)));
        self.numbers += u64::from(digits.len() >= 10);
        // Of a single digit every other one may be taken: what is left is itself.
        other.or_else(|| each(most).find(|other| self.is_free(text, other))).unwrap_or_else(|| text.to_string())
    }

    fn is_free(&self, text: &str, other: &str) -> bool {
        let telling = digits_of(text).len() >= TELLING;
        let somebodys = telling && self.met.contains(other);
        other != text && !somebodys && !self.given.contains(other) && !self.house.contains(other)
    }

    /// Whether flows take both the same way.
    fn alike(&self, text: &str, other: &str) -> bool {
        let sides = |of: &str| self.ordered.iter().map(|fixed| (less(of, fixed), less(fixed, of))).collect::<Vec<_>>();
        is_date(text) == is_date(other) && sides(text) == sides(other)
    }

    /// Something of the same form: of a number nobody's number, of a date a date, else digits.
    fn candidate(&self, text: &str, attempt: u32) -> String {
        let digits = digits_of(text);
        let drawn = self.draw(text, attempt);
        let number = self.numbers + u64::from(attempt);
        let other = match digits.len() {
            length @ 10.. if number < NUMBERS => {
                let before = length - 10;
                let before = if before <= 3 { digits[..before].to_string() } else { drawn[..before].iter().map(digit).collect() };
                format!("{before}{}55501{:02}", 201 + number / 100, number % 100)
            }
            7 if attempt < 100 => format!("55501{attempt:02}"),
            8 if is_date(text) => {
                let part = |at: usize, from: u32, many: u32| from + (u32::from(drawn[at]) << 8 | u32::from(drawn[at + 1])) % many;
                format!("{:02}{:02}{}", part(0, 1, 12), part(2, 1, 28), part(4, 1900, 120))
            }
            length => drawn.iter().cycle().take(length).map(digit).collect(),
        };
        like(text, &other)
    }

    fn draw(&self, text: &str, attempt: u32) -> [u8; 32] {
        Sha256::new().chain_update(self.key).chain_update(attempt.to_le_bytes()).chain_update(text).finalize().into()
    }
}

/// Notes down every text that is about somebody; exchanges none.
pub struct Meet<'a>(pub &'a mut People);

impl Invent for Meet<'_> {
    fn phi(&mut self, text: &mut String) {
        self.0.met.insert(text.clone());
    }
    fn person(&mut self, _: &mut Arc<str>) {}
}

impl Invent for People {
    fn phi(&mut self, text: &mut String) {
        *text = self.other(text);
    }

    fn person(&mut self, name: &mut Arc<str>) {
        let next = self.names.len() + 1;
        *name = self.names.entry(name.to_string()).or_insert_with(|| format!("Agent {next}").into()).clone();
    }
}

impl Inventor for People {
    fn digits(&mut self, digits: &str) -> String {
        self.other(digits)
    }

    fn name(&mut self, name: &str) -> String {
        let mut name = name.into();
        self.person(&mut name);
        name.to_string()
    }
}

/// Digits, perhaps after a `+`, perhaps with the keys A to D among them.
fn is_number(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    rest.bytes().any(|byte| byte.is_ascii_digit()) && rest.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'D').contains(&byte))
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn digit(byte: &u8) -> char {
    char::from(b'0' + byte % 10)
}

/// These digits where `text` has its own.
fn like(text: &str, digits: &str) -> String {
    let mut digits = digits.chars();
    text.chars().map(|c| if c.is_ascii_digit() { digits.next().unwrap_or('0') } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> People {
        People::new([7; 32])
    }

    #[test]
    fn each_has_one_invention_of_the_same_form_and_nobody_has_anothers() {
        let mut people = people();
        let texts: Vec<String> = (0..300).map(|number| format!("+1312555{number:04}")).collect();
        texts.iter().for_each(|text| Meet(&mut people).phi(&mut text.clone()));
        let others: Vec<String> = texts.iter().map(|text| people.other(text)).collect();
        assert_eq!(others, texts.iter().map(|text| people.other(text)).collect::<Vec<_>>(), "the same again");
        assert_eq!(others.iter().collect::<BTreeSet<_>>().len(), texts.len(), "no two alike");
        for other in &others {
            assert!(other.len() == 12 && other.starts_with("+1") && &other[5..10] == "55501" && !texts.contains(other), "{other}");
        }
        for (text, length) in [("3125550142", 10), ("5550142", 7), ("93125550142", 11), ("4711", 4), ("7", 1), ("12B4", 4)] {
            let other = people.other(text);
            assert!(other != text && other.len() == length && is_number(&other), "{text} has become {other}");
        }
        for kept in ["", "*12", "911", "0"] {
            assert_eq!(people.other(kept), kept);
        }
        assert!(people.other("Maria Gonzales").starts_with("invented-"));
        assert_eq!(
            (people.name("Alice"), people.name("Ben"), people.name("Alice")),
            ("Agent 1".into(), "Agent 2".into(), "Agent 1".into())
        );
    }

    #[test]
    fn every_single_digit_becomes_one_and_no_two_the_same() {
        let mut people = people();
        let others: BTreeSet<String> = (1..=9).map(|digit| people.other(&digit.to_string())).collect();
        assert!(others.len() == 9 && !others.contains("0"), "{others:?}");
    }

    #[test]
    fn flows_take_an_invention_as_they_took_what_it_stands_for() {
        let mut people = people();
        people.ordered.extend(["18", "65", "50000000"].map(String::from));
        people.house.extend(["18", "65"].map(String::from));
        for (text, from, to) in [("17", 0, 17), ("19", 19, 64), ("64", 19, 64), ("65", 65, 65), ("66", 66, 99)] {
            let other: u64 = people.other(text).parse().unwrap();
            assert!((from..=to).contains(&other), "{text} has become {other}");
        }
        for date in ["02291980", "12312000"] {
            let other = people.other(date);
            assert!(is_date(&other) && other != date && less(&other, "50000000") == less(date, "50000000"), "{date} has become {other}");
        }
        assert!(!is_date(&people.other("99999999")), "what is no date becomes none");
    }

    #[test]
    fn another_key_invents_others() {
        assert_ne!(People::new([1; 32]).other("471147"), People::new([2; 32]).other("471147"));
    }
}
