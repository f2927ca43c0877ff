//! `<Siprec>` (reference: twiml-voice §14.2).

use serde::{Deserialize, Serialize};

use super::stream::{TRACKS, name, parameters, service_callback};
use super::{ServiceCallback, StreamTrack};
use crate::Dialect;
use crate::reading::{Node, Reading, owned};

/// Sound to a SIP recorder (RFC 7866).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiprecNoun {
    /// What `<Stop>` calls it.
    pub name: Option<String>,
    /// Which recorder.
    pub connector_name: String,
    /// Whose sound.
    pub track: StreamTrack,
    /// Where its fate is told.
    pub status_callback: Option<ServiceCallback>,
    /// TeXML: the session's signalling and sound are encrypted.
    pub secure: bool,
    /// TeXML: seconds after which the session is confirmed again (RFC 4028), 90 to 14,440.
    pub session_timeout_s: Option<u32>,
    /// `<Parameter>`s.
    pub parameters: Vec<(String, String)>,
}

/// Without a `connectorName` there is nobody to record (31940).
pub(super) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> SiprecNoun {
    reading.known_attributes(node, ATTRIBUTES, TEXML_ATTRIBUTES);
    reading.only_children(node, &["Parameter"]);
    reading.no_text(node);
    let texml = reading.dialect == Dialect::Texml;
    let noun = SiprecNoun {
        name: name(node),
        connector_name: owned(node, "connectorName").unwrap_or_default(),
        track: reading.one_of(node, "track", TRACKS, StreamTrack::BothTracks, 31941),
        status_callback: service_callback(node, reading, "statusCallback", "statusCallbackMethod"),
        secure: texml && reading.boolean(node, "secure", false, 12200),
        session_timeout_s: texml
            .then(|| reading.whole_or_none(node, "sessionTimeoutSecs", 90..=14_440, 12200))
            .flatten(),
        parameters: parameters(node, reading),
    };
    if noun.connector_name.is_empty() {
        reading.bad(31940, node.range().start, "Siprec needs a connectorName");
    }
    noun
}

pub(super) const ATTRIBUTES: &[&str] =
    &["connectorName", "name", "statusCallback", "statusCallbackMethod", "track"];
pub(super) const TEXML_ATTRIBUTES: &[&str] = &["secure", "sessionTimeoutSecs"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpMethod;
    use crate::verb::table::{one, one_in};
    use crate::verb::{Service, Start, Verb};

    #[test]
    fn attributes_and_their_bad_values() {
        let plain = || SiprecNoun {
            name: None,
            connector_name: "c".into(),
            track: StreamTrack::BothTracks,
            status_callback: None,
            secure: false,
            session_timeout_s: None,
            parameters: vec![],
        };
        let callback = Some(ServiceCallback { url: "/c".into(), method: HttpMethod::Get });
        for (attributes, expected, codes) in [
            ("", plain(), vec![]),
            ("name='r'", SiprecNoun { name: Some("r".into()), ..plain() }, vec![]),
            ("track='inbound_track'", SiprecNoun { track: StreamTrack::InboundTrack, ..plain() }, vec![]),
            (
                "statusCallback='/c' statusCallbackMethod='GET'",
                SiprecNoun { status_callback: callback, ..plain() },
                vec![],
            ),
            ("url='wss://h'", plain(), vec![12200]),
        ] {
            let xml = format!("<Start><Siprec connectorName='c' {attributes}/></Start>");
            let start = Verb::Start(Start { services: vec![Service::Siprec(expected)] });
            assert_eq!(one(&xml), (Some(start), codes), "{xml}");
        }
        for (attributes, expected, codes) in [
            ("secure='true'", SiprecNoun { secure: true, ..plain() }, vec![]),
            ("secure='x'", plain(), vec![12200]),
            ("sessionTimeoutSecs='90'", SiprecNoun { session_timeout_s: Some(90), ..plain() }, vec![]),
            ("sessionTimeoutSecs='89'", plain(), vec![12200]),
        ] {
            let xml = format!("<Start><Siprec connectorName='c' {attributes}/></Start>");
            let start = Verb::Start(Start { services: vec![Service::Siprec(expected)] });
            assert_eq!(one_in(&xml, Dialect::Texml), (Some(start), codes), "{xml}");
        }
        for (xml, code) in [
            ("<Start><Siprec/></Start>", 31940),
            ("<Start><Siprec connectorName='c' track='all'/></Start>", 31941),
        ] {
            assert_eq!(one(xml), (None, vec![code]), "{xml}");
        }
    }
}
