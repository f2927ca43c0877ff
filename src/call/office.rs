//! What the cores know of the configuration.
//!
//! An [`Office`] is made by `config` from `tandem.toml`, is valid by type, and never changes: a reload is a
//! new one, handed to the node as an input. Calls in progress keep what they have taken from the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use base::AccountSid;
use media::{CodecKind, RecordFormat};
use serde::{Deserialize, Serialize};
use sip::{IpNet, TransportKind};
use twiml::{Dialect, HttpMethod, Source, StatusCallback};

use crate::agents::Agents;

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
    pub listen: Vec<(TransportKind, SocketAddr)>,
    /// The machine's own addresses, named in Via and Contact when a listener is bound to all of them. Found by the
    /// shell at start; empty in a configuration that was only read.
    pub addresses: Vec<IpAddr>,
    /// What callbacks and recording URLs begin with; no slash at the end.
    pub public_url: String,
    /// Who is told of every warning and error (`webhooks` §8).
    #[serde(default)]
    pub debugger_url: Option<String>,
    /// Whether an empty `<Record>` goes on with the next verb instead of asking its action (`twiml-voice` §8).
    #[serde(default)]
    pub empty_record_goes_on: bool,
    /// By name, which is the SIP user and the Client identity.
    pub phones: BTreeMap<String, Phone>,
    /// By name.
    pub trunks: BTreeMap<String, Trunk>,
    /// By number in the form of [`crate::route::normalise`].
    pub numbers: BTreeMap<String, Number>,
    /// What `<Dial><Application>` and the API name, by sid.
    pub applications: BTreeMap<String, Application>,
    /// SIP domains with phones and peers of their own, by name in lower case; the office's own is [`Self::domain`].
    #[serde(default)]
    pub domains: BTreeMap<String, Domain>,
    /// What `byoc` names instead of a trunk: the trunks to try in order, by sid.
    #[serde(default)]
    pub byoc: BTreeMap<String, Vec<String>>,
    /// Numbers of others that may be shown as the caller's, in normal form.
    #[serde(default)]
    pub caller_ids: BTreeSet<String>,
    /// Where `<Siprec>` sends sound, by connector name.
    #[serde(default)]
    pub recorders: BTreeMap<String, Recorder>,
    /// Which outside numbers may be called, and by which trunk. The first one that matches decides.
    pub routes: Vec<Route>,
    /// Numbers that leave by any working trunk ahead of every other rule.
    pub emergency_numbers: BTreeSet<String>,
    /// Who takes calls without a web server; `None`: nobody.
    #[serde(default)]
    pub agents: Option<Box<Agents>>,
    /// How media is negotiated.
    pub media: MediaPreferences,
    /// How much is allowed.
    pub limits: Limits,
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
    /// What differs from the office's media.
    pub media: PeerMedia,
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
    /// Milliseconds between two calls of those the API asks for; 0: it is sent all of them at once.
    #[serde(default)]
    pub calls_gap_ms: u32,
    /// What differs from the office's media.
    pub media: PeerMedia,
}

/// A SIP domain beside the office's own (reference: rest-voice §10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// `SD…`.
    #[serde(default)]
    pub sid: Option<String>,
    /// What answers whoever calls from it; `None`: what is dialled leads where a phone's or a trunk's call leads.
    pub application: Option<Application>,
    /// The phones that are its own, keys of [`Office::phones`].
    pub phones: BTreeSet<String>,
    /// Those of them that may register.
    pub registers: BTreeSet<String>,
    /// Whose INVITEs are its calls without a password.
    pub sources: Vec<IpNet>,
}

/// A SIP recorder: a session recording server (RFC 7866 §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorder {
    /// What `<Siprec connectorName>` calls it.
    pub name: String,
    /// The SIP URI recording sessions are sent to, as text that parses.
    pub uri: String,
    /// For its digest challenge.
    pub username: Option<String>,
    /// Likewise.
    pub password: Option<Secret>,
    /// What it is sent, best first.
    pub codecs: Vec<CodecKind>,
    /// Its own encryption; `None`: the office's.
    pub srtp: Option<SrtpPolicy>,
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
    /// The first document: `http(s)://…`, `file:///<absolute path>`, `app:<application>/<entry>`, or the text.
    pub voice: Source,
    /// Fetched when the first document, or one it led to, cannot be had (`webhooks` §7).
    pub fallback: Option<DocumentRef>,
    /// Who is told how the call went (`webhooks` §4.1).
    pub status_callback: Option<StatusCallback>,
    /// How its documents are read.
    pub dialect: Dialect,
    /// Whether every call is recorded whole, both voices and all prompts.
    pub record: bool,
    /// Whether that recording has two channels: the caller left, what the caller hears right.
    pub record_dual: bool,
}

/// A document somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRef {
    /// `http(s)://…`, `file:///<absolute path>`, or `app:<application>/<entry>`.
    pub url: String,
    /// How it is asked for; without meaning for `file:`.
    pub method: HttpMethod,
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
    /// Milliseconds of audio per packet we ask for; `None`: what the peer asks for, and 20 in an offer.
    pub ptime_ms: Option<u8>,
    /// Whether comfort noise is agreed on (RFC 3389).
    pub comfort_noise: bool,
    /// Whether audio is encrypted.
    pub srtp: SrtpPolicy,
    /// Silence on RTP and RTCP after which a leg counts as lost, in milliseconds; 0: never.
    pub media_timeout_ms: u64,
    /// Whose ringback tone a caller hears, as an ISO 3166 code in lower case.
    pub ringback: String,
    /// What the files of recordings are.
    pub recording_format: RecordFormat,
    /// Whether they may be MP3: this build has its encoder.
    pub encodes_mp3: bool,
}

/// What one phone or trunk does otherwise than [`MediaPreferences`] say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerMedia {
    /// Its own codecs, best first.
    pub codecs: Option<Vec<CodecKind>>,
    /// Its own encryption.
    pub srtp: Option<SrtpPolicy>,
    /// How keys come and go.
    pub dtmf: DtmfMode,
}

/// Whether audio is encrypted (RFC 3711, keys in SDP by RFC 4568).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SrtpPolicy {
    /// Never; an offer that insists on it is refused with 488.
    #[default]
    Off,
    /// Offered, and taken when it is offered.
    Optional,
    /// Or there is no call: 488.
    Required,
}

/// How keys come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DtmfMode {
    /// As telephone events (RFC 4733) when the peer takes them, otherwise as tones; INFO is understood.
    #[default]
    Auto,
    /// As telephone events and in no other way.
    Rtp,
    /// As SIP INFO in both directions; no telephone events are named.
    Info,
    /// As tones; no telephone events are named.
    Inband,
}

/// [`PeerMedia`] over [`MediaPreferences`].
pub(crate) struct LegMedia<'a> {
    pub(crate) codecs: &'a [CodecKind],
    pub(crate) srtp: SrtpPolicy,
    pub(crate) dtmf: DtmfMode,
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

impl Default for MediaPreferences {
    fn default() -> Self {
        Self {
            codecs: vec![CodecKind::Opus, CodecKind::G722, CodecKind::Pcmu, CodecKind::Pcma],
            ptime_ms: None,
            comfort_noise: false,
            srtp: SrtpPolicy::Off,
            media_timeout_ms: 30_000,
            ringback: "us".to_owned(),
            recording_format: RecordFormat::default(),
            encodes_mp3: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { calls_max: base::limits::CALLS_MAX, calls_per_phone_max: 10, calls_per_phone_minute_max: 30 }
    }
}

impl Office {
    /// What holds for a leg to this trunk or phone.
    pub(crate) fn media_of(&self, trunk: Option<&str>, phone: Option<&str>) -> LegMedia<'_> {
        let trunk = trunk.and_then(|name| self.trunks.get(name)).map(|trunk| &trunk.media);
        let phone = phone.and_then(|name| self.phones.get(name)).map(|phone| &phone.media);
        let own = trunk.or(phone);
        LegMedia {
            codecs: own.and_then(|own| own.codecs.as_ref()).unwrap_or(&self.media.codecs),
            srtp: own.and_then(|own| own.srtp).unwrap_or(self.media.srtp),
            dtmf: own.map(|own| own.dtmf).unwrap_or_default(),
        }
    }

    /// The office's number that this is, as configured.
    pub(crate) fn owned(&self, number: &str) -> Option<String> {
        self.numbers.get(&crate::route::normalise(number)).map(|owned| owned.number.clone())
    }

    /// The phone that answers to `extension`.
    pub fn phone_by_extension(&self, extension: &str) -> Option<&Phone> {
        self.phones.values().find(|phone| phone.extension.as_deref() == Some(extension))
    }

    /// The domain a phone's call is made in: the one it names, else the first that the phone is of.
    pub(crate) fn domain_of_phone(&self, phone: &str, named: &str) -> Option<&Domain> {
        let own = |domain: &&Domain| domain.phones.contains(phone);
        let named = self.domains.get(&named.to_ascii_lowercase()).filter(own);
        named.or_else(|| self.domains.values().find(own))
    }

    /// Phones that may call and not register: they are of a domain that only takes their calls.
    pub(crate) fn callers_only(&self) -> BTreeSet<String> {
        let registers = |phone: &&String| self.domains.values().any(|d| d.registers.contains(*phone));
        let phones = self.domains.values().flat_map(|domain| &domain.phones);
        phones.filter(|phone| !registers(phone)).cloned().collect()
    }

    /// The trunk whose calls come from `addr`.
    pub fn trunk_by_address(&self, addr: IpAddr) -> Option<&Trunk> {
        self.trunks.values().find(|trunk| trunk.accept_from.iter().any(|net| net.contains(addr)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        assert_eq!(format!("{:?}", Secret("hunter2".to_owned())), "***");
    }
}
