//! As typed to valid by type: SIP recorders.

use std::collections::BTreeMap;

use call::office::Recorder;
use media::CodecKind;

use crate::audio;
use crate::directory::{credentials, name, required, sip_uri, twice};
use crate::raw::SiprecKeys;
use crate::resolve::Findings;

pub(crate) fn recorders(keys: &[SiprecKeys], found: &mut Findings) -> BTreeMap<String, Recorder> {
    let mut recorders = BTreeMap::new();
    for keys in keys {
        let name = required(found, "siprec.name", &keys.span, keys.name.as_ref(), name);
        let uri = required(found, "siprec.uri", &keys.span, keys.uri.as_ref(), |text: &String| {
            sip_uri(text).map(|_| text.clone())
        });
        credentials("siprec", keys.username.as_ref(), keys.password.as_ref(), found);
        let codecs = found.read("siprec.codecs", keys.codecs.as_ref(), |names| audio::codecs(names));
        let srtp = found.read("siprec.srtp", keys.srtp.as_ref(), |text| audio::srtp(text));
        let (Some(name), Some(uri)) = (name, uri) else { continue };
        let recorder = Recorder {
            name: name.clone(),
            uri,
            username: keys.username.as_ref().map(|username| username.value.clone()),
            password: keys.password.as_ref().map(|password| password.value.clone()),
            // A tap has what a telephone carries: nothing is gained by more.
            codecs: codecs.unwrap_or_else(|| vec![CodecKind::Pcmu, CodecKind::Pcma]),
            srtp,
        };
        if recorders.insert(name.clone(), recorder).is_some() {
            twice(found, "siprec.name", keys.name.as_ref(), &name);
        }
    }
    recorders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{config, resolved};

    #[test]
    fn a_recorder_is_read_with_what_it_leaves_out() {
        let config = config(
            "[[siprec]]\nname = 'archive'\nuri = 'sip:record@192.0.2.30;transport=tcp'\nusername = 'box'\n\
             password = 'secret'\ncodecs = ['pcma']\n[[siprec]]\nname = 'b'\nuri = 'sip:192.0.2.31'",
        );
        let archive = &config.office.recorders["archive"];
        assert_eq!(archive.uri, "sip:record@192.0.2.30;transport=tcp");
        assert_eq!(
            (archive.username.as_deref(), archive.codecs.clone()),
            (Some("box"), vec![CodecKind::Pcma])
        );
        let plain = &config.office.recorders["b"];
        assert_eq!(
            (&plain.username, &plain.codecs[..], plain.srtp),
            (&None, &[CodecKind::Pcmu, CodecKind::Pcma][..], None)
        );
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn what_is_wrong_with_one_is_said() {
        for (toml, key, part) in [
            ("name='a'", "siprec.uri", "is missing"),
            ("uri='sip:x'", "siprec.name", "is missing"),
            ("name='a'\nuri='http://x'", "siprec.uri", "must be a SIP URI"),
            ("name='a'\nuri='sip:x'\nusername='u'", "siprec.username", "needs a `password`"),
            ("name='a'\nuri='sip:x'\nsrtp='yes'", "siprec.srtp", "must be off, optional or required"),
            ("name='a'\nuri='sip:x'\n[[siprec]]\nname='a'\nuri='sip:y'", "siprec.name", "stands twice"),
        ] {
            let errors = resolved(&format!("[[siprec]]\n{toml}")).unwrap_err();
            let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            assert!(text.contains(key) && text.contains(part), "{toml}: {text}");
        }
    }
}
