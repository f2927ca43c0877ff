//! `<Transcription>` in `<Start>` (reference: twiml-voice §14.4).

use serde::{Deserialize, Serialize};

use super::stream::{StreamTrack, TRACKS, name, service_callback};
use super::{ServiceCallback, say};
use crate::Dialect;
use crate::reading::{Node, Reading, attribute, is_language, owned};

/// What is said in a call, told as it is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptionNoun {
    /// What `<Stop>` calls it.
    pub name: Option<String>,
    /// Whose words.
    pub track: StreamTrack,
    /// Where everything is told.
    pub status_callback: Option<ServiceCallback>,
    /// What the party of the call is called in what is told.
    pub inbound_track_label: Option<String>,
    /// What the box's side is called.
    pub outbound_track_label: Option<String>,
    /// Tell also what may yet change.
    pub partial_results: bool,
    /// BCP-47.
    pub language: String,
    /// Words to expect, comma separated.
    pub hints: Option<String>,
    /// Mask profanities with `*`.
    pub profanity_filter: bool,
    /// Any engine's name is taken; the box has one.
    pub engine: Option<String>,
    /// Likewise.
    pub model: Option<String>,
}

pub(super) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> TranscriptionNoun {
    match reading.dialect {
        Dialect::Twiml => as_twiml(node, reading),
        Dialect::Texml => as_texml(node, reading),
    }
}

/// Hardly a name is the same (reference: texml-delta §3).
fn as_texml(node: Node<'_>, reading: &mut Reading<'_>) -> TranscriptionNoun {
    const TRACKS: &[(&str, StreamTrack)] = &[
        ("inbound", StreamTrack::InboundTrack),
        ("outbound", StreamTrack::OutboundTrack),
        ("both", StreamTrack::BothTracks),
    ];
    reading.known_attributes(node, TEXML_ATTRIBUTES, &[]);
    reading.no_children(node);
    reading.no_text(node);
    let text = |name| owned(node, name).filter(|value| !value.is_empty());
    let noun = TranscriptionNoun {
        name: name(node),
        track: reading.one_of(node, "transcriptionTracks", TRACKS, StreamTrack::InboundTrack, 12200),
        status_callback: service_callback(
            node,
            reading,
            "transcriptionCallback",
            "transcriptionCallbackMethod",
        ),
        inbound_track_label: None,
        outbound_track_label: None,
        partial_results: reading.boolean(node, "interimResults", false, 12200),
        language: match attribute(node, "language") {
            Some(tag) if is_language(tag) => tag.to_owned(),
            None => "en".to_owned(),
            Some(_) => {
                reading.bad_value(node, "language", 12200, "must be a language tag such as en-US");
                "en".to_owned()
            }
        },
        hints: None,
        profanity_filter: false,
        engine: text("transcriptionEngine"),
        model: text("model"),
    };
    if noun.status_callback.is_none() {
        let message = "Transcription without a transcriptionCallback: nobody learns what is said";
        reading.note(12200, node.range().start, message);
    }
    noun
}

fn as_twiml(node: Node<'_>, reading: &mut Reading<'_>) -> TranscriptionNoun {
    reading.known_attributes(node, ATTRIBUTES, &[]);
    reading.only_children(node, &["Config", "Parameter"]);
    reading.no_text(node);
    let text = |name| owned(node, name).filter(|value| !value.is_empty());
    TranscriptionNoun {
        name: name(node),
        track: reading.one_of(node, "track", TRACKS, StreamTrack::BothTracks, 12200),
        status_callback: service_callback(node, reading, "statusCallbackUrl", "statusCallbackMethod"),
        inbound_track_label: text("inboundTrackLabel"),
        outbound_track_label: text("outboundTrackLabel"),
        partial_results: reading.boolean(node, "partialResults", false, 12200),
        language: say::language_of(node, "languageCode", reading, 12200),
        hints: text("hints"),
        profanity_filter: reading.boolean(node, "profanityFilter", true, 12200),
        engine: text("transcriptionEngine"),
        model: text("speechModel"),
    }
}

pub(super) const ATTRIBUTES: &[&str] = &[
    "enableAutomaticPunctuation",
    "hints",
    "inboundTrackLabel",
    "intelligenceService",
    "languageCode",
    "name",
    "outboundTrackLabel",
    "partialResults",
    "profanityFilter",
    "speechModel",
    "statusCallbackMethod",
    "statusCallbackUrl",
    "track",
    "transcriptionEngine",
];

pub(super) const TEXML_ATTRIBUTES: &[&str] = &[
    "apiKeyRef",
    "interimResults",
    "language",
    "model",
    "name",
    "region",
    "transcriptionCallback",
    "transcriptionCallbackMethod",
    "transcriptionEngine",
    "transcriptionTracks",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpMethod;
    use crate::verb::table::{one, one_in};
    use crate::verb::{Service, Start, Verb};

    #[test]
    fn attributes_and_their_bad_values() {
        let with = |change: fn(&mut TranscriptionNoun)| {
            let mut noun = TranscriptionNoun {
                name: None,
                track: StreamTrack::BothTracks,
                status_callback: None,
                inbound_track_label: None,
                outbound_track_label: None,
                partial_results: false,
                language: "en-US".into(),
                hints: None,
                profanity_filter: true,
                engine: None,
                model: None,
            };
            change(&mut noun);
            noun
        };
        let told = |method| {
            let mut noun = with(|_| {});
            noun.status_callback = Some(ServiceCallback { url: "/t".into(), method });
            noun
        };
        for (attributes, expected, codes) in [
            ("", with(|_| {}), vec![]),
            ("name='t'", with(|n| n.name = Some("t".into())), vec![]),
            ("track='inbound_track'", with(|n| n.track = StreamTrack::InboundTrack), vec![]),
            ("track='both_tracks'", with(|_| {}), vec![]),
            ("track='all'", with(|_| {}), vec![12200]),
            ("statusCallbackUrl='/t'", told(HttpMethod::Post), vec![]),
            ("statusCallbackUrl='/t' statusCallbackMethod='GET'", told(HttpMethod::Get), vec![]),
            ("statusCallbackMethod='x'", with(|_| {}), vec![12200]),
            ("inboundTrackLabel='agent'", with(|n| n.inbound_track_label = Some("agent".into())), vec![]),
            ("outboundTrackLabel='c'", with(|n| n.outbound_track_label = Some("c".into())), vec![]),
            ("partialResults='true'", with(|n| n.partial_results = true), vec![]),
            ("partialResults='x'", with(|_| {}), vec![12200]),
            ("languageCode='de-DE'", with(|n| n.language = "de-DE".into()), vec![]),
            ("languageCode='?'", with(|_| {}), vec![12200]),
            ("hints='a,b'", with(|n| n.hints = Some("a,b".into())), vec![]),
            ("profanityFilter='false'", with(|n| n.profanity_filter = false), vec![]),
            ("transcriptionEngine='google'", with(|n| n.engine = Some("google".into())), vec![]),
            ("speechModel='telephony'", with(|n| n.model = Some("telephony".into())), vec![]),
            ("enableAutomaticPunctuation='true' intelligenceService='GA1'", with(|_| {}), vec![]),
            ("colour='red'", with(|_| {}), vec![12200]),
        ] {
            let xml = format!("<Start><Transcription {attributes}/></Start>");
            let start = Verb::Start(Start { services: vec![Service::Transcription(Box::new(expected))] });
            assert_eq!(one(&xml), (Some(start), codes), "{xml}");
        }
        let texml = || TranscriptionNoun {
            track: StreamTrack::InboundTrack,
            language: "en".into(),
            profanity_filter: false,
            ..told(HttpMethod::Post)
        };
        for (attributes, expected, codes) in [
            ("", texml(), vec![]),
            (
                "transcriptionTracks='both' interimResults='true'",
                TranscriptionNoun { track: StreamTrack::BothTracks, partial_results: true, ..texml() },
                vec![],
            ),
            ("transcriptionTracks='both_tracks'", texml(), vec![12200]),
            ("language='de'", TranscriptionNoun { language: "de".into(), ..texml() }, vec![]),
            (
                "transcriptionEngine='B' model='m' apiKeyRef='k' region='r'",
                TranscriptionNoun { engine: Some("B".into()), model: Some("m".into()), ..texml() },
                vec![],
            ),
            ("statusCallbackUrl='/t'", texml(), vec![12200]),
        ] {
            let xml = format!("<Start><Transcription transcriptionCallback='/t' {attributes}/></Start>");
            let start = Verb::Start(Start { services: vec![Service::Transcription(Box::new(expected))] });
            assert_eq!(one_in(&xml, Dialect::Texml), (Some(start), codes), "{xml}");
        }
        let silent = one_in("<Start><Transcription/></Start>", Dialect::Texml);
        assert_eq!(silent.1, [12200], "nobody learns what is said");
    }
}
