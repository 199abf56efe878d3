//! How often each unknown source may be challenged.

use crate::model::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Sources {
    most: u32,
    remembered: usize,
    table: BTreeMap<IpAddr, (Time, u32)>,
}

impl Sources {
    pub fn new(most: u32, remembered: usize) -> Sources {
        Sources { most, remembered, table: BTreeMap::new() }
    }

    /// Counts one more attempt; false if the source has had its share of this minute.
    pub fn allow(&mut self, now: Time, source: IpAddr) -> bool {
        if self.table.len() >= self.remembered && !self.table.contains_key(&source) {
            self.table.retain(|_, (since, _)| now.since(*since) < WINDOW);
            if self.table.len() >= self.remembered {
                self.table.pop_first();
            }
        }
        let (since, count) = self.table.entry(source).or_insert((now, 0));
        if now.since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= self.most
    }

    /// The source has proved a password: its attempts are forgiven.
    pub fn forgive(&mut self, source: IpAddr) {
        self.table.remove(&source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_a_minute() {
        let mut sources = Sources::new(2, 2);
        let ip = |n: u8| IpAddr::from([192, 0, 2, n]);
        let at = |seconds: u64| Time(seconds * 1_000_000);
        assert!(sources.allow(at(1), ip(1)) && sources.allow(at(2), ip(1)) && !sources.allow(at(3), ip(1)));
        assert!(sources.allow(at(61), ip(1)), "a minute later");
        assert!(sources.allow(at(62), ip(2)) && sources.allow(at(62), ip(3)));
        assert_eq!(sources.table.len(), 2, "bounded");
        sources.forgive(ip(3));
        assert_eq!(sources.table.len(), 1);
    }
}
