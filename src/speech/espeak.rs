//! The speech engine: eSpeak NG as a child process, text in, WAV out.
//!
//! The text goes through standard input, so it is no argument, no file and no command, whatever it says. A child
//! that hangs is killed, one that floods is cut off, and only a few run at a time.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::{INTERNAL, NOT_CONFIGURED, SoundError, TEXT_TOO_LONG};
use crate::voice::local_language;

/// Bytes of one text. The longest `<Say>` has 4,096 characters (reference: twiml-voice §4).
pub(crate) const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Bytes of one rendering: ten minutes at the engine's 22,050 Hz.
const WAV_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Words a minute; the engine's own 175 is hurried for a telephone.
pub(crate) const WORDS_PER_MINUTE: &str = "160";

/// What is to be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Words.
    Plain(String),
    /// Words with markup, written by the box itself.
    Ssml(String),
}

impl Said {
    /// Which of them, and the text.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            Said::Plain(text) => ("plain", text),
            Said::Ssml(markup) => ("ssml", markup),
        }
    }
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Engine {
    command: String,
    turns: Semaphore,
    patience: Duration,
}

impl Engine {
    /// An engine of this name or path; empty: there is none. At most `children_max` run at a time, each for at
    /// most `patience`.
    pub(crate) fn new(command: String, children_max: usize, patience: Duration) -> Self {
        Self { command, turns: Semaphore::new(children_max), patience }
    }

    /// What renderings depend on beside voice and text.
    pub(crate) fn name(&self) -> &str {
        &self.command
    }

    /// Speaks a text into a WAV file.
    pub(crate) async fn render(&self, said: &Said, voice: &str) -> Result<Vec<u8>, SoundError> {
        let (_, text) = said.parts();
        if self.command.is_empty() {
            return Err(SoundError::new(NOT_CONFIGURED, "no speech engine is configured"));
        }
        if text.len() > TEXT_BYTES_MAX {
            let told = format!("a text of {} bytes; at most {TEXT_BYTES_MAX} can be spoken", text.len());
            return Err(SoundError::new(TEXT_TOO_LONG, told));
        }
        let _turn = self.turns.acquire().await.expect("this semaphore is never closed");
        match timeout(self.patience, self.run(said, voice)).await {
            Ok(result) => result,
            Err(_) => Err(self.failed(&format!("did not finish in {} ms", self.patience.as_millis()))),
        }
    }

    async fn run(&self, said: &Said, voice: &str) -> Result<Vec<u8>, SoundError> {
        let (text, markup) = match said {
            Said::Plain(text) => (readable(text), None),
            Said::Ssml(markup) => (readable(&with_own_languages(markup)), Some("-m")),
        };
        let mut child = Command::new(&self.command)
            .args(markup)
            .args(["-v", voice, "-s", WORDS_PER_MINUTE, "-b", "1", "--stdin", "--stdout"])
            .env_clear()
            .envs(
                ["PATH", "ESPEAK_DATA_PATH"]
                    .into_iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => self.failed("is not installed"),
                _ => self.failed(&error.to_string()),
            })?;
        let (Some(mut input), Some(output), Some(complaints)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(self.failed("has no standard streams"));
        };
        let (mut wav, mut said) = (Vec::new(), Vec::new());
        let write = async {
            // One that does not read to the end shows it by its exit status.
            let _ = input.write_all(text.as_bytes()).await;
            drop(input);
        };
        let listen = async {
            let read = output.take(WAV_BYTES_MAX as u64 + 1).read_to_end(&mut wav).await;
            // The pipe is closed here: one that would go on writing ends by it.
            read.map_err(|error| self.failed(&error.to_string()))
        };
        let mut complaints = complaints.take(1_000);
        let ((), listened, _) = tokio::join!(write, listen, complaints.read_to_end(&mut said));
        listened?;
        if wav.len() > WAV_BYTES_MAX {
            return Err(self.failed("speaks without end"));
        }
        let status = child.wait().await.map_err(|error| self.failed(&error.to_string()))?;
        if !status.success() {
            let said = String::from_utf8_lossy(&said);
            return Err(self.failed(&format!("gave up with {status}: {}", said.trim())));
        }
        with_true_sizes(wav).ok_or_else(|| self.failed("gave no WAV"))
    }

    fn failed(&self, why: &str) -> SoundError {
        SoundError::new(INTERNAL, format!("the speech engine `{}` {why}", self.command))
    }
}

/// The text without what the engine would take for something else: `[[` begins phonemes, control characters
/// are commands of some voices.
fn readable(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.replace("[[", "[ [") + "\n"
}

/// The markup with the engine's names of languages.
fn with_own_languages(markup: &str) -> String {
    const LANG: &str = "xml:lang=\"";
    let mut pieces = markup.split(LANG);
    let mut own = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (tag, rest) = piece.split_once('"').unwrap_or((piece, ""));
        own.push_str(&format!("{LANG}{}\"{rest}", local_language(tag)));
    }
    own
}

/// The engine writes the header before it knows the length. `None` when this is no WAV with samples in it.
fn with_true_sizes(mut wav: Vec<u8>) -> Option<Vec<u8>> {
    if !wav.starts_with(b"RIFF") || wav.get(8..12) != Some(b"WAVE") {
        return None;
    }
    let data = wav.windows(4).take(1_024).position(|name| name == b"data")?;
    let samples = wav.len().checked_sub(data + 8).filter(|length| *length > 0)?;
    let whole = u32::try_from(wav.len() - 8).ok()?;
    wav[4..8].copy_from_slice(&whole.to_le_bytes());
    wav[data + 4..data + 8].copy_from_slice(&u32::try_from(samples).ok()?.to_le_bytes());
    Some(wav)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    /// An engine that is a shell script.
    pub(crate) fn script(folder: &Path, body: &str) -> String {
        let path = folder.join("engine");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    const GERMAN: &str = "de+f3";

    fn plain(text: &str) -> Said {
        Said::Plain(text.to_owned())
    }

    async fn render_by(body: &str, text: &str) -> Result<Vec<u8>, SoundError> {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new(script(folder.path(), body), 2, Duration::from_millis(800));
        engine.render(&plain(text), GERMAN).await
    }

    #[tokio::test]
    async fn the_text_is_read_and_never_an_argument() {
        // An engine whose "samples" are its arguments and its input.
        let echo = r#"printf 'RIFF0000WAVEdata0000%s|' "$*"; cat"#;
        let wav = render_by(echo, "--help; [[x]] \u{1b}e\u{0}").await.unwrap();
        let said = String::from_utf8_lossy(&wav[20..]).into_owned();
        assert_eq!(said, "-v de+f3 -s 160 -b 1 --stdin --stdout|--help; [ [x]]  e \n");
        assert_eq!(wav[4..8], (wav.len() as u32 - 8).to_le_bytes());
        assert_eq!(wav[16..20], (wav.len() as u32 - 20).to_le_bytes());
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told() {
        for (body, told) in [
            ("sleep 5", "did not finish in 800 ms"),
            ("echo no such voice >&2; exit 3", "no such voice"),
            ("cat > /dev/null; echo hello", "gave no WAV"),
            ("printf 'RIFF0000WAVEdata0000'", "gave no WAV"),
            ("exit 0", "gave no WAV"),
            ("exec yes", "without end"),
        ] {
            let error = render_by(body, "hello").await.unwrap_err();
            assert_eq!(error.code, 12400);
            assert!(error.message.contains(told), "{body}: {}", error.message);
        }
        let missing = Engine::new("/nonexistent/espeak-ng".to_owned(), 1, Duration::from_secs(1));
        let error = missing.render(&plain("hello"), GERMAN).await.unwrap_err();
        assert_eq!(error.to_string(), "12400 the speech engine `/nonexistent/espeak-ng` is not installed");
        let none = Engine::new(String::new(), 1, Duration::from_secs(1));
        assert!(none.render(&plain("hello"), GERMAN).await.unwrap_err().message.contains("configured"));
        let long = none_but(&"x".repeat(TEXT_BYTES_MAX + 1)).await;
        assert_eq!(long.code, 13521);
    }

    async fn none_but(text: &str) -> SoundError {
        render_by("cat", text).await.unwrap_err()
    }

    #[tokio::test]
    async fn the_real_engine_speaks() {
        let engine = Engine::new("espeak-ng".to_owned(), 1, Duration::from_secs(10));
        let wav = engine.render(&plain("Guten Tag. Bitte warten Sie."), GERMAN).await.unwrap();
        let clip = media::decode::decode(wav, Some("wav")).unwrap();
        assert!((800..6_000).contains(&clip.duration_ms()), "{} ms", clip.duration_ms());
        assert!(clip.pcm.iter().any(|sample| sample.unsigned_abs() > 4_000), "it is audible");
    }

    #[tokio::test]
    async fn the_real_engine_obeys_markup_and_reads_no_tag() {
        let engine = Engine::new("espeak-ng".to_owned(), 2, Duration::from_secs(10));
        let ms = async |said: Said| {
            let wav = engine.render(&said, "en-us").await.unwrap();
            media::decode::decode(wav, Some("wav")).unwrap().duration_ms()
        };
        let ssml = |markup: &str| Said::Ssml(markup.to_owned());
        let words = ms(plain("hello world")).await;
        assert!(ms(ssml("<emphasis level=\"moderate\">hello</emphasis> world")).await < words + 400);
        let paused = ms(ssml("hello <break time=\"2000ms\"/>world")).await;
        assert!((words + 1_700..words + 2_500).contains(&paused), "{words} {paused}");
        let slow = ms(ssml("<prosody rate=\"50%\">hello world</prosody>")).await;
        assert!(slow > words * 3 / 2, "{words} {slow}");
        let french = ms(ssml("hello <s xml:lang=\"fr-FR\">bonjour</s> world")).await;
        let sentences = ms(plain("hello. bonjour. world")).await;
        // Changing the voice takes a pause either side; spelling the tag out would take three seconds.
        assert!(french < sentences + 1_500, "{sentences} {french}");
    }
}
