//! The headers that this stack knows, with their compact names.

macro_rules! headers { ($($variant:ident $name:literal $($compact:literal)?;)*) => {
    /// A header by its meaning; `Other` is compared by its name.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Header { $($variant,)* Other }

    impl Header {
        /// The header of a name, in any case, long or compact.
        pub fn of(name: &[u8]) -> Header {
            if name.len() == 1 {
                return match name[0].to_ascii_lowercase() {
                    $($($compact => Header::$variant,)?)*
                    _ => Header::Other,
                };
            }
            $(if name.len() == $name.len() && name.eq_ignore_ascii_case($name.as_bytes()) { return Header::$variant; })*
            Header::Other
        }

        /// The long name, as we write it.
        pub fn name(self) -> &'static str {
            match self { $(Header::$variant => $name,)* Header::Other => "" }
        }
    }
} }

headers! {
    Via "Via" b'v';
    From "From" b'f';
    To "To" b't';
    CallId "Call-ID" b'i';
    CSeq "CSeq";
    MaxForwards "Max-Forwards";
    Contact "Contact" b'm';
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    Route "Route";
    RecordRoute "Record-Route";
    Expires "Expires";
    Authorization "Authorization";
    Supported "Supported" b'k';
    Require "Require";
    Accept "Accept";
    Allow "Allow";
    Subject "Subject" b's';
    UserAgent "User-Agent";
    ContentEncoding "Content-Encoding" b'e';
    Assertion "P-Asserted-Identity";
    Privacy "Privacy";
    Reason "Reason";
    RetryAfter "Retry-After";
    RSeq "RSeq";
    RAck "RAck";
    SessionExpires "Session-Expires" b'x';
    MinSe "Min-SE";
    MinExpires "Min-Expires";
    WwwAuthenticate "WWW-Authenticate";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case_and_compact() {
        assert_eq!(Header::of(b"vIA"), Header::Via);
        assert_eq!(Header::of(b"V"), Header::Via);
        assert_eq!(Header::of(b"call-id"), Header::CallId);
        assert_eq!(Header::of(b"z"), Header::Other);
        assert_eq!(Header::of(b"C%6Fntact"), Header::Other);
        assert_eq!(Header::CSeq.name(), "CSeq");
    }
}
