//! Where a caller stands in a flow.

use super::words::{Context, FlowName, StepName};
use crate::model::Language;

/// One caller's walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub flow: FlowName,
    pub step: StepName,
    pub context: Context,
    pub language: Language,
}
