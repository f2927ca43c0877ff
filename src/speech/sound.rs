//! Every sound of the box, made once and shared.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use call::{SoundInfo, SoundSource};
use media::engine::CoreItem;
use media::{Clip, ClipKey, decode};
use net::webhook::{MediaAnswer, MediaRequest, Webhooks};
use tokio::sync::{OnceCell, Semaphore};

use crate::builtin;
use crate::clips::{Clips, Origin, Sound};
use crate::error::{FAILED, INTERNAL, NOT_PLAYABLE, SoundError};
use crate::espeak::Engine;
use crate::espeak::Said;
use crate::failures::Failures;
use crate::freshness::Freshness;
use crate::playable::playable;
use crate::renderings::Renderings;
use crate::speaker::{Speaker, blocking};
use crate::stream::Stream;

/// How sounds are made and kept.
#[derive(Clone, Debug)]
pub struct SoundsConfig {
    /// Where renderings are kept over restarts, `speech/` in the state folder.
    pub cache_dir: PathBuf,
    /// The program that speaks, by name or path: eSpeak NG or one that takes the same arguments; empty: none.
    pub command: String,
    /// The program's voices for published names that are to sound otherwise than by language and gender.
    pub voices: BTreeMap<String, String>,
}

/// Bytes of clips in memory: more than two hours of sound.
const CLIP_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of renderings on disk.
const RENDERING_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes of one file before it is decoded: forty minutes of MP3.
const FILE_BYTES_MAX: usize = 40 * 1024 * 1024;

/// Sounds being made at a time, waiting ones included; a further one is refused.
const UNDER_WAY_MAX: usize = 1_024;

/// Files being fetched at a time.
const FETCHES_MAX: usize = 32;

/// Sounds being heard while they come, at a time; further ones are fetched first.
const STREAMS_MAX: usize = 16;

/// How patient sounds that are heard while they come are.
const PATIENCE: Patience = Patience { stalled: Duration::from_secs(10), unheard: Duration::from_secs(60) };

/// Speech engines running at a time.
const ENGINES_MAX: usize = 2;

/// How long one may take for one text.
const ENGINE_PATIENCE: Duration = Duration::from_secs(10);

/// Files being decoded at a time.
const DECODERS_MAX: usize = 2;

/// The one clip cache of the box; a clone is the same one.
#[derive(Clone, Debug)]
pub struct Sounds {
    inner: Arc<Inner>,
}

#[derive(Clone, Copy, Debug)]
struct Patience {
    /// How long nothing may come in the middle of a sound before it ends there.
    stalled: Duration,
    /// How long a sound without a length goes on coming when nobody plays it.
    unheard: Duration,
}

#[derive(Debug)]
struct Inner {
    clips: Arc<Clips>,
    under_way: Mutex<BTreeMap<ClipKey, Arc<OnceCell<Made>>>>,
    speaker: Speaker,
    decoder: Decoder,
    web: Webhooks,
    fetches: Semaphore,
    streams: Arc<Semaphore>,
    patience: Patience,
    failures: Failures,
}

type Made = Result<SoundInfo, SoundError>;

impl Sounds {
    /// An empty cache over a folder of renderings; sounds are fetched through `web`.
    pub fn new(config: SoundsConfig, web: Webhooks) -> Self {
        Self::with_patience(config, web, PATIENCE)
    }

    fn with_patience(config: SoundsConfig, web: Webhooks, patience: Patience) -> Self {
        let engine = Engine::new(config.command, ENGINES_MAX, ENGINE_PATIENCE);
        let renderings = Renderings::new(config.cache_dir, RENDERING_BYTES_MAX);
        Self {
            inner: Arc::new(Inner {
                clips: Arc::new(Clips::new(CLIP_BYTES_MAX)),
                under_way: Mutex::default(),
                speaker: Speaker::new(engine, renderings, config.voices),
                decoder: Decoder::new(DECODERS_MAX),
                web,
                fetches: Semaphore::new(FETCHES_MAX),
                streams: Arc::new(Semaphore::new(STREAMS_MAX)),
                patience,
                failures: Failures::default(),
            }),
        }
    }

    /// Makes a sound ready under `key`; once it returns, [`get`](Self::get) has it, or its first second, if it is
    /// still coming. However many ask for one key
    /// at a time, it is made once. A fetched one is asked for again when its server wants that, and played as
    /// it is when the server cannot be reached; that there is none is believed for a moment.
    pub async fn prepare(&self, key: ClipKey, source: SoundSource) -> Result<SoundInfo, SoundError> {
        if let Some((sound, origin)) = self.inner.clips.with_origin(&key)
            && (sound.is_coming() || origin.fresh_until.is_none_or(|until| Instant::now() < until))
        {
            return Ok(info(&sound));
        }
        if let Some(error) = self.inner.failures.recent(&key, Instant::now()) {
            return Err(error);
        }
        let flight = self.inner.board(key.clone())?;
        flight.made.get_or_init(|| self.inner.make(key, source)).await.clone()
    }

    /// Files decoded so far; what is played again is not decoded again.
    pub fn decoded(&self) -> u64 {
        self.inner.decoder.decoded.load(Ordering::Relaxed)
    }

    /// A prepared sound. Takes a lock for a moment; not for a media thread, but for whoever serves one.
    pub fn get(&self, key: &ClipKey) -> Option<CoreItem> {
        self.inner.clips.get(key).map(CoreItem::from)
    }
}

/// One caller's share in a sound being made. The last to leave closes it, so that one which everybody gave up
/// on is not waited for.
struct Flight<'a> {
    inner: &'a Inner,
    key: ClipKey,
    made: Arc<OnceCell<Made>>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut under_way = self.inner.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = under_way.get(&self.key).is_some_and(|made| Arc::ptr_eq(made, &self.made));
        // The table's and this one.
        let is_last = Arc::strong_count(&self.made) == 2;
        if is_ours && (self.made.initialized() || is_last) {
            under_way.remove(&self.key);
        }
    }
}

impl Inner {
    fn board(&self, key: ClipKey) -> Result<Flight<'_>, SoundError> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let made = match under_way.get(&key) {
            Some(made) => made.clone(),
            None if under_way.len() >= UNDER_WAY_MAX => {
                return Err(SoundError::new(INTERNAL, "too many sounds are being made"));
            }
            None => under_way.entry(key.clone()).or_default().clone(),
        };
        Ok(Flight { inner: self, key, made })
    }

    async fn make(&self, key: ClipKey, source: SoundSource) -> Made {
        match source {
            SoundSource::Speech { text, ssml, voice, language } => {
                let said = ssml.map_or(Said::Plain(text), Said::Ssml);
                let clip = self.speaker.speak(&said, &voice, &language, &self.decoder).await?;
                Ok(self.keep(key, clip, Origin::default()))
            }
            SoundSource::Builtin(sound) => {
                let (bytes, extension) = builtin::file(sound);
                let clip = self.decoder.decode(bytes.to_vec(), Some(extension)).await?;
                Ok(self.keep(key, clip, Origin::default()))
            }
            SoundSource::Url(url) => {
                let is_remote = !url.starts_with("file:");
                let made = self.fetch(key.clone(), url).await;
                if let (Err(error), true) = (&made, is_remote) {
                    self.failures.note(key, error.clone(), Instant::now());
                }
                made
            }
            SoundSource::Answer { content_type, body } => {
                playable(Some(&content_type), false)?;
                let clip = self.decoder.decode(body, Some(&content_type)).await?;
                Ok(self.keep(key, clip, Origin::default()))
            }
            SoundSource::File(path) => self.read(key, path).await,
        }
    }

    async fn fetch(&self, key: ClipKey, url: String) -> Made {
        let known = self.clips.with_origin(&key);
        let origin = known.as_ref().map(|(_, origin)| origin.clone()).unwrap_or_default();
        let request = MediaRequest {
            url,
            etag: origin.etag.clone(),
            last_modified: origin.last_modified.clone(),
            bytes_max: FILE_BYTES_MAX,
            stall_max: self.patience.stalled,
        };
        let is_file = request.url.starts_with("file:");
        let turn = self.fetches.acquire().await.expect("this semaphore is never closed");
        let answer = self.web.get_media(request).await;
        drop(turn);
        let answer = match (answer, &known) {
            (Ok(answer), Some((sound, _))) if answer.status >= 500 => {
                tracing::warn!(
                    key = key.0,
                    status = answer.status,
                    "a sound could not be checked; the known one plays"
                );
                return Ok(info(sound));
            }
            (Err(failure), Some((sound, _))) => {
                tracing::warn!(
                    key = key.0,
                    code = failure.code,
                    "a sound could not be checked; the known one plays"
                );
                return Ok(info(sound));
            }
            (answer, _) => answer?,
        };
        let date = answer.date.as_deref().and_then(|date| httpdate::parse_http_date(date).ok());
        let freshness = Freshness::read(
            answer.cache_control.as_deref(),
            answer.expires.as_deref(),
            date.unwrap_or_else(SystemTime::now),
        );
        // A confirmation that says nothing of it leaves what was said before (RFC 9111 §4.3.4).
        let is_said = answer.cache_control.is_some() || answer.expires.is_some();
        let fresh_for = if answer.status == 304 && !is_said { origin.fresh_for } else { freshness.fresh_for };
        let fresh_until = Some(Instant::now() + fresh_for);
        match (answer.status, known) {
            (304, Some((sound, _))) => {
                self.clips.put(key, sound.clone(), Origin { fresh_until, fresh_for, ..origin });
                Ok(info(&sound))
            }
            (200..=299, _) => {
                playable(answer.content_type.as_deref(), is_file)?;
                let origin = match freshness.may_be_kept {
                    true => Origin {
                        fresh_until,
                        fresh_for,
                        etag: answer.etag.clone(),
                        last_modified: answer.last_modified.clone(),
                    },
                    false => Origin { fresh_until, ..Origin::default() },
                };
                self.take(key, answer, origin).await
            }
            (status, _) => {
                self.clips.remove(&key);
                Err(SoundError::new(FAILED, format!("answered with status {status}")))
            }
        }
    }

    /// What was fetched becomes a sound: at once, or as it comes.
    async fn take(&self, key: ClipKey, answer: MediaAnswer, origin: Origin) -> Made {
        let MediaAnswer { mut body, rest, content_type: hint, .. } = answer;
        if let Some(rest) = rest {
            let slot = decode::is_streamable(&body, hint.as_deref())
                .then(|| self.streams.clone().try_acquire_owned().ok())
                .flatten();
            if let Some(slot) = slot {
                let stream = Stream::open(body, rest, hint, slot, self.patience.unheard);
                return self.follow(key, stream, origin).await;
            }
            rest.all(&mut body).await?;
        }
        let clip = self.decoder.decode(body, hint.as_deref()).await?;
        Ok(self.keep(key, clip, origin))
    }

    /// Answers as soon as there is something to play; what comes of it is seen to in the background.
    async fn follow(&self, key: ClipKey, mut stream: Stream, origin: Origin) -> Made {
        let clip = stream.clip.clone();
        if !stream.has_begun().await {
            // It is over already, or nothing came of it.
            let whole = stream.finish().await?;
            self.clips.put(key.clone(), Sound::Growing(clip.clone()), origin);
            self.clips.complete(&key, &clip, whole);
            return Ok(info(&Sound::Growing(clip)));
        }
        self.clips.put(key.clone(), Sound::Growing(clip), origin);
        let clips = self.clips.clone();
        tokio::spawn(async move {
            let clip = Arc::downgrade(&stream.clip);
            let whole = stream.finish().await.unwrap_or_default();
            if let Some(clip) = clip.upgrade() {
                clips.complete(&key, &clip, whole);
            }
        });
        Ok(SoundInfo { duration_ms: None })
    }

    async fn read(&self, key: ClipKey, path: PathBuf) -> Made {
        let known = self.clips.with_origin(&key);
        let tag = known.as_ref().and_then(|(_, origin)| origin.etag.clone());
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        let (tag, bytes) = match blocking(move || read_file(&path, tag.as_deref())).await? {
            Ok(read) => read,
            Err(error) => {
                self.clips.remove(&key);
                return Err(error);
            }
        };
        let origin = Origin { etag: Some(tag), ..Origin::stale() };
        match (bytes, known) {
            (None, Some((sound, _))) => Ok(info(&sound)),
            (bytes, _) => {
                let clip = self.decoder.decode(bytes.unwrap_or_default(), extension.as_deref()).await?;
                Ok(self.keep(key, clip, origin))
            }
        }
    }

    fn keep(&self, key: ClipKey, clip: Clip, origin: Origin) -> SoundInfo {
        let sound = Sound::Whole(Arc::new(clip));
        let info = info(&sound);
        self.clips.put(key, sound, origin);
        info
    }
}

/// Decodes files on blocking threads, a few at a time.
#[derive(Debug)]
pub(crate) struct Decoder {
    turns: Semaphore,
    /// Files decoded so far.
    decoded: AtomicU64,
}

impl Decoder {
    pub(crate) fn new(at_a_time: usize) -> Self {
        Self { turns: Semaphore::new(at_a_time), decoded: AtomicU64::new(0) }
    }

    /// The clip in a file, which is of the type or has the extension that `hint` says.
    pub(crate) async fn decode(&self, bytes: Vec<u8>, hint: Option<&str>) -> Result<Clip, SoundError> {
        let _turn = self.turns.acquire().await.expect("this semaphore is never closed");
        let hint = hint.map(str::to_owned);
        self.decoded.fetch_add(1, Ordering::Relaxed);
        blocking(move || decode::decode(bytes, hint.as_deref()))
            .await?
            .map_err(|error| SoundError::new(NOT_PLAYABLE, error.to_string()))
    }
}

fn info(sound: &Sound) -> SoundInfo {
    SoundInfo { duration_ms: sound.duration_ms() }
}

/// A file's tag, which changes when the file does, and its bytes unless the tag is `known`.
fn read_file(path: &Path, known: Option<&str>) -> Result<(String, Option<Vec<u8>>), SoundError> {
    let failed = |why: &str| SoundError::new(FAILED, format!("{}: {why}", path.display()));
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error.to_string()))?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX as u64 {
        return Err(failed("not a file of at most 40 MB"));
    }
    let tag = format!("{}-{}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    if known == Some(&tag) {
        return Ok((tag, None));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(&error.to_string()))?;
    Ok((tag, Some(bytes)))
}

#[cfg(test)]
mod tests;
