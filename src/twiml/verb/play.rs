//! `<Play>` (reference: twiml-voice §5).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::reading::{Node, Reading, attribute, is_digits, text};
use crate::{Dialect, LOOP_MAX};

/// Play a file or send digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Play {
    /// What is played.
    pub source: PlaySource,
    /// How many times; 0 = until hang-up (at most [`crate::LOOP_MAX`] times).
    pub loop_: u32,
}

/// What `<Play>` plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlaySource {
    /// The media at this URL.
    Url(String),
    /// DTMF: `0-9 A-D * #`, `w` half a second and `W` a second of silence.
    Digits(String),
    /// The answer to a request for a document, which was audio.
    Answer(AudioAnswer),
}

/// Audio that came instead of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioAnswer {
    /// Where it came from.
    pub url: String,
    /// `Content-Type` with its parameters.
    pub content_type: String,
    /// The file.
    pub body: Vec<u8>,
    /// Tells it from everything else that came from there: its SHA-256, in hexadecimal digits.
    pub digest: String,
}

impl AudioAnswer {
    pub(crate) fn new(url: &str, content_type: &str, body: &[u8]) -> Self {
        let digest = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { url: url.to_owned(), content_type: content_type.to_owned(), body: body.to_vec(), digest }
    }
}

/// Whether the text names a sound of the box's own folder (TeXML's `mediaStorage`).
fn stored(node: Node<'_>, reading: &mut Reading<'_>) -> bool {
    reading.dialect == Dialect::Texml && reading.boolean(node, "mediaStorage", false, 12200)
}

/// The URL of a file of the documents folder, which lies beside the configuration.
fn in_documents(name: &str) -> String {
    let encoded = utf8_percent_encode(name.trim_start_matches('/'), NON_ALPHANUMERIC).to_string();
    let path = encoded.replace("%2E", ".").replace("%2F", "/");
    format!("file:///documents/{}", path.strip_prefix("documents/").unwrap_or(&path))
}

/// `None` when there is nothing to play (12200, 13430).
pub(crate) fn read(node: Node<'_>, reading: &mut Reading<'_>) -> Option<Play> {
    reading.known_attributes(node, &["loop", "digits"], &["mediaStorage"]);
    reading.no_children(node);
    let loop_ = reading.whole(node, "loop", 0..=u32::MAX, 1, 13410).min(LOOP_MAX);
    let url = text(node);
    let source = match attribute(node, "digits") {
        Some(digits) if is_digits(digits) => {
            reading.no_text(node);
            PlaySource::Digits(digits.to_owned())
        }
        Some(_) if url.is_empty() => {
            reading.bad_value(node, "digits", 13430, "may contain 0-9 A-D * # w W; nothing is sent");
            return None;
        }
        Some(_) => {
            reading.bad_value(
                node,
                "digits",
                13430,
                "may contain 0-9 A-D * # w W; the media is played instead",
            );
            PlaySource::Url(url)
        }
        None if url.is_empty() => {
            reading.note(12200, node.range().start, "Play without a URL: nothing is played");
            return None;
        }
        None if stored(node, reading) => PlaySource::Url(in_documents(&url)),
        None => PlaySource::Url(url),
    };
    Some(Play { source, loop_ })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verb;
    use crate::verb::table::{one, one_in};

    #[test]
    fn attributes_and_their_bad_values() {
        let url = |loop_| Some(Play { source: PlaySource::Url("http://h/a.mp3".into()), loop_ });
        let digits = |digits: &str| Some(Play { source: PlaySource::Digits(digits.into()), loop_: 1 });
        for (xml, expected, codes) in [
            ("<Play>http://h/a.mp3</Play>", url(1), vec![]),
            ("<Play>\n  http://h/a.mp3\n</Play>", url(1), vec![]),
            ("<Play loop='100'>http://h/a.mp3</Play>", url(100), vec![]),
            ("<Play loop='0'>http://h/a.mp3</Play>", url(0), vec![]),
            ("<Play loop='2000'>http://h/a.mp3</Play>", url(1_000), vec![]),
            ("<Play loop='x'>http://h/a.mp3</Play>", url(1), vec![13410]),
            ("<Play loop=''>http://h/a.mp3</Play>", url(1), vec![13410]),
            ("<Play digits='1w2W*#AD'/>", digits("1w2W*#AD"), vec![]),
            ("<Play digits='12x'/>", None, vec![13430]),
            ("<Play digits=''/>", None, vec![13430]),
            ("<Play digits='x'>http://h/a.mp3</Play>", url(1), vec![13430]),
            ("<Play digits='1'>http://h/a.mp3</Play>", digits("1"), vec![12200]),
            ("<Play/>", None, vec![12200]),
            ("<Play volume='3'>http://h/a.mp3</Play>", url(1), vec![12200]),
            ("<Play>http://h/a.mp3<Say>x</Say></Play>", url(1), vec![12200]),
        ] {
            assert_eq!(one(xml), (expected.map(Verb::Play), codes), "{xml}");
        }
    }

    #[test]
    fn a_stored_sound_is_a_file_of_the_box() {
        for (xml, expected, codes) in [
            ("<Play mediaStorage='true'>hold music.mp3</Play>", "file:///documents/hold%20music.mp3", vec![]),
            ("<Play mediaStorage='true'>a/b?c#d.wav</Play>", "file:///documents/a/b%3Fc%23d.wav", vec![]),
            ("<Play mediaStorage='true'>documents/a.wav</Play>", "file:///documents/a.wav", vec![]),
            ("<Play mediaStorage='false'>a.mp3</Play>", "a.mp3", vec![]),
            ("<Play mediaStorage='x'>a.mp3</Play>", "a.mp3", vec![12200]),
        ] {
            let play = Play { source: PlaySource::Url(expected.into()), loop_: 1 };
            assert_eq!(one_in(xml, Dialect::Texml), (Some(Verb::Play(play)), codes), "{xml}");
        }
    }
}
