//! The figures: a fold over the facts, one definition each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {}
