//! From a text to a clip: rendered before, or rendered now.

use std::collections::BTreeMap;
use std::sync::Arc;

use media::Clip;

use crate::error::{INTERNAL, SoundError};
use crate::espeak::{Engine, Said, WORDS_PER_MINUTE};
use crate::renderings::Renderings;
use crate::sound::Decoder;
use crate::voice::Voice;

/// The engine and what it has said.
#[derive(Debug)]
pub(crate) struct Speaker {
    engine: Engine,
    renderings: Arc<Renderings>,
    voices: BTreeMap<String, String>,
}

impl Speaker {
    pub(crate) fn new(engine: Engine, renderings: Renderings, voices: BTreeMap<String, String>) -> Self {
        Self { engine, renderings: Arc::new(renderings), voices }
    }

    /// The clip of a text.
    pub(crate) async fn speak(
        &self,
        said: &Said,
        voice: &str,
        language: &str,
        decoder: &Decoder,
    ) -> Result<Clip, SoundError> {
        let voice = self.voices.get(voice).cloned().unwrap_or_else(|| Voice::of(voice, language).argument());
        let (kind, text) = said.parts();
        let name = Renderings::name(&[self.engine.name(), &voice, WORDS_PER_MINUTE, kind, text]);
        if let Some(wav) = self.rendered(&name).await? {
            match decoder.decode(wav, Some("wav")).await {
                Ok(clip) => return Ok(clip),
                // Damaged on disk: speak it again.
                Err(error) => tracing::warn!(name, %error, "a kept rendering cannot be read"),
            }
            let (renderings, name) = (self.renderings.clone(), name.clone());
            blocking(move || renderings.remove(&name)).await?;
        }
        let wav = self.engine.render(said, &voice).await?;
        let (renderings, kept) = (self.renderings.clone(), wav.clone());
        let written = blocking(move || renderings.write(&name, &kept)).await?;
        if let Err(error) = written {
            tracing::warn!(%error, "a rendering could not be kept");
        }
        decoder.decode(wav, Some("wav")).await
    }

    async fn rendered(&self, name: &str) -> Result<Option<Vec<u8>>, SoundError> {
        let (renderings, name) = (self.renderings.clone(), name.to_owned());
        blocking(move || renderings.read(&name)).await
    }
}

/// Runs what waits for a disk or a CPU where that holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SoundError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| SoundError::new(INTERNAL, format!("preparing a sound failed: {error}")))
}
