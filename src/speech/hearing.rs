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
        if let Err(error) = self.check() {
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
        self.check()?;
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
