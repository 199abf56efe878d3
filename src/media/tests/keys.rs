//! Keys and tones, from party to party and to the core.

use super::*;

#[test]
fn keys_are_reported_once_and_relayed_under_the_others_number() {
    let mut centre = Centre::new(8);
    let mut caller = centre.party(CALLER, Codec::Pcmu);
    caller.press(101, 7);
    caller.press(101, 7);
    caller.press(101, 11);
    for key in ['7', '7', '#'] {
        assert_eq!(centre.event(), Event::Key { leg: CALLER, key });
    }
    let agent = centre.party_with(AGENT, |agreed| Negotiated { telephone_event: Some(96), ..agreed });
    centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(9)));
    centre.event();
    caller.press(101, 3);
    assert_eq!(centre.event(), Event::Key { leg: CALLER, key: '3' });
    let packets: Vec<_> = (0..5).map(|_| agent.receive()).collect();
    for (index, (header, payload)) in packets.iter().enumerate() {
        assert_eq!((header.payload_type, payload[0], payload[1] >> 7), (96, 3, u8::from(index > 1)));
        assert_eq!(header.timestamp, packets[0].0.timestamp);
    }
}

#[test]
fn the_rest_of_a_key_from_before_the_bridge_is_nobody_elses() {
    let mut centre = Centre::new(19);
    let (mut caller, agent) = (centre.party(CALLER, Codec::Pcmu), centre.party(AGENT, Codec::Pcmu));
    caller.event(101, 4, false);
    assert_eq!(centre.event(), Event::Key { leg: CALLER, key: '4' });
    centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(9)));
    centre.event();
    caller.event(101, 4, true);
    caller.event(101, 4, true);
    caller.timestamp += 800;
    caller.send(0, &[5; 160]);
    assert_eq!(agent.receive().1, [5; 160]);
}

#[test]
fn keys_that_the_other_cannot_read_are_sounded_to_it() {
    let mut centre = Centre::new(9);
    let mut caller = centre.party(CALLER, Codec::Pcmu);
    let agent = centre.party_with(AGENT, |agreed| Negotiated { telephone_event: None, telephone_event_in: None, ..agreed });
    centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(9)));
    centre.event();
    caller.send(0, &[1; 160]);
    let before = agent.receive().0;
    caller.press(101, 3);
    caller.press(101, 11);
    let packets: Vec<_> = (0..16).map(|_| agent.receive()).collect();
    let mut detector = tones::Detector::default();
    let decode = |payload: &[u8]| payload.iter().map(|code| codec::ULAW_TO_LINEAR[usize::from(*code)]).collect::<Vec<_>>();
    let keys: String = packets.iter().filter_map(|(_, payload)| detector.hear(decode(payload).into_iter())).collect();
    assert_eq!(keys, "3#");
    caller.send(0, &[2; 160]);
    let (after, payload) = agent.receive();
    assert_eq!((after.sequence, payload), (before.sequence.wrapping_add(17), vec![2; 160]), "and leave no gap");
}

#[test]
fn a_text_telephone_is_passed_bit_for_bit() {
    for (host, codec) in [(20, Codec::Pcmu), (21, Codec::Pcma)] {
        let mut centre = Centre::new(host);
        let deaf =
            |agreed| Negotiated { codec, payload_type: codec.payload_type(), telephone_event: None, telephone_event_in: None, ..agreed };
        let (mut caller, mut agent) = (centre.party_with(CALLER, deaf), centre.party_with(AGENT, deaf));
        centre.media.hear(CALL, hearing::bridge(CALLER, AGENT), Some(OfferId(9)));
        centre.event();
        let bit = |n: usize| if (n / 176).is_multiple_of(3) { 1800.0 } else { 1400.0 };
        let baudot = (0..8000).map(|n| (9000.0 * (2.0 * std::f64::consts::PI * bit(n) * n as f64 / 8000.0).sin()) as i16);
        let sound: Vec<u8> = baudot.map(|sample| codec::encode(codec, sample)).chain(0..=255).collect();
        for part in sound.chunks(FRAME) {
            caller.send(codec.payload_type(), part);
            agent.send(codec.payload_type(), part);
            assert_eq!((agent.receive().1, caller.receive().1), (part.to_vec(), part.to_vec()));
        }
    }
}

#[test]
fn tones_are_keys_only_where_telephone_event_was_not_agreed() {
    let wave = |hertz: f64, n: usize| 8000.0 * (2.0 * std::f64::consts::PI * hertz * n as f64 / 8000.0).sin();
    let five: Vec<u8> = (0..800).map(|n| codec::encode(Codec::Pcmu, (wave(770.0, n) + wave(1336.0, n)) as i16)).collect();
    let mut centre = Centre::new(10);
    let mut deaf = centre.party(AGENT, Codec::Pcmu);
    five.chunks(FRAME).for_each(|frame| deaf.send(0, frame));
    let mut caller = centre.party_with(CALLER, |agreed| Negotiated { telephone_event: None, telephone_event_in: None, ..agreed });
    five.chunks(FRAME).for_each(|frame| caller.send(0, frame));
    assert_eq!(centre.event(), Event::Key { leg: CALLER, key: '5' });
}
