//! What is wrong in a file that people write: where, why, and what would be right.

use std::fmt;
use std::sync::Arc;

/// A place in a file; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
}

impl Spot {
    pub fn new(file: &Arc<str>, line: u32, column: u32) -> Spot {
        Spot { file: file.clone(), line, column }
    }

    pub fn problem(&self, cause: impl Into<String>) -> Problem {
        Problem { file: self.file.clone(), line: self.line, column: self.column, cause: cause.into(), choices: Vec::new() }
    }

    /// A problem that lists what would be right.
    pub fn choose<S: Into<String>>(&self, cause: impl Into<String>, choices: impl IntoIterator<Item = S>) -> Problem {
        Problem { choices: choices.into_iter().map(Into::into).collect(), ..self.problem(cause) }
    }
}

/// Prints as `file:line:column: cause (valid: a, b)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
    pub cause: String,
    /// The valid choices, where they can be listed.
    pub choices: Vec<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.cause)?;
        if !self.choices.is_empty() {
            write!(f, " (valid: {})", self.choices.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_where_why_and_what_would_be_right() {
        let spot = Spot::new(&"main.yaml".into(), 3, 7);
        assert_eq!(
            spot.choose("unknown step `bill`", ["billing", "nurse"]).to_string(),
            "main.yaml:3:7: unknown step `bill` (valid: billing, nurse)"
        );
    }
}
