//! The virtual clients' session descriptions: G.711 µ-law and telephone-event, nothing else (RFC 4566, RFC 3264).

use std::net::{IpAddr, SocketAddr};

/// The payload type under which our own offers name telephone-event.
pub const TELEPHONE_EVENT: u8 = 101;

/// Where the other side wants its sound, and how it names digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    pub address: SocketAddr,
    pub telephone_event: Option<u8>,
    /// `sendonly` or `inactive`: the other side hears nothing of us.
    pub deaf: bool,
}

/// Our offer, or our answer to an offer that names telephone-event `event`.
pub fn describe(local: SocketAddr, session: u64, event: Option<u8>) -> String {
    let (ip, port) = (local.ip(), local.port());
    let (list, lines) = match event {
        Some(event) => (format!(" {event}"), format!("a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n")),
        None => Default::default(),
    };
    format!(
        "v=0\r\no=- {session} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0{list}\r\n\
         a=rtpmap:0 PCMU/8000\r\n{lines}a=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Reads the other side's description; the error says what we cannot work with.
pub fn read(body: &[u8]) -> Result<Remote, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the session description is not UTF-8")?;
    let (mut ip, mut port, mut formats, mut event, mut deaf) = (None, None, Vec::new(), None, false);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("c=IN IP4 ") {
            ip = Some(rest.trim().parse::<IpAddr>().map_err(|_| format!("no address in '{line}'"))?);
        } else if let Some(rest) = line.strip_prefix("m=audio ") {
            let mut words = rest.split_whitespace();
            port = words.next().and_then(|p| p.parse::<u16>().ok());
            formats = words.skip(1).filter_map(|f| f.parse::<u8>().ok()).collect();
        } else if let Some(rest) = line.strip_prefix("a=rtpmap:") {
            if let Some((format, name)) = rest.split_once(' ')
                && name.trim().eq_ignore_ascii_case("telephone-event/8000")
            {
                event = format.parse().ok();
            }
        } else if matches!(line.trim(), "a=sendonly" | "a=inactive") {
            deaf = true;
        }
    }
    if !formats.contains(&0) {
        return Err(format!("no PCMU among the formats {formats:?}"));
    }
    match (ip, port) {
        (Some(ip), Some(port)) if port > 0 => Ok(Remote { address: SocketAddr::new(ip, port), telephone_event: event, deaf }),
        _ => Err("no audio address".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_say_we_can_read() {
        let local: SocketAddr = "127.0.0.5:20002".parse().unwrap();
        for event in [None, Some(101), Some(96)] {
            let read = read(describe(local, 1, event).as_bytes()).unwrap();
            assert_eq!(read, Remote { address: local, telephone_event: event, deaf: false });
        }
    }

    #[test]
    fn what_we_cannot_use_is_named() {
        assert!(read(b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n").unwrap_err().contains("PCMU"));
        assert!(read(b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap_err().contains("no audio address"));
        assert!(read(b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n").is_err());
        assert!(read(b"c=IN IP4 127.0.0.1\r\nm=audio 2 RTP/AVP 0\r\na=inactive\r\n").unwrap().deaf);
    }
}
