//! The language of requirements: `language >= 5 and (billing >= 1 or eligibility >= 3) and not trainee`.

use super::scanner::{Mistake, Scanner};
use super::{Language, Proficiency, Requirement, RequirementClass, SkillId, Term};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A requirement as written, before `language` means the skill of anyone's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub text: Arc<str>,
    expression: Expression,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    Term(Who, Option<Proficiency>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

/// The skill that a term names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Skill(SkillId),
    CallersLanguage,
}

impl Need {
    /// The word that stands for the skill of the caller's language.
    pub const LANGUAGE: &'static str = "language";

    /// Reads an expression over `skills`. `and` binds tighter than `or`; `not` takes one skill.
    pub fn parse(text: &str, skills: &BTreeMap<Arc<str>, SkillId>) -> Result<Need, Mistake> {
        let mut parser = Parser { scanner: Scanner::new(text, '-', &[">="]), skills, depth: 0 };
        let expression = parser.any()?;
        match parser.scanner.peek() {
            None => {
                let need = Need { text: text.split_whitespace().collect::<Vec<_>>().join(" ").into(), expression };
                let alternatives = alternatives(&need.expression).len();
                if alternatives > Requirement::ALTERNATIVES_MAX {
                    let cause = format!("this has {alternatives} alternatives when written out: at most {}", Requirement::ALTERNATIVES_MAX);
                    return Err(Mistake { offset: 0, cause, choices: Vec::new() });
                }
                Ok(need)
            }
            Some(token) => Err(parser.scanner.wrong(format!("`{token}` does not fit here"), &["and", "or"])),
        }
    }

    /// The requirement of a caller whose language is spoken with `language`.
    pub fn of(&self, language: SkillId) -> Requirement {
        let mut any_of: Vec<Vec<Term>> = alternatives(&self.expression)
            .into_iter()
            .map(|terms| {
                let mut terms: Vec<Term> = terms.into_iter().map(|(who, least)| term(who, least, language)).collect();
                terms.sort();
                terms.dedup();
                terms
            })
            .filter(|terms| !contradicts(terms))
            .collect();
        any_of.sort();
        any_of.dedup();
        Requirement { any_of }
    }

    /// Whether the requirement differs from one language to another.
    pub fn names_language(&self) -> bool {
        alternatives(&self.expression).iter().flatten().any(|(who, _)| *who == Who::CallersLanguage)
    }
}

fn term(who: Who, least: Option<Proficiency>, language: SkillId) -> Term {
    let skill = match who {
        Who::Skill(skill) => skill,
        Who::CallersLanguage => language,
    };
    least.map_or(Term::Without(skill), |least| Term::AtLeast(skill, least))
}

/// Nobody both has and lacks a skill.
fn contradicts(terms: &[Term]) -> bool {
    terms.iter().any(|term| match term {
        Term::AtLeast(skill, _) => terms.contains(&Term::Without(*skill)),
        Term::Without(_) => false,
    })
}

/// Disjunctive normal form; counts beyond the limit are cut off soon after it, so that no text can make it large.
fn alternatives(expression: &Expression) -> Vec<Vec<(Who, Option<Proficiency>)>> {
    const ENOUGH: usize = 4 * Requirement::ALTERNATIVES_MAX;
    match expression {
        Expression::Term(who, least) => vec![vec![(*who, *least)]],
        Expression::Any(parts) => parts.iter().flat_map(alternatives).take(ENOUGH).collect(),
        Expression::All(parts) => parts.iter().fold(vec![Vec::new()], |so_far, part| {
            let with = alternatives(part);
            let pairs = so_far.iter().flat_map(|left| with.iter().map(move |right| [left.as_slice(), right.as_slice()].concat()));
            pairs.take(ENOUGH).collect()
        }),
    }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    skills: &'a BTreeMap<Arc<str>, SkillId>,
    depth: usize,
}

impl Parser<'_> {
    const DEPTH_MAX: usize = 16;

    fn any(&mut self) -> Result<Expression, Mistake> {
        let mut parts = vec![self.all()?];
        while self.scanner.take("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Any(parts) })
    }

    fn all(&mut self) -> Result<Expression, Mistake> {
        let mut parts = vec![self.one()?];
        while self.scanner.take("and") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::All(parts) })
    }

    fn one(&mut self) -> Result<Expression, Mistake> {
        if self.scanner.take("(") {
            self.depth += 1;
            if self.depth > Self::DEPTH_MAX {
                return Err(self.scanner.wrong("brackets are nested too deeply", &[]));
            }
            let inside = self.any()?;
            self.depth -= 1;
            return if self.scanner.take(")") { Ok(inside) } else { Err(self.scanner.wrong("a `)` is missing", &[])) };
        }
        if self.scanner.take("not") {
            let who = self.skill()?;
            return Ok(Expression::Term(who, None));
        }
        let who = self.skill()?;
        if !self.scanner.take(">=") {
            return Err(self.scanner.wrong("a skill is followed by `>=` and a proficiency", &[">= 1", ">= 10"]));
        }
        let number = self.scanner.peek().unwrap_or_default();
        match number.parse().ok().and_then(Proficiency::new) {
            Some(least) => {
                self.scanner.take(number);
                Ok(Expression::Term(who, Some(least)))
            }
            None => Err(self.scanner.wrong(format!("`{number}` is not a proficiency"), &["1–10"])),
        }
    }

    fn skill(&mut self) -> Result<Who, Mistake> {
        let name = self.scanner.peek().unwrap_or_default();
        let who = match self.skills.get(name) {
            _ if name == Need::LANGUAGE => Who::CallersLanguage,
            Some(id) => Who::Skill(*id),
            None => {
                let names: Vec<&str> = std::iter::once(Need::LANGUAGE).chain(self.skills.keys().map(|name| &**name)).collect();
                let cause = if name.is_empty() { "a skill is missing".to_string() } else { format!("there is no skill `{name}`") };
                return Err(self.scanner.wrong(cause, &names));
            }
        };
        self.scanner.take(name);
        Ok(who)
    }
}

/// Equal requirements are one class: the table in which they are numbered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    pub entries: Vec<ClassEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassEntry {
    /// As it was written where it was met first, for `explain`.
    pub text: Arc<str>,
    pub needs: Requirement,
    pub prefers: Option<Requirement>,
}

/// More than 256 different requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is one requirement too many: at most {} different ones", Classes::MAX)
    }
}

impl Classes {
    pub const MAX: usize = 256;

    pub fn number(&mut self, text: &str, needs: Requirement, prefers: Option<Requirement>) -> Result<RequirementClass, TooMany> {
        let known = self.entries.iter().position(|entry| entry.needs == needs && entry.prefers == prefers);
        let index = match known {
            Some(index) => index,
            None if self.entries.len() >= Classes::MAX => return Err(TooMany),
            None => {
                self.entries.push(ClassEntry { text: text.into(), needs, prefers });
                self.entries.len() - 1
            }
        };
        Ok(RequirementClass(u16::try_from(index).expect("at most 256 classes")))
    }

    /// One class a language.
    pub fn number_each(
        &mut self,
        need: &Need,
        prefer: Option<&Need>,
        languages: &BTreeMap<Language, SkillId>,
    ) -> Result<BTreeMap<Language, RequirementClass>, TooMany> {
        languages
            .iter()
            .map(|(language, skill)| {
                let text = match prefer {
                    Some(prefer) => format!("{} [{language}], prefer {}", need.text, prefer.text),
                    None => format!("{} [{language}]", need.text),
                };
                Ok((*language, self.number(&text, need.of(*skill), prefer.map(|prefer| prefer.of(*skill)))?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skills() -> BTreeMap<Arc<str>, SkillId> {
        ["english", "spanish", "billing", "eligibility", "trainee"]
            .iter()
            .zip(1..)
            .map(|(name, id)| ((*name).into(), SkillId(id)))
            .collect()
    }

    fn written_out(text: &str) -> String {
        let requirement = Need::parse(text, &skills()).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}")).of(SkillId(2));
        let term = |term: &Term| match term {
            Term::AtLeast(skill, least) => format!("{skill}>={}", least.level()),
            Term::Without(skill) => format!("!{skill}"),
        };
        requirement.any_of.iter().map(|terms| terms.iter().map(term).collect::<Vec<_>>().join("&")).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn an_expression_becomes_alternatives() {
        let cases = [
            ("billing >= 1", "3>=1"),
            ("language >= 5 and billing >= 1", "2>=5&3>=1"),
            ("language >= 5 and (billing >= 1 or eligibility >= 3) and not trainee", "2>=5&3>=1&!5 | 2>=5&4>=3&!5"),
            ("billing >= 1 or eligibility >= 1 and trainee >= 1", "3>=1 | 4>=1&5>=1"),
            ("billing>=1 and billing>=1", "3>=1"),
            ("(billing >= 1 or not billing) and billing >= 1", "3>=1"),
        ];
        for (text, expected) in cases {
            assert_eq!(written_out(text), expected, "{text}");
        }
    }

    #[test]
    fn a_mistake_names_its_place_and_the_cure() {
        let cases = [
            ("", 0, "a skill is missing"),
            ("biling >= 1", 0, "there is no skill `biling`"),
            ("billing", 7, "a skill is followed by `>=` and a proficiency"),
            ("billing >= 11", 11, "`11` is not a proficiency"),
            ("billing >= 0", 11, "`0` is not a proficiency"),
            ("billing >= 1 eligibility >= 1", 13, "`eligibility` does not fit here"),
            ("(billing >= 1", 13, "a `)` is missing"),
            ("not (billing >= 1)", 4, "there is no skill `(`"),
        ];
        for (text, offset, cause) in cases {
            let mistake = Need::parse(text, &skills()).unwrap_err();
            assert_eq!((mistake.offset, mistake.cause.as_str()), (offset, cause), "{text}");
        }
    }

    #[test]
    fn more_than_eight_alternatives_are_refused() {
        let two = "(billing >= 1 or eligibility >= 1)";
        assert!(Need::parse(&[two; 3].join(" and "), &skills()).is_ok());
        assert!(Need::parse(&[two; 4].join(" and "), &skills()).unwrap_err().cause.contains("alternatives"));
        assert!(Need::parse(&[two; 64].join(" and "), &skills()).is_err());
        assert!(Need::parse(&"(".repeat(100), &skills()).unwrap_err().cause.contains("nested"));
    }

    #[test]
    fn equal_requirements_are_one_class() {
        let (mut classes, skills) = (Classes::default(), skills());
        let languages = BTreeMap::from([(Language::new("en").unwrap(), SkillId(1)), (Language::new("es").unwrap(), SkillId(2))]);
        let with_language = Need::parse("language >= 5", &skills).unwrap();
        let numbers: Vec<_> = classes.number_each(&with_language, None, &languages).unwrap().into_values().collect();
        assert_eq!(numbers, [RequirementClass(0), RequirementClass(1)]);
        let anyone = Need::parse("billing >= 1", &skills).unwrap();
        let numbers: Vec<_> = classes.number_each(&anyone, None, &languages).unwrap().into_values().collect();
        assert_eq!(numbers, [RequirementClass(2), RequirementClass(2)]);
        let spelled = Need::parse("spanish >= 5", &skills).unwrap();
        assert_eq!(classes.number("", spelled.of(SkillId(1)), None), Ok(RequirementClass(1)));
        assert!(classes.number("", spelled.of(SkillId(1)), Some(anyone.of(SkillId(1)))).is_ok_and(|class| class == RequirementClass(3)));
    }
}
