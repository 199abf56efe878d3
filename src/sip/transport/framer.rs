//! Cuts a stream into SIP messages by their Content-Length (RFC 3261 §18.3). It owns no socket and no clock.

use crate::sip::message::Message;

/// What a stream holds next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A whole message.
    Message(Vec<u8>),
    /// A double line end between messages: the peer wants one back (RFC 5626 §4.4.1).
    Ping,
    /// All that is there, where nobody can tell how long it should be: nothing can be read after it.
    Lost(Vec<u8>),
}

#[derive(Debug)]
pub struct Framer {
    held: Vec<u8>,
    /// The end of the head is not before this octet.
    searched: usize,
    /// Where the message under way ends, once its head is there.
    end: Option<usize>,
    message_max: usize,
    headers_max: usize,
}

impl Framer {
    pub fn new(message_max: usize, headers_max: usize) -> Framer {
        Framer { held: Vec::new(), searched: 0, end: None, message_max, headers_max }
    }

    /// Where the stream's next octets belong; they are appended.
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.held
    }

    /// Whether a message has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.held.iter().any(|b| !matches!(b, b'\r' | b'\n'))
    }

    /// What is there of a message that will not end.
    pub fn give_up(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// The next piece; `None` until more octets are there.
    pub fn next_piece(&mut self) -> Option<Piece> {
        if self.end.is_none() {
            if self.skip_line_ends() {
                return Some(Piece::Ping);
            }
            match self.find_end() {
                Some(Ok(end)) => self.end = Some(end),
                Some(Err(())) => return Some(Piece::Lost(self.give_up())),
                None => return None,
            }
        }
        let end = self.end.filter(|end| *end <= self.held.len())?;
        let rest = self.held.split_off(end);
        let message = std::mem::replace(&mut self.held, rest);
        (self.end, self.searched) = (None, 0);
        Some(Piece::Message(message))
    }

    /// Drops what may stand between messages; true for a ping.
    fn skip_line_ends(&mut self) -> bool {
        while let Some(b'\r' | b'\n') = self.held.first() {
            if self.held.starts_with(b"\r\n\r\n") {
                self.held.drain(..4);
                return true;
            }
            if b"\r\n\r\n".starts_with(&self.held) {
                // It may become a ping.
                return false;
            }
            let length = if self.held.starts_with(b"\r\n") { 2 } else { 1 };
            self.held.drain(..length);
        }
        false
    }

    /// Where the message ends that the stream begins with. `Err`: that cannot be told, or it is too far away.
    fn find_end(&mut self) -> Option<Result<usize, ()>> {
        if !self.is_inside() {
            return None;
        }
        let from = self.searched.saturating_sub(3);
        let blank = |at: usize| match &self.held[at..] {
            [b'\n', b'\n', ..] => Some(at + 2),
            [b'\n', b'\r', b'\n', ..] => Some(at + 3),
            _ => None,
        };
        self.searched = self.held.len();
        let Some(head) = (from..self.held.len()).find_map(blank) else {
            return (self.held.len() > self.message_max).then_some(Err(()));
        };
        let end = Message::body_length(&self.held[..head], self.headers_max).and_then(|length| head.checked_add(length));
        Some(end.filter(|end| *end <= self.message_max).ok_or(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(chunks: &[&[u8]]) -> Vec<Piece> {
        let mut framer = Framer::new(300, 8);
        let mut found = Vec::new();
        for chunk in chunks {
            framer.room().extend_from_slice(chunk);
            while let Some(piece) = framer.next_piece() {
                let lost = matches!(piece, Piece::Lost(_));
                found.push(piece);
                if lost {
                    return found;
                }
            }
        }
        found
    }

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nX: y\r\nl: 3\r\n\r\nabc";
    const TWO: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length:\r\n  0\r\n\r\n";

    #[test]
    fn messages_are_cut_wherever_the_stream_is() {
        let stream = [b"\r\n", ONE, TWO, b"\r\n\r\n", ONE].concat();
        let whole = vec![Piece::Message(ONE.to_vec()), Piece::Message(TWO.to_vec()), Piece::Ping, Piece::Message(ONE.to_vec())];
        assert_eq!(pieces(&[&stream]), whole);
        assert_eq!(pieces(&stream.iter().map(std::slice::from_ref).collect::<Vec<_>>()), whole, "octet by octet");
        for at in 1..stream.len() {
            assert_eq!(pieces(&[&stream[..at], &stream[at..]]), whole, "cut at {at}");
        }
    }

    #[test]
    fn what_has_no_end_is_lost() {
        for bad in [
            "OPTIONS sip:a SIP/2.0\r\nX: y\r\n\r\nabc",
            "OPTIONS sip:a SIP/2.0\r\nl: -3\r\n\r\nabc",
            "OPTIONS sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 3\r\n\r\nabc",
            "OPTIONS sip:a SIP/2.0\r\nl: 18446744073709551615\r\n\r\nabc",
            "OPTIONS sip:a SIP/2.0\r\nl: 400\r\n\r\nabc",
            "OPTIONS sip:a SIP/2.0\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\nl: 3\r\n\r\nabc",
        ] {
            assert_eq!(pieces(&[bad.as_bytes(), ONE]), [Piece::Lost(bad.as_bytes().to_vec())], "{bad:?}");
        }
        let endless = [b'x'; 301];
        assert_eq!(pieces(&[&endless]), [Piece::Lost(endless.to_vec())]);
        assert_eq!(pieces(&[&endless[..300]]), []);
    }

    #[test]
    fn a_ping_is_no_message() {
        assert_eq!(pieces(&[b"\r\n\r", b"\n\r\n\r\n\r"]), [Piece::Ping, Piece::Ping]);
        assert_eq!(pieces(&[b"\r\n", b"\n\n\r", ONE]), [Piece::Message(ONE.to_vec())]);
        let mut framer = Framer::new(300, 8);
        framer.room().extend_from_slice(b"\r\n");
        assert!(framer.next_piece().is_none() && !framer.is_inside());
        framer.room().extend_from_slice(b"OPT");
        assert!(framer.next_piece().is_none() && framer.is_inside());
        assert_eq!(framer.give_up(), b"OPT");
    }
}
