//! Clips in memory, the least recently used forgotten first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use media::clip::PIECE_SAMPLES;
use media::engine::CoreItem;
use media::{Clip, ClipKey, GrowingClip};

/// A sound as it is kept.
#[derive(Clone, Debug)]
pub(crate) enum Sound {
    /// All of it.
    Whole(Arc<Clip>),
    /// On its way, or cut off on its way.
    Growing(Arc<GrowingClip>),
}

impl Sound {
    /// Whether there is more to come.
    pub(crate) fn is_coming(&self) -> bool {
        self.duration_ms().is_none()
    }

    /// Its length; `None` while more is to come.
    pub(crate) fn duration_ms(&self) -> Option<u64> {
        match self {
            Sound::Whole(clip) => Some(clip.duration_ms()),
            Sound::Growing(clip) => Some(clip.len()? as u64 * 1_000 / u64::from(Clip::RATE)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Sound::Whole(clip) => {
                let wide = clip.wide.as_ref().map_or(0, |wide| wide.len());
                2 * (clip.pcm.len() + wide) + clip.ulaw.len() + clip.alaw.len()
            }
            Sound::Growing(clip) => {
                let forms = if clip.is_wide() { 3 } else { 1 };
                2 * forms * clip.len().unwrap_or(PIECE_SAMPLES)
            }
        }
    }
}

impl From<Sound> for CoreItem {
    fn from(sound: Sound) -> Self {
        match sound {
            Sound::Whole(clip) => CoreItem::Clip(clip),
            Sound::Growing(clip) => CoreItem::Growing(clip),
        }
    }
}

/// What is known of a clip's origin, to ask for it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Until when nobody needs to ask; `None`: for ever.
    pub(crate) fresh_until: Option<Instant>,
    /// For how long nobody needs to ask after each confirmation, unless that says something else.
    pub(crate) fresh_for: Duration,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

impl Origin {
    /// Of what is not to be believed again.
    pub(crate) fn stale() -> Self {
        Self { fresh_until: Some(Instant::now()), ..Self::default() }
    }
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
    sound: Sound,
    origin: Origin,
    used: AtomicU64,
}

impl Clips {
    /// At most `bytes_max` bytes of samples, except that the newest clip is always kept.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { kept: RwLock::default(), bytes_max, uses: AtomicU64::new(0) }
    }

    /// A sound, fresh or not.
    pub(crate) fn get(&self, key: &ClipKey) -> Option<Sound> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(key)?;
        found.used.store(self.next_use(), Ordering::Relaxed);
        Some(found.sound.clone())
    }

    /// A sound and where it is from.
    pub(crate) fn with_origin(&self, key: &ClipKey) -> Option<(Sound, Origin)> {
        let sound = self.get(key)?;
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        Some((sound, kept.get(key)?.origin.clone()))
    }

    /// Keeps a sound; what was under the key before lives on in the legs that play it.
    pub(crate) fn put(&self, key: ClipKey, sound: Sound, origin: Origin) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let entry = Kept { sound, origin, used: AtomicU64::new(self.next_use()) };
        kept.insert(key.clone(), entry);
        let mut bytes: usize = kept.iter().map(|(key, entry)| size(key, &entry.sound)).sum();
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
                bytes -= size(&oldest, &entry.sound);
            }
        }
    }

    /// A sound has come to its end: all of it stands in its place from now on. `None`: it was cut off; the next
    /// who wants it asks for it again.
    pub(crate) fn complete(&self, key: &ClipKey, growing: &Arc<GrowingClip>, whole: Option<Clip>) {
        let Some((Sound::Growing(kept), origin)) = self.with_origin(key) else { return };
        // Another may have taken its place.
        if Arc::ptr_eq(&kept, growing) {
            match whole {
                Some(clip) => self.put(key.clone(), Sound::Whole(Arc::new(clip)), origin),
                None => self.put(key.clone(), Sound::Growing(kept), Origin::stale()),
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

fn size(key: &ClipKey, sound: &Sound) -> usize {
    key.0.len() + sound.bytes()
}

#[cfg(test)]
mod tests {
    use media::clip::Grower;

    use super::*;

    fn key(name: &str) -> ClipKey {
        ClipKey(name.to_owned())
    }

    /// 4 bytes a sample.
    fn clip(samples: usize) -> Sound {
        Sound::Whole(Arc::new(Clip::from_pcm(&vec![0; samples])))
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
        assert_eq!(playing.bytes(), 40);
    }

    #[test]
    fn a_clip_is_replaced_with_its_origin() {
        let clips = Clips::new(10_000);
        clips.put(key("a"), clip(1), Origin::default());
        let origin = Origin { etag: Some("v2".to_owned()), ..Origin::default() };
        clips.put(key("a"), clip(2), origin.clone());
        let (found, from) = clips.with_origin(&key("a")).unwrap();
        assert_eq!((found.bytes(), from), (8, origin));
        clips.remove(&key("a"));
        assert!(clips.get(&key("a")).is_none());
    }

    #[test]
    fn a_sound_that_came_to_its_end_is_kept_whole_and_one_cut_off_asked_for_again() {
        let clips = Clips::new(10_000);
        let origin = Origin { etag: Some("v1".to_owned()), ..Origin::default() };
        let mut grower = Grower::default();
        let growing = grower.clip();
        let put = || clips.put(key("a"), Sound::Growing(growing.clone()), origin.clone());
        put();
        grower.push(&[1; 80], &[]);
        assert!(clips.get(&key("a")).unwrap().is_coming());
        drop(grower);
        clips.complete(&key("a"), &growing, growing.whole());
        let (whole, from) = clips.with_origin(&key("a")).unwrap();
        assert!(matches!(whole, Sound::Whole(_)) && from == origin);
        put();
        clips.complete(&key("a"), &growing, None);
        let (cut, from) = clips.with_origin(&key("a")).unwrap();
        assert_eq!((cut.duration_ms(), from.etag), (Some(10), None));
        assert!(from.fresh_until.is_some_and(|until| until <= Instant::now()));
        clips.put(key("a"), clip(1), origin.clone());
        clips.complete(&key("a"), &growing, None);
        assert_eq!(clips.with_origin(&key("a")).unwrap().1, origin, "it is another sound now");
    }
}
