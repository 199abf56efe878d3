//! `gather`: digits as data, such as a date of birth.
//!
//! Inside it digits are data: the entry ends at `digits` or at `#` (a `#` right after the last digit is swallowed), `*` clears it and
//! a second `*` goes back; `0` alone, then silence, is the operator.

use crate::ivr::say::Say;
use crate::ivr::scope::{How, Scope};
use crate::ivr::walk::{Gathered, Next, Phase, Walk};
use crate::ivr::words::{StepName, StepOutcome};
use crate::model::schema::{Field, Kind, Reader};
use crate::model::tree::Node;
use crate::model::{Language, Phi, Prompt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub const FIELDS: &[Field] = &[
    Field::required("say", Kind::Say, "what to enter"),
    Field::required("digits", Kind::Count, "the entry ends at so many digits, or earlier at `#`"),
    Field::default("at_least", Kind::Count, "a shorter entry is not valid", "1"),
    Field::default("format", Kind::Text, "`digits`, or `date-mmddyyyy`: a date that exists", "digits"),
    Field::default("confirm", Kind::Flag, "reads the entry back, and asks for 1 (right) or 2 (again)", "false"),
    Field::default("secret", Kind::Flag, "shown to nobody", "false"),
    Field::required("into", Kind::Text, "the name of the value, for `branch`"),
    Field::default("tries", Kind::Count, "so often nothing, or so often something not valid, before `otherwise`", "3"),
    Field::default("timeout", Kind::Span, "how long to wait for the first digit", "5s"),
    Field::default("between", Kind::Span, "how long to wait for the next digit; then the entry is over", "4s"),
];
/// Beside the verb.
pub const BESIDE: &[Field] = &[
    Field::required("next", Kind::Step, "the step that follows a valid entry"),
    Field::required("otherwise", Kind::Step, "where a caller goes who enters nothing, or nothing valid"),
];

const READ_BACK: &str = "you_entered";
const RIGHT_OR_AGAIN: &str = "confirm_entry";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gather {
    pub say: Say,
    pub digits: u8,
    pub at_least: u8,
    pub format: Format,
    /// The languages in which the entry can be read back; none: it is not read back.
    pub confirm: Vec<Language>,
    pub secret: bool,
    pub into: Arc<str>,
    pub tries: u8,
    pub timeout: Duration,
    pub between: Duration,
    pub next: StepName,
    pub otherwise: StepName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Digits,
    DateMmDdYyyy,
}

impl Gather {
    pub fn read(body: &Node, beside: &Reader, scope: &mut Scope) -> Option<Gather> {
        let next = beside.node("next").and_then(|node| scope.target(node, How::Key, "entered"));
        let otherwise = beside.node("otherwise").and_then(|node| scope.target(node, How::Alone, "otherwise"));
        let reader = Reader::open(body, "gather", FIELDS, scope.problems)?;
        let digits = reader.count("digits", 1..=20, scope.problems);
        let at_least = reader.count("at_least", 1..=20, scope.problems);
        let format = reader.word("format", &[("digits", Format::Digits), ("date-mmddyyyy", Format::DateMmDdYyyy)], scope.problems);
        let secret = reader.flag("secret", scope.problems);
        let tries = reader.count("tries", 1..=9, scope.problems);
        let timeout = reader.span("timeout", scope.problems);
        let between = reader.span("between", scope.problems);
        let into: Option<Arc<str>> = reader.text("into", scope.problems).map(Into::into);
        scope.values.extend(into.clone());
        let confirm = reader.flag("confirm", scope.problems) == Some(true);
        if confirm {
            let at = reader.node("confirm").map_or(&body.at, |node| &node.at);
            for prompt in [READ_BACK, RIGHT_OR_AGAIN] {
                Say::named(prompt, at, scope);
            }
        }
        if let (Some(format), Some(digits), Some(node)) = (format, digits, reader.node("digits"))
            && format == Format::DateMmDdYyyy
            && digits != 8
        {
            scope.choose(&node.at, "a date has eight digits", ["8"]);
        }
        if let (Some(least), Some(digits), Some(node)) = (at_least, digits, reader.node("at_least"))
            && least > digits
        {
            scope.problem(&node.at, format!("`at_least` is more than `digits`, which is {digits}"));
        }
        let say = reader.node("say").and_then(|node| Say::read(node, scope));
        let small = |count: u64| u8::try_from(count).expect("at most 20");
        Some(Gather {
            say: say?,
            digits: small(digits?),
            at_least: small(at_least?),
            format: format?,
            confirm: if confirm { scope.languages.clone() } else { Vec::new() },
            secret: secret?,
            into: into?,
            tries: small(tries?),
            timeout: timeout?,
            between: between?,
            next: next?,
            otherwise: otherwise?,
        })
    }

    pub fn enter(&self, walk: &mut Walk) -> Next {
        (walk.session.no_input, walk.session.invalid) = (0, 0);
        self.forget(walk);
        if walk.tired() {
            return self.give_up(StepOutcome::NoInput);
        }
        match walk.session.next_ahead() {
            Some(key) => self.take_ahead(walk, key),
            None => self.ask(walk, None),
        }
    }

    pub fn key(&self, walk: &mut Walk, key: char) -> Next {
        if walk.session.phase == Phase::Speaking && !self.say.barge_in && !walk.session.confirming {
            walk.session.keep(key);
            return Next::Stay;
        }
        walk.hush();
        if walk.session.confirming { self.confirmed(walk, key) } else { self.enter_key(walk, key) }
    }

    pub fn spoken(&self, walk: &mut Walk) -> Next {
        match walk.session.next_ahead() {
            Some(key) => self.take_ahead(walk, key),
            None => {
                walk.listen(self.timeout);
                Next::Stay
            }
        }
    }

    pub fn silence(&self, walk: &mut Walk) -> Next {
        let operator = walk.common.keys.get(&'0').filter(|_| walk.session.entry.0 == "0" && !walk.session.confirming);
        if let Some(operator) = operator {
            walk.remember();
            return Next::Go(operator.clone(), StepOutcome::Key);
        }
        if !walk.session.entry.0.is_empty() && !walk.session.confirming {
            return self.finish(walk);
        }
        walk.session.no_input += 1;
        if walk.session.no_input >= self.tries {
            return self.give_up(StepOutcome::NoInput);
        }
        if walk.session.confirming {
            return self.read_back(walk);
        }
        let nothing = &walk.common.said_nothing;
        self.ask(walk, Some(nothing))
    }

    fn take_ahead(&self, walk: &mut Walk, first: char) -> Next {
        let mut key = Some(first);
        while let Some(pressed) = key {
            let next = if walk.session.confirming { self.confirmed(walk, pressed) } else { self.enter_key(walk, pressed) };
            if next != Next::Stay {
                return next;
            }
            key = walk.session.next_ahead();
        }
        Next::Stay
    }

    fn enter_key(&self, walk: &mut Walk, key: char) -> Next {
        if !walk.count_answer() {
            return self.give_up(StepOutcome::Invalid);
        }
        match key {
            '*' if walk.session.entry.0.is_empty() => return Next::Back,
            '*' => walk.session.entry.0.clear(),
            '#' => return self.finish(walk),
            digit => walk.session.entry.0.push(digit),
        }
        if walk.session.entry.0.len() >= usize::from(self.digits) {
            walk.session.swallow = true;
            return self.finish(walk);
        }
        walk.listen(self.between);
        Next::Stay
    }

    fn finish(&self, walk: &mut Walk) -> Next {
        if !self.valid(&walk.session.entry.0) {
            return self.again(walk);
        }
        if self.confirm.is_empty() {
            return self.store(walk);
        }
        walk.session.confirming = true;
        self.read_back(walk)
    }

    fn read_back(&self, walk: &mut Walk) -> Next {
        let language = if self.confirm.contains(&walk.session.language) { walk.session.language } else { self.confirm[0] };
        let digits = walk.session.entry.0.chars().map(|digit| Prompt::entered(language, &format!("n{digit}")));
        let [before, after] = [READ_BACK, RIGHT_OR_AGAIN].map(|name| Prompt::new(language, name));
        walk.play([before].into_iter().chain(digits).chain([after]).collect());
        Next::Stay
    }

    fn confirmed(&self, walk: &mut Walk, key: char) -> Next {
        if !walk.count_answer() {
            return self.give_up(StepOutcome::Invalid);
        }
        match key {
            '1' => self.store(walk),
            '2' | '*' => {
                self.forget(walk);
                self.ask(walk, None)
            }
            _ => {
                walk.session.invalid += 1;
                if walk.session.invalid >= self.tries { self.give_up(StepOutcome::Invalid) } else { self.read_back(walk) }
            }
        }
    }

    fn store(&self, walk: &mut Walk) -> Next {
        let value = Phi(std::mem::take(&mut walk.session.entry.0));
        walk.session.confirming = false;
        walk.session.values.insert(self.into.clone(), Gathered { value, secret: self.secret });
        Next::Go(self.next.clone(), StepOutcome::Done)
    }

    fn again(&self, walk: &mut Walk) -> Next {
        self.forget(walk);
        walk.session.ahead.0.clear();
        walk.session.invalid += 1;
        if walk.session.invalid >= self.tries {
            return self.give_up(StepOutcome::Invalid);
        }
        let wrong = &walk.common.said_wrong;
        self.ask(walk, Some(wrong))
    }

    fn ask(&self, walk: &mut Walk, first: Option<&Say>) -> Next {
        let parts: Vec<&Say> = first.into_iter().chain([&self.say]).collect();
        walk.speak(&parts);
        Next::Stay
    }

    fn forget(&self, walk: &mut Walk) {
        walk.session.entry.0.clear();
        walk.session.confirming = false;
    }

    fn give_up(&self, outcome: StepOutcome) -> Next {
        Next::Go(self.otherwise.clone(), outcome)
    }

    fn valid(&self, entry: &str) -> bool {
        entry.len() >= usize::from(self.at_least)
            && match self.format {
                Format::Digits => true,
                Format::DateMmDdYyyy => is_date(entry),
            }
    }
}

/// A day that exists, in 1880–2100.
pub fn is_date(entry: &str) -> bool {
    let part = |range: std::ops::Range<usize>| entry.get(range).and_then(|text| text.parse::<u32>().ok());
    let (Some(month), Some(day), Some(year), 8) = (part(0..2), part(2..4), part(4..8), entry.len()) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = BTreeMap::from([(2, if leap { 29 } else { 28 }), (4, 30), (6, 30), (9, 30), (11, 30)]);
    (1880..=2100).contains(&year) && (1..=12).contains(&month) && (1..=*days.get(&month).unwrap_or(&31)).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_must_exist() {
        for (entry, valid) in
            [("02291980", true), ("02291981", false), ("12312000", true), ("13012000", false), ("04311999", false), ("0101200", false)]
        {
            assert_eq!(is_date(entry), valid, "{entry}");
        }
    }
}
