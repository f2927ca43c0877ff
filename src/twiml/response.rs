//! What an HTTP answer means to a call (reference: twiml-voice §1.2).

use base::limits::{AUDIO_ANSWER_BYTES_MAX, DOCUMENT_BYTES_MAX};

use crate::io::Fetched;
use crate::reading::collapsed;
use crate::verb::say::{TEXT_TOO_LONG, cut};
use crate::verb::{AudioAnswer, Play, PlaySource, Say, Verb};
use crate::{Context, Dialect, Document, Finding, HttpMethod, decode, parse};

/// The document an answer is, or stands for: audio is played once, plain text is spoken. A call is hung up after
/// those two; elsewhere that is just the document's end.
pub(crate) fn document(
    answer: &Fetched,
    url: &str,
    method: HttpMethod,
    dialect: Dialect,
    context: Context,
) -> Result<Document, Finding> {
    if !(200..300).contains(&answer.status) {
        return Err(Finding::unplaced(11200, &format!("HTTP status {}", answer.status)));
    }
    if answer.status == 204 || answer.body.trim_ascii().is_empty() {
        return Err(Finding::unplaced(11770, ""));
    }
    let Some(content_type) = answer.content_type.as_deref().filter(|t| !t.trim().is_empty()) else {
        return Err(Finding::unplaced(12300, "the response has none"));
    };
    let (media_type, charset) = media_type(content_type);
    match media_type.as_str() {
        "text/xml" | "application/xml" | "text/html" => parse(&text(answer, charset)?, dialect),
        "text/plain" => {
            let text = text(answer, charset)?;
            Ok(parse(&text, dialect).unwrap_or_else(|_| {
                let (say, cut) = spoken(&text);
                Document { findings: cut.into_iter().collect(), ..single(say, context) }
            }))
        }
        audio if AUDIO.contains(&audio) => {
            Ok(single(Verb::Play(Play { source: played(answer, url, method), loop_: 1 }), context))
        }
        other => Err(Finding::unplaced(12300, other)),
    }
}

/// What was asked for with GET can be asked for again, heard while it comes, and shared with other callers. The answer
/// to a POST is this caller's own, and nobody says that there is another; one that is too long to be kept has been
/// cut, and only its URL is left.
fn played(answer: &Fetched, url: &str, method: HttpMethod) -> PlaySource {
    let is_whole = answer.body.len() <= AUDIO_ANSWER_BYTES_MAX && answer.body.len() != DOCUMENT_BYTES_MAX + 1;
    match (method, answer.content_type.as_deref()) {
        (HttpMethod::Post, Some(content_type)) if is_whole => {
            PlaySource::Answer(AudioAnswer::new(url, content_type, &answer.body))
        }
        _ => PlaySource::Url(url.to_owned()),
    }
}

fn text(answer: &Fetched, charset: Option<&str>) -> Result<String, Finding> {
    if answer.body.len() > DOCUMENT_BYTES_MAX {
        return Err(Finding::unplaced(11750, ""));
    }
    decode(&answer.body, charset)
}

fn single(verb: Verb, context: Context) -> Document {
    let verbs = match context {
        Context::Call => vec![verb, Verb::Hangup],
        Context::Whisper | Context::QueueWhisper | Context::QueueWait | Context::ConferenceWait => vec![verb],
    };
    Document { verbs, ..Document::default() }
}

/// A `<Say>` of it, and what it lost.
fn spoken(text: &str) -> (Verb, Option<Finding>) {
    let voice = "man".to_owned();
    let (text, cut) = cut(collapsed(text.trim_start_matches('\u{feff}')), &voice);
    let cut = cut.map(|message| Finding { message, ..Finding::unplaced(TEXT_TOO_LONG, "") });
    (Verb::Say(Say { text, ssml: None, voice, language: "en-US".to_owned(), loop_: 1 }), cut)
}

/// `type/subtype` in lower case, and the charset parameter.
fn media_type(content_type: &str) -> (String, Option<&str>) {
    let mut parts = content_type.split(';');
    let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches('"'));
    (media_type, charset)
}

/// What `<Play>` plays (reference: twiml-voice §5), and the registered names of the same and of what else can
/// be decoded.
const AUDIO: &[&str] = &[
    "audio/mpeg",
    "audio/mp3",
    "audio/wav",
    "audio/wave",
    "audio/x-wav",
    "audio/vnd.wave",
    "audio/aiff",
    "audio/x-aiff",
    "audio/x-aifc",
    "audio/gsm",
    "audio/x-gsm",
    "audio/ulaw",
    "audio/basic",
    "audio/flac",
    "audio/ogg",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: Option<&str>, body: &[u8]) -> Fetched {
        Fetched {
            status,
            content_type: content_type.map(str::to_owned),
            body: body.to_vec(),
            url: "http://h/v".into(),
            headers: vec![],
        }
    }

    #[test]
    fn status_and_type_decide() {
        let twiml: &[u8] = b"<Response><Hangup/></Response>";
        let big = format!("<Response>{}</Response>", " ".repeat(65_536)).into_bytes();
        let noise = vec![0x80_u8; 100_000];
        for (answer, expected) in [
            (answer(200, Some("text/xml"), twiml), Ok("Hangup")),
            (answer(201, Some("application/xml; charset=utf-8"), twiml), Ok("Hangup")),
            (answer(200, Some("Text/HTML;charset=\"utf-8\""), twiml), Ok("Hangup")),
            (answer(200, Some("text/plain"), twiml), Ok("Hangup")),
            (answer(200, Some("text/plain"), b" hello\n world "), Ok("Say hello world, Hangup")),
            (answer(200, Some("audio/mpeg"), &noise), Ok("Play http://h/v, Hangup")),
            (answer(200, Some("audio/x-wav"), b"RIFF"), Ok("Play http://h/v, Hangup")),
            (answer(200, Some("audio/midi"), b"MThd"), Err(12300)),
            (answer(200, Some("text/xml"), b"<Response/>"), Ok("")),
            (
                answer(
                    200,
                    Some("text/xml; charset=iso-8859-1"),
                    b"<Response><Say>gr\xfcezi</Say></Response>",
                ),
                Ok("Say gr\u{fc}ezi"),
            ),
            (answer(200, None, twiml), Err(12300)),
            (answer(200, Some(""), twiml), Err(12300)),
            (answer(200, Some("application/json"), b"{}"), Err(12300)),
            (answer(204, None, b""), Err(11770)),
            (answer(200, Some("text/xml"), b""), Err(11770)),
            (answer(200, Some("text/xml"), b" \n"), Err(11770)),
            (answer(200, Some("text/xml"), &big), Err(11750)),
            (answer(200, Some("text/xml"), b"<html/>"), Err(12102)),
            (answer(200, Some("text/xml"), b"<Response>"), Err(12100)),
            (answer(200, Some("text/xml"), b"\xff\xff"), Err(12100)),
            (answer(304, Some("text/xml"), twiml), Err(11200)),
            (answer(404, Some("text/xml"), twiml), Err(11200)),
            (answer(500, Some("text/xml"), twiml), Err(11200)),
        ] {
            let read = document(&answer, "http://h/v", HttpMethod::Get, Dialect::Twiml, Context::Call)
                .map_err(|finding| finding.code);
            let read = read.map(|document| {
                let names = document.verbs.iter().map(|verb| match verb {
                    Verb::Say(say) => format!("Say {}", say.text),
                    Verb::Play(Play { source: PlaySource::Url(url), .. }) => format!("Play {url}"),
                    Verb::Hangup => "Hangup".to_owned(),
                    other => format!("{other:?}"),
                });
                names.collect::<Vec<_>>().join(", ")
            });
            assert_eq!(read.as_deref(), expected.as_deref(), "{answer:?}");
        }
        let spoken = answer(200, Some("text/plain"), b"wait");
        let waiting =
            document(&spoken, "http://h/v", HttpMethod::Get, Dialect::Twiml, Context::QueueWait).unwrap();
        assert_eq!(waiting.verbs.len(), 1, "no hang-up in a queue");
    }

    #[test]
    fn audio_that_answers_a_post_is_played_as_it_came() {
        let source = |method, length: usize| {
            let answer = answer(200, Some("audio/x-wav; a=b"), &vec![1; length]);
            match document(&answer, "http://h/v", method, Dialect::Twiml, Context::Call)
                .unwrap()
                .verbs
                .remove(0)
            {
                Verb::Play(Play { source, loop_: 1 }) => source,
                other => panic!("{other:?}"),
            }
        };
        let again = PlaySource::Url("http://h/v".to_owned());
        assert_eq!(source(HttpMethod::Get, 4), again);
        let PlaySource::Answer(kept) = source(HttpMethod::Post, 4) else { panic!("it is asked for again") };
        assert_eq!(
            (&*kept.url, &*kept.content_type, &*kept.body),
            ("http://h/v", "audio/x-wav; a=b", &[1; 4][..])
        );
        let PlaySource::Answer(other) = source(HttpMethod::Post, 200_000) else {
            panic!("it is asked for again")
        };
        assert_ne!(kept.digest, other.digest);
        for cut in [DOCUMENT_BYTES_MAX + 1, AUDIO_ANSWER_BYTES_MAX + 1] {
            assert_eq!(source(HttpMethod::Post, cut), again, "{cut}");
        }
    }

    #[test]
    fn a_long_plain_text_is_cut_as_a_say_is() {
        let answer = answer(200, Some("text/plain"), "word ".repeat(6_000).as_bytes());
        let read = document(&answer, "http://h/v", HttpMethod::Get, Dialect::Twiml, Context::Call).unwrap();
        let Some(Verb::Say(say)) = read.verbs.first() else { panic!("{read:?}") };
        assert_eq!((say.text.len(), say.text.ends_with("word")), (4_094, true));
        assert_eq!(read.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [13521]);
    }
}
