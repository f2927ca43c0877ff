//! `X-Twilio-Signature`: proof that a request comes from the box (reference: webhooks §5).
//!
//! Signed is the URL as its receiver sees it, followed by each form parameter's name and value. A receiver
//! computes the same from what arrives, so what is signed must be exactly what is sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The header that carries a signature.
pub const SIGNATURE_HEADER: &str = "X-Twilio-Signature";

/// The signature of a request: `params` are those of a form body, decoded; none for a GET, whose parameters are
/// in the URL.
pub fn signature(token: &str, url: &str, params: &[(String, String)]) -> String {
    // A key of any length will do (RFC 2104 §3).
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text_to_sign(url, params).as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

/// The same with SHA-256, for receivers that were told so (reference: webhooks §5.6).
pub fn signature_sha256(key: &str, url: &str, params: &[(String, String)]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text_to_sign(url, params).as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

/// The URL a JSON body is sent to and signed with: the body's hash travels in it (reference: webhooks §5.3).
pub fn body_signed_url(url: &str, body: &[u8]) -> String {
    let url = crate::reference::without_fragment(url);
    let separator = if url.contains('?') { '&' } else { '?' };
    let mut signed = format!("{url}{separator}bodySHA256=");
    for byte in Sha256::digest(body) {
        write!(signed, "{byte:02x}").expect("writing to a String cannot fail");
    }
    signed
}

/// Whether a signature is right, in a time that does not tell how much of it is.
pub fn signature_matches(expected: &str, received: &str) -> bool {
    let differences = expected.bytes().zip(received.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    expected.len() == received.len() && differences == 0
}

/// Names in byte order; a repeated name contributes its distinct values in order.
fn text_to_sign(url: &str, params: &[(String, String)]) -> String {
    let mut sorted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in params {
        sorted.entry(name).or_default().push(value);
    }
    let mut text = seen_by_receiver(url);
    for (name, mut values) in sorted {
        values.sort_unstable();
        values.dedup();
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    text
}

/// Without fragment, credentials and the scheme's default port (reference: webhooks §5.1, §5.5); otherwise byte
/// for byte.
fn seen_by_receiver(url: &str) -> String {
    let url = crate::reference::without_fragment(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => "",
    };
    // The colons of an IPv6 address stand in brackets.
    let host = match host.strip_suffix(default_port) {
        Some(name) if !default_port.is_empty() => name,
        _ => host,
    };
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const TOKEN: &str = "12345";
    const FIRST_URL: &str = "https://example.com/myapp.php?foo=1&bar=2";
    const FIRST: &[(&str, &str)] = &[
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675310"),
        ("Digits", "1234"),
        ("From", "+14158675310"),
        ("To", "+18005551212"),
    ];

    /// The published examples, checked with an official validator.
    #[test]
    fn worked_examples() {
        for (url, form, expected) in [
            (FIRST_URL, FIRST, "L/OH5YylLD5NRKLltdqwSvS0BnU="),
            (
                "http://10.1.2.3:8080/voice?CallSid=CA1234567890ABCDE&From=%2B14158675310",
                &[],
                "iONs77K8dr1GO33LB0BMUDZtsrw=",
            ),
            (
                "http://h.example/x",
                &[("Digits", ""), ("SpeechResult", "grüezi 你好"), ("Z", "x"), ("a", "lower sorts after Z")],
                "ZORxFlSNG+DG+qJ/8BvVkPn/Apo=",
            ),
            (
                "http://h.example/x",
                &[("A", "2"), ("A", "1"), ("A", "2"), ("B", "x")],
                "/CTxMf8ZyTDG8i0KPPtpFKYQzno=",
            ),
            ("https://example.com/a", &[("k", "v")], "jAFWgnJpW+XopoFgVrZdGhS90kk="),
        ] {
            assert_eq!(signature(TOKEN, url, &params(form)), expected, "{url}");
        }
        assert_eq!(
            signature_sha256(TOKEN, FIRST_URL, &params(FIRST)),
            "qMztBq0IANMH/q0K9sCfKQJLylezvRdRzRS647SAVow="
        );
    }

    #[test]
    fn a_json_body_is_signed_by_its_hash_in_the_url() {
        let body = br#"{"CallSid":"CA1234567890ABCDE","Caller":"+12349013030"}"#;
        let url = body_signed_url("https://example.com/myapp", body);
        let hash = "5ccde7145dfb8f56479710896586cb9d5911809d83afbe34627818790db0aec9";
        assert_eq!(url, format!("https://example.com/myapp?bodySHA256={hash}"));
        assert_eq!(signature(TOKEN, &url, &[]), "hPXmLwIy3Fgqv1i9KPmH/HhQ6zo=");
        assert!(body_signed_url("http://h/a?b=1#rc=2", body).starts_with("http://h/a?b=1&bodySHA256="));
    }

    #[test]
    fn what_the_receiver_sees_is_signed() {
        for (url, seen) in [
            ("https://example.com:443/a", "https://example.com/a"),
            ("https://example.com:8443/a", "https://example.com:8443/a"),
            ("http://example.com:80/a", "http://example.com/a"),
            ("http://example.com:443/a", "http://example.com:443/a"),
            ("http://example.com:8080/a", "http://example.com:8080/a"),
            ("http://[::1]:80/a", "http://[::1]/a"),
            ("http://[fe80::80]/a", "http://[fe80::80]/a"),
            ("wss://h:443/s", "wss://h/s"),
            ("http://u:p@h/a", "http://h/a"),
            ("http://u:p%40@h:8080?x=1", "http://h:8080?x=1"),
            ("http://h/a@b?c=d@e", "http://h/a@b?c=d@e"),
            ("http://h/a?b=c#rc=2&rt=100", "http://h/a?b=c"),
            ("http://h", "http://h"),
        ] {
            assert_eq!(text_to_sign(url, &[]), seen);
        }
        let form = params(&[("k", "v")]);
        assert_eq!(
            signature(TOKEN, "https://example.com:443/a", &form),
            signature(TOKEN, "https://example.com/a", &form)
        );
    }

    /// Example 6 of the reference with its port: what a validator that adds the port computes.
    #[test]
    fn another_port_is_part_of_the_text() {
        let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
        mac.update(b"https://example.com:443/akv");
        assert_eq!(BASE64.encode(mac.finalize().into_bytes()), "fblvVrccVyi2ZucBHEXaXUNRZyw=");
        assert_eq!(
            text_to_sign("https://example.com:444/a", &params(&[("k", "v")])),
            "https://example.com:444/akv"
        );
    }

    #[test]
    fn comparing() {
        let right = signature(TOKEN, FIRST_URL, &params(FIRST));
        assert!(signature_matches(&right, &right));
        assert!(!signature_matches(&right, &right[1..]));
        assert!(!signature_matches(&right, &right.replace('L', "M")));
        assert!(!signature_matches(&right, ""));
    }
}
