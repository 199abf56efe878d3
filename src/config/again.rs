//! Reading a configuration again: where it came from, what the command line made of it, which numbers are taken, and what has changed.

use super::{Loaded, Server, build, load_from};
use crate::acd;
use crate::model::sources::Numbers;
use crate::model::tree::{Entry, Node, Value};
use crate::model::{Problem, Sources, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Adjustment = Arc<dyn Fn(&mut Loaded) + Send + Sync>;

/// Where a configuration was read, and what was made of it after that, so that reading it again gives the like.
#[derive(Clone, Default)]
pub struct Origin {
    pub(super) dir: PathBuf,
    adjustments: Vec<Adjustment>,
    /// What has had a number, whether it is there still: a number is never another's.
    pub(super) numbers: Numbers,
}

fn add(numbers: &mut Numbers, centre: &acd::Config) {
    numbers.queues.extend(centre.queues.iter().map(|(id, queue)| (queue.name.clone(), id.0)));
    numbers.skills.extend(centre.skills.iter().map(|(id, skill)| (skill.name.clone(), id.0)));
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("dir", &self.dir).field("adjustments", &self.adjustments.len()).finish_non_exhaustive()
    }
}

impl Origin {
    pub(super) fn of(dir: &Path) -> Origin {
        Origin { dir: dir.into(), ..Origin::default() }
    }
}

impl Loaded {
    /// Changes what was read, now and each time that it is read again: what the command line says goes before the files.
    pub fn adjust(&mut self, adjustment: impl Fn(&mut Loaded) + Send + Sync + 'static) {
        adjustment(self);
        self.origin.adjustments.push(Arc::new(adjustment));
    }

    /// The same directory as it is now, to take this one's place: queues and skills that stay keep their numbers, by which calls alive
    /// know them, and what is new takes none that was ever another's.
    pub fn again(&self, now: Time) -> Result<Loaded, Vec<Problem>> {
        let mut numbers = self.origin.numbers.clone();
        add(&mut numbers, &self.centre);
        let origin = Origin { numbers, ..self.origin.clone() };
        let mut loaded = load_from(now, &origin, None)?;
        for adjustment in &origin.adjustments {
            adjustment(&mut loaded);
        }
        Ok(loaded)
    }

    /// The same at `now`, to go on where another process ended: queues and skills keep the numbers that they had there.
    pub fn after(self, now: Time, before: &Sources, in_force: &acd::Config) -> Result<Loaded, Vec<Problem>> {
        let mut origin = self.origin;
        origin.numbers = before.numbers.clone();
        add(&mut origin.numbers, in_force);
        let sources = Sources { numbers: origin.numbers.clone(), ..(*self.sources).clone() };
        let mut problems = Vec::new();
        let built = build(&sources, BTreeSet::new(), now, &mut problems).filter(|_| problems.is_empty()).ok_or(problems)?;
        let mut loaded = built.into_loaded(Arc::new(sources), now, self.server, (origin.clone(), self.parts));
        for adjustment in &origin.adjustments {
            adjustment(&mut loaded);
        }
        Ok(loaded)
    }
}

impl Server {
    /// Takes from the configuration in force what cannot change while the centre runs; the settings that are other than written.
    pub fn keep_what_needs_a_restart(&mut self, in_force: &Server) -> Vec<&'static str> {
        let mut kept = Vec::new();
        keep(&mut self.sip.listen, &in_force.sip.listen, "sip.listen", &mut kept);
        keep(&mut self.sip.transports, &in_force.sip.transports, "sip.transports", &mut kept);
        keep(&mut self.http.listen, &in_force.http.listen, "http.listen", &mut kept);
        keep(&mut self.http.token, &in_force.http.token, "http.token", &mut kept);
        keep(&mut self.media.addresses, &in_force.media.addresses, "media.address", &mut kept);
        keep(&mut self.media.silence, &in_force.media.silence, "media.silence", &mut kept);
        keep(&mut self.media.ports, &in_force.media.ports, "media.ports", &mut kept);
        keep(&mut self.memory_reserve, &in_force.memory_reserve, "centre.memory_reserve", &mut kept);
        keep(&mut self.data_dir, &in_force.data_dir, "centre.data", &mut kept);
        kept
    }
}

fn keep<T: Clone + PartialEq>(new: &mut T, old: &T, name: &'static str, kept: &mut Vec<&'static str>) {
    if new != old {
        *new = old.clone();
        kept.push(name);
    }
}

/// What a configuration is made of, each part by a digest of what is written there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(BTreeMap<String, u64>);

/// The tables whose entries are parts of their own, and what one is called.
const TABLES: [(&str, &str); 5] =
    [("queues", "queue"), ("agents", "agent"), ("numbers", "number"), ("skills", "skill"), ("calendars", "calendar")];

impl Parts {
    pub(super) fn of(root: &Node, flows: &[(Arc<str>, Node)], prompts: &Path) -> Parts {
        let mut parts = BTreeMap::new();
        for Entry { key, node, .. } in root.map().unwrap_or(&[]) {
            match TABLES.iter().find(|(table, _)| table == key) {
                Some((_, kind)) => {
                    let entries = node.map().unwrap_or(&[]).iter();
                    parts.extend(entries.map(|entry| (format!("{kind} {}", entry.key), digest(|hasher| feed(&entry.node, hasher)))));
                }
                None => drop(parts.insert(format!("[{key}]"), digest(|hasher| feed(node, hasher)))),
            }
        }
        for (file, tree) in flows {
            let name = Path::new(&**file).file_stem().map_or_else(|| file.to_string(), |stem| stem.to_string_lossy().into_owned());
            parts.insert(format!("flow {name}"), digest(|hasher| feed(tree, hasher)));
        }
        parts.insert(PROMPTS.into(), digest(|hasher| files(prompts, hasher)));
        Parts(parts)
    }

    /// What it takes to make `new` of this.
    pub fn until(&self, new: &Parts) -> Diff {
        let only_in = |one: &Parts, other: &Parts| one.0.keys().filter(|part| !other.0.contains_key(*part)).cloned().collect();
        let changed = self.0.iter().filter(|(part, digest)| new.0.get(*part).is_some_and(|new| new != *digest));
        Diff { added: only_in(new, self), removed: only_in(self, new), changed: changed.map(|(part, _)| part.clone()).collect() }
    }
}

const PROMPTS: &str = "prompts";

fn digest(feed: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(&mut hasher);
    hasher.finish()
}

/// What is written, wherever in the file it stands.
fn feed(node: &Node, hasher: &mut DefaultHasher) {
    match &node.value {
        Value::Scalar { text, .. } => (0, text).hash(hasher),
        Value::List(items) => {
            (1, items.len()).hash(hasher);
            items.iter().for_each(|item| feed(item, hasher));
        }
        Value::Map(entries) => {
            (2, entries.len()).hash(hasher);
            for entry in entries {
                entry.key.hash(hasher);
                feed(&entry.node, hasher);
            }
        }
    }
}

/// The names, sizes and times of the files in a directory and in those below it.
fn files(directory: &Path, hasher: &mut DefaultHasher) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(about) = path.metadata() else { continue };
        path.hash(hasher);
        if about.is_dir() {
            files(&path, hasher);
        } else {
            (about.len(), about.modified().ok()).hash(hasher);
        }
    }
}

/// What is another in a new configuration: names alone, so that it may be logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
}

impl Diff {
    /// The prompts must be loaded again.
    pub fn prompts(&self) -> bool {
        [&self.added, &self.removed, &self.changed].into_iter().flatten().any(|part| part == PROMPTS)
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)];
        let said: Vec<String> =
            parts.iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| format!("{what} {}", names.join(", "))).collect();
        f.write_str(if said.is_empty() { "nothing changed" } else { "" })?;
        f.write_str(&said.join("; "))
    }
}
