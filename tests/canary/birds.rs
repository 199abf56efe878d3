//! The values, and how to look for them.

/// One value that must not be found, and what it is.
pub struct Bird {
    pub what: &'static str,
    /// The shortest part that is enough to know it by.
    pub value: &'static str,
}

pub const FROM: &str = "+13125550187";
pub const ASSERTED: &str = "+13125550176";
pub const NAME: &str = "Zebedee Quillfeather";
pub const ASSERTED_NAME: &str = "Wilhelmina Ostrander";
/// By SIP INFO, then by telephone-event.
pub const DIGITS: [&str; 2] = ["7391", "8246"];
pub const PASSWORD: &str = "kanari-passwort-4711x";
pub const PIN: &str = "90817263";
pub const TOKEN: &str = "kanari-token-9f8e7d6c5b4a";

pub const BIRDS: [Bird; 10] = [
    Bird { what: "a caller's number", value: "3125550187" },
    Bird { what: "a caller's asserted number", value: "3125550176" },
    Bird { what: "a caller's name", value: "Zebedee" },
    Bird { what: "a caller's family name", value: "Quillfeather" },
    Bird { what: "a caller's asserted name", value: "Ostrander" },
    Bird { what: "what a caller entered", value: "73918246" },
    Bird { what: "what a caller entered, one by one", value: "7, 3, 9, 1, 8, 2, 4, 6" },
    Bird { what: "an agent's password", value: PASSWORD },
    Bird { what: "an agent's PIN", value: PIN },
    Bird { what: "the API's token", value: TOKEN },
];

/// Every bird that sits in these bytes, in whatever form.
pub fn found(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for bird in &BIRDS {
        for (form, pattern) in forms(bird.value) {
            if bytes.windows(pattern.len()).any(|window| window == pattern) {
                found.push(format!("{} ({form})", bird.what));
            }
        }
    }
    found
}

fn forms(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let plain = value.as_bytes();
    let hex: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
    let wide = |bytes: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let mut forms = vec![
        ("as it is", plain.to_vec()),
        ("backwards", plain.iter().rev().copied().collect()),
        ("UTF-16, little end first", wide(u16::to_le_bytes)),
        ("UTF-16, big end first", wide(u16::to_be_bytes)),
        ("in hexadecimal capitals", hex.to_uppercase().into_bytes()),
        ("in hexadecimal", hex.into_bytes()),
    ];
    // Wherever in a longer text it stands.
    forms.extend((0..3).map(|before| ("in base64", base64_within(plain, before))));
    forms
}

/// The base64 digits that depend on these bytes alone when `before` others stand before them.
fn base64_within(bytes: &[u8], before: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<bool> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let skip = (6 - before * 8 % 6) % 6;
    let digit = |six: &[bool]| DIGITS[six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit))];
    bits[skip..].chunks_exact(6).map(digit).collect()
}

#[test]
fn each_form_of_each_bird_is_found_and_nothing_else() {
    assert!(found(b"a centre that says nothing of anybody, 3125550100").is_empty());
    for bird in &BIRDS {
        for (form, pattern) in forms(bird.value) {
            let text = [b"before ", &pattern[..], b" after"].concat();
            assert!(found(&text).iter().any(|found| found.starts_with(bird.what)), "{} {form}", bird.what);
        }
    }
    // "xZebedee" and "xxZebedee" in base64, by another hand.
    assert!(found(b"eFplYmVkZWU=").iter().any(|found| found.contains("base64")));
    assert!(found(b"eHhaZWJlZGVl").iter().any(|found| found.contains("base64")));
}
