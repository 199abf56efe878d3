//! Protected health information, kept out of every log line by its type.

/// Protected health information: prints as `[phi]` wherever it is formatted.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phi<T>(pub T);

impl<T> std::fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[phi]")
    }
}

impl<T> std::fmt::Display for Phi<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[phi]")
    }
}

/// A telephone number as it was dialled or presented, E.164 where the trunk gives it so.
pub type PhoneNumber = Phi<String>;
/// Keys that a caller pressed: `0`–`9`, `*`, `#`, `A`–`D`.
pub type Digits = Phi<String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_never_reaches_a_log() {
        let number = Phi("+13125550123".to_string());
        assert_eq!(format!("{number} {number:?} {:#?}", Some(&number)), "[phi] [phi] Some(\n    [phi],\n)");
    }
}
