//! The same messages as the other dialect writes them (reference: media-streams §6): names in snake_case, the stream's
//! beside what is said instead of in it, and a message for what the application said wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use call::StreamOpen;
use serde::Deserialize;
use serde_json::{Value, json};
use twiml::StreamCodec;

use super::codec::{self, Ear};
use super::message::{Heard, Said, Track};

/// The first message.
pub(super) fn connected() -> String {
    json!({ "event": "connected", "version": "1.0.0" }).to_string()
}

/// The second. The account stands for the vendor's user, the call for its control id and its session.
pub(super) fn start(open: &StreamOpen, hears: StreamCodec, sequence: String) -> String {
    let (encoding, rate_hz) = codec::format(hears);
    let call = open.call.to_string();
    let tracks: Vec<&str> = Track::of(open.track).iter().map(|track| track.word()).collect();
    let parameters: Value =
        open.parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "event": "start",
        "sequence_number": sequence,
        "stream_id": open.stream.to_string(),
        "start": {
            "user_id": open.account.to_string(),
            "call_control_id": call,
            "call_session_id": call,
            "from": open.from,
            "to": open.to,
            "tags": [],
            "client_state": null,
            "tracks": tracks,
            "custom_parameters": parameters,
            "media_format": { "encoding": encoding, "sample_rate": rate_hz, "channels": 1 },
        },
    })
    .to_string()
}

/// Any other; `chunk` is the number of a media message in its track.
pub(super) fn write(stream: &str, ids: (&str, &str), said: &Said, sequence: String, chunk: u64) -> String {
    let (account, call) = ids;
    let (event, name, what) = match said {
        Said::Media { track, timestamp_ms, sound } => (
            "media",
            "media",
            json!({
                "track": track.word(),
                "chunk": chunk.to_string(),
                "timestamp": timestamp_ms.to_string(),
                "payload": BASE64.encode(sound),
            }),
        ),
        Said::Dtmf(digit) => ("dtmf", "dtmf", json!({ "digit": digit.to_string() })),
        Said::Mark(name) => ("mark", "mark", json!({ "name": name })),
        Said::Stop => ("stop", "stop", json!({ "user_id": account, "call_control_id": call })),
        Said::Wrong { code, title, detail } => {
            ("error", "payload", json!({ "code": code, "title": title, "detail": detail }))
        }
    };
    let mut message = json!({ "event": event, "sequence_number": sequence, "stream_id": stream });
    message[name] = what;
    if matches!(said, Said::Dtmf(_)) {
        // Their order is not promised there; this is what they are put in order by.
        message["occurred_at"] = json!(now());
    }
    message.to_string()
}

fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    base::Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)).iso8601()
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Written {
    Media { media: Payload },
    Mark { mark: Name },
    Clear,
}

#[derive(Deserialize)]
struct Payload {
    payload: String,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// A message that does not conform: the vendor's number and name for it, and what is wrong.
pub(super) type Wrong = (u32, &'static str, String);

/// Reads a message; its sound comes out in µ-law, whatever it was sent in.
pub(super) fn read(text: &str, ear: &mut Ear) -> Result<Heard, Wrong> {
    let malformed = |why: String| (MALFORMED_FRAME, "malformed_frame", why);
    let invalid = |why: String| (INVALID_MEDIA, "invalid_media", why);
    Ok(match serde_json::from_str(text).map_err(|error| malformed(error.to_string()))? {
        Written::Media { media } => {
            let bytes = BASE64.decode(media.payload).map_err(|error| invalid(error.to_string()))?;
            if !ear.is_in_time() {
                let why = "one MP3 file a second is taken".to_owned();
                return Err((RATE_LIMIT, "rate_limit_reached", why));
            }
            Heard::Media(ear.hear(bytes).map_err(invalid)?)
        }
        Written::Mark { mark } => Heard::Mark(mark.name),
        Written::Clear => Heard::Clear,
    })
}

const MALFORMED_FRAME: u32 = 100_003;
const INVALID_MEDIA: u32 = 100_004;
const RATE_LIMIT: u32 = 100_005;

#[cfg(test)]
mod tests {
    use super::super::message::Numbering;
    use super::super::message::tests::{open, value};
    use super::*;
    use media::CodecKind;
    use twiml::TexmlStream;

    fn rtp(says: StreamCodec) -> TexmlStream {
        TexmlStream { mp3: false, says, ..TexmlStream::default() }
    }

    #[test]
    fn the_golden_transcript() {
        let (mz, ca, ac) = (
            "MZ00000000000000000000000000000003",
            "CA00000000000000000000000000000001",
            "AC00000000000000000000000000000002",
        );
        let open = StreamOpen {
            texml: Some(rtp(StreamCodec::Pcmu)),
            from: "+15550001111".into(),
            to: "101".into(),
            ..open(twiml::StreamTrack::BothTracks)
        };
        assert_eq!(value(&Numbering::connected(&open)), json!({"event": "connected", "version": "1.0.0"}));
        let mut numbering = Numbering::new(&open);
        assert_eq!(
            value(&numbering.start(&open)),
            json!({
                "event": "start", "sequence_number": "1", "stream_id": mz,
                "start": {
                    "user_id": ac, "call_control_id": ca, "call_session_id": ca,
                    "from": "+15550001111", "to": "101", "tags": [], "client_state": null,
                    "tracks": ["inbound", "outbound"],
                    "custom_parameters": {"first": "Ann \"A\"", "b": ""},
                    "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
                },
            })
        );
        let media = |track| Said::Media { track, timestamp_ms: 5, sound: vec![0xFF, 0x7F, 0x00] };
        for (said, expected) in [
            (
                media(Track::Inbound),
                json!({
                    "event": "media", "sequence_number": "2", "stream_id": mz,
                    "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "/38A"},
                }),
            ),
            (
                media(Track::Outbound),
                json!({
                    "event": "media", "sequence_number": "3", "stream_id": mz,
                    "media": {"track": "outbound", "chunk": "1", "timestamp": "5", "payload": "/38A"},
                }),
            ),
            (
                Said::Mark("my label".into()),
                json!({
                    "event": "mark", "sequence_number": "4", "stream_id": mz, "mark": {"name": "my label"},
                }),
            ),
            (
                Said::Wrong { code: 100_003, title: "malformed_frame", detail: "no JSON".into() },
                json!({
                    "event": "error", "sequence_number": "5", "stream_id": mz,
                    "payload": {"code": 100_003, "title": "malformed_frame", "detail": "no JSON"},
                }),
            ),
            (
                Said::Stop,
                json!({
                    "event": "stop", "sequence_number": "6", "stream_id": mz,
                    "stop": {"user_id": ac, "call_control_id": ca},
                }),
            ),
        ] {
            assert_eq!(value(&numbering.write(&said)), expected);
        }
        let key = value(&numbering.write(&Said::Dtmf('5')));
        assert_eq!((&key["event"], &key["dtmf"]), (&json!("dtmf"), &json!({"digit": "5"})));
        assert!(key["occurred_at"].as_str().is_some_and(|at| at.contains('T') && at.ends_with('Z')), "{key}");
    }

    #[test]
    fn what_applications_say() {
        let heard = |text: &str, codec| read(text, &mut Ear::new(rtp(codec)));
        let media = r#"{"event":"media","media":{"payload":"/38A"},"stream_id":"any"}"#;
        assert_eq!(heard(media, StreamCodec::Pcmu), Ok(Heard::Media(vec![0xFF, 0x7F, 0])));
        // A-law's silence is µ-law's, nearly; two bytes are one sample.
        let Ok(Heard::Media(sound)) =
            heard(r#"{"event":"media","media":{"payload":"1dU="}}"#, StreamCodec::Pcma)
        else {
            panic!()
        };
        assert!(sound.iter().all(|byte| CodecKind::Pcmu.decode(*byte).abs() <= 8), "{sound:?}");
        let l16 = r#"{"event":"media","media":{"payload":"AAAAAA=="}}"#;
        assert_eq!(heard(l16, StreamCodec::L16), Ok(Heard::Media(vec![0xFF, 0xFF])));
        let mark = r#"{"event":"mark","mark":{"name":"x"}}"#;
        assert_eq!(heard(mark, StreamCodec::Pcmu), Ok(Heard::Mark("x".into())));
        assert_eq!(heard(r#"{"event":"clear"}"#, StreamCodec::Pcmu), Ok(Heard::Clear));
        for (text, code) in [
            ("", MALFORMED_FRAME),
            (r#"{"event":"other"}"#, MALFORMED_FRAME),
            (r#"{"event":"media"}"#, MALFORMED_FRAME),
            (r#"{"event":"media","media":{"payload":"not base64!"}}"#, INVALID_MEDIA),
        ] {
            assert_eq!(heard(text, StreamCodec::Pcmu).unwrap_err().0, code, "{text}");
        }
        let mut ear = Ear::new(TexmlStream::default());
        assert_eq!(read(media, &mut ear).unwrap_err().0, INVALID_MEDIA, "it is no MP3 file");
    }

    /// Files are for sentences, not for a stream in small pieces.
    #[test]
    fn one_file_a_second_is_taken() {
        let file = include_bytes!("../../../tests/data/audio/mp3-24k.mp3");
        let text = json!({"event": "media", "media": {"payload": BASE64.encode(file)}}).to_string();
        let mut ear = Ear::new(TexmlStream::default());
        assert!(matches!(read(&text, &mut ear), Ok(Heard::Media(sound)) if sound.len() > 2_000));
        assert_eq!(read(&text, &mut ear).unwrap_err().0, RATE_LIMIT);
        assert_eq!(
            read(r#"{"event":"clear"}"#, &mut ear),
            Ok(Heard::Clear),
            "what is no file is not counted"
        );
        ear.forget_when();
        assert!(read(&text, &mut ear).is_ok());
    }

    #[test]
    fn the_start_says_what_is_heard() {
        for (hears, encoding, rate_hz) in [
            (StreamCodec::Pcmu, "PCMU", 8_000),
            (StreamCodec::Pcma, "PCMA", 8_000),
            (StreamCodec::G722, "G722", 16_000),
            (StreamCodec::Opus, "OPUS", 48_000),
            (StreamCodec::L16, "L16", 8_000),
        ] {
            let texml = Some(TexmlStream { hears: Some(hears), ..TexmlStream::default() });
            let open = StreamOpen { texml, ..open(twiml::StreamTrack::InboundTrack) };
            let start = value(&Numbering::new(&open).start(&open));
            let format = json!({"encoding": encoding, "sample_rate": rate_hz, "channels": 1});
            assert_eq!(start["start"]["media_format"], format);
        }
    }
}
