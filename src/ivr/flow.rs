//! A parsed and checked flow.

/// What a caller hears and may press.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {}
