//! Header names: the ones the box knows, with their compact forms, and any other.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// Longest name in the table below; a longer one cannot be known.
const KNOWN_BYTES_MAX: usize = 32;

macro_rules! header_names {
    ($($variant:ident = $name:literal, $($lower:literal)|+;)*) => {
        /// A header's name. Compact forms (RFC 3261 §7.3.3) are the same name; names compare without case.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
            /// Any other, in the spelling received.
            Other(String),
        }

        impl HeaderName {
            /// As written on the wire: the usual spelling, or the one received for an unknown header.
            pub fn as_str(&self) -> &str {
                match self {
                    $(HeaderName::$variant => $name,)*
                    HeaderName::Other(name) => name,
                }
            }

            fn known(lower: &[u8]) -> Option<Self> {
                match lower {
                    $($($lower)|+ => Some(HeaderName::$variant),)*
                    _ => None,
                }
            }
        }

        #[cfg(test)]
        const KNOWN: &[(HeaderName, &str, &[&[u8]])] =
            &[$((HeaderName::$variant, $name, &[$($lower),+]),)*];
    };
}

header_names! {
    Accept = "Accept", b"accept";
    AcceptContact = "Accept-Contact", b"accept-contact" | b"a";
    AcceptEncoding = "Accept-Encoding", b"accept-encoding";
    AcceptLanguage = "Accept-Language", b"accept-language";
    AlertInfo = "Alert-Info", b"alert-info";
    Allow = "Allow", b"allow";
    AllowEvents = "Allow-Events", b"allow-events" | b"u";
    AuthenticationInfo = "Authentication-Info", b"authentication-info";
    Authorization = "Authorization", b"authorization";
    CallId = "Call-ID", b"call-id" | b"i";
    CallInfo = "Call-Info", b"call-info";
    Contact = "Contact", b"contact" | b"m";
    ContentDisposition = "Content-Disposition", b"content-disposition";
    ContentEncoding = "Content-Encoding", b"content-encoding" | b"e";
    ContentLanguage = "Content-Language", b"content-language";
    ContentLength = "Content-Length", b"content-length" | b"l";
    ContentType = "Content-Type", b"content-type" | b"c";
    CSeq = "CSeq", b"cseq";
    Date = "Date", b"date";
    Diversion = "Diversion", b"diversion";
    ErrorInfo = "Error-Info", b"error-info";
    Event = "Event", b"event" | b"o";
    Expires = "Expires", b"expires";
    FlowTimer = "Flow-Timer", b"flow-timer";
    From = "From", b"from" | b"f";
    HistoryInfo = "History-Info", b"history-info";
    Identity = "Identity", b"identity" | b"y";
    InReplyTo = "In-Reply-To", b"in-reply-to";
    InfoPackage = "Info-Package", b"info-package";
    Join = "Join", b"join";
    MaxForwards = "Max-Forwards", b"max-forwards";
    MimeVersion = "MIME-Version", b"mime-version";
    MinExpires = "Min-Expires", b"min-expires";
    MinSe = "Min-SE", b"min-se";
    Organization = "Organization", b"organization";
    PAssertedIdentity = "P-Asserted-Identity", b"p-asserted-identity";
    PPreferredIdentity = "P-Preferred-Identity", b"p-preferred-identity";
    Path = "Path", b"path";
    Priority = "Priority", b"priority";
    Privacy = "Privacy", b"privacy";
    ProxyAuthenticate = "Proxy-Authenticate", b"proxy-authenticate";
    ProxyAuthorization = "Proxy-Authorization", b"proxy-authorization";
    ProxyRequire = "Proxy-Require", b"proxy-require";
    RAck = "RAck", b"rack";
    Reason = "Reason", b"reason";
    RecordRoute = "Record-Route", b"record-route";
    RecvInfo = "Recv-Info", b"recv-info";
    ReferSub = "Refer-Sub", b"refer-sub";
    ReferTo = "Refer-To", b"refer-to" | b"r";
    ReferredBy = "Referred-By", b"referred-by" | b"b";
    RejectContact = "Reject-Contact", b"reject-contact" | b"j";
    RemotePartyId = "Remote-Party-ID", b"remote-party-id";
    Replaces = "Replaces", b"replaces";
    ReplyTo = "Reply-To", b"reply-to";
    RequestDisposition = "Request-Disposition", b"request-disposition" | b"d";
    Require = "Require", b"require";
    RetryAfter = "Retry-After", b"retry-after";
    Route = "Route", b"route";
    RSeq = "RSeq", b"rseq";
    Server = "Server", b"server";
    ServiceRoute = "Service-Route", b"service-route";
    SessionExpires = "Session-Expires", b"session-expires" | b"x";
    SipEtag = "SIP-ETag", b"sip-etag";
    SipIfMatch = "SIP-If-Match", b"sip-if-match";
    Subject = "Subject", b"subject" | b"s";
    SubscriptionState = "Subscription-State", b"subscription-state";
    Supported = "Supported", b"supported" | b"k";
    Timestamp = "Timestamp", b"timestamp";
    To = "To", b"to" | b"t";
    Unsupported = "Unsupported", b"unsupported";
    UserAgent = "User-Agent", b"user-agent";
    UserToUser = "User-to-User", b"user-to-user";
    Via = "Via", b"via" | b"v";
    Warning = "Warning", b"warning";
    WwwAuthenticate = "WWW-Authenticate", b"www-authenticate";
}

impl From<&str> for HeaderName {
    fn from(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut lower = [0; KNOWN_BYTES_MAX];
        let known = lower.get_mut(..bytes.len()).and_then(|lower| {
            lower.copy_from_slice(bytes);
            lower.make_ascii_lowercase();
            Self::known(lower)
        });
        known.unwrap_or_else(|| HeaderName::Other(name.to_owned()))
    }
}

impl HeaderName {
    fn compare(&self, other: &Self) -> Ordering {
        let lower = |name: &Self| name.as_str().bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
        lower(self).cmp(&lower(other))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (HeaderName::Other(a), HeaderName::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName {}

impl PartialOrd for HeaderName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HeaderName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other)
    }
}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for b in self.as_str().bytes() {
            state.write_u8(b.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_known_name_is_that_name() {
        for (name, usual, spellings) in KNOWN {
            assert_eq!(name.as_str(), *usual);
            assert_eq!(spellings[0], usual.to_ascii_lowercase().as_bytes(), "{usual}");
            for spelling in *spellings {
                let spelling = std::str::from_utf8(spelling).unwrap();
                assert!(spelling.len() <= KNOWN_BYTES_MAX);
                assert_eq!(HeaderName::from(spelling), *name);
                assert_eq!(HeaderName::from(spelling.to_uppercase().as_str()), *name);
            }
        }
    }

    #[test]
    fn unknown_names_keep_their_spelling_and_compare_without_case() {
        let name = HeaderName::from("X-Queue-Token");
        assert_eq!(name.as_str(), "X-Queue-Token");
        assert_eq!(name, HeaderName::from("x-queue-TOKEN"));
        assert_eq!(name.cmp(&HeaderName::from("x-queue-TOKEN")), Ordering::Equal);
        assert_ne!(name, HeaderName::from("X-Queue"));
        assert_ne!(HeaderName::Other("Z".into()), HeaderName::Via);
        assert!(matches!(HeaderName::from("z".repeat(99).as_str()), HeaderName::Other(_)));
    }
}
