//! Memory that this process may still have: with too little left new calls are refused, while there is enough for those alive.

use std::fs;
use std::time::{Duration, Instant};

/// It is looked at most so often.
const EVERY: Duration = Duration::from_millis(100);
/// Of /proc's pages on the machines that we run on.
const PAGE: u64 = 4096;

pub struct Headroom {
    /// Bytes that must be left.
    reserve: u64,
    looked: Option<Instant>,
    enough: bool,
}

impl Headroom {
    pub fn new(reserve: u64) -> Headroom {
        Headroom { reserve, looked: None, enough: true }
    }

    /// Whether a new call can be taken.
    pub fn enough(&mut self) -> bool {
        if self.looked.is_none_or(|looked| looked.elapsed() >= EVERY) {
            self.looked = Some(Instant::now());
            let left = left();
            let enough = left.is_none_or(|left| left >= self.reserve);
            if enough != self.enough {
                let mebibytes = left.unwrap_or(0) >> 20;
                match enough {
                    true => tracing::info!(mebibytes, "memory enough again: calls are taken"),
                    false => tracing::error!(mebibytes, "too little memory left: new calls are refused"),
                }
            }
            self.enough = enough;
        }
        self.enough
    }
}

/// The least of what the machine, the control group and the limit of address space leave; `None` if none of them says.
fn left() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| field(&text, "MemAvailable:")).map(|kibibytes| kibibytes << 10);
    let limit = read("/proc/self/limits").and_then(|text| field(&text, "Max address space"));
    let size = read("/proc/self/statm").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let space = limit.zip(size).map(|(limit, pages)| limit.saturating_sub(pages * PAGE));
    [machine, space, group()].into_iter().flatten().min()
}

/// What the control group leaves (version 2), not counting files that could be dropped from its cache.
fn group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let directory = format!("/sys/fs/cgroup{}", groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    let read = |name: &str| fs::read_to_string(format!("{directory}/{name}")).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let cache = read("memory.stat").and_then(|text| field(&text, "inactive_file")).unwrap_or(0);
    Some(number("memory.max")?.saturating_sub(number("memory.current")?.saturating_sub(cache)))
}

/// The first number on the line that begins so; `None` for `unlimited`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_leaves_some_memory_and_never_all_that_one_could_ask_for() {
        assert!(left().is_some_and(|left| left > 1 << 20), "{:?}", left());
        assert!(Headroom::new(1 << 20).enough());
        assert!(!Headroom::new(u64::MAX).enough());
    }

    #[test]
    fn a_line_is_found_by_its_beginning() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max address space         1048576              unlimited            bytes\n\
                      Max file locks            unlimited            unlimited            locks\n";
        assert_eq!(
            (field(limits, "Max address space"), field(limits, "Max file locks"), field(limits, "Max")),
            (Some(1_048_576), None, None)
        );
    }
}
