//! A language that the centre speaks.

/// A language tag (`en`, `es`, `es-419`): at most eight ASCII bytes, so that it is a word, not an allocation. Tags are labels of the
/// figures and come from the configuration only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language([u8; 8]);

impl Language {
    /// Reads a tag of one to eight ASCII letters, digits or hyphens; `None` for anything else.
    pub fn new(tag: &str) -> Option<Language> {
        let bytes = tag.as_bytes();
        let fits = (1..=8).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
        fits.then(|| {
            let mut inline = [0; 8];
            inline[..bytes.len()].copy_from_slice(bytes);
            Language(inline)
        })
    }

    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|b| *b == 0).unwrap_or(8);
        std::str::from_utf8(&self.0[..len]).expect("a tag is ASCII")
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_reads_back() {
        for tag in ["en", "es", "es-419", "zh-Hant1"] {
            assert_eq!(Language::new(tag).unwrap().as_str(), tag);
        }
        for bad in ["", "español", "much-too-long", "e n"] {
            assert_eq!(Language::new(bad), None);
        }
    }
}
