//! What the cores know of the configuration.
//!
//! An [`Office`] is made by `config` from `tandem.toml`, is valid by type, and never changes: a reload is a
//! new one, handed to the node as an input. Calls in progress keep what they have taken from the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use base::AccountSid;
use media::CodecKind;
use serde::{Deserialize, Serialize};
use sip::TransportKind;
use twiml::{Dialect, HttpMethod};

/// One office: its phones, trunks, numbers and the rules between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Office {
    /// What people call it; shown, never parsed.
    pub name: String,
    /// The one account of the box (`webhooks` §3).
    pub account_sid: AccountSid,
    /// The digest realm the phones' credentials were made for (RFC 7616 §3.3).
    pub realm: String,
    /// The host part of the phones' addresses; `None`: any address of the box.
    pub domain: Option<String>,
    /// Where the box takes SIP.
    pub listen: Vec<Listen>,
    /// What callbacks and recording URLs begin with; no slash at the end.
    pub public_url: String,
    /// By name, which is the SIP user and the Client identity.
    pub phones: BTreeMap<String, Phone>,
    /// By name.
    pub trunks: BTreeMap<String, Trunk>,
    /// By number in the form of [`crate::route::normalise`].
    pub numbers: BTreeMap<String, Number>,
    /// Which outside numbers may be called, and by which trunk. The first one that matches decides.
    pub routes: Vec<Route>,
    /// Numbers that leave by any working trunk ahead of every other rule.
    pub emergency_numbers: BTreeSet<String>,
    /// How media is negotiated.
    pub media: MediaPreferences,
    /// How much is allowed.
    pub limits: Limits,
}

/// One SIP listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listen {
    /// `udp`, `tcp`, `tls`, `ws` or `wss`.
    pub transport: TransportKind,
    /// The local address.
    pub address: SocketAddr,
}

/// A device or soft client that registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// SIP user and Client identity.
    pub name: String,
    /// What other phones dial for it.
    pub extension: Option<String>,
    /// `MD5(name:realm:password)` in lower-case hexadecimal (RFC 2617 §3.2.2.2).
    pub ha1_md5: Secret,
    /// `SHA-256(name:realm:password)` in lower-case hexadecimal (RFC 7616 §3.4.2).
    pub ha1_sha256: Secret,
    /// The number it shows when it calls outside; `None`: the trunk's.
    pub caller_id: Option<String>,
}

/// A SIP peering with a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// Its name in routes, logs and records.
    pub name: String,
    /// The SIP URI calls to it are sent to, as text that parses.
    pub address: String,
    /// Whose INVITEs are its calls.
    pub accept_from: Vec<IpNet>,
    /// For the carrier's digest challenge.
    pub username: Option<String>,
    /// Likewise.
    pub password: Option<Secret>,
    /// Whether the box registers with the carrier.
    pub register: bool,
    /// The number shown to the carrier when nothing else says one.
    pub caller_id: Option<String>,
    /// Concurrent calls it carries; `None`: no limit of its own.
    pub calls_max: Option<usize>,
}

/// A number the office owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// As configured, for people and webhooks.
    pub number: String,
    /// What answers it.
    pub application: Application,
}

/// What a number points at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The first document.
    pub voice: Voice,
    /// Fetched when the first document, or one it led to, cannot be had (`webhooks` §7).
    pub fallback: Option<DocumentRef>,
    /// Who is told how the call went.
    pub status_callback: Option<StatusCallback>,
    /// How its documents are read.
    pub dialect: Dialect,
}

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voice {
    /// Fetched for every call.
    Document(DocumentRef),
    /// The TwiML text itself.
    Inline(String),
}

/// A document somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRef {
    /// `http(s)://…`, `file:<absolute path>`, or `app:<application>/<entry>`.
    pub url: String,
    /// How it is asked for; without meaning for `file:`.
    pub method: HttpMethod,
}

/// Who is told about a call's progress (`webhooks` §4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCallback {
    /// `http(s)://…` or `app:…`.
    pub url: String,
    /// How it is told.
    pub method: HttpMethod,
    /// About what.
    pub events: BTreeSet<CallEvent>,
}

/// What a status callback may be told about (`webhooks` §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallEvent {
    /// The INVITE has been sent.
    Initiated,
    /// The other side rings.
    Ringing,
    /// The other side has answered.
    Answered,
    /// The call is over, whatever the cause.
    Completed,
}

/// Which outside numbers leave by which trunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Literal characters; `?` one character; `*` at the end any rest.
    pub pattern: String,
    /// Tried in this order.
    pub trunks: Vec<String>,
    /// Characters taken off the front of the number before it leaves.
    pub strip: usize,
    /// Then put in front of it.
    pub prefix: String,
}

/// How media is negotiated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaPreferences {
    /// Offered in this order; nothing else is accepted.
    pub codecs: Vec<CodecKind>,
    /// Silence on RTP and RTCP after which a leg counts as lost, in milliseconds; 0: never.
    pub media_timeout_ms: u64,
    /// Whose ringback tone a caller hears, as an ISO 3166 code in lower case.
    pub ringback: String,
}

/// How much is allowed. Emergency numbers are excepted from all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Legs in progress; beyond it 503 with Retry-After.
    pub calls_max: usize,
    /// Outside calls in progress from one phone.
    pub calls_per_phone_max: usize,
    /// Outside calls one phone may begin in a minute.
    pub calls_per_phone_minute_max: usize,
}

/// A text that never shows in a log or an error: its `Debug` form is `***`.
///
/// It does serialise as it is, because snapshots and journals must be able to give it back; whoever writes
/// for people or programs outside leaves it out.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl Secret {
    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An address range: `192.0.2.0/24`, `2001:db8::/32`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IpNet {
    /// Any address of the range.
    pub addr: IpAddr,
    /// How many leading bits count.
    pub prefix_len: u8,
}

impl IpNet {
    /// Whether `addr` lies in the range. An IPv4 address mapped into IPv6 counts as the IPv4 address it is.
    pub fn contains(&self, addr: IpAddr) -> bool {
        match (self.addr.to_canonical(), addr.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(addr)) => {
                let differing = u32::from(net) ^ u32::from(addr);
                differing.checked_shr(32_u32.saturating_sub(self.prefix_len.into())).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(addr)) => {
                let differing = u128::from(net) ^ u128::from(addr);
                differing.checked_shr(128_u32.saturating_sub(self.prefix_len.into())).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether some address lies in both ranges.
    pub fn overlaps(&self, other: &IpNet) -> bool {
        if self.prefix_len <= other.prefix_len {
            self.contains(other.addr)
        } else {
            other.contains(self.addr)
        }
    }
}

/// A text that is not an address range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a range such as 192.0.2.0/24")]
pub struct ParseIpNetError(String);

impl FromStr for IpNet {
    type Err = ParseIpNetError;
    fn from_str(text: &str) -> Result<Self, ParseIpNetError> {
        let error = || ParseIpNetError(text.chars().take(64).collect());
        let (addr, prefix) = text.split_once('/').map_or((text, None), |(addr, prefix)| (addr, Some(prefix)));
        let addr: IpAddr = addr.parse().map_err(|_| error())?;
        let bits = if addr.is_ipv4() { 32 } else { 128 };
        let prefix_len = match prefix {
            None => bits,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| error())?
            }
            Some(_) => return Err(error()),
        };
        if prefix_len > bits {
            return Err(error());
        }
        Ok(IpNet { addr, prefix_len })
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.addr.is_ipv4() { 32 } else { 128 };
        if self.prefix_len == bits {
            write!(f, "{}", self.addr)
        } else {
            write!(f, "{}/{}", self.addr, self.prefix_len)
        }
    }
}

impl Default for MediaPreferences {
    fn default() -> Self {
        Self {
            codecs: vec![CodecKind::Pcmu, CodecKind::Pcma],
            media_timeout_ms: 30_000,
            ringback: "us".to_owned(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { calls_max: base::limits::CALLS_MAX, calls_per_phone_max: 10, calls_per_phone_minute_max: 30 }
    }
}

impl Office {
    /// The phone that answers to `extension`.
    pub fn phone_by_extension(&self, extension: &str) -> Option<&Phone> {
        self.phones.values().find(|phone| phone.extension.as_deref() == Some(extension))
    }

    /// The trunk whose calls come from `addr`.
    pub fn trunk_by_address(&self, addr: IpAddr) -> Option<&Trunk> {
        self.trunks.values().find(|trunk| trunk.accept_from.iter().any(|net| net.contains(addr)))
    }
}

impl CallEvent {
    /// As TwiML and the REST API write it.
    pub fn as_str(self) -> &'static str {
        match self {
            CallEvent::Initiated => "initiated",
            CallEvent::Ringing => "ringing",
            CallEvent::Answered => "answered",
            CallEvent::Completed => "completed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_contain_what_they_should() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:5::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
        ];
        for (net, addr, expected) in cases {
            assert_eq!(
                net.parse::<IpNet>().unwrap().contains(addr.parse().unwrap()),
                expected,
                "{net} {addr}"
            );
        }
    }

    #[test]
    fn a_range_survives_its_text_and_nonsense_is_refused() {
        for text in ["192.0.2.0/24", "192.0.2.7", "2001:db8::/32", "::1"] {
            assert_eq!(text.parse::<IpNet>().unwrap().to_string(), text);
        }
        for text in ["", "host", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "192.0.2/24", "::/129"] {
            assert!(text.parse::<IpNet>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_overlap_either_way_round() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        assert!(net("10.0.0.0/8").overlaps(&net("10.1.2.3")));
        assert!(net("10.1.2.3").overlaps(&net("10.0.0.0/8")));
        assert!(!net("10.0.0.0/8").overlaps(&net("11.0.0.0/8")));
    }

    #[test]
    fn a_secret_does_not_show() {
        assert_eq!(format!("{:?}", Secret("hunter2".to_owned())), "***");
    }
}
