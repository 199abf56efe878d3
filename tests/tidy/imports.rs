//! Who imports whom: every path that a file names, resolved to the file that defines it.

use super::source::Source;
use std::collections::{BTreeMap, BTreeSet};

/// A path as it is imported or named in place, from the crate's root, with the line where it is.
pub struct Import {
    pub path: Vec<String>,
    pub line: usize,
    /// Hands on what a child defines.
    pub public: bool,
}

/// Every path inside this crate that `code`, a part of the source from its start, names.
pub fn imports(source: &Source, code: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let mut inside = 0;
    for (at, word) in Source::words(code) {
        if at < inside {
            continue;
        }
        if word == "use" {
            let end = code[at..].find(';').map_or(code.len(), |e| at + e);
            inside = end;
            let before = code[..at].trim_end();
            let public = before.ends_with("pub") || before.ends_with(')') && before.rsplit('(').nth(1).is_some_and(|b| b.ends_with("pub"));
            let mut paths = Vec::new();
            flatten(&code[at + 3..end], &[], &mut paths);
            found.extend(paths.into_iter().map(|path| Import { path, line: source.line_of(at), public }));
        } else if ["crate", "super", "self"].contains(&word) && code[at + word.len()..].starts_with("::") {
            let end = code[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').map_or(code.len(), |e| at + e);
            inside = end;
            let path = code[at..end].split("::").filter(|s| !s.is_empty()).map(String::from).collect();
            found.push(Import { path, line: source.line_of(at), public: false });
        }
    }
    let module = source.module();
    let is_folder = source.path.ends_with("mod.rs") || source.path.ends_with("lib.rs");
    found.into_iter().filter_map(|import| Some(Import { path: absolute(&import.path, &module, is_folder, source)?, ..import })).collect()
}

/// `a::{b, c::d as e}` is `a::b` and `a::c::d`.
fn flatten(tree: &str, before: &[String], paths: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let mut path = before.to_vec();
    let (head, group) = match tree.find('{') {
        Some(open) => (&tree[..open], Some(&tree[open + 1..tree.rfind('}').unwrap_or(tree.len())])),
        None => (tree, None),
    };
    let head = head.split(" as ").next().unwrap_or(head);
    path.extend(head.split("::").map(str::trim).filter(|s| !s.is_empty() && *s != "*").map(String::from));
    let Some(group) = group else {
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        paths.push(path);
        return;
    };
    let (mut depth, mut from) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[from..at].trim().is_empty() {
                    flatten(&group[from..at], &path, paths);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// From the crate's root, or `None` for another crate's path.
fn absolute(path: &[String], module: &[String], is_folder: bool, source: &Source) -> Option<Vec<String>> {
    let mut from = module.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => from.clear(),
        "careline" if source.path == "src/main.rs" => from.clear(),
        "self" => {}
        "super" => {
            while rest.first().is_some_and(|s| s == "super") {
                from.pop();
                rest = &rest[1..];
            }
            from.extend(rest.iter().cloned());
            return Some(from);
        }
        // A child module by its bare name.
        first if is_folder && source.code.contains(&format!("mod {first};")) => {
            from.extend(path.iter().cloned());
            return Some(from);
        }
        _ => return None,
    }
    from.extend(path[1..].iter().cloned());
    Some(from)
}

/// The files of a crate by module, and what each hands on of its children.
pub struct Crate<'a> {
    files: BTreeMap<Vec<String>, &'a Source>,
    handed_on: BTreeMap<Vec<String>, Vec<String>>,
}

impl<'a> Crate<'a> {
    pub fn new(sources: &'a [Source]) -> Crate<'a> {
        let files: BTreeMap<_, _> = sources.iter().filter(|s| s.path.starts_with("src/")).map(|s| (s.module(), s)).collect();
        let mut handed_on = BTreeMap::new();
        for (module, source) in &files {
            for import in imports(source, source.production_code()).into_iter().filter(|i| i.public) {
                let mut name = module.clone();
                name.extend(import.path.last().cloned());
                handed_on.insert(name, import.path);
            }
        }
        Crate { files, handed_on }
    }

    /// The file that defines what `path` names.
    fn defines(&self, path: &[String]) -> Option<&'a Source> {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let len = (0..=path.len()).rev().find(|len| self.files.contains_key(&path[..*len]))?;
            match self.handed_on.get(path.get(..len + 1).unwrap_or(&path)) {
                Some(elsewhere) if path.len() > len && elsewhere[..] != path[..len + 1] => {
                    let mut next = elsewhere.clone();
                    next.extend(path[len + 1..].iter().cloned());
                    path = next;
                }
                _ => return self.files.get(&path[..len]).copied(),
            }
        }
        None
    }

    /// One violation a cycle. A folder's main type lives in its `mod.rs`, above its children: they may name it.
    pub fn cycles(&self) -> Vec<String> {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, source) in &self.files {
            for import in imports(source, source.production_code()).iter().filter(|i| !i.public) {
                let Some(target) = self.defines(&import.path) else { continue };
                if target.path != source.path && !module.starts_with(&target.module()) {
                    edges.entry(&source.path).or_default().insert(&target.path);
                }
            }
        }
        let mut done = BTreeSet::new();
        let mut found = Vec::new();
        for start in edges.keys() {
            visit(start, &edges, &mut Vec::new(), &mut done, &mut found);
        }
        found
    }
}

fn visit<'a>(
    file: &'a str,
    edges: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    stack: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<String>,
) {
    if let Some(at) = stack.iter().position(|f| *f == file) {
        found.push(format!("import cycle: {} → {file}", stack[at..].join(" → ")));
        return;
    }
    if !done.insert(file) {
        return;
    }
    stack.push(file);
    for next in edges.get(file).into_iter().flatten() {
        visit(next, edges, stack, done, found);
    }
    stack.pop();
}
