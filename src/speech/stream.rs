//! A sound that is on its way from a web server, heard from its first second on.
//!
//! Its bytes go through a short queue to a thread that decodes them as they come; a server that sends faster
//! than they are decoded waits. It ends where its body ends, where it stalls or where it is as long as a sound
//! may be; one without an end of its own ends when nobody has listened for a while, too.

use std::io::{self, Read};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::clip::{Chunk, Grower};
use media::decode::{self, DURATION_MS_MAX, DecodeError};
use media::{Clip, GrowingClip};
use net::webhook::MediaRest;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::{INTERNAL, NOT_PLAYABLE, SoundError};
use crate::speaker::blocking;

/// Pieces of a body that wait for the decoder.
const QUEUE_MAX: usize = 16;

/// Who holds a growing sound without playing it: who makes it grow, its source, who waits for its end, the cache.
const OWN_HOLDERS: usize = 4;

/// A sound being fetched and decoded at the same time.
#[derive(Debug)]
pub(crate) struct Stream {
    /// As far as it has come.
    pub(crate) clip: Arc<GrowingClip>,
    begun: oneshot::Receiver<()>,
    decoding: JoinHandle<Result<u64, DecodeError>>,
    feeding: JoinHandle<Result<Fed, SoundError>>,
    has_end: bool,
}

/// Why no more bytes are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fed {
    /// There are no more.
    All,
    /// The decoder has had enough: the sound is over before its file is, or as long as it may be.
    Enough,
}

impl Stream {
    /// Decodes what `body` begins and `rest` goes on with; `hint` is its type. `slot` is held until it is decoded.
    /// One that has no length is given up when it has not been played for as long as `unheard`.
    pub(crate) fn open(
        body: Vec<u8>,
        rest: MediaRest,
        hint: Option<String>,
        slot: OwnedSemaphorePermit,
        unheard: Duration,
    ) -> Self {
        let grower = Grower::default();
        let clip = grower.clip();
        let (chunks, queue) = mpsc::channel(QUEUE_MAX);
        let (told, begun) = oneshot::channel();
        let source = Source { queue, chunk: body.into(), clip: clip.clone(), told: Some(told) };
        let has_end = rest.has_length();
        let feeding = tokio::spawn(feed(rest, chunks, Arc::downgrade(&clip), unheard));
        let decoding = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            decode::decode_growing(source, hint.as_deref(), grower)
        });
        Self { clip, begun, decoding, feeding, has_end }
    }

    /// Waits until its first second can be played; false when it ends before.
    pub(crate) async fn has_begun(&mut self) -> bool {
        (&mut self.begun).await.is_ok()
    }

    /// Waits for its end. `None`: it was cut off, and nobody should believe that this is all of it.
    pub(crate) async fn finish(self) -> Result<Option<Clip>, SoundError> {
        let failed = |error| SoundError::new(INTERNAL, format!("preparing a sound failed: {error}"));
        let made = self.decoding.await.map_err(failed)?;
        let fed = self.feeding.await.map_err(failed)?;
        let is_whole = match (made, fed) {
            (Err(_), Err(failure)) => return Err(failure),
            (Err(error), Ok(_)) => return Err(SoundError::new(NOT_PLAYABLE, error.to_string())),
            (Ok(ms), Err(failure)) => {
                tracing::warn!(ms, %failure, "a sound ends early");
                false
            }
            (Ok(_), Ok(Fed::All)) => true,
            (Ok(ms), Ok(Fed::Enough)) => self.has_end || ms < DURATION_MS_MAX,
        };
        if !is_whole {
            return Ok(None);
        }
        let clip = self.clip;
        blocking(move || clip.whole()).await
    }
}

/// Passes the body on until it ends or nobody wants more of it.
async fn feed(
    mut rest: MediaRest,
    chunks: mpsc::Sender<Bytes>,
    clip: Weak<GrowingClip>,
    unheard: Duration,
) -> Result<Fed, SoundError> {
    let mut heard = Instant::now();
    loop {
        let chunk = tokio::select! {
            chunk = rest.chunk() => chunk?,
            () = chunks.closed() => return Ok(Fed::Enough),
        };
        let Some(chunk) = chunk else { return Ok(Fed::All) };
        if chunks.send(chunk).await.is_err() {
            return Ok(Fed::Enough);
        }
        if rest.has_length() || clip.strong_count() > OWN_HOLDERS {
            heard = Instant::now();
        } else if heard.elapsed() > unheard {
            return Err(SoundError::new(INTERNAL, "nobody listens to it, and it has no end"));
        }
    }
}

/// The bytes as the decoder reads them, waiting for each.
struct Source {
    queue: mpsc::Receiver<Bytes>,
    chunk: Bytes,
    clip: Arc<GrowingClip>,
    /// Told once there is something to play; gone when nobody waits any more.
    told: Option<oneshot::Sender<()>>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Who reads on has decoded what came before.
        if self.clip.samples(0, &mut [0]) != Chunk::NotYet
            && let Some(told) = self.told.take()
        {
            let _ = told.send(());
        }
        if self.told.as_ref().is_some_and(oneshot::Sender::is_closed) {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        while self.chunk.is_empty() {
            match self.queue.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        buffer[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
