//! Clips in memory, the least recently used forgotten first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use media::{Clip, ClipKey};

/// What is known of a clip's origin, to ask for it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Until when nobody needs to ask; `None`: for ever.
    pub(crate) fresh_until: Option<Instant>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// A bounded number of bytes of clips. A lookup takes a lock that only a new clip takes exclusively.
#[derive(Debug)]
pub(crate) struct Clips {
    kept: RwLock<HashMap<ClipKey, Kept>>,
    bytes_max: usize,
    /// Counts lookups: the order of use.
    uses: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    clip: Arc<Clip>,
    origin: Origin,
    used: AtomicU64,
}

impl Clips {
    /// At most `bytes_max` bytes of samples, except that the newest clip is always kept.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { kept: RwLock::default(), bytes_max, uses: AtomicU64::new(0) }
    }

    /// A clip, fresh or not.
    pub(crate) fn get(&self, key: &ClipKey) -> Option<Arc<Clip>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key)?;
        found.used.store(self.next_use(), Ordering::Relaxed);
        Some(found.clip.clone())
    }

    /// A clip and where it is from.
    pub(crate) fn with_origin(&self, key: &ClipKey) -> Option<(Arc<Clip>, Origin)> {
        let clip = self.get(key)?;
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        Some((clip, kept.get(key)?.origin.clone()))
    }

    /// Keeps a clip; what was under the key before lives on in the legs that play it.
    pub(crate) fn put(&self, key: ClipKey, clip: Arc<Clip>, origin: Origin) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let entry = Kept { clip, origin, used: AtomicU64::new(self.next_use()) };
        kept.insert(key.clone(), entry);
        let mut bytes: usize = kept.iter().map(|(key, entry)| size(key, &entry.clip)).sum();
        if bytes <= self.bytes_max {
            return;
        }
        // A little more than needed, so that a full cache does not sort itself for every clip.
        let enough = self.bytes_max / 10 * 9;
        let mut by_age: Vec<(u64, ClipKey)> =
            kept.iter().map(|(key, entry)| (entry.used.load(Ordering::Relaxed), key.clone())).collect();
        by_age.sort_unstable();
        for (_, oldest) in by_age {
            if bytes <= enough || oldest == key {
                break;
            }
            if let Some(entry) = kept.remove(&oldest) {
                bytes -= size(&oldest, &entry.clip);
            }
        }
    }

    /// Forgets a clip.
    pub(crate) fn remove(&self, key: &ClipKey) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }
}

fn size(key: &ClipKey, clip: &Clip) -> usize {
    let wide = clip.wide.as_ref().map_or(0, |wide| wide.len());
    key.0.len() + 2 * (clip.pcm.len() + wide) + clip.ulaw.len() + clip.alaw.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ClipKey {
        ClipKey(name.to_owned())
    }

    /// 4 bytes a sample.
    fn clip(samples: usize) -> Arc<Clip> {
        Arc::new(Clip::from_pcm(&vec![0; samples]))
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let clips = Clips::new(4_100);
        for name in ["a", "b", "c"] {
            clips.put(key(name), clip(300), Origin::default());
        }
        clips.get(&key("a"));
        clips.put(key("d"), clip(300), Origin::default());
        let held = |name| clips.get(&key(name)).is_some();
        assert_eq!(["a", "b", "c", "d"].map(held), [true, false, true, true]);
    }

    #[test]
    fn the_newest_is_kept_however_large_and_playing_ones_live_on() {
        let clips = Clips::new(100);
        clips.put(key("small"), clip(10), Origin::default());
        let playing = clips.get(&key("small")).unwrap();
        clips.put(key("large"), clip(1_000), Origin::default());
        assert!(clips.get(&key("large")).is_some() && clips.get(&key("small")).is_none());
        assert_eq!(playing.pcm.len(), 10);
    }

    #[test]
    fn a_clip_is_replaced_with_its_origin() {
        let clips = Clips::new(10_000);
        clips.put(key("a"), clip(1), Origin::default());
        let origin = Origin { etag: Some("v2".to_owned()), ..Origin::default() };
        clips.put(key("a"), clip(2), origin.clone());
        let (found, from) = clips.with_origin(&key("a")).unwrap();
        assert_eq!((found.pcm.len(), from), (2, origin));
        clips.remove(&key("a"));
        assert!(clips.get(&key("a")).is_none());
    }
}
