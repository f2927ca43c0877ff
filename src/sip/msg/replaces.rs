//! Replaces: which call another one is to take the place of (RFC 3891 §6.1).

use super::uri::unescape;
use crate::Uri;

/// A dialog as its other end names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag of whoever the INVITE goes to.
    pub to_tag: String,
    /// The tag of whoever it takes the call from.
    pub from_tag: String,
}

impl Replaces {
    /// What a Refer-To wants the new INVITE to replace; `None` when it names nothing readable.
    pub fn in_uri(uri: &Uri) -> Option<Self> {
        let (_, value) = uri.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("replaces"))?;
        Self::read(&unescape(value))
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let mut tags = [None, None];
        for part in parts {
            let Some((name, value)) = part.split_once('=') else { continue };
            for (tag, wanted) in tags.iter_mut().zip(["to-tag", "from-tag"]) {
                if name.trim().eq_ignore_ascii_case(wanted) {
                    *tag = Some(value.trim().to_owned());
                }
            }
        }
        let [Some(to_tag), Some(from_tag)] = tags else { return None };
        Some(Self { call_id, to_tag, from_tag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_replaced() {
        let some = |call_id: &str| {
            Some(Replaces { call_id: call_id.into(), to_tag: "7".into(), from_tag: "8".into() })
        };
        for (uri, expected) in [
            ("sip:b@h?Replaces=a%40b%3Bto-tag%3D7%3Bfrom-tag%3D8", some("a@b")),
            ("sip:b@h?replaces=ab%3Bfrom-tag=8%3Bto-tag=7%3Bearly-only", some("ab")),
            ("sip:b@h?Replaces=ab%3Bto-tag%3D7", None),
            ("sip:b@h?Replaces=%3Bto-tag%3D7%3Bfrom-tag%3D8", None),
            ("sip:b@h?Subject=x", None),
            ("sip:b@h", None),
        ] {
            let uri: Uri = uri.parse().unwrap();
            assert_eq!(Replaces::in_uri(&uri), expected, "{uri}");
        }
    }
}
