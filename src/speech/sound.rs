//! The one cache of clips.

use std::path::PathBuf;
use std::sync::Arc;

use media::{Clip, ClipKey};
use net::webhook::Webhooks;

use crate::border::{SoundInfo, SoundSource};

/// How sounds are made and kept.
#[derive(Clone, Debug)]
pub struct SoundsConfig {
    /// Where renderings are kept over restarts, `speech/` in the state folder.
    pub cache_dir: PathBuf,
}

/// Why there is no sound; prints as `13420 the content type text/html is not audio`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message}")]
pub struct SoundError {
    /// As `error-codes` lists them.
    pub code: u32,
    /// For people.
    pub message: String,
}

/// Every sound of the box; a clone is the same cache.
#[derive(Clone, Debug)]
pub struct Sounds {}

impl Sounds {
    /// An empty cache over a folder of renderings.
    pub fn new(_config: SoundsConfig, _web: Webhooks) -> Self {
        Self {}
    }

    /// Makes a sound ready under `key`; returns once [`get`](Self::get) has it.
    pub async fn prepare(&self, _key: ClipKey, _source: SoundSource) -> Result<SoundInfo, SoundError> {
        Err(SoundError { code: 0, message: String::new() })
    }

    /// A prepared sound.
    pub fn get(&self, _key: &ClipKey) -> Option<Arc<Clip>> {
        None
    }
}
