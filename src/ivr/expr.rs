//! The conditions of a `branch`: `call.did in ['+13125550110'] and not caller.language == 'en'`.
//!
//! Nothing but `==`, `!=`, `<`, `in`, `and`, `or`, `not`, brackets, names, quoted texts and numbers.

use crate::model::scanner::{Mistake, Scanner};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Equal(Operand, Operand),
    Differs(Operand, Operand),
    Less(Operand, Operand),
    In(Operand, Vec<Operand>),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// `caller.number`, `caller.language`, `call.did`, or a value that a step has set or gathered.
    Name(Arc<str>),
    Text(Arc<str>),
}

/// What every flow can ask for.
pub const KNOWN: [&str; 3] = ["caller.number", "caller.language", "call.did"];

impl Condition {
    pub fn parse(text: &str) -> Result<Condition, Mistake> {
        let mut parser = Parser { scanner: Scanner::new(text, '.', &["==", "!="]), depth: 0 };
        let condition = parser.any()?;
        match parser.scanner.peek() {
            None => Ok(condition),
            Some(token) => Err(parser.scanner.wrong(format!("`{token}` does not fit here"), &["and", "or"])),
        }
    }

    /// A name without a value equals nothing, is less than nothing and is in no list.
    pub fn holds<'v>(&self, value: &impl Fn(&str) -> Option<&'v str>) -> bool {
        let of = |operand| Operand::read(operand, value);
        match self {
            Condition::Equal(left, right) => of(left).is_some_and(|left| of(right) == Some(left)),
            Condition::Differs(left, right) => of(left) != of(right),
            Condition::Less(left, right) => of(left).zip(of(right)).is_some_and(|(left, right)| less(left, right)),
            Condition::In(one, list) => of(one).is_some_and(|one| list.iter().any(|item| of(item) == Some(one))),
            Condition::Not(inner) => !inner.holds(value),
            Condition::All(parts) => parts.iter().all(|part| part.holds(value)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(value)),
        }
    }

    /// Every name that is asked for.
    pub fn names(&self) -> Vec<&Arc<str>> {
        match self {
            Condition::Equal(left, right) | Condition::Differs(left, right) | Condition::Less(left, right) => {
                [left, right].into_iter().filter_map(Operand::name).collect()
            }
            Condition::In(one, list) => std::iter::once(one).chain(list).filter_map(Operand::name).collect(),
            Condition::Not(inner) => inner.names(),
            Condition::All(parts) | Condition::Any(parts) => parts.iter().flat_map(Condition::names).collect(),
        }
    }

    /// Every text that it compares something with, and whether by `<`.
    pub fn texts(&self) -> Vec<(&Arc<str>, bool)> {
        match self {
            Condition::Equal(left, right) | Condition::Differs(left, right) => {
                [left, right].into_iter().filter_map(|own| Some((own.text()?, false))).collect()
            }
            Condition::Less(left, right) => [left, right].into_iter().filter_map(|own| Some((own.text()?, true))).collect(),
            Condition::In(one, list) => std::iter::once(one).chain(list).filter_map(|own| Some((own.text()?, false))).collect(),
            Condition::Not(inner) => inner.texts(),
            Condition::All(parts) | Condition::Any(parts) => parts.iter().flat_map(Condition::texts).collect(),
        }
    }
}

impl Operand {
    fn read<'a, 'v: 'a>(&'a self, value: &impl Fn(&str) -> Option<&'v str>) -> Option<&'a str> {
        match self {
            Operand::Name(name) => value(name),
            Operand::Text(text) => Some(text),
        }
    }

    fn text(&self) -> Option<&Arc<str>> {
        match self {
            Operand::Name(_) => None,
            Operand::Text(text) => Some(text),
        }
    }

    fn name(&self) -> Option<&Arc<str>> {
        match self {
            Operand::Name(name) => Some(name),
            Operand::Text(_) => None,
        }
    }
}

/// As numbers where both are, else as texts.
pub fn less(left: &str, right: &str) -> bool {
    match (left.parse::<i64>(), right.parse::<i64>()) {
        (Ok(left), Ok(right)) => left < right,
        _ => left < right,
    }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    depth: usize,
}

impl Parser<'_> {
    const DEPTH_MAX: usize = 16;
    const RELATIONS: [&'static str; 4] = ["==", "!=", "<", "in"];

    fn any(&mut self) -> Result<Condition, Mistake> {
        let mut parts = vec![self.all()?];
        while self.scanner.take("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self) -> Result<Condition, Mistake> {
        let mut parts = vec![self.one()?];
        while self.scanner.take("and") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn one(&mut self) -> Result<Condition, Mistake> {
        self.depth += 1;
        if self.depth > Self::DEPTH_MAX {
            return Err(self.scanner.wrong("this is nested too deeply", &[]));
        }
        let condition = if self.scanner.take("not") {
            Condition::Not(Box::new(self.one()?))
        } else if self.scanner.take("(") {
            let inside = self.any()?;
            self.close(")")?;
            inside
        } else {
            self.relation()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn relation(&mut self) -> Result<Condition, Mistake> {
        let left = self.operand()?;
        let Some(sign) = Self::RELATIONS.into_iter().find(|sign| self.scanner.take(sign)) else {
            return Err(self.scanner.wrong("a comparison is missing", &Self::RELATIONS));
        };
        Ok(match sign {
            "==" => Condition::Equal(left, self.operand()?),
            "!=" => Condition::Differs(left, self.operand()?),
            "<" => Condition::Less(left, self.operand()?),
            _ => Condition::In(left, self.list()?),
        })
    }

    fn list(&mut self) -> Result<Vec<Operand>, Mistake> {
        if !self.scanner.take("[") {
            return Err(self.scanner.wrong("`in` is followed by a list", &["['one', 'other']"]));
        }
        let mut items = vec![self.operand()?];
        while self.scanner.take(",") {
            items.push(self.operand()?);
        }
        self.close("]")?;
        Ok(items)
    }

    fn operand(&mut self) -> Result<Operand, Mistake> {
        let token = self.scanner.peek().unwrap_or_default();
        let reserved = ["and", "or", "not", "in"].contains(&token);
        let first = token.chars().next();
        let operand = match first {
            Some('\'') if token.len() > 1 && token.ends_with('\'') => Operand::Text(token[1..token.len() - 1].into()),
            Some('\'') => return Err(self.scanner.wrong("a text is not closed by '", &[])),
            Some(c) if c.is_ascii_digit() => Operand::Text(token.into()),
            Some(c) if c.is_alphabetic() && !reserved => Operand::Name(token.into()),
            _ => return Err(self.scanner.wrong("a name, a 'text' or a number is missing", &[])),
        };
        self.scanner.take(token);
        Ok(operand)
    }

    fn close(&mut self, bracket: &str) -> Result<(), Mistake> {
        if self.scanner.take(bracket) { Ok(()) } else { Err(self.scanner.wrong(format!("a `{bracket}` is missing"), &[])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Option<&'static str> {
        match name {
            "caller.number" => Some("+13125550123"),
            "caller.language" => Some("es"),
            "call.did" => Some("+13125550110"),
            "age" => Some("9"),
            _ => None,
        }
    }

    #[test]
    fn conditions_hold_or_not() {
        let cases = [
            ("call.did in ['+13125550110']", true),
            ("call.did in ['+13125550100', '+13125550101']", false),
            ("caller.language == 'es' and age < 10", true),
            ("caller.language == 'en' or age < 9", false),
            ("not caller.language == 'en'", true),
            ("not (caller.language == 'es' or age == 9)", false),
            ("reason == 'refill'", false),
            ("reason != 'refill'", true),
            ("reason < 5", false),
            ("reason in ['a']", false),
            ("caller.language == 'en' or caller.language == 'es' and age == 9", true),
        ];
        for (text, expected) in cases {
            assert_eq!(Condition::parse(text).unwrap().holds(&value), expected, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_understood() {
        let cases = [
            ("", 0),
            ("caller.language", 15),
            ("caller.language = 'es'", 16),
            ("caller.language == ", 19),
            ("age > 5", 4),
            ("call.did in '+1'", 12),
            ("call.did in ['+1'", 17),
            ("age == 9 caller", 9),
            ("age == 'nine", 7),
            ("run('rm')", 3),
        ];
        for (text, offset) in cases {
            assert_eq!(Condition::parse(text).unwrap_err().offset, offset, "{text}");
        }
        assert!(Condition::parse(&"not ".repeat(100)).unwrap_err().cause.contains("nested"));
    }
}
