//! The state as a list of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rest {}
