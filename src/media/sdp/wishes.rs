//! What our side may say in a description, and what it would like best.

use base::Rng;
use serde::{Deserialize, Serialize};

use super::stream::PTIME_MS;
use crate::codec::CodecKind;
use crate::negotiated::{SrtpKey, SrtpSuite};

/// What our side of one session may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// Codecs the box may use, best first. An offer lists them in this order; an answer takes the offerer's
    /// order among them. At most [`CODECS_MAX`](crate::CODECS_MAX) are looked at.
    pub codecs: Vec<CodecKind>,
    /// The codec that would save transcoding, as the other leg of a bridge already speaks it. When it is among
    /// `codecs` it comes first in an offer, and an answer takes it before any other the offer has.
    pub wanted: Option<CodecKind>,
    /// Whether telephone events (RFC 4733) are named.
    pub events: bool,
    /// Whether keys may come and go as tones when no telephone events are agreed on.
    pub inband: bool,
    /// Milliseconds of audio per packet we ask for, whole tens from 10 to 60; `None`: what the peer asks for, and
    /// 20 in an offer.
    pub ptime_ms: Option<u8>,
    /// Whether comfort noise (RFC 3389) is named.
    pub comfort_noise: bool,
    /// How we encrypt.
    pub srtp: SrtpWish,
}

/// Whether a session is encrypted, and with what (RFC 4568).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SrtpWish {
    /// Never: an offer that insists on it is refused.
    Off,
    /// If the peer does too.
    Optional(SrtpKeys),
    /// Or there is no call.
    Required(SrtpKeys),
}

/// What we would encrypt with, for each suite: drawn once a session, for the keys of a session stay the same
/// and no two lines of a description may share one (RFC 4568 §6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrtpKeys {
    cm_80: SrtpKey,
    cm_32: SrtpKey,
    gcm: SrtpKey,
}

impl Default for Wishes {
    fn default() -> Wishes {
        Wishes {
            codecs: vec![CodecKind::Pcmu, CodecKind::Pcma],
            wanted: None,
            events: true,
            inband: true,
            ptime_ms: None,
            comfort_noise: false,
            srtp: SrtpWish::Off,
        }
    }
}

impl Wishes {
    /// These codecs, in this order, and everything else as usual.
    pub fn of(codecs: &[CodecKind]) -> Wishes {
        Wishes { codecs: codecs.to_vec(), ..Wishes::default() }
    }

    /// The codecs with the wanted one first, each once.
    pub(super) fn ordered(&self) -> Vec<CodecKind> {
        let wanted = self.wanted.filter(|wanted| self.codecs.contains(wanted));
        let mut ordered = Vec::new();
        for kind in wanted.into_iter().chain(self.codecs.iter().copied()) {
            if !ordered.contains(&kind) && ordered.len() < crate::CODECS_MAX {
                ordered.push(kind);
            }
        }
        ordered
    }

    /// The packet length our offers ask for, and what a peer gets that asks for none.
    pub(super) fn ptime_or_usual(&self) -> u8 {
        self.ptime_ms.unwrap_or(PTIME_MS)
    }

    /// Which of the offerer's codecs is taken (RFC 3264 §6.1): the wanted one, or else its first we may use.
    pub(super) fn choose(&self, offered: &[(CodecKind, u8)]) -> Option<(CodecKind, u8)> {
        let permitted = || offered.iter().copied().filter(|(kind, _)| self.codecs.contains(kind));
        permitted().find(|(kind, _)| Some(*kind) == self.wanted).or_else(|| permitted().next())
    }
}

impl SrtpWish {
    /// Our keys, unless encryption is off.
    pub(super) fn keys(&self) -> Option<&SrtpKeys> {
        match self {
            SrtpWish::Off => None,
            SrtpWish::Optional(keys) | SrtpWish::Required(keys) => Some(keys),
        }
    }

    /// Whether a plain session is refused.
    pub(super) fn is_required(&self) -> bool {
        matches!(self, SrtpWish::Required(_))
    }
}

impl SrtpKeys {
    /// Fresh keys.
    pub fn random(rng: &mut Rng) -> SrtpKeys {
        SrtpKeys {
            cm_80: random_key(SrtpSuite::AesCm128HmacSha1_80, rng),
            cm_32: random_key(SrtpSuite::AesCm128HmacSha1_32, rng),
            gcm: random_key(SrtpSuite::AeadAes256Gcm, rng),
        }
    }

    /// The key of one suite.
    pub fn of(&self, suite: SrtpSuite) -> SrtpKey {
        match suite {
            SrtpSuite::AesCm128HmacSha1_80 => self.cm_80,
            SrtpSuite::AesCm128HmacSha1_32 => self.cm_32,
            SrtpSuite::AeadAes256Gcm => self.gcm,
        }
    }
}

fn random_key(suite: SrtpSuite, rng: &mut Rng) -> SrtpKey {
    let (key_bytes, salt_bytes) = super::crypto::lengths(suite);
    let mut key = SrtpKey { key: [0; 32], salt: [0; 14] };
    key.key[..key_bytes].iter_mut().chain(&mut key.salt[..salt_bytes]).for_each(|byte| {
        *byte = rng.u32().to_le_bytes()[0];
    });
    key
}
