//! The part of a body that is SDP (RFC 3261 §7.4.1, RFC 2046 §5.1).

use super::{Header, Message, line_end, trim};

/// The SDP in a multipart body; `None` if there is none, or its parts cannot be told apart.
pub fn sdp_part<'a>(content_type: &[u8], body: &'a [u8]) -> Option<&'a [u8]> {
    let boundary = boundary(content_type)?;
    let delimiter = [b"--", &boundary[..]].concat();
    let mut marks = Vec::new();
    let mut at = 0;
    while at < body.len() {
        if body[at..].starts_with(&delimiter) {
            marks.push(at);
        }
        at = body[at..].iter().position(|b| *b == b'\n').map_or(body.len(), |lf| at + lf + 1);
    }
    marks.windows(2).find_map(|pair| {
        let (_, start) = line_end(body, pair[0])?;
        let part = body.get(start..pair[1])?;
        let part = part.strip_suffix(b"\r\n").or(part.strip_suffix(b"\n")).unwrap_or(part);
        let (message, content) = Message::part(part)?;
        let kind = message.first(Header::ContentType)?;
        let kind = trim(kind.split(|b| *b == b';').next().unwrap_or_default());
        (kind.eq_ignore_ascii_case(b"application/sdp") && !content.is_empty()).then_some(content)
    })
}

/// The parameter that tells the parts apart.
fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let params = content_type.split(|b| *b == b';').skip(1).map(trim);
    let value = params.filter_map(|param| param.split_at_checked(9)).find(|(name, _)| name.eq_ignore_ascii_case(b"boundary="))?.1;
    let value = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    (!value.is_empty() && value.len() <= 70).then(|| value.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdp_among_other_parts() {
        let body = b"preamble\r\n--a b\r\nContent-Type: application/isup\r\n\r\n\x00\x01\r\n--a b\r\ncontent-type: application/SDP ;x=y\r\n\r\nv=0\r\ns=-\r\n\r\n--a b--\r\n";
        assert_eq!(sdp_part(b"multipart/mixed; boundary=\"a b\"", body), Some(&b"v=0\r\ns=-\r\n"[..]));
        assert_eq!(sdp_part(b"multipart/mixed;Boundary=ab", body), None);
        assert_eq!(sdp_part(b"multipart/mixed", body), None);
        let cut = &body[..body.len() - 20];
        assert_eq!(sdp_part(b"multipart/mixed;boundary=\"a b\"", cut), None, "the last part has no end");
    }
}
