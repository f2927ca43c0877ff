//! `<Stream>` (reference: twiml-voice §14.1, media-streams; texml-delta §3).

use serde::{Deserialize, Serialize};
use url::Url;

use super::ServiceCallback;
use crate::Dialect;
use crate::reading::{Node, Reading, attribute, owned, tag};

/// A media stream over a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamNoun {
    /// What `<Stop>` calls it.
    pub name: Option<String>,
    /// Where the application listens, as written; see [`stream_url`].
    pub url: String,
    /// Whose sound.
    pub track: StreamTrack,
    /// Where its fate is told.
    pub status_callback: Option<ServiceCallback>,
    /// `<Parameter>`s: the start message carries them.
    pub parameters: Vec<(String, String)>,
    /// TeXML's messages instead, and how the application's sound comes in them.
    pub texml: Option<TexmlStream>,
}

/// How sound goes over a stream of TeXML, either way (reference: media-streams §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TexmlStream {
    /// `codec`: what the application hears; `None`: the call's own codec, which is the one it has when the stream
    /// begins.
    pub hears: Option<StreamCodec>,
    /// What it says comes in whole MP3 files; else in pieces of `says`.
    pub mp3: bool,
    /// `bidirectionalCodec`.
    pub says: StreamCodec,
    /// `bidirectionalSamplingRate` of L16, Hz.
    pub rate_hz: u32,
    /// `enableReconnect`: a connection that breaks is made again.
    pub reconnects: bool,
}

impl Default for TexmlStream {
    fn default() -> Self {
        TexmlStream { hears: None, mp3: true, says: StreamCodec::Pcmu, rate_hz: 8_000, reconnects: true }
    }
}

impl TexmlStream {
    /// What the application hears. A call whose codec is not known is taken for one of the telephone network.
    pub fn heard_in(&self) -> StreamCodec {
        self.hears.unwrap_or(StreamCodec::Pcmu)
    }
}

/// A codec of a media stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StreamCodec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus, a packet a message.
    Opus,
    /// 16-bit samples, low byte first.
    L16,
}

/// Whose sound a stream, a recording session or a transcription takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamTrack {
    /// What the party of the call says.
    #[default]
    InboundTrack,
    /// What it hears.
    OutboundTrack,
    /// Both, apart from each other.
    BothTracks,
}

/// `url` is needed in a stream that begins; a `<Connect>` takes the inbound track only.
pub(super) fn read(node: Node<'_>, reading: &mut Reading<'_>, connects: bool) -> StreamNoun {
    reading.known_attributes(node, ATTRIBUTES, TEXML_ATTRIBUTES);
    reading.only_children(node, &["Parameter"]);
    reading.no_text(node);
    let tracks = if connects { &TRACKS[..1] } else { TRACKS };
    let noun = StreamNoun {
        name: name(node),
        url: owned(node, "url").unwrap_or_default(),
        track: reading.one_of(node, "track", tracks, StreamTrack::InboundTrack, 31941),
        status_callback: service_callback(node, reading, "statusCallback", "statusCallbackMethod"),
        parameters: parameters(node, reading),
        texml: match reading.dialect {
            Dialect::Twiml => None,
            Dialect::Texml => Some(texml(node, reading)),
        },
    };
    if noun.url.is_empty() {
        reading.bad(31923, node.range().start, "Stream needs a url");
    }
    noun
}

fn texml(node: Node<'_>, reading: &mut Reading<'_>) -> TexmlStream {
    let plain = TexmlStream::default();
    let mp3 = reading.one_of(node, "bidirectionalMode", &[("mp3", true), ("rtp", false)], true, 12200);
    let says = codec(node, "bidirectionalCodec", CODECS, reading).unwrap_or(plain.says);
    let rate_hz = reading.one_of(node, "bidirectionalSamplingRate", RATES, plain.rate_hz, 12200);
    if rate_hz != plain.rate_hz && matches!(says, StreamCodec::Pcmu | StreamCodec::Pcma) {
        reading.bad_value(node, "bidirectionalSamplingRate", 99006, "has no effect on G.711, which has 8000");
    }
    let reconnects = reading.boolean(node, "enableReconnect", plain.reconnects, 12200);
    let hears = match attribute(node, "codec") {
        None | Some("default") => None,
        Some(_) => codec(node, "codec", CODECS, reading),
    };
    TexmlStream { hears, mp3, says, rate_hz, reconnects }
}

/// One is published that nobody may build in.
fn codec(
    node: Node<'_>,
    name: &str,
    known: &[(&str, Option<StreamCodec>)],
    reading: &mut Reading<'_>,
) -> Option<StreamCodec> {
    if attribute(node, name) == Some("AMR-WB") {
        reading.bad_value(node, name, 99006, "is a codec this box does not have; PCMU stands for it");
        return Some(StreamCodec::Pcmu);
    }
    reading.one_of(node, name, known, None, 12200)
}

/// What is wrong with a stream's URL, by its code, if anything is.
pub fn stream_url(url: &str) -> Result<(), u32> {
    match Url::parse(url) {
        Ok(parsed) if !matches!(parsed.scheme(), "ws" | "wss") => Err(31922),
        Ok(parsed) if parsed.host_str().is_some_and(|host| !host.is_empty()) => Ok(()),
        Ok(_) | Err(_) => Err(31923),
    }
}

/// The name of a service, if it has one.
pub(super) fn name(node: Node<'_>) -> Option<String> {
    owned(node, "name").filter(|name| !name.is_empty())
}

/// Where a service's fate is told, if anywhere.
pub(super) fn service_callback(
    node: Node<'_>,
    reading: &mut Reading<'_>,
    url: &str,
    method: &str,
) -> Option<ServiceCallback> {
    let method = reading.method(node, method, 12200);
    let url = owned(node, url).filter(|url| !url.is_empty())?;
    Some(ServiceCallback { url, method })
}

/// `<Parameter name value/>` children.
pub(super) fn parameters(node: Node<'_>, reading: &mut Reading<'_>) -> Vec<(String, String)> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for child in node.children().filter(|c| c.is_element() && tag(*c) == "Parameter") {
        reading.known_attributes(child, &["name", "value"], &[]);
        let name = attribute(child, "name").unwrap_or_default();
        let value = attribute(child, "value").unwrap_or_default();
        let length = name.chars().count() + value.chars().count();
        if !name.is_empty() && length < PARAMETER_CHARS_MAX && parameters.len() < PARAMETERS_MAX {
            parameters.push((name.to_owned(), value.to_owned()));
        } else {
            let message = format!(
                "Parameter of {} needs a name, and fewer than {PARAMETER_CHARS_MAX} characters with its value; ignored",
                tag(node)
            );
            reading.note(12200, child.range().start, message);
        }
    }
    parameters
}

/// `track` of a service.
pub(super) const TRACKS: &[(&str, StreamTrack)] = &[
    ("inbound_track", StreamTrack::InboundTrack),
    ("outbound_track", StreamTrack::OutboundTrack),
    ("both_tracks", StreamTrack::BothTracks),
];
const CODECS: &[(&str, Option<StreamCodec>)] = &[
    ("PCMU", Some(StreamCodec::Pcmu)),
    ("PCMA", Some(StreamCodec::Pcma)),
    ("G722", Some(StreamCodec::G722)),
    ("OPUS", Some(StreamCodec::Opus)),
    ("L16", Some(StreamCodec::L16)),
];
const RATES: &[(&str, u32)] = &[("8000", 8_000), ("16000", 16_000), ("24000", 24_000)];
pub(super) const ATTRIBUTES: &[&str] = &[
    "audioFormat",
    "connectorName",
    "name",
    "sampleRate",
    "statusCallback",
    "statusCallbackMethod",
    "track",
    "url",
];
pub(super) const TEXML_ATTRIBUTES: &[&str] =
    &["bidirectionalCodec", "bidirectionalMode", "bidirectionalSamplingRate", "codec", "enableReconnect"];
const PARAMETERS_MAX: usize = 32;
/// Of a name and its value together.
const PARAMETER_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpMethod;
    use crate::verb::table::{one, one_in};
    use crate::verb::{Connect, ConnectService, Service, Start, Verb};

    fn plain() -> StreamNoun {
        StreamNoun {
            name: None,
            url: "wss://h/s".into(),
            track: StreamTrack::InboundTrack,
            status_callback: None,
            parameters: vec![],
            texml: None,
        }
    }

    #[test]
    fn attributes_and_their_bad_values() {
        let told = |method| StreamNoun {
            status_callback: Some(ServiceCallback { url: "/c".into(), method }),
            ..plain()
        };
        let with = |parameters: &[(&str, &str)]| StreamNoun {
            parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            ..plain()
        };
        let long = format!("<Parameter name='a' value='{}'/>", "x".repeat(499));
        for (attributes, children, expected, codes) in [
            ("", "", plain(), vec![]),
            ("name='s'", "", StreamNoun { name: Some("s".into()), ..plain() }, vec![]),
            ("name=''", "", plain(), vec![]),
            ("track='inbound_track'", "", plain(), vec![]),
            (
                "track='outbound_track'",
                "",
                StreamNoun { track: StreamTrack::OutboundTrack, ..plain() },
                vec![],
            ),
            ("track='both_tracks'", "", StreamNoun { track: StreamTrack::BothTracks, ..plain() }, vec![]),
            ("statusCallback='/c'", "", told(HttpMethod::Post), vec![]),
            ("statusCallback='/c' statusCallbackMethod='GET'", "", told(HttpMethod::Get), vec![]),
            ("statusCallbackMethod='PUT'", "", plain(), vec![12200]),
            ("connectorName='c' audioFormat='x' sampleRate='8000'", "", plain(), vec![]),
            ("codec='PCMU'", "", plain(), vec![12200]),
            (
                "",
                "<Parameter name='a' value='1'/><Parameter name='b c'/>",
                with(&[("a", "1"), ("b c", "")]),
                vec![],
            ),
            ("", "<Parameter value='1'/>", plain(), vec![12200]),
            ("", &long, plain(), vec![12200]),
            ("", "<Say>x</Say>", plain(), vec![12200]),
        ] {
            let xml = format!("<Start><Stream url='wss://h/s' {attributes}>{children}</Stream></Start>");
            let start = Verb::Start(Start { services: vec![Service::Stream(expected)] });
            assert_eq!(one(&xml), (Some(start), codes), "{xml}");
        }
        let base = TexmlStream::default();
        let says = |says| TexmlStream { says, ..base };
        let hears = |hears| TexmlStream { hears: Some(hears), ..base };
        let rate = |rate_hz| TexmlStream { rate_hz, says: StreamCodec::L16, ..base };
        for (attributes, expected, codes) in [
            ("", base, vec![]),
            ("bidirectionalMode='rtp'", TexmlStream { mp3: false, ..base }, vec![]),
            ("bidirectionalMode='wav'", base, vec![12200]),
            ("bidirectionalCodec='PCMU' bidirectionalSamplingRate='8000'", base, vec![]),
            ("bidirectionalCodec='PCMA'", says(StreamCodec::Pcma), vec![]),
            ("bidirectionalCodec='G722'", says(StreamCodec::G722), vec![]),
            ("bidirectionalCodec='OPUS'", says(StreamCodec::Opus), vec![]),
            ("bidirectionalCodec='L16'", says(StreamCodec::L16), vec![]),
            ("bidirectionalCodec='AMR-WB'", base, vec![99006]),
            ("bidirectionalCodec='x'", base, vec![12200]),
            ("bidirectionalCodec='L16' bidirectionalSamplingRate='16000'", rate(16_000), vec![]),
            ("bidirectionalCodec='L16' bidirectionalSamplingRate='24000'", rate(24_000), vec![]),
            ("bidirectionalCodec='L16' bidirectionalSamplingRate='48000'", rate(8_000), vec![12200]),
            ("bidirectionalSamplingRate='16000'", TexmlStream { rate_hz: 16_000, ..base }, vec![99006]),
            ("codec='PCMU'", hears(StreamCodec::Pcmu), vec![]),
            ("codec='default'", base, vec![]),
            ("codec='PCMA'", hears(StreamCodec::Pcma), vec![]),
            ("codec='G722'", hears(StreamCodec::G722), vec![]),
            ("codec='OPUS'", hears(StreamCodec::Opus), vec![]),
            ("codec='L16'", hears(StreamCodec::L16), vec![]),
            ("codec='AMR-WB'", hears(StreamCodec::Pcmu), vec![99006]),
            ("codec='x'", base, vec![12200]),
            ("enableReconnect='true'", base, vec![]),
            ("enableReconnect='false'", TexmlStream { reconnects: false, ..base }, vec![]),
            ("enableReconnect='x'", base, vec![12200]),
        ] {
            let xml = format!("<Start><Stream url='wss://h/s' {attributes}/></Start>");
            let noun = StreamNoun { texml: Some(expected), ..plain() };
            let start = Verb::Start(Start { services: vec![Service::Stream(noun)] });
            assert_eq!(one_in(&xml, Dialect::Texml), (Some(start), codes), "{xml}");
        }
        for (xml, code) in [
            ("<Start><Stream/></Start>", 31923),
            ("<Start><Stream url='wss://h/s' track='both'/></Start>", 31941),
            ("<Connect><Stream url='wss://h/s' track='outbound_track'/></Connect>", 31941),
            ("<Connect><Stream url='wss://h/s' track='both_tracks'/></Connect>", 31941),
        ] {
            assert_eq!(one(xml), (None, vec![code]), "{xml}");
        }
        let connect =
            Connect { action: None, method: HttpMethod::Post, service: ConnectService::Stream(plain()) };
        let xml = "<Connect><Stream url='wss://h/s' track='inbound_track'/></Connect>";
        assert_eq!(one(xml), (Some(Verb::Connect(connect)), vec![]));
    }

    #[test]
    fn urls_of_streams() {
        for (url, result) in [
            ("wss://example.com/stream", Ok(())),
            ("ws://10.0.0.1:8080/?a=b", Ok(())),
            ("WSS://example.com", Ok(())),
            ("https://example.com/", Err(31922)),
            ("/relative", Err(31923)),
            ("wss://", Err(31923)),
            ("", Err(31923)),
        ] {
            assert_eq!(stream_url(url), result, "{url}");
        }
    }
}
