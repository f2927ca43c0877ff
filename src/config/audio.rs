//! The keys that say how audio is agreed on, the same for the office, a phone and a trunk.

use call::office::{DtmfMode, PeerMedia, SrtpPolicy};
use media::CodecKind;

use crate::raw::At;
use crate::read::nearest;
use crate::resolve::Findings;

/// `codecs`, `srtp` and `dtmf` of one phone or trunk; `section` is its name in messages.
pub(crate) fn of_peer(
    section: &str,
    codec_names: Option<&At<Vec<String>>>,
    srtp_word: Option<&At<String>>,
    dtmf_word: Option<&At<String>>,
    found: &mut Findings,
) -> PeerMedia {
    PeerMedia {
        codecs: found.read(&format!("{section}.codecs"), codec_names, |names| codecs(names)),
        srtp: found.read(&format!("{section}.srtp"), srtp_word, |text| srtp(text)),
        dtmf: found.read(&format!("{section}.dtmf"), dtmf_word, |text| dtmf(text)).unwrap_or_default(),
    }
}

pub(crate) fn codecs(names: &[String]) -> Result<Vec<CodecKind>, String> {
    let mut codecs = Vec::new();
    for name in names {
        let Some(codec) = CodecKind::from_key(&name.to_ascii_lowercase()) else {
            let known = CodecKind::ALL.map(|kind| kind.info().key);
            return Err(format!(
                "`{name}` is not a codec of the box; the nearest is `{}`.",
                nearest(name, &known)
            ));
        };
        if codecs.contains(&codec) {
            return Err(format!("`{name}` stands twice."));
        }
        codecs.push(codec);
    }
    if codecs.is_empty() { Err("is empty: no call could be heard.".to_owned()) } else { Ok(codecs) }
}

pub(crate) fn srtp(text: &str) -> Result<SrtpPolicy, String> {
    match text {
        "off" => Ok(SrtpPolicy::Off),
        "optional" => Ok(SrtpPolicy::Optional),
        "required" => Ok(SrtpPolicy::Required),
        _ => Err(format!(
            "`{text}` must be off, optional or required; the nearest is `{}`.",
            nearest(text, &["off", "optional", "required"])
        )),
    }
}

fn dtmf(text: &str) -> Result<DtmfMode, String> {
    match text {
        "auto" => Ok(DtmfMode::Auto),
        "rtp" => Ok(DtmfMode::Rtp),
        "info" => Ok(DtmfMode::Info),
        "inband" => Ok(DtmfMode::Inband),
        _ => Err(format!(
            "`{text}` must be auto, rtp, info or inband; the nearest is `{}`.",
            nearest(text, &["auto", "rtp", "info", "inband"])
        )),
    }
}

pub(crate) fn ptime_ms(ms: u64) -> Result<u8, String> {
    match u8::try_from(ms) {
        Ok(ms @ (10 | 20 | 30 | 40 | 50 | 60)) => Ok(ms),
        _ => Err("must be 10, 20, 30, 40, 50 or 60; leave it out to have the peer choose.".to_owned()),
    }
}
