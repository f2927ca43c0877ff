//! The messages of a media stream (reference: media-streams §3, §4): JSON in text frames, one object each.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use call::StreamOpen;
use serde::{Deserialize, Serialize};
use serde_json::json;
use twiml::{StreamCodec, StreamTrack};

use super::texml;

/// What the box says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// 20 ms of sound.
    Media { track: Track, timestamp_ms: u64, sound: Vec<u8> },
    /// A key was pressed.
    Dtmf(char),
    /// What came before a mark was played.
    Mark(String),
    /// The end.
    Stop,
    /// What the application said does not conform; only the other dialect has a message for it.
    Wrong { code: u32, title: &'static str, detail: String },
}

/// Whose sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Track {
    /// What the party says.
    Inbound,
    /// What it hears.
    Outbound,
}

impl Track {
    pub(super) fn word(self) -> &'static str {
        match self {
            Track::Inbound => "inbound",
            Track::Outbound => "outbound",
        }
    }

    /// Those of a stream, in the order of its tap's channels.
    pub(super) fn of(track: StreamTrack) -> &'static [Track] {
        match track {
            StreamTrack::InboundTrack => &[Track::Inbound],
            StreamTrack::OutboundTrack => &[Track::Outbound],
            StreamTrack::BothTracks => &[Track::Inbound, Track::Outbound],
        }
    }
}

/// Numbers what is said.
#[derive(Debug)]
pub(super) struct Numbering {
    stream: String,
    call: String,
    account: String,
    /// The other dialect's names, and what is heard in it.
    texml: Option<StreamCodec>,
    /// Messages said, `connected` not counted.
    sequence: u64,
    /// Media messages of each track.
    chunks: BTreeMap<Track, u64>,
}

impl Numbering {
    /// Nothing is said yet.
    pub(super) fn new(open: &StreamOpen) -> Numbering {
        let (stream, call, account) =
            (open.stream.to_string(), open.call.to_string(), open.account.to_string());
        let texml = open.texml.map(|stream| stream.heard_in());
        Numbering { stream, call, account, texml, sequence: 0, chunks: BTreeMap::new() }
    }

    /// The first message.
    pub(super) fn connected(open: &StreamOpen) -> String {
        if open.texml.is_some() {
            return texml::connected();
        }
        json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" }).to_string()
    }

    /// The second.
    pub(super) fn start(&mut self, open: &StreamOpen) -> String {
        if let Some(hears) = self.texml {
            return texml::start(open, hears, self.next());
        }
        let tracks: Vec<&str> = Track::of(open.track).iter().map(|track| track.word()).collect();
        let parameters: BTreeMap<&String, &String> =
            open.parameters.iter().map(|(name, value)| (name, value)).collect();
        json!({
            "event": "start",
            "sequenceNumber": self.next(),
            "streamSid": self.stream,
            "start": {
                "streamSid": self.stream,
                "accountSid": self.account,
                "callSid": self.call,
                "tracks": tracks,
                "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8_000, "channels": 1 },
                "customParameters": parameters,
            },
        })
        .to_string()
    }

    /// Any other.
    pub(super) fn write(&mut self, said: &Said) -> String {
        let sequence = self.next();
        let stream = &self.stream;
        let chunk = match said {
            Said::Media { track, .. } => {
                let chunk = self.chunks.entry(*track).or_default();
                *chunk += 1;
                *chunk
            }
            Said::Dtmf(_) | Said::Mark(_) | Said::Stop | Said::Wrong { .. } => 0,
        };
        if self.texml.is_some() {
            return texml::write(stream, (&self.account, &self.call), said, sequence, chunk);
        }
        let message = match said {
            Said::Media { track, timestamp_ms, sound } => {
                json!({
                    "event": "media",
                    "sequenceNumber": sequence,
                    "streamSid": stream,
                    "media": {
                        "track": track.word(),
                        "chunk": chunk.to_string(),
                        "timestamp": timestamp_ms.to_string(),
                        "payload": BASE64.encode(sound),
                    },
                })
            }
            Said::Dtmf(digit) => json!({
                "event": "dtmf",
                "streamSid": stream,
                "sequenceNumber": sequence,
                "dtmf": { "track": "inbound_track", "digit": digit.to_string() },
            }),
            Said::Mark(name) => json!({
                "event": "mark",
                "sequenceNumber": sequence,
                "streamSid": stream,
                "mark": { "name": name },
            }),
            Said::Stop => json!({
                "event": "stop",
                "sequenceNumber": sequence,
                "streamSid": stream,
                "stop": { "accountSid": self.account, "callSid": self.call },
            }),
            // Never said in this dialect: `session` warns the node instead.
            Said::Wrong { detail, .. } => json!({ "event": "error", "error": detail }),
        };
        message.to_string()
    }

    fn next(&mut self) -> String {
        self.sequence += 1;
        self.sequence.to_string()
    }
}

/// What an application says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Sound in µ-law to be appended.
    Media(Vec<u8>),
    /// To be told back when what was said before it was played.
    Mark(String),
    /// What was said and not yet played is not to be played.
    Clear,
}

#[derive(Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "lowercase", deny_unknown_fields)]
enum Written {
    Media {
        #[serde(rename = "streamSid")]
        stream: String,
        media: Payload,
    },
    Mark {
        #[serde(rename = "streamSid")]
        stream: String,
        mark: Name,
    },
    Clear {
        #[serde(rename = "streamSid")]
        stream: String,
    },
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    payload: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

/// Reads a message for this stream; an error says in words what does not conform.
pub(super) fn read(text: &str, stream: &str) -> Result<Heard, String> {
    let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (named, heard) = match written {
        Written::Media { stream, media } => {
            let sound = BASE64.decode(media.payload).map_err(|error| format!("the payload: {error}"))?;
            (stream, Heard::Media(sound))
        }
        Written::Mark { stream, mark } => (stream, Heard::Mark(mark.name)),
        Written::Clear { stream } => (stream, Heard::Clear),
    };
    if named != stream {
        return Err("the streamSid is another one's".to_owned());
    }
    Ok(heard)
}

#[cfg(test)]
pub(super) mod tests {
    use base::{AccountSid, CallSid, StreamSid};
    use media::TapId;
    use serde_json::Value;

    use super::*;

    pub(in super::super) fn open(track: StreamTrack) -> StreamOpen {
        StreamOpen {
            stream: StreamSid(3),
            call: CallSid(1),
            account: AccountSid(2),
            url: "ws://h".into(),
            track,
            parameters: vec![("first".into(), "Ann \"A\"".into()), ("b".into(), String::new())],
            tap: TapId(1),
            feed: None,
            texml: None,
            from: String::new(),
            to: String::new(),
        }
    }

    pub(in super::super) fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// Field by field: what is a text stays a text, what is a number a number, and nothing else is there.
    #[test]
    fn the_golden_transcript() {
        let (mz, ca, ac) = (
            "MZ00000000000000000000000000000003",
            "CA00000000000000000000000000000001",
            "AC00000000000000000000000000000002",
        );
        assert_eq!(
            value(&Numbering::connected(&open(StreamTrack::InboundTrack))),
            json!({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        );
        let both = open(StreamTrack::BothTracks);
        let mut numbering = Numbering::new(&both);
        assert_eq!(
            value(&numbering.start(&both)),
            json!({
                "event": "start", "sequenceNumber": "1", "streamSid": mz,
                "start": {
                    "streamSid": mz, "accountSid": ac, "callSid": ca,
                    "tracks": ["inbound", "outbound"],
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                    "customParameters": {"first": "Ann \"A\"", "b": ""},
                },
            })
        );
        let media = |track, timestamp_ms| Said::Media { track, timestamp_ms, sound: vec![0xFF, 0x7F, 0x00] };
        for (said, expected) in [
            (
                media(Track::Inbound, 5),
                json!({
                    "event": "media", "sequenceNumber": "2", "streamSid": mz,
                    "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "/38A"},
                }),
            ),
            (
                media(Track::Outbound, 5),
                json!({
                    "event": "media", "sequenceNumber": "3", "streamSid": mz,
                    "media": {"track": "outbound", "chunk": "1", "timestamp": "5", "payload": "/38A"},
                }),
            ),
            (
                media(Track::Inbound, 25),
                json!({
                    "event": "media", "sequenceNumber": "4", "streamSid": mz,
                    "media": {"track": "inbound", "chunk": "2", "timestamp": "25", "payload": "/38A"},
                }),
            ),
            (
                Said::Dtmf('#'),
                json!({
                    "event": "dtmf", "streamSid": mz, "sequenceNumber": "5",
                    "dtmf": {"track": "inbound_track", "digit": "#"},
                }),
            ),
            (
                Said::Mark("my label".into()),
                json!({
                    "event": "mark", "sequenceNumber": "6", "streamSid": mz, "mark": {"name": "my label"},
                }),
            ),
            (
                Said::Stop,
                json!({
                    "event": "stop", "sequenceNumber": "7", "streamSid": mz,
                    "stop": {"accountSid": ac, "callSid": ca},
                }),
            ),
        ] {
            assert_eq!(value(&numbering.write(&said)), expected);
        }
        let plain = StreamOpen { parameters: vec![], ..open(StreamTrack::OutboundTrack) };
        let start = value(&Numbering::new(&plain).start(&plain));
        assert_eq!(start["start"]["tracks"], json!(["outbound"]));
        assert_eq!(start["start"]["customParameters"], json!({}));
    }

    #[test]
    fn what_applications_say() {
        for (text, heard) in [
            (
                r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/38A"}}"#,
                Heard::Media(vec![0xFF, 0x7F, 0]),
            ),
            (r#"{"event":"media","streamSid":"MZ1","media":{"payload":""}}"#, Heard::Media(vec![])),
            (r#"{"mark":{"name":"x"},"event":"mark","streamSid":"MZ1"}"#, Heard::Mark("x".into())),
            (r#" {"event":"clear","streamSid":"MZ1"} "#, Heard::Clear),
        ] {
            assert_eq!(read(text, "MZ1"), Ok(heard), "{text}");
        }
        for text in [
            "",
            "hello",
            "[]",
            r#"{"event":"other","streamSid":"MZ1"}"#,
            r#"{"event":"clear"}"#,
            r#"{"event":"clear","streamSid":"MZ2"}"#,
            r#"{"event":"clear","streamSid":"MZ1","more":1}"#,
            r#"{"event":"media","streamSid":"MZ1"}"#,
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"not base64!"}}"#,
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/38A","track":"inbound"}}"#,
            r#"{"event":"mark","streamSid":"MZ1","mark":{"name":1}}"#,
        ] {
            assert!(read(text, "MZ1").is_err(), "{text}");
        }
    }
}
