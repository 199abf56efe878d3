//! Session descriptions (RFC 8866) as data: what offer and answer read of them, and nothing else.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Longest description that is read, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;
/// Most media streams in one description.
pub const MAX_STREAMS: usize = 16;
/// Most formats of one stream.
pub const MAX_FORMATS: usize = 64;

/// What is wrong, and in which line (from 1). Never quotes the text: a description may name a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub line: usize,
    pub cause: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SDP line {}: {}", self.line, self.cause)
    }
}

/// Who sends, from the side of the description's author (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same stream seen from the other end.
    pub fn mirrored(self) -> Direction {
        Direction::new(self.receives(), self.sends())
    }

    pub fn new(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    fn read(name: &str) -> Option<Direction> {
        Some(match name {
            "sendrecv" => Direction::SendRecv,
            "sendonly" => Direction::SendOnly,
            "recvonly" => Direction::RecvOnly,
            "inactive" => Direction::Inactive,
            _ => return None,
        })
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        })
    }
}

/// Where a stream lives. A name would have to be resolved, which this floor cannot: such a stream is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Address(IpAddr),
    Name,
}

/// `a=rtpmap`: what a dynamic payload type stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub payload_type: u8,
    pub encoding: String,
    pub rate: u32,
}

/// One `m=` line with what belongs to it. `port` 0 means that the stream is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    pub kind: String,
    pub port: u16,
    pub profile: String,
    pub formats: Vec<String>,
    pub host: Option<Host>,
    pub direction: Option<Direction>,
    pub mappings: Vec<Mapping>,
    /// Where its RTCP goes (RFC 3605), if not to the port above its own.
    pub rtcp: Option<(u16, Option<IpAddr>)>,
}

/// A whole description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    pub session: u64,
    pub version: u64,
    pub timing: (u64, u64),
    pub host: Option<Host>,
    pub direction: Option<Direction>,
    pub streams: Vec<Stream>,
}

impl Description {
    /// Reads a description. Lines may end in CRLF or LF; what is not understood is skipped, as RFC 8866 §5 asks for attributes.
    pub fn read(text: &str) -> Result<Description, Malformed> {
        if text.len() > MAX_LENGTH {
            return Err(Malformed { line: 1, cause: "longer than 16 KiB" });
        }
        let mut description = Description::default();
        let mut seen_origin = false;
        for (index, line) in text.lines().enumerate() {
            let fail = |cause| Malformed { line: index + 1, cause };
            if line.is_empty() {
                continue;
            }
            let (kind, value) = line.split_once('=').ok_or(fail("not of the form type=value"))?;
            match (index, kind) {
                (0, "v") if value.trim() == "0" => {}
                (0, _) => return Err(fail("a description begins with v=0")),
                (_, "o") => {
                    (description.session, description.version) = origin(value).map_err(fail)?;
                    seen_origin = true;
                }
                _ => description.line(kind, value).map_err(fail)?,
            }
        }
        if !seen_origin {
            return Err(Malformed { line: 1, cause: "no o= line" });
        }
        Ok(description)
    }

    fn line(&mut self, kind: &str, value: &str) -> Result<(), &'static str> {
        match kind {
            "t" if self.streams.is_empty() => self.timing = timing(value)?,
            "m" => {
                if self.streams.len() == MAX_STREAMS {
                    return Err("more than 16 streams");
                }
                self.streams.push(Stream::read(value)?);
            }
            "c" => {
                let host = Some(connection(value)?);
                match self.streams.last_mut() {
                    Some(stream) => stream.host = host,
                    None => self.host = host,
                }
            }
            "a" => match self.streams.last_mut() {
                Some(stream) => stream.attribute(value),
                None => self.direction = Direction::read(value).or(self.direction),
            },
            _ => {}
        }
        Ok(())
    }

    /// The stream's own address, or the description's.
    pub fn host_of(&self, stream: &Stream) -> Option<Host> {
        stream.host.or(self.host)
    }

    /// The stream's own direction, or the description's; both ways if neither is said.
    pub fn direction_of(&self, stream: &Stream) -> Direction {
        stream.direction.or(self.direction).unwrap_or_default()
    }
}

impl Stream {
    fn read(value: &str) -> Result<Stream, &'static str> {
        let mut words = value.split_ascii_whitespace();
        let (Some(kind), Some(port), Some(profile)) = (words.next(), words.next(), words.next()) else {
            return Err("m= needs media, port, profile and formats");
        };
        let port = port.split_once('/').map_or(port, |(first, _)| first);
        let port = port.parse().map_err(|_| "m= with a port that is no port")?;
        let formats: Vec<String> = words.map(str::to_owned).collect();
        if formats.is_empty() || formats.len() > MAX_FORMATS {
            return Err("m= needs 1 to 64 formats");
        }
        let printable = |word: &str| word.bytes().all(|b| b.is_ascii_graphic());
        if !printable(kind) || !printable(profile) || !formats.iter().all(|f| printable(f)) {
            return Err("m= with characters outside printable ASCII");
        }
        Ok(Stream { kind: kind.to_owned(), port, profile: profile.to_owned(), formats, ..Stream::default() })
    }

    /// What is broken in an attribute costs no more than that attribute.
    fn attribute(&mut self, value: &str) {
        if let Some(direction) = Direction::read(value) {
            self.direction = Some(direction);
        } else if let Some(map) = value.strip_prefix("rtpmap:").filter(|_| self.mappings.len() < MAX_FORMATS) {
            self.mappings.extend(mapping(map));
        } else if let Some(rtcp) = value.strip_prefix("rtcp:") {
            let mut words = rtcp.split_ascii_whitespace();
            let port = words.next().and_then(|port| port.parse().ok());
            self.rtcp = port.map(|port| (port, words.nth(2).and_then(|address| address.parse().ok()))).or(self.rtcp);
        }
    }

    /// What a format stands for: its `a=rtpmap`, or RFC 3551's table for the two static types that we speak.
    pub fn encoding(&self, format: &str) -> Option<(&str, u32)> {
        let payload_type: u8 = format.parse().ok()?;
        let mapped = self.mappings.iter().find(|m| m.payload_type == payload_type);
        match (mapped, payload_type) {
            (Some(mapping), _) => Some((&mapping.encoding, mapping.rate)),
            (None, 0) => Some(("PCMU", 8000)),
            (None, 8) => Some(("PCMA", 8000)),
            (None, _) => None,
        }
    }
}

fn origin(value: &str) -> Result<(u64, u64), &'static str> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let [_, session, version, _, _, _] = words[..] else { return Err("o= needs six words") };
    match (session.parse(), version.parse()) {
        (Ok(session), Ok(version)) => Ok((session, version)),
        _ => Err("o= with a session or version that is no 64-bit number"),
    }
}

fn timing(value: &str) -> Result<(u64, u64), &'static str> {
    let mut words = value.split_ascii_whitespace().map(str::parse);
    match (words.next(), words.next()) {
        (Some(Ok(start)), Some(Ok(stop))) => Ok((start, stop)),
        _ => Err("t= needs two numbers"),
    }
}

fn connection(value: &str) -> Result<Host, &'static str> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let ["IN", family, address] = words[..] else { return Err("c= needs IN, a family and an address") };
    let bare = address.split_once('/').map_or(address, |(first, _)| first);
    match (family, bare.parse::<IpAddr>()) {
        ("IP4", Ok(ip @ IpAddr::V4(_))) | ("IP6", Ok(ip @ IpAddr::V6(_))) => Ok(Host::Address(ip)),
        ("IP4" | "IP6", Ok(_)) => Err("c= with an address of the other family"),
        ("IP4" | "IP6", Err(_)) => Ok(Host::Name),
        _ => Err("c= with an unknown family"),
    }
}

fn mapping(value: &str) -> Option<Mapping> {
    let (payload_type, rest) = value.split_once(' ')?;
    let mut parts = rest.trim().split('/');
    let encoding = parts.next().filter(|name| !name.is_empty())?;
    Some(Mapping { payload_type: payload_type.parse().ok()?, encoding: encoding.to_owned(), rate: parts.next()?.parse().ok()? })
}

/// The first lines of a description of ours, up to its first stream.
pub fn preamble(session: u64, version: u64, timing: (u64, u64), address: SocketAddr) -> String {
    let ip = address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let (start, stop) = timing;
    format!("v=0\r\no=careline {session} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt={start} {stop}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "v=0\r\no=phone 12 34 IN IP4 192.0.2.7\r\ns=A name\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\na=recvonly\r\n\
        m=audio 4000/2 RTP/AVP 8 0 96\r\nc=IN IP4 192.0.2.8\r\na=rtpmap:96 telephone-event/8000\r\na=rtcp:4005 IN IP4 192.0.2.9\r\na=sendonly\r\n\
        m=video 4002 RTP/AVP 31\r\n";

    #[test]
    fn a_description_is_read_with_what_belongs_to_each_stream() {
        let sdp = Description::read(PHONE).unwrap();
        assert_eq!((sdp.session, sdp.version, sdp.timing), (12, 34, (0, 0)));
        let [audio, video] = &sdp.streams[..] else { panic!("two streams") };
        assert_eq!((audio.port, &audio.profile[..], audio.formats.len()), (4000, "RTP/AVP", 3));
        assert_eq!(sdp.host_of(audio), Some(Host::Address("192.0.2.8".parse().unwrap())));
        assert_eq!(sdp.host_of(video), Some(Host::Address("192.0.2.7".parse().unwrap())));
        assert_eq!((sdp.direction_of(audio), sdp.direction_of(video)), (Direction::SendOnly, Direction::RecvOnly));
        assert_eq!(audio.encoding("96"), Some(("telephone-event", 8000)));
        assert_eq!((audio.encoding("8"), audio.encoding("18")), (Some(("PCMA", 8000)), None));
        assert_eq!(audio.rtcp, Some((4005, Some("192.0.2.9".parse().unwrap()))));
        assert_eq!(Description::read(&PHONE.replace("\r\n", "\n")).unwrap(), sdp);
    }

    #[test]
    fn what_is_malformed_is_named_by_its_line_and_never_quoted() {
        for (text, line) in [
            ("", 1),
            ("o=- 1 1 IN IP4 192.0.2.1", 1),
            ("v=1\no=- 1 1 IN IP4 192.0.2.1", 1),
            ("v=0\ns=-\n", 1),
            ("v=0\no=- 1 IN IP4 192.0.2.1", 2),
            ("v=0\no=- x 1 IN IP4 192.0.2.1", 2),
            ("v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4 ::1", 3),
            ("v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 70000 RTP/AVP 0", 3),
            ("v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 7000 RTP/AVP", 3),
            ("v=0\no=- 1 1 IN IP4 192.0.2.1\nJane Doe", 3),
        ] {
            let error = Description::read(text).expect_err(text);
            assert_eq!(error.line, line, "{text:?}");
            assert!(!error.to_string().contains("Jane"));
        }
        let many = format!("{PHONE}{}", "m=audio 1 RTP/AVP 0\n".repeat(MAX_STREAMS));
        assert!(Description::read(&many).is_err());
        assert!(Description::read(&"v".repeat(MAX_LENGTH + 1)).is_err());
    }

    /// RFC 8866 §5: an attribute that is not understood is no reason to lose a call.
    #[test]
    fn a_broken_attribute_costs_only_itself() {
        for broken in ["rtpmap:96", "rtpmap:x PCMU/8000", "rtpmap:96 PCMU", "rtpmap:96 /8000", "rtpmap:300 PCMU/8000", "rtcp:none", "rtcp:"]
        {
            let sdp = Description::read(&format!("{PHONE}m=audio 4004 RTP/AVP 0\r\na={broken}\r\na=rtcp:4009\r\n")).expect(broken);
            assert_eq!((sdp.streams[2].encoding("0"), sdp.streams[2].rtcp), (Some(("PCMU", 8000)), Some((4009, None))), "{broken}");
        }
    }

    #[test]
    fn directions_mirror() {
        for (one, other) in [
            (Direction::SendRecv, Direction::SendRecv),
            (Direction::SendOnly, Direction::RecvOnly),
            (Direction::RecvOnly, Direction::SendOnly),
            (Direction::Inactive, Direction::Inactive),
        ] {
            assert_eq!(one.mirrored(), other);
        }
    }
}
