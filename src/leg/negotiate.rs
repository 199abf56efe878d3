//! Offer and answer (RFC 3264) as data: one audio stream of G.711 with telephone-event, everything else refused by its own line.

use super::sdp::{self, Description, Direction, Host, Malformed, Stream};
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};

/// The payload type that our own offers give to telephone-event.
pub const TELEPHONE_EVENT: u8 = 101;

/// A codec that we can play, forward and mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// The static payload type (RFC 3551 §6).
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    fn read(encoding: &str, rate: u32) -> Option<Codec> {
        let codec = [Codec::Pcmu, Codec::Pcma].into_iter().find(|codec| codec.name().eq_ignore_ascii_case(encoding));
        codec.filter(|_| rate == 8000)
    }
}

/// Our end of a leg: where its sound is received, and what is spoken there, best first. `session` and `version` are the two numbers of
/// our `o=` line: the first stays for the dialog's life, the second grows by one with each changed description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    pub address: SocketAddr,
    pub session: u64,
    pub version: u64,
    pub codecs: Vec<Codec>,
}

/// What both ends agreed on, all as seen from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Where our packets go. Unspecified (`0.0.0.0`) while the other end holds in the old way: then nothing is sent.
    pub remote: SocketAddr,
    /// Where our RTCP goes.
    pub rtcp: SocketAddr,
    pub codec: Codec,
    /// The payload type of `codec` on packets in both directions.
    pub payload_type: u8,
    /// The payload type of telephone-event on packets that we send; `None` if it was not agreed.
    pub telephone_event: Option<u8>,
    /// The same on packets that we receive: an answer may number it otherwise than its offer did.
    pub telephone_event_in: Option<u8>,
    /// What we may do.
    pub direction: Direction,
    /// The other end has put us on hold: it wants to hear nothing of us.
    pub hold: bool,
}

/// Why there can be no sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Malformed(Malformed),
    /// No plain RTP audio stream, or it was refused by port 0.
    NoAudio,
    /// Audio, but neither PCMU nor PCMA at 8 kHz.
    NoCodec,
    /// A host name, a multicast group, no address at all, or one of the family that our end does not have.
    Address,
    /// An answer that does not fit our offer line by line.
    Mismatch,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Malformed(malformed) => malformed.fmt(f),
            Refused::NoAudio => f.write_str("no RTP/AVP audio stream"),
            Refused::NoCodec => f.write_str("neither PCMU/8000 nor PCMA/8000 offered"),
            Refused::Address => f.write_str("no address that our end can send to"),
            Refused::Mismatch => f.write_str("the answer's streams do not fit the offer's"),
        }
    }
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Refused {
        Refused::Malformed(malformed)
    }
}

/// Our offer: one audio stream with all our codecs and telephone-event, both ways.
pub fn offer(local: &Local) -> String {
    let mut text = sdp::preamble(local.session, local.version, (0, 0), local.address);
    let number = |codec: Codec| codec.payload_type();
    audio(&mut text, "RTP/AVP", local, (&local.codecs, number), Some(TELEPHONE_EVENT), Direction::SendRecv);
    text
}

/// Our answer to an offer: the first audio stream that fits is taken with the offerer's favourite codec, every other line is refused in
/// its place (§6). The direction mirrors the offer's, so a hold is answered as one.
pub fn answer(offer: &str, local: &Local) -> Result<(String, Agreed), Refused> {
    let theirs = Description::read(offer)?;
    let (index, agreed) = choose(&theirs, local)?;
    let mut text = sdp::preamble(local.session, local.version, theirs.timing, local.address);
    for (at, stream) in theirs.streams.iter().enumerate() {
        if at == index {
            let number = |_| agreed.payload_type;
            audio(&mut text, &stream.profile, local, (&[agreed.codec], number), agreed.telephone_event, agreed.direction);
        } else {
            let formats = stream.formats.join(" ");
            write!(text, "m={} 0 {} {formats}\r\n", stream.kind, stream.profile).expect("a string takes all");
        }
    }
    Ok((text, agreed))
}

/// Their answer to an offer of ours made with the same `local`.
pub fn accept(answer: &str, local: &Local) -> Result<Agreed, Refused> {
    let theirs = Description::read(answer)?;
    let [stream] = &theirs.streams[..] else { return Err(Refused::Mismatch) };
    if stream.kind != "audio" {
        return Err(Refused::Mismatch);
    }
    let agreed = fit(&theirs, stream, local)?;
    let telephone_event_in = agreed.telephone_event.map(|_| TELEPHONE_EVENT);
    Ok(Agreed { telephone_event_in, ..agreed })
}

/// The first stream that fits, or why the best of them does not.
fn choose(theirs: &Description, local: &Local) -> Result<(usize, Agreed), Refused> {
    let mut why = Refused::NoAudio;
    for (index, stream) in theirs.streams.iter().enumerate() {
        match fit(theirs, stream, local) {
            Ok(agreed) => return Ok((index, agreed)),
            Err(Refused::NoAudio) => {}
            Err(refused) => why = refused,
        }
    }
    Err(why)
}

fn fit(theirs: &Description, stream: &Stream, local: &Local) -> Result<Agreed, Refused> {
    let plain = stream.profile == "RTP/AVP" || stream.profile == "RTP/AVPF";
    if stream.kind != "audio" || stream.port == 0 || !plain {
        return Err(Refused::NoAudio);
    }
    let known = |format: &String| {
        let (encoding, rate) = stream.encoding(format)?;
        let codec = Codec::read(encoding, rate).filter(|codec| local.codecs.contains(codec))?;
        Some((codec, format.parse().ok()?))
    };
    let (codec, payload_type) = stream.formats.iter().find_map(known).ok_or(Refused::NoCodec)?;
    let event = |format: &String| {
        let (encoding, rate) = stream.encoding(format)?;
        let named = encoding.eq_ignore_ascii_case("telephone-event") && rate == 8000;
        if named { format.parse().ok() } else { None }
    };
    let telephone_event = stream.formats.iter().find_map(event);
    let (remote, rtcp) = addresses(theirs, stream, local)?;
    let said = theirs.direction_of(stream);
    // RFC 3264 §8.4: the null address is the old way to say "send me nothing".
    let direction = Direction::new(said.sends(), said.receives() && !remote.ip().is_unspecified()).mirrored();
    Ok(Agreed {
        remote,
        rtcp,
        codec,
        payload_type,
        telephone_event,
        telephone_event_in: telephone_event,
        direction,
        hold: !direction.sends(),
    })
}

fn addresses(theirs: &Description, stream: &Stream, local: &Local) -> Result<(SocketAddr, SocketAddr), Refused> {
    let usable = |ip: IpAddr| ip.is_ipv4() == local.address.is_ipv4() && !ip.is_multicast();
    let Some(Host::Address(ip)) = theirs.host_of(stream) else { return Err(Refused::Address) };
    if !usable(ip) || ip == IpAddr::from([255, 255, 255, 255]) {
        return Err(Refused::Address);
    }
    let (rtcp_port, rtcp_ip) = stream.rtcp.unwrap_or((stream.port.wrapping_add(1), None));
    let rtcp_ip = rtcp_ip.filter(|own| usable(*own)).unwrap_or(ip);
    Ok((SocketAddr::new(ip, stream.port), SocketAddr::new(rtcp_ip, rtcp_port)))
}

fn audio(
    text: &mut String,
    profile: &str,
    local: &Local,
    (codecs, number): (&[Codec], impl Fn(Codec) -> u8),
    event: Option<u8>,
    direction: Direction,
) {
    let mut lines = String::new();
    let mut formats = String::new();
    for codec in codecs {
        write!(formats, " {}", number(*codec)).expect("a string takes all");
        write!(lines, "a=rtpmap:{} {}/8000\r\n", number(*codec), codec.name()).expect("a string takes all");
    }
    if let Some(event) = event {
        write!(formats, " {event}").expect("a string takes all");
        write!(lines, "a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n").expect("a string takes all");
    }
    let port = local.address.port();
    write!(text, "m=audio {port} {profile}{formats}\r\n{lines}a=ptime:20\r\na={direction}\r\n").expect("a string takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn local(address: &str) -> Local {
        Local { address: address.parse().unwrap(), session: 7, version: 1, codecs: vec![Codec::Pcmu, Codec::Pcma] }
    }

    fn ours() -> Local {
        local("192.0.2.1:20000")
    }

    fn sdp(media: &str) -> String {
        format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{media}")
    }

    #[test]
    fn our_own_offer_is_agreed_by_ourselves() {
        for (a, b) in [("192.0.2.1:20000", "192.0.2.2:30000"), ("[2001:db8::1]:20000", "[2001:db8::2]:30000")] {
            let (text, theirs) = answer(&offer(&local(a)), &local(b)).unwrap();
            let here = accept(&text, &local(a)).unwrap();
            assert_eq!((here.remote, theirs.remote), (b.parse().unwrap(), a.parse().unwrap()));
            for agreed in [here, theirs] {
                assert_eq!((agreed.codec, agreed.payload_type), (Codec::Pcmu, 0));
                assert_eq!((agreed.telephone_event, agreed.telephone_event_in), (Some(101), Some(101)));
                assert_eq!((agreed.direction, agreed.hold), (Direction::SendRecv, false));
                assert_eq!(agreed.rtcp.port(), agreed.remote.port() + 1);
            }
        }
    }

    #[test]
    fn the_offerers_favourite_codec_and_numbers_are_taken() {
        let offer = sdp(
            "m=audio 4000 RTP/AVP 18 97 0 96\r\na=rtpmap:97 pcma/8000\r\na=rtpmap:96 telephone-event/8000\r\na=rtpmap:18 G729/8000\r\n",
        );
        let (text, agreed) = answer(&offer, &ours()).unwrap();
        assert_eq!((agreed.codec, agreed.payload_type, agreed.telephone_event), (Codec::Pcma, 97, Some(96)));
        assert!(
            text.contains("m=audio 20000 RTP/AVP 97 96\r\na=rtpmap:97 PCMA/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n"),
            "{text}"
        );
        let none = answer(&sdp("m=audio 4000 RTP/AVP 0\r\n"), &ours()).unwrap();
        assert_eq!(none.1.telephone_event, None);
        assert!(!none.0.contains("telephone-event"));
    }

    #[test]
    fn every_other_line_is_refused_in_its_place() {
        let offer = sdp(
            "m=video 5000 RTP/AVP 31 34\r\nm=audio 0 RTP/AVP 0\r\nm=audio 4002 RTP/SAVP 0\r\nm=audio 4004 RTP/AVP 0\r\nm=audio 4006 RTP/AVP 0\r\n\
             m=application 9 TCP/MSRP *\r\n",
        );
        let (text, agreed) = answer(&offer, &ours()).unwrap();
        let lines: Vec<&str> = text.lines().filter(|l| l.starts_with("m=")).collect();
        assert_eq!(agreed.remote.port(), 4004);
        assert_eq!(
            lines,
            [
                "m=video 0 RTP/AVP 31 34",
                "m=audio 0 RTP/AVP 0",
                "m=audio 0 RTP/SAVP 0",
                "m=audio 20000 RTP/AVP 0",
                "m=audio 0 RTP/AVP 0",
                "m=application 0 TCP/MSRP *"
            ]
        );
    }

    #[test]
    fn a_hold_is_answered_as_one() {
        for (line, direction, hold) in [
            ("a=sendrecv\r\n", Direction::SendRecv, false),
            ("", Direction::SendRecv, false),
            ("a=sendonly\r\n", Direction::RecvOnly, true),
            ("a=recvonly\r\n", Direction::SendOnly, false),
            ("a=inactive\r\n", Direction::Inactive, true),
            ("c=IN IP4 0.0.0.0\r\n", Direction::RecvOnly, true),
            ("c=IN IP4 0.0.0.0\r\na=inactive\r\n", Direction::Inactive, true),
        ] {
            let (text, agreed) = answer(&sdp(&format!("m=audio 4000 RTP/AVP 0\r\n{line}")), &ours()).unwrap();
            assert_eq!((agreed.direction, agreed.hold), (direction, hold), "{line}");
            assert!(text.contains(&format!("a={direction}\r\n")), "{text}");
        }
        let held = sdp("a=inactive\r\nm=audio 4000 RTP/AVP 0\r\n");
        assert_eq!(
            answer(&held, &ours()).unwrap().1.direction,
            Direction::Inactive,
            "the description's direction is each stream's default"
        );
    }

    #[test]
    fn what_cannot_carry_sound_is_refused_with_its_reason() {
        for (media, why) in [
            ("", Refused::NoAudio),
            ("m=audio 0 RTP/AVP 0\r\n", Refused::NoAudio),
            ("m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n", Refused::NoAudio),
            ("m=audio 4000 RTP/AVP 18\r\n", Refused::NoCodec),
            ("m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000\r\n", Refused::NoCodec),
            ("m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::9\r\n", Refused::Address),
            ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 phone.example.com\r\n", Refused::Address),
            ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127\r\n", Refused::Address),
            ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 255.255.255.255\r\n", Refused::Address),
        ] {
            assert_eq!(answer(&sdp(media), &ours()), Err(why), "{media}");
        }
        assert!(matches!(answer("v=0", &ours()), Err(Refused::Malformed(_))));
    }

    #[test]
    fn an_answer_must_fit_our_offer() {
        let good = sdp("m=audio 4000 RTP/AVP 8 110\r\na=rtpmap:110 telephone-event/8000\r\na=rtcp:4444\r\n");
        let agreed = accept(&good, &ours()).unwrap();
        assert_eq!((agreed.codec, agreed.telephone_event, agreed.telephone_event_in), (Codec::Pcma, Some(110), Some(101)));
        assert_eq!(agreed.rtcp, "192.0.2.9:4444".parse().unwrap());
        assert_eq!(accept(&sdp(""), &ours()), Err(Refused::Mismatch));
        assert_eq!(accept(&sdp("m=video 4000 RTP/AVP 0\r\n"), &ours()), Err(Refused::Mismatch));
        assert_eq!(accept(&sdp("m=audio 0 RTP/AVP 0\r\n"), &ours()), Err(Refused::NoAudio));
        assert_eq!(accept(&sdp("m=audio 4 RTP/AVP 0\r\nm=audio 6 RTP/AVP 0\r\n"), &ours()), Err(Refused::Mismatch));
    }

    proptest! {
        /// Whatever is read, the answer has the offer's streams in the offer's order, and is itself readable.
        #[test]
        fn an_answer_mirrors_its_offer(
            streams in prop::collection::vec(("audio|video|text", any::<u16>(), "RTP/AVP|RTP/AVPF|RTP/SAVP", prop::collection::vec(0u8..128, 1..6)), 0..8),
            direction in "sendrecv|sendonly|recvonly|inactive",
        ) {
            let mut media = String::new();
            for (kind, port, profile, formats) in &streams {
                let formats = formats.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
                media += &format!("m={kind} {port} {profile} {formats}\r\na={direction}\r\n");
            }
            let offer = sdp(&media);
            if let Ok((text, agreed)) = answer(&offer, &ours()) {
                let back = Description::read(&text).unwrap();
                prop_assert_eq!(back.streams.len(), streams.len());
                prop_assert_eq!(back.streams.iter().filter(|s| s.port != 0).count(), 1);
                for (ours, theirs) in back.streams.iter().zip(&streams) {
                    prop_assert_eq!((&ours.kind, &ours.profile), (&theirs.0, &theirs.2));
                    prop_assert!(ours.port == 0 || theirs.1 != 0);
                }
                prop_assert_eq!(agreed.direction.mirrored().to_string(), direction);
            }
        }

        /// No text makes the reader panic, however it is cut or bent.
        #[test]
        fn bent_descriptions_are_refused_or_read(at in 0usize..400, with in any::<char>(), cut in 0usize..400) {
            let mut text: Vec<char> = (offer(&ours()) + "m=video 1 RTP/AVP 3\r\na=rtcp:9 IN IP4 1.2.3.4\r\n").chars().collect();
            let len = text.len();
            text[at % len] = with;
            text.truncate(cut % (len + 1) + len / 2);
            let text: String = text.into_iter().collect();
            let _ = answer(&text, &ours());
            let _ = accept(&text, &ours());
        }

        #[test]
        fn any_text_is_refused_or_read(text in "(v=0\r\n)?([vostcma]=[ -~é]{0,40}\r?\n){0,12}") {
            let _ = answer(&text, &ours());
        }
    }
}
