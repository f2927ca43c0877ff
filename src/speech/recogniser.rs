//! Speech recognition by a program beside the box: sound goes in through a pipe, words come out of another.
//!
//! The programs are other people's: one that crashes takes one utterance with it, one that hangs is killed, and only a
//! few run at a time. PocketSphinx is spoken to in its own way ([`crate::pocketsphinx`]); any other command gets 16-bit
//! samples at 8 kHz, `TANDEM_LANGUAGE` and `TANDEM_HINTS` in its environment, and answers with lines: `text WORDS`
//! for what is certain, `partial WORDS` for what may change, `confidence 0.93`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use media::resample::Resampler;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::pocketsphinx;

/// What listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Nothing: nobody is understood.
    None,
    /// `pocketsphinx_continuous`, by name or path.
    Pocketsphinx(String),
    /// Any other program and its arguments.
    Command(Vec<String>),
}

impl Backend {
    /// As `[speech] recogniser` names it: `none`, `pocketsphinx`, `command:PROGRAM ARGUMENT…`.
    pub fn parse(text: &str) -> Option<Backend> {
        match text.trim() {
            "none" => Some(Backend::None),
            "pocketsphinx" => Some(Backend::Pocketsphinx("pocketsphinx_continuous".to_owned())),
            other => {
                let words: Vec<String> =
                    other.strip_prefix("command:")?.split_whitespace().map(str::to_owned).collect();
                (!words.is_empty()).then_some(Backend::Command(words))
            }
        }
    }
}

/// What an utterance is expected to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// BCP-47.
    pub(crate) language: String,
    /// Words and phrases.
    pub(crate) hints: Vec<String>,
}

/// What was understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transcript {
    /// Empty: nothing.
    pub(crate) text: String,
    /// 0 to 1, if the program said one.
    pub(crate) confidence: Option<f32>,
}

/// A line of a program's output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// Certain words, more than those before.
    Text(String),
    /// Words that may yet change.
    Partial(String),
    /// How sure it is of one word, or of all.
    Confidence(f32),
}

/// Why there is no transcript.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message}")]
pub struct RecogniserError {
    /// As the error catalogue numbers it.
    pub code: u32,
    /// For people.
    pub message: String,
}

/// The recogniser of the box; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Recogniser {
    backend: Arc<Backend>,
    models: PathBuf,
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// Nothing is configured.
const NOT_CONFIGURED: u32 = 99_001;
/// The program does not know the language.
const NO_LANGUAGE: u32 = 13_331;
/// The program is missing, breaks or is too slow.
const DEGRADED: u32 = 13_340;

/// Programs running at a time; an utterance beyond is not understood.
const PROGRAMS_MAX: usize = 16;

/// How long a program may take once it has heard everything.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many times longer it may take for a recording.
const RECORDING_PATIENCE: u32 = 12;

/// Frames that may wait for a program that is slow to read: more than the longest utterance.
const FRAMES_MAX: usize = 8_192;

/// Characters of one transcript.
const TEXT_CHARS_MAX: usize = 16_000;

/// Bytes of output that are read of one program.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024;

impl Recogniser {
    /// One that uses this program.
    pub fn new(backend: Backend) -> Self {
        Self::with_patience(backend, PROGRAMS_MAX, PATIENCE)
    }

    pub(crate) fn with_patience(backend: Backend, programs_max: usize, patience: Duration) -> Self {
        let turns = Arc::new(Semaphore::new(programs_max));
        Self { backend: Arc::new(backend), models: pocketsphinx::MODELS.into(), turns, patience }
    }

    /// Whether anything of this language can be understood at all: said before anybody speaks, not after.
    pub(crate) fn check(&self, language: &str) -> Result<(), RecogniserError> {
        match *self.backend {
            Backend::None => Err(error(NOT_CONFIGURED, "no speech recognition is configured")),
            Backend::Pocketsphinx(_) => pocketsphinx::knows(language).map_err(|why| error(NO_LANGUAGE, why)),
            Backend::Command(_) => Ok(()),
        }
    }

    /// Begins to listen to one utterance. The program is started now, so that it is ready when the words end.
    pub(crate) async fn begin(&self, wanted: &Wanted) -> Result<Utterance, RecogniserError> {
        self.check(&wanted.language)?;
        let turn = self
            .turns
            .clone()
            .try_acquire_owned()
            .map_err(|_| error(DEGRADED, "too many people speak at once"))?;
        let (command, grammar) = self.command(wanted).await?;
        let mut child = { command }
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|why| error(DEGRADED, format!("the speech recogniser cannot be started: {why}")))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(error(DEGRADED, "the speech recogniser has no standard streams"));
        };
        let (sound, frames) = mpsc::channel(FRAMES_MAX);
        let (lines_tx, lines) = mpsc::channel(256);
        let is_sphinx = matches!(*self.backend, Backend::Pocketsphinx(_));
        tokio::spawn(write(input, frames));
        tokio::spawn(async move {
            let mut output = BufReader::new(output.take(OUTPUT_BYTES_MAX)).lines();
            while let Ok(Some(line)) = output.next_line().await {
                let line = if is_sphinx { pocketsphinx::read(&line) } else { read(&line) };
                if let Some(line) = line
                    && lines_tx.send(line).await.is_err()
                {
                    return;
                }
            }
        });
        let resampler = is_sphinx.then(|| Box::new(Resampler::new(8_000, pocketsphinx::RATE)));
        Ok(Utterance {
            child,
            sound: Some(sound),
            lines,
            resampler,
            heard: Heard::default(),
            patience: self.patience,
            _turn: turn,
            _grammar: grammar,
        })
    }

    async fn command(&self, wanted: &Wanted) -> Result<(Command, Option<NamedTempFile>), RecogniserError> {
        match &*self.backend {
            Backend::None => Err(error(NOT_CONFIGURED, "no speech recognition is configured")),
            Backend::Command(words) => {
                let mut command = Command::new(words.first().map_or("", String::as_str));
                command.args(words.iter().skip(1));
                // Values, never arguments, whatever a document says.
                command.env("TANDEM_LANGUAGE", printable(&wanted.language));
                command.env("TANDEM_HINTS", printable(&wanted.hints.join(",")));
                Ok((command, None))
            }
            Backend::Pocketsphinx(program) => {
                let (wanted, models) = (wanted.clone(), self.models.clone());
                let made = tokio::task::spawn_blocking(move || pocketsphinx::arguments(&wanted, &models));
                let made = made.await.map_err(|why| error(DEGRADED, why.to_string()))?;
                let (arguments, grammar) = made.map_err(|why| match Path::new(&self.models).exists() {
                    true => error(DEGRADED, why),
                    false => error(DEGRADED, "the speech recogniser's model is not installed"),
                })?;
                let mut command = Command::new(program);
                command.args(arguments);
                Ok((command, grammar))
            }
        }
    }
}

/// One utterance being listened to. Dropped, its program is killed.
pub(crate) struct Utterance {
    child: Child,
    sound: Option<mpsc::Sender<Vec<u8>>>,
    lines: mpsc::Receiver<Line>,
    resampler: Option<Box<Resampler>>,
    heard: Heard,
    patience: Duration,
    _turn: OwnedSemaphorePermit,
    _grammar: Option<NamedTempFile>,
}

#[derive(Debug, Default)]
struct Heard {
    text: String,
    partial: String,
    confidences: Vec<f32>,
}

impl Heard {
    fn take(&mut self, line: Line) {
        match line {
            Line::Text(words) => {
                self.partial.clear();
                if self.text.chars().count() + words.chars().count() < TEXT_CHARS_MAX {
                    if !self.text.is_empty() {
                        self.text.push(' ');
                    }
                    self.text.push_str(&words);
                }
            }
            Line::Partial(words) => self.partial = words.chars().take(TEXT_CHARS_MAX).collect(),
            Line::Confidence(share) if self.confidences.len() < TEXT_CHARS_MAX => {
                self.confidences.push(share)
            }
            Line::Confidence(_) => {}
        }
    }
}

impl std::fmt::Debug for Utterance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Utterance").field("child", &self.child).finish_non_exhaustive()
    }
}

impl Utterance {
    /// Takes sound at 8 kHz, at most 20 ms. Never waits: what a stuck program does not read is lost with it.
    pub(crate) fn hear(&mut self, pcm: &[i16]) {
        let mut wide = [0; 640];
        let pcm = match &mut self.resampler {
            Some(resampler) => {
                let count = resampler.process(pcm, &mut wide);
                &wide[..count]
            }
            None => pcm,
        };
        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        if let Some(sound) = &self.sound {
            let _ = sound.try_send(bytes);
        }
    }

    /// Nobody waits for it: it may take as long as a recording needs.
    pub(crate) fn take_time(&mut self) {
        self.patience *= RECORDING_PATIENCE;
    }

    /// What has been understood since the last time it was asked: certain words, and those that may change.
    pub(crate) fn news(&mut self) -> Option<(String, String)> {
        let mut is_new = false;
        while let Ok(line) = self.lines.try_recv() {
            is_new |= matches!(line, Line::Text(_) | Line::Partial(_));
            self.heard.take(line);
        }
        is_new.then(|| (self.heard.text.clone(), self.heard.partial.clone()))
    }

    /// There is no more to hear: what it was.
    pub(crate) async fn finish(mut self) -> Result<Transcript, RecogniserError> {
        self.sound = None;
        let patience = self.patience;
        let work = async {
            while let Some(line) = self.lines.recv().await {
                self.heard.take(line);
            }
            self.child.wait().await
        };
        let status = match timeout(patience, work).await {
            Ok(Ok(status)) => status,
            Ok(Err(why)) => return Err(error(DEGRADED, format!("the speech recogniser is lost: {why}"))),
            Err(_) => {
                let told = format!("the speech recogniser did not finish in {} ms", patience.as_millis());
                return Err(error(DEGRADED, told));
            }
        };
        let Heard { text, confidences, .. } = self.heard;
        if !status.success() && text.is_empty() {
            return Err(error(DEGRADED, format!("the speech recogniser gave up with {status}")));
        }
        let count = confidences.len() as f32;
        let confidence = (!confidences.is_empty()).then(|| confidences.iter().sum::<f32>() / count);
        Ok(Transcript { text, confidence })
    }
}

async fn write(mut input: ChildStdin, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = frames.recv().await {
        // One that has ended says why by its status.
        if input.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// A line of any program.
fn read(line: &str) -> Option<Line> {
    let (kind, rest) = line.trim().split_once(' ')?;
    let words = || rest.split_whitespace().collect::<Vec<_>>().join(" ");
    match kind {
        "text" => Some(Line::Text(words())),
        "partial" => Some(Line::Partial(words())),
        "confidence" => {
            let share: f32 = rest.trim().parse().ok()?;
            share.is_finite().then(|| Line::Confidence(share.clamp(0.0, 1.0)))
        }
        _ => None,
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn error(code: u32, message: impl Into<String>) -> RecogniserError {
    RecogniserError { code, message: message.into() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::espeak::tests::script;

    fn english(hints: &[&str]) -> Wanted {
        Wanted { language: "en-US".into(), hints: hints.iter().map(|h| (*h).to_owned()).collect() }
    }

    pub(crate) fn by_script(folder: &Path, body: &str) -> Recogniser {
        let program = script(folder, body);
        Recogniser::with_patience(
            Backend::Command(vec![program, "an argument".into()]),
            1,
            Duration::from_secs(2),
        )
    }

    async fn said_by(body: &str) -> Result<Transcript, RecogniserError> {
        let folder = tempfile::tempdir().unwrap();
        let mut utterance = by_script(folder.path(), body).begin(&english(&["yes", "no\n"])).await?;
        for _ in 0..10 {
            utterance.hear(&[1_000; 160]);
        }
        utterance.finish().await
    }

    #[tokio::test]
    async fn a_program_hears_all_and_its_lines_are_read() {
        let counting = r#"n=$(wc -c); echo "text heard $n bytes"; echo "confidence 0.8"; echo "text of $TANDEM_LANGUAGE"; echo "confidence 0.6"; echo "noise"; echo "text $TANDEM_HINTS $1""#;
        let transcript = said_by(counting).await.unwrap();
        assert_eq!(transcript.text, "heard 3200 bytes of en-US yes,no an argument");
        assert!((transcript.confidence.unwrap() - 0.7).abs() < 0.001);
        assert_eq!(said_by("cat >/dev/null").await, Ok(Transcript { text: String::new(), confidence: None }));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_by_a_number() {
        for (body, code, told) in [
            ("exec sleep 60", 13_340, "did not finish in 2000 ms"),
            ("cat >/dev/null; exit 3", 13_340, "gave up with exit status: 3"),
        ] {
            let error = said_by(body).await.unwrap_err();
            assert!(error.code == code && error.message.contains(told), "{body}: {error}");
        }
        let none = Recogniser::new(Backend::None).begin(&english(&[])).await.unwrap_err();
        assert_eq!(none.to_string(), "99001 no speech recognition is configured");
        let missing = Recogniser::new(Backend::Command(vec!["/nonexistent".into()]));
        assert_eq!(missing.begin(&english(&[])).await.unwrap_err().code, 13_340);
    }

    #[tokio::test]
    async fn only_so_many_run_and_one_that_is_dropped_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let recogniser = by_script(folder.path(), "exec cat >/dev/null");
        let first = recogniser.begin(&english(&[])).await.unwrap();
        let pid = first.child.id().unwrap();
        let second = recogniser.begin(&english(&[])).await.unwrap_err();
        assert!(second.message.contains("too many people"));
        drop(first);
        assert!(recogniser.begin(&english(&[])).await.is_ok());
        for _ in 0..100 {
            if !Path::new(&format!("/proc/{pid}/cmdline")).exists()
                || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.is_empty())
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it still runs");
    }

    #[test]
    fn configured_names() {
        for (text, backend) in [
            ("none", Some(Backend::None)),
            ("pocketsphinx", Some(Backend::Pocketsphinx("pocketsphinx_continuous".into()))),
            ("command:/opt/stt --fast", Some(Backend::Command(vec!["/opt/stt".into(), "--fast".into()]))),
            ("command: ", None),
            ("whisper", None),
        ] {
            assert_eq!(Backend::parse(text), backend, "{text}");
        }
    }
}
