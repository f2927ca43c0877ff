//! Listening to a leg: from the frames of a tap to what the call is told.
//!
//! ```text
//! tap ──frames──▶ end-pointer ──utterance──▶ recogniser ──▶ Began · Partial … · Said
//! ```
//! One task listens until what it listens for has been said, or utterance after utterance, and ends with its tap; a
//! program that still runs then is killed.

use std::path::Path;

use call::{Input, Listen, SpeechNews};
use net::media::TapReader;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::endpoint::{Endpointer, Endpointing, Piece};
use crate::profanity;
use crate::recogniser::{Recogniser, RecogniserError, Transcript, Utterance, Wanted};

/// Silence after which an utterance is over when the document leaves that to the box, in milliseconds.
const AUTO_SILENCE_MS: u32 = 800;

/// The recording cannot be read.
const NOT_THERE: u32 = 13_620;

/// How sure words are that a pause follows, and words that may change.
const STABLE: f32 = 0.9;
const UNSTABLE: f32 = 0.5;

/// What an utterance wants done, noted while the end-pointer has the sound.
enum Step {
    Begin,
    Sound(Box<[i16; 160]>),
    End,
}

impl Recogniser {
    /// Listens to a tap until the words are said or the tap is over. What is heard goes to `inputs`.
    pub async fn listen(self, listen: Listen, mut tap: TapReader, inputs: mpsc::Sender<Input>) {
        let tell = |news| {
            let (id, inputs) = (listen.id, inputs.clone());
            async move { inputs.send(Input::Speech { id, news }).await.is_ok() }
        };
        if let Err(error) = self.check(&listen.language) {
            tell(failed(&error)).await;
            return;
        }
        let silence_ms = listen.silence_ms.unwrap_or(AUTO_SILENCE_MS);
        let mut endpointer = Endpointer::new(Endpointing { silence_ms, max_ms: listen.max_ms });
        let wanted = Wanted { language: listen.language.clone(), hints: listen.hints.clone() };
        let mut utterance: Option<Utterance> = None;
        let mut last: Option<JoinHandle<()>> = None;
        while let Some(frame) = tap.next().await {
            let mut steps = Vec::new();
            endpointer.feed(&frame.channel(0), |piece| {
                steps.push(match piece {
                    Piece::Began => Step::Begin,
                    Piece::Sound(sound) => Step::Sound(Box::new(*sound)),
                    Piece::Ended => Step::End,
                });
            });
            for step in steps {
                match step {
                    Step::Begin => {
                        if !tell(SpeechNews::Began).await {
                            return;
                        }
                        match self.begin(&wanted).await {
                            Ok(begun) => utterance = Some(begun),
                            Err(error) => {
                                tell(failed(&error)).await;
                                if !listen.goes_on {
                                    return;
                                }
                            }
                        }
                    }
                    Step::Sound(sound) => {
                        if let Some(utterance) = &mut utterance {
                            utterance.hear(&sound[..]);
                        }
                    }
                    Step::End => {
                        let Some(ended) = utterance.take() else { continue };
                        if !listen.goes_on {
                            let result = tokio::select! {
                                result = ended.finish() => result,
                                () = over(&mut tap) => return,
                            };
                            tell(said(&listen, result)).await;
                            return;
                        }
                        // The next one may begin before this one is understood; they are told in order.
                        let (before, listen, inputs) = (last.take(), listen.clone(), inputs.clone());
                        last = Some(tokio::spawn(async move {
                            let news = said(&listen, ended.finish().await);
                            if let Some(before) = before {
                                let _ = before.await;
                            }
                            let _ = inputs.send(Input::Speech { id: listen.id, news }).await;
                        }));
                    }
                }
            }
            if let Some((stable, unstable)) = utterance.as_mut().and_then(Utterance::news) {
                let stability = if unstable.is_empty() { STABLE } else { UNSTABLE };
                let [stable, unstable] = [stable, unstable].map(|text| shown(&listen, text));
                if !tell(SpeechNews::Partial { stable, unstable, stability }).await {
                    return;
                }
            }
        }
    }

    /// What is said in a recording's file.
    pub async fn transcribe_file(&self, path: &Path, language: &str) -> Result<String, RecogniserError> {
        self.check(language)?;
        let (path, extension) = (path.to_owned(), path.extension().map(|e| e.to_string_lossy().into_owned()));
        let read = tokio::task::spawn_blocking(move || {
            let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
            media::decode::decode(bytes, extension.as_deref()).map_err(|error| error.to_string())
        });
        let clip = read.await.map_err(|error| error.to_string()).flatten();
        let clip = clip.map_err(|message| RecogniserError { code: NOT_THERE, message })?;
        self.transcribe(&clip.pcm, language).await
    }

    /// What is said in a whole recording, 16-bit samples at 8 kHz.
    async fn transcribe(&self, pcm: &[i16], language: &str) -> Result<String, RecogniserError> {
        let wanted = Wanted { language: language.to_owned(), hints: Vec::new() };
        let mut utterance = self.begin(&wanted).await?;
        utterance.take_time();
        for frame in pcm.chunks(160) {
            utterance.hear(frame);
        }
        Ok(utterance.finish().await?.text)
    }
}

/// Returns when the tap is over.
async fn over(tap: &mut TapReader) {
    while tap.next().await.is_some() {}
}

fn said(listen: &Listen, result: Result<Transcript, RecogniserError>) -> SpeechNews {
    match result {
        Ok(transcript) => {
            SpeechNews::Said { text: shown(listen, transcript.text), confidence: transcript.confidence }
        }
        Err(error) => failed(&error),
    }
}

fn shown(listen: &Listen, text: String) -> String {
    if listen.profanity_filter { profanity::masked(&text) } else { text }
}

fn failed(error: &RecogniserError) -> SpeechNews {
    SpeechNews::Failed { code: error.code, message: error.message.clone() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use call::HearingId;
    use media::tap::TapRing;
    use media::{LegId, TapId};
    use net::media::Taps;

    use super::*;
    use crate::recogniser::Backend;
    use crate::recogniser::tests::by_script;

    /// Somebody who is listened to.
    struct Speaker {
        ring: Arc<TapRing>,
        news: mpsc::Receiver<Input>,
        at: u64,
    }

    fn listen(recogniser: Recogniser, change: impl FnOnce(&mut Listen)) -> Speaker {
        let taps = Taps::default();
        let (tap, ring) = (taps.take(TapId(1)), taps.ring(TapId(1)));
        let (inputs, news) = mpsc::channel(100);
        let mut listen = Listen {
            id: HearingId(7),
            leg: LegId(1),
            tap: TapId(1),
            language: "en-US".into(),
            hints: Vec::new(),
            silence_ms: Some(300),
            max_ms: 10_000,
            profanity_filter: false,
            goes_on: false,
        };
        change(&mut listen);
        tokio::spawn(recogniser.listen(listen, tap, inputs));
        Speaker { ring, news, at: 0 }
    }

    impl Speaker {
        /// A voice for so long, or silence, as fast as it is heard.
        async fn speaks(&mut self, ms: u64, loud: bool) {
            for _ in 0..ms / 20 {
                let sample = |n: u64| {
                    let sine = (n as f32 * 0.2).sin() + (n as f32 * 0.31).sin() * 0.7;
                    if loud { (sine * 6_000.0) as i16 } else { 0 }
                };
                let frame: Vec<i16> = (0..160).map(|n| sample(self.at + n)).collect();
                self.ring.put(self.at, 1, &frame);
                self.at += 160;
                // The ring has room for a second: its reader looks every few milliseconds.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }

        async fn news(&mut self) -> Option<SpeechNews> {
            match tokio::time::timeout(Duration::from_secs(5), self.news.recv()).await.expect("news in time")
            {
                Some(Input::Speech { id: HearingId(7), news }) => Some(news),
                Some(other) => panic!("{other:?}"),
                None => None,
            }
        }
    }

    const ANSWERS: &str = "head -c 3200 >/dev/null; echo 'partial call me'; cat >/dev/null; echo 'text call me back'; \
                           echo 'confidence 0.9'";

    #[tokio::test]
    async fn an_utterance_is_told_from_its_beginning_to_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut speaker = listen(by_script(folder.path(), ANSWERS), |_| {});
        speaker.speaks(300, false).await;
        speaker.speaks(1_000, true).await;
        assert_eq!(speaker.news().await, Some(SpeechNews::Began));
        speaker.speaks(600, false).await;
        let mut partial = false;
        loop {
            match speaker.news().await.expect("it is not over without words") {
                SpeechNews::Partial { unstable, stability, .. } => {
                    partial = true;
                    assert_eq!((unstable.as_str(), stability), ("call me", UNSTABLE));
                }
                SpeechNews::Said { text, confidence } => {
                    assert_eq!((text.as_str(), confidence), ("call me back", Some(0.9)));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        let _ = partial;
        assert_eq!(speaker.news().await, None, "it listens to one utterance");
    }

    #[tokio::test]
    async fn one_that_goes_on_tells_each_utterance_in_order_until_the_tap_ends() {
        let folder = tempfile::tempdir().unwrap();
        let recogniser = by_script(folder.path(), "n=$(wc -c); echo \"text heard\"");
        let mut speaker = listen(recogniser, |listen| listen.goes_on = true);
        for _ in 0..2 {
            speaker.speaks(200, false).await;
            speaker.speaks(600, true).await;
            speaker.speaks(600, false).await;
            assert_eq!(speaker.news().await, Some(SpeechNews::Began));
            let said = SpeechNews::Said { text: "heard".into(), confidence: None };
            assert_eq!(speaker.news().await, Some(said));
        }
        speaker.ring.end();
        assert_eq!(speaker.news().await, None);
    }

    #[tokio::test]
    async fn what_cannot_be_understood_is_told_before_anybody_speaks() {
        let sphinx = || Recogniser::new(Backend::Pocketsphinx("pocketsphinx_continuous".into()));
        for (recogniser, language, code) in [
            (Recogniser::new(Backend::None), "en-US", 99_001),
            (sphinx(), "de-DE", 13_331),
            (sphinx(), "fil-PH", 13_331),
        ] {
            let mut speaker = listen(recogniser.clone(), |listen| listen.language = language.into());
            match speaker.news().await {
                Some(SpeechNews::Failed { code: told, message }) => {
                    assert!(told == code && (code != 13_331 || message.contains(language)), "{message}");
                }
                other => panic!("{language}: {other:?}"),
            }
            assert_eq!(speaker.news().await, None);
            let file = recogniser.transcribe_file(Path::new("/nonexistent.wav"), language).await;
            assert_eq!(file.unwrap_err().code, code);
        }
        let file = sphinx().transcribe_file(Path::new("/nonexistent.wav"), "EN-gb").await;
        assert_eq!(file.unwrap_err().code, NOT_THERE);
    }

    #[tokio::test]
    async fn nothing_is_told_of_a_tap_that_ends_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let mut speaker = listen(by_script(folder.path(), "echo text never"), |_| {});
        speaker.speaks(400, false).await;
        speaker.ring.end();
        assert_eq!(speaker.news().await, None);
    }

    #[tokio::test]
    async fn profanities_are_masked_when_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let recogniser = by_script(folder.path(), "cat >/dev/null; echo 'text oh shit'");
        let mut speaker = listen(recogniser, |listen| listen.profanity_filter = true);
        speaker.speaks(600, true).await;
        speaker.speaks(600, false).await;
        assert_eq!(speaker.news().await, Some(SpeechNews::Began));
        let said = SpeechNews::Said { text: "oh s***".into(), confidence: None };
        assert_eq!(speaker.news().await, Some(said));
    }
}
