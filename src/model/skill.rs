//! Skills, and what a call needs of an agent.

use super::SkillId;

/// How well an agent masters a skill: 1 (learning) to 10 (expert).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proficiency(u8);

impl Proficiency {
    pub fn new(level: u8) -> Option<Proficiency> {
        (1..=10).contains(&level).then_some(Proficiency(level))
    }
    pub fn level(self) -> u8 {
        self.0
    }
}

/// Strict: a better class is served first, whatever the wait. It only rises, and that is an event. `Urgent` is the least value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Urgent,
    High,
    #[default]
    Normal,
    Low,
}

/// What a call needs of an agent: one of at most [`Requirement::ALTERNATIVES_MAX`] alternatives, each a list of terms that must all
/// hold. One empty alternative: anybody. No alternative: nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    pub any_of: Vec<Vec<Term>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    AtLeast(SkillId, Proficiency),
    Without(SkillId),
}

/// Equal requirements are one class, numbered when the configuration is loaded: an index into `acd::Config::classes`, below 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequirementClass(pub u16);

impl Requirement {
    pub const ALTERNATIVES_MAX: usize = 8;

    pub fn anybody() -> Requirement {
        Requirement { any_of: vec![Vec::new()] }
    }

    /// Whether someone whose proficiency in a skill is `level(skill)` (`None`: lacks it) can serve.
    pub fn met_by(&self, level: impl Fn(SkillId) -> Option<Proficiency>) -> bool {
        self.any_of.iter().any(|terms| {
            terms.iter().all(|term| match *term {
                Term::AtLeast(skill, least) => level(skill).is_some_and(|has| has >= least),
                Term::Without(skill) => level(skill).is_none(),
            })
        })
    }
}
