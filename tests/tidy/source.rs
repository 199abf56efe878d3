//! Rust sources as the tidy rules see them: text, code without comments and literals, functions, imports.

use std::path::{Path, PathBuf};

pub struct Source {
    /// Relative to the repository.
    pub path: String,
    pub text: String,
    /// As `text`, byte for byte, but comments and the insides of literals are blanks.
    pub code: String,
    /// The part of `code` before `#[cfg(test)] mod`.
    pub production: usize,
}

pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

impl Source {
    pub fn new(path: &str, text: String) -> Source {
        let code = blank(&text);
        let production = if path.starts_with("src/") { tests_start(&code) } else { code.len() };
        Source { path: path.to_string(), text, code, production }
    }

    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
    }

    pub fn production_code(&self) -> &str {
        &self.code[..self.production]
    }

    pub fn test_code(&self) -> &str {
        if self.is_test() { &self.code } else { &self.code[self.production..] }
    }

    pub fn line_of(&self, byte: usize) -> usize {
        1 + self.text.as_bytes()[..byte].iter().filter(|b| **b == b'\n').count()
    }

    /// Every word of the code with the byte at which it starts.
    pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let bytes = code.as_bytes();
            while from < bytes.len() && !is_word(bytes[from]) {
                from += 1;
            }
            let start = from;
            while from < bytes.len() && is_word(bytes[from]) {
                from += 1;
            }
            (start < from).then(|| (start, &code[start..from]))
        })
    }

    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (at, word) in Source::words(&self.code) {
            if word != "fn" {
                continue;
            }
            let Some((_, name)) = Source::words(&self.code[at + 2..]).next() else { continue };
            if let Some(end) = body_end(&self.code.as_bytes()[at..]) {
                let line = self.line_of(at);
                found.push(Function { name: name.to_string(), line, lines: self.line_of(at + end) - line + 1 });
            }
        }
        found
    }

    /// The module that the file is: `src/acd/call.rs` is `["acd", "call"]`.
    pub fn module(&self) -> Vec<String> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<String> = inner.split('/').map(String::from).collect();
        if module.last().is_some_and(|last| last == "mod" || last == "lib") {
            module.pop();
        }
        module
    }
}

/// Every Rust file of the repository under these folders.
pub fn rust_sources(root: &Path, folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        walk(&root.join(folder), &mut paths);
    }
    paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            Source::new(path.strip_prefix(root).expect("under the root").to_str().expect("paths are ASCII"), text)
        })
        .collect()
}

/// Every file under `folder` that is not built, in order.
pub fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("has a name").to_string_lossy().into_owned();
        match path.is_dir() {
            true if ["target", ".git", "data", "node_modules"].contains(&name.as_str()) => {}
            true => walk(&path, paths),
            false => paths.push(path),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `#[cfg(test)]` followed by `mod` begins.
fn tests_start(code: &str) -> usize {
    code.match_indices("#[cfg(test)]")
        .find(|(at, mark)| code[at + mark.len()..].trim_start().trim_start_matches("pub ").starts_with("mod "))
        .map_or(code.len(), |(at, _)| at)
}

/// The length of a function from `fn` to its closing brace; `None` for a declaration.
fn body_end(code: &[u8]) -> Option<usize> {
    let (mut round, mut curly) = (0i32, 0i32);
    for (at, byte) in code.iter().enumerate() {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round -= 1,
            b';' if round == 0 && curly == 0 => return None,
            b'{' => curly += 1,
            b'}' => {
                curly -= 1;
                if curly <= 0 {
                    return (curly == 0).then_some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Replaces comments and the insides of literals by blanks, keeping every newline where it is.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(bytes, at);
        if end > at {
            out[at..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
            at = end;
        } else if is_word(bytes[at]) {
            while at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
    String::from_utf8(out).expect("blanks are ASCII and literals are blanked whole")
}

/// The end of what starts at `at`, if that is a comment or a literal; else `at`.
fn literal_or_comment(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let find =
        |from: usize, what: &[u8]| bytes[from..].windows(what.len()).position(|w| w == what).map_or(bytes.len(), |p| from + p + what.len());
    match rest {
        [b'/', b'/', ..] => find(at, b"\n") - 1,
        [b'/', b'*', ..] => find(at + 2, b"*/"),
        [b'b', b'"', ..] => string_end(bytes, at + 2),
        [b'"', ..] => string_end(bytes, at + 1),
        [b'r', b'"' | b'#', ..] | [b'b', b'r', b'"' | b'#', ..] => {
            let quote = at + rest.iter().position(|b| *b != b'r' && *b != b'b').expect("a quote or a hash");
            let hashes = bytes[quote..].iter().take_while(|b| **b == b'#').count();
            if bytes.get(quote + hashes) != Some(&b'"') {
                return at;
            }
            let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            find(quote + hashes + 1, &close)
        }
        [b'\'', b'\\', ..] => find(at + 3, b"'"),
        [b'\'', first, ..] => {
            let width = match first {
                0xF0.. => 4,
                0xE0.. => 3,
                0xC0.. => 2,
                _ => 1,
            };
            if bytes.get(at + 1 + width) == Some(&b'\'') { at + width + 2 } else { at }
        }
        _ => at,
    }
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}
