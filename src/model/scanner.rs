//! A text cut into words, texts and signs: what the small languages of a configuration are read with.

/// What is wrong, and at which byte of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub offset: usize,
    pub cause: String,
    pub choices: Vec<String>,
}

/// A reader's place in a text.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Beside letters, digits and `_`, what a word may have within.
    within: char,
    /// Signs of more than one character.
    signs: &'static [&'static str],
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str, within: char, signs: &'static [&'static str]) -> Scanner<'a> {
        Scanner { text, at: 0, within, signs }
    }

    /// The next word, number, quoted text or sign; nothing at the end. A text that nobody closed goes on to the end.
    pub fn peek(&mut self) -> Option<&'a str> {
        self.skip_space();
        let rest = &self.text[self.at..];
        let first = rest.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == self.within;
        let length = if first == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            self.signs.iter().find(|sign| rest.starts_with(**sign)).map_or(first.len_utf8(), |sign| sign.len())
        };
        Some(&rest[..length])
    }

    /// Goes on behind this token, if it is the next.
    pub fn take(&mut self, token: &str) -> bool {
        let found = !token.is_empty() && self.peek() == Some(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// A mistake here.
    pub fn wrong(&mut self, cause: impl Into<String>, choices: &[&str]) -> Mistake {
        self.skip_space();
        Mistake { offset: self.at, cause: cause.into(), choices: choices.iter().map(|choice| choice.to_string()).collect() }
    }

    fn skip_space(&mut self) {
        self.at += self.text[self.at..].len() - self.text[self.at..].trim_start().len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_tokens_and_a_mistake_names_its_place() {
        let text = "age>=10 and caller.name=='a b'(é) 'open";
        let mut scanner = Scanner::new(text, '.', &[">=", "=="]);
        let mut tokens = Vec::new();
        while let Some(token) = scanner.peek() {
            tokens.push(token);
            assert!(!scanner.take("nothing") && !scanner.take("") && scanner.take(token));
        }
        assert_eq!(tokens, ["age", ">=", "10", "and", "caller.name", "==", "'a b'", "(", "é", ")", "'open"]);
        assert_eq!(scanner.wrong("here", &["x"]), Mistake { offset: text.len(), cause: "here".into(), choices: vec!["x".into()] });
        assert_eq!(Scanner::new("  a", '-', &[]).wrong("", &[]).offset, 2);
        assert_eq!(Scanner::new("a.b>=", '-', &[]).peek(), Some("a"));
    }
}
