//! What we can do, and how a request that wants more is refused (RFC 3261 §8.2.1 to §8.2.3, §11.2).

use crate::{HeaderName, Headers, Method, Response};

/// The methods we take. PRACK is not among them: provisional responses are sent unreliably, and a peer that
/// requires 100rel is refused.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REGISTER, REFER, NOTIFY, SUBSCRIBE";

/// The extensions we know: Path in REGISTER (RFC 3327), flows of phones (RFC 5626).
pub(super) const SUPPORTED: [&str; 2] = ["path", "outbound"];

/// The code to refuse a method with: 405 for one we know and do not take, 501 for an unknown one (§8.2.1, §21.5.2).
pub(super) fn refuse_method(method: &Method) -> Option<u16> {
    match method {
        Method::Invite
        | Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Info
        | Method::Update
        | Method::Refer
        | Method::Notify
        | Method::Subscribe
        | Method::Register => None,
        Method::Message | Method::Prack | Method::Publish => Some(405),
        Method::Other(_) => Some(501),
    }
}

/// The required extensions neither we nor our owner has, to be listed in Unsupported (§8.2.2.3).
pub(super) fn unsupported(headers: &Headers, owners: &[String]) -> Vec<String> {
    let all = || SUPPORTED.into_iter().chain(owners.iter().map(String::as_str));
    let known = |tag: &str| all().any(|known| known.eq_ignore_ascii_case(tag));
    [HeaderName::Require, HeaderName::ProxyRequire]
        .iter()
        .flat_map(|name| headers.tokens(name))
        .filter(|tag| !known(tag))
        .collect()
}

/// Adds what an answer to OPTIONS says (§11.2).
pub(super) fn describe(response: &mut Response) {
    response.headers.push(HeaderName::Allow, ALLOW);
    response.headers.push(HeaderName::Accept, crate::session::SDP);
    response.headers.push(HeaderName::Supported, SUPPORTED.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_what_is_not_refused() {
        for name in ALLOW.split(", ") {
            assert_eq!(refuse_method(&Method::from(name)), None, "{name}");
        }
        assert_eq!(refuse_method(&Method::Prack), Some(405));
        assert_eq!(refuse_method(&Method::from("invite")), Some(501));
    }

    #[test]
    fn unknown_extensions_are_listed() {
        let mut headers = Headers::new();
        headers.push(HeaderName::Require, "Path, 100rel");
        headers.push(HeaderName::ProxyRequire, "sec-agree");
        assert_eq!(unsupported(&headers, &[]), ["100rel", "sec-agree"]);
        assert_eq!(unsupported(&headers, &["100Rel".to_owned()]), ["sec-agree"]);
    }
}
