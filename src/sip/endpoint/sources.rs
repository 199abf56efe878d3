//! How often each unknown source may be challenged.

use crate::model::Time;
use crate::sip::api::source_of;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Sources {
    most: u32,
    remembered: usize,
    /// When the minute began that is counted in the table.
    began: Time,
    table: BTreeMap<IpAddr, u32>,
}

impl Sources {
    pub fn new(most: u32, remembered: usize) -> Sources {
        Sources { most, remembered, began: Time(0), table: BTreeMap::new() }
    }

    /// Counts one more attempt; false if the source has had its share of this minute.
    pub fn allow(&mut self, now: Time, source: IpAddr) -> bool {
        let source = source_of(source);
        // One minute for all: a flood of invented sources must cost no more than it brings.
        if now.since(self.began) >= WINDOW {
            self.table.clear();
            self.began = now;
        }
        if self.table.len() >= self.remembered && !self.table.contains_key(&source) {
            self.table.pop_first();
        }
        let count = self.table.entry(source).or_insert(0);
        *count += 1;
        *count <= self.most
    }

    /// The source has proved a password: its attempts are forgiven.
    pub fn forgive(&mut self, source: IpAddr) {
        self.table.remove(&source_of(source));
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

    /// Whoever has one address of IPv6 has all of its network.
    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let mut sources = Sources::new(2, 10);
        let ip = |text: &str| text.parse().unwrap();
        assert!(sources.allow(Time(1), ip("2001:db8::1")) && sources.allow(Time(1), ip("2001:db8::2")));
        assert!(!sources.allow(Time(1), ip("2001:db8::3")));
        assert!(sources.allow(Time(1), ip("2001:db8:0:1::1")), "another network");
        assert!(sources.allow(Time(1), ip("192.0.2.1")) && sources.allow(Time(1), ip("::ffff:192.0.2.1")));
        assert!(!sources.allow(Time(1), ip("192.0.2.1")), "the same address in both forms");
        sources.forgive(ip("2001:db8::9"));
        assert!(sources.allow(Time(1), ip("2001:db8::1")));
    }
}
