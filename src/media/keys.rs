//! Keys by telephone-event (RFC 4733), each once however often its packets come.

const NAMES: &[u8; 16] = b"0123456789*#ABCD";
/// Longest that one packet's duration can say; a key held longer goes on in another segment (§2.5.1.3).
const LONGEST: u16 = u16::MAX;
/// A packet that is older by no more than this is of a key before, and came late: two seconds. Older, and their clock has jumped.
const LATE: u32 = 16_000;

/// What a leg's keys were; forget it when the stream's SSRC changes.
#[derive(Debug, Default)]
pub struct Keys {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    event: u8,
    timestamp: u32,
    duration: u16,
    ended: bool,
}

impl Keys {
    /// The timestamp of the last key's begin.
    pub fn last(&self) -> Option<u32> {
        self.last.as_ref().map(|last| last.timestamp)
    }

    /// Takes one packet, and gives the key if this is the first that is seen of it: its begin, a repetition when the begin was lost, or
    /// its end when all before was lost. An event's packets share the timestamp of its begin.
    pub fn receive(&mut self, timestamp: u32, payload: &[u8]) -> Option<char> {
        let [event, flags, high, low, ..] = *payload else { return None };
        let (ended, duration) = (flags & 0x80 != 0, u16::from_be_bytes([high, low]));
        let name = char::from(*NAMES.get(usize::from(event))?);
        let mut goes_on = false;
        if let Some(last) = &mut self.last {
            let later = timestamp.wrapping_sub(last.timestamp);
            if later == 0 && event == last.event {
                last.ended |= ended;
                last.duration = last.duration.max(duration);
                return None;
            }
            if later.wrapping_neg() <= LATE {
                return None;
            }
            goes_on = event == last.event && !last.ended && last.duration == LONGEST && later == u32::from(LONGEST);
        }
        self.last = Some(Last { event, timestamp, duration, ended });
        (!goes_on).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(event: u8, ended: bool, duration: u16) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [event, u8::from(ended) << 7 | 10, high, low]
    }

    /// The packets of one key of 100 ms as a phone sends them: begin, updates, the end three times.
    fn key(event: u8, timestamp: u32) -> Vec<(u32, [u8; 4])> {
        let begin = (1..5).map(|n| (timestamp, packet(event, false, n * 160)));
        begin.chain((0..3).map(|_| (timestamp, packet(event, true, 800)))).collect()
    }

    fn pressed(packets: &[(u32, [u8; 4])]) -> String {
        let mut keys = Keys::default();
        packets.iter().filter_map(|(timestamp, payload)| keys.receive(*timestamp, payload)).collect()
    }

    #[test]
    fn every_key_has_its_name() {
        let packets: Vec<_> = (0..16).flat_map(|event| key(event, 1000 + u32::from(event) * 2000)).collect();
        assert_eq!(pressed(&packets), "0123456789*#ABCD");
        assert_eq!(pressed(&key(16, 0)), "", "a flash is no key");
        assert_eq!(Keys::default().receive(0, &[1, 0]), None, "too short");
    }

    #[test]
    fn the_same_key_twice_is_two_keys() {
        assert_eq!(pressed(&[key(5, 1000), key(5, 3000), key(5, u32::MAX - 5), key(5, 4)].concat()), "55");
        assert_eq!(pressed(&[key(5, u32::MAX - 800), key(5, 800)].concat()), "55", "across the timestamp's wrap");
    }

    #[test]
    fn a_key_held_for_long_is_one_key() {
        let mut packets = vec![(0, packet(1, false, 160)), (0, packet(1, false, LONGEST))];
        packets.extend(key(1, u32::from(LONGEST)));
        packets.extend(key(1, 200_000));
        assert_eq!(pressed(&packets), "11");
    }

    #[test]
    fn packets_of_a_key_before_are_no_key() {
        let mut packets = [key(1, 1000), key(2, 3000)].concat();
        packets.push((1000, packet(1, true, 800)));
        packets.extend(key(3, 5000));
        assert_eq!(pressed(&packets), "123");
    }

    /// A gateway that takes another clock without another SSRC.
    #[test]
    fn a_clock_that_goes_back_by_far_hides_no_key() {
        assert_eq!(pressed(&[key(1, 3_000_000), key(2, 1000), key(3, 3000)].concat()), "123");
    }

    proptest! {
        /// However packets are lost or doubled: as long as one of each key comes, each key comes once.
        #[test]
        fn loss_and_repetition_change_nothing(
            events in prop::collection::vec(0u8..16, 1..20),
            fate in prop::collection::vec(0u8..3, 7 * 20),
            start: u32,
        ) {
            let (mut wanted, mut packets) = (String::new(), Vec::new());
            for (index, event) in events.iter().enumerate() {
                let sent = key(*event, start.wrapping_add(2000 * index as u32));
                let fates = &fate[7 * index..7 * (index + 1)];
                if fates.iter().any(|f| *f > 0) {
                    wanted.push(char::from(NAMES[usize::from(*event)]));
                }
                packets.extend(sent.iter().zip(fates).flat_map(|(p, times)| std::iter::repeat_n(*p, usize::from(*times))));
            }
            prop_assert_eq!(pressed(&packets), wanted);
        }
    }
}
